"""How many different values a column has, in a few kilobytes."""

import math
from typing import TYPE_CHECKING, Any, Self

from mlkit._core.shapes import Misshapen
from mlkit.data.profiles.packed_arrays import packed, unpacked

if TYPE_CHECKING:
    import pyarrow as pa

SIZE = 2048
_WORD = float(1 << 64)
_PROBE = 4 * SIZE


class DistinctSketch:
    """Counts different values by the least of their hashes.

    Exact up to 2,047 different values. Beyond, the 2,048 least hashes tell how densely hashes lie,
    with a standard error of 2.2 % (1 / sqrt(2048 - 2)), whatever the order of the values and
    however often each comes. Source: Beyer, Haas, Reinwald, Sismanis and Gemulla, "On Synopses for
    Distinct-Value Estimation Under Multiset Operations", SIGMOD 2007, the unbiased estimator.

    Example:
        >>> import pyarrow as pa
        >>> from mlkit.data.profiles.value_hashes import hash_numbers
        >>> sketch = DistinctSketch()
        >>> sketch.update(hash_numbers(pa.array([1, 2, 2])))
        >>> sketch.count, sketch.exact
        (2, True)
    """

    def __init__(self) -> None:
        import pyarrow as pa

        self._hashes: Any = pa.array([], pa.uint64())

    def update(self, hashes: "pa.UInt64Array") -> None:
        """Add the hashes of values."""
        # Once a few are in, the limit that they set keeps nearly all others out.
        self._add(hashes.slice(0, _PROBE))
        self._add(hashes.slice(_PROBE))

    def _add(self, hashes: "pa.UInt64Array") -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self.exact:
            hashes = hashes.filter(pc.less(hashes, self._hashes[-1]))
        if not len(hashes):
            return
        every = pa.concat_arrays([self._hashes, hashes]).unique()
        self._hashes = every.take(pc.array_sort_indices(every).slice(0, SIZE))

    def merge(self, other: "DistinctSketch") -> "DistinctSketch":
        """Give the sketch of the values of both."""
        both = DistinctSketch()
        both.update(self._hashes)
        both.update(other._hashes)  # noqa: SLF001 - of the same class
        return both

    @property
    def exact(self) -> bool:
        """Whether the count is exact."""
        return len(self._hashes) < SIZE

    @property
    def count(self) -> int:
        """How many different values there are, or about how many."""
        if self.exact:
            return len(self._hashes)
        greatest: int = self._hashes[-1].as_py()
        return round((SIZE - 1) * _WORD / (greatest + 1))

    @property
    def error(self) -> float:
        """The standard error of the count, as a share of it."""
        return 0.0 if self.exact else 1 / math.sqrt(SIZE - 2)

    def to_json(self) -> str:
        """Give the sketch as text."""
        return packed(self._hashes)

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Give the sketch of what `to_json` gave.

        Raises:
            Misshapen: It is none.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        sketch = cls()
        hashes = unpacked(data, pa.uint64())
        rising = pc.less(hashes.slice(0, max(len(hashes) - 1, 0)), hashes.slice(1))
        if len(hashes) > SIZE or pc.all(rising).as_py() not in {True, None}:
            raise Misshapen("The hashes of different values aren't those of a sketch")
        sketch._hashes = hashes
        return sketch
