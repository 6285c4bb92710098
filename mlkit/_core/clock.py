"""Time as integers: nanoseconds since 1970 in UTC, and their ISO 8601 form."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from mlkit.errors import InvalidInput

Clock = Callable[[], int]
"""Gives the present time in nanoseconds since 1970, UTC. Handed in, so tests can hold it still."""

now_ns: Clock = time.time_ns


def iso(ns: int) -> str:
    """Give the ISO 8601 text of a time, in UTC with microseconds.

    Args:
        ns: Nanoseconds since 1970, UTC.

    Returns:
        Text of constant length that sorts as the times do.

    Example:
        >>> iso(1_700_000_000_123_456_789)
        '2023-11-14T22:13:20.123456Z'
    """
    seconds, rest = divmod(ns, 1_000_000_000)
    whole = datetime.fromtimestamp(seconds, tz=UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


def parse_iso(text: str) -> int:
    """Give the nanoseconds since 1970 of an ISO 8601 text; without an offset it is UTC.

    Args:
        text: A date, or a date with a time, with or without an offset.

    Returns:
        Nanoseconds since 1970, UTC, exact to the microsecond.

    Raises:
        InvalidInput: The text is no ISO 8601 time.

    Example:
        >>> parse_iso("2023-11-14T22:13:20.123456Z")
        1700000000123456000
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is not a time"
        raise InvalidInput(message, hint="Write it as 2026-01-31 or 2026-01-31T12:00:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * 1_000_000_000 + moment.microsecond * 1000
