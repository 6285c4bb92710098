"""How two values stand: what filters mean by `=` and `<`, said of Python's values.

Types are compared strictly: values of different types are never equal, and have no order. An int
and a float are of one type, and are compared exactly.
"""

import operator
from collections.abc import Callable
from typing import Any

from mlkit.query.syntax import Operator

ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def type_of(value: object) -> str:
    """Give the type that a filter sees in a value: `bool`, `number`, `text` or `other`."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "other"


def compare(value: object, sign: Operator, other: object) -> bool | None:
    """Tell how two values stand, None where that is unknown.

    Example:
        >>> compare(4, "=", 4.0), compare(4, "=", "4"), compare(4, "<", "5")
        (True, False, None)
    """
    if sign in ("=", "!="):
        return equal(value, other) is (sign == "=")
    if type_of(value) != type_of(other) or type_of(value) not in ("number", "text"):
        return None
    return ORDERS[sign](value, other)


def equal(value: object, other: object) -> bool:
    """Tell whether two values are the same; NaN is the same as NaN."""
    if type_of(value) != type_of(other):
        return False
    if value != value:  # noqa: PLR0124 - NaN, which a filter finds by = nan
        return other != other  # noqa: PLR0124 - NaN as well
    return value == other
