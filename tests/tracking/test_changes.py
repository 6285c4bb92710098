"""Promises about marks: an index learns of every change of a run that had ended, whoever dies."""

import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from mlkit import new_run_id
from mlkit._core.codec import decode_document
from mlkit.errors import ReadOnly, StorageFault
from mlkit.storage.local import LocalStorage
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.protocol import Capabilities
from mlkit.storage.readonly import ReadOnlyStorage
from mlkit.storage.wrapped import LimitedStorage, WrappedStorage
from mlkit.store.root import open_root
from mlkit.store.store import Store
from mlkit.tracking.changes import Changes
from mlkit.tracking.health import TrackingWarning
from mlkit.tracking.leftovers import runs_of_the_dead

NO_APPEND = Capabilities(exclusive_create=True, append=False)
MARKS = "tables/changes/"
RUN = new_run_id()
KILLED = []
HOUR = 3600 * 10**9


@pytest.fixture
def remote(tmp_path):
    """A store that can't append, as object stores can't."""
    open_root(LimitedStorage(LocalStorage(tmp_path / "remote"), NO_APPEND), time.time_ns)
    return Store(tmp_path / "remote")


@pytest.fixture(params=["appends", "sends"])
def either(request, store, remote):
    return store if request.param == "appends" else remote


@pytest.fixture
def stored(monkeypatch):
    """The paths that are written, created or opened to append, in order."""
    paths = []
    for verb in ("write", "create", "open_append"):
        real = getattr(LocalStorage, verb)

        def noting(self, path, *args, _real=real, **options):
            done = _real(self, path, *args, **options)
            paths.append(path)
            return done

        monkeypatch.setattr(LocalStorage, verb, noting)
    return paths


def marks(store):
    return Changes(store._storage).pending()


def ended(store):
    with store.start_run("flights") as run:
        run.log_metric("loss", 0.3)
    return run.id


# The protocol


def changing(storage, run_id, *, dies_after):
    """Change a run step by step, as one who is killed after some steps."""
    announced = Changes(storage).announced(run_id)
    KILLED.append(announced)  # else letting go of it would end it
    steps = (
        announced.__enter__,
        lambda: storage.write("truth", b"after"),
        lambda: announced.__exit__(None, None, None),
    )
    for step in steps[:dies_after]:
        yield step()


def folding(storage, index):
    """Fold what has changed into an index, step by step."""
    changes = Changes(storage)
    yield (listed := changes.pending())
    yield (read := storage.read("truth") if listed else None)
    yield index.update(run=read) if listed else None
    yield [changes.forget(paths) for paths in listed.values()]


@pytest.mark.parametrize("dies_after", range(4))
def test_an_index_is_right_in_the_end_however_changes_and_folds_interleave(dies_after):
    turns = range(7)
    for of_change in itertools.combinations(turns, 3):
        storage = MemoryStorage(os.urandom(8).hex())
        storage.write("truth", b"before")
        index = {"run": b"before"}
        change, fold = changing(storage, RUN, dies_after=dies_after), folding(storage, index)
        for turn in turns:
            next(change if turn in of_change else fold, None)
        list(folding(storage, index))
        assert index["run"] == storage.read("truth"), of_change
        list(folding(storage, index))
        left = Changes(storage).pending()
        assert len(left) == (0 if dies_after in (0, 3) else 1)


def test_a_mark_whose_author_died_is_forgotten_after_an_hour(store):
    now = time.time_ns()
    with Changes(store._storage).announced(RUN):
        (first,) = Changes(store._storage).pending()[RUN]
    Changes(store._storage).forget([first])
    assert first in Changes(store._storage).pending()[RUN]
    Changes(store._storage, lambda: now + 2 * HOUR).forget([first])
    assert first not in Changes(store._storage).pending()[RUN]


def test_a_mark_is_there_before_the_change_and_another_one_after_it(store):
    changes, run_id = Changes(store._storage), ended(store)
    with changes.announced(run_id):
        assert len(changes.pending()[run_id]) == 1
    first, second = changes.pending()[run_id]
    assert first != second


def test_a_change_that_fails_is_marked_all_the_same(store):
    changes, run_id = Changes(store._storage), ended(store)
    with pytest.raises(ZeroDivisionError), changes.announced(run_id):
        _ = 1 / 0
    assert len(changes.pending()[run_id]) == 2


def test_without_the_first_mark_nothing_is_changed(store):
    changes = Changes(ReadOnlyStorage(store._storage))
    changed = []
    with pytest.raises(ReadOnly), changes.announced(new_run_id()):
        changed.append(1)
    assert changed == []


def test_exactly_the_marks_that_were_listed_are_removed(store):
    changes, run_id, other = Changes(store._storage), ended(store), ended(store)
    changes.mark(run_id)
    changes.mark(other)
    listed = changes.pending()
    assert set(listed) == {run_id, other}
    changes.mark(run_id)
    for paths in listed.values():
        changes.forget(paths)
    assert {run: len(paths) for run, paths in changes.pending().items()} == {run_id: 1}


