"""The budgets of tracking beside the trackers that people use, and what each loses when killed.

Each tracker runs in processes and a virtual environment of its own (`make peers` makes those) by
the small script that it has in peers/, in turns with the others. One that isn't there, or fails,
is named in the summary and left out; mlkit has to be there.
"""

import json
import os
import select
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import pytest
from attrs import frozen

SCRIPTS = Path(__file__).parent / "peers"
ENVIRONMENTS = Path(__file__).parents[2] / ".venv-peers"

ROUNDS = 3
IMPORTS = 3  # in a round
FINISHED = 300  # calls of the run that each reader has to find whole
LOGGING_SECONDS = 2
PACE = 100  # calls a second, as a training that is busy with other things
PATIENCE = 120  # seconds for a start, or an end, on a machine with much else to do


class PeerFailed(Exception):
    """A tracker's script didn't do what it was asked to."""


@frozen
class Tracker:
    """A tracker, and how much it is asked to do.

    Attributes:
        name: That of its script, and of its column.
        environment: Its folder in .venv-peers; none for mlkit, which is where we are.
        calls: How many calls are timed in a round: so many that even the fastest take longer than
            what a start does in the background, and so few that the slowest are done in seconds.
        short_runs: How many short runs are timed in a round.
        rounds: In how many rounds it takes part.
        helper: The process of its own that writes, if it has one, which could outlive the training.
    """

    name: str
    environment: str | None
    calls: int = 100_000
    short_runs: int = 30
    rounds: int = ROUNDS
    helper: str | None = None

    @property
    def installed(self):
        """Whether its environment is whole."""
        return self.environment is None or (ENVIRONMENTS / self.environment / ".made").exists()

    def command(self, *words):
        """Give the command line of its script."""
        python = sys.executable
        if self.environment is not None:
            python = ENVIRONMENTS / self.environment / "bin" / "python"
        return [str(python), str(SCRIPTS / f"{self.name}_peer.py"), *map(str, words)]

    def ask(self, folder, *words):
        """Give what its script answers, which it may think about in the folder."""
        print(f"  {self.name}: {words[0]} {words[-1]}", flush=True)
        done = subprocess.run(
            self.command(*words), cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise PeerFailed(last_line(done.stderr))
        return json.loads(done.stdout)


TRACKERS = [
    Tracker("mlkit", None),
    Tracker("trackio", "trackio"),
    Tracker("wandb", "wandb", calls=20_000, helper="wandb-core"),
    Tracker("mlflow", "mlflow", calls=300),
    Tracker("mlflow_async", "mlflow", calls=1_000, short_runs=10, rounds=1),
    Tracker("tensorboardx", "tensorboardx", calls=20_000),
]


class Contest:
    """The trackers that take part, as long as they do."""

    def __init__(self, bench, folders):
        self.bench = bench
        self.folders = folders
        self.trackers = []
        for tracker in TRACKERS:
            if tracker.installed:
                self.trackers.append(tracker)
            else:
                bench.note(f"{tracker.name}: left out, not installed; `make peers` says why")

    def in_turns(self, task, *, rounds=ROUNDS, without=()):
        """Give name to the answers of a task, which each tracker does in turn, some rounds long.

        Args:
            task: Takes a Tracker and an empty folder.
            rounds: How many there are at most.
            without: Names of trackers that don't get a turn.
        """
        answers = defaultdict(list)
        for turn in range(rounds):
            for tracker in list(self.trackers):
                if turn >= tracker.rounds or tracker.name in without:
                    continue
                try:
                    answer = task(tracker, self.folders.mktemp(tracker.name))
                except PeerFailed as failure:
                    if tracker.environment is None:
                        raise
                    self.trackers.remove(tracker)
                    answers.pop(tracker.name, None)
                    self.bench.note(f"{tracker.name}: left out, it failed: {failure}")
                else:
                    answers[tracker.name].append(answer)
        return answers


@pytest.fixture(scope="module")
def contest(bench, hermetic_root, tmp_path_factory):
    """Give the trackers that are installed."""
    print(flush=True)
    return Contest(bench, tmp_path_factory)


@pytest.fixture(scope="module")
def logged(bench, contest):
    """Give what logging costs each tracker; several figures come of it."""
    answers = contest.in_turns(lambda tracker, folder: tracker.ask(folder, "calls", tracker.calls))
    versions = ", ".join(f"{name} {several[0]['version']}" for name, several in answers.items())
    bench.note(f"side by side, each as it comes and offline: {versions}")
    return answers


def medians(answers, key):
    """Give mlkit's figure, and the others by name."""
    figures = {
        name: statistics.median(answer[key] for answer in several)
        for name, several in answers.items()
    }
    return figures.pop("mlkit"), figures


def test_a_log_call_beside_the_peers(bench, logged):
    ours, theirs = medians(logged, "p99_us")
    bench.at_most("one call of 3 scalars, p99", ours, "us", **theirs)
    ours, theirs = medians(logged, "p50_us")
    bench.at_most("one call of 3 scalars, p50", ours, "us", budget=3, **theirs)


def test_points_a_second_beside_the_peers(bench, logged):
    ours, theirs = medians(logged, "points_a_second")
    bench.at_least("points a second, finish included", ours, "points", budget=700_000, **theirs)


def test_a_short_run_beside_the_peers(bench, contest):
    answers = contest.in_turns(
        lambda tracker, folder: tracker.ask(folder, "short", tracker.short_runs)
    )
    ours, theirs = medians(answers, "ms")
    bench.at_most("a short run of 20 params and 5 metrics", ours, "ms", budget=2, **theirs)


def test_importing_beside_the_peers(bench, contest):
    answers = contest.in_turns(
        lambda tracker, folder: tracker.ask(folder, "import", IMPORTS),
        without=["mlflow_async"],  # the same import again
    )
    ours, theirs = medians(answers, "ms")
    bench.at_most("import, over bare Python", ours, "ms", budget=40, **theirs)


def test_a_finished_run_is_found_whole(contest):
    """Before anything is called lost: the readers that we wrote for the peers must find it all."""

    def task(tracker, folder):
        tracker.ask(folder, "whole", folder / "kept", FINISHED)
        found = tracker.ask(folder, "count", folder / "kept", FINISHED)["found"]
        if found != FINISHED:
            raise PeerFailed(f"{found} calls of {FINISHED} are found in a finished run")

    contest.in_turns(task, rounds=1)


@pytest.mark.parametrize("pace", [None, PACE], ids=["fast", "paced"])
def test_what_is_lost_under_sigkill(bench, contest, pace):
    def together(tracker, folder):
        return returned_and_found(tracker, folder, pace=pace)

    def alone(tracker, folder):
        return returned_and_found(tracker, folder, pace=pace, spare_helpers=True)

    unhelped = [tracker.name for tracker in contest.trackers if tracker.helper is None]
    lost = contest.in_turns(together, rounds=1)
    for name, answers in contest.in_turns(alone, rounds=1, without=unhelped).items():
        (helper,) = [tracker.helper for tracker in contest.trackers if tracker.name == name]
        lost[f"{name} but not {helper}"] = answers
    lost["mlkit"] = lost.pop("mlkit")  # last, for it may fail
    for name, [(returned, found)] in lost.items():
        bench.at_most(
            f"kill -9, {f'{pace} calls/s' if pace else 'fast'}: {name}",
            returned - found,
            "lost",
            budget=0 if name == "mlkit" else None,
            returned=returned,
            found=found,
        )


def returned_and_found(tracker, folder, *, pace, spare_helpers=False):
    """Let a tracker log for two seconds, kill it, and count.

    Returns:
        How many calls had returned, and how many of those can be read back.
    """
    kept = folder / "kept"
    words = ["endless", kept] + ([pace] if pace else [])
    print(f"  {tracker.name}: endless, {pace or 'as many as it can'} calls a second", flush=True)
    with (
        (folder / "stderr").open("w+") as said,
        subprocess.Popen(
            tracker.command(*words), cwd=folder, stdout=subprocess.PIPE, stderr=said
        ) as process,
    ):
        returned = len(read_within(process, PATIENCE))  # by now it has started
        until = time.monotonic() + LOGGING_SECONDS
        while returned and (left := until - time.monotonic()) > 0:
            returned += len(read_within(process, left))
        helpers = descendants(process.pid)
        kill([process.pid, *([] if spare_helpers else helpers)])
        returned += len(process.stdout.read())
        if process.wait() != -signal.SIGKILL or not returned:
            said.seek(0)
            raise PeerFailed(last_line(said.read()))
    wait_until_gone(helpers)
    return returned, tracker.ask(folder, "count", kept, returned)["found"]


def last_line(text):
    """Give what a script said last, which is the error."""
    return (text.strip() or "it said nothing").splitlines()[-1]


def read_within(process, seconds):
    """Give what a process has written, as soon as there is something, or nothing in time."""
    if select.select([process.stdout], [], [], seconds)[0]:
        return os.read(process.stdout.fileno(), 1 << 20)
    return b""


def kill(pids):
    """End all at the same moment: a process that sees another die could still save something."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def descendants(pid):
    """Give the processes that one has started, and those have started, whatever their group."""
    children = defaultdict(list)
    for child, parent, _ in processes():
        children[parent].append(child)
    found, new = [], children[pid]
    while new:
        found += new
        new = [grandchild for child in new for grandchild in children[child]]
    return found


def wait_until_gone(pids):
    """Wait for processes that aren't ours to have ended."""
    until = time.monotonic() + PATIENCE
    while any(pid in pids and state[0] != "Z" for pid, _, state in processes()):
        if time.monotonic() > until:
            kill(pids)
            raise PeerFailed("what it started didn't end")
        time.sleep(0.1)


def processes():
    """Give pid, parent and state of everything that runs."""
    done = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,stat="], check=True, capture_output=True, text=True
    )
    for line in done.stdout.splitlines():
        pid, parent, state = line.split()
        yield int(pid), int(parent), state
