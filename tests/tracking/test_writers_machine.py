"""Promises about several writers of several runs: what is read is what a model in memory says."""

import tempfile
import threading
import time
from itertools import count

import pytest
from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mlkit import new_run_id
from mlkit._core.codec import decode_document
from mlkit.errors import AlreadyExists, NotFound, RunFinished, StorageFault
from mlkit.metrics.writer import SegmentWriter
from mlkit.storage.local import LocalStorage
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.protocol import Capabilities
from mlkit.storage.wrapped import LimitedStorage
from mlkit.store.root import open_root
from mlkit.store.store import Store
from mlkit.tracking.context import set_current
from mlkit.tracking.health import TrackingWarning
from mlkit.tracking.outbox import Outbox
from mlkit.tracking.state import RunState

NO_APPEND = Capabilities(exclusive_create=True, append=False)


@define(eq=False)
class ModelRun:
    """What a run must be."""

    head: dict
    tags: dict
    params: list = field(factory=list)
    points: dict = field(factory=dict)
    notes: list = field(factory=list)
    artifacts: dict = field(factory=dict)
    error: str = ""
    ends: list = field(factory=list)
    resumer: str = ""

    @property
    def id(self):
        return self.head["id"]

    @property
    def status(self):
        """How the run ended, as its newest owner says; another may have ended it as well."""
        said = [status for writer, status in self.ends if self.resumer in ("", writer)]
        return said[-1] if said else "RUNNING"

    @property
    def summary(self):
        return {
            key: points[-1][1]
            for key, points in self.points.items()
            if not key.startswith("system/")
        }


@define(eq=False)
class ModelWriter:
    """A hold on a run, with what it counts by itself."""

    run: ModelRun
    active: object
    owns: bool
    counters: dict = field(factory=dict)
    summary: dict = field(factory=dict)

    def next_step(self, key):
        return next(self.counters.setdefault(key, count()))


KEYS = ["a", "b", "loss", "system/load"]
choice = st.integers(0, 1_000)
numbers = st.floats(allow_nan=False, width=32)
steps = st.none() | st.integers(-5, 50) | st.floats(-5, 50)
words = st.text("abc é", max_size=4)
names = st.sampled_from(["x", "y", "z"])
params = st.none() | st.booleans() | st.integers() | numbers | words | st.lists(numbers, max_size=2)
tags = st.dictionaries(names, words, max_size=2)
statuses = st.sampled_from(["FINISHED", "FAILED", "KILLED"])


def some_writer(machine):
    return bool(machine.living)


def some_run(machine):
    return bool(machine.known)


