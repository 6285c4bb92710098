"""What many numbers are like: extremes, mean, spread, zeros, and where they lie."""

import math
from typing import TYPE_CHECKING, Any, Self

from mlkit._core import shapes
from mlkit.data.profiles.distribution import Distribution
from mlkit.data.profiles.quantile_sketch import KINDS, QuantileSketch
from mlkit.data.profiles.sketch_fields import count_of, pairs_of, value_of

if TYPE_CHECKING:
    import pyarrow as pa

SIZE = 1024
_PROBE = 4 * SIZE
_MOST = 2 * SIZE
_EXACT_SUM = 1 << 62


class NumberSketch:
    """Takes numbers in, and tells what they are like.

    Up to 1,024 different numbers are counted each, so that all is exact however often they come;
    more go into a `QuantileSketch`. Mean and spread of parts are joined by the formula of Chan,
    Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances", 1979.

    Attributes:
        kind: The Arrow type of the numbers: `int64`, `uint64` or `double`.
        count: How many there are.
        low: The least; None where there is none.
        high: The greatest.
        zeros: How many are zero.
        negatives: How many are below zero.

    Example:
        >>> import pyarrow as pa
        >>> sketch = NumberSketch("int64")
        >>> sketch.update(pa.array([3, 5, 4]))
        >>> sketch.low, sketch.mean, sketch.distribution().quantile(0.5)
        (3, 4.0, 4)
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.count = self.zeros = self.negatives = 0
        self.low: Any = None
        self.high: Any = None
        self._mean = self._squares = 0.0
        self._counts: dict[Any, int] | None = {}
        self._quantiles = QuantileSketch(kind)

    @property
    def mean(self) -> float | None:
        """The mean; None where there is none, or beyond all floats."""
        return self._mean if self.count and math.isfinite(self._mean) else None

    @property
    def std(self) -> float | None:
        """The standard deviation of the population."""
        found = math.sqrt(max(self._squares, 0.0) / self.count) if self.count else math.nan
        return found if math.isfinite(found) else None

    @property
    def exact(self) -> bool:
        """Whether all numbers are known, and not only about where they lie."""
        return self._counts is not None or not self._quantiles.error

    def counts(self) -> dict[Any, int] | None:
        """Give how often each number comes; None where there are too many."""
        return self._counts

    def update(self, array: "pa.Array") -> None:
        """Add numbers.

        Args:
            array: Of the sketch's type, finite and without nulls.
        """
        if not len(array):
            return
        low, high = self._measure(array)
        self.low = low if self.low is None else min(low, self.low)
        self.high = high if self.high is None else max(high, self.high)
        self._place(array)

    def _measure(self, array: "pa.Array") -> tuple[Any, Any]:
        """Add what is known without order, and give the least and greatest."""
        import pyarrow as pa
        import pyarrow.compute as pc

        ends = pc.min_max(array)
        low, high = ends["min"].as_py(), ends["max"].as_py()
        if low <= 0 <= high:
            self.zeros += pc.sum(pc.equal(array, pa.scalar(0, array.type))).as_py()
        if low < 0:
            self.negatives += pc.sum(pc.less(array, pa.scalar(0, array.type))).as_py()
        # A sum of whole numbers must not run over.
        whole = max(abs(low), abs(high)) * len(array) >= _EXACT_SUM
        floats = array.cast(pa.float64(), safe=False) if whole else array
        self._join(len(array), float(pc.mean(floats).as_py()), pc.variance(floats).as_py())
        return low, high

    def _join(self, count: int, mean: float, variance: float) -> None:
        every = self.count + count
        apart = mean - self._mean
        part = count / every
        self._squares += variance * count + apart * apart * self.count * part
        self._mean = mean if not self.count else self._mean + apart * part
        self.count = every

    def _place(self, array: "pa.Array") -> None:
        for piece in (array.slice(0, _PROBE), array.slice(_PROBE)):
            if self._counts is None:
                self._quantiles.update(piece)
                continue
            counted = piece.value_counts()
            if len(counted) > _MOST:
                self._spill()
                self._quantiles.update(piece)
                continue
            for value, count in zip(
                counted.field("values").to_pylist(),
                counted.field("counts").to_pylist(),
                strict=True,
            ):
                self._counts[value] = self._counts.get(value, 0) + count
            if len(self._counts) > SIZE:
                self._spill()

    def _spill(self) -> None:
        counts, self._counts = self._counts or {}, None
        self._quantiles.update_counted(list(counts), list(counts.values()))

    def merge(self, other: "NumberSketch") -> "NumberSketch":
        """Give the sketch of the numbers of both."""
        both = NumberSketch(self.kind)
        for sketch in (self, other):
            if sketch.count:
                both._take_in(sketch)
        return both

    def _take_in(self, other: "NumberSketch") -> None:
        if self.count:
            self._join(other.count, other._mean, other._squares / other.count)  # noqa: SLF001 - of the same class
        else:
            self.count, self._mean, self._squares = other.count, other._mean, other._squares  # noqa: SLF001 - of the same class
        self.zeros += other.zeros
        self.negatives += other.negatives
        self.low = other.low if self.low is None else min(self.low, other.low)
        self.high = other.high if self.high is None else max(self.high, other.high)
        if self._counts is not None and other._counts is not None:  # noqa: SLF001 - of the same class
            for value, count in other._counts.items():  # noqa: SLF001 - of the same class
                self._counts[value] = self._counts.get(value, 0) + count
            if len(self._counts) > SIZE:
                self._spill()
            return
        if self._counts is not None:
            self._spill()
        more = other._quantiles  # noqa: SLF001 - of the same class
        if other._counts is not None:  # noqa: SLF001 - of the same class
            more = QuantileSketch(self.kind)
            more.update_counted(list(other._counts), list(other._counts.values()))  # noqa: SLF001 - of the same class
        self._quantiles = self._quantiles.merge(more)

    def compressed(self) -> "NumberSketch":
        """Give the sketch in little room."""
        small = NumberSketch(self.kind)
        if self.count:
            small._take_in(self)
        small._quantiles = small._quantiles.compressed()
        return small

    def distribution(self) -> Distribution:
        """Give where the numbers lie; the least and greatest are exact."""
        if self._counts is not None:
            return Distribution.of(self._counts.items())
        found = Distribution.of(self._quantiles.counted(), error=self._quantiles.error)
        if not found.error:
            return found
        # Those that were left out at the ends would take the extremes with them.
        values, ranks = list(found.values), list(found.ranks)
        if self.low < values[0]:
            values, ranks = [self.low, *values], [1, *ranks]
        if self.high > values[-1]:
            ranks[-1] -= 1
            values, ranks = [*values, self.high], [*ranks, found.count]
        return Distribution(tuple(values), tuple(ranks), found.error + 1)

    def to_json(self) -> dict[str, Any]:
        """Give the sketch as plain values."""
        data = {
            "kind": self.kind,
            "count": self.count,
            "zeros": self.zeros,
            "negatives": self.negatives,
            "low": self.low,
            "high": self.high,
            "mean": self.mean,
            "squares": self._squares if math.isfinite(self._squares) else None,
        }
        if self._counts is None:
            return {**data, "quantiles": self._quantiles.to_json()}
        return {**data, "counts": [[value, n] for value, n in sorted(self._counts.items())]}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Give the sketch of what `to_json` gave.

        Raises:
            Misshapen: It is none.
        """
        sketch = cls(shapes.required(data, "kind", str))
        if sketch.kind not in KINDS:
            raise shapes.Misshapen(f"{sketch.kind[:80]!r} is no type of numbers")
        sketch.count = count_of(data, "count")
        if not sketch.count:
            return sketch
        sketch.zeros, sketch.negatives = count_of(data, "zeros"), count_of(data, "negatives")
        number: type[Any] = float if sketch.kind == "double" else int
        sketch.low, sketch.high = (value_of(data.get(end), number) for end in ("low", "high"))
        for name in ("mean", "squares"):
            found = shapes.optional(data, name, float)
            setattr(sketch, f"_{name}", math.inf if found is None else found)
        if "quantiles" in data:
            sketch._counts = None
            sketch._quantiles = QuantileSketch.from_json(sketch.kind, data["quantiles"])
            held = sketch._quantiles.counted()
        else:
            sketch._counts = pairs_of(data, "counts", number, SIZE)
            held = list(sketch._counts.items())
        values = [value for value, _ in held] or [math.nan]
        known = sum(count for _, count in held)
        if known != sketch.count or not sketch.low <= min(values) <= max(values) <= sketch.high:
            raise shapes.Misshapen("The numbers of a sketch aren't those that it says")
        return sketch
