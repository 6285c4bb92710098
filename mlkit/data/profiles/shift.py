"""How far the values of a column moved from one profile to another, without reading them again."""

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from attrs import frozen

from mlkit.data.profiles.column_form import Form
from mlkit.display.formats import show, show_share
from mlkit.display.markup import plain

if TYPE_CHECKING:
    from mlkit.data.profiles.column_profile import ColumnProfile
    from mlkit.data.profiles.column_sketch import ColumnSketch
    from mlkit.data.profiles.distribution import Distribution

_KEPT = 0.5
_LETTERS = 32
_MEASURES = {"ks": "Kolmogorov-Smirnov", "tv": "total variation"}


@frozen
class Shift:
    """How far a column's distribution moved.

    Attributes:
        column: The column.
        measure: `ks`, the Kolmogorov-Smirnov distance, of numbers, times and lengths; or `tv`, the
            total variation distance, of texts, truth values and categories.
        distance: How far it moved, from 0 (not at all) to 1 (nothing in common).
        nulls: The share of nulls and NaN on both sides.
        error: How far the distance may be off at most, as profiles of large columns are
            approximate.
        of: What was compared: `values`, or `lengths` of binaries, of lists, and of texts that
            are mostly different.
        detail: What moved most, as text: the median, or the value whose share changed most.
        least: How far it moved for certain, whatever the profiles left out.
    """

    column: str
    measure: str
    distance: float
    nulls: tuple[float, float]
    error: float = 0.0
    of: str = "values"
    detail: str = ""
    least: float = 0.0

    @property
    def sentence(self) -> str:
        """What moved, in words."""
        lengths = "the lengths of " if self.of == "lengths" else ""
        told = f"{lengths}{plain(self.column)} moved by {self.distance:.2f} of 1"
        parts = [f"{told} ({_MEASURES[self.measure]})", self.detail]
        if self.nulls[0] != self.nulls[1]:
            parts.append(f"nulls {show_share(self.nulls[0])} -> {show_share(self.nulls[1])}")
        return "; ".join(part for part in parts if part)

    def __str__(self) -> str:
        return self.sentence

    def to_json(self) -> dict[str, Any]:
        """Give all of it as plain values, fit for a JSON document."""
        return {
            "column": self.column,
            "measure": self.measure,
            "distance": self.distance,
            "nulls": list(self.nulls),
            "error": self.error,
            "of": self.of,
            "detail": self.detail,
            "least": self.least,
        }


def shift(before: "ColumnProfile", after: "ColumnProfile") -> Shift | None:
    """Give how far a column's distribution moved, from two profiles alone.

    Numbers and times are compared by the widest gap between their shares up to a value
    (Kolmogorov 1933, Smirnov 1939), texts and truth values by half the sum of the differences of
    their shares (total variation), where rare ones that a profile doesn't keep count as one. Both
    are effect sizes: they don't grow with the rows. Infinite numbers lie beyond all others. Nulls
    and NaN are left out, and told beside.

    Args:
        before: The column as it was.
        after: The column as it is.

    Returns:
        The shift, 1 where one side has no values any more; None where the two can't be compared:
        their values are of other kinds, or nested, or neither has values.

    Example:
        >>> import pyarrow as pa
        >>> from mlkit.data.profiles.profile import profile_column
        >>> before = profile_column("carrier", pa.chunked_array([["UA", "AA", "UA", "AA"]]))
        >>> after = profile_column("carrier", pa.chunked_array([["UA", "UA", "UA", "AA"]]))
        >>> print(shift(before, after))
        carrier moved by 0.25 of 1 (total variation); AA 50.0 % -> 25.0 %
    """
    left, right = before.sketch, after.sketch
    if left.form is not right.form or left.form in {Form.OTHER, Form.NOTHING}:
        return None
    if left.ticks and right.ticks and left.ticks.what != right.ticks.what:
        return None
    counts = [sketch.rows - sketch.nulls - sketch.nan for sketch in (left, right)]
    if not any(counts):
        return None
    nulls = (_missing(left), _missing(right))
    if left.form in {Form.TEXT, Form.TRUTH}:
        if not all(counts):
            return Shift(after.name, "tv", 1.0, nulls, detail=_emptied(counts), least=1.0)
        if all(_kept(sketch) >= _KEPT for sketch in (left, right)):
            return _variation(after.name, left, right, nulls)
    numeric = left.form in {Form.NUMBER, Form.TIME}
    places = _places if numeric else _length_places
    told = (lambda mark: _moment(right, mark)) if numeric else show
    gap = _gap(places(left), places(right), told)
    if gap is None:
        return None
    distance, error, detail = gap
    of = "values" if numeric else "lengths"
    least = max(distance - error, 0.0)
    return Shift(after.name, "ks", distance, nulls, error, of, detail, least)


