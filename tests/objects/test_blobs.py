"""Blobs: whole files under the digest of their content."""

import io
import os
import tempfile

import pytest

from mlkit._core.hashing import digest_bytes
from mlkit.errors import Corrupt, InvalidInput, NotFound, StorageFault
from mlkit.objects.blobs import Blobs, object_path
from mlkit.storage.local import LocalStorage
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.wrapped import WrappedStorage
from mlkit.testing import Fault, FaultyStorage

BODY = os.urandom(100_000)


class Pipe(io.RawIOBase):
    """A stream that can't seek."""

    def __init__(self, data):
        self._inner = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        piece = self._inner.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


class NotLocal(WrappedStorage):
    """A storage whose objects are no local files."""

    def local_path(self, path):
        return None


@pytest.fixture
def blobs(storage):
    return Blobs(storage)


def as_path(tmp_path):
    (tmp_path / "file").write_bytes(BODY)
    return tmp_path / "file"


@pytest.mark.parametrize(
    "give",
    [lambda _: BODY, as_path, lambda _: io.BytesIO(BODY), lambda _: Pipe(BODY)],
    ids=["bytes", "path", "stream", "pipe"],
)
def test_what_was_put_is_read_under_its_digest(blobs, tmp_path, give):
    digest = blobs.put(give(tmp_path))
    assert digest == digest_bytes(BODY)
    assert blobs.read(digest) == BODY
    assert blobs.size(digest) == len(BODY)


def test_a_stream_is_put_from_where_it_stands(blobs):
    stream = io.BytesIO(b"headerbody")
    stream.seek(6)
    assert blobs.read(blobs.put(stream)) == b"body"


@pytest.mark.parametrize("give", [bytes, io.BytesIO], ids=["bytes", "stream"])
def test_what_is_there_is_not_written_again(storage, give):
    Blobs(storage).put(BODY)
    watched = FaultyStorage(storage)
    Blobs(watched).put(give(BODY))
    assert [verb for verb, _ in watched.operations] == ["stat"]


def test_a_cut_blob_is_written_again(storage, blobs):
    digest = blobs.put(BODY)
    storage.write(object_path("blobs", digest), BODY[:10])
    blobs.put(BODY)
    assert blobs.read(digest) == BODY


def test_it_says_whether_a_blob_is_there(blobs):
    assert not blobs.contains(digest_bytes(b"a"))
    assert blobs.contains(blobs.put(b"a"))


@pytest.mark.parametrize("verb", ["read", "size"])
def test_a_blob_that_was_never_put_is_not_found(blobs, verb):
    with pytest.raises(NotFound):
        getattr(blobs, verb)(digest_bytes(b"never"))


def test_a_path_of_a_blob_that_was_never_put_is_not_found(blobs, tmp_path):
    with pytest.raises(NotFound):
        blobs.path(digest_bytes(b"never"), tmp_path / "cache")


def test_a_text_that_is_no_digest_never_becomes_a_path(blobs):
    with pytest.raises(Corrupt, match="is not a digest"):
        blobs.read("sha256:../../etc/passwd")


def test_a_flipped_bit_is_noticed_on_reading(storage, blobs, flip):
    digest = blobs.put(BODY)
    flip(storage, object_path("blobs", digest), 12_345)
    with pytest.raises(Corrupt, match=object_path("blobs", digest)):
        blobs.read(digest)


def test_a_flipped_bit_is_noticed_on_giving_the_path(storage, blobs, flip, tmp_path):
    digest = blobs.put(BODY)
    flip(storage, object_path("blobs", digest), 12_345)
    with pytest.raises(Corrupt, match=object_path("blobs", digest)):
        blobs.path(digest, tmp_path / "cache")
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_the_path_is_a_local_file_of_the_content(blobs, tmp_path):
    assert blobs.path(blobs.put(BODY), tmp_path / "cache").read_bytes() == BODY


def test_a_copy_in_the_cache_is_used_again(blobs, storage, tmp_path):
    digest = blobs.put(BODY)
    first = blobs.path(digest, tmp_path / "cache")
    watched = FaultyStorage(storage)
    assert Blobs(watched).path(digest, tmp_path / "cache") == first
    assert watched.operations == []