class Writers(RuleBasedStateMachine):
    """Several writers, by two stores of one folder that appends."""

    folder = None

    @initialize()
    def open(self):
        place = tempfile.mkdtemp(dir=self.folder)
        self.make(place)
        self.stores = [Store(place), Store(place)]
        self.known = []
        self.living = []
        self.dead = []

    def make(self, place):
        """Make the store, where it needs more than a place."""

    def arrive(self):
        """Have what was logged so far arrive in the store."""

    def writer(self, number):
        return self.living[number % len(self.living)]

    def run(self, number):
        return self.known[number % len(self.known)]

    # Beginnings and ends

    @rule(at=choice, tags=tags, mode=st.sampled_from([None, "allow", "never"]))
    def start(self, at, tags, mode):
        run_id = new_run_id() if mode else None
        active = self.stores[at % 2].start_run("e", tags=tags, run_id=run_id, resume=mode)
        set_current(None)
        self.known.append(ModelRun(active._earlier.head, dict(tags)))
        self.living.append(ModelWriter(self.known[-1], active, owns=True))

    @rule(at=choice)
    def resume_what_is_not_there(self, at):
        with pytest.raises(NotFound):
            self.stores[at % 2].start_run("e", run_id=new_run_id(), resume="must")

    @precondition(some_run)
    @rule(number=choice, at=choice, tags=tags, mode=st.sampled_from(["allow", "must", "id"]))
    def resume(self, number, at, tags, mode):
        run = self.run(number)
        self.arrive()
        how = {"resume": run.id} if mode == "id" else {"run_id": run.id, "resume": mode}
        active = self.stores[at % 2].start_run("e", tags=tags, **how)
        set_current(None)
        run.resumer = active._journal.writer
        run.tags.update(tags)
        counters = {key: count(int(points[-1][0]) + 1) for key, points in run.points.items()}
        self.living.append(ModelWriter(run, active, True, counters, run.summary))

    @precondition(some_run)
    @rule(number=choice, at=choice)
    def never_resume(self, number, at):
        self.arrive()
        with pytest.raises(AlreadyExists):
            self.stores[at % 2].start_run("e", run_id=self.run(number).id, resume="never")

    @precondition(some_run)
    @rule(number=choice, at=choice)
    def join(self, number, at):
        run = self.run(number)
        self.living.append(ModelWriter(run, self.stores[at % 2].runs.join(run.head), owns=False))

    @precondition(some_writer)
    @rule(number=choice, status=statuses)
    def finish(self, number, status):
        writer = self.writer(number)
        self.living.remove(writer)
        error = status if status == "FAILED" else ""
        writer.active.finish(status, error=error)
        writer.run.error = error or writer.run.error
        if writer.owns:
            writer.run.ends.append((writer.active._journal.writer, status))
        writer.active.finish("KILLED")
        for late in (
            lambda: writer.active.log_metric("late", 1),
            lambda: writer.active.note("late"),
        ):
            with pytest.raises(RunFinished):
                late()

    @precondition(some_writer)
    @rule(number=choice)
    def crash(self, number):
        """What the kernel does when a process dies: its files are closed, and nothing else."""
        writer = self.writer(number)
        self.living.remove(writer)
        segment = writer.active._journal._segment
        if isinstance(segment, SegmentWriter):
            segment.file.close()
        writer.active._journal.close = lambda: None
        writer.active._status = "dead"
        writer.active._over.set()

    # What is logged

    @precondition(some_writer)
    @rule(
        number=choice,
        values=st.dictionaries(st.sampled_from(KEYS), numbers, max_size=3),
        step=steps,
    )
    def log_metrics(self, number, values, step):
        writer = self.writer(number)
        writer.active.log_metrics(values, step)
        for key, value in values.items():
            at = writer.next_step(key) if step is None else step
            writer.run.points.setdefault(key, []).append((at, value))
            if not key.startswith("system/"):
                writer.summary[key] = value
        assert writer.active.summary == writer.summary

    @precondition(some_writer)
    @rule(number=choice, values=st.dictionaries(names, params, max_size=2))
    def log_params(self, number, values):
        writer = self.writer(number)
        writer.active.log_params(values)
        writer.run.params += values.items()

    @precondition(some_writer)
    @rule(number=choice, values=tags)
    def set_tags(self, number, values):
        writer = self.writer(number)
        writer.active.set_tags(values)
        writer.run.tags.update(values)

    @precondition(some_writer)
    @rule(number=choice, text=words)
    def note(self, number, text):
        writer = self.writer(number)
        writer.active.note(text)
        writer.run.notes.append(text)

    @precondition(some_writer)
    @rule(number=choice, name=names, text=words)
    def keep(self, number, name, text):
        writer = self.writer(number)
        writer.active.log_text(text, name)
        writer.run.artifacts[name] = text

    @precondition(some_writer)
    @rule(number=choice)
    def flush(self, number):
        self.writer(number).active.flush()

    # What is read

    @precondition(some_run)
    @rule(number=choice, at=choice)
    def read(self, number, at):
        self.arrive()
        self.look(self.run(number), self.stores[at % 2])

    def look(self, model, store):
        run = store.run(model.id)
        assert run.status == model.status
        assert (run.ended_at is None) == (model.status == "RUNNING")
        assert run.params == dict(model.params)
        for name in "xyz":
            history = [entry["value"] for entry in run.recorded.param(name)]
            assert history == [value for key, value in model.params if key == name]
        assert run.tags == model.tags
        assert [note["text"] for note in run.notes] == model.notes
        assert run.summary == model.summary
        assert run.error == model.error
        kept = run.artifacts()
        assert {name: kept[name].text() for name in kept} == model.artifacts
        for key in KEYS:
            if key in model.points:
                table = run.metrics(key).to_pydict()
                found = list(zip(table["step"], table["value"], strict=True))
                assert found == model.points[key]
                assert table["time"] == sorted(table["time"])
            else:
                with pytest.raises(NotFound):
                    run.metrics(key)
        assert run.metrics().num_rows == sum(map(len, model.points.values()))
        assert list(run.verify()) == []

    def teardown(self):
        if not hasattr(self, "stores"):
            return
        while self.living:
            self.finish(0, "FINISHED")
        self.arrive()
        store = self.stores[0]
        assert sorted(run.id for run in store.runs) == sorted(run.id for run in self.known)
        for run in self.known:
            self.look(run, store)
        assert list(store.verify()) == []
        store.runs._pulse.ended()


class SendingWriters(Writers):
    """The same in a store that can't append, so that all is sent by way of the outbox."""

    def make(self, place):
        open_root(LimitedStorage(LocalStorage(place), NO_APPEND), time.time_ns)

    def arrive(self):
        for writer in self.living:
            writer.active.flush()
        self.stores[0].sync()