def _places(sketch: "ColumnSketch") -> "Distribution":
    """Give where numbers lie; times in nanoseconds, as two columns may count otherwise."""
    places = sketch.numbers.distribution()
    if sketch.ticks:
        return places.scaled(sketch.ticks.nanoseconds)
    return places.with_infinite(sketch.infinite, sketch.low, sketch.high)


def _length_places(sketch: "ColumnSketch") -> "Distribution":
    return sketch.lengths.distribution()


def _moment(sketch: "ColumnSketch", mark: Any) -> str:
    ticks = sketch.ticks
    return show(mark) if ticks is None else show(ticks.moment(round(mark) // ticks.nanoseconds))


def _gap(
    left: "Distribution", right: "Distribution", told: Callable[[Any], str]
) -> tuple[float, float, str] | None:
    """Give the widest gap, how far it may be off, and how the median moved."""
    if not left.count and not right.count:
        return None
    if not left.count or not right.count:
        return 1.0, 0.0, _emptied([left.count, right.count])
    error = left.error / left.count + right.error / right.count
    marks = [told(side.quantile(0.5)) for side in (left, right)]
    detail = f"median {marks[0]} -> {marks[1]}" if marks[0] != marks[1] else ""
    return left.distance(right), min(error, 1.0), detail


def _variation(
    name: str, left: "ColumnSketch", right: "ColumnSketch", nulls: tuple[float, float]
) -> Shift:
    before, after = _shares(left), _shares(right)
    changes = {
        value: after.get(value, 0.0) - before.get(value, 0.0) for value in sorted({*before, *after})
    }
    rest = [max(1.0 - math.fsum(shares.values()), 0.0) for shares in (before, after)]
    apart = math.fsum(map(abs, changes.values())) + abs(rest[0] - rest[1])
    most = max(changes, key=lambda value: abs(changes[value]))
    detail = ""
    if changes[most]:
        shares = [show_share(side.get(most, 0.0)) for side in (before, after)]
        detail = f"{show(most)[:_LETTERS]} {shares[0]} -> {shares[1]}"
    distance = min(apart / 2, 1.0)
    if not (left.frequent.missed or right.frequent.missed):
        return Shift(name, "tv", distance, nulls, 0.0, "values", detail, distance)
    # What was forgotten of a value counts among the rest; so much may have been moved.
    least = _least_variation(changes.values(), _forgotten(left), _forgotten(right))
    return Shift(name, "tv", distance, nulls, min(sum(rest), 1.0), "values", detail, least)


def _least_variation(changes: Iterable[float], before: float, after: float) -> float:
    """Give the least that a distribution moved when a share may have been larger by so much.

    The total variation is the sum of all that rose, and that of all that fell.
    """
    changes = list(changes)
    risen = math.fsum(max(change - before, 0.0) for change in changes)
    fallen = math.fsum(max(-change - after, 0.0) for change in changes)
    return min(max(risen, fallen), 1.0)


def _forgotten(sketch: "ColumnSketch") -> float:
    """Give the share of all values that one may have more than is counted."""
    return sketch.frequent.missed / (sketch.rows - sketch.nulls)


def _shares(sketch: "ColumnSketch") -> dict[Any, float]:
    count = sketch.rows - sketch.nulls
    return {value: held / count for value, held in sketch.frequent.top()}


def _kept(sketch: "ColumnSketch") -> float:
    return math.fsum(_shares(sketch).values())


def _missing(sketch: "ColumnSketch") -> float:
    return (sketch.nulls + sketch.nan) / (sketch.rows or 1)


def _emptied(counts: list[int]) -> str:
    return "it has no values any more" if counts[0] else "it had no values before"
