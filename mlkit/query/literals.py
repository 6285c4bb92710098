"""Constants of filters that are written in Python."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from mlkit.errors import InvalidInput
from mlkit.query.fields import kind_of
from mlkit.query.parser import LONGEST_INT
from mlkit.query.syntax import Field, Literal


def literal_of(field: Field, value: object) -> Literal:
    """Give a value as the constant that a field is compared with.

    Args:
        field: The field.
        value: Text, a number, true or false; for times also a date, a datetime that knows its time
            zone, or a timedelta from now; for spans of time a timedelta.

    Raises:
        InvalidInput: It is something else.

    Example:
        >>> literal_of(Field("duration"), timedelta(hours=1)).text()
        "'3600s'"
        >>> literal_of(Field("started"), -timedelta(days=7)).text()
        "'-7d'"
    """
    if isinstance(value, bool | str):
        return Literal(value)
    if isinstance(value, int) and abs(value) < 10**LONGEST_INT:
        return Literal(int(value))
    if isinstance(value, float):
        return Literal(float(value))
    if isinstance(value, timedelta) and kind_of(field.name) in ("time", "span"):
        return Literal(_span(value, from_now=kind_of(field.name) == "time"))
    if isinstance(value, date) and kind_of(field.name) == "time":
        return Literal(_moment(value))
    hint = "Use text, a number, true or false"
    if value is None:
        hint = "Write .is_null()"
    elif isinstance(value, int):
        hint = f"Use at most {LONGEST_INT} digits"
    elif isinstance(value, date | timedelta):
        hint = "Times are those of started and ended, and spans of time that of duration"
    raise incomparable(repr(value) if value is None else a_value(value), hint)


def a_value(value: Any) -> str:
    """Say of what type a value is."""
    return f"a value of type {type(value).__name__}"


def incomparable(shown: str, hint: str) -> InvalidInput:
    """Give the error for something that no field can be compared with."""
    return InvalidInput(f"A field can't be compared with {shown}", hint=hint)


def _moment(value: date) -> str:
    if not isinstance(value, datetime):
        return value.isoformat()
    if value.utcoffset() is None:
        message = f"{value!r} doesn't say its time zone"
        raise InvalidInput(message, hint="Write datetime(…, tzinfo=UTC), or .astimezone()")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _span(value: timedelta, *, from_now: bool) -> str:
    """Give a span as filters write it; from now, with the sign that says before or after."""
    positive = abs(value)
    sign = "-" if value < timedelta() else "+" if from_now else ""
    days = f"{positive.days}d" * bool(positive.days)
    seconds = f"{positive.seconds}.{positive.microseconds:06}".rstrip("0").rstrip(".")
    return f"{sign}{days}{seconds}s" if seconds != "0" or not days else f"{sign}{days}"
