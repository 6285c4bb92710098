"""Times as people give them: one, a column of them, and one in the name of a file."""

from datetime import UTC, date, datetime, timedelta
from numbers import Integral
from typing import TYPE_CHECKING, Any

from mlkit._core.clock import iso, parse_iso
from mlkit.errors import InvalidInput
from mlkit.schema.frames import to_column

if TYPE_CHECKING:
    import pyarrow as pa

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def moment(value: Any, what: str) -> int:
    """Give a time in nanoseconds since 1970, UTC.

    Args:
        value: A datetime or date (without a zone it is UTC), ISO 8601 text, numpy's datetime64, or
            nanoseconds already.
        what: What the time is, for the message.

    Raises:
        InvalidInput: It is no time.

    Example:
        >>> moment("2013-04-01", "start") == moment(date(2013, 4, 1), "start")
        True
    """
    if type(value).__name__ == "datetime64":
        value = value.astype("datetime64[us]").item()
    if isinstance(value, str):
        return parse_iso(value)
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime) or type(value).__name__ == "NaTType":
        message = f"{what}={value!r} is no time"
        raise InvalidInput(message, hint="Give a datetime, a date, or a text such as '2013-04-01'")
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    microseconds: int = (value - _EPOCH) // _MICROSECOND
    return microseconds * 1000


def moments(values: Any, rows: int, now: int) -> "pa.Array":
    """Give the times of rows, in UTC to the microsecond.

    Args:
        values: A time for each row, or one for all; None means now.
        rows: How many there must be.
        now: The present, in nanoseconds since 1970, UTC.

    Raises:
        InvalidInput: They aren't times, one is missing, or there are too many or too few.
    """
    import pyarrow as pa

    kind = pa.timestamp("us", "UTC")
    if values is None or isinstance(values, str) or not hasattr(values, "__len__"):
        ns = now if values is None else moment(values, "timestamp")
        return pa.repeat(pa.scalar(ns // 1000, pa.int64()), rows).cast(kind)
    column = to_column(values, "timestamp")
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if not pa.types.is_temporal(column.type):
        message = f"The timestamps are {column.type}, not times"
        raise InvalidInput(message, hint="Give datetimes, one a row or one for all")
    if len(column) != rows:
        raise InvalidInput(f"There are {rows} rows and {len(column)} timestamps")
    if column.null_count:
        raise InvalidInput("A timestamp is missing", hint="Give one for each row, or one for all")
    try:
        zone = getattr(column.type, "tz", None)
        return column.cast(pa.timestamp("us", zone), safe=False).cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InvalidInput(f"The timestamps can't be read as times: {error}") from error


def stamp(ns: int) -> str:
    """Give a time as it stands in names of files.

    Example:
        >>> stamp(1_700_000_000_123_456_789)
        '20231114T221320.123456Z'
    """
    return iso(ns).replace("-", "").replace(":", "")
