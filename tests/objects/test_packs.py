"""Packs: what was put is read back, each chunk checked, neighbours at once."""

import os

import pytest

from mlkit.errors import Corrupt, NotFound
from mlkit.objects.blobs import object_path
from mlkit.objects.pack_reading import PackReader
from mlkit.objects.packs import ChunkRef
from mlkit.testing import FaultyStorage


def test_what_was_put_is_read_back(storage, put, read_chunk):
    chunks = [os.urandom(100) for _ in range(50)]
    assert [read_chunk(storage, ref) for ref in put(storage, chunks)] == chunks


def test_neighbours_are_read_at_once(storage, put):
    refs = put(storage, [bytes([number]) * 10 for number in range(20)])
    watched = FaultyStorage(storage)
    pieces = list(PackReader(watched).stream(refs))
    assert b"".join(pieces) == b"".join(bytes([number]) * 10 for number in range(20))
    assert len(watched.operations) == 1


def test_chunks_that_are_no_neighbours_are_read_in_their_order(storage, put):
    refs = put(storage, [bytes([number]) * 10 for number in range(6)], pack_size=90)
    assert len({ref.pack for ref in refs}) > 1
    wanted = [refs[number] for number in (5, 0, 3, 2)]
    assert [piece[0] for piece in PackReader(storage).stream(wanted)] == [5, 0, 3, 2]


def test_no_chunks_are_no_reads(storage):
    assert list(PackReader(storage).stream([])) == []


def test_a_flipped_bit_is_noticed_by_the_chunk_it_is_in(storage, flip, put, read_chunk):
    whole, hurt = put(storage, [b"a" * 100, b"b" * 100])
    flip(storage, object_path("packs", hurt.pack), 8 * 150)
    assert read_chunk(storage, whole) == b"a" * 100
    for read in (
        lambda: read_chunk(storage, hurt),
        lambda: list(PackReader(storage).stream([whole, hurt])),
    ):
        with pytest.raises(Corrupt, match=object_path("packs", hurt.pack)):
            read()


def test_a_chunk_of_a_missing_pack_is_not_found(storage, read_chunk):
    with pytest.raises(NotFound):
        read_chunk(storage, ChunkRef("sha256:" + "0" * 64, 1, "sha256:" + "0" * 64, 0))
