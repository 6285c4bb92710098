"""Orders: rows of runs sorted by one or several fields."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mlkit.errors import InvalidInput
from mlkit.index.arrays import certain, scalar_of
from mlkit.query.constants import TYPES
from mlkit.query.expressions import Falling, Value
from mlkit.query.fields import RunColumns
from mlkit.query.mistakes import check_key
from mlkit.query.parser import Keys, Order, parse_order
from mlkit.query.values import Values, held_by_floats

if TYPE_CHECKING:
    import pyarrow as pa

OrderBy = str | Value | Falling | Sequence[str | Value | Falling]
"""A field, `-` before it to descend, or several of them, the first counting most."""

_RANKS = {"number": 0, "text": 1, "bool": 2, "other": 3}

SortKey = tuple["pa.Array", str]
"""A column without NaN, and `ascending` or `descending`; where it is null, nothing hangs on it."""


def order_rows(
    columns: RunColumns,
    rows: "pa.Array | None",
    order_by: OrderBy,
    keys: Keys | None = None,
    limit: int | None = None,
) -> "pa.UInt64Array":
    """Give rows sorted; equal ones keep their order.

    Numbers come before text, text before true and false, and those before lists and mappings.
    NaN and what a run doesn't have come last, whether the order ascends or descends, or first where
    the order says `nulls first`.

    Args:
        columns: The runs.
        rows: The numbers of the rows, in the order that equal ones keep; all by default.
        order_by: Such as `-metrics.auc`, `metrics.loss nulls first`, or
            `["params.depth", "-started"]`.
        keys: The keys that exist, by map, for better suggestions.
        limit: Give so many at most.

    Returns:
        Numbers of rows.

    Raises:
        FilterSyntax: An order is no field, or looks like a slip of one that runs have.
        InvalidInput: An order is no text.
    """
    texts = texts_of(order_by)
    orders = [parse_order(text, keys) for text in texts]
    found = _all(columns) if rows is None else rows.cast("uint64")
    if not orders or len(found) == 0 or limit == 0:
        return found.slice(0, limit)
    taken = None if rows is None else found
    first = list(_sort_keys(columns, texts[0], orders[0], taken))
    places = _contenders(first, limit)
    if places is not None:  # the others needn't be sorted, nor read by the other orders
        found = found.take(places)
        first = [(column.take(places), way) for column, way in first]
        taken = found
    later = list(zip(texts, orders, strict=True))[1:]
    rest = [key for text, order in later for key in _sort_keys(columns, text, order, taken)]
    return found.take(_sorted([*first, *rest], len(found))).slice(0, limit)


def _all(columns: RunColumns) -> "pa.UInt64Array":
    import pyarrow as pa

    return pa.arange(0, len(columns)).cast(pa.uint64())


def texts_of(order_by: OrderBy) -> list[str]:
    """Give orders as they are written.

    Raises:
        InvalidInput: One is neither text nor a field such as `mlkit.metric("auc")`.

    Example:
        >>> from mlkit.query.expressions import metric
        >>> texts_of(["params.depth", -metric("auc")])
        ['params.depth', '-metrics.auc']
    """
    given = [order_by] if isinstance(order_by, str | Value | Falling) else order_by
    texts = []
    for one in given if isinstance(given, Iterable) else [given]:
        if not isinstance(one, str | Value | Falling):
            message = f"{one!r} is no order"
            raise InvalidInput(message, hint="Write order_by='-metrics.auc', or a list of such")
        texts.append(one if isinstance(one, str) else one.order())
    return texts


def _sort_keys(
    columns: RunColumns, text: str, order: Order, rows: "pa.Array | None"
) -> Iterator[SortKey]:
    """Give what an order sorts rows by: where they lack a value, then its type, then the value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    way = "descending" if order.descending else "ascending"
    held = {
        kind: _taken(column, rows)
        for kind, column in Values.of(columns, order.field).columns.items()
    }
    typed = _by_type({kind: column for kind, column in held.items() if not _is_empty(column)})
    if not typed:
        check_key(text, order.field, columns)
        return
    ranks: Any = None
    for name, column in typed.items():
        rank, nothing = (scalar_of(one, pa.int64()) for one in (_RANKS[name], None))
        own = pc.if_else(pc.is_valid(column), rank, nothing)
        ranks = own if ranks is None else pc.coalesce(ranks, own)
    if ranks.null_count:
        yield pc.is_null(ranks).cast(pa.int8()), "descending" if order.nulls_first else "ascending"
    if len(typed) > 1:
        yield ranks, way
    for column in typed.values():
        yield column, way


