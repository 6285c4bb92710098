"""The writing side of segments: one `write(2)` a call, no fsync, nothing in between.

Bytes that `write(2)` took belong to the kernel, so they survive the death of the process by any
signal.
"""

import errno
import math
import textwrap
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import Any, Protocol, SupportsFloat

from attrs import frozen

from mlkit._core.clock import Clock
from mlkit.errors import InvalidInput
from mlkit.metrics.framing import HEADER, LONGEST, crc32, frame, word_of
from mlkit.metrics.records import (
    FLOAT_POINTS,
    POINTS,
    decode_points,
    encode_event,
    encode_keys,
    points_struct,
)

KEYSETS = 4096
"""So many different lists of keys a segment keeps; past them each key is a record of its own."""

_LARGEST = 1 << 63
_EXACT = 1 << 53

_Keyset = tuple[int, int, int, Callable[..., bytes], "tuple[count[int], ...]"]
"""Of a list of keys: its number, its frame's word and size, its layout's pack, its counters."""


class RawFile(Protocol):
    """What a segment needs of a file: unbuffered, each write appended whole."""

    def write(self, data: bytes, /) -> int | None:
        """Append the bytes; gives how many were taken."""

    def tell(self) -> int:
        """Give the size that the file has after the last write."""

    def close(self) -> None:
        """Close the file."""


class SegmentWriter:
    """Writes one segment: points at the speed of the log call, and events.

    A writer belongs to one process, whose threads take turns. When a write fails (a full disk, a
    vanished mount) the OSError leaves here, and the caller goes on with a new segment.

    Args:
        file: Where the frames go.
        clock: Gives the time of points.
        counters: How many points without a step each key has had, shared by the segments of a
            writer.

    Attributes:
        file: Where the frames go.
        records: How many were written.
    """

    def __init__(self, file: RawFile, clock: Clock, counters: dict[str, "count[int]"]) -> None:
        self.file = file
        self.records = 0
        self._write = file.write
        self._clock = clock
        self._counters = counters
        self._numbers = count()
        self._keysets: dict[tuple[str, ...], _Keyset] = {}
        self._keys: dict[int, tuple[str, ...]] = {}
        self._last: dict[int, bytes] = {}

    def points(self, values: Mapping[str, SupportsFloat], step: float | None) -> None:
        """Write the values of one call.

        Args:
            values: A number a key: floats, ints, bools, numpy scalars, tensors of one element.
            step: Any int or float; None counts up by itself, for each key from 0.

        Raises:
            InvalidInput: A key, a value or the step is none; what could be kept was written.
            OSError: The file didn't take it.
        """
        steps = None
        try:
            number, word, size, pack, counters = self._keysets[tuple(values)]
            if step is None:
                steps = [next(counter) for counter in counters]
                if steps.count(steps[0]) == len(steps):
                    step = steps[0]
            payload = pack(POINTS, number, step, self._clock(), *values.values())
        except Exception:  # noqa: BLE001 - a value's own code may raise anything; it is named there
            self._points_slowly(values, step, steps)
            return
        if self._write(HEADER.pack(word, crc32(payload)) + payload) != size:
            raise _cut_short()
        self._last[number] = payload
        self.records += 1

    def event(self, name: str, body: Mapping[str, Any]) -> None:
        """Write an event.

        Raises:
            InvalidInput: It can't be kept as JSON, or is larger than a record may be.
            OSError: The file didn't take it.
        """
        payload = encode_event(name, self._clock(), body)
        if len(payload) > LONGEST:
            message = f"{len(payload):,} bytes are too many for one record of kind {name!r}"
            raise InvalidInput(message, hint="Keep large content with run.log_artifact")
        self._put(payload)

    def last(self) -> dict[str, tuple[int, float, float]]:
        """Give the time, step and value of the newest point of each key."""
        newest = [decode_points(payload, self._keys) for payload in self._last.copy().values()]
        newest.sort(key=lambda points: points.time)
        return {
            key: (points.time, points.step, value)
            for points in newest
            for key, value in zip(points.keys, points.values, strict=True)
        }

    def close(self) -> int:
        """Close the file, after which a write raises.

        Returns:
            Its size in bytes.
        """
        size = self.file.tell()
        self.file.close()
        return size

    def _points_slowly(
        self,
        values: Mapping[str, SupportsFloat],
        step: float | None,
        steps: Iterable[int] | None,
    ) -> None:
        """Write what isn't plain: new keys, scalars that must be asked, keys out of step."""
        if not isinstance(values, Mapping):
            message = f"log_metrics takes a mapping of names to numbers, not {values!r}"
            raise InvalidInput(message, hint="Write log_metrics({'loss': 0.3}, step=1)")
        if step is not None:
            at = dict.fromkeys(values, as_step(step))
        else:
            at = dict(zip(values, steps or map(next, map(self._counter, values)), strict=True))
        now = self._clock()
        good: dict[str, float] = {}
        bad: list[str] = []
        for key, value in values.items():
            try:
                good[_key(key)] = _number(value)
            except Exception:  # noqa: BLE001 - a value's own code may raise anything
                named = isinstance(key, str) and key
                what = _shown(value) if named else "no name, which must be text that isn't empty"
                bad.append(f"{key!r} is {what}")
        for keys in self._together(good, at):
            number, _, _, pack, _ = self._keyset(keys)
            kind, when = POINTS, at[keys[0]]
            if isinstance(when, float):
                kind, pack = FLOAT_POINTS, points_struct(len(keys), float_step=True).pack
            payload = pack(kind, number, when, now, *(good[key] for key in keys))
            self._put(payload)
            self._last[number] = payload
        if bad:
            message = f"Not logged, since a metric is a number with a name: {'; '.join(bad)}"
            raise InvalidInput(message, hint="The other values of this call were logged")

    def _together(
        self, values: Iterable[str], at: Mapping[str, float]
    ) -> Iterable[tuple[str, ...]]:
        """Give the lists of keys that make a record: those at one step."""
        groups: dict[float, list[str]] = {}
        for key in values:
            groups.setdefault(at[key], []).append(key)
        for keys in map(tuple, groups.values()):
            if keys in self._keysets or len(self._keysets) < KEYSETS:
                yield keys
            else:
                yield from ((key,) for key in keys)

    def _counter(self, key: str) -> "count[int]":
        return self._counters.setdefault(key, count())

    def _keyset(self, keys: tuple[str, ...]) -> _Keyset:
        known = self._keysets.get(keys)
        if known is not None:
            return known
        number = next(self._numbers)
        payload = encode_keys(number, keys)
        if len(payload) > LONGEST:
            message = (
                f"The names of {len(keys)} metrics are {len(payload):,} bytes, which is too many"
            )
            raise InvalidInput(message, hint="Use shorter names, or log fewer in a call")
        self._put(payload)
        layout = points_struct(len(keys))
        self._keys[number] = keys
        counters = tuple(map(self._counter, keys))
        size = layout.size + HEADER.size
        keyset = number, word_of(layout.size), size, layout.pack, counters
        self._keysets[keys] = keyset
        return keyset

    def _put(self, payload: bytes) -> None:
        data = frame(payload)
        if self._write(data) != len(data):
            raise _cut_short()
        self.records += 1


