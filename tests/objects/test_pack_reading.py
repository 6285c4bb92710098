"""Reading chunks out of packs: checked, few requests, and a cache that can't do harm."""

import os
import threading

import pytest

from mlkit.errors import Corrupt, NotFound, StorageFault
from mlkit.objects.blobs import object_path
from mlkit.objects.pack_reading import BLOCK, PackReader
from mlkit.objects.pack_writer import PackWriter
from mlkit.objects.packs import PACK_SIZE, ChunkRef
from mlkit.storage.memory import MemoryStorage
from mlkit.testing import Fault, FaultyStorage


def stored(storage, chunks, pack_size=PACK_SIZE):
    """Store chunks, and give where each lies."""
    with PackWriter(storage, pack_size=pack_size) as writer:
        places = [writer.add(chunk) for chunk in chunks]
        packs = [f"sha256:{raw.hex()}" for raw in writer.finish()]
    return [
        ChunkRef(f"sha256:{place.digest.hex()}", place.size, packs[place.pack], place.offset)
        for place in places
    ]


def sizes(*numbers):
    return [os.urandom(number) for number in numbers]


@pytest.fixture
def inner(request):
    return MemoryStorage(f"pack-reading-{request.node.nodeid}")


@pytest.fixture
def far(inner, remote):
    return remote(inner)


@pytest.fixture
def reader(far, tmp_path):
    return PackReader(far, tmp_path / "cache")


def test_chunks_are_given_in_the_order_they_are_asked_for(storage, read_chunk):
    chunks = sizes(5, 100_000, 1, 3000, 2 << 20)
    refs = stored(storage, chunks, pack_size=150_000)
    assert list(PackReader(storage).stream(refs)) == chunks
    assert list(PackReader(storage).stream(refs[::-1])) == chunks[::-1]
    assert list(PackReader(storage).stream([refs[2]] * 3)) == [chunks[2]] * 3
    assert list(PackReader(storage).stream([])) == []
    assert read_chunk(storage, refs[3]) == chunks[3]


def test_neighbours_are_read_at_once(storage):
    refs = stored(storage, sizes(*[1000] * 50))
    watched = FaultyStorage(storage)
    assert len(list(PackReader(watched).stream(refs))) == 50
    assert [verb for verb, _ in watched.operations] == ["read"]


def test_a_damaged_chunk_is_never_given_and_its_neighbours_are(storage, flip, read_chunk):
    chunks = sizes(1000, 1000)
    refs = stored(storage, chunks)
    flip(storage, object_path("packs", refs[1].pack), 8 * 1500)
    assert read_chunk(storage, refs[0]) == chunks[0]
    for wanted in ([refs[1]], refs):
        with pytest.raises(Corrupt, match="doesn't match its digest"):
            list(PackReader(storage).stream(wanted))


def test_a_pack_that_is_missing_or_cut_is_said(storage, read_chunk):
    refs = stored(storage, sizes(1000, 1000))
    path = object_path("packs", refs[0].pack)
    storage.write(path, storage.read(path)[:1500])
    with pytest.raises(Corrupt):
        read_chunk(storage, refs[1])
    storage.delete(path)
    with pytest.raises(NotFound):
        read_chunk(storage, refs[0])


def test_filling_memory_puts_chunks_after_each_other(storage):
    chunks = sizes(10, 0, 3 << 20, 3 << 20, 7)
    refs = stored(storage, [chunk for chunk in chunks if chunk])
    target = bytearray(sum(map(len, chunks)))
    PackReader(storage).fill(refs, memoryview(target))
    assert target == b"".join(chunks)


def test_many_small_files_cost_few_requests_and_few_files_of_the_cache(inner, far, tmp_path):
    refs = stored(inner, sizes(*[4000] * 2000))  # 8 MB
    reader = PackReader(far, tmp_path / "cache")
    for ref in refs:
        assert len(next(reader.stream([ref]))) == 4000
    requests, taken = far.taken()
    assert requests <= 4
    assert taken <= 8_000_000 + 36 * 2000 + BLOCK
    assert len([path for path in (tmp_path / "cache").rglob("*") if path.is_file()]) <= 9


def test_what_is_cached_is_not_fetched_again_not_even_by_another_reader(inner, far, tmp_path):
    chunks = sizes(300_000, 3 << 20, 10)
    refs = stored(inner, chunks)
    assert list(PackReader(far, tmp_path / "cache").stream(refs)) == chunks
    before = far.taken()
    assert list(PackReader(far, tmp_path / "cache").stream(refs[::-1])) == chunks[::-1]
    assert far.taken() == before


