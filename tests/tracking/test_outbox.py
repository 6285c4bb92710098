"""Promises of the outbox: what waits is sent once, in an order that no reader trips over."""

import errno
import fcntl
import os
import threading
import time

import pytest

from mlkit.errors import Corrupt, StorageFault
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.protocol import Capabilities
from mlkit.storage.wrapped import WrappedStorage
from mlkit.store.store import Store
from mlkit.testing import Fault, FaultyStorage
from mlkit.tracking.outbox import Outbox, require_store

RUN = "runs/a"
DAY = 24 * 3600


class Watched(WrappedStorage):
    """Notes what is stored, and calls back before it is."""

    def __init__(self, inner, before=lambda path, data: None):
        super().__init__(inner)
        self.stored = []
        self.before = before

    def write(self, path, data, *, durable=False):
        self.before(path, data)
        super().write(path, data, durable=durable)
        self.stored.append(path)

    def create(self, path, data, *, durable=True):
        self.before(path, data)
        super().create(path, data, durable=durable)
        self.stored.append(path)


@pytest.fixture
def memory(tmp_path):
    storage = MemoryStorage(str(tmp_path))
    storage.write("mlkit.json", b"{}")
    return storage


@pytest.fixture
def watched(memory):
    return Watched(memory)


@pytest.fixture
def outbox(watched, tmp_path):
    return Outbox(watched, tmp_path / "outbox")


def _put(outbox, *paths):
    for path in paths:
        outbox.put(path, path.encode())


# The order


@pytest.mark.parametrize("writer", ["0", "blobs", "end", "end.json", "run", "zz"])
def test_contents_go_before_records_and_an_end_goes_last_whatever_a_writer_is_called(
    outbox, watched, writer
):
    segment = f"{RUN}/{writer}-1.seg"
    _put(outbox, f"{RUN}/end.json", f"{RUN}/run.json", segment, "blobs/ff/ff", "blobs/00/00")
    assert outbox.send() == 5
    expected = ["blobs/00/00", "blobs/ff/ff", segment, f"{RUN}/run.json", f"{RUN}/end.json"]
    assert watched.stored == expected


def test_no_run_ends_before_the_records_of_all_are_there(outbox, watched):
    _put(outbox, "runs/a/end.json", "runs/a/run.json", "runs/b/x-1.seg", "runs/b/end.json")
    outbox.send()
    assert watched.stored == [
        "runs/b/x-1.seg",
        "runs/a/run.json",
        "runs/a/end.json",
        "runs/b/end.json",
    ]


def test_several_ends_go_in_the_order_of_their_numbers(outbox, watched):
    ends = [f"{RUN}/end.json", f"{RUN}/end-2.json", f"{RUN}/end-10.json"]
    _put(outbox, *reversed(ends))
    outbox.send()
    assert watched.stored == ends


# Clashes


def test_a_document_that_clashes_stays_and_blocks_nothing_behind_it(outbox, watched, memory):
    memory.create("runs/a/run.json", b"another head")
    _put(outbox, "runs/a/run.json", "runs/a/end.json", "runs/b/run.json", "runs/b/end.json")
    with pytest.raises(Corrupt, match=r"runs/a/run\.json in the store isn't the one that waits"):
        outbox.send()
    assert outbox.waiting() == ["runs/a/run.json"]
    assert watched.stored == ["runs/b/run.json", "runs/a/end.json", "runs/b/end.json"]
    assert memory.read("runs/a/run.json") == b"another head"


def test_an_end_whose_number_is_taken_takes_the_next(outbox, memory):
    memory.create(f"{RUN}/end.json", b"another owner's")
    memory.create(f"{RUN}/end-2.json", b"a third one's")
    _put(outbox, f"{RUN}/end.json")
    assert outbox.send() == 1
    assert memory.read(f"{RUN}/end-3.json") == f"{RUN}/end.json".encode()
    assert memory.read(f"{RUN}/end.json") == b"another owner's"
    assert outbox.waiting() == []


def test_an_end_that_is_there_already_takes_no_other_number(outbox, memory):
    memory.create(f"{RUN}/end.json", b"another owner's")
    memory.create(f"{RUN}/end-2.json", f"{RUN}/end.json".encode())
    _put(outbox, f"{RUN}/end.json")
    assert outbox.send() == 1
    assert [entry.path for entry in memory.list(RUN)] == [f"{RUN}/end-2.json", f"{RUN}/end.json"]


