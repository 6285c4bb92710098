"""Single values of tables, to be shown."""

from typing import Any


def python_value(scalar: Any) -> Any:
    """Give an Arrow scalar as Python's own value, or as text where Python has none.

    Nanoseconds are such values, as are times outside of the years 1 to 9999.

    Example:
        >>> import pyarrow as pa
        >>> python_value(pa.scalar(7)), python_value(pa.scalar(1, pa.timestamp("ns")))
        (7, '1970-01-01 00:00:00.000000001')
    """
    import pyarrow as pa

    if getattr(scalar.type, "unit", "") == "ns":  # which pandas would give, were it there
        return _text(scalar)
    try:
        return scalar.as_py()
    except (ValueError, OverflowError, ImportError, pa.ArrowException):
        return _text(scalar)


def _text(scalar: Any) -> str | None:
    import pyarrow as pa
    from pyarrow import types

    if not scalar.is_valid:
        return None
    if types.is_duration(scalar.type):
        return f"{scalar.cast(pa.int64()).as_py()} {scalar.type.unit}"
    try:
        text: str = scalar.cast(pa.string()).as_py()
    except pa.ArrowException:
        return str(scalar)
    return text
