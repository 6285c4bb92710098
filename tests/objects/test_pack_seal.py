"""Sealed packs and those of before: every damage is found, and no seal makes a reader work on."""

import hashlib
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.objects.pack_seal import END, MAGIC, ROW, seal, seal_size, sealed_chunks
from mlkit.objects.proof import proof_of
from mlkit.objects.verify import verify_objects

CHUNKS = [b"first chunk", b"2", b"the third one", b"", b"x" * 50]


def sha(data):
    return hashlib.sha256(data).digest()


def row(chunk):
    return sha(chunk) + struct.pack("<I", len(chunk))


def sealed(chunks):
    """Give a sealed pack and its name, by the letter of the format."""
    end = b"".join(map(row, chunks)) + struct.pack("<I", len(chunks)) + b"mlkpack1"
    return b"".join(chunks) + end, sha(end).hex()


def plain(chunks):
    """Give a pack as they were before: named by the digest of all its bytes."""
    data = b"".join(chunks)
    return data, sha(data).hex()


def problems(storage, data, digits):
    path = f"packs/{digits[:2]}/{digits}"
    storage.write(path, data)
    return [problem.path for problem in verify_objects(storage)]


packs = st.sampled_from([sealed, plain]).flatmap(
    lambda make: st.lists(st.binary(max_size=20), max_size=6).map(make)
)


def test_a_pack_ends_with_its_seal_by_the_letter_of_the_format(fresh, put):
    storage = fresh()
    put(storage, CHUNKS)
    data, digits = sealed(CHUNKS)
    [entry] = storage.list()
    assert entry.path == f"packs/{digits[:2]}/{digits}"
    assert storage.read(entry.path) == data


@given(packs)
def test_nothing_is_wrong_with_a_whole_pack_sealed_or_not(fresh, pack):
    assert problems(fresh(), *pack) == []


@given(packs, st.data())
def test_every_flipped_bit_is_found(fresh, pack, draw):
    data, digits = pack
    if data:
        bit = draw.draw(st.integers(0, 8 * len(data) - 1))
        hurt = bytearray(data)
        hurt[bit // 8] ^= 1 << bit % 8
        assert problems(fresh(), bytes(hurt), digits)


@given(packs, st.data())
def test_every_cut_is_found(fresh, pack, draw):
    data, digits = pack
    begin = draw.draw(st.integers(0, len(data)))
    end = draw.draw(st.integers(begin, len(data)))
    if begin < end:
        assert problems(fresh(), data[:begin] + data[end:], digits)


@given(packs, st.binary(min_size=1, max_size=60), st.data())
def test_every_byte_that_was_added_is_found(fresh, pack, more, draw):
    data, digits = pack
    at = draw.draw(st.integers(0, len(data)))
    assert problems(fresh(), data[:at] + more + data[at:], digits)


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=6), st.data())
def test_a_pack_of_another_name_is_found(fresh, chunks, draw):
    other = draw.draw(st.lists(st.binary(max_size=20), min_size=1, max_size=6))
    if chunks != other:
        assert problems(fresh(), sealed(chunks)[0], sealed(other)[1])


@given(st.lists(st.binary(max_size=20), max_size=6), st.data())
def test_chunks_and_seal_are_told_apart_however_the_bytes_arrive(fresh, chunks, draw):
    storage, (data, digits) = fresh(), sealed(chunks)
    path = f"packs/{digits[:2]}/{digits}"
    storage.write(path, data)
    proof = proof_of(storage, path, digits)
    begin = 0
    while begin < len(data):
        end = begin + draw.draw(st.integers(1, 30))
        proof.update(data[begin:end])
        begin = end
    assert proof.holds()


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=6), st.data())
def test_a_proof_that_was_not_given_all_bytes_does_not_hold(fresh, chunks, draw):
    storage, (data, digits) = fresh(), sealed(chunks)
    path = f"packs/{digits[:2]}/{digits}"
    storage.write(path, data)
    proof = proof_of(storage, path, digits)
    proof.update(data[: draw.draw(st.integers(0, len(data) - 1))])
    assert not proof.holds()


class TestHostileSeals:
    """The name is that of the seal, so only what the seal says can be wrong."""

    @pytest.mark.parametrize(
        "rows",
        [
            [row(b"other bytes")],
            [row(b"some bytes"), row(b"and more")],
            [sha(b"") + struct.pack("<I", 0)] * 1000,
            [sha(b"some bytes") + struct.pack("<I", 9), row(b"")],
            [sha(b"some bytes") + struct.pack("<I", 11)],
            [sha(b"some bytes") + struct.pack("<I", 2**32 - 1)],
            [sha(b"some bytes") + struct.pack("<I", 2**32 - 1)] * 50,
            [],
        ],
        ids=["digest", "too many", "empty", "short", "long", "huge", "overflow", "none"],
    )
    def test_chunks_that_are_not_those_of_the_pack_are_found(self, storage, rows):
        end = seal(b"".join(rows))
        assert problems(storage, b"some bytes" + end, sha(end).hex())

    @pytest.mark.parametrize("count", [1, 2, 10, 2**31, 2**32 - 1])
    def test_a_count_that_is_larger_than_the_pack_is_found_without_reading_so_much(
        self, storage, count
    ):
        end = struct.pack("<I", count) + MAGIC
        data = b"some bytes" + end
        tracemalloc.start()
        assert problems(storage, data, sha(end).hex())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 32 << 20

    def test_a_seal_longer_than_any_pack_is_none(self):
        assert seal_size(struct.pack("<I", (64 << 20) // ROW + 1) + MAGIC) is None

    def test_a_count_that_reaches_into_the_chunks_is_found(self, storage):
        data, _ = sealed([b"x" * 100])
        end = data[-(2 * ROW + END) : -END] + struct.pack("<I", 2) + MAGIC
        assert problems(storage, data[: -len(end)] + end, sha(end).hex())

    def test_no_chunks_are_a_whole_pack_of_none(self, storage):
        assert problems(storage, *sealed([])) == []

    def test_empty_chunks_are_fine_where_the_seal_says_so(self, storage):
        assert problems(storage, *sealed([b"", b"", b"a", b"", b""])) == []


@given(st.lists(st.binary(max_size=20), max_size=8))
def test_a_seal_says_where_each_chunk_begins(chunks):
    data, _ = sealed(chunks)
    end = data[-(seal_size(data[-END:]) or 0) :]
    assert [data[c.offset : c.offset + c.size] for c in sealed_chunks(end)] == chunks
    assert [c.digest for c in sealed_chunks(end)] == [sha(chunk) for chunk in chunks]


@given(st.binary(max_size=30))
def test_bytes_that_end_with_no_seal_have_none(data):
    if not (len(data) == END and data.endswith(MAGIC)):
        assert seal_size(data) is None
