"""A process that is forked off while a thread opens a room of a store opens it too."""

import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import os, signal, sys, threading

import mlkit
import mlkit.data.datasets
import mlkit.models.registry
from mlkit.store import rooms

store = mlkit.Store(sys.argv[1])
begun, forked = threading.Event(), threading.Event()
user = rooms.user


def slow():
    begun.set()
    forked.wait(timeout=60)
    return user()


rooms.user = slow
thread = threading.Thread(target=lambda: getattr(store, sys.argv[2]))
thread.start()
begun.wait(timeout=60)
rooms.user = user
child = os.fork()
if not child:
    signal.alarm(20)
    getattr(store, sys.argv[2])
    os._exit(0)
forked.set()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
thread.join()
"""


@pytest.mark.parametrize("room", ["datasets", "models"])
def test_a_child_opens_a_room_that_a_thread_was_opening(tmp_path: Path, room: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", _PROGRAM, str(tmp_path / "s"), room]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.stdout, done.stderr) == ("0\n", "")
