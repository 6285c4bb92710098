"""Tables as Parquet: one file of a version, written in one pass, read back with its exact types."""

import base64
import io
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, BinaryIO

from mlkit._core.names import near
from mlkit.data.categories import categorized
from mlkit.data.layout import kept_type
from mlkit.errors import Corrupt, InvalidInput
from mlkit.objects.packs import CHUNK_SIZE

if TYPE_CHECKING:
    import pyarrow as pa

FILE = "data.parquet"
"""The path of a table's only file."""

_ROWS = 1 << 17


def storable(schema: "pa.Schema") -> "pa.Schema":
    """Give the schema with which a table is kept; see `kept_type`.

    Raises:
        InvalidInput: There is no column, two have one name, or a name can't be kept.
    """
    import pyarrow as pa

    if not len(schema):
        raise InvalidInput("A table without columns can't be a dataset")
    seen: set[str] = set()
    for field in schema:
        if field.name in seen:
            raise InvalidInput(
                f"Two columns of the table have the name {field.name!r}",
                hint="Rename one of them",
            )
        if "\0" in field.name:
            raise InvalidInput(
                f"The name {field.name!r} of a column holds a null character",
                hint="Rename the column",
            )
        seen.add(field.name)
    fields = [field.with_type(kept_type(field.type)) for field in schema]
    return pa.schema(fields, metadata=schema.metadata)


def conform(batch: "pa.RecordBatch", schema: "pa.Schema") -> "pa.RecordBatch":
    """Give a batch the schema that `storable` or a version says, its values unchanged."""
    import pyarrow as pa

    arrays = [categorized(array, field) for field, array in zip(schema, batch.columns, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def write_parquet(batches: Iterable["pa.RecordBatch"], schema: "pa.Schema", sink: BinaryIO) -> None:
    """Write batches as a Parquet file.

    Args:
        batches: The rows; each has the schema already.
        schema: The columns.
        sink: Where the bytes go; it needn't seek.

    Raises:
        InvalidInput: Parquet can't hold a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    def unfit(error: Exception) -> InvalidInput:
        return InvalidInput(f"The table can't be kept as Parquet: {error}")

    refusals = (pa.ArrowNotImplementedError, pa.ArrowInvalid)
    try:
        writer = pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression="zstd")
    except refusals as error:
        raise unfit(error) from error
    with writer:
        for batch in batches:
            try:
                writer.write_batch(batch, row_group_size=_ROWS)
            except refusals as error:
                raise unfit(error) from error


class ChunkSink(io.RawIOBase):
    """A file to write to whose bytes go on as chunks of one size.

    Args:
        take: Gets each chunk.
    """

    def __init__(self, take: Callable[[bytes], object]) -> None:
        super().__init__()
        self._take = take
        self._buffer = bytearray()

    def writable(self) -> bool:
        """Tell that it can be written to."""
        return True

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override]
        """Take bytes."""
        self._buffer += data
        while len(self._buffer) >= CHUNK_SIZE:
            self._take(bytes(self._buffer[:CHUNK_SIZE]))
            del self._buffer[:CHUNK_SIZE]
        return len(data)

    def finish(self) -> None:
        """Send on what is left."""
        if self._buffer:
            self._take(bytes(self._buffer))
            self._buffer.clear()


def select(schema: "pa.Schema", columns: Sequence[str] | None) -> "pa.Schema":
    """Give the part of a schema that some columns are.

    Raises:
        InvalidInput: There is no such column, or it is asked for twice.
    """
    import pyarrow as pa

    if columns is None:
        return schema
    if isinstance(columns, str):
        raise InvalidInput(
            f"columns is the text {columns!r}", hint=f"Write a list of names: [{columns!r}]"
        )
    names = schema.names
    for name in columns:
        if name not in names:
            shown = near(name, names) or f"There are: {', '.join(names)}"
            raise InvalidInput(f"There is no column {name!r}", hint=shown)
    if len(set(columns)) != len(columns):
        raise InvalidInput(f"A column is asked for twice: {', '.join(columns)}")
    fields = [schema.field(name) for name in columns]
    return pa.schema(fields, metadata=schema.metadata)


def encode_schema(schema: "pa.Schema") -> str:
    """Give a schema as text: its Arrow IPC message in base64."""
    return base64.b64encode(schema.serialize()).decode()


def decode_schema(text: str) -> "pa.Schema":
    """Give the schema of a text that `encode_schema` made.

    Raises:
        Corrupt: It is none.
    """
    import pyarrow as pa

    try:
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text, validate=True)))
    except (ValueError, OSError) as error:
        raise Corrupt(f"The schema of the version can't be read: {error}") from error
