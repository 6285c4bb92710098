"""Fields of sketches that were read from a document, within the bounds that sketches keep."""

import math
from typing import Any

from mlkit._core import shapes

_MOST = 1 << 62  # rows
_RANGE = 1 << 64


def count_of(data: Any, name: str) -> int:
    """Give a field that counts rows.

    Raises:
        Misshapen: It doesn't.
    """
    count = shapes.required(data, name, int)
    if not 0 <= count <= _MOST:
        raise shapes.Misshapen(f"{name!r} counts no rows")
    return count


def value_of(value: Any, kind: type[Any]) -> Any:
    """Give a value of a column: a text, a truth value, or a number of 64 bits that is finite.

    Raises:
        Misshapen: It is none.

    Example:
        >>> value_of(3, float)
        3.0
    """
    if kind is float and type(value) is int and abs(value) < _RANGE:
        value = float(value)
    finite = not isinstance(value, float) or math.isfinite(value)
    within = type(value) is not int or abs(value) < _RANGE
    if type(value) is not kind or not finite or not within:
        raise shapes.Misshapen(f"{str(value)[:80]!r} is no {kind.__name__} of a column")
    return value


def pairs_of(data: Any, name: str, kind: type[Any], most: int) -> dict[Any, int]:
    """Give a field that is a list of values with their counts.

    Args:
        data: The mapping that must hold it.
        name: The field.
        kind: The type of the values.
        most: How many there may be.

    Raises:
        Misshapen: It isn't.
    """
    pairs = shapes.items(data, name, list)
    counts = {}
    for pair in pairs[: most + 1]:
        if len(pair) != 2 or type(pair[1]) is not int or not 1 <= pair[1] <= _MOST:  # noqa: PLR2004 - a pair
            raise shapes.Misshapen(f"{str(pair)[:80]!r} is no value with its count")
        counts[value_of(pair[0], kind)] = pair[1]
    if len(counts) > most or len(counts) < len(pairs):
        raise shapes.Misshapen(f"{name!r} has more values than a sketch, or one twice")
    return counts
