"""Arrays of numbers as text in JSON documents."""

import base64
from typing import TYPE_CHECKING

from mlkit._core.shapes import Misshapen

if TYPE_CHECKING:
    import pyarrow as pa

_BYTES = 8


def packed(array: "pa.Array") -> str:
    """Give an array of 64-bit numbers without nulls as text: base64, little-endian.

    Example:
        >>> import pyarrow as pa
        >>> packed(pa.array([1, 2])), unpacked(packed(pa.array([1, 2])), pa.int64()).to_pylist()
        ('AQAAAAAAAAACAAAAAAAAAA==', [1, 2])
    """
    _, data = array.buffers()
    start, size = array.offset * _BYTES, len(array) * _BYTES
    return base64.b64encode(memoryview(data)[start : start + size] if size else b"").decode()


def unpacked(text: object, kind: "pa.DataType") -> "pa.Array":
    """Give the array of a text that `packed` made.

    Raises:
        Misshapen: It is none.
    """
    import pyarrow as pa

    if not isinstance(text, str):
        raise Misshapen(f"{str(text)[:80]!r} is no packed array")
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Misshapen(f"A packed array can't be read: {error}") from error
    if len(data) % _BYTES:
        raise Misshapen(f"A packed array has {len(data):,} bytes, which isn't a multiple of 8")
    return pa.Array.from_buffers(kind, len(data) // _BYTES, [None, pa.py_buffer(data)])
