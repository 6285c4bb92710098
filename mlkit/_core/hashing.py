"""Digests that carry the name of their algorithm: `sha256:<64 hex digits>`."""

import hashlib
import re
from pathlib import Path
from typing import BinaryIO

from mlkit.errors import Corrupt

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_BLOCK = 1 << 20

Bytes = bytes | bytearray | memoryview


class Hasher:
    """Digests bytes that arrive piece by piece.

    Example:
        >>> hasher = Hasher()
        >>> hasher.update(b"ab")
        >>> hasher.update(b"c")
        >>> hasher.digest == digest_bytes(b"abc")
        True
    """

    def __init__(self) -> None:
        self._sha = hashlib.sha256()

    def update(self, data: Bytes) -> None:
        """Add the next bytes."""
        self._sha.update(data)

    @property
    def digest(self) -> str:
        """The digest of all bytes so far."""
        return f"sha256:{self._sha.hexdigest()}"


def digest_bytes(data: Bytes) -> str:
    """Give the digest of bytes.

    Example:
        >>> digest_bytes(b"")[:19]
        'sha256:e3b0c44298fc'
    """
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def digest_stream(stream: BinaryIO) -> str:
    """Give the digest of what a stream holds from here to its end, in constant memory."""
    hasher = Hasher()
    while block := stream.read(_BLOCK):
        hasher.update(block)
    return hasher.digest


def digest_file(path: Path) -> str:
    """Give the digest of a file's bytes, in constant memory."""
    with path.open("rb") as stream:
        return digest_stream(stream)


def hex_of(digest: str) -> str:
    """Give the hexadecimal part of a digest, which names the object that holds its bytes.

    Raises:
        Corrupt: The text is no digest, so it must not become part of a path.
    """
    match = _DIGEST.fullmatch(digest)
    if match is None:
        message = f"{digest!r} is not a digest"
        raise Corrupt(message, hint="A digest is 'sha256:' and 64 hexadecimal digits")
    return match[1]
