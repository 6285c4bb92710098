"""Ranges of bytes within an object."""

from mlkit.errors import InvalidInput


def check_range(start: int, end: int | None) -> None:
    """Refuse a range that counts from the end, which no storage means the same by.

    Raises:
        InvalidInput: One of the two is negative.
    """
    if start < 0 or (end is not None and end < 0):
        message = f"A range of bytes can't begin at {start} and end at {end}"
        raise InvalidInput(message, hint="Count both from the object's beginning, from 0")
