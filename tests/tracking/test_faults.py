"""Promise: tracking never kills training; a fault is warned once, spooled, retried."""

import itertools
import subprocess
import sys
import warnings

import pytest

import mlkit
from mlkit.errors import Corrupt, StorageFault
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.protocol import Capabilities
from mlkit.store.store import Store
from mlkit.tracking.health import TrackingWarning
from mlkit.tracking.outbox import Outbox
from mlkit.tracking.pulse import Pulse


@pytest.fixture
def broken():
    """Makes the local disk fail, as a full one does, until it is told to work again."""
    with pytest.MonkeyPatch.context() as patch:

        def breaks(*verbs):
            def fail(*_args, **_kwargs):
                raise StorageFault("No space left on device")

            for verb in verbs or ("write", "create", "open_append"):
                patch.setattr(f"mlkit.storage.local.LocalStorage.{verb}", fail)
            return patch

        yield breaks


def _logged(store, *, points):
    with store.start_run("faults") as run:
        run.log_params(lr=0.1)
        for step in range(points):
            run.log_metric("x", step, step=step)
        run.log_text("kept", "a.txt")
    return run


def test_a_store_that_fails_from_the_start_costs_one_warning_and_no_point(store, broken):
    patch = broken()
    with pytest.warns(TrackingWarning, match="No space left") as caught:
        run = _logged(store, points=100)
    assert len(caught) == 1
    assert run.health.faults >= 3
    assert run.health.dropped == 0
    patch.undo()
    assert store.sync() == 4  # the head, a segment, the artifact, the end
    read = store.run(run.id)
    assert read.metrics("x").num_rows == 100
    assert (read.params, read.status) == ({"lr": 0.1}, "FINISHED")
    assert read.artifact("a.txt").text() == "kept"
    assert read.health["faults"] >= 3
    assert list(read.verify()) == []
    assert store.sync() == 0


def test_a_store_that_fails_in_the_middle_loses_nothing(store, monkeypatch):
    run = store.start_run("faults")
    run.log_metric("x", 0)
    segment = run._journal._segment
    monkeypatch.setattr(segment, "_write", lambda data: 3)  # a write that the disk took in part
    with pytest.warns(TrackingWarning, match="cut short"):
        run.log_metric("x", 1)
    run.log_metric("x", 2)
    run.note("after")
    run.finish()
    assert store.run(run.id).status == "FINISHED"
    store.sync()
    assert store.run(run.id).metrics("x").column("value").to_pylist() == [0.0, 1.0, 2.0]
    assert store.run(run.id).summary == {"x": 2.0}


def test_when_nothing_takes_it_training_still_goes_on(store, broken, monkeypatch):
    patch = broken()
    monkeypatch.setattr(Outbox, "open_append", lambda *_: (_ for _ in ()).throw(OSError("full")))
    monkeypatch.setattr(Outbox, "put", lambda *_, **__: (_ for _ in ()).throw(OSError("full")))
    with pytest.warns(TrackingWarning) as caught:
        run = _logged(store, points=10)
    assert len(caught) == 1
    assert run.health.dropped >= 10
    assert run.summary == {"x": 9.0}
    patch.undo()
    assert len(store.runs) == 0


def test_after_a_fault_the_store_is_tried_again(store, broken):
    patch = broken("open_append")
    run = store.start_run("faults")
    with pytest.warns(TrackingWarning):
        run.log_metric("x", 1)
    patch.undo()
    run.flush()
    run.log_metric("x", 2)
    assert store.run(run.id).metrics("x").column("value").to_pylist() == [1.0, 2.0]
    assert run.appends
    run.finish()


def test_a_strict_store_raises(tmp_path, broken, monkeypatch):
    store = Store(tmp_path / "store", strict=True)
    run = store.start_run("strict")
    run.log_metric("x", 1)
    with monkeypatch.context() as full:
        full.setattr(run._journal._segment, "_write", lambda data: 3)
        with pytest.raises(StorageFault, match="Tracking failed"):
            run.log_metric("x", 2)
    patch = broken()
    with pytest.raises(StorageFault, match="Tracking failed"):
        run.log_text("x", "a.txt")
    with pytest.raises(StorageFault, match="Tracking failed"):
        store.start_run("strict")
    patch.undo()
    run.finish()


def test_a_strict_run_raises_when_no_segment_can_be_opened(tmp_path, broken):
    store = Store(tmp_path / "store", strict=True)
    patch = broken("open_append")
    run = store.start_run("strict")
    with pytest.raises(StorageFault, match="Tracking failed"):
        run.log_metric("x", 1)
    patch.undo()
    run.finish()


class Sent:
    """A store that can't append, as object stores can't."""

    def __init__(self, name, monkeypatch):
        limited = Capabilities(exclusive_create=True, append=False)
        monkeypatch.setattr(MemoryStorage, "capabilities", limited)
        self.url = f"memory://{name}"
        self.store = Store(self.url)


@pytest.fixture
def sent(tmp_path, monkeypatch):
    return Sent(tmp_path.name, monkeypatch)


def test_what_waits_is_sent_at_every_flush_each_record_once(sent):
    run = sent.store.start_run("sent")
    run.log_metric("x", 1)
    assert len(sent.store.runs) == 0
    run.flush()
    assert sent.store.run(run.id).metrics("x").num_rows == 1
    assert sent.store.run(run.id).status == "RUNNING"
    run.log_metric("x", 2)
    run.flush()
    run.flush()
    run.log_metric("x", 3)
    run.finish()
    read = sent.store.run(run.id)
    assert read.metrics("x").column("value").to_pylist() == [1.0, 2.0, 3.0]
    assert read.status == "FINISHED"
    assert sent.store.sync() == 0