@pytest.fixture
def strictly_increasing_clock(monkeypatch):
    """A clock that shows each microsecond once, so it is decided what was last."""
    ticks = count(time.time_ns() // 1_000 * 1_000, 1_000)
    monkeypatch.setattr("mlkit.store.rooms.now_ns", lambda: next(ticks))


@pytest.mark.parametrize(("machine", "examples"), [(Writers, 60), (SendingWriters, 25)])
def test_whoever_writes_what_is_read_is_what_was_written(
    machine, examples, tmp_path, strictly_increasing_clock
):
    here = type(machine.__name__, (machine,), {"folder": tmp_path})
    run_state_machine_as_test(
        here, settings=settings(max_examples=examples, stateful_step_count=40, deadline=None)
    )


@pytest.fixture
def outbox(tmp_path):
    storage = MemoryStorage(str(tmp_path))
    storage.write("mlkit.json", b"{}")
    return Outbox(storage, tmp_path / "outbox")


def test_what_two_owners_leave_of_a_run_while_the_store_is_away_is_all_kept(tmp_path, monkeypatch):
    open_root(LimitedStorage(LocalStorage(tmp_path), NO_APPEND), time.time_ns)
    store = Store(tmp_path)
    run_id = new_run_id()
    with monkeypatch.context() as away:
        away.setattr("mlkit.tracking.courier.TRIES", 1)
        for verb in ("create", "write"):
            away.setattr(LocalStorage, verb, lambda *_, **__: _fail())
        for number, status in enumerate(["FAILED", "FINISHED"]):
            run = store.start_run("e", run_id=run_id, tags={"first": number})
            run.log_metric("x", number)
            with pytest.warns(TrackingWarning, match="stay in"):
                run.finish(status)
    store.sync()
    read = store.run(run_id)
    assert read.tags == {"first": "0"}
    assert read.metrics("x").column("value").to_pylist() == [0.0, 1.0]
    assert read.status == "FINISHED"
    folder = tmp_path / "runs" / run_id
    ends = [decode_document((folder / name).read_bytes(), "run_end", name) for name in ENDS]
    assert [end["status"] for end in ends] == ["FAILED", "FINISHED"]


ENDS = ("end.json", "end-2.json")


def _fail():
    message = "The network is down"
    raise StorageFault(message)


def test_an_end_that_another_owner_leaves_while_one_is_sent_is_sent_too(outbox, monkeypatch):
    outbox.put("runs/a/end.json", b"first")
    create = MemoryStorage.create

    def and_meanwhile(self, path, data, **options):
        create(self, path, data, **options)
        outbox.put("runs/a/end.json", b"second")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(MemoryStorage, "create", and_meanwhile)
        outbox.look_through()
    outbox.send()
    assert outbox.storage.read("runs/a/end.json") == b"first"
    assert outbox.storage.read("runs/a/end-2.json") == b"second"
    assert outbox.waiting() == []


@pytest.mark.parametrize("links", [True, False])
def test_a_document_that_waits_is_not_replaced(outbox, monkeypatch, links):
    if not links:
        monkeypatch.setattr("pathlib.Path.hardlink_to", lambda *_: _fail())
    for data in (b"first", b"second", b"first", b"second"):
        for name in ("run.json", "end.json"):
            outbox.put(f"runs/a/{name}", data)
    waiting = {path: (outbox.folder / path).read_bytes() for path in outbox.waiting()}
    assert waiting == {
        "runs/a/run.json": b"first",
        "runs/a/end.json": b"first",
        "runs/a/end-2.json": b"second",
    }
    assert not list(outbox.folder.rglob(".*"))


@pytest.fixture
def halfway(store, monkeypatch):
    """A run, and a thread whose call has written its record and not come to its end yet.

    It comes to its end when it may, or after half a second, if others wait for it meanwhile.
    """
    apply, written, may = RunState.apply, threading.Event(), threading.Event()

    def slowly(state, record):
        if record.body.get("values") == {"lr": 1} and not written.is_set():
            written.set()
            may.wait(0.5)
        apply(state, record)

    monkeypatch.setattr(RunState, "apply", slowly)
    run = store.start_run("threads")
    thread = threading.Thread(target=run.log_params, kwargs={"lr": 1})
    thread.start()
    written.wait()

    def go_on():
        may.set()
        thread.join()

    return run, go_on


def test_the_end_says_what_the_records_say_when_threads_log_at_once(store, halfway):
    run, go_on = halfway
    run.log_params(lr=2)
    go_on()
    run.finish()
    read = store.run(run.id)
    assert [entry["value"] for entry in read.recorded.param("lr")][-1] == read.params["lr"]


def test_a_param_whose_record_is_written_while_the_run_ends_is_in_what_it_ends_with(store, halfway):
    run, go_on = halfway
    run.finish()
    go_on()
    read = store.run(run.id)
    assert [entry["value"] for entry in read.recorded.param("lr")] == [1]
    assert read.params == {"lr": 1}