# Contents


def test_content_that_the_store_has_in_full_length_is_not_sent_again(outbox, watched, memory):
    memory.write("blobs/aa/aa", b"blobs/aa/aa")
    memory.write("blobs/bb/bb", b"cut")
    _put(outbox, "blobs/aa/aa", "blobs/bb/bb")
    assert outbox.send() == 2
    assert watched.stored == ["blobs/bb/bb"]
    assert memory.read("blobs/bb/bb") == b"blobs/bb/bb"
    assert outbox.waiting() == []


@pytest.mark.parametrize("path", ["blobs/aa/aa", f"{RUN}/x-1.seg", f"{RUN}/end.json"])
def test_a_reply_that_is_lost_costs_a_second_sending_and_doubles_nothing(memory, tmp_path, path):
    number = 4 if path.startswith("blobs") else 3
    outbox = Outbox(FaultyStorage(memory, Fault(number - 1, "after")), tmp_path / "outbox")
    _put(outbox, path)
    with pytest.raises(StorageFault):
        outbox.send()
    assert outbox.waiting() == [path]
    assert outbox.send() == 1
    assert memory.read(path) == path.encode()
    assert len(list(memory.list())) == 2


def test_progress_is_told_of_bytes_and_of_arrivals(outbox):
    told = []
    outbox.put("blobs/aa/aa", b"x" * 10)
    outbox.put(f"{RUN}/run.json", b"{}")
    outbox.send(progress=told.append)
    assert sum(told) == 10
    assert told.count(0) >= 2


# Several processes


def test_a_file_that_a_living_process_appends_to_is_left_alone(outbox, watched):
    file = outbox.open_append(f"{RUN}/x-1.seg")
    _put(outbox, f"{RUN}/run.json", f"{RUN}/end.json")
    assert outbox.being_written(f"{RUN}/x-1.seg")
    assert not outbox.being_written(f"{RUN}/run.json")
    assert not outbox.being_written("nothing")
    looked = outbox.look_through()
    assert (looked.sent, looked.whole) == (2, True)
    assert watched.stored == [f"{RUN}/run.json", f"{RUN}/end.json"]
    file.close()
    assert not outbox.being_written(f"{RUN}/x-1.seg")
    assert outbox.send() == 1


@pytest.mark.parametrize(
    ("slow", "sent"),
    [
        ("runs/a/x-1.seg", ["runs/b/x-1.seg", "runs/b/run.json", "runs/b/end.json"]),
        ("blobs/aa/aa", []),  # records of any run may refer to it
    ],
)
def test_what_comes_after_a_file_that_another_process_is_sending_waits(
    memory, watched, outbox, tmp_path, slow, sent
):
    began, go_on = threading.Event(), threading.Event()

    def before(path, _data):
        if path == slow:
            began.set()
            assert go_on.wait(30)

    other = Outbox(Watched(memory, before), tmp_path / "outbox")
    _put(outbox, slow, *(f"runs/{run}/{name}" for run in "ab" for name in ("run.json", "end.json")))
    if slow.startswith("runs"):
        _put(outbox, "runs/b/x-1.seg")
    sender = threading.Thread(target=other.send)
    sender.start()
    assert began.wait(30)
    looked = outbox.look_through()
    assert watched.stored == sent
    assert (looked.sent, looked.whole) == (len(sent), False)
    go_on.set()
    sender.join()
    assert outbox.waiting() == []
    stored = other.storage.stored
    assert stored.index(slow) < stored.index("runs/a/end.json")


def test_a_file_that_another_process_has_just_sent_is_not_sent_again(memory, outbox, watched):
    _put(outbox, f"{RUN}/x-1.seg", f"{RUN}/y-1.seg")

    def before(path, _data):
        if path == f"{RUN}/x-1.seg":  # the other process sends the second one meanwhile
            (outbox.folder / RUN / "y-1.seg").unlink()

    watched.before = before
    assert outbox.send() == 1
    assert watched.stored == [f"{RUN}/x-1.seg"]


def test_a_child_that_is_forked_while_a_file_is_sent_does_not_keep_it_locked(outbox, watched):
    kept = []

    def before(_path, data):  # as a forked child has it, whose copy is never closed
        kept.append(os.dup(data._file.fileno()))
        raise StorageFault("the network is down")

    watched.before = before
    _put(outbox, f"{RUN}/x-1.seg")
    with pytest.raises(StorageFault):
        outbox.send()
    watched.before = lambda path, data: None
    assert outbox.send() == 1
    os.close(*kept)


