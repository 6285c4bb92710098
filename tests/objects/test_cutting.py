"""Where files are cut: nothing is lost, whatever the stream gives and whichever way it is cut."""

import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.objects import cutting
from mlkit.objects.packs import CHUNK_SIZE

BODY = random.Random(1).randbytes(6 << 20)


class Trickle(io.BytesIO):
    """A stream that gives at most three bytes at once."""

    def read(self, size=-1):
        return super().read(min(size, 3) if size >= 0 else 3)


class Halves(io.RawIOBase):
    """A raw file that gives less than it is asked for."""

    def __init__(self, data):
        self._inner = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        piece = self._inner.read(max(1, len(buffer) // 2))
        buffer[: len(piece)] = piece
        return len(piece)


@pytest.mark.parametrize("stream", [io.BytesIO, Trickle, Halves])
def test_chunks_have_one_size_however_the_stream_gives_its_bytes(stream):
    assert list(cutting.fixed(stream(b"abcdefghijk"), 4)) == [b"abcd", b"efgh", b"ijk"]


def test_a_stream_of_full_chunks_has_no_empty_one_at_its_end():
    assert list(cutting.fixed(io.BytesIO(b"abcd"), 2)) == [b"ab", b"cd"]


@given(st.binary(max_size=50), st.integers(1, 10))
def test_fixed_chunks_make_up_the_stream(data, size):
    chunks = list(cutting.fixed(io.BytesIO(data), size))
    assert b"".join(chunks) == data
    assert all(len(chunk) == size for chunk in chunks[:-1])


@pytest.mark.parametrize("stream", [io.BytesIO, Halves])
@pytest.mark.parametrize("size", [0, 1, cutting.LEAST, cutting.LEAST + 1, len(BODY)])
def test_chunks_by_content_make_up_the_stream_and_are_neither_tiny_nor_huge(stream, size):
    chunks = list(cutting.cut(stream(BODY[:size])))
    assert b"".join(chunks) == BODY[:size]
    assert all(cutting.LEAST <= len(chunk) <= 2 << 20 for chunk in chunks[:-1])
    assert all(chunks)


def test_bytes_that_come_or_go_change_the_chunks_around_them_only():
    if cutting._chunker() is None:
        pytest.skip("NOT TESTED HERE: cutting by content; the `cdc` extra isn't installed")
    before = set(cutting.cut(io.BytesIO(BODY)))
    for changed in (BODY[:3_000_000] + b"new" + BODY[3_000_000:], BODY[:90_000] + BODY[90_001:]):
        after = set(cutting.cut(io.BytesIO(changed)))
        assert len(after - before) <= 2


def test_one_byte_that_repeats_is_cut_into_equal_chunks_without_end():
    chunks = list(cutting.cut(io.BytesIO(bytes(9 << 20))))
    assert sum(map(len, chunks)) == 9 << 20
    assert len(set(chunks)) <= 2


def test_without_the_extra_chunks_have_one_size(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(cutting, "import_module", missing)
    sizes = [len(chunk) for chunk in cutting.cut(io.BytesIO(BODY[: 5 * CHUNK_SIZE // 2]))]
    assert sizes == [CHUNK_SIZE, CHUNK_SIZE, CHUNK_SIZE // 2]
