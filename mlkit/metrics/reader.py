"""The reading side of segments: whole records out of files that may end anywhere."""

from collections.abc import Iterator

from mlkit.errors import Corrupt
from mlkit.metrics.framing import Gap, scan
from mlkit.metrics.records import Event, Points, decode_records


def read_segment(data: bytes, where: str) -> Iterator[Event | Points]:
    """Give the records of a segment, skipping what a kill cut short.

    Args:
        data: The segment's bytes.
        where: Its path, for messages.

    Raises:
        Corrupt: Stored bytes were changed. What a kill cut short doesn't raise: no call that
            wrote it had returned.
    """
    found = scan(data)
    for gap in found.gaps:
        if not gap.torn:
            message = f"{where} was damaged: {gap.size} bytes at {gap.offset} hold no whole record"
            raise Corrupt(message, hint="run.verify() lists all damage; restore it from a copy")
    return decode_records(found.payloads, where)


def check_segment(data: bytes, where: str) -> tuple[int, list[Gap]]:
    """Check every record of a segment.

    Returns:
        The number of its whole records, and the stretches that hold none, torn and damaged ones.

    Raises:
        Corrupt: A record isn't what its kind says although its CRC is right.
    """
    found = scan(data)
    if not found.gaps:  # after a gap, keys may be missing that later records refer to
        for _ in decode_records(found.payloads, where):
            pass
    return len(found.payloads), found.gaps