def test_a_large_range_of_which_a_part_is_cached_costs_the_rest(inner, far, reader):
    chunks = sizes(*[BLOCK] * 6)
    refs = stored(inner, chunks)
    list(reader.stream(refs[2:3]))
    before = far.taken()[1]
    assert list(reader.stream(refs)) == chunks
    assert far.taken()[1] - before <= 5 * BLOCK + 36 * 6 + 12


@pytest.mark.parametrize("how", ["flipped", "cut", "empty", "swapped"])
def test_a_damaged_copy_is_dropped_and_fetched_again(inner, far, reader, tmp_path, how):
    chunks = sizes(*[200_000] * 12)
    refs = stored(inner, chunks)
    assert list(reader.stream(refs)) == chunks
    copies = sorted(path for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert len(copies) == 3
    for path in copies:
        data = bytearray(path.read_bytes())
        if how == "flipped":
            data[len(data) // 2] ^= 1
        elif how == "swapped":
            data.reverse()
        path.write_bytes(data[: {"cut": len(data) // 2, "empty": 0}.get(how, len(data))])
    assert list(reader.stream(refs)) == chunks
    assert list(reader.stream(refs)) == chunks
    before = far.taken()
    assert list(reader.stream(refs)) == chunks
    assert far.taken() == before


def test_what_is_damaged_in_the_store_stays_an_error_whatever_is_cached(inner, far, reader, flip):
    refs = stored(inner, sizes(1000))
    flip(inner, object_path("packs", refs[0].pack), 3)
    for _ in range(2):
        with pytest.raises(Corrupt):
            list(reader.stream(refs))
    flip(inner, object_path("packs", refs[0].pack), 3)
    assert len(next(reader.stream(refs))) == 1000


def test_a_cache_that_cannot_be_used_slows_and_never_breaks(inner, far, tmp_path):
    (tmp_path / "cache").write_bytes(b"a file")
    chunks = sizes(1000, 3 << 20)
    refs = stored(inner, chunks)
    reader = PackReader(far, tmp_path / "cache")
    for _ in range(2):
        assert list(reader.stream(refs)) == chunks


def test_a_cache_smaller_than_what_is_read_is_no_hindrance(inner, far, tmp_path, monkeypatch):
    monkeypatch.setenv("MLKIT_CACHE_SIZE", str(2 * BLOCK))
    chunks = sizes(*[700_000] * 20)
    refs = stored(inner, chunks)
    reader = PackReader(far, tmp_path / "cache")
    assert list(reader.stream(refs)) == chunks
    held = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert held <= 2 * BLOCK


def test_threads_that_want_the_same_fetch_it_once(inner, far, reader):
    refs = stored(inner, sizes(*[10_000] * 50))
    barrier = threading.Barrier(8)
    found = []

    def read():
        barrier.wait()
        found.append([len(next(reader.stream([ref]))) for ref in refs])

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[10_000] * 50] * 8
    assert far.taken()[0] == 1


def test_a_local_store_and_memory_use_no_cache(storage, tmp_path):
    refs = stored(storage, sizes(1000))
    assert len(next(PackReader(storage, tmp_path / "copies").stream(refs))) == 1000
    assert not (tmp_path / "copies").exists()


def test_reading_over_a_wire_is_many_requests_at_once_and_bounded(inner, remote):
    chunks = sizes(*[BLOCK] * 200)
    refs = stored(inner, chunks, pack_size=4 << 20)
    began, meet = [], threading.Barrier(8)

    class Slow(remote):
        def read(self, path, start=0, end=None):
            began.append(path)
            if len(began) <= 8:
                meet.wait()  # which none passes before eight requests are under way
            return super().read(path, start, end)

    stream = PackReader(Slow(inner)).stream(refs)
    assert next(stream) == chunks[0]
    assert 8 <= len(began) <= 17
    stream.close()
    assert len(began) <= 17


def test_a_fault_while_reading_ahead_reaches_the_reader_and_ends_the_threads(inner):
    refs = stored(inner, sizes(*[BLOCK] * 40), pack_size=4 << 20)
    before = threading.active_count()
    with pytest.raises(StorageFault):
        list(PackReader(FaultyStorage(inner, Fault(5, "before"))).stream(refs))
    assert threading.active_count() == before


def test_a_reader_who_stops_early_leaves_no_thread(inner):
    refs = stored(inner, sizes(*[BLOCK] * 40), pack_size=4 << 20)
    before = threading.active_count()
    stream = PackReader(inner).stream(refs)
    next(stream)
    stream.close()
    assert threading.active_count() == before
