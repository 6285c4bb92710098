"""Packs: many chunks in one object."""

import io
import os

import pytest

from mlkit.errors import Corrupt, NotFound
from mlkit.objects.blobs import object_path
from mlkit.objects.packs import ChunkRef, PackWriter, read_chunk, read_chunks, split
from mlkit.testing import FaultyStorage


def test_many_chunks_are_one_object(storage):
    writer = PackWriter(storage)
    chunks = [os.urandom(100) for _ in range(50)]
    digests = [writer.add(chunk) for chunk in chunks]
    refs = writer.finish()
    assert len(list(storage.list("packs"))) == 1
    assert [read_chunk(storage, refs[digest]) for digest in digests] == chunks


def test_a_pack_is_written_when_it_is_full(storage):
    writer = PackWriter(storage, pack_size=250)
    for _ in range(5):
        writer.add(os.urandom(100))
    refs = writer.finish()
    assert [entry.size for entry in storage.list("packs")].count(200) == 2
    assert len({ref.pack for ref in refs.values()}) == 3


def test_equal_chunks_are_stored_once(storage):
    writer = PackWriter(storage, pack_size=150)
    first = writer.add(b"a" * 100)
    assert writer.add(b"a" * 100) == first
    writer.add(b"b" * 100)
    assert writer.add(b"a" * 100) == first
    writer.finish()
    assert sum(entry.size for entry in storage.list("packs")) == 200


def test_known_chunks_are_not_stored_again(storage):
    writer = PackWriter(storage)
    digest = writer.add(b"old")
    known = dict(writer.finish())
    again = PackWriter(storage, known)
    again.add(b"old")
    assert again.finish() == {digest: known[digest]}
    assert len(list(storage.list("packs"))) == 1


def test_a_known_chunk_whose_pack_is_missing_is_stored_again(storage):
    writer = PackWriter(storage)
    digest = writer.add(b"old")
    known = dict(writer.finish())
    storage.delete(object_path("packs", known[digest].pack))
    again = PackWriter(storage, known)
    again.add(b"old")
    assert read_chunk(storage, again.finish()[digest]) == b"old"


def test_the_same_pack_is_not_written_twice(storage):
    first = PackWriter(storage)
    first.add(b"x")
    first.finish()
    watched = FaultyStorage(storage)
    second = PackWriter(watched)
    second.add(b"x")
    second.finish()
    assert [verb for verb, _ in watched.operations] == ["stat"]


def test_neighbours_are_read_at_once(storage):
    writer = PackWriter(storage)
    digests = [writer.add(bytes([number]) * 10) for number in range(20)]
    refs = writer.finish()
    watched = FaultyStorage(storage)
    pieces = list(read_chunks(watched, [refs[digest] for digest in digests]))
    assert b"".join(pieces) == b"".join(bytes([number]) * 10 for number in range(20))
    assert len(watched.operations) == 1


def test_chunks_that_are_no_neighbours_are_read_in_their_order(storage):
    writer = PackWriter(storage, pack_size=25)
    digests = [writer.add(bytes([number]) * 10) for number in range(6)]
    refs = writer.finish()
    wanted = [refs[digests[number]] for number in (5, 0, 3, 2)]
    assert [piece[0] for piece in read_chunks(storage, wanted)] == [5, 0, 3, 2]


def test_no_chunks_are_no_reads(storage):
    assert list(read_chunks(storage, [])) == []


def test_a_flipped_bit_is_noticed_by_the_chunk_it_is_in(storage, flip):
    writer = PackWriter(storage)
    whole, hurt = writer.add(b"a" * 100), writer.add(b"b" * 100)
    refs = writer.finish()
    flip(storage, object_path("packs", refs[hurt].pack), 8 * 150)
    assert read_chunk(storage, refs[whole]) == b"a" * 100
    for read in (
        lambda: read_chunk(storage, refs[hurt]),
        lambda: list(read_chunks(storage, [refs[whole], refs[hurt]])),
    ):
        with pytest.raises(Corrupt, match=object_path("packs", refs[hurt].pack)):
            read()


def test_a_chunk_of_a_missing_pack_is_not_found(storage):
    with pytest.raises(NotFound):
        read_chunk(storage, ChunkRef("sha256:" + "0" * 64, 1, "sha256:" + "0" * 64, 0))


class Trickle(io.BytesIO):
    """A stream that gives at most three bytes at once."""

    def read(self, size=-1):
        return super().read(min(size, 3))


@pytest.mark.parametrize("stream", [io.BytesIO, Trickle])
def test_chunks_have_one_size_however_the_stream_gives_its_bytes(stream):
    assert list(split(stream(b"abcdefghijk"), 4)) == [b"abcd", b"efgh", b"ijk"]


def test_a_stream_of_full_chunks_has_no_empty_one_at_its_end():
    assert list(split(io.BytesIO(b"abcd"), 2)) == [b"ab", b"cd"]
