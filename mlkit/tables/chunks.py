"""Column chunks of data files, each with a digest of its own, since few are read at a time.

The CRCs that Parquet has cover what pages hold, but not the headers that say how to read it. So
a data file has digests of its chunks, row group by row group, between its last page and its
footer, where Parquet lets anything lie and other readers don't look.
"""

import io
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_TAIL = 8  # the footer's length and the magic
_DIGEST = 16  # bytes of a SHA-256 that are kept, for there may be thousands of chunks
_HOLE = 1 << 16  # bytes that are read in vain rather than asking twice


class DamagedChunkError(ValueError):
    """A chunk isn't what was written."""


@frozen
class Chunk:
    """Where a column of a row group lies in a file, and what its digest is.

    Attributes:
        start: Its first byte.
        end: The byte after its last.
        digest: The first bytes of its SHA-256.
    """

    start: int
    end: int
    digest: bytes

    def check(self, data: memoryview) -> None:
        """Compare bytes with the digest.

        Raises:
            DamagedChunkError: They aren't what was written.
        """
        if len(data) != self.end - self.start or _digest(data) != self.digest:
            message = f"bytes {self.start} to {self.end} don't match their digest"
            raise DamagedChunkError(message)


def seal(sink: io.BytesIO) -> int:
    """Put the digests of all chunks into a Parquet file, before its footer.

    Args:
        sink: The file as it was written.

    Returns:
        How long its tail is: digests and footer.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with sink.getbuffer() as data:
        length = int.from_bytes(data[-_TAIL:-4], "little") + _TAIL
        footer = bytes(data[-length:])
        metadata = pq.read_metadata(pa.BufferReader(footer))
        digests = b"".join(
            _digest(data[slice(*_span(metadata, group, column))])
            for group in range(metadata.num_row_groups)
            for column in range(metadata.num_columns)
        )
    sink.seek(-length, io.SEEK_END)
    sink.write(digests)
    sink.write(footer)
    return len(digests) + length


def chunks_of(
    tail: bytes, metadata: "pq.FileMetaData", groups: Iterable[int], columns: Iterable[str]
) -> list[Chunk]:
    """Give the chunks of some columns in some row groups.

    Args:
        tail: Digests and footer of a file.
        metadata: What the footer says.
        groups: The numbers of the row groups.
        columns: The names of columns that the file has.
    """
    leaves: dict[str, list[int]] = {}
    first = 0
    for field in metadata.schema.to_arrow_schema():
        count = _leaves(field.type)
        leaves[field.name] = list(range(first, first + count))
        first += count
    wanted = [leaf for name in columns for leaf in leaves[name]]
    found = []
    for group in groups:
        for leaf in wanted:
            at = (group * metadata.num_columns + leaf) * _DIGEST
            found.append(Chunk(*_span(metadata, group, leaf), tail[at : at + _DIGEST]))
    return found


def read_chunks(read: Callable[[int, int], bytes], chunks: Sequence[Chunk]) -> "Chunks":
    """Read chunks by few requests, and check each of them.

    Args:
        read: Gives the bytes from a start to an end.
        chunks: Which.

    Raises:
        DamagedChunkError: One isn't what was written.
    """
    ordered = sorted(chunks, key=lambda chunk: chunk.start)
    breaks = [
        number
        for number, (one, other) in enumerate(pairwise(ordered), 1)
        if other.start - one.end > _HOLE
    ]
    pieces: dict[int, memoryview] = {}
    for start, stop in pairwise([0, *breaks, len(ordered)]):
        near = ordered[start:stop]
        if near:
            begin = near[0].start
            data = memoryview(read(begin, max(chunk.end for chunk in near)))
            for chunk in near:
                piece = data[chunk.start - begin : chunk.end - begin]
                chunk.check(piece)
                pieces[chunk.start] = piece
    return Chunks(pieces)


class Chunks(io.RawIOBase):
    """A file of which only some chunks are at hand.

    Args:
        pieces: Where each begins, and its bytes.
    """

    def __init__(self, pieces: dict[int, memoryview]) -> None:
        self._pieces = pieces
        self._end = max((at + len(piece) for at, piece in pieces.items()), default=0)
        self._at = 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read from anywhere."""
        return True

    def tell(self) -> int:
        """Give where it is read next."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a chunk; the end isn't known, and is where the last one ends."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._end}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Give bytes of the chunk that begins here; none where no chunk does."""
        piece = self._pieces.get(self._at, memoryview(b""))
        data = bytes(piece if size < 0 else piece[:size])
        self._at += len(data)
        return data


def _span(metadata: "pq.FileMetaData", group: int, column: int) -> tuple[int, int]:
    chunk = metadata.row_group(group).column(column)
    start = chunk.data_page_offset
    if chunk.has_dictionary_page:
        start = min(start, chunk.dictionary_page_offset)
    return start, start + chunk.total_compressed_size


def _leaves(kind: "pa.DataType") -> int:
    """Give how many columns of Parquet hold a column of a type."""
    inner = [kind.field(number).type for number in range(kind.num_fields)]
    return sum(map(_leaves, inner)) or 1


def _digest(data: memoryview) -> bytes:
    return sha256(data).digest()[:_DIGEST]