def test_what_is_pending_is_asked_for_by_one_listing(store):
    class Counted(WrappedStorage):
        calls = 0

        def children(self, prefix=""):
            Counted.calls += 1
            return super().children(prefix)

        def read(self, path, start=0, end=None):
            raise AssertionError(path)

    changes = Changes(Counted(store._storage))
    for _ in range(3):
        changes.mark(new_run_id())
    assert len(changes.pending()) == 3
    assert Counted.calls == 1


def test_other_names_among_the_marks_are_left_alone(store):
    for name in ("notes.txt", f"{new_run_id()}", f".tmp.{new_run_id()}", f"{new_run_id()}.x/deep"):
        store._storage.write(f"{MARKS}{name}", b"?")
    assert marks(store) == {}


def test_a_mark_is_a_document_that_proves_itself(store):
    run_id = ended(store)
    Changes(store._storage).mark(run_id)
    ((path,),) = marks(store).values()
    assert decode_document(store._storage.read(path), "run_change", path)["run"] == run_id


# Who puts marks


def test_a_run_that_starts_and_ends_puts_none(either, stored):
    with either.start_run("flights") as run:
        run.log_metric("loss", 0.3)
        run.log_text("text", "a.txt")
    assert marks(either) == {}
    assert [path for path in stored if path.startswith("tables")] == []


def test_a_run_that_is_resumed_puts_one_before_and_one_after_it(either, stored):
    run_id = ended(either)
    stored.clear()
    with either.start_run("flights", resume=run_id) as run:
        run.log_metric("loss", 0.2)
    told = [path.startswith(MARKS) for path in stored]
    assert (told[0], told[-1], sum(told)) == (True, True, 2)
    assert len(marks(either)[run_id]) == 2
    assert either._outbox.waiting() == []


def test_a_process_that_joins_a_run_puts_one_at_its_first_record_and_one_at_its_end(either, stored):
    run = either.start_run("members")
    run.log_metric("x", 1)
    member = either.runs.join(run._earlier.head)
    assert marks(either) == {}
    stored.clear()
    member.log_metric("x", 2)
    member.log_metric("x", 3)
    member.finish()
    told = [path.startswith(MARKS) for path in stored]
    assert (told[0], told[-1], sum(told)) == (True, True, 2)
    run.finish()
    assert len(marks(either)[run.id]) == 2


def test_a_process_that_joins_a_run_and_logs_nothing_puts_none(either):
    run = either.start_run("members")
    either.runs.join(run._earlier.head).finish()
    run.finish()
    assert marks(either) == {}


def _log(run):
    run.log_metric("x", 1)


def test_a_worker_that_was_forked_off_puts_marks_of_its_own(store):
    with store.start_run("forks") as run:
        run.log_metric("x", 0)
        worker = multiprocessing.get_context("fork").Process(target=_log, args=(run,))
        worker.start()
        worker.join()
    assert len(marks(store)[run.id]) == 2


@pytest.mark.filterwarnings("ignore::mlkit.tracking.health.TrackingWarning")
def test_a_mark_that_the_store_doesnt_take_hurts_no_run_and_is_sent_later(store, monkeypatch):
    run_id = ended(store)
    real = LocalStorage.write

    def failing(self, path, *args, **options):
        if path.startswith(MARKS):
            raise StorageFault(path)
        return real(self, path, *args, **options)

    monkeypatch.setattr(LocalStorage, "write", failing)
    with store.start_run("flights", resume=run_id) as run:
        run.log_metric("loss", 0.2)
    assert run.health.faults > 0
    read = store.run(run_id)
    assert (read.status, read.summary) == ("FINISHED", {"loss": 0.2})
    assert marks(store) == {}
    monkeypatch.setattr(LocalStorage, "write", real)
    store.sync()
    assert len(marks(store)[run_id]) == 2


def test_a_warning_that_the_program_wants_raised_costs_a_member_no_record(store, monkeypatch):
    run = store.start_run("members")
    member = store.runs.join(run._earlier.head)

    def failing(*_args, **_options):
        raise StorageFault(MARKS)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "write", failing)
        with pytest.raises(TrackingWarning):
            member.log_metric("x", 7)
    member.finish()
    run.finish()
    assert store.run(run.id).metrics("x").column("value").to_pylist() == [7.0]


def test_a_strict_run_raises_what_a_mark_met(store, monkeypatch):
    run_id = ended(store)
    strict = Store(store.url, strict=True)

    def failing(*_args, **_options):
        raise StorageFault(MARKS)

    monkeypatch.setattr(LocalStorage, "write", failing)
    with pytest.raises(StorageFault, match="Tracking failed"):
        strict.start_run("flights", resume=run_id)


