import os
import subprocess
import sys

import pytest

from mlkit.tracking import liveness
from mlkit.tracking.liveness import identity, is_lost

SECOND = 1_000_000_000


def lost(owner, *, age, appends=True):
    return is_lost(owner, newest=0, appends=appends, now=age * SECOND)


def test_a_living_process_of_this_machine_is_never_lost():
    assert not lost(identity(), age=10**6)


def test_a_dead_process_of_this_machine_is_lost_at_once():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = identity() | {"pid": process.pid}
    owner["process_start"] = liveness._start_of(process.pid)
    assert not lost(owner, age=0)
    process.communicate()
    assert lost(owner, age=0)


def test_a_process_that_took_the_number_of_a_dead_one_is_another():
    assert lost(identity() | {"process_start": "1"}, age=0)


@pytest.mark.parametrize(
    ("appends", "age", "is_it"),
    [(True, 60, False), (True, 200, True), (False, 600, False), (False, 2000, True)],
)
def test_elsewhere_the_age_of_the_newest_record_tells(appends, age, is_it):
    assert lost({"host": "elsewhere", "pid": 1}, age=age, appends=appends) == is_it


def test_without_proc_the_age_tells_here_too(monkeypatch):
    owner = identity() | {"process_start": ""}
    assert not lost(owner, age=10)
    assert lost(owner, age=1000)
    monkeypatch.setattr(liveness.Path, "read_text", lambda self: (_ for _ in ()).throw(OSError))
    assert liveness._start_of(os.getpid()) == ""
    liveness._host.cache_clear()
    assert liveness._host()
    liveness._host.cache_clear()
