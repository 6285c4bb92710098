"""Times as Arrow has them, with every nanosecond: Python's own have microseconds only."""

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_UNITS = ("s", "ms", "us", "ns")


def exact_time(value: Any) -> "pa.Scalar | None":
    """Give a time of Python, numpy, pandas or Arrow as Arrow's scalar, without loss.

    Args:
        value: Anything.

    Returns:
        A date, timestamp, time of day or duration; None for what is no time, and for no time at
        all (NaT).

    Raises:
        ValueError: Arrow has no place for it.

    Example:
        >>> exact_time(timedelta(seconds=2))
        <pyarrow.DurationScalar: datetime.timedelta(seconds=2)>
        >>> exact_time(2) is None
        True
    """
    import pyarrow as pa
    from pyarrow import types

    if isinstance(value, pa.Scalar):
        return value if value.is_valid and types.is_temporal(value.type) else None
    try:
        if hasattr(value, "asm8"):  # of pandas, whose nanoseconds Arrow takes from numpy alone
            found = _of_numpy(value.asm8)
            zoned = getattr(value, "tzinfo", None) is not None
            return found.cast(pa.timestamp(found.type.unit, "UTC")) if found and zoned else found
        if str(getattr(value, "dtype", "")).startswith(("datetime64", "timedelta64")):
            return _of_numpy(value)
        if isinstance(value, datetime):
            return pa.scalar(value if value.tzinfo is None else value.astimezone(UTC))
        if isinstance(value, date | time | timedelta) and value == value:  # noqa: PLR0124 - NaT
            return pa.scalar(value)
    except (pa.ArrowException, OverflowError) as error:
        raise ValueError(f"{value!r} is beyond all times that Arrow has") from error
    return None


def _of_numpy(value: Any) -> "pa.Scalar | None":
    import pyarrow as pa

    if value != value:  # noqa: PLR0124 - NaT
        return None
    kind, _, unit = str(value.dtype).rstrip("]").partition("[")
    is_span = kind == "timedelta64"
    if unit not in _UNITS and not (unit == "D" and not is_span):
        seconds = value.astype(f"{kind}[s]")
        if seconds != value:
            raise OverflowError
        value, unit = seconds, "s"
    count = value.astype("int64").item()
    if unit == "D":
        return pa.scalar(count, pa.int32()).cast(pa.date32())
    return pa.scalar(count, pa.int64()).cast(pa.duration(unit) if is_span else pa.timestamp(unit))
