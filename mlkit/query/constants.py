"""Columns of one type compared with constants; the answers are those of `scalars.compare`.

Ints and floats are compared exactly, also where one type can't hold the other's value: the
constant then moves to the nearest that the column's type holds.
"""

import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mlkit.index.arrays import array_of, certain, scalar_of
from mlkit.query.scalars import ORDERS, compare, equal, type_of
from mlkit.query.syntax import Constant, Operator

if TYPE_CHECKING:
    import pyarrow as pa

TYPES = {"bool": "bool", "int": "number", "float": "number", "text": "text", "json": "other"}
"""The type that filters see in a column of each kind; JSON holds ints beyond int64 too."""

_INT64 = 2**63
_INTEGER = re.compile(r"-?[0-9]{1,4300}")  # Python reads no more digits
_ORDERED_TYPES = ("number", "text")
_KERNELS = {
    "=": "equal", "!=": "not_equal",
    "<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal",
}  # fmt: skip


def kernel(sign: Operator) -> Callable[[Any, Any], Any]:
    """Give Arrow's function for an operator, which takes two columns or a column and a scalar."""
    import pyarrow.compute as pc

    found: Callable[[Any, Any], Any] = getattr(pc, _KERNELS[sign])
    return found


def compared(kind: str, column: "pa.ChunkedArray", sign: Operator, constant: Constant) -> Any:
    """Tell of each value of a column how it stands to a constant.

    Args:
        kind: What the column holds, a key of `TYPES`.
        column: The values.
        sign: The operator.
        constant: The constant; the parser lets none ask for an order of true and false.

    Returns:
        A column of bools; null where that is unknown.
    """
    if kind == "json":
        return _by_value(column, lambda text: compare(_number_or_other(text), sign, constant))
    if TYPES[kind] != type_of(constant):
        return unlike(column, sign)
    if kind == "int" and not isinstance(constant, str):
        return _ints(column, sign, constant)
    if kind == "float" and not isinstance(constant, str):
        return _floats(column, sign, constant)
    return kernel(sign)(column, scalar_of(constant, column.type))


def among(kind: str, column: "pa.ChunkedArray", constants: Sequence[Constant]) -> Any:
    """Tell of each value of a column whether it equals one of several constants.

    Args:
        kind: What the column holds, a key of `TYPES`.
        column: The values.
        constants: The constants.

    Returns:
        A column of bools; null where there is no value.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == "json":
        return _by_value(
            column, lambda text: any(equal(_number_or_other(text), one) for one in constants)
        )
    same: list[Any] = [one for one in constants if type_of(one) == TYPES[kind]]
    if kind == "int":
        whole = [int(one) for one in same if _is_finite(one) and one == int(one)]
        same = [one for one in whole if -_INT64 <= one < _INT64]
    elif kind == "float":
        same = [value for one in same for value in _same_floats(one)]
    found = pc.is_in(column, value_set=array_of(same, column.type))
    if kind == "float" and any(one != one for one in same):  # noqa: PLR0124 - there are many NaN
        found = pc.or_(found, certain(pc.is_nan(column)))
    return pc.if_else(pc.is_valid(column), found, scalar_of(None, pa.bool_()))


def unlike(column: "pa.ChunkedArray", sign: Operator) -> Any:
    """Tell of each value how it stands to something of another type: never equal, without order."""
    if sign in ORDERS:
        return unknown(len(column))
    return _always(column, answer=sign == "!=")


def unknown(length: int) -> "pa.Array":
    """Give a column of bools that are all unknown."""
    import pyarrow as pa

    return pa.nulls(length, pa.bool_())


def _always(column: "pa.ChunkedArray", *, answer: bool) -> Any:
    """Give the same answer for each value, and null where there is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    said, nothing = (scalar_of(one, pa.bool_()) for one in (answer, None))
    return pc.if_else(pc.is_valid(column), said, nothing)


def _ints(column: "pa.ChunkedArray", sign: Operator, constant: float) -> Any:
    import pyarrow as pa

    if _is_finite(constant) and constant != int(constant):  # ints only stand beside it
        if sign in ("=", "!="):
            return _always(column, answer=sign == "!=")
        down = sign in ("<", "<=")
        constant, sign = (math.floor(constant), "<=") if down else (math.ceil(constant), ">=")
    if not _is_finite(constant) or not -_INT64 <= constant < _INT64:
        return _always(column, answer=compare(0, sign, constant) is True)
    return kernel(sign)(column, scalar_of(int(constant), pa.int64()))


def _floats(column: "pa.ChunkedArray", sign: Operator, constant: float) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    near = _nearest(constant)
    if math.isnan(near):
        if sign in ORDERS:
            return _always(column, answer=False)
        found = pc.is_nan(column)
        return found if sign == "=" else pc.invert(found)
    if near != constant:  # no float equals it: `near` is the first beyond it, or before it
        if sign in ("=", "!="):
            return _always(column, answer=sign == "!=")
        above = near > constant
        below: Operator = "<" if above else "<="
        beyond: Operator = ">=" if above else ">"
        sign = below if sign in ("<", "<=") else beyond
    return kernel(sign)(column, scalar_of(near, pa.float64()))


def _is_finite(constant: float) -> bool:
    return isinstance(constant, int) or math.isfinite(constant)  # which takes no long int


def _nearest(constant: float) -> float:
    try:
        return float(constant)
    except OverflowError:
        return math.copysign(math.inf, constant > 0 or -1)


def _same_floats(constant: float) -> list[float]:
    """Give the floats that equal a constant, as a set of values tells them apart."""
    near = _nearest(constant)
    if near == 0:
        return [0.0, -0.0]
    return [near] if near == constant or math.isnan(near) else []


def _by_value(column: "pa.ChunkedArray", answer: Callable[[str], bool | None]) -> Any:
    """Answer for each different text once."""
    import pyarrow as pa

    encoded = column.combine_chunks().dictionary_encode()
    answers = [answer(text) for text in encoded.dictionary.to_pylist()]
    return pa.array(answers, pa.bool_()).take(encoded.indices)


def _number_or_other(text: str) -> int | tuple[()]:
    """Give the int that a JSON text is, or something that no constant is."""
    return int(text) if _INTEGER.fullmatch(text) else ()
