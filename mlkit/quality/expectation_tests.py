"""Which values of a column break an expectation, for whole batches at a time."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from mlkit.quality.column_expectation import whole_pattern
from mlkit.quality.expectation_values import Incomparable, axis, bound, member, place, shown

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit.quality.column_expectation import ColumnExpectation

Breaks = Callable[["pa.Array"], "pa.BooleanArray"]
"""Tells of each value of a batch whether it breaks an expectation; of missing ones it may say
anything, null too."""


def breaks(column: "ColumnExpectation", kind: str, layout: "pa.DataType") -> Breaks:
    """Give what finds the values that break an expectation.

    Args:
        column: What is expected.
        kind: Which of it: `min`, `max`, `values`, `pattern`, `min_length` or `max_length`.
        layout: The type of the values, as `plain_type` gives it.

    Raises:
        Incomparable: Values of this type can't be held against it.
    """
    if kind == "min":
        return _beyond(column.min, layout, "min")
    if kind == "max":
        return _beyond(column.max, layout, "max")
    if kind == "values":
        return _others(column.values or (), layout)
    if kind == "pattern":
        return _unlike(column.pattern or "", layout)
    if kind == "min_length":
        return _shorter(column.min_length or 0, layout)
    return _longer(column.max_length or 0, layout)


def _beyond(value: Any, layout: "pa.DataType", side: Literal["min", "max"]) -> Breaks:
    import pyarrow.compute as pc

    at = place(value, layout)
    outermost = bound(at, _axis_type(layout), side)
    if outermost is True or outermost is False:
        return lambda array: _all(array, broken=not outermost)
    test = pc.less if side == "min" else pc.greater
    return lambda array: test(axis(array), outermost)


def _others(values: tuple[Any, ...], layout: "pa.DataType") -> Breaks:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    for name, own, matches in _UNORDERED:
        if getattr(types, name)(layout):
            for value in values:
                if not isinstance(value, matches):
                    raise Incomparable(f"{shown(value)} can't be among values of type {layout}")
            allowed = pa.array(values, getattr(pa, own)() if own else layout)
            return lambda array: pc.invert(pc.is_in(array.cast(allowed.type), value_set=allowed))
    if types.is_nested(layout) or types.is_null(layout):
        raise Incomparable(f"values of type {layout} can't be compared with others here")
    kind = _axis_type(layout)
    found = [member(place(value, layout), kind) for value in values]
    allowed = pa.array([one.as_py() for one in found if one is not None], kind)
    if types.is_floating(kind):  # is_in tells the two zeros apart
        return lambda array: pc.invert(pc.is_in(pc.add(axis(array), 0.0), value_set=allowed))
    return lambda array: pc.invert(pc.is_in(axis(array), value_set=allowed))


_UNORDERED: tuple[tuple[str, Any, type], ...] = (
    ("is_large_string", None, str),
    ("is_boolean", None, bool),
    ("is_large_binary", None, bytes),
    ("is_fixed_size_binary", "large_binary", bytes),
)


def _unlike(pattern: str, layout: "pa.DataType") -> Breaks:
    import pyarrow.compute as pc
    from pyarrow import types

    if not types.is_large_string(layout):
        raise Incomparable(f"a pattern is for texts, and the column is of type {layout}")
    whole = whole_pattern(pattern)
    return lambda array: pc.invert(pc.match_substring_regex(array, whole))


def _shorter(length: int, layout: "pa.DataType") -> Breaks:
    import pyarrow.compute as pc

    measure = _measure(layout)
    return lambda array: pc.less(measure(array), length)


def _longer(length: int, layout: "pa.DataType") -> Breaks:
    import pyarrow.compute as pc

    measure = _measure(layout)
    return lambda array: pc.greater(measure(array), length)


def _measure(layout: "pa.DataType") -> Any:
    import pyarrow.compute as pc
    from pyarrow import types

    if types.is_large_string(layout):
        return pc.utf8_length
    if types.is_large_binary(layout) or types.is_fixed_size_binary(layout):
        return pc.binary_length
    if types.is_list(layout) or types.is_large_list(layout) or types.is_fixed_size_list(layout):
        return pc.list_value_length
    raise Incomparable(f"values of type {layout} have no length")


def _axis_type(layout: "pa.DataType") -> "pa.DataType":
    import pyarrow as pa

    return axis(pa.array([], layout)).type


def _all(array: "pa.Array", *, broken: bool) -> "pa.BooleanArray":
    import pyarrow as pa

    return pa.repeat(pa.scalar(broken), len(array))


def missing(array: "pa.Array") -> "pa.BooleanArray":
    """Tell which values are missing: null or NaN.

    Args:
        array: In the layout of `plain_type`.

    Example:
        >>> import pyarrow as pa
        >>> missing(pa.array([1.0, None, float("nan")])).to_pylist()
        [False, True, True]
    """
    return array.is_null(nan_is_null=True)


def texts(array: "pa.Array") -> list[str | None]:
    """Give values as texts for people, none too long; None for missing ones.

    Args:
        array: A few values.
    """
    import pyarrow as pa
    from pyarrow import types

    if types.is_temporal(array.type) or types.is_decimal(array.type):
        try:  # by Arrow, which has times beyond those of Python
            array = array.cast(pa.string())
        except pa.ArrowException:
            array = array.cast(pa.int64()).cast(pa.string())
    return [None if value is None else _short(value) for value in array.to_pylist()]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= 200 else f"{text[:199]}…"  # noqa: PLR2004 - some lines of a page
