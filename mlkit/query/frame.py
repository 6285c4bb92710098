"""Rows and columns that show themselves, and become any library's frame."""

import shutil
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mlkit._core.extras import require
from mlkit.display.markup import Markup
from mlkit.display.page import fragment
from mlkit.display.table import html_table
from mlkit.display.text import text_table

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

_ROWS = 20
_BETWEEN = 2  # places between two columns of a table of text


@frozen(repr=False)
class Frame:
    """An Arrow table that shows itself.

    Attributes:
        table: The rows.

    Example:
        >>> import pyarrow as pa
        >>> Frame(pa.table({"depth": [4, 6], "runs": [10, 12]}))
        depth  runs
        -----  ----
            4    10
            6    12
    """

    table: "pa.Table" = field()

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def to_arrow(self) -> "pa.Table":
        """Give the rows in Arrow."""
        return self.table

    def to_pandas(self) -> "pd.DataFrame":
        """Give the rows in pandas; ints and bools that some rows lack have a nullable type."""
        return table_to_pandas(self.table)

    def to_polars(self) -> "pl.DataFrame":
        """Give the rows in polars."""
        return table_to_polars(self.table)

    def to_pylist(self) -> list[dict[str, Any]]:
        """Give the rows as dictionaries."""
        rows: list[dict[str, Any]] = self.table.to_pylist()
        return rows

    def to_html(self) -> Markup:
        """Give the first rows as an HTML table, without style."""
        return html_table(self.table.column_names, self._rows(), limit=_ROWS)

    def _repr_html_(self) -> str:
        return fragment(self.to_html())

    def __repr__(self) -> str:
        names = self.table.column_names
        cells = list(zip(*self._rows(), strict=True)) or [()] * len(names)
        return fitting(dict(zip(names, cells, strict=True)), len(self)) if len(self) else "No rows"

    def _rows(self) -> list[list[Any]]:
        shown = self.table.slice(0, _ROWS + 1).to_pylist()
        return [list(row.values()) for row in shown]


def table_to_pandas(table: "pa.Table") -> "pd.DataFrame":
    """Give a table in pandas; ints and bools that some rows lack have a nullable type."""
    pandas = require("pandas", "all")
    frame: pd.DataFrame = table.to_pandas()
    nullable = {"int64": pandas.Int64Dtype(), "bool": pandas.BooleanDtype()}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if column.null_count and str(column.type) in nullable:
            kind = nullable[str(column.type)]
            frame[name] = pandas.array(column.to_pylist(), dtype=kind)
    return frame


def table_to_polars(table: "pa.Table") -> "pl.DataFrame":
    """Give a table in polars."""
    frame: pl.DataFrame = require("polars", "all").from_arrow(table)
    return frame


def fitting(columns: "dict[str, Any]", total: int, *, what: str = "row") -> str:
    """Give columns as text as wide as the terminal; what is left out is said.

    Args:
        columns: Name to the values of the first rows, the most telling column first.
        total: How many rows there are.
        what: What a row is called.
    """
    room = shutil.get_terminal_size((100, 24)).columns
    cut = {name: list(values)[:_ROWS] for name, values in columns.items()}
    kept: list[str] = []
    taken = 0
    for name, values in cut.items():
        taken += _width(name, values) + (_BETWEEN if kept else 0)
        if kept and taken > room:
            break
        kept.append(name)
    notes = []
    if total > _ROWS:
        notes.append(more(total - _ROWS, what))
    if len(kept) < len(columns):
        notes.append(f"{more(len(columns) - len(kept), 'column')}; .to_pandas() has all")
    return "\n".join([text_table(kept, rows_of(cut, kept)), *notes])


def rows_of(columns: "dict[str, list[Any]]", kept: list[str]) -> list[list[Any]]:
    """Give rows of cells of some columns."""
    return [list(row) for row in zip(*(columns[name] for name in kept), strict=True)]


def more(count: int, what: str) -> str:
    """Say that there are so many more."""
    return f"… and {count:,} more {what}{'' if count == 1 else 's'}"


def _width(name: str, values: list[Any]) -> int:
    return len(text_table([name], [[value] for value in values]).split("\n")[1])
