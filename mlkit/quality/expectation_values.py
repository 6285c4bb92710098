"""The values that expectations name: bounds and allowed values, beside the columns they are for.

Nothing is rounded. A bound is a fraction on the scale that a column counts in, so that `x >= 0.5`
holds exactly for whole numbers, for floats of any width, for decimals, and for times of any unit.
"""

import base64
import binascii
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal, InvalidOperation
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from mlkit._core import shapes
from mlkit.data.exact_time import exact_time
from mlkit.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

Place = Fraction | float
"""Where a value lies on the scale of a column; a float is an infinity."""

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = 76
_LARGEST_EXPONENT = 1000
_KINDS = "a truth value, a number, a text, bytes, or a date, datetime, time or timedelta"


class Incomparable(ValueError):
    """A value can't be held against a column; the message says why."""


def plain_value(value: Any) -> Any:
    """Give a value as Python's own type: scalars of numpy, pandas and Arrow become these.

    Raises:
        InvalidInput: It is NaN, of a type that no expectation has, or a time finer than a
            microsecond.

    Example:
        >>> plain_value(datetime(2013, 1, 1, tzinfo=UTC)).isoformat()
        '2013-01-01T00:00:00+00:00'
    """
    value = _of_library(value)
    if isinstance(value, bool | bytes):
        return value
    if isinstance(value, float | Decimal):
        _check_number(value)
        return value if isinstance(value, Decimal) else float(value)
    if isinstance(value, datetime):
        moment = datetime.combine(value.date(), value.timetz())  # without what pandas adds
        return (moment if moment.utcoffset() is None else _in_utc(moment)).replace(fold=0)
    if isinstance(value, time) and value.tzinfo is not None:
        raise InvalidInput(f"{value!r} has a time zone", hint="Times of a column have none")
    if isinstance(value, timedelta):
        return timedelta(value.days, value.seconds, value.microseconds)
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, time):
        return value.replace(fold=0)
    if isinstance(value, int | date):
        return value
    raise InvalidInput(f"{value!r} is no value to expect", hint=f"Give {_KINDS}")


def _of_library(value: Any) -> Any:
    """Give a scalar of numpy, pandas or Arrow as Python's own, without rounding."""
    kind = str(getattr(value, "dtype", ""))
    is_time = hasattr(value, "asm8") or kind.startswith(("datetime64", "timedelta64"))
    if is_time or hasattr(value, "as_py"):
        return _of_exact(value)
    if type(value).__module__ == "numpy" and callable(getattr(value, "item", None)):
        return value.item()
    return value


def _of_exact(value: Any) -> Any:
    """Give a time of a library, or any scalar of Arrow, as Python's own."""
    import pyarrow as pa

    try:
        known = exact_time(value)
        if known is None:
            return value.as_py() if hasattr(value, "as_py") else None
        kind = known.type
        if getattr(kind, "unit", "") == "ns":
            if known.value % 1000:
                raise InvalidInput(
                    f"{value!r} is finer than a microsecond, which no expectation can be",
                    hint='Round it, such as value.floor("us") for min= and value.ceil("us") for'
                    " max=",
                )
            coarse = {
                "timestamp": lambda: pa.timestamp("us", kind.tz),
                "duration": lambda: pa.duration("us"),
                "time64": lambda: pa.time64("us"),
            }
            known = known.cast(coarse[str(kind).partition("[")[0]]())
        return known.as_py()
    except (ValueError, OverflowError, pa.ArrowException) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"{value!r} is beyond Python's own times") from error


