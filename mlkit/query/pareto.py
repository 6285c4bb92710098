"""The runs that no other beats in one metric without being worse in another."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def pareto_rows(
    columns: "Mapping[str, pa.ChunkedArray]", modes: Mapping[str, str | None]
) -> "pa.Array":
    """Give the places of values that aren't dominated, in their order.

    One dominates another when it is at least as good in every metric and better in one. Those that
    lack a metric, or have NaN, are left out.

    Args:
        columns: Metric to its values, all of the same length.
        modes: Metric to `max` or `min`.

    Example:
        >>> import pyarrow as pa
        >>> columns = {"auc": pa.chunked_array([[0.7, 0.8, 0.75]]),
        ...            "cost": pa.chunked_array([[1.0, 3.0, 4.0]])}
        >>> pareto_rows(columns, {"auc": "max", "cost": "min"}).to_pylist()
        [0, 1]
    """
    import pyarrow as pa

    signs = [1.0 if modes[name] == "min" else -1.0 for name in columns]
    rows = zip(*(column.to_pylist() for column in columns.values()), strict=True)
    costs = {
        place: tuple(sign * value for sign, value in zip(signs, row, strict=True))
        for place, row in enumerate(rows)
        if all(value is not None and value == value for value in row)  # noqa: PLR0124 - NaN
    }
    front: dict[tuple[float, ...], list[int]] = {}
    for place in sorted(costs, key=lambda place: costs[place]):
        cost = costs[place]
        if cost in front:
            front[cost].append(place)
        elif not any(_at_least(other, cost) for other in front):
            front[cost] = [place]  # who comes later in the order of costs can't dominate it
    return pa.array(sorted(place for places in front.values() for place in places), pa.int64())


def _at_least(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(mine <= theirs for mine, theirs in zip(one, other, strict=True))
