"""What one column holds, in figures."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Self

from attrs import field, frozen

from mlkit.data.profiles.column_form import Form
from mlkit.data.profiles.column_sketch import ColumnSketch
from mlkit.data.profiles.distribution import Distribution
from mlkit.data.profiles.number_sketch import NumberSketch

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_TOP = 5
_BINS = 20
_COMMON = 0.01


@frozen
class Lengths:
    """How long the values of a column are.

    Attributes:
        min: The length of the shortest: letters of texts, bytes of binaries, items of lists.
        mean: The mean length.
        max: The length of the longest.
    """

    min: int
    mean: float
    max: int


@frozen
class ColumnProfile:
    """What one column holds.

    Figures of columns with few different values are exact. `errors` names those that aren't.

    Attributes:
        name: The column.
        type: Its logical type.
        count: How many values it has that aren't null.
        nulls: How many are null.
        distinct: How many different values, without nulls and NaN; None for nested types. Exact
            up to 2,047; beyond with a standard error of 2.2 %, see `DistinctSketch`.
        min: The least value but NaN, of types that have an order; of texts the first 200 letters.
        max: The greatest value.
        mean: Of finite numbers, their mean; of booleans, the share that is true. None beyond all
            floats.
        std: Of finite numbers, the standard deviation of the population, computed in floats.
        quantiles: Of finite numbers and of times, the values below which these shares of them lie.
            Exact up to 1,024 different values or 2,047 values; beyond, see `QuantileSketch`.
        top: The commonest values with their counts, of numbers those that come more than once.
            Exact up to 1,024 different values; beyond, see `FrequentSketch`. Texts are told
            apart by their first 200 letters.
        nan: Of numbers, how many are NaN.
        infinite: Of numbers, how many are infinite.
        zeros: Of numbers, how many are zero.
        negatives: Of finite numbers, how many are below zero.
        lengths: Of texts, binaries and lists, how long they are.
        histogram: Of finite numbers and of times, where bins of one width start and end, and how
            many values lie in each. A bin holds its start; its end only when it is the last.
        errors: How far figures may be off: `distinct` its standard error as a share of it,
            `quantiles` (of the histogram too) the share of values by which a rank is off at
            most, `top` the share of values that a count is too low by at most.
        sketch: What all of this was told from, and what profiles are joined and compared by.
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
    quantiles: Mapping[float, Any] = field(factory=dict)
    top: tuple[tuple[Any, int], ...] = ()
    nan: int | None = None
    infinite: int | None = None
    zeros: int | None = None
    negatives: int | None = None
    lengths: Lengths | None = None
    histogram: tuple[tuple[Any, Any, int], ...] = field(default=(), repr=False)
    errors: Mapping[str, float] = field(factory=dict)
    sketch: ColumnSketch = field(kw_only=True, repr=False, eq=False)

    @classmethod
    def of(cls, sketch: ColumnSketch) -> Self:
        """Give what a sketch tells."""
        small = sketch.compressed()
        figures = _FIGURES.get(small.form, _none)(small)
        return cls(
            name=small.name,
            type=small.type,
            count=small.rows - small.nulls,
            nulls=small.nulls,
            sketch=small,
            **figures,
        )

    @property
    def rows(self) -> int:
        """How many values it has, with nulls."""
        return self.count + self.nulls

    def merge(self, other: "ColumnProfile") -> "ColumnProfile":
        """Give the profile of the rows of both, without reading them.

        Raises:
            InvalidInput: The columns have different types or units of time.
        """
        return ColumnProfile.of(self.sketch.merge(other.sketch))

    def to_json(self) -> dict[str, Any]:
        """Give all of it as plain values, fit for a JSON document."""
        return self.sketch.to_json()

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Give the profile of what `to_json` gave.

        Raises:
            InvalidInput: It is none.
        """
        return cls.of(ColumnSketch.from_json(data))


def _none(sketch: ColumnSketch) -> dict[str, Any]:
    # Of nothing but nulls there is no different value; of nested ones that isn't counted.
    return {"distinct": 0} if sketch.form is Form.NOTHING else {}


def _numbers(sketch: ColumnSketch) -> dict[str, Any]:
    numbers, found = sketch.numbers, _distinct(sketch)
    places = numbers.distribution()
    spread = _spread(numbers, places)
    found["errors"] |= spread.pop("errors")
    found |= spread
    found["min"], found["max"] = _ends(sketch)
    found |= {"mean": numbers.mean, "std": numbers.std}
    found |= {"nan": sketch.nan, "infinite": sketch.infinite}
    found |= {"zeros": numbers.zeros, "negatives": numbers.negatives}
    found["top"] = _repeated(places)
    if places.error and found["top"]:
        found["errors"]["top"] = 2 * places.error / places.count
    return found


def _ends(sketch: ColumnSketch) -> tuple[Any, Any]:
    """Give the least and greatest number: decimals as they are, floats with infinities."""
    low, high = sketch.numbers.low, sketch.numbers.high
    if sketch.low is None or isinstance(sketch.low, Decimal):
        return (low, high) if sketch.low is None else (sketch.low, sketch.high)
    if low is None:
        return sketch.low, sketch.high
    return min(low, sketch.low), max(high, sketch.high)


def _repeated(places: Distribution) -> tuple[tuple[Any, int], ...]:
    """Give the values that surely come again: of an approximation, those beyond its error."""
    counts = [high - low for low, high in zip((0, *places.ranks), places.ranks, strict=False)]
    least = max(2 * places.error, _COMMON * places.count) if places.error else 1
    pairs = [pair for pair in zip(places.values, counts, strict=True) if pair[1] > least]
    return tuple(sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:_TOP])


def _times(sketch: ColumnSketch) -> dict[str, Any]:
    numbers, ticks = sketch.numbers, sketch.ticks
    found = _distinct(sketch)
    if not numbers.count or ticks is None:
        return found
    spread = _spread(numbers, numbers.distribution())
    found["min"], found["max"] = ticks.moment(numbers.low), ticks.moment(numbers.high)
    found["quantiles"] = {
        share: ticks.moment(round(mark)) for share, mark in spread["quantiles"].items()
    }
    found["histogram"] = tuple(
        (ticks.moment(round(start)), ticks.moment(round(end)), count)
        for start, end, count in spread["histogram"]
    )
    found["errors"] |= spread["errors"]
    return found


def _spread(numbers: NumberSketch, places: Distribution) -> dict[str, Any]:
    if not numbers.count:
        return {"quantiles": {}, "histogram": (), "errors": {}}
    return {
        "quantiles": {share: places.quantile(share) for share in QUANTILES},
        "histogram": tuple(places.bins(_BINS)),
        "errors": {"quantiles": places.error / places.count} if places.error else {},
    }


def _texts(sketch: ColumnSketch) -> dict[str, Any]:
    frequent, found = sketch.frequent, _distinct(sketch)
    found |= {"min": sketch.low, "max": sketch.high, "lengths": _lengths(sketch)}
    found["top"] = tuple(pair for pair in frequent.top(_TOP) if pair[1] > frequent.missed)
    if frequent.missed:
        found["errors"]["top"] = frequent.missed / (sketch.rows - sketch.nulls)
    return found


def _truths(sketch: ColumnSketch) -> dict[str, Any]:
    counted = dict(sketch.frequent.top())
    every = sum(counted.values())
    mean = counted.get(True, 0) / every if every else None
    return {"distinct": len(counted), "mean": mean, "top": tuple(sketch.frequent.top())}


def _sized(sketch: ColumnSketch) -> dict[str, Any]:
    found = _distinct(sketch) if sketch.form is Form.BYTES else {}
    return {**found, "lengths": _lengths(sketch)}


def _distinct(sketch: ColumnSketch) -> dict[str, Any]:
    count = min(sketch.distinct.count, sketch.rows - sketch.nulls)
    error = sketch.distinct.error
    return {"distinct": count, "errors": {"distinct": error} if error else {}}


def _lengths(sketch: ColumnSketch) -> Lengths | None:
    lengths = sketch.lengths
    if not lengths.count:
        return None
    return Lengths(lengths.low, lengths.mean or 0.0, lengths.high)


_FIGURES = {
    Form.NUMBER: _numbers,
    Form.TIME: _times,
    Form.TEXT: _texts,
    Form.TRUTH: _truths,
    Form.BYTES: _sized,
    Form.LIST: _sized,
}
