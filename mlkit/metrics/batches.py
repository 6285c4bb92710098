"""Batches of points: a segment is gone through piece by piece, and gives its points as columns.

A training that logs the same metrics at each step writes frames of one size, of which all but the
numbers is alike. A stretch of such frames is checked and taken apart by a few calls that each go
through all of it, so that a point costs less than a tenth of a microsecond, and no objects are
made of it. All else goes frame by frame.
"""

import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from struct import Struct
from typing import Any, Literal

from attrs import define, field, frozen

from mlkit.errors import Corrupt
from mlkit.metrics.framing import (
    HEADER,
    LARGEST,
    crc32,
    is_torn,
    length_of,
    next_byte,
    next_frame,
)
from mlkit.metrics.records import (
    EVENT,
    KEYS,
    POINTS,
    Event,
    Points,
    decode_record,
)
from mlkit.metrics.sums import Sums

Damaged = Literal["raise", "skip"]
"""What happens where stored bytes were changed: an error that names it, or nothing."""

_WORD, _HALF = 8, 4
_HEAD = 3  # words of a payload before its values: kind and number, step, time
_FAR = 31  # frames ahead there must be one alike, since it isn't worth it for less
_FEW = 64
_MANY = 1 << 15  # frames of a stretch, which then fits a processor's cache


@frozen(eq=False)
class PointBatch:
    """Points of one list of keys, from one segment, as columns.

    Attributes:
        keys: The metrics' names.
        places: The place of each record among those of its segment, from 0, ascending.
        whole: Whether the steps are ints; else they are floats.
    """

    keys: tuple[str, ...]
    places: Sequence[int]
    whole: bool
    _words: memoryview = field(repr=False)  # of 8 bytes, some in a row for each record
    _stride: int = field(repr=False)

    def __len__(self) -> int:
        return len(self.places)

    def steps(self) -> "array[int] | array[float]":
        """Give the step of each record."""
        return self._column(1, "q" if self.whole else "d")

    def times(self) -> "array[int]":
        """Give the time of each record, in nanoseconds since 1970, UTC."""
        return self._column(2, "q")

    def values(self, index: int) -> "array[float]":
        """Give the values of one key.

        Args:
            index: Its place in `keys`.
        """
        return self._column(_HEAD + index, "d")

    def last(self) -> Points:
        """Give the last record."""
        values = tuple(self.values(index)[-1] for index in range(len(self.keys)))
        return Points(self.keys, self.steps()[-1], self.times()[-1], values)

    def _column(self, place: int, code: str) -> "array[Any]":
        from_the_end = place - _HEAD - len(self.keys)  # a header may come before the payload
        column = array(code)
        column.frombytes(self._words[self._stride + from_the_end :: self._stride].tobytes())
        return _native(column)


def iter_points(
    read: Callable[[int, int], bytes], size: int, where: str, *, damaged: Damaged = "raise"
) -> Iterator[PointBatch | Event]:
    """Go through a segment, and give its points in batches, and its events.

    What a kill cut short is skipped, as `read_segment` does. A damaged stretch raises when it is
    come to, so batches of what lies before it may have been given by then.

    Args:
        read: Gives the bytes from an offset to before another; fewer where the segment ends.
        size: The segment's size in bytes.
        where: Its path, for messages.
        damaged: `skip` gives what is left of a damaged segment: whatever proves itself, but for
            points whose names were lost.

    Returns:
        Batches and events. Those of 16 MiB or more come together: the places of batches tell the
        order of their records, events come in their own.

    Raises:
        Corrupt: Stored bytes were changed, or a record isn't what its kind says.
        NewerFormat: A newer mlkit wrote the segment.

    Example:
        >>> from mlkit.metrics.framing import frame
        >>> from mlkit.metrics.records import encode_keys, points_struct
        >>> data = frame(encode_keys(0, ("loss",)))
        >>> data += frame(points_struct(1).pack(3, 0, 7, 1_000, 0.5))
        >>> (batch,) = iter_points(lambda start, end: data[start:end], len(data), "example")
        >>> batch.keys, list(batch.steps()), list(batch.values(0))
        (('loss',), [7], [0.5])
    """
    walk = _Walk(where, skip=damaged == "skip")
    offset = 0
    while offset < size:
        wanted = min(2 * LARGEST, size - offset)
        data = read(offset, offset + wanted)
        final = offset + wanted == size or len(data) < wanted
        offset += walk.through(data, offset, final=final)
        yield from walk.given()
        if final:
            break


