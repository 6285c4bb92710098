"""Promises about what a run costs, and about calls that survive a power cut."""

import os
import threading
from pathlib import Path

import pytest

from mlkit.storage.local import LocalStorage
from mlkit.storage.protocol import Capabilities
from mlkit.store.store import Store
from mlkit.tracking import journal, overhead
from mlkit.tracking.overhead import Overhead


@pytest.fixture
def ticking(monkeypatch):
    """A clock that goes on by a millisecond at each look, so that overhead can be counted."""
    now = [0]

    def tick():
        now[0] += 1_000_000
        return now[0]

    monkeypatch.setattr(overhead, "perf_counter_ns", tick)
    monkeypatch.setattr(journal, "perf_counter_ns", tick)


def test_every_call_adds_its_time(store, ticking):
    run = store.start_run("costs")
    started = run.overhead
    assert started > 0
    costs = []
    for call in (
        lambda: run.log_metric("x", 1),
        lambda: run.log_params(lr=0.1),
        lambda: run.log_text("x", "x.txt"),
        lambda: run.log_dataset("d", {"a": [1]}),
        run.flush,
    ):
        before = run.overhead
        call()
        costs.append(run.overhead - before)
    assert all(cost >= 0.001 for cost in costs)
    run.finish()
    read = store.run(run.id)
    assert read.overhead >= started + sum(costs)
    assert run.overhead >= read.overhead


def test_a_run_that_lives_has_no_overhead_to_tell_yet(store):
    run = store.start_run("lives")
    assert store.run(run.id).overhead is None
    run.finish()


def test_calls_within_calls_are_counted_once(ticking):
    counted = Overhead()
    with counted, counted, counted:
        pass
    assert counted.nanoseconds == 1_000_000


def test_each_thread_counts_its_own_waiting(ticking):
    counted = Overhead()
    inside, go_on = threading.Event(), threading.Event()

    def work():
        with counted:
            inside.set()
            go_on.wait()

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait()
    with counted:
        pass
    go_on.set()
    thread.join()
    assert counted.nanoseconds == 1_000_000 + 3_000_000


@pytest.fixture
def synced(monkeypatch):
    """The files and folders that were synced, in order."""
    seen = []
    sync = os.fsync

    def fsync(descriptor):
        seen.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return seen


def test_a_durable_run_is_on_the_disk_at_every_return(store, tmp_path, synced):
    run = store.start_run("durable", durable=True)
    folder = tmp_path / "store" / "runs" / run.id
    assert str(folder) in synced  # its document has a name that lasts
    for log in (
        lambda: run.log_metric("x", 1),
        lambda: run.log_metrics({"x": 1, "y": 2}, step=4),
        lambda: run.log_params(lr=0.1),
        lambda: run.note("x"),
    ):
        synced.clear()
        log()
        assert synced[-1].endswith(".seg")
    synced.clear()
    run.log_text("kept", "a.txt")
    assert any("/blobs/" in path or "/.tmp/" in path for path in synced)
    assert synced[-1].endswith(".seg")
    synced.clear()
    run.finish()
    assert str(folder) in synced
    assert store.run(run.id).summary == {"x": 1.0, "y": 2.0}


def test_other_runs_sync_nothing(store, synced):
    with store.start_run("quick") as run:
        run.log_metric("x", 1)
        run.log_text("kept", "a.txt")
    assert synced == []


def test_a_durable_run_of_a_store_that_cannot_append_syncs_its_outbox(
    tmp_path, synced, monkeypatch
):
    limited = Capabilities(exclusive_create=True, append=False)
    monkeypatch.setattr(LocalStorage, "capabilities", limited)
    store = Store(tmp_path / "store")
    run = store.start_run("durable", durable=True)
    assert any(path.endswith(".tmp") for path in synced)
    assert synced[-3].endswith(run.id)  # its document has a name that lasts
    synced.clear()
    run.log_metric("x", 1)
    assert synced[-1].endswith(".seg")
    assert os.environ["MLKIT_SPOOL"] in synced[-1]
    run.finish()
    assert store.run(run.id).summary == {"x": 1.0}


def test_a_durable_run_in_memory_has_nothing_to_sync(synced):
    with Store("memory://durable").start_run("durable", durable=True) as run:
        run.log_metric("x", 1)
    assert synced == []
