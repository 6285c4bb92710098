"""Blobs: whole files under the digest of their content."""

import io
import os

import pytest

from mlkit._core.hashing import digest_bytes
from mlkit.errors import Corrupt, InvalidInput, NotFound, StorageFault
from mlkit.objects.blobs import Blobs, object_path
from mlkit.storage.memory import MemoryStorage
from mlkit.testing import FaultyStorage

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


def test_a_file_that_changes_while_it_is_put_leaves_nothing(storage, blobs, monkeypatch):
    class Restless(io.BytesIO):
        """Gives other bytes the second time."""

        def seek(self, offset, whence=0):
            self.getbuffer()[0:1] = b"!"
            return super().seek(offset, whence)

    with pytest.raises(InvalidInput, match="changed while it was stored"):
        blobs.put(Restless(BODY))
    assert list(storage.list()) == []