def test_a_damaged_copy_in_the_cache_is_fetched_again(blobs, storage, tmp_path):
    digest = blobs.put(BODY)
    path = blobs.path(digest, tmp_path / "cache")
    if storage.local_path(object_path("blobs", digest)) is None:
        path.write_bytes(b"damaged")
    assert blobs.path(digest, tmp_path / "cache").read_bytes() == BODY


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    blobs = Blobs(MemoryStorage("blobs-without-cache"))
    digest = blobs.put(BODY)
    (tmp_path / "cache").write_bytes(b"a file")
    with pytest.raises(StorageFault, match="cache' can't be used"):
        blobs.path(digest, tmp_path / "cache")


def test_an_open_blob_is_read_from_its_beginning(blobs):
    with blobs.open(blobs.put(BODY)) as file:
        assert file.read(10) == BODY[:10]
        file.seek(-5, os.SEEK_END)
        assert file.read() == BODY[-5:]


def test_in_a_local_store_the_open_file_is_the_blob_itself(tmp_path):
    storage = LocalStorage(tmp_path)
    digest = Blobs(storage).put(BODY)
    with Blobs(storage).open(digest) as file:
        place = storage.local_path(object_path("blobs", digest))
        assert os.fstat(file.fileno()).st_ino == place.stat().st_ino
        assert not file.writable()


@pytest.mark.parametrize("give", ["open", "write_to"])
def test_a_flipped_bit_is_noticed_before_a_file_is_given(storage, blobs, flip, give):
    digest = blobs.put(BODY)
    flip(storage, object_path("blobs", digest), 12_345)
    with pytest.raises(Corrupt, match=object_path("blobs", digest)):
        blobs.open(digest) if give == "open" else blobs.write_to(io.BytesIO(), digest)


@pytest.mark.parametrize("give", ["open", "write_to"])
def test_a_blob_that_was_never_put_cannot_be_opened(blobs, give):
    digest = digest_bytes(b"never")
    with pytest.raises(NotFound):
        blobs.open(digest) if give == "open" else blobs.write_to(io.BytesIO(), digest)


def test_a_blob_is_written_to_a_stream_whatever_its_size(blobs, monkeypatch):
    monkeypatch.setattr("mlkit.objects.blobs._PIECE", 1000)
    for size in (0, 1, 999, 1000, 1001, 5000):
        copy = io.BytesIO()
        blobs.write_to(copy, blobs.put(BODY[:size]))
        assert copy.getvalue() == BODY[:size]


def test_a_local_blob_that_cannot_be_read_is_a_fault_of_the_storage(tmp_path, monkeypatch):
    blobs = Blobs(LocalStorage(tmp_path))
    digest = blobs.put(BODY)

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("mlkit.objects.blobs.digest_stream", fail)
    with pytest.raises(StorageFault, match="Input/output error"):
        blobs.open(digest)


def test_a_temporary_folder_that_cannot_hold_the_copy_is_named(tmp_path, monkeypatch):
    blobs = Blobs(MemoryStorage("blobs-without-room"))
    digest = blobs.put(BODY)
    monkeypatch.setattr("mlkit.objects.blobs._IN_MEMORY", 10)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(StorageFault, match=r"missing' can't be used: .*TMPDIR"):
        blobs.open(digest)


def test_a_fault_of_the_storage_while_a_copy_is_made_is_told_as_one(storage):
    digest = Blobs(storage).put(BODY)
    with pytest.raises(StorageFault, match="Ordered fault"):
        Blobs(FaultyStorage(NotLocal(storage), Fault(2, "before"))).open(digest)


def test_a_file_that_changes_while_it_is_put_leaves_nothing(storage, blobs, monkeypatch):
    class Restless(io.BytesIO):
        """Gives other bytes the second time."""

        def seek(self, offset, whence=0):
            self.getbuffer()[0:1] = b"!"
            return super().seek(offset, whence)

    with pytest.raises(InvalidInput, match="changed while it was stored"):
        blobs.put(Restless(BODY))
    assert list(storage.list()) == []