def _cut_short() -> OSError:
    return OSError(errno.ENOSPC, "A write was cut short; is the disk full?")


def _key(key: object) -> str:
    if isinstance(key, str) and key:
        return str(key)
    raise TypeError


def _number(value: object) -> float:
    """Give the float of what is a number or holds exactly one."""
    if isinstance(value, str | bytes | bytearray | complex):
        raise TypeError
    item = getattr(value, "item", None)
    if callable(item):
        value = item()
    return float(value)  # type: ignore[arg-type]  # what isn't a number raises here


@frozen
class _Refused:
    """A value that is no number, and how it looks."""

    shown: str


def as_numbers(values: Mapping[str, object]) -> dict[str, Any]:
    """Give the values as floats, and as what is refused those that are none."""
    return {key: _as_number(value) for key, value in values.items()}


def _as_number(value: object) -> "float | _Refused":
    try:
        return _number(value)
    except Exception:  # noqa: BLE001 - a value's own code may raise anything
        return _Refused(_shown(value))


def as_step(step: object) -> int | float:
    """Give the step as an int where it is one, else as a float.

    Raises:
        InvalidInput: It is no finite number.
    """
    number = step
    item = getattr(step, "item", None)
    if callable(item):
        try:
            number = item()
        except Exception:  # noqa: BLE001 - a stranger's code; what it is, is told below
            number = None
    if isinstance(number, int | float) and math.isfinite(number):
        if isinstance(number, float):
            return int(number) if number.is_integer() and abs(number) < _EXACT else number
        if -_LARGEST <= number < _LARGEST:
            return int(number)
    message = f"The step {_shown(step)} is no finite number"
    raise InvalidInput(message, hint="Use an int or a float, or leave it out to count up")


def _shown(value: object) -> str:
    if isinstance(value, _Refused):
        return value.shown
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a stranger's repr must not hide the real error
        text = "an object"
    return f"{textwrap.shorten(text, 60, placeholder='…')} ({type(value).__name__})"
