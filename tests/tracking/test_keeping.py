"""Promise: what was kept is in the store, or waits on this disk, whatever happens to the file."""

import os
import resource
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlkit._core.hashing import digest_bytes
from mlkit.errors import InvalidInput, NotFound, StorageFault
from mlkit.objects.blobs import Blobs, object_path
from mlkit.storage.local import LocalStorage
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.paths import STORE_DOCUMENT
from mlkit.storage.protocol import Capabilities
from mlkit.storage.wrapped import WrappedStorage
from mlkit.testing import Fault, FaultyStorage
from mlkit.tracking import keeping
from mlkit.tracking.health import Health, TrackingWarning
from mlkit.tracking.keeping import Keeper
from mlkit.tracking.outbox import Outbox

LARGE = os.urandom(5 << 20)  # more than one piece
SMALL = b"a few bytes"


class Desk:
    """A keeper, and all that it was handed."""

    def __init__(self, storage, folder, *, strict=False):
        self.storage = storage
        self.blobs = Blobs(storage)
        self.outbox = Outbox(storage, folder)
        self.health = Health(strict=strict)
        self.keeper = Keeper(
            blobs=self.blobs,
            outbox=self.outbox,
            health=self.health,
            appends=storage.capabilities.append,
        )

    def leftovers(self):
        """The files in the outbox that nobody would send."""
        files = [path for path in self.outbox.folder.rglob("*") if path.is_file()]
        return [path for path in files if path.name.startswith(".")]


@pytest.fixture
def memory(tmp_path):
    storage = MemoryStorage(str(tmp_path))
    storage.write(STORE_DOCUMENT, b"{}")
    return storage


@pytest.fixture
def local(tmp_path):
    """A desk of a store that appends."""
    storage = LocalStorage(tmp_path / "store")
    storage.write(STORE_DOCUMENT, b"{}")
    return Desk(FaultyStorage(storage), tmp_path / "outbox")


@pytest.fixture
def remote(tmp_path, memory):
    """A desk of a store that can't append."""
    return Desk(
        FaultyStorage(memory, capabilities=Capabilities(exclusive_create=True, append=False)),
        tmp_path / "outbox",
    )


