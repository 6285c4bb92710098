"""Arrow tables as frames of pandas and polars."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlkit.errors import MissingExtra

if TYPE_CHECKING:
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
    """
    pandas = _library("pandas")
    frame: pd.DataFrame = table.to_pandas()
    for name in table.column_names:
        if _loses_digits(table.column(name), str(frame[name].dtype)):
            kind = "UInt64" if str(table.schema.field(name).type) == "uint64" else "Int64"
            frame[name] = pandas.array(table.column(name).to_pylist(), dtype=kind)
    return frame


def polars_frame(table: "pa.Table") -> "pl.DataFrame":
    """Give a table as a polars DataFrame.

    Raises:
        MissingExtra: polars isn't installed.
    """
    frame: pl.DataFrame = _library("polars").from_arrow(table)
    return frame


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