@define
class _Group:
    """Points of one list of keys that came one by one."""

    keys: tuple[str, ...]
    whole: bool
    length: int
    payloads: list[bytes] = field(factory=list)
    places: "array[int]" = field(factory=lambda: array("q"))


@frozen
class _Gap:
    """A stretch without a whole frame that may go on."""

    offset: int
    begin: bytes
    zeros: bool


@define
class _Walk:
    """Goes through the frames of one segment.

    Attributes:
        where: Its path.
        skip: Whether to go on behind damage.
        index: How many whole frames there were.
    """

    where: str
    skip: bool
    index: int = 0
    _keysets: dict[int, tuple[str, ...]] = field(factory=dict)
    _groups: dict[bytes, _Group] = field(factory=dict)  # by kind and number
    _found: list[PointBatch | Event] = field(factory=list)
    _gap: _Gap | None = None
    _reach: int = _FEW

    def given(self) -> Iterator[PointBatch | Event]:
        """Give what was found since the last time."""
        for group in self._groups.values():
            self._gather(group)
        found, self._found = self._found, []
        yield from found

    def through(self, data: bytes, base: int, *, final: bool) -> int:
        """Go through a piece, as far as can be told without what comes behind it.

        Args:
            data: The piece.
            base: Where it begins in the segment.
            final: Whether nothing comes behind it.

        Returns:
            How far that is.
        """
        view = memoryview(data)
        sums = Sums(view)
        size = len(data)
        stop = size if final else LARGEST  # a frame that begins before it ends in this piece
        at = 0
        while self._gap is not None or at < size:
            if self._gap is None:
                at = self._frames(data, view, at)
                if at == size or (at >= stop and not final):
                    break
                self._gap = _Gap(base + at, data[at : at + HEADER.size], zeros=True)
                resumed = next_frame(view, at + 1, stop, sums)
            else:
                resumed = next_frame(view, at, stop, sums)
            zeros = self._gap.zeros and next_byte(view, at) >= min(resumed, size)
            at = resumed
            if at >= stop and not final:
                self._gap = _Gap(self._gap.offset, self._gap.begin, zeros)
                break
            self._close(self._gap, base + at, zeros=zeros)
        return at

    def _close(self, gap: _Gap, end: int, *, zeros: bool) -> None:
        """Judge a stretch that holds no whole frame."""
        self._gap = None
        size = end - gap.offset
        if not (is_torn(size, gap.begin, zeros=zeros) or self.skip):
            message = f"{self.where} was damaged: {size} bytes at {gap.offset} hold no whole record"
            raise Corrupt(message, hint="run.verify() lists all damage; restore it from a copy")

    def _frames(self, data: bytes, view: memoryview, at: int) -> int:
        """Go through whole frames, and give where there is none."""
        unpack, head, size, groups = HEADER.unpack_from, HEADER.size, len(data), self._groups
        lengths: dict[int, int] = {}
        while (start := at + head) <= size:
            word, crc = unpack(data, at)
            length = lengths.get(word) or length_of(word)
            end = start + length
            payload = data[start:end]
            if not length or len(payload) != length or crc32(payload) != crc:
                break
            lengths[word] = length
            mark = payload[:_WORD]
            group = groups.get(mark)
            if group is None or group.length != length:
                group = self._record(payload, mark)
            if group is not None:
                far = at + _FAR * (head + length)
                if (
                    data[far + head : far + head + _WORD] == mark
                    and data[end + head : end + head + _WORD] == mark
                    and data[end : end + 4] == data[at : at + 4]
                ):
                    at += self._stretch(view[at:], mark, group)
                    continue
                group.payloads.append(payload)
                group.places.append(self.index)
            self.index += 1
            at = end
        return at

    def _record(self, payload: bytes, mark: bytes) -> _Group | None:
        """Take in a record that doesn't belong to a group that is known.

        Returns:
            The group that it belongs to, if it is one of points.
        """
        try:
            record = decode_record(payload, self._keysets, self.index, self.where)
        except Corrupt:
            if not self.skip:
                raise
            if payload[0] in (EVENT, KEYS):  # another segment may begin here, with its own numbers
                self._forget()
                with suppress(Corrupt):
                    decode_record(payload, self._keysets, self.index, self.where)
            return None
        if isinstance(record, Points):
            self._groups[mark] = _Group(record.keys, payload[0] == POINTS, len(payload))
            return self._groups[mark]
        if record is not None:
            self._found.append(record)
        return None

    def _stretch(self, view: memoryview, mark: bytes, group: _Group) -> int:
        """Go through frames that are alike, and give how many bytes those have.

        Args:
            view: Whole frames, of which the first is one of the group.
            mark: The kind and number of its records.
            group: The group.
        """
        size = HEADER.size + group.length
        wanted = min(self._reach, len(view) // size)
        words, halves = view[: wanted * size].cast("Q"), view[: wanted * size].cast("I")
        stride, half = size // _WORD, size // _HALF
        count = _agreeing(halves[::half].tobytes(), bytes(view[:_HALF]) * wanted, _HALF)
        count = min(count, _agreeing(words[1::stride].tobytes(), mark * wanted, _WORD))
        payloads = chain.from_iterable(_layout(group.length).iter_unpack(view[: count * size]))
        sums = _native(array("I", map(crc32, payloads)))
        told = halves[1 : count * half : half]
        count = _agreeing(sums.tobytes(), told.tobytes(), _HALF)
        places = range(self.index, self.index + count)
        batch = PointBatch(group.keys, places, group.whole, words[: count * stride], stride)
        self._found.append(batch)
        self._reach = min(2 * self._reach, _MANY) if count == wanted else _FEW
        self.index += count
        return count * size

    def _gather(self, group: _Group) -> None:
        """Make a batch of the points of a group that came one by one."""
        if group.payloads:
            words = memoryview(b"".join(group.payloads)).cast("Q")
            stride = group.length // _WORD
            self._found.append(PointBatch(group.keys, group.places, group.whole, words, stride))
            group.payloads, group.places = [], array("q")

    def _forget(self) -> None:
        """Forget what the numbers of lists of keys mean."""
        for group in self._groups.values():
            self._gather(group)
        self._groups.clear()
        self._keysets.clear()


@lru_cache(maxsize=4096)
def _layout(length: int) -> Struct:
    """Give the layout of a frame, of which the payload is taken."""
    return Struct(f"{HEADER.size}x{length}s")


def _agreeing(some: bytes, others: bytes, width: int) -> int:
    """Give how many items both begin with alike.

    Example:
        >>> _agreeing(b"aabbcc", b"aabbdd", 2)
        2
    """
    alike, unlike = 0, len(some) // width + 1
    if some == others:
        return unlike - 1
    while unlike - alike > 1:
        middle = (alike + unlike) // 2
        if some[: middle * width] == others[: middle * width]:
            alike = middle
        else:
            unlike = middle
    return alike


def _native(column: "array[Any]") -> "array[Any]":
    """Turn numbers that lie in the order of segments into those of this machine, and back."""
    if sys.byteorder == "big":
        column.byteswap()
    return column
