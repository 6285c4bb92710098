"""Data in the form that the model took: columns in its order, types as it saw them."""

import importlib
from typing import TYPE_CHECKING, Any

from mlkit.errors import MissingExtra
from mlkit.schema.arrow_types import nan_as_null, plain
from mlkit.schema.columns import Columns
from mlkit.schema.frames import Form

if TYPE_CHECKING:
    import pyarrow as pa

NAMED = frozenset({"pandas", "polars", "arrow", "columns", "records", "stream"})
"""Forms whose columns have names of their own."""

MATRIX = frozenset({"array", "rows"})
"""Forms whose columns have a position only."""

FLAT = frozenset({"vector", "list", "column"})
"""Forms of one column."""


def arranged(data: Any, given: Form, columns: Columns, schema: "pa.Schema", wanted: Form) -> Any:
    """Give data that fit a schema in the form that is wanted.

    Data that have it already are given back as they are, or with no more copied than what differs.

    Args:
        data: The data.
        given: The form they have.
        columns: Their columns.
        schema: The columns that are wanted, all of which the data have.
        wanted: The form that is wanted.
    """
    if wanted in FLAT:
        return _flat(data, given, wanted)
    if given != wanted:
        return _rebuilt(columns, schema, wanted)
    if wanted == "array":
        return _cast_array(data, schema)
    changed = [field for field in schema if _differs(columns.kind(field.name), field.type)]
    same = columns.names == schema.names and not changed
    if same or wanted in {"rows", "records"}:
        return data
    return _rearranged(data, columns, schema, changed, wanted)


def _rearranged(
    data: Any, columns: Columns, schema: "pa.Schema", changed: "list[pa.Field]", wanted: Form
) -> Any:
    if wanted == "pandas":
        return _pandas(data, columns, schema, changed)
    if wanted == "polars":
        series = {f.name: _library("polars").from_arrow(_cast(columns, f)) for f in changed}
        return data.select(schema.names).with_columns(**series)
    if wanted == "columns":
        labels = dict(zip(columns.names, data, strict=True))
        return {labels[name]: data[labels[name]] for name in schema.names}
    return _table(columns, schema)


def _rebuilt(columns: Columns, schema: "pa.Schema", wanted: Form) -> Any:
    table = _table(columns, schema)
    if wanted == "pandas":
        _library("pandas")
        return table.to_pandas()
    if wanted == "polars":
        return _library("polars").from_arrow(table)
    if wanted == "columns":
        return table.to_pydict()
    if wanted == "records":
        return table.to_pylist()
    if wanted in MATRIX:
        array = _library("numpy").column_stack([column.to_numpy() for column in table.columns])
        return array if wanted == "array" else array.tolist()
    return table


def _table(columns: Columns, schema: "pa.Schema") -> "pa.Table":
    import pyarrow as pa

    return pa.table({field.name: _cast(columns, field) for field in schema})


def _cast(columns: Columns, field: "pa.Field") -> "pa.Array | pa.ChunkedArray":
    from pyarrow import types

    values = columns.values(field.name)
    simple = plain(values.type)
    if not simple.equals(values.type):
        values = values.cast(simple)
    if not _differs(simple, field.type):
        return values
    if types.is_integer(field.type):
        values = nan_as_null(values)
    return values.cast(field.type, safe=False)


def _differs(given: "pa.DataType", wanted: "pa.DataType") -> bool:
    from pyarrow import types

    return not (given.equals(wanted) or types.is_null(wanted) or plain(given).equals(wanted))


def _pandas(data: Any, columns: Columns, schema: "pa.Schema", changed: "list[pa.Field]") -> Any:
    labels = dict(zip(columns.names, data.columns, strict=True))
    frame = data[[labels[name] for name in schema.names]].copy(deep=False)
    for field in changed:
        label = labels[field.name]
        frame[label] = _cast_series(frame[label], field.type)
    return frame


def _cast_series(series: Any, kind: "pa.DataType") -> Any:
    from pyarrow import types

    if types.is_dictionary(kind):
        return series if hasattr(series, "cat") else series.astype("category")
    if types.is_floating(kind) or types.is_boolean(kind) or types.is_integer(kind):
        has_gaps = not types.is_floating(kind) and series.isna().any()
        return series if has_gaps else series.astype(kind.to_pandas_dtype())
    categories = getattr(series.dtype, "categories", None)
    return series if categories is None else series.astype(categories.dtype)


def _cast_array(array: Any, schema: "pa.Schema") -> Any:
    kinds = set(schema.types)
    if len(kinds) > 1 or array.dtype.kind == "O":
        return array
    numpy = _library("numpy")
    dtype = numpy.dtype(kinds.pop().to_pandas_dtype())
    if dtype.kind in "iu" and array.dtype.kind == "f" and numpy.isnan(array).any():
        return array  # integers with gaps
    return array.astype(dtype) if dtype.kind in "biuf" and dtype != array.dtype else array


def _flat(data: Any, given: Form, wanted: Form) -> Any:
    if wanted in {given, "column"}:
        return data
    if wanted == "vector":
        return _library("numpy").asarray(data)
    return data.to_pylist() if hasattr(data, "to_pylist") else data.tolist()


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtra(
            f"The model takes data of {name}, which can't be imported ({error})",
            hint=f"Install it with: pip install {name}",
        ) from error