def test_many_senders_at_once_send_everything_and_keep_the_order(memory, tmp_path):
    folder = tmp_path / "outbox"
    runs = [f"runs/{number}" for number in range(20)]
    ended_early = []

    def before(path, _data):
        if path.endswith("end.json"):
            run = path.rpartition("/")[0]
            names = [name for name in memory.children(run) if name.endswith(".seg")]
            if len(names) < 3:
                ended_early.append(path)

    outboxes = [Outbox(Watched(memory, before), folder) for _ in range(4)]
    for run in runs:
        names = ("x-1.seg", "x-2.seg", "y-1.seg", "run.json", "end.json")
        _put(outboxes[0], *(f"{run}/{name}" for name in names))
    threads = [threading.Thread(target=outbox.send) for outbox in outboxes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outboxes[0].send()
    assert ended_early == []
    assert outboxes[0].waiting() == []
    assert len(list(memory.list("runs"))) == 100


# What is left over


def test_half_written_files_of_processes_that_died_are_swept_when_they_are_old(outbox):
    folders = [outbox.folder, outbox.folder / RUN]
    (outbox.folder / RUN).mkdir(parents=True)
    old = [folder / ".0123456789abcdef.tmp" for folder in folders]
    young = outbox.folder / ".1123456789abcdef.tmp"
    other = outbox.folder / ".kept"
    for path in (*old, young, other):
        path.write_bytes(b"x")
    for path in (*old, other):
        os.utime(path, times=(time.time() - 2 * DAY,) * 2)
    outbox.send()
    assert [path.exists() for path in (*old, young, other)] == [False, False, True, True]


def test_an_old_file_that_a_living_process_holds_is_not_swept(outbox):
    outbox.folder.mkdir()
    held = outbox.folder / ".0123456789abcdef.tmp"
    held.write_bytes(b"x")
    os.utime(held, times=(0, 0))
    with held.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        outbox.send()
        assert held.exists()
    outbox.send()
    assert not held.exists()


def test_a_file_that_cannot_get_its_name_leaves_nothing(outbox, monkeypatch):
    def full(*_args):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("pathlib.Path.rename", full)
    monkeypatch.setattr("pathlib.Path.hardlink_to", full)
    for keep in (lambda: outbox.open_append("a/b.seg"), lambda: outbox.put("a/b.json", b"x")):
        with pytest.raises(OSError, match="full"):
            keep()
    assert [path for path in outbox.folder.rglob("*") if path.is_file()] == []


# Disks and stores of an odd kind


@pytest.fixture
def no_locks(monkeypatch):
    def refuse(_file, _how):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_where_the_disk_knows_no_locks_a_run_loses_nothing(tmp_path, monkeypatch, no_locks):
    limited = Capabilities(exclusive_create=True, append=False)
    monkeypatch.setattr(MemoryStorage, "capabilities", limited)
    store = Store(f"memory://{tmp_path.name}")
    run = store.start_run("no locks")
    run.log_metric("x", 1)
    assert store.sync() >= 2  # the segment too, though it is still written to
    run.log_metric("x", 2)
    with pytest.warns(UserWarning, match="deleted while it was written"):
        run.finish()
    assert store.run(run.id).metrics("x").column("value").to_pylist() == [1.0, 2.0]
    assert list(store.run(run.id).verify()) == []
    assert store.sync() == 0


def test_a_place_without_a_store_is_sent_nothing(tmp_path):
    storage = MemoryStorage(f"{tmp_path}-empty")
    outbox = Outbox(storage, tmp_path / "outbox")
    assert outbox.send() == 0  # nothing waits, so nothing is asked
    _put(outbox, f"{RUN}/run.json")
    with pytest.raises(StorageFault, match=r"no store at .* any more.*Mount its folder again"):
        outbox.send()
    assert list(storage.list()) == []
    assert outbox.waiting() == [f"{RUN}/run.json"]


def test_a_server_that_says_why_only_in_a_body_is_asked_for_one(memory):
    class Terse(WrappedStorage):
        def stat(self, path):
            raise StorageFault("Bad Request")

        def read(self, path, start=0, end=None):
            raise StorageFault("The provided token has expired")

    with pytest.raises(StorageFault, match="has expired"):
        require_store(Terse(memory))
