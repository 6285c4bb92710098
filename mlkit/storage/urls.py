"""URLs of stores: their protocol, and their form without credentials."""

import re

_PROTOCOL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)(?:://|::)")
_PASSWORD = re.compile(r"(?<=://)[^/]*:[^/]*@")
_SECRET_WITH_SLASH = re.compile(r"(?<=://)[^/@:]*:(?!\d+(?:/|$))[^@]*@")
_AUTHORITY = re.compile(r"(?P<start>[A-Za-z0-9+.-]*://)[^/]*@")
_QUERY = re.compile(r"[?#][^/]*=.*")
_USER_MATTERS = ("sftp://", "ssh://", "abfs://", "abfss://")


def protocol_of(url: str) -> str:
    """Give the protocol of a URL in lower case; nothing for a plain path.

    Example:
        >>> protocol_of("S3://bucket/folder"), protocol_of("folder/store")
        ('s3', '')
    """
    match = _PROTOCOL.match(url)
    return match[1].lower() if match else ""


def without_credentials(url: str) -> str:
    """Give the URL without passwords, keys and signatures; it may be shown and stored.

    A user's name alone stays where the driver needs it: for SFTP, and for Azure, whose container
    is written there.

    Example:
        >>> without_credentials("s3://key:sec/ret@bucket/folder")
        's3://bucket/folder'
        >>> without_credentials("sftp://ann@host/folder")
        'sftp://ann@host/folder'
    """
    return "::".join(_clean(part) for part in url.split("::"))


def _clean(url: str) -> str:
    url = _SECRET_WITH_SLASH.sub("", _PASSWORD.sub("", url))
    match = _AUTHORITY.match(url)
    if match and not match["start"].lower().endswith(_USER_MATTERS):
        url = match["start"] + url[match.end() :]
    return _QUERY.sub("", url)
