"""A distribution as values in order and how many lie up to each: quantiles, bins, distances."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

from attrs import evolve, field, frozen


@frozen
class Distribution:
    """Where the values of a column lie.

    Attributes:
        values: Different values in ascending order.
        ranks: How many of all values lie up to each of them.
        error: How many ranks a value may be off at most; 0 where all values are here.
    """

    values: Sequence[Any] = field(repr=False)
    ranks: Sequence[int] = field(repr=False)
    error: float = 0

    @classmethod
    def of(cls, counted: Iterable[tuple[Any, int]], *, error: float = 0) -> "Distribution":
        """Give the distribution of values with their counts, in any order.

        Example:
            >>> Distribution.of([(3, 1), (1, 2), (3, 1)]).ranks
            (2, 4)
        """
        counts: dict[Any, int] = {}
        for value, count in counted:
            counts[value] = counts.get(value, 0) + count
        values = sorted(counts)
        return cls(tuple(values), tuple(accumulate(counts[value] for value in values)), error)

    @property
    def count(self) -> int:
        """How many values there are, those that come again too."""
        return self.ranks[-1] if self.ranks else 0

    def share_up_to(self, value: Any) -> float:
        """Give the share of values that are at most this one."""
        place = bisect_right(self.values, value)
        return self.ranks[place - 1] / self.count if place else 0.0

    def at(self, rank: int) -> Any:
        """Give the value that so many lie before."""
        return self.values[min(bisect_right(self.ranks, rank), len(self.values) - 1)]

    def quantile(self, share: float) -> Any:
        """Give the value below which a share of all lies, between two values in proportion.

        Example:
            >>> Distribution.of([(1, 1), (2, 1)]).quantile(0.5)
            1.5
        """
        place = share * (self.count - 1)
        low, high = self.at(math.floor(place)), self.at(math.ceil(place))
        if low == high:
            return low
        part = place - math.floor(place)
        return low * (1 - part) + high * part  # without the difference, which may be too large

    def bins(self, most: int) -> list[tuple[Any, Any, int]]:
        """Give bins of one width from the least to the greatest value, and how many lie in each.

        Whole numbers have bins that begin and end between two of them.

        Example:
            >>> Distribution.of([(0, 3), (1, 1)]).bins(20)
            [(-0.5, 0.5, 3), (0.5, 1.5, 1)]
        """
        if not self.values:
            return []
        edges = _edges(self.values[0], self.values[-1], most)
        # A bin holds its start and not its end, but the last, which holds both.
        below = [self._rank_below(edge) for edge in edges[1:-1]]
        ranks = [0, *below, self.count]
        return [
            (start, end, high - low)
            for start, end, low, high in zip(edges, edges[1:], ranks, ranks[1:], strict=False)
        ]

    def _rank_below(self, value: Any) -> int:
        place = bisect_left(self.values, value)
        return self.ranks[place - 1] if place else 0

    def distance(self, other: "Distribution") -> float:
        """Give the Kolmogorov-Smirnov distance: the widest gap of the two shares up to a value.

        Source: Kolmogorov, "Sulla determinazione empirica di una legge di distribuzione", 1933;
        Smirnov, 1939. Both must have values.
        """
        own, others = (
            dict(zip(self.values, self.ranks, strict=True)),
            dict(zip(other.values, other.ranks, strict=True)),
        )
        left = right = 0
        widest = 0.0
        for value in sorted({*own, *others}):
            left, right = own.get(value, left), others.get(value, right)
            widest = max(widest, abs(left / self.count - right / other.count))
        return widest

    def with_infinite(self, count: int, low: Any, high: Any) -> "Distribution":
        """Give the distribution with infinite numbers at its ends.

        Args:
            count: How many there are.
            low: The least of them.
            high: The greatest. Where both ends are infinite, it isn't known how many are at which:
                the error says so.
        """
        if not count:
            return self
        below = count if high < 0 else 1 if low < 0 else 0
        unsure = count - 2 if low < 0 < high else 0
        values, ranks = list(self.values), [rank + below for rank in self.ranks]
        if below:
            values, ranks = [-math.inf, *values], [below, *ranks]
        if count > below:
            values, ranks = [*values, math.inf], [*ranks, self.count + count]
        return Distribution(tuple(values), tuple(ranks), self.error + unsure)

    def scaled(self, factor: int) -> "Distribution":
        """Give the distribution of all values times a factor above 0."""
        return evolve(self, values=tuple(value * factor for value in self.values))


def _edges(low: Any, high: Any, most: int) -> list[Any]:
    if isinstance(low, int) and isinstance(high, int):
        width = -(-(high - low + 1) // most)
        count = -(-(high - low + 1) // width)
        return [low - 0.5 + width * step for step in range(count + 1)]
    if low == high:
        return [low, high]
    steps = [step / most for step in range(1, most)]
    between = [low * (1 - step) + high * step for step in steps]
    return [low, *between, high]
