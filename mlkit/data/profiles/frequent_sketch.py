"""The commonest values of a column with their counts, in a table of bounded size."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from mlkit.data.profiles.sketch_fields import count_of, pairs_of

if TYPE_CHECKING:
    import pyarrow as pa

SIZE = 1024


class FrequentSketch:
    """Counts values, and forgets rare ones when there are more than 1,024 different.

    Exact up to 1,024 different values. Beyond, a count may be too low by `missed` at most, and a
    value that isn't kept came no more often than that; `missed` is at most 1/1025 of all values,
    whatever their order. Source: Misra and Gries, "Finding repeated elements", 1982, as it is
    merged by Agarwal, Cormode, Huang, Phillips, Wei and Yi, "Mergeable Summaries", PODS 2012.

    Attributes:
        missed: How many of one value may not have been counted, at most.

    Example:
        >>> import pyarrow as pa
        >>> sketch = FrequentSketch()
        >>> sketch.update(pa.array(["UA", "AA", "UA"]).value_counts())
        >>> sketch.top(1), sketch.missed
        ([('UA', 2)], 0)
    """

    def __init__(self) -> None:
        self.missed = 0
        self._counts: dict[Any, int] = {}

    def update(self, counted: "pa.StructArray") -> None:
        """Add values that were counted.

        Args:
            counted: What `value_counts` gave of an array without nulls.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        values, counts = counted.field("values"), counted.field("counts")
        if len(counts) > SIZE:
            # Most values of a column of names or ids come once; they go before Python sees them.
            least = counts[pc.array_sort_indices(counts, order="descending")[SIZE].as_py()]
            kept = pc.greater(counts, least)
            values, counts = values.filter(kept), pc.subtract(counts.filter(kept), least)
            self.missed += least.as_py()
        self._add(zip(values.to_pylist(), counts.cast(pa.int64()).to_pylist(), strict=True))

    def merge(self, other: "FrequentSketch") -> "FrequentSketch":
        """Give the sketch of the values of both."""
        both = FrequentSketch()
        both.missed = self.missed + other.missed
        both._add(self._counts.items())
        both._add(other._counts.items())  # noqa: SLF001 - of the same class
        return both

    def _add(self, counted: Iterable[tuple[Any, int]]) -> None:
        counts = self._counts
        for value, count in counted:
            counts[value] = counts.get(value, 0) + count
        if len(counts) > SIZE:
            least = sorted(counts.values(), reverse=True)[SIZE]
            self._counts = {v: count - least for v, count in counts.items() if count > least}
            self.missed += least

    def __len__(self) -> int:
        return len(self._counts)

    def top(self, most: int | None = None) -> list[tuple[Any, int]]:
        """Give the commonest values with their counts, ties in the order of the values."""
        return sorted(self._counts.items(), key=lambda pair: (-pair[1], pair[0]))[:most]

    def to_json(self) -> dict[str, Any]:
        """Give the sketch as plain values."""
        return {"missed": self.missed, "counts": [[value, n] for value, n in self.top()]}

    @classmethod
    def from_json(cls, kind: type[Any], data: Any) -> Self:
        """Give the sketch of what `to_json` gave.

        Args:
            kind: The type of its values.
            data: What `to_json` gave.

        Raises:
            Misshapen: It is none.
        """
        sketch = cls()
        sketch.missed = count_of(data, "missed")
        sketch._counts = pairs_of(data, "counts", kind, SIZE)
        return sketch
