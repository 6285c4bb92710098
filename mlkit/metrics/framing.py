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
LARGEST = LONGEST + HEADER.size
"""No frame has more bytes than this."""

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
    view = memoryview(data)
    sums = Sums(view)
    while offset < size:
        start = offset + head
        word, crc = unpack(data, offset) if start <= size else (0, 0)
        length = lengths.get(word) or length_of(word)
        payload = data[start : start + length]
        if length and len(payload) == length and crc32(payload) == crc:
            lengths[word] = length
            keep(payload)
            offset = start + length
            continue
        resumed = next_frame(view, offset + 1, size, sums)
        zeros = next_byte(view, offset) >= resumed
        torn = is_torn(resumed - offset, data[offset : offset + head], zeros=zeros)
        found.gaps.append(Gap(offset, resumed - offset, torn, len(found.payloads)))
        offset = resumed
    return found


def length_of(word: int) -> int:
    """Give the length that a word declares, or 0 when its check is wrong."""
    length = word & LONGEST
    return length if word == word_of(length) else 0


def next_frame(data: memoryview, offset: int, stop: int, sums: Sums) -> int:
    """Give the first offset from here at which a whole frame begins.

    Args:
        data: Bytes of a segment.
        offset: Where to begin.
        stop: Where to end: no frame that begins there or later is looked for.
        sums: The sums of the data.

    Returns:
        The offset; where there is none, one at `stop` or behind it, up to which there is none.
    """
    unpack, head, last = HEADER.unpack_from, HEADER.size, min(stop, len(data) - HEADER.size)
    while offset < last:
        word, crc = unpack(data, offset)
        if not word:  # as the zeros are that a disk shows where a write never arrived
            offset = next_byte(data, offset + 4) - 3
            continue
        length, start = word & LONGEST, offset + head
        if (
            length
            and word == word_of(length)
            and start + length <= len(data)
            and data[start] < _KINDS
            and sums.of(start, start + length) == crc
        ):
            return offset
        offset += 1
    return max(offset, stop)


def next_byte(data: memoryview, offset: int) -> int:
    """Give the first offset from here of a byte that isn't zero, or the end of the data."""
    found = _NOT_ZERO.search(data, offset)
    return found.start() if found else len(data)


def is_torn(size: int, begin: bytes, *, zeros: bool) -> bool:
    """Tell a frame that was cut short from one that was changed.

    Args:
        size: How many bytes hold no whole frame.
        begin: The first of them, as many as a header has, where there are so many.
        zeros: Whether all of them are zeros, as those of a file that grew before its bytes arrived.
    """
    if size < HEADER.size or zeros:
        return True
    length = length_of(HEADER.unpack(begin)[0])
    return bool(length) and size < HEADER.size + length
