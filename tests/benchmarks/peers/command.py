"""The command line that the script of each tracker has, and what it measures.

    calls N                  what one call that logs three scalars costs, and points a second
    short N                  what a whole short run costs
    import N                 what importing costs over a bare Python, in fresh processes
    endless FOLDER [RATE]    log until killed, one byte on stdout for each call that returned
    whole FOLDER N           log, and finish
    count FOLDER RETURNED    how many of the first so many calls can be read back

All but `endless` print one line of JSON. A tracker is a class with

    MODULE, DISTRIBUTION     what `import` imports, and the package that has its version
    Tracker(folder)          imports it, and makes what it needs before any run in the folder
    start(params)            starts a run; gives log(metrics, step), as users call it, and finish()
    kept()                   reads the folder's run back: (step, key, value) of each point

Nothing here is tuned: each tracker logs as it does by default, but stays off the network and
doesn't talk. `points a second` ends when `finish` has returned, so what logs in the background
has to be through.
"""

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

NOWHERE = "http://127.0.0.1:9"  # also for what isn't Python and so knows no guard
OFFLINE = {
    "DO_NOT_TRACK": "true",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
    "HTTP_PROXY": NOWHERE,
    "HTTPS_PROXY": NOWHERE,
    "NO_PROXY": "127.0.0.1,localhost",
}
METRICS = {"loss": 0.3, "auc": 0.8, "accuracy": 0.7}
PARAMS = {f"param{number}": number / 10 for number in range(20)}
FIRST = 100  # calls that aren't counted, since they open files and fill caches


def expected(step):
    """Give what `endless` logs at a step; a 32-bit float holds each of them exactly."""
    return {"loss": float(step), "auc": -float(step), "accuracy": step / 2}


def calls(tracker_class, number):
    tracker = tracker_class(tempfile.mkdtemp(dir="."))
    log, finish = tracker.start({})
    clock = time.perf_counter_ns
    for step in range(FIRST):
        log(METRICS, step)
    times = []
    for step in range(FIRST, FIRST + number):
        began = clock()
        log(METRICS, step)
        times.append(clock() - began)
    finish()
    times.sort()

    log, finish = tracker.start({})
    for step in range(FIRST):
        log(METRICS, step)
    began = clock()
    for step in range(FIRST, FIRST + number):
        log(METRICS, step)
    finish()
    seconds = (clock() - began) / 1e9
    return {
        "p50_us": times[number // 2] / 1e3,
        "p99_us": times[number * 99 // 100] / 1e3,
        "points_a_second": len(METRICS) * number / seconds,
    }


def short(tracker_class, number):
    tracker = tracker_class(tempfile.mkdtemp(dir="."))
    times = []
    for _ in range(1 + number):
        began = time.perf_counter()
        log, finish = tracker.start(PARAMS)
        for step in range(5):
            log({"loss": 0.3}, step)
        finish()
        times.append(time.perf_counter() - began)
    return {"ms": 1e3 * sorted(times[1:])[number // 2]}


def importing(tracker_class, number):
    programs = {"bare": "pass", "module": f"import {tracker_class.MODULE}"}
    times = {name: [] for name in programs}
    for _ in range(1 + number):
        for name, program in programs.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True)
            times[name].append(time.perf_counter() - began)
    bare, module = (sorted(times[name][1:])[number // 2] for name in programs)
    return {"ms": 1e3 * (module - bare)}


def endless(tracker_class, folder, rate, told):
    log, _ = tracker_class(folder).start({})
    began = time.monotonic()
    for step in itertools.count():
        log(expected(step), step)
        os.write(told, b".")
        if rate:
            time.sleep(max(0, began + (step + 1) / rate - time.monotonic()))


def whole(tracker_class, folder, number):
    log, finish = tracker_class(folder).start({})
    for step in range(number):
        log(expected(step), step)
    finish()
    return {}


def count(tracker_class, folder, returned):
    found = {}
    for step, key, value in tracker_class(folder).kept():
        found.setdefault(step, {})[key] = value
    return {"found": sum(found.get(step) == expected(step) for step in range(returned))}


def main(tracker_class):
    """Do what the command line says."""
    # Some trackers print, and what they start may print too; stdout is for our answer alone.
    told = os.dup(1)
    os.dup2(2, 1)
    os.environ.update(OFFLINE)
    match sys.argv[1:]:
        case ["calls", number]:
            answer = calls(tracker_class, int(number))
        case ["short", number]:
            answer = short(tracker_class, int(number))
        case ["import", number]:
            answer = importing(tracker_class, int(number))
        case ["endless", folder, *rate]:
            Path(folder).mkdir()
            endless(tracker_class, folder, float(rate[0]) if rate else None, told)
        case ["whole", folder, number]:
            Path(folder).mkdir()
            answer = whole(tracker_class, folder, int(number))
        case ["count", folder, returned]:
            answer = count(tracker_class, folder, int(returned))
        case _:
            sys.exit(__doc__)
    answer["version"] = version(tracker_class.DISTRIBUTION)
    os.write(told, json.dumps(answer).encode() + b"\n")
