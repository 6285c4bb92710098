"""What a table holds, at a glance: counts, nulls, ranges, spread, and the commonest values."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mlkit.data.logical import type_text

if TYPE_CHECKING:
    import pyarrow as pa

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_TOP = 5


@frozen
class ColumnProfile:
    """What one column holds.

    Attributes:
        name: The column.
        type: Its logical type.
        count: How many values it has that aren't null.
        nulls: How many are null.
        distinct: How many different values, exactly; None for nested types.
        min: The least value, of types that have an order.
        max: The greatest value.
        mean: Of numbers, their mean; of booleans, the share that is true.
        std: Of numbers, the standard deviation of the population.
        quantiles: Of numbers, the values below which these shares of them lie, to a good
            approximation.
        top: Of texts, booleans and categories, the commonest values with their counts.
    """

    name: str
    type: str
    count: int
    nulls: int
    distinct: int | None = None
    min: Any = None
    max: Any = None
    mean: float | None = None
    std: float | None = None
    quantiles: Mapping[float, float] = field(factory=dict)
    top: tuple[tuple[Any, int], ...] = ()


@frozen(repr=False)
class Profile:
    """What a table holds.

    Attributes:
        rows: The number of rows.
        columns: Each column, in the table's order.
    """

    rows: int
    columns: tuple[ColumnProfile, ...]

    HEADER = ("column", "type", "nulls", "distinct", "min", "median", "max", "mean", "std", "top")
    """What the cells of `cells` are."""

    def __getitem__(self, name: str) -> ColumnProfile:
        return {column.name: column for column in self.columns}[name]

    def cells(self) -> list[tuple[str, ...]]:
        """Give the profile as texts: a row for each column, under `HEADER`."""
        return [
            (
                column.name,
                column.type,
                f"{column.nulls:,}",
                "" if column.distinct is None else f"{column.distinct:,}",
                _text(column.min),
                _text(column.quantiles.get(0.5)),
                _text(column.max),
                _text(column.mean),
                _text(column.std),
                ", ".join(f"{_text(value)} ({count:,})" for value, count in column.top),
            )
            for column in self.columns
        ]

    def _repr_html_(self) -> str:
        from mlkit.display.page import fragment
        from mlkit.display.table import html_table

        return fragment(html_table(self.HEADER, self.cells(), caption=f"{self.rows:,} rows"))

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        lines = [self.HEADER, *self.cells()]
        widths = [max(len(line[cell]) for line in lines) for cell in range(len(self.HEADER))]
        texts = [
            "  ".join(f"{c:<{w}}" for c, w in zip(line, widths, strict=True)) for line in lines
        ]
        return "\n".join([f"{self.rows:,} rows", *(text.rstrip() for text in texts)])


def profile_column(name: str, column: "pa.ChunkedArray") -> ColumnProfile:
    """Give what a column holds.

    Example:
        >>> import pyarrow as pa
        >>> delay = profile_column("delay", pa.chunked_array([[3.0, None, 5.0]]))
        >>> delay.nulls, delay.min, delay.mean
        (1, 3.0, 4.0)
    """
    from pyarrow import types

    found: dict[str, Any] = {}
    plain = _plain(column)
    if (
        types.is_floating(plain.type)
        or types.is_integer(plain.type)
        or types.is_decimal(plain.type)
    ):
        found = _numbers(plain)
    elif types.is_boolean(plain.type):
        found = _truths(plain)
    elif types.is_string(plain.type) or types.is_large_string(plain.type):
        found = _words(plain)
    elif types.is_temporal(plain.type):
        found = _times(plain)
    nulls = column.null_count
    return ColumnProfile(
        name=name, type=type_text(column.type), count=len(column) - nulls, nulls=nulls, **found
    )


def _plain(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Give the column without dictionary and views, which fewer functions take."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if types.is_string_view(column.type):
        return column.cast(pa.large_string())
    return column.cast(pa.float32()) if types.is_float16(column.type) else column


def _numbers(column: "pa.ChunkedArray") -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    ends = pc.min_max(column).as_py()
    floats = column.cast(pa.float64()) if types.is_decimal(column.type) else column
    marks = pc.tdigest(floats, q=list(QUANTILES)).to_pylist()
    return {
        **ends,
        "distinct": pc.count_distinct(column).as_py(),
        "mean": _number(pc.mean(floats)),
        "std": _number(pc.stddev(floats)),
        "quantiles": {
            share: mark for share, mark in zip(QUANTILES, marks, strict=True) if mark is not None
        },
    }


def _truths(column: "pa.ChunkedArray") -> dict[str, Any]:
    import pyarrow.compute as pc

    counted = _counted(column)
    return {"distinct": len(counted), "mean": _number(pc.mean(column)), "top": tuple(counted)}


def _words(column: "pa.ChunkedArray") -> dict[str, Any]:
    import pyarrow.compute as pc

    counted = _counted(column)
    top = tuple(counted[:_TOP])
    return {**pc.min_max(column).as_py(), "distinct": len(counted), "top": top}


def _times(column: "pa.ChunkedArray") -> dict[str, Any]:
    """Give the first and last time; as text where Python's own types are too coarse."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    kind = column.type
    plain = column.cast(pa.int64()) if types.is_duration(kind) else column
    found = pc.min_max(plain)
    ends = {end: _moment(found[end].cast(kind)) for end in ("min", "max")}
    return {"distinct": pc.count_distinct(plain).as_py(), **ends}


def _moment(scalar: Any) -> Any:
    """Give a time as Python's own type, whether pandas is there or not, else as text."""
    import pyarrow as pa
    from pyarrow import types

    kind = scalar.type
    if getattr(kind, "unit", "") != "ns":
        return scalar.as_py()
    if types.is_timestamp(kind):
        target = pa.timestamp("us", kind.tz)
    else:
        target = pa.duration("us") if types.is_duration(kind) else pa.time64("us")
    try:
        return scalar.cast(target).as_py()
    except (pa.ArrowInvalid, OverflowError):
        digits = scalar.cast(pa.int64() if types.is_duration(kind) else pa.string()).as_py()
        return f"{digits} ns" if types.is_duration(kind) else digits


def _counted(column: "pa.ChunkedArray") -> list[tuple[Any, int]]:
    """Give the values with their counts, the commonest first, ties in their own order."""
    counts = column.drop_null().value_counts()
    pairs = zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))


def _number(scalar: Any) -> float | None:
    value = scalar.as_py()
    return None if value is None else float(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


Columns = Callable[[str], "pa.ChunkedArray"]
"""Gives a column by its name; so one column at a time is in memory."""


def profile_table(names: list[str], rows: int, columns: Columns) -> Profile:
    """Give what a table holds, reading one column after the other."""
    return Profile(rows, tuple(profile_column(name, columns(name)) for name in names))