def resume_and_die(store, run_id, death):
    """Resume a run in a process that is killed before one of its writes; give how it ended."""
    pid = os.fork()
    if pid == 0:
        numbers = itertools.count()
        for verb in ("write", "create", "open_append"):
            setattr(LocalStorage, verb, deadly(getattr(LocalStorage, verb), numbers, death))
        with store.start_run("flights", resume=run_id) as run:
            run.log_metric("loss", 0.2)
            run.log_text("text", "a.txt")
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def deadly(real, numbers, death):
    """Give an operation that kills the process instead of being the one of a number."""

    def act(*args, **options):
        if next(numbers) == death:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **options)

    return act


def test_who_resumes_a_run_may_die_at_any_write_and_what_changed_is_marked(store):
    for death in itertools.count():
        run_id = ended(store)
        before = list(store._storage.list(f"runs/{run_id}"))
        status = resume_and_die(store, run_id, death)
        changed = list(store._storage.list(f"runs/{run_id}")) != before
        left = marks(store)
        assert not changed or run_id in left
        for paths in left.values():
            Changes(store._storage).forget(paths)
        if status == 0:
            break
        assert (run_id in marks(store)) is (run_id in left)  # it may be changed at any moment
    assert death >= 4  # mark, segment, end, mark
    assert run_id not in marks(store)


# What the dead have left

PROGRAM = """
import os, sys, mlkit
from mlkit.tracking.courier import Courier, Delivery
Courier.ask, Courier.deliver = (lambda _: None), (lambda *_: Delivery())
store = mlkit.Store(sys.argv[1])
for number in range(2):
    run = store.start_run("left")
    run.log_metric("x", number)
    run.log_text("text", "a.txt")
    if sys.argv[2] == "ends":
        run.finish()
os._exit(0)
"""


def leave(store, how):
    subprocess.run([sys.executable, "-c", PROGRAM, store.url, how], check=True)
    return {path.split("/")[1] for path in store._outbox.waiting("runs")}


@pytest.mark.parametrize("how", ["ends", "dies"])
def test_what_a_dead_process_has_left_is_marked_once_a_run_after_it_was_sent(remote, stored, how):
    left = leave(remote, how)
    waited = len(remote._outbox.waiting())
    stored.clear()
    assert remote.sync() == waited
    assert {run_id: len(paths) for run_id, paths in marks(remote).items()} == dict.fromkeys(left, 1)
    assert [path.startswith(MARKS) for path in stored] == [False] * waited + [True] * len(left)
    assert remote._outbox.waiting() == []
    assert remote.sync() == 0


def die_while_sending(store, death):
    """Send what waits in a process that is killed before one of its writes; give how it ended."""
    pid = os.fork()
    if pid == 0:
        numbers = itertools.count()
        for verb in ("write", "create"):
            setattr(LocalStorage, verb, deadly(getattr(LocalStorage, verb), numbers, death))
        store.sync()
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def test_a_sender_that_is_killed_at_any_write_leaves_no_change_unmarked(remote):
    for death in itertools.count():
        for paths in marks(remote).values():
            Changes(remote._storage).forget(paths)
        left = leave(remote, "ends")
        status = die_while_sending(remote, death)
        remote.sync()
        assert set(marks(remote)) == left
        assert remote._outbox.waiting() == []
        assert [run.status for run in remote.runs if run.id in left] == ["FINISHED"] * 2
        if status == 0:
            break
    assert death > 6


@pytest.mark.parametrize("name", ["w-1.seg", "run.json", "end.json"])
def test_what_doesnt_say_whose_it_is_counts_as_left(remote, name):
    run_id = new_run_id()
    remote._outbox.put(f"runs/{run_id}/{name}", b"?")
    remote.sync()
    assert len(marks(remote)[run_id]) == 1


def test_what_is_sent_while_it_is_looked_at_is_no_leftover(tmp_path):
    assert runs_of_the_dead(tmp_path, [f"runs/{new_run_id()}/w-1.seg"]) == set()


def test_what_a_living_process_has_put_there_is_sent_without_a_mark(remote):
    run = remote.start_run("alive")
    run.log_metric("x", 1)
    run._journal.roll()
    assert remote.sync() > 0
    run.finish()
    assert marks(remote) == {}


def test_a_mark_waits_for_what_another_process_is_still_sending(remote):
    import fcntl

    leave(remote, "ends")
    segment = next(path for path in remote._outbox.waiting() if path.endswith(".seg"))
    run_id = segment.split("/")[1]
    with (remote._outbox.folder / segment).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        remote._outbox.look_through()
        assert run_id not in marks(remote)
        assert any(run_id in path for path in remote._outbox.waiting(MARKS))
    remote.sync()
    assert len(marks(remote)[run_id]) == 1