def test_a_dead_network_leaves_everything_for_sync(sent, monkeypatch):
    run = sent.store.start_run("sent")
    run.log_metric("x", 1)

    def dead(*_args, **_kwargs):
        raise StorageFault("Network is unreachable")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryStorage, "write", dead)
        patch.setattr(MemoryStorage, "create", dead)
        with pytest.warns(TrackingWarning, match="unreachable"):
            run.finish()
        with pytest.raises(StorageFault):
            sent.store.sync()
    assert len(sent.store.runs) == 0
    assert Store(sent.url).sync() == 3
    assert sent.store.run(run.id).status == "FINISHED"
    assert sent.store.run(run.id).summary == {"x": 1.0}


def test_what_a_killed_process_left_is_sent_by_another_but_what_lives_is_left_alone(sent):
    run = sent.store.start_run("lives")
    run.log_metric("x", 1)
    assert sent.store.sync() == 1  # its head; the segment is still written to
    assert sent.store.run(run.id).summary == {}
    run._journal._segment.close()  # as the kernel does when the process dies
    assert sent.store.sync() == 1
    assert sent.store.run(run.id).summary == {"x": 1.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run._journal._segment = mlkit.tracking.journal._Unopened(run._journal)
        run.finish()


def test_sending_the_same_thing_twice_is_fine_and_another_one_is_refused(tmp_path):
    storage = MemoryStorage(tmp_path.name)
    storage.write("mlkit.json", b"{}")
    outbox = Outbox(storage, tmp_path / "outbox")
    for _ in range(2):
        outbox.put("runs/a/run.json", b"head")
        outbox.put("runs/a/w-1.seg", b"records")
        assert outbox.send() == 2
    outbox.put("runs/a/run.json", b"another head")
    with pytest.raises(Corrupt, match="isn't the one that waits"):
        outbox.send()
    assert list(outbox.waiting()) == ["runs/a/run.json"]


def test_the_pulse_beats_and_sends_when_the_time_has_come(sent, monkeypatch):
    now = [0]
    pulse = Pulse(lambda: now[0] * 10**9)
    monkeypatch.setattr(Pulse, "_run", lambda self: None)
    run = sent.store.start_run("beats")
    pulse.watch(run)
    assert pulse.runs() == [run]
    run.log_metric("x", 1)
    pulse.beat()
    assert len(sent.store.runs) == 0
    intervals = []
    for second in range(1, 3000):
        now[0] = second
        before = len(run._journal.segments)
        pulse.beat()
        if len(run._journal.segments) > before:
            intervals.append(second)
    assert intervals[0] == 5
    assert len(intervals) < 25
    assert all(b - a <= 301 for a, b in itertools.pairwise(intervals))
    run.finish()
    assert pulse.runs() == []
    pulse.beat()


def test_a_fault_of_a_strict_run_does_not_stop_the_pulse_of_the_others(tmp_path, monkeypatch):
    now = [0]
    pulse = Pulse(lambda: now[0] * 10**9)
    monkeypatch.setattr(Pulse, "_run", lambda self: None)
    strict = Store(tmp_path / "a", strict=True).start_run("strict")
    other = Store(tmp_path / "b").start_run("other")
    strict.log_metric("x", 1)
    pulse.watch(strict)
    pulse.watch(other)
    now[0] = 40
    with monkeypatch.context() as full:
        full.setattr(strict._journal._segment, "_write", lambda data: 3)
        pulse.beat()
    assert strict.health.faults == 1
    assert Store(tmp_path / "b").run(other.id)._state.newest > 0
    strict.finish()
    other.finish()


def test_the_pulse_of_a_store_that_appends_writes_heartbeats(store, monkeypatch):
    now = [0]
    pulse = Pulse(lambda: now[0] * 10**9)
    monkeypatch.setattr(Pulse, "_run", lambda self: None)
    run = store.start_run("beats")
    pulse.watch(run)
    for now[0] in range(100):
        pulse.beat()
    names = [
        record.name
        for name in store.run(run.id)._segments
        for record in store.run(run.id)._records(name)
    ]
    assert names.count("heartbeat") == 3
    run.finish()
    run.heartbeat()


def test_a_fault_that_cannot_be_said_costs_no_record(tmp_path):
    program = """
import sys, warnings
import mlkit
from mlkit.errors import StorageFault
from mlkit.storage.local import LocalStorage
store = mlkit.Store(sys.argv[1])
def full(*_args, **_options):
    raise StorageFault("No space left on device")
open_append, LocalStorage.open_append = LocalStorage.open_append, full
sys.stderr.close()
run = store.start_run("daemon")
for number in range(3):
    run.log_metric("x", number)
LocalStorage.open_append = open_append
run.finish()
print(run.health.faults, store.run(run.id).metrics("x").num_rows)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "s"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1 3\n"


@pytest.mark.parametrize("broken_from", ["the start", "the middle"])
def test_a_warning_that_the_program_wants_raised_costs_no_record(store, monkeypatch, broken_from):
    run = store.start_run("warned")
    with monkeypatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("error")
        if broken_from == "the middle":
            run.log_metric("x", 0)
            patch.setattr(run._journal._segment, "_write", lambda data: 3)
        else:
            patch.setattr(
                "mlkit.storage.local.LocalStorage.open_append",
                lambda *_: (_ for _ in ()).throw(StorageFault("No space left on device")),
            )
        with pytest.raises(TrackingWarning):
            run.log_metric("x", 1)
        run.log_metric("x", 2)
    run.finish()
    values = store.run(run.id).metrics("x").column("value").to_pylist()
    assert values[-2:] == [1.0, 2.0]
