"""The command line that the scripts have whose trackers are read, and what it measures.

    read RUNS HISTORIES POINTS    make runs of 15 params and 10 metrics, of which the first ones
                                  have so many points of `loss`; then find runs and read points

It prints one line of JSON: seconds for all runs with what they say, for those that a filter keeps
in an order, and for the points of `loss` of all runs that have some. A tracker is a class with

    DISTRIBUTION             the package that has its version
    Tracker(folder)          imports it, and makes what it needs in the folder
    write(runs)              keeps runs, each as params, metrics and points, by its fastest own way
    everything()             gives how many runs are found, with all that they say
    filtered()               gives how many runs are found of WANTED, the best m1 first
    histories()              gives how many points of `loss` are found in the first runs

Each is asked several times, and the middle one counts.
"""

import json
import os
import random
import sys
import tempfile
import time
from importlib.metadata import version

import command

ROUNDS = 3
WANTED = "metrics.m3 > 0.8 and params.p2 = '2'"  # which all of them understand


def shapes(number, histories, points):
    """Give params, metrics and points of each run."""
    chance = random.Random(0)
    for index in range(number):
        params = {f"p{key}": chance.randrange(10) for key in range(15)}
        metrics = {f"m{key}": chance.random() for key in range(10)}
        yield params, metrics, [chance.random() for _ in range(points if index < histories else 0)]


def read(tracker_class, number, histories, points):
    tracker = tracker_class(tempfile.mkdtemp(dir="."))
    began = time.perf_counter()
    tracker.write(list(shapes(number, histories, points)))
    answer = {"writing": time.perf_counter() - began}
    chosen = sum(
        metrics["m3"] > 0.8 and params["p2"] == 2
        for params, metrics, _ in shapes(number, histories, points)
    )
    questions = {
        "everything": (tracker.everything, number),
        "filtered": (tracker.filtered, chosen),
        "histories": (tracker.histories, histories * points),
    }
    for name, (ask, expected) in questions.items():
        times = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            found = ask()
            times.append(time.perf_counter() - began)
            if found != expected:
                message = f"{name}: {found} are found, and not {expected}"
                raise ValueError(message)
        answer[name] = sorted(times)[ROUNDS // 2]
    return answer


def main(tracker_class):
    """Do what the command line says."""
    told = os.dup(1)
    os.dup2(2, 1)
    os.environ.update(command.OFFLINE)
    match sys.argv[1:]:
        case ["read", number, histories, points]:
            answer = read(tracker_class, int(number), int(histories), int(points))
        case _:
            sys.exit(__doc__)
    answer["version"] = version(tracker_class.DISTRIBUTION)
    os.write(told, json.dumps(answer).encode() + b"\n")
