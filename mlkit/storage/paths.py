"""Paths of objects: relative, with `/` between their parts, the same on every storage."""

import re
from collections.abc import Sequence

from mlkit.errors import InvalidInput

TEMPORARY = ".tmp"
"""How the first part of reserved paths begins: files that are still being written."""

STORE_DOCUMENT = "mlkit.json"
"""What every store has at its root, and nothing else does."""

LONGEST = 1024
"""The most bytes of a path, as S3 has it."""

LONGEST_PART = 255
"""The most bytes of a part, as nearly all disks have it."""

_PLAIN = re.compile(
    r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}(?:/[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}){0,3}"
)
_PLAIN_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/"
_PLAIN_LENGTH = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check(path: str) -> str:
    """Give the path back when it is one of an object.

    Any characters may be in it but control characters and the backslash.

    Raises:
        InvalidInput: It is empty, begins or ends with `/`, has an empty part, `.` or `..`, is
            reserved, too long, or no text that UTF-8 can hold.

    Example:
        >>> check("models/delay/1.json")
        'models/delay/1.json'
    """
    if isinstance(path, str) and _PLAIN.fullmatch(path) is not None:
        return path
    wrong = _fault(path)
    if wrong:
        message = f"{path!r} can't be the path of an object: {wrong}"
        raise InvalidInput(message, hint="Write it as 'folder/name', relative to the store")
    return path


def check_folder(prefix: str) -> str:
    """Give the path of a folder without the `/` at its end; the root is the empty text.

    Raises:
        InvalidInput: It isn't a path.

    Example:
        >>> check_folder("models/delay/")
        'models/delay'
    """
    if isinstance(prefix, str) and prefix in {"", "/"}:
        return ""
    return check(prefix.removesuffix("/") if isinstance(prefix, str) else prefix)


def is_path(path: str) -> bool:
    """Tell whether a text is the path of an object; listings leave out what isn't."""
    return _PLAIN.fullmatch(path) is not None or not _fault(path)


def only_paths(names: Sequence[str]) -> list[str]:
    """Give those of many names of one folder that objects can have, in their order.

    Example:
        >>> only_paths(["1.json", "..", ".tmp"])
        ['1.json']
    """
    joined = "/".join(["", *names])  # looked at as one, since there may be hundreds of thousands
    if (
        joined.isascii()
        and not joined.encode().translate(None, _PLAIN_BYTES)
        and "/." not in joined
        and joined.count("/") == len(names)
        and max(map(len, names), default=0) <= _PLAIN_LENGTH
        and "" not in names
    ):
        return list(names)
    return [name for name in names if is_path(name)]


def _fault(path: object) -> str:
    """Say what is wrong with a path, or nothing."""
    if not isinstance(path, str):
        return f"it is {type(path).__name__}, not text"
    if not path:
        return "it is empty"
    if "\\" in path:
        return "it has a backslash"
    if _CONTROL.search(path):
        return "it has a control character"
    try:
        length = len(path.encode())
    except UnicodeEncodeError:
        return "UTF-8 can't hold it"
    if length > LONGEST:
        return f"it has more than {LONGEST} bytes"
    parts = path.split("/")
    return _fault_of_parts(parts)


def _fault_of_parts(parts: list[str]) -> str:
    for part in parts:
        if not part:
            return "a part of it is empty"
        if part in {".", ".."}:
            return f"{part!r} leads elsewhere"
        if len(part.encode()) > LONGEST_PART:
            return f"a part of it has more than {LONGEST_PART} bytes"
    if parts[0].startswith(TEMPORARY):
        return f"names that begin with {TEMPORARY!r} are reserved"
    return ""
