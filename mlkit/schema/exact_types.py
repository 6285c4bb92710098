"""Types for values of Python that Arrow takes for coarser ones, or for none."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from numbers import Integral
from typing import TYPE_CHECKING, Any

from mlkit.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

_YEARS = (1678, 2261)  # those that lie in the reach of 64 bits of nanoseconds
_DAYS = 106_750


def are_integers(values: Iterable[Any]) -> bool:
    """Tell whether values are whole numbers, where they aren't missing.

    Example:
        >>> are_integers([1, None]), are_integers([1, 2.5]), are_integers([1, True])
        (True, False, False)
    """
    return all(
        value is None or (isinstance(value, Integral) and not isinstance(value, bool))
        for value in values
    )


def exact_type(values: Iterable[Any], kind: "pa.DataType", name: str) -> "pa.DataType":
    """Give the type that keeps times as they are: of pandas, in nanoseconds where theirs are.

    Args:
        values: Values of Python.
        kind: The type that Arrow found for them, at any depth with microseconds.
        name: The column, for messages.

    Raises:
        InvalidInput: Some times have a time zone, and others none.

    Example:
        >>> import pandas as pd, pyarrow as pa
        >>> exact_type([pd.Timestamp("2024-01-01 00:00:00.000000001")], pa.timestamp("us"), "at")
        TimestampType(timestamp[ns])
    """
    import pyarrow as pa
    from pyarrow import types

    if not _has_times(kind):
        return kind
    if types.is_list(kind):
        items = [item for value in values if value is not None for item in value]
        return pa.list_(kind.value_field.with_type(exact_type(items, kind.value_type, name)))
    if types.is_struct(kind):
        rows = [value for value in values if isinstance(value, Mapping)]
        fields = [kind.field(number) for number in range(kind.num_fields)]
        return pa.struct(
            [
                field.with_type(exact_type([row.get(field.name) for row in rows], field.type, name))
                for field in fields
            ]
        )
    times = [
        value
        for value in values
        if isinstance(value, datetime | timedelta) and value == value  # noqa: PLR0124 - no NaT
    ]
    _check_zones(times, name)
    if not _in_nanoseconds(times):
        return kind
    return pa.timestamp("ns", kind.tz) if types.is_timestamp(kind) else pa.duration("ns")


def _has_times(kind: "pa.DataType") -> bool:
    from pyarrow import types

    if types.is_timestamp(kind) or types.is_duration(kind):
        return True
    nested = types.is_list(kind) or types.is_struct(kind)
    return nested and any(_has_times(kind.field(n).type) for n in range(kind.num_fields))


def _check_zones(times: list[Any], name: str) -> None:
    if len({time.tzinfo is None for time in times if isinstance(time, datetime)}) > 1:
        raise InvalidInput(
            f"The column {name!r} mixes times that have a time zone with times that have none",
            hint="Say which time zone is meant: time.replace(tzinfo=...)",
        )


def _in_nanoseconds(times: list[Any]) -> bool:
    """Tell whether times are of pandas in nanoseconds; those far away fit only without."""
    if not any(getattr(time, "unit", "") == "ns" for time in times):
        return False
    if any(getattr(time, "nanosecond", 0) or getattr(time, "nanoseconds", 0) for time in times):
        return True
    first, last = _YEARS
    return all(
        first <= time.year <= last if isinstance(time, datetime) else abs(time.days) <= _DAYS
        for time in times
    )
