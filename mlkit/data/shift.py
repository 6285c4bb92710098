"""How far the values of a column moved from one profile to another, without reading them again."""

from typing import TYPE_CHECKING, Any

from attrs import frozen

from mlkit.display.formats import show_share

if TYPE_CHECKING:
    from mlkit.data.profile import ColumnProfile


@frozen
class Shift:
    """How far a column's distribution moved.

    Attributes:
        column: The column.
        measure: `ks`, the Kolmogorov-Smirnov distance, of numbers and times; or `tv`, the total
            variation distance, of texts, truth values and categories.
        distance: How far it moved, from 0 (not at all) to 1 (nothing in common).
        nulls: The share of nulls on both sides.
        error: How far the distance may be off, as profiles of large columns are approximate.
    """

    column: str
    measure: str
    distance: float
    nulls: tuple[float, float]
    error: float = 0.0

    @property
    def sentence(self) -> str:
        """What moved, in words."""
        told = f"{self.column} moved by {self.distance:.2f} of 1"
        if self.nulls[0] == self.nulls[1]:
            return told
        return f"{told}; nulls {show_share(self.nulls[0])} -> {show_share(self.nulls[1])}"

    def __str__(self) -> str:
        return self.sentence


def shift(before: "ColumnProfile", after: "ColumnProfile") -> Shift | None:
    """Give how far a column's distribution moved, from two profiles alone.

    Args:
        before: The column as it was.
        after: The column as it is.

    Returns:
        The shift; None where the two can't be compared: their types differ in kind, or neither
        has values.

    Example:
        >>> import pyarrow as pa
        >>> from mlkit.data.profile import profile_column
        >>> before = profile_column("carrier", pa.chunked_array([["UA", "AA", "UA", "AA"]]))
        >>> after = profile_column("carrier", pa.chunked_array([["UA", "UA", "UA", "AA"]]))
        >>> shift(before, after).distance
        0.25
    """
    nulls = (_null_share(before), _null_share(after))
    if before.quantiles and after.quantiles and not before.top and not after.top:
        marks = sorted({*before.quantiles.values(), *after.quantiles.values()})
        gap = max(abs(_below(before, mark) - _below(after, mark)) for mark in marks)
        return Shift(after.name, "ks", gap, nulls)
    if not before.top or not after.top:
        return None
    left, right = _shares(before), _shares(after)
    gap = sum(abs(left.get(value, 0.0) - right.get(value, 0.0)) for value in {*left, *right})
    return Shift(after.name, "tv", gap / 2, nulls)


def _null_share(profile: "ColumnProfile") -> float:
    return profile.nulls / ((profile.count + profile.nulls) or 1)


def _below(profile: "ColumnProfile", mark: Any) -> float:
    """Give the share of values up to a mark."""
    return max((share for share, value in profile.quantiles.items() if value <= mark), default=0.0)


def _shares(profile: "ColumnProfile") -> dict[Any, float]:
    return {value: count / profile.count for value, count in profile.top}
