"""The writer of packs: each chunk once, in few objects, the same ones for the same chunks."""

import hashlib
import os
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit._core.hashing import hex_of
from mlkit.errors import StorageFault
from mlkit.objects.blobs import object_path
from mlkit.objects.pack_writer import KnownChunk, PackWriter
from mlkit.storage.wrapped import WrappedStorage
from mlkit.testing import Fault, FaultyStorage, Kill

SEAL = 12
ROW = 36


def packs(storage):
    return {entry.path: entry.size for entry in storage.list("packs")}


def known_of(refs):
    """Give what a store knows of chunks, as lists of chunks would."""
    return {
        bytes.fromhex(hex_of(ref.digest)): KnownChunk(
            bytes.fromhex(hex_of(ref.pack)), ref.offset, ref.size
        )
        for ref in refs
    }


def threads():
    return {one.name for one in threading.enumerate() if one.name.startswith("mlkit-packs")}


def test_many_chunks_are_one_object(storage, put):
    put(storage, [os.urandom(100) for _ in range(50)])
    assert list(packs(storage).values()) == [50 * (100 + ROW) + SEAL]


def test_a_pack_is_written_when_it_is_full(storage, put):
    refs = put(storage, [os.urandom(100) for _ in range(5)], pack_size=2 * (100 + ROW))
    sizes = sorted(packs(storage).values())
    assert sizes == [100 + ROW + SEAL, *[2 * (100 + ROW) + SEAL] * 2]
    assert len({ref.pack for ref in refs}) == 3


def test_the_seal_of_many_tiny_chunks_counts_too(storage, put):
    put(storage, [number.to_bytes(2, "big") for number in range(1000)], pack_size=4000)
    assert max(packs(storage).values()) <= 4000 + 2 + ROW + SEAL


def test_a_chunk_may_be_larger_than_a_pack(storage, put, read_chunk):
    refs = put(storage, [b"a", b"b" * 1000, b"c"], pack_size=100)
    assert len({ref.pack for ref in refs}) == 2
    assert [read_chunk(storage, ref)[:1] for ref in refs] == [b"a", b"b", b"c"]


def test_chunks_lie_in_the_order_in_which_they_came(storage, put):
    refs = put(storage, [os.urandom(50) for _ in range(20)])
    assert all(two.offset == one.offset + one.size for one, two in pairwise(refs))


def test_equal_chunks_are_stored_once_also_across_packs(storage, put):
    a, b = b"a" * 100, b"b" * 100
    refs = put(storage, [a, a, b, a], pack_size=120)
    assert refs[0] == refs[1] == refs[3]
    assert sum(packs(storage).values()) == 2 * (100 + ROW + SEAL)


def test_known_chunks_are_not_stored_again(storage, put):
    refs = put(storage, [b"old"])
    assert put(storage, [b"old"], known_of(refs)) == refs
    assert len(packs(storage)) == 1


@pytest.mark.parametrize("harm", ["missing", "cut"])
def test_a_known_chunk_whose_pack_is_missing_or_cut_is_stored_again(storage, put, harm, read_chunk):
    [ref] = refs = put(storage, [b"old" * 20])
    path = object_path("packs", ref.pack)
    if harm == "missing":
        storage.delete(path)
    else:
        storage.write(path, storage.read(path)[:59])
    [again] = put(storage, [b"old" * 20], known_of(refs))
    assert read_chunk(storage, again) == b"old" * 20


@pytest.mark.parametrize("lie", [{"size": 2}, {"size": 4}, {"offset": -1}, {"offset": 10**9}])
def test_a_place_that_cannot_be_the_chunk_is_not_believed(storage, put, lie):
    refs = put(storage, [b"old"])
    known = {digest: chunk._replace(**lie) for digest, chunk in known_of(refs).items()}
    assert put(storage, [b"old"], known) == refs


def test_the_same_chunks_are_the_same_packs_and_are_not_written_twice(storage, put):
    chunks = [os.urandom(100) for _ in range(9)]
    refs = put(storage, chunks, pack_size=250)
    watched = FaultyStorage(storage)
    assert put(watched, chunks, pack_size=250) == refs
    assert {verb for verb, _ in watched.operations} == {"stat"}