@pytest.fixture(params=["local", "remote"])
def either(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def place(tmp_path):
    """Writes a file."""

    def write(data):
        (tmp_path / "file").write_bytes(data)
        return tmp_path / "file"

    return write


@pytest.fixture
def fill():
    """Lets this process write no file of more than 1 MiB, from when it is called."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


each_body = pytest.mark.parametrize("body", [SMALL, LARGE, b""], ids=["small", "large", "empty"])
each_kind = pytest.mark.parametrize("as_file", [False, True], ids=["bytes", "file"])


@each_body
@each_kind
def test_a_store_that_appends_has_it_at_once(local, place, body, as_file):
    kept = local.keeper.keep(place(body) if as_file else body)
    assert kept == (digest_bytes(body), len(body))
    assert local.blobs.read(kept[0]) == body
    assert not local.outbox.folder.exists()
    assert local.keeper.keep(body) == kept


@each_body
@each_kind
def test_for_another_store_it_waits_and_the_file_may_go(remote, place, body, as_file):
    digest, size = remote.keeper.keep(place(body) if as_file else body)
    assert (digest, size) == (digest_bytes(body), len(body))
    assert remote.storage.operations == []
    place(b"").unlink()
    assert remote.outbox.send() == 1
    assert remote.blobs.read(digest) == body
    assert remote.leftovers() == []
    assert remote.health == Health(spooled=1)


@each_kind
@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
def test_what_waits_already_is_not_copied_again(remote, place, body, as_file, monkeypatch):
    kept = remote.keeper.keep(place(body))
    monkeypatch.setattr(Keeper, "_copy", None)
    monkeypatch.setattr(Outbox, "put", None)
    assert remote.keeper.keep(place(body) if as_file else body) == kept
    assert remote.outbox.waiting() == [object_path("blobs", kept[0])]


def test_what_another_process_left_waiting_stays_as_it_is(remote, place):
    digest, _ = remote.keeper.keep(place(LARGE))
    waiting = remote.outbox.folder / object_path("blobs", digest)
    before = waiting.stat().st_ino
    other = Desk(remote.storage, remote.outbox.folder)
    assert other.keeper.keep(place(LARGE))[0] == digest
    assert waiting.stat().st_ino == before
    assert remote.leftovers() == []


def test_other_content_of_the_same_size_is_kept_too(remote, place):
    digests = [remote.keeper.keep(place(LARGE[shift:] + LARGE[:shift]))[0] for shift in range(3)]
    assert remote.outbox.send() == 3
    assert [remote.blobs.read(digest)[-1] for digest in digests] == [LARGE[-1], *LARGE[:2]]


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
def test_what_waits_cut_short_is_copied_again(remote, place, body):
    digest, _ = remote.keeper.keep(place(body))
    (remote.outbox.folder / object_path("blobs", digest)).write_bytes(body[:5])
    remote.keeper.keep(place(body))
    remote.outbox.send()
    assert remote.blobs.read(digest) == body


def test_whether_the_store_appends_is_asked_each_time(local):
    answers = iter([True, False])
    keeper = Keeper(
        blobs=local.blobs,
        outbox=local.outbox,
        health=local.health,
        appends=lambda: next(answers),
    )
    first, second = keeper.keep(b"first")[0], keeper.keep(b"second")[0]
    assert local.blobs.contains(first)
    assert local.outbox.waiting() == [object_path("blobs", second)]


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("durable", [False, True])
def test_what_is_durable_is_on_the_disk_before_it_is_vouched_for(
    either, place, body, durable, monkeypatch
):
    synced = []
    fsync = os.fsync

    def watched(file):
        synced.append(os.fstat(file).st_size)
        fsync(file)

    monkeypatch.setattr(os, "fsync", watched)
    keeper = Keeper(
        blobs=either.blobs,
        outbox=either.outbox,
        health=either.health,
        appends=either.storage.capabilities.append,
        durable=durable,
    )
    keeper.keep(place(body))
    assert (len(body) in synced) is durable


@each_kind
@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("how", ["full", "down", "read only"])
def test_what_the_store_does_not_take_waits(tmp_path, memory, place, how, body, as_file):
    desk = Desk(FaultyStorage(memory, Fault(1, how)), tmp_path / "outbox")
    desk.keeper._appends = True
    with pytest.warns(TrackingWarning, match=r"waits in .*outbox"):
        digest, _ = desk.keeper.keep(place(body) if as_file else body)
    desk.keeper.keep(b"more")  # without another warning, which would be an error
    assert (desk.health.faults, desk.health.spooled, desk.health.dropped) == (2, 2, 0)
    assert Outbox(memory, tmp_path / "outbox").send() == 2
    assert Blobs(memory).read(digest) == body


def test_a_strict_run_raises_and_keeps_nothing_elsewhere(tmp_path, memory, place):
    desk = Desk(FaultyStorage(memory, Fault(1, "down")), tmp_path / "outbox", strict=True)
    desk.keeper._appends = True
    with pytest.raises(StorageFault, match="Tracking failed"):
        desk.keeper.keep(place(SMALL))
    assert desk.outbox.waiting() == []
    desk.keeper._appends = False
    (tmp_path / "outbox").write_bytes(b"a file where a folder must be")
    with pytest.raises(StorageFault, match="Tracking failed"):
        desk.keeper.keep(place(SMALL))


@each_kind
def test_what_the_disk_does_not_take_goes_to_the_store(remote, place, fill, as_file):
    body = place(LARGE) if as_file else LARGE
    fill()
    digest, size = remote.keeper.keep(body)
    assert remote.blobs.read(digest) == LARGE
    assert size == len(LARGE)
    assert remote.health == Health()
    assert remote.outbox.waiting() == remote.leftovers() == []


@each_kind
@pytest.mark.parametrize("appends", [True, False])
def test_what_nothing_takes_is_counted_and_told_once(tmp_path, memory, place, appends, as_file):
    (tmp_path / "outbox").write_bytes(b"a file where a folder must be")
    desk = Desk(FaultyStorage(memory, Fault(1, "down")), tmp_path / "outbox")
    desk.keeper._appends = appends
    with pytest.warns(TrackingWarning, match=r"it is lost, since .*outbox"):
        assert desk.keeper.keep(SMALL) == (digest_bytes(SMALL), len(SMALL))
    kept = desk.keeper.keep(place(LARGE) if as_file else LARGE)
    assert kept == (digest_bytes(LARGE), len(LARGE))
    assert desk.health.to_json() | {"last_fault": ""} == Health(faults=2, dropped=2).to_json()


# Files that don't stand still


def test_a_file_that_grows_is_kept_as_long_as_it_was(either, place, monkeypatch):
    file = place(LARGE)
    read = keeping._Source.read

    def and_grow(self, *size):
        with file.open("ab") as stream:
            stream.write(b"one more line\n" * 1000)
        return read(self, *size)

    monkeypatch.setattr(keeping._Source, "read", and_grow)
    digest, size = either.keeper.keep(file)
    assert (digest, size) == (digest_bytes(LARGE), len(LARGE))
    either.outbox.send()
    assert either.blobs.read(digest) == LARGE
    assert file.stat().st_size > len(LARGE)


class Meddling(WrappedStorage):
    """Changes a file right before it is copied into the store, after its digest was taken."""

    def __init__(self, inner, meddle):
        super().__init__(inner)
        self._meddle = [meddle]

    def write(self, path, data, *, durable=False):
        if self._meddle:
            self._meddle.pop()()
        super().write(path, data, durable=durable)


@pytest.mark.parametrize("now", [LARGE[::-1], LARGE[: 3 << 20], b""], ids=["other", "cut", "empty"])
def test_a_file_that_is_written_over_is_kept_as_it_was_copied(tmp_path, place, now):
    file = place(LARGE)
    storage = Meddling(LocalStorage(tmp_path / "store"), lambda: place(now))
    LocalStorage(tmp_path / "store").write(STORE_DOCUMENT, b"{}")
    desk = Desk(storage, tmp_path / "outbox")
    digest, size = desk.keeper.keep(file)
    assert (digest, size) == (digest_bytes(now), len(now))
    assert [entry.path for entry in storage.list("blobs")] == [object_path("blobs", digest)]
    assert desk.blobs.read(digest) == now
    assert desk.leftovers() == desk.outbox.waiting() == []
    assert desk.health == Health()


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="only Linux has such files")
def test_a_file_that_says_it_is_empty_is_read_to_its_end(either):
    file = Path("/proc/version")
    digest, size = either.keeper.keep(file)
    assert (digest, size) == (digest_bytes(file.read_bytes()), len(file.read_bytes()))


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="only Linux has such files")
def test_a_file_that_cannot_be_read_is_no_fault_of_the_store(either):
    with pytest.raises(InvalidInput, match="'/proc/self/mem' can't be read"):
        either.keeper.keep(Path("/proc/self/mem"))
    assert either.health == Health()
    assert either.leftovers() == []


def test_a_file_that_may_not_be_opened_is_named(either, place, monkeypatch):
    def refuse(path, _flags):
        raise PermissionError(13, "Permission denied", path)

    file = place(SMALL)
    monkeypatch.setattr(keeping.os, "open", refuse)
    with pytest.raises(InvalidInput, match="file' can't be read: Permission denied"):
        either.keeper.keep(file)


def test_a_file_that_is_gone_is_not_found(either, tmp_path):
    with pytest.raises(NotFound, match=r"no file .*gone"):
        either.keeper.keep(tmp_path / "gone")
    assert either.health == Health()


def test_a_pipe_that_took_the_place_of_a_file_does_not_block(either, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInput, match="pipe' is neither a file nor a folder"):
        either.keeper.keep(tmp_path / "pipe")


# Senders, threads and memory


def test_a_copy_that_is_being_made_is_not_sent(remote, place, monkeypatch):
    seen = []
    read = keeping._Source.read

    def and_send(self, *size):
        seen.append(remote.outbox.send())
        return read(self, *size)

    monkeypatch.setattr(keeping._Source, "read", and_send)
    digest, _ = remote.keeper.keep(place(LARGE))
    assert set(seen) == {0}
    assert remote.outbox.send() == 1
    assert remote.blobs.read(digest) == LARGE


def test_a_sender_that_removes_the_empty_folders_takes_nothing_away(remote, place, monkeypatch):
    mkdir = Path.mkdir
    times = []

    def and_remove(self, *args, **options):
        mkdir(self, *args, **options)
        times.append(self)
        if len(times) in {1, 3} and not any(self.iterdir()):
            self.rmdir()

    monkeypatch.setattr(Path, "mkdir", and_remove)
    digest, _ = remote.keeper.keep(place(LARGE))
    assert len(times) >= 4
    assert remote.outbox.waiting() == [object_path("blobs", digest)]


def test_threads_keep_the_same_content_while_it_is_sent(remote, place):
    file = place(LARGE)
    over = threading.Event()

    def send():
        while not over.is_set():
            remote.outbox.send()

    with ThreadPoolExecutor(9) as threads:
        sender = threads.submit(send)
        bodies = [SMALL, file, LARGE, file] * 6
        kept = list(threads.map(remote.keeper.keep, bodies))
        over.set()
        sender.result()
    remote.outbox.send()
    expected = [SMALL if body is SMALL else LARGE for body in bodies]
    assert [remote.blobs.read(digest) for digest, _ in kept] == expected
    assert remote.leftovers() == remote.outbox.waiting() == []
    assert remote.health.faults == remote.health.dropped == 0


def test_a_large_file_is_never_in_memory_whole(either, place):
    size = 64 << 20
    file = place(b"")
    with file.open("r+b") as stream:
        stream.truncate(size)
        stream.write(b"not all zeros")
    tracemalloc.start()
    try:
        either.keeper.keep(file)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20
