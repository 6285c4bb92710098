"""Arrow tables as frames of pandas and polars."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlkit.errors import InvalidInput, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    import polars as pl
    import pyarrow as pa

_EXACT_FLOAT = 1 << 53


def pandas_frame(table: "pa.Table") -> "pd.DataFrame":
    """Give a table as a DataFrame.

    Integers with nulls become floats, as in pandas, unless floats can't hold them exactly: then the
    column is `Int64`.

    Raises:
        MissingExtra: pandas isn't installed.
        InvalidInput: pandas has no place for a value; the message names the column.
    """
    pandas = _library("pandas")
    frame: pd.DataFrame = _converted(table, lambda part: part.to_pandas(), "pandas")
    for name in table.column_names:
        if _loses_digits(table.column(name), str(frame[name].dtype)):
            kind = "UInt64" if str(table.schema.field(name).type) == "uint64" else "Int64"
            frame[name] = pandas.array(table.column(name).to_pylist(), dtype=kind)
    return frame


def polars_frame(table: "pa.Table") -> "pl.DataFrame":
    """Give a table as a polars DataFrame.

    Raises:
        MissingExtra: polars isn't installed.
        InvalidInput: polars has no place for a value; the message names the column.
    """
    polars = _library("polars")
    for column in table.schema:
        if _is_wide(column.type):  # over which polars panics
            raise _unfit("polars", f"column {column.name!r}: it has no decimals of 256 bits")
    frame: pl.DataFrame = _converted(table, polars.from_arrow, "polars")
    return frame


def _converted(table: "pa.Table", convert: "Callable[[pa.Table], Any]", library: str) -> Any:
    """Give a table as a frame, or say which column can't be one."""
    try:
        return convert(table)
    except MemoryError:
        raise
    except Exception as error:
        for name in table.column_names:
            try:
                convert(table.select([name]))
            except Exception as found:
                raise _unfit(library, f"column {name!r}: {found}") from found
        raise _unfit(library, str(error)) from error


def _unfit(library: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"{library} can't hold the table: {why}",
        hint="Leave the column out with columns=[…], or read it with to_arrow and cast it",
    )


def _is_wide(kind: "pa.DataType") -> bool:
    from pyarrow import types

    parts = [kind.field(number).type for number in range(kind.num_fields)]
    if types.is_dictionary(kind):
        parts.append(kind.value_type)
    return bool(types.is_decimal256(kind)) or any(map(_is_wide, parts))


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtra(
            f"This needs {name}, which can't be imported ({error})",
            hint=f"Install it with: pip install {name}",
        ) from error


def _loses_digits(column: "pa.ChunkedArray", dtype: str) -> bool:
    """Tell whether pandas would round integers, as it makes floats of them when some are null."""
    import pyarrow.compute as pc
    from pyarrow import types

    if dtype != "float64" or not types.is_integer(column.type) or not column.null_count:
        return False
    ends = pc.min_max(column).as_py()
    return ends["min"] is not None and max(-ends["min"], ends["max"]) > _EXACT_FLOAT
