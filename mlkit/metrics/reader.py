"""The reading side of segments: whole records out of files that may end anywhere."""

from array import array
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from attrs import field, frozen

from mlkit.errors import Corrupt
from mlkit.metrics.framing import Gap, scan
from mlkit.metrics.records import Event, Points, decode_records

if TYPE_CHECKING:
    import pyarrow as pa


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


@frozen
class PointColumns:
    """Points gathered by key into columns, for an Arrow table.

    Attributes:
        steps: The step of each point, by key.
        times: Its time, in nanoseconds since 1970, UTC.
        values: Its value.
    """

    steps: dict[str, list[int | float]] = field(factory=dict)
    times: dict[str, "array[int]"] = field(factory=dict)
    values: dict[str, "array[float]"] = field(factory=dict)

    def add(self, points: Points, only: str | None = None) -> None:
        """Take the points in; of one key only, when it is named."""
        for key, value in zip(points.keys, points.values, strict=True):
            if only is None or key == only:
                if key not in self.values:
                    self.steps[key], self.times[key] = [], array("q")
                    self.values[key] = array("d")
                self.steps[key].append(points.step)
                self.times[key].append(points.time)
                self.values[key].append(value)

    def table(self, key: str) -> "pa.Table":
        """Give the points of one key, ordered by time.

        Returns:
            Columns `step` (int64; float64 when some step is no integer), `time` (UTC, ns) and
            `value` (float64). Empty when the key has no points.
        """
        import pyarrow as pa

        steps = self.steps.get(key, [])
        whole = all(isinstance(step, int) for step in steps)
        columns = {
            "step": pa.array(steps, pa.int64())
            if whole
            else pa.array(map(float, steps), pa.float64()),
            "time": pa.array(self.times.get(key, ()), pa.timestamp("ns", tz="UTC")),
            "value": pa.array(self.values.get(key, ()), pa.float64()),
        }
        table = pa.table(columns)
        return table.sort_by("time") if _unordered(self.times.get(key, ())) else table


def _unordered(times: Iterable[int]) -> bool:
    before = None
    for time in times:
        if before is not None and time < before:
            return True
        before = time
    return False
