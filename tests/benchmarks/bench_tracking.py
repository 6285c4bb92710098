"""What a run costs the training: the log call, points a second, a short run, memory."""

import io
import json
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from mlkit.store.store import Store

CALLS = 200_000
METRICS = {"loss": 0.3, "auc": 0.8, "accuracy": 0.7}


def middle(times):
    return times[len(times) // 2] * 1e6


def far(times):
    return times[len(times) * 99 // 100] * 1e6


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def json_lines(file):
    """Log as many do at home: a line of JSON a call, written at once, so as safe as ours."""

    def log(step):
        line = {"step": step, "time": time.time(), **METRICS}
        file.write(json.dumps(line).encode() + b"\n")

    return log


def bare_prototype(file):
    """Give the least that a framed record in one write(2) can cost in Python."""
    body, head = struct.Struct("<B3xIqq3d"), struct.Struct("<II")

    def log(step):
        payload = body.pack(3, 0, step, time.time_ns(), *METRICS.values())
        file.write(head.pack(body.size, zlib.crc32(payload)) + payload)

    return log


def test_a_log_call_of_three_scalars(bench, store, tmp_path):
    with (
        store.start_run("bench") as run,
        io.FileIO(tmp_path / "lines", "ab") as lines_file,
        io.FileIO(tmp_path / "bare", "ab") as bare_file,
    ):
        step = iter(range(10**9))
        ours = bench.each_call(lambda: run.log_metrics(METRICS, step=next(step)), number=CALLS)
        lines = json_lines(lines_file)
        theirs = bench.each_call(lambda: lines(next(step)), number=CALLS)
        prototype = bare_prototype(bare_file)
        bare = bench.each_call(lambda: prototype(next(step)), number=CALLS)
        uncounted = bench.each_call(lambda: run.log_metrics(METRICS), number=CALLS)
    peers = {"json_lines": middle(theirs), "bare_prototype": middle(bare)}
    bench.at_most("log_metrics of 3 scalars, p50", middle(ours), "us", budget=3, **peers)
    peers = {"json_lines": far(theirs), "bare_prototype": far(bare)}
    bench.at_most("log_metrics of 3 scalars, p99", far(ours), "us", **peers)
    bench.at_most("log_metrics of 3 scalars without a step, p50", middle(uncounted), "us")
    bench.at_most(
        "log_metrics of 3 scalars, as a part of a JSON line",
        middle(ours) / middle(theirs),
        "x",
        budget=1,
    )


def test_points_a_second(bench, store):
    with store.start_run("bench") as run:

        def log():
            for step in range(CALLS):
                run.log_metrics(METRICS, step=step)

        timing = bench.side_by_side({"log": log}, rounds=5)["log"]
    bench.at_least(
        "points a second, one process", 3 * CALLS / timing.median, "points", budget=700_000
    )


def test_a_short_run(bench, store):
    def short():
        with store.start_run("bench") as run:
            run.log_params({f"param{number}": number / 10 for number in range(20)})
            for step in range(5):
                run.log_metric("loss", 0.3, step=step)

    times = bench.each_call(short, number=300)
    bench.at_most("start + 20 params + 5 metrics + finish", middle(times) / 1e3, "ms", budget=2)


def test_reading_a_metric_back(bench, store):
    with store.start_run("bench") as run:
        for step in range(CALLS):
            run.log_metrics(METRICS, step=step)
    timings = bench.side_by_side({"read": lambda: store.run(run.id).metrics("loss")}, rounds=3)
    bench.at_most(f"one metric of a run of {CALLS:,} calls", timings["read"].median, "s")


SHORT_RUNS = """
import sys, mlkit
store, worker, runs = mlkit.Store(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
for number in range(runs):
    with store.start_run("crowd") as run:
        run.log_params(worker=worker, number=number)
        for step in range(5):
            run.log_metric("loss", worker + number / 1000, step=step)
    print(run.id)
"""


def test_two_thousand_short_runs_of_eight_processes_at_once(bench, store):
    processes, runs = 8, 250
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", SHORT_RUNS, store.url, str(worker), str(runs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for worker in range(processes)
    ]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    said = [worker.communicate()[0].split() for worker in workers]
    seconds = time.perf_counter() - began
    assert [worker.returncode for worker in workers] == [0] * processes

    expected = {
        run_id: {"worker": worker, "number": number}
        for worker, run_ids in enumerate(said)
        for number, run_id in enumerate(run_ids)
    }
    found = list(store.search_runs(experiment="crowd"))
    assert len(found) == processes * runs
    assert {run.id: run.params for run in found} == expected
    for run in found:
        assert run.status == "FINISHED"
        points = run.metrics("loss").to_pydict()
        value = run.params["worker"] + run.params["number"] / 1000
        assert points["step"] == [0, 1, 2, 3, 4]
        assert points["value"] == [value] * 5
    bench.at_least("2,000 short runs of 8 processes at once", len(found) / seconds, "runs/s")


LONG_RUN = """
import re, sys, mlkit
def peak():
    # Of this program alone: ru_maxrss begins with what the process had that started it.
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read())[1]) / 1024
run = mlkit.Store(sys.argv[1]).start_run("long")
metrics = {f"metric{number}": number / 7 for number in range(10)}
for step in range(1_000):
    run.log_metrics(metrics, step=step)
before = peak()
for step in range(1_000_000):
    run.log_metrics(metrics, step=step)
print(peak() - before)
"""


def test_memory_while_ten_million_points_are_logged(bench, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LONG_RUN, str(tmp_path / "long")],
        check=True,
        capture_output=True,
        text=True,
    )
    bench.at_most("memory for 10,000,000 points", float(done.stdout), "MiB", budget=20)


FIRST_RUN = """
import sys, time, mlkit
store = mlkit.Store(sys.argv[1])
began = time.perf_counter()
with store.start_run("first", capture=sys.argv[2] == "on"):
    pass
print((time.perf_counter() - began) * 1e3)
"""


def test_what_is_captured_unasked(bench, store, tmp_path):
    def first(capture):
        done = subprocess.run(
            [sys.executable, "-c", FIRST_RUN, str(tmp_path / "first"), capture],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent,  # a working tree of git
        )
        return float(done.stdout)

    def later(capture):
        def run():
            with store.start_run("later", capture=capture):
                pass

        return middle(bench.each_call(run, number=300)) / 1e3

    pairs = [(first("on"), first("off")) for _ in range(7)]
    costs = sorted(on - off for on, off in pairs)
    bench.at_most("what the first run of a process captures", costs[3], "ms", budget=20)
    bench.at_most(
        "what a later run captures", later(capture=True) - later(capture=False), "ms", budget=1
    )


def test_artifacts(bench, store, tmp_path):
    content = b"x" * 65_536
    with store.start_run("bench") as run:
        numbers = iter(range(10**6))
        each = bench.each_call(
            lambda: run.log_artifact(content + str(next(numbers)).encode(), "a.bin"), number=300
        )
    bench.at_most("log_artifact of 64 KiB, p50", middle(each), "us")
