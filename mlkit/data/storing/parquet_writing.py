"""Tables on their way into a store: Parquet whose bytes change little when its rows do.

Row groups and pages are cut by content, and chunks where pages end. So rows that are put in, taken
out or changed cost the pages around them; a column that is added costs itself.
"""

import io
import zlib
from collections.abc import Callable, Iterable
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, cast

from mlkit.data.layout import refusals
from mlkit.data.sources.parquet_values import check_values, unfit
from mlkit.data.storing.row_groups import row_groups
from mlkit.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

_LEAST = 16 << 10
_MOST = 1 << 20
_PAGES = 4
_SAMPLE = 1 << 13
_PAGE = {"min_chunk_size": 64 << 10, "max_chunk_size": 256 << 10, "norm_level": 0}


def write_parquet(
    batches: Iterable["pa.RecordBatch"], schema: "pa.Schema", take: Callable[[bytes], object]
) -> None:
    """Write batches as a Parquet file, whose bytes go on as chunks; a row group is in memory.

    Args:
        batches: The rows; each has the schema already.
        schema: The columns.
        take: Gets each chunk.

    Raises:
        InvalidInput: Parquet can't hold a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = PageSink(take)
    groups = row_groups(batches, schema)
    first = next(groups, pa.Table.from_batches([], schema))
    try:
        writer = pq.ParquetWriter(
            pa.PythonFile(cast("BinaryIO", sink), mode="w"),
            schema,
            compression="zstd",
            use_dictionary=_repeating(first),
            use_content_defined_chunking=_PAGE,
        )
    except _unwritable() as error:  # nothing goes to the sink yet
        raise _unfit(error, pa.Table.from_batches([], schema)) from error
    try:
        for group in chain((first,), groups):
            check_values(group)
            try:
                writer.write_table(group, row_group_size=max(1, group.num_rows))
            except refusals() as error:
                raise _unfit(error, group) from error
            sink.end_group()
        writer.close()
    except BaseException:
        sink.drop()
        writer.close()
        raise
    sink.finish()


def _repeating(table: "pa.Table") -> list[str]:
    """Give the columns whose values repeat, by the first of them: dictionaries pay there only."""
    from pyarrow import types

    sample = table.slice(0, _SAMPLE)
    return [
        name
        for name, column in zip(table.column_names, sample.columns, strict=True)
        if types.is_dictionary(column.type) or _repeats(column)
    ]


def _repeats(column: "pa.ChunkedArray") -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return bool(pc.count_distinct(column).as_py() * 2 <= len(column))
    except pa.ArrowNotImplementedError:  # of a type whose values can't be counted
        return False


def _unwritable() -> tuple[type[Exception], ...]:
    return (*refusals(), OSError)


def _unfit(error: Exception, table: "pa.Table") -> InvalidInput:
    """Say which column of a table can't be written, and why."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name in table.column_names:
        try:
            pq.write_table(table.select([name]), pa.MockOutputStream())
        except _unwritable() as found:
            return unfit(f"column {name!r}: {found}")
    return unfit(str(error))


class PageSink(io.RawIOBase):
    """A file to write Parquet to, whose bytes go on as chunks that end where pages do.

    Which page ends a chunk depends on the page's own bytes, so equal pages are cut alike.

    Args:
        take: Gets each chunk.
    """

    def __init__(self, take: Callable[[bytes], object]) -> None:
        super().__init__()
        self._take: Callable[[bytes], object] | None = take
        self._pieces: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        """Tell that it can be written to."""
        return True

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override]
        """Take a page, or what is around pages."""
        if self._size + len(data) > _MOST:
            self._send()
        view = memoryview(data)
        for start in range(0, len(view), _MOST):
            piece = bytes(view[start : start + _MOST])
            self._pieces.append(piece)
            self._size += len(piece)
            if self._size >= _MOST or (self._size >= _LEAST and zlib.crc32(piece) % _PAGES == 0):
                self._send()
        return len(view)

    def end_group(self) -> None:
        """Let a row group begin with a chunk of its own, unless the last one would be tiny."""
        if self._size >= _LEAST:
            self._send()

    def finish(self) -> None:
        """Send on what is left."""
        self._send()

    def drop(self) -> None:
        """Send nothing any more."""
        self._take = None
        self._pieces.clear()

    def _send(self) -> None:
        take, pieces = self._take, self._pieces
        self._take, self._pieces, self._size = None, [], 0  # nothing goes on after an error
        if pieces and take is not None:
            take(b"".join(pieces))
        self._take = take
