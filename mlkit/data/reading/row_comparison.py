"""One comparison of a column with a value, and which row groups it rules out."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mlkit.data.reading.value_place import counted, is_missing
from mlkit.errors import InvalidInput
from mlkit.tables.chunks import leaves_of

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

OPERATORS = ("==", "=", "!=", "<", "<=", ">", ">=", "in", "not in")
"""How a column can be compared with a value."""

_MANY = ("in", "not in")


@frozen
class Comparison:
    """A column, an operator and a value.

    Attributes:
        column: The column.
        operator: One of `OPERATORS`; another one than the user wrote, where that says the same
            by a value that the column can have.
        value: What the user wrote.
        known: The same as Arrow's scalar, or as an array where there are several.
        kind: The type that the column's values are compared as.
        is_cast: Whether they must be cast to it, as Arrow can't compare their own type.
    """

    column: str
    operator: str
    value: Any
    known: Any = field(repr=False)
    kind: "pa.DataType" = field(repr=False)
    is_cast: bool = field(default=False, repr=False)

    @classmethod
    def of(cls, column: str, operator: str, value: Any, kind: "pa.DataType") -> "Comparison":
        """Give the comparison that a user wrote.

        Args:
            column: The column.
            operator: One of `OPERATORS`.
            value: What it is compared with; several for `in` and `not in`.
            kind: The column's type.

        Raises:
            InvalidInput: The value is of a kind that can't be compared.
        """
        import pyarrow as pa
        from pyarrow import types

        plain = kind.value_type if types.is_dictionary(kind) else kind
        if operator in _MANY:
            if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
                raise InvalidInput(
                    f"Column {column!r} is looked for in {value!r}, which is no list",
                    hint=f"Write ({column!r}, {operator!r}, [{value!r}])",
                )
        elif value is None:
            raise InvalidInput(
                f"Column {column!r} is compared with None, which holds of no row",
                hint=f"Write ({column!r}, 'in', [None]) for the rows in which it is null",
            )
        listed = list(value) if operator in _MANY else [value]
        try:
            exact = counted(operator, listed, plain)
            if exact is not None:
                return cls(column, exact[0], value, exact[1], plain)
            known = _array([_plain(item, plain) for item in listed], plain)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise InvalidInput(
                f"Column {column!r} can't be compared with {value!r}: {error}"
            ) from error
        wide = _wide(plain)
        known = _fitted(known, wide)
        if operator in _MANY and types.is_floating(known.type):
            known = _both_zeros(known)
        return cls(
            column,
            operator,
            value,
            known if operator in _MANY else known[0],
            wide,
            is_cast=wide != plain,
        )

    @property
    def expression(self) -> "pc.Expression":
        """What holds of the rows for which it holds."""
        import pyarrow.compute as pc

        column = pc.field(self.column)
        if self.is_cast:
            column = column.cast(self.kind)
        if self.operator == "in":
            return column.isin(self.known)
        if self.operator == "not in":
            return ~column.isin(self.known)
        name = _FUNCTIONS[self.operator]
        return getattr(column, name)(pc.scalar(self.known))

    def possible_groups(self, metadata: "pq.FileMetaData") -> Sequence[bool]:
        """Tell of each row group of a Parquet file whether it may have rows for which it holds.

        Args:
            metadata: What the footer of the file says.
        """
        import pyarrow as pa

        every = [True] * metadata.num_row_groups
        schema = metadata.schema.to_arrow_schema()
        leaves = leaves_of(schema).get(self.column, range(0))
        if self.operator in {"!=", "not in"} or len(leaves) != 1:
            return every
        found = [
            metadata.row_group(group).column(leaves[0]).statistics
            for group in range(metadata.num_row_groups)
        ]
        try:
            least, most = _bounds(found, schema.field(self.column).type, self.kind)
            maybe = self._maybe(least, most)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            return every
        return [
            bool(possible) if statistics is not None and statistics.has_min_max else may_be
            for statistics, possible, may_be in zip(
                found, maybe, (self._unbounded(one) for one in found), strict=True
            )
        ]

    def _maybe(self, least: "pa.Array", most: "pa.Array") -> list[bool | None]:
        """Tell where a value may lie between two bounds, by the way in which rows are compared."""
        import pyarrow.compute as pc

        if self.operator in {"<", "<="}:
            return list(_compare(self.operator, least, self.known).to_pylist())
        if self.operator in {">", ">="}:
            return list(_compare(self.operator, most, self.known).to_pylist())
        values = self.known if self.operator == "in" else [self.known]
        found: list[bool | None] = [False] * len(least)
        for value in values:
            if not value.is_valid or value.as_py() != value.as_py():
                return [True] * len(least)  # null, and NaN, which `in` finds and bounds leave out
            within = pc.and_(_compare("<=", least, value), _compare(">=", most, value))
            found = [
                one or bool(other) for one, other in zip(found, within.to_pylist(), strict=True)
            ]
        return found

    def _unbounded(self, statistics: Any) -> bool:
        """Tell whether a row group without bounds may have such rows: all of it may be null."""
        only_nulls = (
            statistics is not None
            and statistics.has_null_count
            and not statistics.num_values
            and statistics.null_count > 0
        )
        return not only_nulls or (self.operator == "in" and self.known.null_count > 0)


_FUNCTIONS = {
    "==": "__eq__",
    "=": "__eq__",
    "!=": "__ne__",
    "<": "__lt__",
    "<=": "__le__",
    ">": "__gt__",
    ">=": "__ge__",
}
_COMPUTE = {"<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal"}


def _compare(operator: str, bounds: "pa.Array", value: "pa.Scalar") -> "pa.Array":
    import pyarrow.compute as pc

    return getattr(pc, _COMPUTE[operator])(bounds, value)


def _wide(kind: "pa.DataType") -> "pa.DataType":
    """Give the type that values are compared as, where Arrow can't compare their own."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_decimal32(kind) or types.is_decimal64(kind):
        return pa.decimal128(kind.precision, kind.scale)
    return pa.float32() if types.is_float16(kind) else kind


