"""Where numbers lie, in a few kilobytes: any quantile, with an error that is known."""

from typing import TYPE_CHECKING, Any, Self

from mlkit._core import shapes
from mlkit.data.profiles.ordering import near_order
from mlkit.data.profiles.packed_arrays import packed, unpacked
from mlkit.data.profiles.sketch_fields import count_of

if TYPE_CHECKING:
    import pyarrow as pa

SIZE = 1024
_MOST = 2 * SIZE
_HIGHEST = 62
KINDS = ("int64", "uint64", "double")


class QuantileSketch:
    """Keeps some of many numbers, each standing for a power of two of them.

    Up to 2,047 numbers it keeps them all. Of more, it sorts them and keeps every second, every
    fourth and so on. That no value's rank is off by more than `error` is no estimate: it is
    counted while numbers are left out, and holds for each order of the numbers, also the worst. It
    grows with the logarithm of their number: of a million numbers, handed over 65,536 or more at
    once, no rank is off by more than 0.2 % of them, of a billion by more than 0.5 %.

    Sources: Munro and Paterson, "Selection and Sorting with Limited Storage", 1980; Manku,
    Rajagopalan and Lindsay, "Approximate Medians and other Quantiles in One Pass and with Limited
    Memory", SIGMOD 1998; for merging, Agarwal, Cormode, Huang, Phillips, Wei and Yi, "Mergeable
    Summaries", PODS 2012.

    Args:
        kind: The Arrow type of the numbers: `int64`, `uint64` or `double`.

    Example:
        >>> import pyarrow as pa
        >>> sketch = QuantileSketch("int64")
        >>> sketch.update(pa.array(range(100_000)))
        >>> sketch.error <= 100, sum(count for _, count in sketch.counted())
        (True, 100000)
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._levels: dict[int, Any] = {}
        self._over = self._under = 0

    @property
    def error(self) -> int:
        """By how many ranks a value may be off at most."""
        return max(self._over, self._under)

    def update(self, array: "pa.Array") -> None:
        """Add numbers.

        Args:
            array: Of the sketch's type, without nulls and NaN.
        """
        import pyarrow as pa

        level = (len(array) // SIZE).bit_length() - 1
        if level < 1:
            self._put(0, array)
            return
        # Many at once are sorted at once, which costs one error of half a step.
        step = 1 << level
        body = len(array) - len(array) % step
        order, off = near_order(array.slice(0, body))
        kept = order.take(pa.array(range(step // 2, body, step), pa.uint64()))
        self._over, self._under = self._over + step // 2 + off, self._under + step // 2 + off
        self._put(level, array.take(kept))
        self._put(0, array.slice(body))

    def update_counted(self, values: list[Any], counts: list[int]) -> None:
        """Add numbers that come several times each, without an error."""
        import pyarrow as pa

        for level in range(max(counts, default=0).bit_length()):
            bit = 1 << level
            held = [value for value, count in zip(values, counts, strict=True) if count & bit]
            self._put(level, pa.array(held, self._type()))

    def merge(self, other: "QuantileSketch") -> "QuantileSketch":
        """Give the sketch of the numbers of both; the errors of both add up."""
        both = QuantileSketch(self.kind)
        both._over = self._over + other._over  # noqa: SLF001 - of the same class
        both._under = self._under + other._under  # noqa: SLF001 - of the same class
        for sketch in (self, other):
            for level, items in sorted(sketch._levels.items()):  # noqa: SLF001 - of the same class
                both._put(level, items)
        return both

    def compressed(self) -> "QuantileSketch":
        """Give the sketch in at most 2,048 numbers and one for each level."""
        small = self.merge(QuantileSketch(self.kind))
        levels = small._levels  # noqa: SLF001 - of the same class
        while sum(map(len, levels.values())) > _MOST + len(levels):
            lowest = min(level for level, items in levels.items() if len(items) > 1)
            small._halve(lowest)  # noqa: SLF001 - of the same class
        return small

    def counted(self) -> list[tuple[Any, int]]:
        """Give the numbers that are kept, each with how many it stands for."""
        return [
            (value, 1 << level)
            for level, items in sorted(self._levels.items())
            for value in items.to_pylist()
        ]

    def to_json(self) -> dict[str, Any]:
        """Give the sketch as plain values."""
        levels = {str(level): packed(items) for level, items in sorted(self._levels.items())}
        return {"over": self._over, "under": self._under, "levels": levels}

    @classmethod
    def from_json(cls, kind: str, data: Any) -> Self:
        """Give the sketch of what `to_json` gave.

        Raises:
            Misshapen: It is none.
        """
        import pyarrow.compute as pc

        if kind not in KINDS:
            raise shapes.Misshapen(f"{kind[:80]!r} is no type of numbers")
        sketch = cls(kind)
        for name, text in shapes.mapping(data, "levels", str).items():
            items = unpacked(text, sketch._type())
            if not (name.isdecimal() and name.isascii() and int(name[:3]) <= _HIGHEST):
                raise shapes.Misshapen(f"{name[:80]!r} is no level of a sketch")
            if len(items) >= 2 * _MOST or pc.all(pc.is_finite(items)).as_py() not in {True, None}:
                raise shapes.Misshapen("A level of a sketch holds what none can hold")
            sketch._levels[int(name)] = items
        sketch._over = count_of(data, "over")
        sketch._under = count_of(data, "under")
        return sketch

    def _put(self, level: int, items: Any) -> None:
        import pyarrow as pa

        if not len(items):
            return
        # Two arrays are copied when they are joined, so that none keeps a whole batch in memory.
        held = self._levels.get(level, items.slice(0, 0))
        self._levels[level] = pa.concat_arrays([held, items])
        if len(self._levels[level]) >= _MOST:
            self._halve(level)

    def _halve(self, level: int) -> None:
        """Let every second number of a level stand for two in the next."""
        import pyarrow as pa
        import pyarrow.compute as pc

        items = self._levels[level]
        pairs = len(items) - len(items) % 2
        # The first of two stands for both before the second has come, the second only then.
        second = self._over > self._under
        if second:
            self._under += 1 << level
        else:
            self._over += 1 << level
        order = pc.array_sort_indices(items.slice(0, pairs))
        kept = items.take(order.take(pa.array(range(second, pairs, 2), pa.uint64())))
        del self._levels[level]
        self._put(level, items.slice(pairs))
        self._put(level + 1, kept)

    def _type(self) -> Any:
        import pyarrow as pa

        return pa.float64() if self.kind == "double" else pa.type_for_alias(self.kind)
