"""Axes: round numbers for their ticks, and places for values."""

import math
from collections.abc import Sequence

from attrs import frozen

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@frozen
class Scale:
    """A straight line from values to places.

    Attributes:
        low: The value at `start`.
        high: The value at `end`.
        start: The place of `low`.
        end: The place of `high`.

    Example:
        >>> Scale(0.0, 10.0, 100.0, 200.0).at(5)
        150.0
    """

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Give the place of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Give about `count` round numbers that reach from below `low` to above `high`.

    Example:
        >>> ticks(0.713, 0.791)
        [0.7, 0.72, 0.74, 0.76, 0.78, 0.8]
    """
    if low == high:
        margin = abs(low) / 2 or 1.0
        low, high = low - margin, high + margin
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in _STEPS if power * factor >= raw * (1 - 1e-9))
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    digits = max(0, 2 - math.floor(math.log10(step)))
    return [round(index * step, digits) for index in range(first, last + 1)]


def tick_texts(values: Sequence[float]) -> list[str]:
    """Give the texts of ticks, all with as many decimals as the finest needs.

    Example:
        >>> tick_texts([0.7, 0.75, 0.8])
        ['0.70', '0.75', '0.80']
        >>> tick_texts([0.0, 50000.0])
        ['0', '50,000']
    """
    if any(0 < abs(value) < 1e-4 or abs(value) >= 1e9 for value in values):  # noqa: PLR2004 - too long in full
        return [f"{value:.3g}" for value in values]
    decimals = max(len(f"{value:.6f}".rstrip("0").partition(".")[2]) for value in values)
    return [f"{value:,.{decimals}f}" for value in values]