def _array(values: list[Any], kind: "pa.DataType") -> "pa.Array":
    import pyarrow as pa

    listed = [None if is_missing(value) else _plain(value, kind) for value in values]
    try:
        return pa.array(listed)
    except OverflowError:  # a whole number beyond 64 bits
        return pa.array(listed, kind)


def _both_zeros(known: "pa.Array") -> "pa.Array":
    """Give floats with both zeros where one is among them: Arrow's `is_in` tells them apart."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pc.any(pc.equal(known, 0.0)).as_py():
        return known
    return pa.concat_arrays([known, pa.array([0.0, -0.0], known.type)])


def _plain(value: Any, kind: "pa.DataType") -> Any:
    """Give a value as Arrow takes it: whole numbers as decimals where the column has those."""
    from pyarrow import types

    if types.is_decimal(kind) and isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if hasattr(value, "as_py"):
        return value.as_py()
    return value


def _fitted(known: Any, kind: "pa.DataType") -> Any:
    """Give values with the column's own type, where it holds them exactly; else as they are."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_null(known.type):
        return pa.nulls(len(known), kind)
    fits = (
        types.is_temporal(known.type) == types.is_temporal(kind)
        and types.is_floating(known.type) <= types.is_floating(kind)
        and (types.is_string(known.type) or types.is_large_string(known.type))
        == (types.is_string(kind) or types.is_large_string(kind))
        and types.is_boolean(known.type) == types.is_boolean(kind)
    )
    zoned = types.is_timestamp(kind) and types.is_timestamp(known.type)
    if not fits or (zoned and (kind.tz is None) != (known.type.tz is None)):
        return known
    try:
        cast = known.cast(kind)
        same = cast.cast(known.type).equals(known)
    except (pa.ArrowException, TypeError):
        return known
    return cast if same else known


def _bounds(
    found: Sequence[Any], stored: "pa.DataType", kind: "pa.DataType"
) -> tuple["pa.Array", "pa.Array"]:
    """Give the least and the greatest values that statistics name, null where they name none."""
    import pyarrow as pa
    from pyarrow import types

    plain = stored.value_type if types.is_dictionary(stored) else stored
    whole = types.is_temporal(plain)
    names = ("min_raw", "max_raw") if whole else ("min", "max")
    arrays = []
    for name in names:
        values = [
            getattr(one, name) if one is not None and one.has_min_max else None for one in found
        ]
        if whole:
            array = pa.array(values, getattr(pa, f"int{plain.bit_width}")()).view(plain)
        else:
            array = pa.array(values, plain)
        arrays.append(array.cast(kind))
    return arrays[0], arrays[1]
