"""How values look to people: few digits, units, and columns that line up."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from numbers import Integral, Real

from mlkit.display.markup import Markup, plain

NOTHING = "—"
"""What stands where there is no value."""

_DIGITS = 4
_TINY, _WHOLE, _HUGE = 1e-4, 1e4, 1e15
_SPREAD = 100
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def show(value: object) -> str:
    """Give a value as text for a cell.

    Example:
        >>> show(0.80000001), show(1234567), show(None), show(True)
        ('0.8', '1,234,567', '—', 'yes')
    """
    if isinstance(value, Markup):
        return value
    if value is None:
        return NOTHING
    if is_bool(value):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return f"{int(value):,}"
    if isinstance(value, Real):
        return show_float(float(value))
    if isinstance(value, datetime):
        return plain(value.isoformat(sep=" ", timespec="seconds"))
    if isinstance(value, list | tuple):
        return ", ".join(show(item) for item in value)
    return plain(value)


def is_bool(value: object) -> bool:
    """Tell whether a value is a truth value, numpy's included."""
    return isinstance(value, bool) or type(value).__name__ in {"bool_", "bool"}


def is_number(value: object) -> bool:
    """Tell whether a value is a number, not a truth value."""
    return isinstance(value, Real) and not is_bool(value)


def show_float(value: float) -> str:
    """Give a number in four digits, or whole when it is large.

    Example:
        >>> show_float(0.123456), show_float(54321.6), show_float(0.000012345)
        ('0.1235', '54,322', '1.234e-05')
    """
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if _WHOLE <= size < _HUGE:
        return f"{value:,.0f}"
    return f"{value:.{_DIGITS}g}"


def show_column(values: Sequence[object]) -> list[str]:
    """Give the cells of one column, numbers of one size with the same number of decimals.

    Example:
        >>> show_column([0.8, 0.81234, None])
        ['0.8000', '0.8123', '—']
        >>> show_column([0.0001, 0.1])
        ['0.0001', '0.1']
    """
    sizes = [
        abs(float(value))
        for value in values
        if isinstance(value, Real) and not isinstance(value, Integral) and math.isfinite(value)
    ]
    decimals = _decimals([size for size in sizes if size])
    return [
        f"{float(value):,.{decimals}f}"
        if decimals is not None
        and isinstance(value, Real)
        and not isinstance(value, Integral)
        and math.isfinite(value)
        else show(value)
        for value in values
    ]


def _decimals(sizes: list[float]) -> int | None:
    """The decimals that suit all sizes, None where no one number does."""
    if not sizes or max(sizes) / min(sizes) > _SPREAD or max(sizes) >= _HUGE:
        return None
    if max(sizes) < _TINY:
        return None
    return min(max(_DIGITS - math.floor(math.log10(max(sizes))) - 1, 0), _DIGITS + 2)


def show_bytes(count: int) -> str:
    """Give a number of bytes with its unit.

    Example:
        >>> show_bytes(999), show_bytes(1_234_567)
        ('999 B', '1.2 MB')
    """
    size, unit = float(count), 0
    while size >= 999.5 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - what rounds to 1,000
        size, unit = size / 1000, unit + 1
    return f"{count} B" if not unit else f"{size:.1f} {_UNITS[unit]}"


def show_span(seconds: float | None) -> str:
    """Give a span of time with fitting units.

    Example:
        >>> show_span(0.0123), show_span(75), show_span(4000)
        ('12 ms', '1 min 15 s', '1 h 6 min')
    """
    if seconds is None:
        return NOTHING
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def show_time(ns: int | None) -> str:
    """Give a time, nanoseconds since 1970 in UTC, to the minute.

    Example:
        >>> show_time(1_700_000_000_000_000_000)
        '2023-11-14 22:13'
    """
    if ns is None:
        return NOTHING
    return f"{datetime.fromtimestamp(ns // 1_000_000_000, tz=UTC):%Y-%m-%d %H:%M}"


def show_share(share: float | None) -> str:
    """Give a share as percentage.

    Example:
        >>> show_share(0.1234), show_share(0.0), show_share(0.00001)
        ('12.3 %', '0 %', '< 0.1 %')
    """
    if share is None or not math.isfinite(share):
        return NOTHING
    if share in {0, 1}:
        return f"{share:.0%}".replace("%", " %")
    if 0 < share < 0.001:  # noqa: PLR2004 - what rounds to less than the digit shown
        return "< 0.1 %"
    return f"{share * 100:.1f} %"
