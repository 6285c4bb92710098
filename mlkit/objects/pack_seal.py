"""The seal at the end of a pack: which chunks it holds. The digest of the seal is the pack's name.

So a pack proves itself and says what is in it, though its bytes were digested only once: chunk by
chunk. A seal is 36 bytes for each chunk (the SHA-256 of its bytes, and its length as `u32`), the
number of chunks as `u32`, and eight bytes that tell it from other bytes; integers are
little-endian.
"""

import struct
from typing import NamedTuple

MAGIC = b"mlkpack1"
ROW = 36
"""The bytes that a seal has for each chunk."""

END = len(MAGIC) + 4
"""The bytes at the end of a seal that tell how long it is."""

_RAW = 32
_MOST = 64 << 20


class SealedChunk(NamedTuple):
    """A chunk as a seal names it.

    Attributes:
        digest: The 32 bytes of the SHA-256 of its bytes.
        offset: Where in the pack it begins.
        size: Its length in bytes.
    """

    digest: bytes
    offset: int
    size: int


def seal(rows: bytes | bytearray) -> bytes:
    """Give the seal of a pack.

    Args:
        rows: For each chunk, in order, its digest and its length as `u32`.
    """
    return bytes(rows) + struct.pack("<I", len(rows) // ROW) + MAGIC


def seal_size(end: bytes) -> int | None:
    """Give how long the seal is that a pack ends with, None where it ends with none.

    One that is longer than any pack that is written is none, so that checking a pack is bounded.

    Args:
        end: The pack's last 12 bytes.

    Example:
        >>> seal_size(seal(bytes(36))[-12:])
        48
    """
    if len(end) != END or not end.endswith(MAGIC):
        return None
    size = int(struct.unpack_from("<I", end)[0]) * ROW + END
    return size if size <= _MOST else None


def sealed_chunks(sealed: bytes) -> list[SealedChunk]:
    """Give the chunks that a seal names, in order.

    Args:
        sealed: A whole seal.
    """
    chunks, offset = [], 0
    for at in range(0, len(sealed) - END, ROW):
        size = struct.unpack_from("<I", sealed, at + _RAW)[0]
        chunks.append(SealedChunk(sealed[at : at + _RAW], offset, size))
        offset += size
    return chunks
