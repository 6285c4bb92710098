"""Promises about processes: kills, forks, and many that write at once."""

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest

import mlkit
from mlkit.store.store import Store

LOGGER = """
import os, sys, mlkit
run = mlkit.Store(sys.argv[1]).start_run("killed")
os.write(1, run.id.encode())
step = 0
while True:
    run.log_metrics({"loss": step / 3, "auc": -step, "step": step}, step=step)
    step += 1
    os.write(1, b".")
"""


def test_every_call_that_returned_survives_sigkill(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", LOGGER, tmp_path / "s"], stdout=subprocess.PIPE
    )
    seen = process.stdout.read(36 + 5000)
    process.send_signal(signal.SIGKILL)
    seen += process.stdout.read()
    process.wait()
    process.stdout.close()
    run_id, returned = seen[:36].decode(), len(seen) - 36
    run = Store(tmp_path / "s").run(run_id)
    points = run.metrics("loss").to_pydict()
    assert returned >= 5000
    assert len(points["step"]) - returned in (0, 1)  # the last call may have died before its dot
    assert points["step"] == list(range(len(points["step"])))
    assert points["value"] == [step / 3 for step in points["step"]]
    assert run.metrics("auc").num_rows == len(points["step"])
    assert run.status == "LOST"
    assert list(run.verify()) == []


def test_a_torn_tail_is_skipped_and_verify_says_so(tmp_path):
    store = Store(tmp_path / "s")
    active = store.start_run("torn")
    for step in range(10):
        active.log_metric("x", step)
    (segment,) = (tmp_path / "s").rglob("*.seg")
    with segment.open("r+b") as file:
        file.truncate(segment.stat().st_size - 5)
    run = store.run(active.id)
    assert run.metrics("x").num_rows == 9
    (problem,) = run.verify()
    assert "cut short" in problem.what
    assert active.id in problem.hurts[0]
    active.finish()


def test_a_segment_that_lost_its_end_after_the_run_is_named(tmp_path):
    store = Store(tmp_path / "s")
    with store.start_run("short") as active:
        for step in range(10):
            active.log_metric("x", step)
    (segment,) = (tmp_path / "s").rglob("*.seg")
    data = segment.read_bytes()
    segment.unlink()
    (problem,) = store.runs.verify(active.id)
    assert problem.what == "it is missing, with 12 records"
    segment.write_bytes(data[:-20])
    found = [problem.what for problem in store.runs.verify(active.id)]
    assert len(found) == 2
    assert "cut short" in found[0]
    assert found[1] == "its last 20 bytes are missing: 1 of 12 records lost"
    damaged = bytearray(data)
    damaged[-20] ^= 1
    segment.write_bytes(damaged)
    (problem,) = store.runs.verify(active.id)
    assert "after record 11, were damaged" in problem.what
    assert problem.what.endswith("1 of 12 records lost")
    segment.write_bytes(data)
    assert list(store.run(active.id).verify()) == []


def test_a_missing_or_damaged_document_of_a_run_is_named(tmp_path):
    store = Store(tmp_path / "s")
    with store.start_run("a") as active:
        active.log_metric("x", 1)
    folder = tmp_path / "s" / "runs" / active.id
    end = (folder / "end.json").read_bytes()
    (folder / "end.json").write_bytes(end.replace(b"FINISHED", b"finished"))
    (folder / "run.json").rename(folder / "gone")
    problems = [str(problem) for problem in store.runs.verify(active.id)]
    assert len(problems) == 2
    assert "end.json" in problems[0] or "end.json" in problems[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_writes_its_own_segment_and_leaves_the_end_to_its_parent(tmp_path):
    program = """
import os, sys, mlkit
run = mlkit.Store(sys.argv[1]).start_run("fork")
run.log_metric("x", 1)
children = []
for number in range(3):
    pid = os.fork()
    if pid == 0:
        for step in range(100):
            run.log_metric("child", number, step=step)
        run.finish()
        os._exit(0)
    children.append(pid)
for pid in children:
    os.waitpid(pid, 0)
run.log_metric("x", 2)
run.finish()
print(run.id)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "s"], capture_output=True, text=True, check=True
    )
    run = Store(tmp_path / "s").run(done.stdout.strip())
    assert run.status == "FINISHED"
    assert run.metrics("x").column("value").to_pylist() == [1.0, 2.0]
    assert sorted(run.metrics("child").column("value").to_pylist()) == sorted([0.0, 1.0, 2.0] * 100)
    assert run.summary["x"] == 2.0
    assert "child" in run.summary
    assert len([name for name in run._files if name.endswith(".seg")]) == 4


def _log_run(url, number):
    with Store(url).start_run("many") as run:
        run.log_params(number=number)
        for step in range(20):
            run.log_metrics({"x": number + step}, step=step)


def test_many_processes_start_runs_in_one_store_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        pool.starmap(_log_run, [(str(tmp_path / "s"), number) for number in range(24)])
    runs = list(Store(tmp_path / "s").runs)
    assert sorted(run.params["number"] for run in runs) == list(range(24))
    assert all(run.metrics("x").num_rows == 20 for run in runs)
    assert {run.status for run in runs} == {"FINISHED"}


def test_a_run_goes_on_in_another_process(tmp_path):
    store = Store(tmp_path / "s")
    with store.start_run("long", tags={"a": "1"}) as first:
        first.log_params(lr=0.1)
        first.log_metrics({"loss": 1.0, "early": 5}, step=1)
        first.log_text("x", "kept.txt")
    program = """
import sys, mlkit
with mlkit.Store(sys.argv[1]).start_run("long", resume=sys.argv[2]) as run:
    run.log_metrics({"loss": 0.5}, step=2)
    run.set_tags(b=2)
    assert run.summary == {"loss": 0.5, "early": 5.0}
"""
    subprocess.run([sys.executable, "-c", program, tmp_path / "s", first.id], check=True)
    run = store.run(first.id)
    assert (run.status, run.params, run.tags) == ("FINISHED", {"lr": 0.1}, {"a": "1", "b": "2"})
    assert run.summary == {"loss": 0.5, "early": 5.0}
    assert run.metrics("loss").column("value").to_pylist() == [1.0, 0.5]
    assert list(run.artifacts()) == ["kept.txt"]
    assert list(run.verify()) == []
    assert len(store.runs) == 1
    again = store.start_run("long", resume=first.id)
    assert store.run(first.id).status == "RUNNING"
    again.finish("KILLED")
    assert store.run(first.id).status == "KILLED"
    assert run.ended_at < store.run(first.id).ended_at


def test_only_a_run_of_the_experiment_can_be_resumed(tmp_path):
    store = Store(tmp_path / "s")
    with store.start_run("a") as run:
        pass
    with pytest.raises(mlkit.errors.InvalidInput, match="belongs to 'a', not to 'b'"):
        store.start_run("b", resume=run.id)
    with pytest.raises(mlkit.errors.NotFound):
        store.start_run("a", resume="01a20a5d-ef15-727c-a58d-b7d70efe8161")
