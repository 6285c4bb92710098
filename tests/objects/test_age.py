"""Objects that are there, but old, are written again, so that no garbage is made of them."""

import io
import os

import pytest

from mlkit._core.clock import now_ns
from mlkit._core.hashing import digest_bytes, hex_of
from mlkit.objects.age import GRACE, is_aging
from mlkit.objects.blobs import Blobs, object_path
from mlkit.objects.pack_writer import KnownChunk, PackWriter
from mlkit.storage.memory import MemoryStorage
from mlkit.testing import FaultyStorage

BODY = os.urandom(1000)


def later(share):
    """Give a clock by which what was written just now is so large a share of the grace old."""
    return lambda: now_ns() + int(GRACE * share)


def written(storage):
    return [path for verb, path in storage.operations if verb == "write"]


@pytest.mark.parametrize("give", [bytes, io.BytesIO], ids=["bytes", "stream"])
@pytest.mark.parametrize(("share", "again"), [(0.4, False), (0.6, True), (5, True)])
def test_a_blob_is_written_again_when_it_is_older_than_half_the_grace(storage, give, share, again):
    digest = Blobs(storage).put(BODY)
    watched = FaultyStorage(storage)
    Blobs(watched, clock=later(share)).put(give(BODY))
    assert written(watched) == [object_path("blobs", digest)] * again
    assert [verb for verb, _ in watched.operations].count("stat") == 1


def test_what_was_written_again_is_young(tmp_path):
    from mlkit.storage.local import LocalStorage

    storage = LocalStorage(tmp_path)
    path = object_path("blobs", Blobs(storage).put(BODY))
    os.utime(tmp_path / path, ns=(1, 1))
    Blobs(storage).put(BODY)
    assert not is_aging(storage.stat(path).modified, now_ns())


def test_a_pack_is_written_again_when_it_is_older_than_half_the_grace(storage, put):
    put(storage, [BODY])
    watched = FaultyStorage(storage)
    for share, count in ((0.4, 0), (0.6, 1)):
        put(watched, [BODY], clock=later(share))
        assert len(written(watched)) == count


def test_a_chunk_of_a_version_is_reused_however_old_its_pack_is(storage, put):
    [ref] = put(storage, [BODY])
    pack, digest = (bytes.fromhex(hex_of(one)) for one in (ref.pack, ref.digest))
    known = {digest: KnownChunk(pack, ref.offset, ref.size)}
    watched = FaultyStorage(storage)
    assert put(watched, [BODY], known, clock=later(100)) == [ref]
    assert written(watched) == []


def test_what_was_written_again_and_is_gone_is_known_as_lost():
    storage = MemoryStorage("lost-blobs")
    Blobs(storage).put(BODY)
    blobs = Blobs(storage, clock=later(1)).watched()
    digest = blobs.put(BODY)
    fresh = blobs.put(b"fresh")
    assert blobs.lost() == []
    for one in (digest, fresh):
        storage.delete(object_path("blobs", one))
    assert blobs.lost() == [digest]
    blobs.put(BODY)
    assert blobs.lost() == []


def test_blobs_that_are_not_watched_remember_nothing():
    storage = MemoryStorage("unwatched-blobs")
    blobs = Blobs(storage, clock=later(1))
    storage.write(object_path("blobs", digest_bytes(BODY)), BODY)
    blobs.put(BODY)
    storage.delete(object_path("blobs", digest_bytes(BODY)))
    assert blobs.lost() == []


@pytest.mark.parametrize("share", [0.1, 1])
def test_a_pack_that_was_written_again_and_is_gone_comes_back(storage, put, share):
    [ref] = put(storage, [BODY])
    path = object_path("packs", ref.pack)
    whole = storage.read(path)
    with PackWriter(storage, clock=later(share)) as again:
        again.add(BODY)
        again.finish()
        storage.delete(path)
        again.restore()
    left = [entry.path for entry in storage.list()]
    assert left == [path] * (share == 1)  # a young one is nobody's garbage, and isn't looked for
    assert all(storage.read(one) == whole for one in left)
