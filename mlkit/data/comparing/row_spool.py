"""Digests of more rows than memory holds, apart by their first bits, so that a part fits."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mlkit.errors import StorageFault

if TYPE_CHECKING:
    import pyarrow as pa

MOST_BYTES = 128 << 20
"""What one side of a comparison may hold in memory; more goes to a temporary file in parts."""

_PART_BYTES = 32 << 20
_MOST_PARTS = 1 << 12
_BITS = 64


def parts_for(rows: int, width: int) -> int:
    """Give into how many parts rows are to be divided: a power of two, 1 where all fit in memory.

    Args:
        rows: How many rows there are.
        width: The bytes of each.

    Example:
        >>> parts_for(1000, 24), parts_for(50_000_000, 24)
        (1, 64)
    """
    size = rows * width
    if size <= MOST_BYTES:
        return 1
    return int(min(1 << (size // _PART_BYTES).bit_length(), _MOST_PARTS))


class RowSpool:
    """Rows of one side, each with a digest, that are given back in parts.

    A row is in the part that the first bits of its digest say, so equal digests of two sides are in
    parts of one number. Parts lie in a temporary file that has no name, and so ends with the
    process however that ends.

    Args:
        schema: The columns; the first is the digest, of type uint64.
        parts: How many parts; a power of two, the same for both sides.
    """

    def __init__(self, schema: "pa.Schema", parts: int) -> None:
        self._schema = schema
        self._bits = parts.bit_length() - 1
        self._waiting: list[pa.RecordBatch] = []
        self._bytes = 0
        self._file: Any = None
        self._writer: Any = None
        self._written = 0
        self._places: defaultdict[int, list[int]] = defaultdict(list)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._waiting.clear()
        if self._file is not None:
            with suppress(OSError):  # what can't be written any more isn't wanted any more
                self._file.close()

    def add(self, columns: list["pa.Array"]) -> None:
        """Add rows, column by column.

        Raises:
            StorageFault: The temporary file can't be written.
        """
        import pyarrow as pa

        batch = pa.RecordBatch.from_arrays(columns, schema=self._schema)
        self._waiting.append(batch)
        self._bytes += batch.nbytes
        if self._bits and self._bytes > MOST_BYTES // 2:
            self._write()

    def parts(self) -> Iterator["pa.Table"]:
        """Give the rows, part after part."""
        import pyarrow as pa

        if not self._bits:
            yield pa.Table.from_batches(self._waiting, self._schema).combine_chunks()
            return
        self._write()
        if self._writer is not None:
            with _writing():
                self._writer.close()
                self._file.seek(0)
        reader = pa.ipc.open_file(self._file) if self._written else None
        for part in range(1 << self._bits):
            batches = [reader.get_batch(place) for place in self._places[part] if reader]
            yield pa.Table.from_batches(batches, self._schema).combine_chunks()

    def _write(self) -> None:
        """Put what waits into the file, each part after the other."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self._bytes:
            return
        table = pa.Table.from_batches(self._waiting, self._schema).combine_chunks()
        self._waiting.clear()
        self._bytes = 0
        part = pc.shift_right(table.column(0), pa.scalar(_BITS - self._bits, pa.uint64()))
        counts = part.value_counts()
        sizes = dict(
            zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True)
        )  # at most as many as there are parts
        table = table.take(pc.sort_indices(part.cast(pa.uint16())))
        with _writing():
            self._put(table, sizes)

    def _put(self, table: "pa.Table", sizes: dict[int, int]) -> None:
        import pyarrow as pa

        if self._writer is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed on leaving
            self._writer = pa.ipc.new_file(self._file, self._schema)
        start = 0
        for part in sorted(sizes):
            for batch in table.slice(start, sizes[part]).to_batches():
                self._writer.write_batch(batch)
                self._places[part].append(self._written)
                self._written += 1
            start += sizes[part]


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageFault(
            f"The temporary file for rows that don't fit into memory can't be written: {error}",
            hint="Free space there, or set TMPDIR to a folder that has some",
        ) from error
