"""Tables as Parquet: which schemas can be kept, and how a version says what its table's is."""

import base64
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mlkit._core.names import near
from mlkit.data.categories import categorized
from mlkit.data.layout import kept_type, refusals
from mlkit.errors import Corrupt, InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

FILE = "data.parquet"
"""The path of a table's only file."""


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
    """Give a batch the schema that `storable` or a version says, its values unchanged.

    Raises:
        ArrowInvalid: A value can't be had in the type of its column, which the message names.
        Corrupt: The categories of a column are damaged.
    """
    import pyarrow as pa

    arrays = []
    for field, array in zip(schema, batch.columns, strict=True):
        try:
            arrays.append(categorized(array, field))
        except refusals() as error:
            raise pa.ArrowInvalid(f"column {field.name!r}: {error}") from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


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
    if not isinstance(columns, Iterable) or not all(isinstance(name, str) for name in columns):
        raise InvalidInput(f"columns={columns!r} is no list of names", hint="Leave it out for all")
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
