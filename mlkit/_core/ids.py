"""Names that nobody else will ever make: run ids that sort by time, and writer tokens."""

import os
import re
from collections.abc import Callable, Sequence

LENGTH = 36
"""How long an id is."""

_DASHES = (8, 13, 18, 23)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def uuid7(ns: int, random: Callable[[int], bytes] = os.urandom) -> str:
    """Give a UUID of version 7 (RFC 9562, section 5.7), which sorts by its time.

    The 12 bits after the version hold the fraction of the millisecond (method 3 of section 6.2),
    so ids made by one machine within a millisecond sort too.

    Args:
        ns: Nanoseconds since 1970, UTC.
        random: Gives so many random bytes.

    Returns:
        36 characters of lower case.

    Example:
        >>> uuid7(1_700_000_000_123_456_789, random=bytes)
        '018bcfe5-687b-774f-8000-000000000000'
    """
    milliseconds, rest = divmod(ns, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    tail = int.from_bytes(random(8)) & 0x3FFFFFFFFFFFFFFF | 0x8000000000000000
    digits = f"{milliseconds & 0xFFFFFFFFFFFF:012x}7{fraction:03x}{tail:016x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def is_uuid7(text: str) -> bool:
    """Tell whether a text is a UUID of version 7 as `uuid7` writes it."""
    return _UUID.fullmatch(text) is not None


def only_uuid7(texts: Sequence[str]) -> list[str]:
    """Give those of many texts that are UUIDs of version 7, in their order.

    Example:
        >>> only_uuid7(["018bcfe5-687b-774f-8000-000000000000", "notes.txt"])
        ['018bcfe5-687b-774f-8000-000000000000']
    """
    if _are_all(texts):
        return list(texts)
    return [text for text in texts if is_uuid7(text)]


def _are_all(texts: Sequence[str]) -> bool:
    """Tell whether all texts are such UUIDs, looking at each place of all of them at once."""
    joined = "\n".join([*texts, ""])
    stride = LENGTH + 1
    if len(joined) != stride * len(texts) or joined[LENGTH::stride] != "\n" * len(texts):
        return False
    dashes = all(not joined[at::stride].strip("-") for at in _DASHES)
    return (
        dashes
        and joined.count("-") == len(_DASHES) * len(texts)
        and not joined[14::stride].strip("7")
        and not joined[19::stride].strip("89ab")
        and joined.isascii()
        and not joined.encode().translate(None, b"0123456789abcdef-\n")
        and joined.count("\n") == len(texts)
    )


def token(nbytes: int = 8) -> str:
    """Give random hexadecimal text that marks a writer, or one piece of its work."""
    return os.urandom(nbytes).hex()
