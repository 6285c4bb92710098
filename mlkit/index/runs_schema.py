"""Rows of runs as an Arrow table: a column for what every run has, and one for each key."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlkit._core.codec import decode_value, encode_value
from mlkit.index.naming import Key, Naming, escaped
from mlkit.index.row import Row, storable, typed

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = 2000
"""So many columns of keys at most; what is rarer lies in `overflow`, and is found as well."""

OVERFLOW = "overflow"
"""The column that maps keys without a column, such as `params.lr`, to their values as JSON."""


def fixed_fields() -> "list[pa.Field]":
    """Give the columns that every table of runs has."""
    import pyarrow as pa

    moment = pa.timestamp("us", tz="UTC")
    texts = [("kind", pa.string()), ("ref", pa.string()), ("digest", pa.string())]
    links = pa.list_(pa.field("element", pa.struct(texts)))
    return [
        pa.field("run_id", pa.string()),
        pa.field("experiment", pa.string()),
        pa.field("name", pa.string()),
        pa.field("status", pa.string()),
        pa.field("started", moment),
        pa.field("ended", moment),
        pa.field("duration", pa.float64()),
        pa.field("parent", pa.string()),
        pa.field("user", pa.string()),
        pa.field("deleted", pa.bool_()),
        pa.field("inputs", links),
        pa.field("outputs", links),
        pa.field("goals", pa.map_(pa.string(), pa.string())),
        pa.field(OVERFLOW, pa.map_(pa.string(), pa.string())),
    ]


def kind_type(kind: str) -> "pa.DataType":
    """Give the type of a column that holds values of a kind."""
    import pyarrow as pa

    types = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}
    return types.get(kind, pa.string())


def grown_schema(schema: "pa.Schema", rows: Sequence[Row]) -> "pa.Schema":
    """Give the schema of a table that takes rows in; columns are added at its end, none changes.

    Args:
        schema: The table's, empty where there is none.
        rows: The rows.
    """
    import pyarrow as pa

    fields = list(schema) or fixed_fields()
    before = Naming.of(schema)
    counts = Counter(key for row in rows for key in row.keyed)
    after = before.extended(counts, COLUMNS)
    fields += [
        pa.field(column, kind_type(key.kind))
        for key, column in after.columns.items()
        if key not in before.columns
    ]
    return pa.schema(fields)


def rows_table(rows: Sequence[Row], schema: "pa.Schema") -> "pa.Table":
    """Give rows as a table; columns in which all are null are left out of it.

    Args:
        rows: The rows.
        schema: The schema of the table that they are for, which has what they need.
    """
    import pyarrow as pa

    naming = Naming.of(schema)
    values: dict[str, list[Any]] = {}
    overflow: list[list[tuple[str, str]] | None] = [None] * len(rows)
    for position, row in enumerate(rows):
        for key, value in row.keyed.items():
            column = naming.columns.get(key)
            if column is None:
                pair = (escaped(key.home, key.name), _as_json(key, value))
                overflow[position] = [*(overflow[position] or ()), pair]
                continue
            if column not in values:
                values[column] = [None] * len(rows)
            values[column][position] = value
    arrays: dict[str, pa.Array] = {}
    for field in fixed_fields():
        listed = overflow if field.name == OVERFLOW else [row.fixed[field.name] for row in rows]
        arrays[field.name] = pa.array(listed, field.type)
    for key, column in naming.columns.items():
        if column in values:
            arrays[column] = pa.array(values[column], kind_type(key.kind), from_pandas=False)
    return pa.table({field.name: arrays[field.name] for field in schema if field.name in arrays})


def decode_overflow(text: str) -> tuple[str, Any]:
    """Give the kind and the value of a key that lies in `overflow`."""
    return typed(decode_value(text))


def _as_json(key: Key, value: Any) -> str:
    return str(value) if key.kind == "json" else storable(encode_value(value))
