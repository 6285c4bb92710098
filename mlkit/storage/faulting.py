"""The seam where errors of disks, networks and drivers become mlkit's."""

import errno
import re

from mlkit._core.masking import mask_text
from mlkit.errors import InvalidInput, MlkitError, NotFound, ReadOnly, StorageFault

_MISSING = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_FULL = {errno.ENOSPC, errno.EDQUOT}
_GONE = {errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.ENOTCONN, errno.EIO}
_CREDENTIALS = re.compile(
    r"expired|invalid ?access ?key|signature ?does ?not ?match|access ?denied|forbidden|"
    r"unauthori[sz]ed|no ?credentials|unable to locate credentials|invalid ?token|"
    r"authentication ?failed",
    re.IGNORECASE,
)
_RENEW = "Renew the credentials, then do it again"


def missing(url: str, path: str) -> NotFound:
    """Give the error for an object that doesn't exist."""
    return NotFound(f"There is no object {path!r} in {url}")


def link_error(url: str, path: str) -> StorageFault:
    """Give the error for a link inside a store, which could lead anywhere."""
    message = f"{path!r} in {url} is a link, or lies behind one, and links aren't followed"
    return StorageFault(message, hint="Put the files themselves into the store")


def read_only(url: str, path: str, why: str = "it only reads") -> ReadOnly:
    """Give the error for a write that can't be."""
    message = f"{path!r} can't be written to {url}: {why}"
    hint = "Check the permissions or renew the credentials, or open a store that you may write to"
    return ReadOnly(message, hint=hint)


def fault(error: Exception, url: str, path: str, *, writing: bool) -> MlkitError:
    """Give mlkit's error for one of a disk or a driver.

    Args:
        error: What was raised; if it is mlkit's own, it is given back.
        url: The storage.
        path: The object.
        writing: Whether the storage was to be changed.

    Returns:
        `NotFound`, `ReadOnly`, `InvalidInput` or `StorageFault`, with the next step where one is
        known, and without secrets that the driver may have put into its message.
    """
    if isinstance(error, MlkitError):
        return error
    number = error.errno if isinstance(error, OSError) else None
    if not writing and (number in _MISSING or isinstance(error, FileNotFoundError)):
        return missing(url, path)
    if number == errno.ELOOP:
        return link_error(url, path)
    if number == errno.ENAMETOOLONG:
        return InvalidInput(f"{path!r} is too long a name for {url}")
    why = _words(error)
    credentials = _CREDENTIALS.search(f"{type(error).__name__} {why}") is not None
    message = f"{path!r} can't be {'written to' if writing else 'read from'} {url}: {why}"
    if number in _REFUSED or isinstance(error, PermissionError):
        if writing:
            return read_only(url, path, why)
        return StorageFault(message, hint="Check the permissions or renew the credentials")
    return StorageFault(message, hint=_hint(number, credentials=credentials))


def is_refusal(error: BaseException) -> bool:
    """Tell whether a fault stays until somebody acts, so that trying again soon is in vain.

    Args:
        error: What a storage raised: missing permissions and expired credentials are refusals, a
            full disk and a dead network aren't.
    """
    refused = isinstance(error, ReadOnly) or isinstance(error.__cause__, PermissionError)
    return refused or (isinstance(error, StorageFault) and error.hint == _RENEW)


def _hint(number: int | None, *, credentials: bool) -> str:
    """Give the next step after a fault, where one is known."""
    if credentials:
        return _RENEW
    if number in _FULL:
        return "Free some space, then do it again"
    return "Look whether the disk or mount is still there, then do it again" * (number in _GONE)


def _words(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) else str(error)
    return mask_text(str(text or error)) or type(error).__name__
