"""Times as whole numbers of their unit, and back as what people read."""

from typing import Any, Self

from attrs import frozen

from mlkit._core import shapes

_NANOSECONDS = {"d": 86_400_000_000_000, "s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}


@frozen
class Ticks:
    """How a column counts time.

    Attributes:
        type: The logical type, such as `timestamp[UTC]`, `date`, `time` or `duration`.
        unit: What is counted: `d`, `s`, `ms`, `us` or `ns`.

    Example:
        >>> Ticks("date", "d").moment(15706)
        datetime.date(2013, 1, 1)
    """

    type: str
    unit: str

    @classmethod
    def of(cls, logical: str, kind: Any) -> Self:
        """Give how a column of an Arrow type counts.

        Args:
            logical: Its logical type.
            kind: Its Arrow type.
        """
        from pyarrow import types

        if types.is_date(kind):
            return cls(logical, "d" if types.is_date32(kind) else "ms")
        return cls(logical, kind.unit)

    def to_json(self) -> dict[str, str]:
        """Give it as plain values."""
        return {"type": self.type, "unit": self.unit}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Give what `to_json` gave.

        Raises:
            Misshapen: It is none.
        """
        ticks = cls(shapes.required(data, "type", str), shapes.required(data, "unit", str))
        if ticks.unit not in _NANOSECONDS:
            raise shapes.Misshapen(f"{ticks.unit[:80]!r} is no unit of time")
        return ticks

    @property
    def what(self) -> str:
        """What the times are, by which they can be compared: `moment`, `time` or `duration`."""
        return self.type if self.type in {"time", "duration"} else "moment"

    @property
    def nanoseconds(self) -> int:
        """The nanoseconds of a tick."""
        return _NANOSECONDS[self.unit]

    def moment(self, ticks: int) -> Any:
        """Give a time as Python's own type; as text where that is too coarse or too narrow."""
        import pyarrow as pa

        known, exact = divmod(ticks * self.nanoseconds, 1000)
        try:
            if exact:
                return self._text(ticks)
            # Through microseconds, since finer ones would become those of pandas where that is.
            found = pa.scalar(known, pa.int64()).cast(self._kind("us")).as_py()
            return found.date() if self.type == "date" else found
        except (pa.ArrowException, ValueError, OverflowError, KeyError):
            return self._text(ticks)

    def _kind(self, unit: str) -> Any:
        import pyarrow as pa

        if self.type == "duration":
            return pa.duration(unit)
        if self.type == "time":
            return pa.time64(unit) if unit in {"us", "ns"} else pa.time32(unit)
        if self.type == "date":
            return pa.timestamp(unit)
        return pa.timestamp(unit, self.type[len("timestamp[") : -1] or None)

    def _text(self, ticks: int) -> str:
        import pyarrow as pa

        counted = f"{ticks} {self.unit}"
        if self.type == "duration" or self.unit == "d":
            return counted
        try:
            scalar = pa.scalar(ticks, pa.int64())
            if self._kind(self.unit).bit_width == 32:  # noqa: PLR2004 - bits
                scalar = scalar.cast(pa.int32())
            return str(scalar.cast(self._kind(self.unit)).cast(pa.string()).as_py())
        except (pa.ArrowException, ValueError, OverflowError, KeyError):
            return counted
