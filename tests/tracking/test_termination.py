"""Promises about SIGTERM and Ctrl-C: runs end as KILLED, and the program's own handlers hold."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from mlkit.store.store import Store
from mlkit.tracking.termination import Termination

PROGRAM = """
import os, signal, sys, threading
import mlkit
store = mlkit.Store(sys.argv[1])
def wait():
    print("ready", flush=True)
    while True:
        signal.pause()
"""


def run_until(signals, body, url):
    """Run a program until it is ready, send it signals, and give how it ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM + body, url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    for number in signals:
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def the_run(url):
    (run,) = Store(url).runs
    return run


WITH = """
with store.start_run("killed") as run:
    run.log_metric("x", 1)
    wait()
"""
WITHOUT = """
run = store.start_run("killed")
run.log_metric("x", 1)
wait()
"""


@pytest.mark.parametrize("body", [WITH, WITHOUT])
def test_sigterm_ends_a_run_as_killed_and_the_process_as_it_would_have(tmp_path, body):
    code, _, _ = run_until([signal.SIGTERM], body, tmp_path / "s")
    assert code == -signal.SIGTERM
    run = the_run(tmp_path / "s")
    assert (run.status, run.summary) == ("KILLED", {"x": 1.0})
    assert "SIGTERM" in run.error
    assert list(run.verify()) == []


@pytest.mark.parametrize("body", [WITH, WITHOUT])
def test_ctrl_c_ends_a_run_as_killed(tmp_path, body):
    code, _, err = run_until([signal.SIGINT], body, tmp_path / "s")
    assert code == -signal.SIGINT
    assert "KeyboardInterrupt" in err
    assert the_run(tmp_path / "s").status == "KILLED"
    assert "KeyboardInterrupt" in the_run(tmp_path / "s").error


@pytest.mark.parametrize("body", [WITH, WITHOUT])
def test_the_programs_own_handler_is_called_and_its_exit_kept(tmp_path, body):
    own = """
def handle(number, frame):
    print("own handler", flush=True)
    sys.exit(7)
signal.signal(signal.SIGTERM, handle)
"""
    code, out, _ = run_until([signal.SIGTERM], own + body, tmp_path / "s")
    assert (code, out) == (7, "own handler\n")
    assert the_run(tmp_path / "s").status == "KILLED"


def test_a_handler_that_lets_the_program_end_itself_has_the_time_it_takes(tmp_path):
    body = """
asked = []
signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
with store.start_run("killed") as run:
    print("ready", flush=True)
    while not asked:
        signal.pause()
    run.log_metric("after", 1)
"""
    code, _, _ = run_until([signal.SIGTERM], body, tmp_path / "s")
    assert code == 0
    run = the_run(tmp_path / "s")
    assert (run.status, run.summary) == ("KILLED", {"after": 1.0})


def test_a_run_that_begins_after_the_signal_is_not_killed_by_it(tmp_path):
    body = """
asked = []
signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
with store.start_run("killed") as run:
    print("ready", flush=True)
    while not asked:
        signal.pause()
with store.start_run("later"):
    pass
"""
    run_until([signal.SIGTERM], body, tmp_path / "s")
    assert [run.status for run in Store(tmp_path / "s").runs] == ["KILLED", "FINISHED"]


def test_a_signal_that_the_program_ignores_is_ignored(tmp_path):
    body = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with store.start_run("lives") as run:
    print("ready", flush=True)
    sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM + body, tmp_path / "s"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    process.communicate("", timeout=60)
    assert process.returncode == 0
    assert the_run(tmp_path / "s").status == "FINISHED"


def test_a_signal_that_comes_while_a_run_is_ended_lets_it_end(tmp_path):
    body = """
from mlkit.storage.local import LocalStorage
create = LocalStorage.create
def slowly(self, path, data, **options):
    if path.endswith("end.json"):
        os.kill(os.getpid(), signal.SIGTERM)
    create(self, path, data, **options)
LocalStorage.create = slowly
run = store.start_run("ending")
run.log_metric("x", 1)
print("ready", flush=True)
run.finish()
signal.pause()
"""
    code, _, _ = run_until([], body, tmp_path / "s")
    assert code == -signal.SIGTERM
    run = the_run(tmp_path / "s")
    assert (run.status, run.summary) == ("FINISHED", {"x": 1.0})


