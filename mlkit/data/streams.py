"""The values of a column as streams of bytes that are the same for every chunking.

A column of a nested type is a tree of streams. Each level counts its values and hashes the
positions of its nulls; below that only values that exist go on: to the stream of fixed-width
values, to those of lengths and bytes of texts, or to the children. A stream is hashed as it
grows, so where a chunk ends leaves no trace.
"""

import hashlib
import struct
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class _Values(Protocol):
    """What hashes the values of one level that exist."""

    def update(self, array: "pa.Array") -> None:
        """Add values; none is null."""

    def digests(self) -> list[bytes]:
        """Give the digests of the streams so far."""


class Level:
    """One level of a column: its values, nulls among them, and the levels below.

    Args:
        kind: The type of its arrays, one that `plain_type` gives.
    """

    def __init__(self, kind: "pa.DataType") -> None:
        self._count = 0
        self._nulls = hashlib.sha256()
        self._values = _values(kind)

    def update(self, array: "pa.Array") -> None:
        """Add the next values."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if array.null_count:
            positions = pc.add(
                pc.indices_nonzero(array.is_null()).cast(pa.uint64()),
                pa.scalar(self._count, pa.uint64()),
            )
            self._nulls.update(_fixed_bytes(positions, 8))
            kept = None if array.null_count == len(array) else array.drop_null()
        else:
            kept = array
        self._count += len(array)
        if kept is not None and len(kept):
            self._values.update(kept)

    def digest(self) -> bytes:
        """Give the digest of all values so far."""
        whole = hashlib.sha256(struct.pack("<Q", self._count) + self._nulls.digest())
        for digest in self._values.digests():
            whole.update(digest)
        return whole.digest()


def _values(kind: "pa.DataType") -> _Values:
    from pyarrow import types

    if types.is_struct(kind):
        return _Fields([Level(kind.field(number).type) for number in range(kind.num_fields)])
    if types.is_fixed_size_list(kind):
        return _FixedLists(Level(kind.value_type))
    if types.is_list(kind) or types.is_large_list(kind):
        return _Lists(Level(kind.value_type))
    return _flat_values(kind)


def _flat_values(kind: "pa.DataType") -> _Values:
    from pyarrow import types

    if types.is_null(kind):
        return _Nothing()
    if types.is_large_string(kind) or types.is_large_binary(kind):
        return _Texts()
    if types.is_timestamp(kind) or types.is_duration(kind):
        return _Moments(_PER_SECOND[kind.unit])
    if types.is_floating(kind):
        return _Floats(kind.bit_width // 8)
    if types.is_boolean(kind):
        return _Booleans()
    return _Fixed(kind.bit_width // 8)


class _Nothing:
    """Values of the null type: there are none."""

    def update(self, array: "pa.Array") -> None:
        """Never called: every value is null."""

    def digests(self) -> list[bytes]:
        return []


class _Fixed:
    """Values of a fixed width, little-endian."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._stream = hashlib.sha256()

    def update(self, array: "pa.Array") -> None:
        self._stream.update(_fixed_bytes(array, self._width))

    def digests(self) -> list[bytes]:
        return [self._stream.digest()]


class _Booleans(_Fixed):
    """Bits, as a byte each: bits can't be cut at every place."""

    def __init__(self) -> None:
        super().__init__(1)

    def update(self, array: "pa.Array") -> None:
        import pyarrow as pa

        super().update(array.cast(pa.uint8()))


class _Floats(_Fixed):
    """Floats, in which every NaN is the same one."""

    def update(self, array: "pa.Array") -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        unordered = pc.is_nan(array)
        if unordered.true_count:
            array = pc.if_else(unordered, pa.scalar(float("nan"), array.type), array)
        super().update(array)


class _Moments:
    """Times and durations as whole seconds and the nanoseconds left, both towards zero.

    So the unit leaves no trace, and the range of none of them is cut.
    """

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._seconds = hashlib.sha256()
        self._rest = hashlib.sha256()

    def update(self, array: "pa.Array") -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        values = array.cast(pa.int64())
        seconds = pc.divide(values, self._per_second)
        parts = pc.subtract(values, pc.multiply(seconds, self._per_second))
        rest = pc.multiply(parts, 10**9 // self._per_second).cast(pa.int32())
        self._seconds.update(_fixed_bytes(seconds, 8))
        self._rest.update(_fixed_bytes(rest, 4))

    def digests(self) -> list[bytes]:
        return [self._seconds.digest(), self._rest.digest()]


class _Texts:
    """Texts or bytes: their lengths, and all of them after each other."""

    def __init__(self) -> None:
        self._lengths = hashlib.sha256()
        self._bytes = hashlib.sha256()

    def update(self, array: "pa.Array") -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        lengths = pc.binary_length(array).cast(pa.uint32())
        self._lengths.update(_fixed_bytes(lengths, 4))
        _, offsets, data = array.buffers()
        first, last = (
            struct.unpack_from("<q", offsets, 8 * (array.offset + row))[0]
            for row in (0, len(array))
        )
        self._bytes.update(memoryview(data or b"")[first:last])

    def digests(self) -> list[bytes]:
        return [self._lengths.digest(), self._bytes.digest()]


class _Lists:
    """Lists: their lengths, and all their items after each other."""

    def __init__(self, items: Level) -> None:
        self._lengths = hashlib.sha256()
        self._items = items

    def update(self, array: "pa.Array") -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        lengths = pc.list_value_length(array).cast(pa.uint32())
        self._lengths.update(_fixed_bytes(lengths, 4))
        self._items.update(array.flatten())

    def digests(self) -> list[bytes]:
        return [self._lengths.digest(), self._items.digest()]


class _FixedLists:
    """Lists of one length, which the type says."""

    def __init__(self, items: Level) -> None:
        self._items = items

    def update(self, array: "pa.Array") -> None:
        self._items.update(array.flatten())

    def digests(self) -> list[bytes]:
        return [self._items.digest()]


class _Fields:
    """Structs: each field is a level of its own."""

    def __init__(self, fields: list[Level]) -> None:
        self._fields = fields

    def update(self, array: "pa.Array") -> None:
        for level, child in zip(self._fields, array.flatten(), strict=True):
            level.update(child)

    def digests(self) -> list[bytes]:
        return [level.digest() for level in self._fields]


def _fixed_bytes(array: "pa.Array", width: int) -> memoryview:
    """Give the bytes of an array's values without copying them."""
    data = array.buffers()[1]
    return memoryview(data)[array.offset * width : (array.offset + len(array)) * width]
