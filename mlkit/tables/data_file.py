"""Data files of a Delta table: Parquet whose every byte is checked when it is read.

Pages carry their CRC. The footer, which says where they are and what they hold, has its digest in
the log's action that adds the file.
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
from mlkit.tables.statistics import statistics

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_TAIL = 8  # the footer's length and the magic
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
    data = sink.getbuffer()
    footer = int.from_bytes(data[-_TAIL:-4], "little") + _TAIL
    path = f"part-{token()}.zstd.parquet"
    storage.write(f"{folder}/{path}", data)
    return Add(
        path=path,
        size=len(data),
        modified_at=clock() // _MS,
        stats=statistics(table),
        tags={
            "sha256": digest_bytes(data),
            "footer": digest_bytes(data[-footer:]),
            "footer_size": str(footer),
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
        """The footer, checked against its digest.

        Raises:
            Corrupt: It isn't what was written.
            NotFound: The file is gone.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        size = int(self.add.tags["footer_size"])
        tail = self.storage.read(self.path, max(0, self.add.size - size), self.add.size)
        if digest_bytes(tail) != self.add.tags["footer"]:
            raise self._damaged("its footer doesn't match its digest")
        return pq.read_metadata(pa.BufferReader(tail))

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
        try:
            with self._source() as source:
                file = pq.ParquetFile(
                    source,
                    metadata=self.metadata,
                    read_dictionary=list(dictionaries),
                    pre_buffer=True,
                    page_checksum_verification=True,
                )
                if groups is None:
                    return file.read(columns=wanted)
                return file.read_row_groups(list(groups), columns=wanted)
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
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

    def _source(self) -> "pa.NativeFile":
        import pyarrow as pa

        local = self.storage.local_path(self.path)
        if local is not None:
            return pa.OSFile(str(local))
        return pa.PythonFile(_Ranges(self.storage, self.path, self.add.size), mode="r")

    def _damaged(self, why: str) -> Corrupt:
        message = f"{self.path} was damaged: {why}"
        return Corrupt(message, hint="store.reindex() makes the tables anew")


class _Ranges(io.RawIOBase):
    """An object of a storage as a file that is read in ranges."""

    def __init__(self, storage: Storage, path: str, size: int) -> None:
        self._storage = storage
        self._path = path
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._at + size, self._size)
        data = self._storage.read(self._path, self._at, end) if end > self._at else b""
        self._at += len(data)
        return data