def test_a_pack_that_is_there_cut_is_written_again(storage, put):
    [ref] = put(storage, [b"chunk"])
    path = object_path("packs", ref.pack)
    whole = storage.read(path)
    storage.write(path, whole[:-1])
    put(storage, [b"chunk"])
    assert storage.read(path) == whole


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(1, 200))
def test_any_chunks_come_back_whatever_the_size_of_packs(fresh, put, read_chunk, chunks, size):
    storage = fresh()
    refs = put(storage, chunks, pack_size=size)
    assert [read_chunk(storage, ref) for ref in refs] == chunks
    assert [ref.digest for ref in refs] == [
        f"sha256:{hashlib.sha256(chunk).hexdigest()}" for chunk in chunks
    ]


class TestManyPacks:
    """Of many packs their folders are listed; what is told of them is the same."""

    def test_known_chunks_in_many_packs_are_found_by_few_requests(self, storage, put):
        chunks = [b"%d" % number * 20 for number in range(400)]
        refs = put(storage, chunks, pack_size=1)
        watched = FaultyStorage(storage)
        assert put(watched, chunks, known_of(refs)) == refs
        assert len(watched.operations) <= 64 + 256
        assert {verb for verb, _ in watched.operations} == {"stat", "list"}

    def test_those_that_are_missing_are_stored_again(self, storage, put, read_chunk):
        chunks = [b"%d" % number * 20 for number in range(200)]
        refs = put(storage, chunks, pack_size=1)
        for ref in refs[::3]:
            storage.delete(object_path("packs", ref.pack))
        again = put(storage, chunks, known_of(refs))
        assert [read_chunk(storage, ref) for ref in again] == chunks


class TestFailures:
    @pytest.mark.parametrize("how", ["before", "full", "down"])
    def test_a_write_that_fails_surfaces_at_the_latest_when_the_writer_finishes(
        self, fresh, put, how
    ):
        chunks = [os.urandom(100) for _ in range(6)]
        for number in range(1, 7):
            with pytest.raises(StorageFault):
                put(FaultyStorage(fresh(), Fault(number, how)), chunks, pack_size=120)
        assert threads() == set()

    @pytest.mark.parametrize("how", ["kill before", "kill after", "down"])
    def test_a_second_try_sends_nothing_twice(self, fresh, put, how):
        chunks = [os.urandom(100) for _ in range(10)]
        clean = fresh()
        put(clean, chunks, pack_size=120)
        for number in range(1, 11):
            storage = fresh()
            with pytest.raises((Kill, StorageFault)):
                put(FaultyStorage(storage, Fault(number, how)), chunks, pack_size=120)
            before = packs(storage)
            assert before.keys() <= packs(clean).keys()
            watched = FaultyStorage(storage)
            put(watched, chunks, pack_size=120)
            assert packs(storage) == packs(clean)
            written = [path for verb, path in watched.operations if verb == "write"]
            assert sorted([*before, *written]) == sorted(packs(clean))

    def test_an_interruption_at_any_point_leaves_no_thread_and_no_broken_pack(self, fresh):
        def interrupted(storage, after):
            with PackWriter(storage, pack_size=120) as writer:
                for number in range(10):
                    if number == after:
                        raise KeyboardInterrupt
                    writer.add(b"%d" % number * 100)
                writer.finish()

        for after in range(10):
            storage = fresh()
            with pytest.raises(KeyboardInterrupt):
                interrupted(storage, after)
            assert threads() == set()
            for path in packs(storage):
                data = storage.read(path)
                count = int.from_bytes(data[-SEAL : -SEAL + 4], "little")
                seal = data[-(count * ROW + SEAL) :]
                assert hashlib.sha256(seal).hexdigest() == path.rpartition("/")[2]


class Slow(WrappedStorage):
    """A storage that finishes no write before the writer had to wait for it."""

    def __init__(self, inner, added):
        super().__init__(inner)
        self._added = added
        self._turn = threading.Condition()
        self._finished = 0
        self.most = 0

    def add(self, writer, number):
        writer.add(b"%d" % number * 100)
        with self._turn:
            self._added.append(number)
            self.most = max(self.most, len(self._added) - self._finished)
            self._turn.notify_all()

    def write(self, path, data, *, durable=False):
        with self._turn:
            enough = min(20, self._finished + 3)
            assert self._turn.wait_for(lambda: len(self._added) >= enough, timeout=60)
        super().write(path, data, durable=durable)
        with self._turn:
            self._finished += 1


def test_a_few_packs_are_in_memory_and_no_more_however_slow_the_storage_is(storage):
    slow = Slow(storage, [])
    with PackWriter(slow, pack_size=100) as writer:
        for number in range(20):
            slow.add(writer, number)
        assert len(writer.finish()) == 20
    at_once = 2 if storage.local_path("mlkit.json") else 4
    assert slow.most <= at_once + 2  # those being written, one that is full, one that is begun