def test_a_forked_child_that_is_terminated_leaves_the_run_to_its_parent(tmp_path):
    body = """
run = store.start_run("parent")
pid = os.fork()
if pid == 0:
    run.log_metric("child", 1)
    signal.pause()
    os._exit(0)
import time
while "child" not in mlkit.Store(sys.argv[1]).run(run.id).summary:
    pass
os.kill(pid, signal.SIGTERM)
print("ready", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
run.finish()
"""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + body, tmp_path / "s"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"ready {-signal.SIGTERM}\n"
    run = the_run(tmp_path / "s")
    assert (run.status, run.summary) == ("FINISHED", {"child": 1.0})


HANDLERS = """
import multiprocessing, signal, sys, mlkit
def handler(run, mine):
    run.log_metric("x", 1)
    return signal.getsignal(signal.SIGTERM) == mine
if __name__ == "__main__":
    mine = getattr(signal, sys.argv[3])
    signal.signal(signal.SIGTERM, mine)
    run = mlkit.Store(sys.argv[1]).start_run("pool")
    with multiprocessing.get_context(sys.argv[2]).Pool(2) as pool:
        print(all(pool.starmap(handler, [(run, mine)] * 8)))
    run.finish()
"""


@pytest.mark.parametrize(
    ("how", "mine"),
    [("fork", "SIG_DFL"), ("fork", "default_int_handler"), ("spawn", "SIG_DFL")],
)
def test_workers_are_ended_by_the_signal_as_if_there_were_no_run(tmp_path, how, mine):
    # With a handler in Python, a worker that waits for a lock in the kernel may never end.
    script = tmp_path / "script.py"
    script.write_text(HANDLERS)
    done = subprocess.run(
        [sys.executable, script, tmp_path / "s", how, mine],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout == "True\n"
    assert the_run(tmp_path / "s").metrics("x").num_rows == 8


@pytest.fixture
def _of_the_program():
    """A handler of the program's own."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("_of_the_program")
def test_the_signal_is_given_back_when_no_run_is_alive(store):
    before = signal.getsignal(signal.SIGTERM)
    outer, inner = store.start_run("outer"), store.start_run("inner")
    taken = signal.getsignal(signal.SIGTERM)
    assert taken != before
    inner.finish()
    assert signal.getsignal(signal.SIGTERM) == taken
    outer.finish()
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_handler_that_was_set_after_ours_stays(store):
    before = signal.getsignal(signal.SIGTERM)
    try:
        run = store.start_run("runs")
        later = lambda *_: None  # noqa: E731 - something of its own
        signal.signal(signal.SIGTERM, later)
        run.finish()
        assert signal.getsignal(signal.SIGTERM) is later
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_handler_that_calls_the_one_before_it_calls_ours_once(tmp_path):
    body = """
first = store.start_run("first")
before = signal.getsignal(signal.SIGTERM)
def chained(number, frame):
    print("chained", flush=True)
    before(number, frame)
signal.signal(signal.SIGTERM, chained)
second = store.start_run("second")
wait()
"""
    code, out, _ = run_until([signal.SIGTERM], body, tmp_path / "s")
    assert (code, out) == (-signal.SIGTERM, "chained\n")
    assert [run.status for run in Store(tmp_path / "s").runs] == ["KILLED"] * 2


def test_nothing_is_installed_off_the_main_thread(store):
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def work():
        with store.start_run("thread") as run:
            run.log_metric("x", 1)
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_strict_run_that_cannot_end_does_not_keep_the_others_from_it(monkeypatch):
    ended = []

    class Run:
        ended = owns = True

        def __init__(self, name):
            self.name = name

        def finish(self, status, *, error):
            ended.append((self.name, status))
            if self.name == "strict":
                raise OSError("no")

    died = []
    monkeypatch.setattr(os, "kill", lambda pid, number: died.append((pid, number)))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    termination = Termination(lambda: [Run("first"), Run("strict")])
    termination._handle(signal.SIGTERM, None, signal.SIG_DFL)
    assert ended == [("strict", "KILLED"), ("first", "KILLED")]
    assert died == [(os.getpid(), signal.SIGTERM)]
