"""Whole numbers of JSON beyond the integers of 64 bits, which Arrow would take for floats."""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mlkit.data.sources.json_types import too_large

if TYPE_CHECKING:
    import pyarrow as pa

_Place = tuple[str, ...]
_LARGE, _HUGE = 1 << 63, 1 << 64
_ITEM = "[]"
_DIGITS = 40  # of a number; those that follow say nothing new


def whole_types(block: bytes, part: "pa.Table") -> "pa.Schema":
    """Give the schema of rows in which whole numbers aren't floats, unless others there are.

    Args:
        block: The rows as lines, each of which is JSON.
        part: The same rows as Arrow takes them, with the types that they seem to have.

    Example:
        >>> import pyarrow as pa
        >>> whole_types(b'{"n": 18446744073709551615}', pa.table({"n": [2.0**64]})).types
        [DataType(uint64)]
    """
    if not any(_has_large(chunk) for column in part.columns for chunk in column.chunks):
        return part.schema
    found: dict[_Place, set[str]] = defaultdict(set)
    for line in block.split(b"\n"):
        if line.strip():
            for place, word in _numbers(json.loads(line, strict=False, parse_int=_whole), ()):
                found[place].add(word)
    import pyarrow as pa

    return pa.schema([_retyped(column, (column.name,), found) for column in part.schema])


def _has_large(array: "pa.Array") -> bool:
    """Tell whether there is a float, at any depth, that may be a whole number of too many bits."""
    import pyarrow.compute as pc
    from pyarrow import types

    kind = array.type
    if types.is_floating(kind):
        return (pc.max(pc.abs(array)).as_py() or 0) >= _LARGE
    if types.is_list(kind):
        return _has_large(array.values)
    return types.is_struct(kind) and any(
        _has_large(array.field(number)) for number in range(kind.num_fields)
    )


def _whole(text: str) -> int:
    return int(text[:_DIGITS])


def _numbers(value: Any, place: _Place) -> Iterator[tuple[_Place, str]]:
    """Give what matters of each number in a value: where it stands, and a word for its size."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _numbers(inner, (*place, name))
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers(inner, (*place, _ITEM))
    elif isinstance(value, float):
        yield place, "float"
    elif isinstance(value, int):
        if not -_LARGE <= value < _HUGE:
            yield place, "huge"
        elif value < 0:
            yield place, "negative"
        elif value >= _LARGE:
            yield place, "large"


def _retyped(field: "pa.Field", place: _Place, found: dict[_Place, set[str]]) -> "pa.Field":
    """Give a field whose floats have the type that the numbers which were found need."""
    import pyarrow as pa
    from pyarrow import types

    kind = field.type
    if types.is_list(kind):
        return field.with_type(pa.list_(_retyped(kind.value_field, (*place, _ITEM), found)))
    if types.is_struct(kind):
        parts = [kind.field(number) for number in range(kind.num_fields)]
        return field.with_type(
            pa.struct([_retyped(part, (*place, part.name), found) for part in parts])
        )
    words = found.get(place, set())
    if "float" in words or not words & {"large", "huge"}:
        return field
    fits = "huge" not in words and "negative" not in words
    return field.with_type(pa.uint64() if fits else too_large())
