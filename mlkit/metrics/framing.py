"""Frames: how records lie one after another in a segment, and how a cut or a flip is told apart.

A frame is a header of eight bytes, little-endian, and a payload of 1 to 16,777,215 bytes::

    u32  word   low 24 bits: length of the payload; high 8 bits: a check of that length
    u32  crc    CRC-32 of the payload (the polynomial of zlib and PNG)
    payload

A kill can only cut a frame short: what follows it, if anything, begins before its declared end.
A flipped bit leaves the lengths alone, or breaks the check in the word. So a reader skips what
was cut and reports what was damaged.
"""

import re
import zlib
from struct import Struct

from attrs import field, frozen

from mlkit.metrics.sums import Sums

HEADER = Struct("<II")
LONGEST = (1 << 24) - 1
_KINDS = 32  # the first byte of a payload is below this, which makes a search among garbage quick

_NOT_ZERO = re.compile(rb"[^\0]")

crc32 = zlib.crc32


def word_of(length: int) -> int:
    """Give the header's word for a payload of this length.

    Example:
        >>> hex(word_of(48))
        '0x95000030'
    """
    return length | ((length ^ length >> 8 ^ length >> 16 ^ 0xA5) & 0xFF) << 24


def frame(payload: bytes) -> bytes:
    """Give the frame of a payload.

    Example:
        >>> len(frame(b"abc"))
        11
    """
    return HEADER.pack(word_of(len(payload)), crc32(payload)) + payload


@frozen
class Gap:
    """A stretch of a segment that holds no whole frame.

    Attributes:
        offset: Where it begins.
        size: How many bytes it has.
        torn: True when a write was cut short there (a kill, a full disk), which loses only a
            record whose call hadn't returned; False when stored bytes were changed.
        after: How many whole frames come before it.
    """

    offset: int
    size: int
    torn: bool
    after: int = 0


@frozen
class Scan:
    """What a segment holds.

    Attributes:
        payloads: The payloads of whole frames, in order.
        gaps: The stretches between them that are none.
    """

    payloads: list[bytes] = field(factory=list)
    gaps: list[Gap] = field(factory=list)


def scan(data: bytes) -> Scan:
    """Read all frames of a segment.

    Args:
        data: The bytes of the segment; they may end anywhere.

    Returns:
        Whole frames and the gaps between them. Bytes that are no frame never raise.

    Example:
        >>> scan(frame(b"one") + frame(b"two")[:-1])
        Scan(payloads=[b'one'], gaps=[Gap(offset=11, size=10, torn=True, after=1)])
    """
    found = Scan()
    keep, unpack, head = found.payloads.append, HEADER.unpack_from, HEADER.size
    lengths: dict[int, int] = {}  # words that were checked, since few lengths recur in millions
    offset, size = 0, len(data)
    while offset < size:
        start = offset + head
        word, crc = unpack(data, offset) if start <= size else (0, 0)
        length = lengths.get(word) or _length_of(word)
        payload = data[start : start + length]
        if length and len(payload) == length and crc32(payload) == crc:
            lengths[word] = length
            keep(payload)
            offset = start + length
            continue
        resumed = _next_frame(memoryview(data), offset + 1)
        torn = _is_torn(data, offset, resumed)
        found.gaps.append(Gap(offset, resumed - offset, torn, len(found.payloads)))
        offset = resumed
    return found


def _length_of(word: int) -> int:
    """Give the length that a word declares, or 0 when its check is wrong."""
    length = word & LONGEST
    return length if word == word_of(length) else 0


def _next_frame(data: memoryview, offset: int) -> int:
    """Give the first offset from here at which a whole frame begins, or the end of the data."""
    unpack, head, last = HEADER.unpack_from, HEADER.size, len(data) - HEADER.size
    sums: Sums | None = None
    while offset < last:
        word, crc = unpack(data, offset)
        if not word:  # as the zeros are that a disk shows where a write never arrived
            offset = _next_byte(data, offset + 4) - 3
            continue
        length, start = word & LONGEST, offset + head
        if (
            length
            and word == word_of(length)
            and start + length <= len(data)
            and data[start] < _KINDS
        ):
            sums = sums or Sums(data)
            if sums.of(start, start + length) == crc:
                return offset
        offset += 1
    return len(data)


def _next_byte(data: memoryview, offset: int) -> int:
    """Give the first offset from here of a byte that isn't zero, or the end of the data."""
    found = _NOT_ZERO.search(data, offset)
    return found.start() if found else len(data)


def _is_torn(data: bytes, offset: int, resumed: int) -> bool:
    """Tell a frame that was cut short from one that was changed."""
    gap = data[offset:resumed]
    if len(gap) < HEADER.size or not any(gap):  # zeros: a file that grew before its bytes arrived
        return True
    length = _length_of(HEADER.unpack_from(gap)[0])
    return bool(length) and resumed < offset + HEADER.size + length
