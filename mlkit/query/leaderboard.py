"""The best runs by a metric, with what differs between them."""

from typing import TYPE_CHECKING, Any

from mlkit._core.codec import encode_value
from mlkit.index.row import storable
from mlkit.index.view import View
from mlkit.query.columns import key_column
from mlkit.query.frame import Frame
from mlkit.query.showing import short_ids

if TYPE_CHECKING:
    import pyarrow as pa

_OWN = frozenset({"rank", "run", "name", "behind", "read"})
"""What columns of a leaderboard are called."""


def leaderboard(
    view: View, rows: "pa.Array", metric: str, values: "pa.ChunkedArray", *, mode: str, n: int
) -> Frame:
    """Give the best of some runs as a table; see `RunTable.leaderboard`.

    Args:
        view: Where the runs are.
        rows: Their rows.
        metric: The metric.
        values: What each has of it.
        mode: Whether `max` or `min` is best.
        n: How many runs.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = pc.if_else(pc.is_nan(values), None, values)
    order = "descending" if mode == "max" else "ascending"
    places = pc.array_sort_indices(numbers.combine_chunks(), order=order, null_placement="at_end")
    places = places.slice(0, min(max(n, 0), len(numbers) - numbers.null_count))
    first = rows.take(places)
    best = numbers.take(places)
    inputs = view.links("inputs").take(first)
    columns: dict[str, Any] = {
        "rank": pc.rank(best.combine_chunks(), sort_keys=order, tiebreaker="min"),
        "run": short_ids(view, rows, first),
    }
    names = view.fixed("name").take(first)
    if names.null_count < len(names):
        columns["name"] = names
    columns[_column_of(metric)] = best
    if len(best):
        columns["behind"] = pc.abs(pc.subtract(best, best[0]))
    read = [", ".join(link["ref"] for link in links) for links in inputs.to_pylist()]
    if len(set(read)) > 1:  # figures of different data can't be compared
        columns["read"] = read
    for name in sorted(view.names("params")):
        column = key_column(view, "params", name, first)
        if column is not None and len(set(map(encode_value, column.to_pylist()))) > 1:
            columns[storable(f"params.{name}")] = column
    return Frame(pa.table(columns))


def _column_of(metric: str) -> str:
    """Give the name of a metric's column; one that another column has gets its home before it."""
    name = storable(metric)
    return f"metrics.{name}" if name in _OWN or name.startswith("params.") else name
