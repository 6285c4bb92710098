"""How many rows and groups the parts of a split really have."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit.data.comparing.row_digest import Digests

MOST_GROUPS = 1_000_000
"""Of more groups than this, it isn't counted how many each part has."""


@frozen
class SplitCounts:
    """How many rows and groups each part has.

    Attributes:
        rows: The rows of each part, by its name.
        groups: The groups of each part; None where rows aren't grouped by columns, or where there
            are more than a million groups.
        missing: The rows of each part that have no value in the column that groups go by, where
            that is one column.
    """

    rows: Mapping[str, int]
    groups: Mapping[str, int] | None
    missing: Mapping[str, int]

    @property
    def total(self) -> int:
        """All rows."""
        return sum(self.rows.values())

    def share(self, name: str) -> float:
        """Give the share of the rows that a part has; 0 where there are no rows."""
        return self.rows[name] / (self.total or 1)


def count_parts(
    batches: Iterable[tuple["pa.Array", "Digests", "pa.Array"]],
    names: Sequence[str],
    edges: Sequence[Any],
    by: Sequence[str] | None,
) -> SplitCounts:
    """Count the rows and groups of each part.

    Args:
        batches: Of each row the number of its group, its digest, and whether its first column that
            the split goes by is null.
        names: The parts.
        edges: Their bounds.
        by: The columns that groups go by; None where rows aren't grouped.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    rows, missing = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    bounds = list(zip(names, edges[:-1], edges[1:], strict=True))
    groups = None if by is None else _Groups()

    def inside(places: "pa.Array", low: Any, high: Any) -> "pa.Array":
        return pc.and_(pc.greater_equal(places, low), pc.less(places, high))

    for places, digests, nulls in batches:
        for name, low, high in bounds:
            mask = inside(places, low, high)
            rows[name] += mask.true_count
            missing[name] += pc.and_(mask, nulls).true_count if nulls.true_count else 0
        if groups is not None:
            groups.take(digests.first)
    found = None if groups is None else groups.digests()
    counted = None
    if found is not None:
        places = pc.shift_right(found, pa.scalar(11, pa.uint64()))
        counted = {name: inside(places, low, high).true_count for name, low, high in bounds}
    return SplitCounts(rows, counted, missing if by is not None and len(by) == 1 else {})


class _Groups:
    """The digests of all groups, as long as there aren't too many."""

    def __init__(self) -> None:
        self._pieces: list[pa.Array] = []
        self._held = 0
        self._many = False

    def take(self, digests: "pa.Array") -> None:
        """Take those of some rows."""
        if self._many:
            return
        piece = digests.unique()
        self._pieces.append(piece)
        self._held += len(piece)
        if self._held > 2 * MOST_GROUPS:
            self._merge()

    def digests(self) -> "pa.Array | None":
        """Give each once; None where there are too many."""
        self._merge()
        return None if self._many else self._pieces[0]

    def _merge(self) -> None:
        import pyarrow as pa

        merged = pa.concat_arrays([pa.array([], pa.uint64()), *self._pieces]).unique()
        self._pieces = [merged]
        self._held = len(merged)
        if self._held > MOST_GROUPS:
            self._many = True
            self._pieces = [merged.slice(0, 0)]
