"""The values of a field in every run, as columns by type, and how they stand to others."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from mlkit._core.codec import decode_value
from mlkit.index.arrays import certain
from mlkit.query.constants import TYPES, among, compared, kernel, unknown, unlike
from mlkit.query.fields import RunColumns, kind_of
from mlkit.query.patterns import like
from mlkit.query.scalars import compare
from mlkit.query.syntax import Constant, Field, Operator

if TYPE_CHECKING:
    import pyarrow as pa

_EXACT = 2**53  # floats hold all ints up to it


@frozen
class Values:
    """What runs have of a field: at most one value each, so one column for each type.

    Masks are bools for each run, null where the answer is unknown.

    Attributes:
        columns: By kind: `bool`, `int`, `float`, `text`, `json`; at most one is set in a row.
        length: How many runs there are.
    """

    columns: "Mapping[str, pa.ChunkedArray]"
    length: int

    @classmethod
    def of(cls, columns: RunColumns, field: Field) -> "Values":
        """Give the values of a field; times are ints, microseconds since 1970, UTC."""
        return cls(_columns(columns, field), len(columns))

    def present(self) -> Any:
        """Tell of each run whether it has a value."""
        import pyarrow.compute as pc

        masks = [pc.is_valid(column) for column in self.columns.values()]
        if not masks:
            return certain(unknown(self.length))
        found = masks[0]
        for mask in masks[1:]:
            found = pc.or_(found, mask)
        return found

    def compared(self, sign: Operator, constant: Constant) -> Any:
        """Tell of each run how its value stands to a constant."""
        return self._merged(
            compared(kind, column, sign, constant) for kind, column in self.columns.items()
        )

    def among(self, constants: Sequence[Constant]) -> Any:
        """Tell of each run whether its value equals one of several constants."""
        return self._merged(among(kind, column, constants) for kind, column in self.columns.items())

    def like(self, pattern: str) -> Any:
        """Tell of each run whether its value, if it is text, matches a pattern."""
        text = self.columns.get("text")
        return unknown(self.length) if text is None else like(text, pattern)

    def beside(self, sign: Operator, other: "Values") -> Any:
        """Tell of each run how its value stands to its value of another field."""
        return self._merged(
            _pair(kind, column, sign, other_kind, other_column)
            for kind, column in self.columns.items()
            for other_kind, other_column in other.columns.items()
        )

    def _merged(self, masks: Iterable[Any]) -> Any:
        """Make one mask of several, of which at most one is set in a row."""
        import pyarrow.compute as pc

        found = list(masks)
        if not found:
            return unknown(self.length)
        return found[0] if len(found) == 1 else pc.coalesce(*found)


def _columns(columns: RunColumns, field: Field) -> "Mapping[str, pa.ChunkedArray]":
    import pyarrow as pa

    if field.name == "params":
        return columns.param(field.key or "")
    if field.name == "metrics":
        found = columns.metric(field.key or "", field.part)
        return {} if found is None else {"float": found}
    if field.name == "tags":
        found = columns.tag(field.key or "")
        return {} if found is None else {"text": found}
    column = columns.fixed(field.name)
    match kind_of(field.name):
        case "time":
            return {"int": column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())}
        case "span":
            return {"float": column}
        case _:
            return {"text": column}


def _pair(
    kind: str,
    column: "pa.ChunkedArray",
    sign: Operator,
    other_kind: str,
    other: "pa.ChunkedArray",
) -> Any:
    """Tell of each row how two values stand, null where one of them is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    types = {TYPES[kind], TYPES[other_kind]}
    if types == {"number"} and kind != other_kind:
        if held_by_floats(column) and held_by_floats(other):
            column, other = column.cast(pa.float64()), other.cast(pa.float64())
        else:
            return _by_row(column.to_pylist(), sign, other.to_pylist())
    elif types <= {"number", "other"} and "other" in types:
        return _by_row(_decoded(kind, column), sign, _decoded(other_kind, other))
    elif len(types) > 1 or (types == {"bool"} and sign not in ("=", "!=")):
        return pc.if_else(pc.is_valid(other), unlike(column, sign), None)
    answer = kernel(sign)(column, other)
    if "float" not in (kind, other_kind) or sign not in ("=", "!="):
        return answer
    both_nan = pc.and_(pc.is_nan(column), pc.is_nan(other))
    return pc.or_(answer, both_nan) if sign == "=" else pc.and_not(answer, both_nan)


def held_by_floats(column: "pa.Array | pa.ChunkedArray") -> bool:
    """Tell whether floats hold all of a column's numbers exactly."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.type != pa.int64():
        return True
    ends = pc.min_max(column).as_py()
    return ends["min"] is None or (ends["min"] >= -_EXACT and ends["max"] <= _EXACT)


def _decoded(kind: str, column: "pa.ChunkedArray") -> Any:
    """Give the values of a column to Python, what is JSON as what it says."""
    values = column.to_pylist()
    if kind != "json":
        return values
    return [None if text is None else decode_value(text) for text in values]


def _by_row(values: Iterable[Any], sign: Operator, others: Iterable[Any]) -> "pa.Array":
    """Compare values that Arrow can't compare exactly, one by one."""
    import pyarrow as pa

    rows = zip(values, others, strict=True)
    return pa.array(
        [None if one is None or two is None else compare(one, sign, two) for one, two in rows],
        pa.bool_(),
    )
