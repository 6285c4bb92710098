"""Column chunks of data files, each with a digest of its own, since few are read at a time.

The CRCs that Parquet has cover what pages hold, but not the headers that say how to read it. So
a data file has digests of its chunks, row group by row group, between its last page and its
footer, where Parquet lets anything lie and other readers don't look.
"""

import io
from collections.abc import Callable, Collection, Iterable, Sequence
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
            _digest(data[slice(*span(metadata, group, column))])
            for group in range(metadata.num_row_groups)
            for column in range(metadata.num_columns)
        )
    sink.seek(-length, io.SEEK_END)
    sink.write(digests)
    sink.write(footer)
    return len(digests) + length


def leaves_of(schema: "pa.Schema") -> dict[str, range]:
    """Give the numbers of the columns of Parquet that hold each column of a file."""
    leaves = {}
    first = 0
    for field in schema:
        count = _leaves(field.type)
        leaves[field.name] = range(first, first + count)
        first += count
    return leaves


def chunks_of(
    tail: bytes, metadata: "pq.FileMetaData", groups: Iterable[int], leaves: Collection[int]
) -> list[Chunk]:
    """Give the chunks of some columns in some row groups.

    Args:
        tail: Digests and footer of a file.
        metadata: What the footer says.
        groups: The numbers of the row groups.
        leaves: The numbers of the columns of Parquet.
    """
    found = []
    for group in groups:
        for leaf in leaves:
            at = (group * metadata.num_columns + leaf) * _DIGEST
            found.append(Chunk(*span(metadata, group, leaf), tail[at : at + _DIGEST]))
    return found


def read_chunks(
    read: Callable[[int, int], bytes], size: int, chunks: Sequence[Chunk]
) -> "pa.Buffer":
    """Read chunks by few requests, and check each of them.

    Args:
        read: Gives the bytes from a start to an end.
        size: How long the file is.
        chunks: Which.

    Returns:
        The file, in which only the chunks are filled in; of the rest no memory is used. It is
        Arrow's own memory: what Arrow's threads must ask Python to release can end the process
        when it exits at that moment.

    Raises:
        DamagedChunkError: One isn't what was written.
    """
    import pyarrow as pa

    ordered = sorted(chunks, key=lambda chunk: chunk.start)
    breaks = [
        number
        for number, (one, other) in enumerate(pairwise(ordered), 1)
        if other.start - one.end > _HOLE
    ]
    held = pa.allocate_buffer(size)
    with memoryview(held).cast("B") as whole:
        for first, last in pairwise([0, *breaks, len(ordered)]):
            near = ordered[first:last]
            if near:
                start = near[0].start
                data = memoryview(read(start, near[-1].end))
                for chunk in near:
                    piece = data[chunk.start - start : chunk.end - start]
                    chunk.check(piece)
                    whole[chunk.start : chunk.end] = piece
    return held


def span(metadata: "pq.FileMetaData", group: int, column: int) -> tuple[int, int]:
    """Give where a column of Parquet lies in a row group: its first byte, and that after its last.

    Args:
        metadata: What the footer says.
        group: The number of the row group.
        column: The number of the column of Parquet.
    """
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
