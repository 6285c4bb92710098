"""Records: what the payloads of a segment's frames mean.

The first byte of a payload is its kind::

    1  event    JSON: {"time": ns, "event": name, …}
    2  keys     u8 kind, 3 bytes zero, u32 number, then JSON: a list of metric names
    3  points   u8 kind, 3 bytes zero, u32 number, i64 step, i64 time in ns, f64 a key
    4  points   the same with an f64 step

`number` is the segment's own for a list of keys that a record of kind 2 has introduced before.
Payloads of kinds that a reader doesn't know are skipped, so later versions may add some.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from functools import lru_cache
from struct import Struct
from struct import error as struct_error
from typing import Any

from attrs import frozen

from mlkit._core.codec import decode_value, encode_value
from mlkit.errors import Corrupt, NewerFormat

EVENT, KEYS, POINTS, FLOAT_POINTS = 1, 2, 3, 4

FORMAT = 1
"""The newest format of segments that this version writes and reads."""

KEYS_HEAD = Struct("<B3xI")
_TIME_BITS = 64


@frozen
class Event:
    """Something that happened once: params set, an artifact kept, a heartbeat.

    Attributes:
        name: What happened.
        time: When, in nanoseconds since 1970, UTC.
        body: The rest.
    """

    name: str
    time: int
    body: Mapping[str, Any]


@frozen
class Points:
    """The values of several metrics at one step.

    Attributes:
        keys: The metrics' names.
        step: The step, an int or a float.
        time: When, in nanoseconds since 1970, UTC.
        values: A value a key.
    """

    keys: tuple[str, ...]
    step: int | float
    time: int
    values: tuple[float, ...]


@lru_cache(maxsize=4096)
def points_struct(count: int, *, float_step: bool = False) -> Struct:
    """Give the layout of a points record with so many values."""
    return Struct(f"<B3xI{'d' if float_step else 'q'}q{count}d")


def encode_event(name: str, time: int, body: Mapping[str, Any]) -> bytes:
    """Give the payload of an event."""
    return bytes((EVENT,)) + encode_value({"time": time, "event": name, **body}).encode(
        "utf-8", "surrogatepass"
    )


def encode_keys(number: int, keys: tuple[str, ...]) -> bytes:
    """Give the payload that introduces a list of keys."""
    return KEYS_HEAD.pack(KEYS, number) + encode_value(keys).encode("utf-8", "surrogatepass")


def decode_records(payloads: Iterable[bytes], where: str) -> Iterator[Event | Points]:
    """Give the records of a segment in the order they were written.

    Args:
        payloads: The payloads of the segment's frames.
        where: The segment's path, for messages.

    Raises:
        Corrupt: A payload's CRC was right, but it isn't what its kind says.
        NewerFormat: A newer mlkit wrote the segment.
    """
    keysets: dict[int, tuple[str, ...]] = {}
    for index, payload in enumerate(payloads):
        record = decode_record(payload, keysets, index, where)
        if record is not None:
            yield record


def decode_record(
    payload: bytes, keysets: dict[int, tuple[str, ...]], index: int, where: str
) -> Event | Points | None:
    """Give what a payload says; None for a list of keys, and for kinds of later versions.

    Args:
        payload: The payload.
        keysets: The lists of keys that came before it in its segment; one is added.
        index: Its place among the records of its segment, from 0.
        where: The segment's path, for messages.

    Raises:
        Corrupt: It isn't what its kind says.
        NewerFormat: A newer mlkit wrote the segment.
    """
    try:
        kind = payload[0]
        if kind in (POINTS, FLOAT_POINTS):
            return decode_points(payload, keysets)
        if kind == EVENT:
            event = decode_event(payload)
            if event.name == "segment":
                _check_head(event, index, where)
            return event
        if kind == KEYS:
            number, keys = decode_keys(payload, known=keysets)
            keysets[number] = keys
    except (ValueError, KeyError, TypeError, AttributeError, struct_error) as error:
        message = f"Record {index} of {where} can't be read: {error!r}"
        raise Corrupt(message) from error
    return None


def _check_head(event: Event, index: int, where: str) -> None:
    """Check the event that begins a segment."""
    if event.body["format"] > FORMAT:
        message = f"{where} has format {event.body['format']}, this mlkit reads up to {FORMAT}"
        raise NewerFormat(message, hint="Upgrade with: pip install -U mlkit-lifecycle")
    if index:
        message = "another segment begins there"
        raise ValueError(message)


def decode_event(payload: bytes) -> Event:
    """Give the event of a payload of kind 1.

    Raises:
        ValueError: It isn't what an event must be; KeyError and AttributeError likewise.
    """
    body = decode_value(payload[1:].decode("utf-8", "surrogatepass"))
    name, time = body.pop("event"), body.pop("time")
    if type(name) is not str or type(time) is not int or time.bit_length() >= _TIME_BITS:
        message = f"an event has a name and a time, not {name!r:.40} and {time!r:.40}"
        raise ValueError(message)
    return Event(name, time, body)


def decode_keys(payload: bytes, *, known: Container[int]) -> tuple[int, tuple[str, ...]]:
    """Give the number and the keys that a payload of kind 2 introduces.

    Args:
        payload: The payload.
        known: The numbers that were introduced before, which no writer gives again.

    Raises:
        ValueError: It isn't what a list of keys must be.
    """
    number: int = KEYS_HEAD.unpack_from(payload)[1]
    keys = decode_value(payload[KEYS_HEAD.size :].decode("utf-8", "surrogatepass"))
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        message = f"keys are a list of names, not {keys!r:.40}"
        raise ValueError(message)
    if number in known:  # else the points behind it would get the names of others
        message = f"the list of keys {number} comes twice"
        raise ValueError(message)
    return number, tuple(keys)


def decode_points(payload: bytes, keysets: Mapping[int, tuple[str, ...]]) -> Points:
    """Give the points of a payload of kind 3 or 4."""
    keys = keysets[KEYS_HEAD.unpack_from(payload)[1]]
    layout = points_struct(len(keys), float_step=payload[0] == FLOAT_POINTS)
    _, _, step, time, *values = layout.unpack(payload)
    return Points(keys, step, time, tuple(values))
