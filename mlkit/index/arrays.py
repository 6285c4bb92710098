"""Arrays and scalars of plain values, made of their bytes.

Arrow's own conversion of Python values imports pandas first, where that is installed, which takes
ten times as long as a search in 100,000 runs.
"""

from array import array
from collections.abc import Sequence
from itertools import accumulate
from struct import pack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def array_of(values: Sequence[Any], kind: "pa.DataType") -> "pa.Array":
    """Give values as an array; none of them is null.

    Args:
        values: Texts, ints, floats or bools, all of the kind.
        kind: string, int64, float64 or bool.

    Example:
        >>> import pyarrow as pa
        >>> array_of(["é", ""], pa.string()).to_pylist(), array_of([True, False], pa.bool_())[0]
        (['é', ''], <pyarrow.BooleanScalar: True>)
    """
    import pyarrow as pa

    if pa.types.is_string(kind):
        texts = [value.encode() for value in values]
        ends = array("i", accumulate(map(len, texts), initial=0))
        return pa.Array.from_buffers(
            kind, len(texts), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
        )
    if pa.types.is_boolean(kind):
        bits = sum(1 << place for place, value in enumerate(values) if value)
        data = bits.to_bytes(len(values) // 8 + 1, "little")
    else:
        code = "q" if pa.types.is_integer(kind) else "d"
        data = pack(f"<{len(values)}{code}", *values)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(data or b"\0" * 8)])


def scalar_of(value: Any, kind: "pa.DataType") -> "pa.Scalar":
    """Give one value, or null for None.

    Args:
        value: The value.
        kind: As in `array_of`; of null any.
    """
    import pyarrow as pa

    return pa.nulls(1, kind)[0] if value is None else array_of([value], kind)[0]


def certain(mask: Any) -> Any:
    """Give a column of bools with False where it is unknown."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.fill_null(mask, scalar_of(False, pa.bool_()))  # noqa: FBT003 - what nulls become
