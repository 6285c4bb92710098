"""Data files of a Delta table: Parquet whose every byte is checked when it is read.

The log's action that adds a file has the digest of its tail. That holds the footer, which says
where chunks of columns are, and the digests of these.
"""

import io
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from attrs import define, field

from mlkit._core.clock import Clock
from mlkit._core.hashing import digest_bytes
from mlkit._core.ids import token
from mlkit.errors import Corrupt
from mlkit.storage.protocol import Storage
from mlkit.tables.actions import Add
from mlkit.tables.chunks import DamagedChunkError, chunks_of, leaves_of, read_chunks, seal
from mlkit.tables.statistics import statistics

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_MS = 1_000_000


def write_data_file(
    storage: Storage,
    folder: str,
    table: "pa.Table",
    *,
    clock: Clock,
    group_rows: int,
    encodings: Mapping[str, str],
    data_change: bool = True,
) -> Add:
    """Write rows as a file of a table; it belongs to the table when a commit says so.

    Args:
        storage: Where the table lies.
        folder: The table's folder.
        table: The rows, sorted by what readers look for.
        clock: Gives the time.
        group_rows: At most so many rows are in a row group, of which readers skip what they can.
        encodings: Column to the encoding of its values; a dictionary where it isn't named.
        data_change: Whether the rows are new to the table.
    """
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=1,
        row_group_size=group_rows,
        use_dictionary=[name for name in table.column_names if name not in encodings],
        column_encoding=dict(encodings) or None,
        write_page_checksum=True,
        store_schema=False,
    )
    tail = seal(sink)
    data = sink.getbuffer()
    path = f"part-{token()}.zstd.parquet"
    storage.write(f"{folder}/{path}", data)
    return Add(
        path=path,
        size=len(data),
        modified_at=clock() // _MS,
        stats=statistics(table),
        tags={
            "sha256": digest_bytes(data),
            "tail": digest_bytes(data[-tail:]),
            "tail_size": str(tail),
        },
        data_change=data_change,
    )


@define
class DataFile:
    """A data file that is read, column by column.

    Attributes:
        storage: Where it lies.
        folder: The table's folder.
        add: What the log says of it.
    """

    storage: Storage
    folder: str
    add: Add
    __dict__: dict[str, object] = field(init=False, repr=False, eq=False)  # what is cached

    @property
    def path(self) -> str:
        """Where the file is, from the store's root."""
        return f"{self.folder}/{self.add.path}"

    @cached_property
    def metadata(self) -> "pq.FileMetaData":
        """The footer.

        Raises:
            Corrupt: It isn't what was written.
            NotFound: The file is gone.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        tail = self._tail
        try:
            return pq.read_metadata(pa.BufferReader(tail))
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(str(error)) from error

    @cached_property
    def schema(self) -> "pa.Schema":
        """The columns that it has."""
        return self.metadata.schema.to_arrow_schema()

    @cached_property
    def columns(self) -> frozenset[str]:
        """The names of the columns that it has; others are null in all its rows."""
        return frozenset(self.schema.names)

    def read(
        self,
        columns: Sequence[str],
        *,
        groups: Sequence[int] | None = None,
        dictionaries: Sequence[str] = (),
    ) -> "pa.Table":
        """Give some columns of all rows, or of some row groups.

        Args:
            columns: Their names; those that the file lacks are left out.
            groups: The numbers of row groups; all by default.
            dictionaries: Which of them to give as dictionaries, since few values repeat.

        Raises:
            Corrupt: A page was damaged.
            NotFound: The file is gone.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        wanted = [name for name in columns if name in self.columns]
        metadata = self.metadata
        among = [
            number
            for number in (range(metadata.num_row_groups) if groups is None else groups)
            if metadata.row_group(number).num_rows
        ]
        leaves = [leaf for name in wanted for leaf in self._leaves[name]]
        chunks = chunks_of(self._tail, metadata, among, leaves)
        try:
            held = read_chunks(self._range, self.add.size, chunks)
        except DamagedChunkError as error:
            raise self._damaged(str(error)) from error
        try:
            file = pq.ParquetFile(
                pa.BufferReader(held),
                metadata=metadata,
                read_dictionary=list(dictionaries),
                pre_buffer=False,
            )
            return file.read_row_groups(among, columns=wanted)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(str(error)) from error

    def groups_with(self, column: str, low: str, high: str) -> list[int]:
        """Give the numbers of the row groups that may hold a text between two others."""
        metadata = self.metadata
        position = metadata.schema.to_arrow_schema().get_field_index(column)
        found = []
        for number in range(metadata.num_row_groups):
            seen = metadata.row_group(number).column(position).statistics
            if seen is None or not seen.has_min_max or (seen.min <= high and low <= seen.max):
                found.append(number)
        return found

    @cached_property
    def _leaves(self) -> dict[str, range]:
        return leaves_of(self.schema)

    @cached_property
    def _tail(self) -> bytes:
        """The digests of chunks and the footer, checked against their own digest."""
        size = int(self.add.tags["tail_size"])
        tail = self.storage.read(self.path, max(0, self.add.size - size), self.add.size)
        if digest_bytes(tail) != self.add.tags["tail"]:
            raise self._damaged("its tail doesn't match its digest")
        return tail

    def _range(self, start: int, end: int) -> bytes:
        return self.storage.read(self.path, start, end)

    def _damaged(self, why: str) -> Corrupt:
        message = f"{self.path} was damaged: {why}"
        return Corrupt(message, hint="store.reindex() makes the tables anew")
