"""Rows that one of two tables has and the other lacks, whatever their order."""

from typing import TYPE_CHECKING

from attrs import frozen

from mlkit.data.logical import plain_type

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit.data.version import DatasetVersion

MOST_VALUES = 20_000_000
"""Rows of tables with more values, rows times columns, aren't matched, to bound time and memory."""


@frozen
class RowDiff:
    """What became of the rows.

    Attributes:
        added: How many rows only the newer side has; None where rows weren't matched.
        removed: How many rows only the older side has; None where rows weren't matched.
        why: Why rows weren't matched, where they weren't.
    """

    added: int | None = None
    removed: int | None = None
    why: str = ""


def row_diff(before: "DatasetVersion", after: "DatasetVersion", columns: list[str]) -> RowDiff:
    """Count the rows that only one side has, by the values of some columns; equal rows count each.

    Args:
        before: The older side, a table.
        after: The newer side, a table.
        columns: The columns to go by, which both have with one logical type.

    Raises:
        Corrupt: What was stored is damaged.
    """
    import pyarrow as pa

    if not columns:
        return RowDiff(why="no column is in both")
    if max(before.rows or 0, after.rows or 0) * len(columns) > MOST_VALUES:
        return RowDiff(why=f"more than {MOST_VALUES:,} values")
    schema = pa.schema([(name, plain_type(before.schema.field(name).type)) for name in columns])
    try:
        sides = [
            _signed(version.to_arrow(columns).cast(schema), sign)
            for version, sign in ((before, -1), (after, 1))
        ]
        return _counted(pa.concat_tables(sides), len(columns))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return RowDiff(why="a column's type has no equality")


def _signed(table: "pa.Table", sign: int) -> "pa.Table":
    """Name the columns by their places, and put the side beside them."""
    import pyarrow as pa

    side = pa.repeat(pa.scalar(sign, pa.int64()), table.num_rows)
    names = [str(number) for number in range(table.num_columns)]
    return table.rename_columns(names).append_column("side", side)


def _counted(both: "pa.Table", width: int) -> RowDiff:
    import pyarrow.compute as pc

    keys = [str(number) for number in range(width)]
    excess = both.group_by(keys).aggregate([("side", "sum")])["side_sum"]
    most, least = pc.max_element_wise(excess, 0), pc.min_element_wise(excess, 0)
    return RowDiff(pc.sum(most).as_py() or 0, -(pc.sum(least).as_py() or 0))
