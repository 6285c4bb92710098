"""Where values lie among those of a column of whole numbers or times: nothing is rounded."""

import math
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from mlkit.data.exact_time import exact_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

Place = Fraction | float
"""Where a value lies, counted as the column counts; a float is an infinity or NaN."""

_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}
_DAY = 86_400 * 10**9


def counted(
    operator: str, values: "Sequence[Any]", kind: "pa.DataType"
) -> tuple[str, "pa.Array | pa.Scalar"] | None:
    """Give a comparison with whole numbers or times as one with values that the column can have.

    So `x > 1.5` is `x > 1`, and a time between two that the column has is equal to neither.

    Args:
        operator: How the column is compared; see `OPERATORS`.
        values: What with; several for `in` and `not in`.
        kind: The column's type.

    Returns:
        The operator, and what it compares with: an array for `in` and `not in`. None where values
        of this type aren't counted, or one is of another kind.

    Raises:
        ValueError: Arrow has no place for a value.

    Example:
        >>> import pyarrow as pa
        >>> counted(">", [1.5], pa.int8())
        ('>', <pyarrow.Int8Scalar: 1>)
    """
    from pyarrow import types

    if not (types.is_integer(kind) or types.is_temporal(kind)) or types.is_interval(kind):
        return None
    places = []
    for value in values:
        places.append(None if is_missing(value) else place(value, kind))
        if places[-1] is None and not is_missing(value):
            return None
    least, most = _ends(kind)
    if operator in {"in", "not in"}:
        there = [at for at in places if at is None or _is_between(at, least, most)]
        return operator, values_at([None if at is None else int(at) for at in there], kind)
    return _compared(operator, places[0], kind)


def _compared(
    operator: str, at: Place | None, kind: "pa.DataType"
) -> tuple[str, "pa.Array | pa.Scalar"]:
    """Give a comparison with a single place; with none, it holds of nothing."""
    if at is None:
        return _all_or_none(kind, every=False)
    least, most = _ends(kind)
    if operator in {"==", "=", "!="}:
        if _is_between(at, least, most):
            return operator, values_at([int(at)], kind)[0]
        return _all_or_none(kind, every=operator == "!=")
    is_lower = operator in {">", ">="}
    if isinstance(at, float):
        return _all_or_none(kind, every=not math.isnan(at) and (at < 0) == is_lower)
    whole = math.ceil(at) if operator in {">=", "<"} else math.floor(at)
    if least <= whole <= most:
        return operator, values_at([whole], kind)[0]
    return _all_or_none(kind, every=(whole < least) == is_lower)


def is_missing(value: Any) -> bool:
    """Tell whether a value stands for none: None, a null of Arrow, NaT, or NA of pandas."""
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return True
    if hasattr(value, "as_py"):
        return not value.is_valid
    kind = str(getattr(value, "dtype", ""))
    return kind.startswith(("datetime64", "timedelta64")) and str(value) == "NaT"


def _all_or_none(kind: "pa.DataType", *, every: bool) -> tuple[str, "pa.Array"]:
    """Give what holds of every value that isn't null, or of none."""
    return ("not in", values_at([None], kind)) if every else ("in", values_at([], kind))


def _is_between(at: Place, least: int, most: int) -> bool:
    return isinstance(at, Fraction) and at.denominator == 1 and least <= at <= most


def place(value: Any, kind: "pa.DataType") -> Place | None:
    """Give where a value lies on the scale of a column; None where it is of another kind.

    Args:
        value: Of Python, numpy, pandas or Arrow.
        kind: The column's type, of whole numbers or times.

    Raises:
        ValueError: Arrow has no place for it.

    Example:
        >>> import pyarrow as pa
        >>> place(0.5, pa.int8()), place(pa.scalar(1, pa.duration("us")), pa.duration("ms"))
        (Fraction(1, 2), Fraction(1, 1000))
    """
    from pyarrow import types

    if types.is_temporal(kind):
        known = exact_time(value)
        if known is None or _family(known.type) != _family(kind):
            return None
        return Fraction(known.value * _tick(known.type), _tick(kind))
    number = value.as_py() if hasattr(value, "as_py") else value
    if type(number).__module__ == "numpy" and hasattr(number, "item"):
        number = number.item()
    if isinstance(number, bool) or not isinstance(number, int | float | Decimal):
        return None
    finite = isinstance(number, int) or math.isfinite(number)
    return Fraction(number) if finite else float(number)


def _ends(kind: "pa.DataType") -> tuple[int, int]:
    """Give the least and the greatest count of a column."""
    from pyarrow import types

    bits = kind.bit_width
    if types.is_unsigned_integer(kind):
        return 0, (1 << bits) - 1
    return -(1 << bits - 1), (1 << bits - 1) - 1


def values_at(counts: "Sequence[int | None]", kind: "pa.DataType") -> "pa.Array":
    """Give the values of a type that lie at some counts.

    Example:
        >>> import pyarrow as pa
        >>> values_at([1], pa.date32()).to_pylist()
        [datetime.date(1970, 1, 2)]
    """
    import pyarrow as pa
    from pyarrow import types

    if types.is_integer(kind):
        return pa.array(counts, kind)
    return pa.array(counts, getattr(pa, f"int{kind.bit_width}")()).view(kind)


def _family(kind: "pa.DataType") -> str:
    """Give what can be compared with each other: a date is the first moment of a day."""
    from pyarrow import types

    if types.is_timestamp(kind):
        return "moment in a zone" if kind.tz else "moment"
    if types.is_date(kind):
        return "moment"
    return "time" if types.is_time(kind) else "duration"


def _tick(kind: "pa.DataType") -> int:
    """Give the nanoseconds of what a type counts."""
    from pyarrow import types

    if types.is_date(kind):
        return _DAY if types.is_date32(kind) else 10**6
    return _NANOSECONDS[kind.unit]