def _taken(column: "pa.ChunkedArray", rows: "pa.Array | None") -> "pa.Array":
    """Give the values of some rows, null instead of NaN."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = column.combine_chunks() if rows is None else column.take(rows).combine_chunks()
    if pa.types.is_floating(found.type):
        return pc.if_else(pc.is_nan(found), scalar_of(None, found.type), found)
    return found.cast(pa.int8()) if pa.types.is_boolean(found.type) else found


def _is_empty(column: "pa.Array") -> bool:
    return bool(column.null_count == len(column))


def _by_type(held: "dict[str, pa.Array]") -> "dict[str, pa.Array]":
    """Make one column of those whose values are compared with each other."""
    import pyarrow.compute as pc

    numbers = {kind: column for kind, column in held.items() if TYPES[kind] == "number"}
    others = held.get("json")
    if others is not None:
        is_int = pc.match_substring_regex(others, r"\A-?[0-9]+\z")
        if pc.any(is_int).as_py():
            numbers["json"] = pc.if_else(is_int, others, None)
            others = pc.if_else(is_int, None, others)
    found = {
        "number": _numbers(numbers) if numbers else None,
        "text": held.get("text"),
        "bool": held.get("bool"),
        "other": others,
    }
    return {name: one for name, one in found.items() if one is not None and not _is_empty(one)}


def _numbers(held: "dict[str, pa.Array]") -> "pa.Array":
    """Give a column that sorts as all numbers do, exactly."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(held) == 1 and "json" not in held:
        return next(iter(held.values()))
    if "json" not in held and held_by_floats(held["int"]):
        return pc.coalesce(*(column.cast(pa.float64()) for column in held.values()))
    lists = [column.to_pylist() for column in held.values()]
    rows = [next((one for one in row if one is not None), None) for row in zip(*lists, strict=True)]
    exact = [int(value) if isinstance(value, str) else value for value in rows]
    different = sorted({value for value in exact if value is not None})
    places = {value: place for place, value in enumerate(different)}
    return pa.array([None if value is None else places[value] for value in exact], pa.int64())


def _contenders(keys: Sequence[SortKey], limit: int | None) -> "pa.Array | None":
    """Give the places of those that may be among the first, or None for all.

    Who stands behind the last of the first by the first order alone isn't among them; who is equal
    to that one may be. So the choice is exact, and equal ones keep their order.
    """
    import pyarrow.compute as pc

    nulls_last = len(keys) == 1 or (len(keys) == 2 and keys[0][1] == "ascending")  # noqa: PLR2004 - without values, value
    if limit is None or not nulls_last:
        return None
    column, way = keys[-1]
    if len(column) - column.null_count < limit:
        return None
    best = column.take(pc.select_k_unstable(column, k=limit, sort_keys=[("", way)]))
    ends = pc.min_max(best)
    descending = way == "descending"
    last = ends["min"] if descending else ends["max"]
    ahead = (pc.greater_equal if descending else pc.less_equal)(column, last)
    return pc.indices_nonzero(certain(ahead))


def _sorted(keys: Sequence[SortKey], length: int) -> "pa.Array":
    """Give the places of rows in their order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not keys:
        return pa.arange(0, length)
    if len(keys) == 1:
        (column, way), *_ = keys
        return pc.array_sort_indices(column, order=way)
    names = [f"key{number}" for number in range(len(keys))]
    table = pa.table([column for column, _ in keys], names)
    ways = [way for _, way in keys]
    return pc.sort_indices(table, sort_keys=list(zip(names, ways, strict=True)))
