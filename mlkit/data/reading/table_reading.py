"""Reads the Parquet file of a table: only the columns and row groups that are needed."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mlkit.data.parquet import conform, select
from mlkit.data.reading.row_filter import RowFilter
from mlkit.data.reading.table_bytes import TableBytes
from mlkit.errors import Corrupt, InvalidInput, MlkitError
from mlkit.storage.parallel import each
from mlkit.tables.chunks import leaves_of, span

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from mlkit.objects.pack_reading import PackReader
    from mlkit.objects.packs import ChunkRef

_TAIL = 8  # the footer's length and the magic
_THREADS = 4
_AHEAD = 2


@frozen(slots=False)
class TableReader:
    """Reads a table of a version, whose bytes are checked chunk by chunk.

    Args:
        packs: Reads the chunks.
        chunks: The chunks of the Parquet file, in order.
        schema: The schema that the version says.
    """

    packs: "PackReader" = field()
    chunks: "tuple[ChunkRef, ...]" = field(repr=False)
    schema: "pa.Schema" = field(repr=False)

    def read(self, columns: Sequence[str] | None = None, filters: Any = None) -> "pa.Table":
        """Give rows as a table; row groups are read on several threads.

        Args:
            columns: Which columns, in which order; all by default.
            filters: Which rows; see `RowFilter.of`.

        Raises:
            InvalidInput: There is no such column, or a filter can't be.
            Corrupt: The file isn't the Parquet that the version says.
        """
        import pyarrow as pa

        wanted = select(self.schema, columns)
        groups = self._groups(wanted, filters, min(_THREADS, os.cpu_count() or 1))
        batches = [batch for table in groups for batch in table.to_batches()]
        return pa.Table.from_batches(batches, wanted)

    def batches(
        self, columns: Sequence[str] | None, filters: Any, rows: int
    ) -> Iterator["pa.RecordBatch"]:
        """Give rows in batches; few row groups are in memory. See `read`.

        Args:
            columns: Which columns, in which order; all by default.
            filters: Which rows; see `RowFilter.of`.
            rows: The most rows of a batch.
        """
        wanted = select(self.schema, columns)
        for table in self._groups(wanted, filters, _AHEAD):
            yield from table.to_batches(max_chunksize=rows)

    def _groups(self, wanted: "pa.Schema", filters: Any, threads: int) -> Iterator["pa.Table"]:
        """Give the rows of each row group that may have some."""
        kept = None if filters is None else RowFilter.of(filters, self.schema)
        with _legible():
            metadata = self._metadata
            every: Sequence[int] = range(metadata.num_row_groups)
            groups = every if kept is None else kept.groups(metadata)
        threads = 1 if len(groups) < _AHEAD else threads
        yield from each(lambda group: self._group(group, wanted, kept), groups, threads=threads)

    def _group(self, number: int, wanted: "pa.Schema", kept: RowFilter | None) -> "pa.Table":
        """Give the rows of a row group."""
        import pyarrow as pa

        with _legible():
            group = _Group(TableBytes(self.packs, self.chunks), self._metadata, number)
            if kept is None:
                return group.read(wanted)
            tested = group.read(select(self.schema, kept.columns))
            found = kept.apply(tested)
            if not found.num_rows:
                return pa.Table.from_batches([], wanted)  # which exists of all types
            others = [name for name in wanted.names if name not in kept.columns]
            if others:
                more = group.read(select(self.schema, others))
                for name in others:
                    tested = tested.append_column(more.schema.field(name), more.column(name))
                found = tested if found.num_rows == tested.num_rows else kept.apply(tested)
            found = found.select(wanted.names)
            return found.replace_schema_metadata(wanted.metadata) if wanted.names else found

    @cached_property
    def _metadata(self) -> "pq.FileMetaData":
        """What the file's footer says."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        held = TableBytes(self.packs, self.chunks)
        end = bytes(held.buffer(max(held.size - _TAIL, 0), held.size))
        length = int.from_bytes(end[:4], "little") + _TAIL
        return pq.read_metadata(pa.BufferReader(held.buffer(max(held.size - length, 0), held.size)))


@frozen
class _Group:
    """A row group that is being read."""

    held: TableBytes
    metadata: "pq.FileMetaData"
    number: int

    def read(self, wanted: "pa.Schema") -> "pa.Table":
        """Give columns with the types they were logged with."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        leaves = leaves_of(self.metadata.schema.to_arrow_schema())
        numbers = [number for name in wanted.names for number in leaves.get(name, ())]
        ends = [span(self.metadata, self.number, number) for number in numbers]
        self.held.fetch(ends)
        file = pq.ParquetFile(
            pa.PythonFile(self.held, mode="r"), metadata=self.metadata, pre_buffer=False
        )
        table = file.read_row_group(self.number, columns=wanted.names, use_threads=False)
        table = table.select(wanted.names)
        if not wanted.names:
            return table  # which has rows, though pyarrow forgets them when it casts no columns
        batches = [conform(batch, wanted) for batch in table.to_batches()]
        return pa.Table.from_batches(batches, wanted)


def checked_rows(rows: int) -> int:
    """Give the most rows of a batch, which is no more than there can be.

    Raises:
        InvalidInput: It is no number above 0.
    """
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise InvalidInput(f"A batch can't have {rows!r} rows", hint="Write rows=10_000")
    return min(rows, sys.maxsize)


@contextmanager
def _legible() -> Iterator[None]:
    """Say of a file that can't be read that it is damaged.

    Raises:
        Corrupt: It can't.
    """
    import pyarrow as pa

    try:
        yield
    except MlkitError:
        raise
    except (pa.ArrowException, KeyError, OSError, IndexError) as error:
        raise Corrupt(f"The Parquet file of the version can't be read: {error}") from error