def encodable(text: str) -> str:
    """Give a text back that UTF-8 has.

    Raises:
        InvalidInput: It holds half of a character.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"{text!r:.80} holds what UTF-8 doesn't have") from None
    return text


def _check_number(value: float | Decimal) -> None:
    if math.isnan(value):
        raise InvalidInput(
            "NaN is no value to expect",
            hint="It counts as missing: say how many may be with nulls=",
        )
    if isinstance(value, Decimal) and value.is_finite() and value:
        exponent = value.as_tuple().exponent
        if max(abs(value.adjusted()), abs(int(exponent))) > _LARGEST_EXPONENT:
            raise InvalidInput("A decimal has more than a thousand digits")


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(f"{moment} is beyond all times in UTC") from None


def place(value: Any, kind: "pa.DataType") -> Place:
    """Give where a value lies on the scale of a column.

    Args:
        value: What `plain_value` gave.
        kind: The column's type, as `plain_type` gives it.

    Raises:
        Incomparable: The column's type has no order, or the value is of another kind.

    Example:
        >>> import pyarrow as pa
        >>> place(0.5, pa.int8()), place(timedelta(seconds=2), pa.duration("ms"))
        (Fraction(1, 2), Fraction(2000, 1))
    """
    for scale, measure in _SCALES.items():
        if _is(kind, scale):
            found = measure(value, kind)
            if found is not None:
                return found
            what = f"{shown(value)} ({type(value).__name__})"
            raise Incomparable(f"{what} can't be compared with values of type {kind}")
    raise Incomparable(f"values of type {kind} have no order here")


def _is(kind: "pa.DataType", *tests: str) -> bool:
    from pyarrow import types

    return any(getattr(types, f"is_{test}")(kind) for test in tests)


def _number(value: Any, kind: "pa.DataType") -> Place | None:
    if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
        return None
    factor = 10 ** max(kind.scale, 0) if _is(kind, "decimal") else 1
    finite = isinstance(value, int) or math.isfinite(value)
    return Fraction(value) * factor if finite else float(value)


def _moment(value: Any, kind: "pa.DataType") -> Place | None:
    if not isinstance(value, datetime):
        return None
    if (value.tzinfo is None) != (kind.tz is None):
        has = "no time zone, and the column has one" if kind.tz else "a time zone, the column none"
        raise Incomparable(f"{shown(value)} has {has}")
    since = value.replace(tzinfo=UTC) - _EPOCH  # times without a zone count as if they were UTC
    return Fraction(since // _MICROSECOND * _PER_SECOND[kind.unit], 10**6)


def _day(value: Any, kind: "pa.DataType") -> Place | None:  # noqa: ARG001 - as its neighbours
    if not isinstance(value, date) or isinstance(value, datetime):
        return None
    return Fraction((value - _EPOCH.date()).days)


def _time_of_day(value: Any, kind: "pa.DataType") -> Place | None:  # noqa: ARG001 - as its neighbours
    if not isinstance(value, time):
        return None
    since = timedelta(hours=value.hour, minutes=value.minute, seconds=value.second)
    return Fraction((since // _MICROSECOND + value.microsecond) * 1000)


def _duration(value: Any, kind: "pa.DataType") -> Place | None:
    if not isinstance(value, timedelta):
        return None
    return Fraction(value // _MICROSECOND * _PER_SECOND[kind.unit], 10**6)


_SCALES = {
    "integer": _number, "floating": _number, "decimal": _number, "timestamp": _moment,
    "date": _day, "time": _time_of_day, "duration": _duration,
}  # fmt: skip


def axis(array: "pa.Array") -> "pa.Array":
    """Give the values of a column as numbers on its scale: integers, floats of 64 bits, decimals.

    Args:
        array: Of a type that `place` takes.
    """
    import pyarrow as pa
    from pyarrow import types

    kind = array.type
    if types.is_floating(kind):
        return array.cast(pa.float64())
    if types.is_decimal(kind) and kind.scale < 0:  # which Arrow can't compare
        return array.cast(pa.decimal256(_DIGITS, 0))
    if types.is_date(kind):
        return array.cast(pa.int32()).cast(pa.int64())
    return array.cast(pa.int64()) if types.is_temporal(kind) else array


def bound(at: Place, kind: "pa.DataType", side: Literal["min", "max"]) -> Any:
    """Give the outermost value of a column's scale that a bound lets by.

    Args:
        at: Where the bound lies.
        kind: The type of what `axis` gives.
        side: Which bound it is.

    Returns:
        A scalar of that type; True where every value is let by, False where none is.

    Example:
        >>> import pyarrow as pa
        >>> bound(Fraction(1, 2), pa.int8(), "min"), bound(Fraction(-300), pa.int8(), "min")
        (<pyarrow.Int8Scalar: 1>, True)
    """
    import pyarrow as pa
    from pyarrow import types

    lower = side == "min"
    if types.is_floating(kind):
        return pa.scalar(_nearest(at, lower=lower), pa.float64())
    if isinstance(at, float):
        return (at < 0) == lower
    whole = math.ceil(at) if lower else math.floor(at)
    least, most = _ends(kind)
    if not least <= whole <= most:
        return (whole < least) == lower
    return _scalar(whole, kind)


def member(at: Place, kind: "pa.DataType") -> Any:
    """Give a value on a column's scale as a scalar of it; None where no such value can be.

    Args:
        at: Where the value lies.
        kind: The type of what `axis` gives.
    """
    import pyarrow as pa
    from pyarrow import types

    if types.is_floating(kind):
        near = _nearest(at, lower=True)
        return pa.scalar(near + 0.0, pa.float64()) if near == at else None
    least, most = _ends(kind)
    if isinstance(at, float) or at.denominator != 1 or not least <= at <= most:
        return None
    return _scalar(int(at), kind)


def _nearest(at: Place, *, lower: bool) -> float:
    """Give the least float that isn't below a place, or the greatest that isn't above it."""
    if isinstance(at, float):
        return at
    try:
        near = float(at)
    except OverflowError:
        near = math.inf if at > 0 else -math.inf
    if lower:
        return math.nextafter(near, math.inf) if near < at else near
    return math.nextafter(near, -math.inf) if near > at else near


def _ends(kind: "pa.DataType") -> tuple[int, int]:
    from pyarrow import types

    if types.is_decimal(kind):
        return 1 - 10**_DIGITS, 10**_DIGITS - 1
    bits = kind.bit_width
    if types.is_unsigned_integer(kind):
        return 0, (1 << bits) - 1
    return -(1 << bits - 1), (1 << bits - 1) - 1


def _scalar(whole: int, kind: "pa.DataType") -> Any:
    import pyarrow as pa
    from pyarrow import types

    if not types.is_decimal(kind):
        return pa.scalar(whole, kind)
    return pa.scalar(Decimal(whole).scaleb(-kind.scale, Context(prec=_DIGITS)), kind)


def shown(value: Any) -> str:
    """Give a value as text, not too long.

    Example:
        >>> shown(0.5), shown("UA"), shown(date(2013, 1, 1))
        ('0.5', "'UA'", '2013-01-01')
    """
    plain = isinstance(value, date | time | timedelta | Decimal)
    text = str(value) if plain else repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"  # noqa: PLR2004 - fits a line


def value_to_json(value: Any) -> Any:
    """Give a value of an expectation as JSON has it; types that JSON lacks are named.

    Example:
        >>> value_to_json(date(2013, 1, 1)), value_to_json(3)
        ({'date': '2013-01-01'}, 3)
    """
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, timedelta):
        return {"microseconds": value // _MICROSECOND}
    for name, kind in (("datetime", datetime), ("date", date), ("time", time)):
        if isinstance(value, kind):
            return {name: value.isoformat()}
    return value


def value_from_json(data: Any) -> Any:
    """Give the value of what `value_to_json` gave.

    Raises:
        Misshapen: It is none.
    """
    if not isinstance(data, Mapping):
        if data is None or isinstance(data, list):
            raise shapes.Misshapen(f"{data!r:.80} is no value")
        return data
    if len(data) != 1:
        raise shapes.Misshapen(f"{data!r:.80} is no value")
    (name,) = data
    try:
        if name == "microseconds":
            return timedelta(microseconds=shapes.required(data, name, int))
        text = shapes.required(data, name, str)
        return _READERS[name](text)
    except (ValueError, KeyError, OverflowError, InvalidOperation, binascii.Error):
        raise shapes.Misshapen(f"{data!r:.80} is no value") from None


_READERS: dict[str, Any] = {
    "bytes": lambda text: base64.b64decode(text, validate=True),
    "decimal": Decimal,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "time": time.fromisoformat,
}
