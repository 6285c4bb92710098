"""Filters of rows, as `pyarrow.parquet.read_table` and `pandas.read_parquet` take them."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mlkit._core.names import near
from mlkit.data.reading.row_comparison import OPERATORS, Comparison
from mlkit.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

_FORM = "Write a list such as [('delay', '>', 60), ('carrier', 'in', ['UA', 'AA'])]"
_UNKNOWN = re.compile(r"No match for FieldRef\.(?:Name|Nested)\((.*?)\) in ")
_TRIPLE = 3


@frozen
class RowFilter:
    """Tells which rows are wanted, and which row groups can't have any of them.

    Attributes:
        columns: The columns that it looks at, in the order of the table.
        expression: What holds of the rows that are wanted.
        alternatives: The same as comparisons, of which all of one alternative must hold; None
            where it was given as an expression.
    """

    columns: tuple[str, ...]
    expression: "pc.Expression" = field(repr=False)
    alternatives: tuple[tuple[Comparison, ...], ...] | None = None

    @classmethod
    def of(cls, filters: Any, schema: "pa.Schema") -> "RowFilter":
        """Give the filter of what a user wrote.

        A comparison with null holds of no row, and one with NaN of none but `!=`, as in pyarrow.

        Args:
            filters: Tuples of a column, an operator and a value, which must all hold; or a list of
                such lists, of which one must hold; or an expression of `pyarrow.compute`. The
                operators are `==` (or `=`), `!=`, `<`, `<=`, `>`, `>=`, `in` and `not in`.
            schema: The columns there are.

        Raises:
            InvalidInput: There is no such column, or it can't be compared so.

        Example:
            >>> import pyarrow as pa
            >>> table = pa.table({"carrier": ["UA", "AA"], "delay": [70.0, 3.5]})
            >>> kept = RowFilter.of([("delay", ">", 60)], table.schema)
            >>> kept.columns, kept.apply(table)["carrier"].to_pylist()
            (('delay',), ['UA'])
        """
        import pyarrow.compute as pc

        if isinstance(filters, pc.Expression):
            return cls(_columns_of(filters, schema), filters)
        alternatives = tuple(
            tuple(_comparison(item, schema) for item in alternative)
            for alternative in _alternatives(filters)
        )
        for comparison in (item for alternative in alternatives for item in alternative):
            _check(comparison, schema)
        names = {item.column for alternative in alternatives for item in alternative}
        joined = []
        for alternative in alternatives:
            both = alternative[0].expression
            for item in alternative[1:]:
                both &= item.expression
            joined.append(both)
        expression = joined[0]
        for other in joined[1:]:
            expression |= other
        columns = tuple(name for name in schema.names if name in names)
        return cls(columns, expression, alternatives)

    def apply(self, table: Any) -> Any:
        """Give the rows of a table, or of a batch, for which it holds.

        Raises:
            InvalidInput: A value of the table can't be compared.
        """
        import pyarrow as pa

        try:
            return table.filter(self.expression)
        except (pa.ArrowException, TypeError) as error:
            raise _unfit(str(self.expression), error) from error

    def groups(self, metadata: "pq.FileMetaData") -> Sequence[int]:
        """Give the row groups that may have such rows, by the statistics of a Parquet file.

        Args:
            metadata: What the footer of the file says.
        """
        every = range(metadata.num_row_groups)
        if self.alternatives is None:
            return _groups_of(self.expression, metadata)
        ruled = [
            [item.possible_groups(metadata) for item in alternative]
            for alternative in self.alternatives
        ]
        return [
            group
            for group in every
            if any(all(possible[group] for possible in alternative) for alternative in ruled)
        ]


def _alternatives(filters: Any) -> list[list[Any]]:
    """Give filters as alternatives, each a list of comparisons."""
    if isinstance(filters, list | tuple) and filters:
        if isinstance(filters[0], str):
            raise InvalidInput(f"filters is the single comparison {filters!r}", hint=_FORM)
        if all(isinstance(part, list | tuple) and part for part in filters):
            is_flat = not isinstance(filters[0][0], list | tuple)
            return [list(filters)] if is_flat else [list(part) for part in filters]
    raise InvalidInput(f"{filters!r} can't filter rows", hint=_FORM)


def _comparison(item: Any, schema: "pa.Schema") -> Comparison:
    """Give a comparison that a user wrote."""
    if not isinstance(item, list | tuple) or len(item) != _TRIPLE:
        raise InvalidInput(f"{item!r} is no comparison", hint=_FORM)
    name, operator, value = item
    if name not in schema.names:
        raise _missing(str(name), schema)
    if operator not in OPERATORS:
        raise InvalidInput(
            f"Nothing compares by {operator!r}", hint=f"There are: {', '.join(OPERATORS)}"
        )
    return Comparison.of(name, operator, value, schema.field(name).type)


def _check(comparison: Comparison, schema: "pa.Schema") -> None:
    """Raise unless a comparison can be made, which Arrow tells of no rows."""
    import pyarrow as pa

    try:
        _try(comparison.expression, pa.schema([schema.field(comparison.column)]))
    except (pa.ArrowException, TypeError) as error:
        kind = schema.field(comparison.column).type
        raise InvalidInput(
            f"Column {comparison.column!r} is {kind}, and can't be compared by"
            f" {comparison.operator!r} with {comparison.value!r}",
            hint=_hint(kind, error),
        ) from error


def _hint(kind: "pa.DataType", error: Exception) -> str:
    from pyarrow import types

    if types.is_timestamp(kind):
        zone = f"in a zone, such as tzinfo={kind.tz!r}" if kind.tz else "without a zone"
        return f"Compare it with a datetime {zone}"
    return f"pyarrow says: {error}"


def _columns_of(expression: "pc.Expression", schema: "pa.Schema") -> tuple[str, ...]:
    """Give the columns that an expression names: those without which it means nothing.

    Raises:
        InvalidInput: It names a column that isn't there, or can't be asked of these columns.
    """
    import pyarrow as pa

    def fits(names: Sequence[str]) -> bool:
        part = pa.schema([schema.field(name) for name in names])
        try:
            _try(expression, part)
        except (pa.ArrowException, TypeError):
            return False
        return True

    try:
        _try(expression, schema)
    except (pa.ArrowException, TypeError) as error:
        unknown = _UNKNOWN.match(str(error))
        if unknown is not None:
            raise _missing(unknown[1], schema) from error
        raise _unfit(str(expression), error) from error
    if "FieldPath(" in str(expression):  # it goes by positions, which all columns keep
        return tuple(schema.names)
    needed = list(schema.names)
    size = len(needed)
    while size:
        for start in range(0, len(needed), size):
            rest = needed[:start] + needed[start + size :]
            if fits(rest):
                needed = rest
                break
        else:
            size = size // 2
    return tuple(needed)


def _groups_of(expression: "pc.Expression", metadata: "pq.FileMetaData") -> Sequence[int]:
    """Give the row groups that may have rows for which an expression holds, as Arrow knows it.

    Arrow takes a column for one without NaN when its statistics name a least and a greatest value.
    So an expression that NaN could meet reads all that has floats.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds
    from pyarrow import types

    schema = metadata.schema.to_arrow_schema()
    every = range(metadata.num_row_groups)
    floats = any(types.is_floating(kind) for kind in schema.types)
    if floats and not _is_monotone(str(expression)):
        return every
    sink = pa.BufferOutputStream()
    metadata.write_metadata_file(sink)
    fragment = ds.ParquetFileFormat().make_fragment(pa.BufferReader(sink.getvalue()))
    try:
        return [group.id for group in fragment.subset(filter=expression).row_groups]
    except (pa.ArrowException, TypeError):  # of values of another unit it can't tell
        return every


def _is_monotone(text: str) -> bool:
    """Tell whether the text of an expression has comparisons only that NaN never meets.

    Example:
        >>> _is_monotone('((delay > 60) and (carrier == "UA"))'), _is_monotone("invert((x > 1))")
        (True, False)
    """
    plain = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    called = set(re.findall(r"[A-Za-z_]+(?=\()", plain))
    unsure = ('"', "!=", "nan", "...")  # `is_in` finds NaN, and long lists are cut
    return called <= {"is_in"} and not any(sign in plain for sign in unsure)


def _try(expression: "pc.Expression", schema: "pa.Schema") -> None:
    """Ask an expression of a row of nulls, which it must be able to answer."""
    import pyarrow as pa

    nulls = [pa.nulls(1, kind) for kind in schema.types]
    pa.table(nulls, names=schema.names).filter(expression)


def _missing(name: str, schema: "pa.Schema") -> InvalidInput:
    hint = near(name, schema.names) or f"There are: {', '.join(schema.names)}"
    return InvalidInput(f"There is no column {name!r} to filter by", hint=hint)


def _unfit(what: str, error: Exception) -> InvalidInput:
    shown = str(error).partition("\n")[0]
    return InvalidInput(f"Rows can't be filtered by {what}: {shown}")
