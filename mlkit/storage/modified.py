"""When an object was written, as the drivers of fsspec say it, each in its own way."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mlkit._core.clock import parse_iso
from mlkit.errors import InvalidInput

_KEYS = (
    "LastModified",  # s3fs
    "last_modified",  # adlfs
    "mtime",  # gcsfs, sftp, sshfs, and most others
    "updated",  # gcsfs too, as the server wrote it
    "modified",  # webdav4
    "modify",  # ftp
    "created",  # memory, where a body is never changed
)
_FTP = "%Y%m%d%H%M%S"
_SECOND = 1_000_000_000


def modified_of(info: Mapping[str, Any]) -> int | None:
    """Give when an object was written last, in nanoseconds since 1970, UTC.

    Args:
        info: What a filesystem of fsspec says of the object.

    Returns:
        The time; None where the filesystem doesn't say it, or in no way that is known. What says
        nothing of its zone is taken for UTC.

    Example:
        >>> modified_of({"name": "a", "size": 1, "mtime": 1.5})
        1500000000
        >>> modified_of({"name": "a", "size": 1}) is None
        True
    """
    for key in _KEYS:
        found = _nanoseconds(info.get(key))
        if found is not None:
            return found
    return None


def _nanoseconds(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value * _SECOND
    try:
        if isinstance(value, float):
            return round(value * 1_000_000) * 1000  # a float has no more digits than that
        if isinstance(value, str):
            return _of_text(value)
        if isinstance(value, datetime):
            return _of_moment(value)
    except (ValueError, OverflowError, InvalidInput):  # NaN, another form of text, no such day
        return None
    return None


def _of_text(text: str) -> int:
    digits = text.partition(".")[0]
    if digits.isdecimal() and len(digits) == len("20260131120000"):
        return _of_moment(datetime.strptime(digits, _FTP).replace(tzinfo=UTC))
    return parse_iso(text)


def _of_moment(moment: datetime) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    whole = aware.replace(microsecond=0)
    return int(whole.timestamp()) * _SECOND + aware.microsecond * 1000
