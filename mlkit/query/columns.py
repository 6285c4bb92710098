"""Runs as an Arrow table: one row a run, one column a field or key.

A key's column has the type of its values where all runs agree: bool, int64, float64, or string.
Ints and floats together are float64 when no int loses a digit by it. Where types differ otherwise,
and for lists and mappings, the column is text: text as it is, anything else as JSON.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlkit._core.codec import encode_value
from mlkit.index.row import storable, typed
from mlkit.index.view import View

if TYPE_CHECKING:
    import pyarrow as pa

FIXED = ("run_id", "experiment", "name", "status", "started", "ended", "duration", "parent")
"""The columns that every table of runs has."""

_HOMES = ("params", "metrics", "tags")
_EXACT = 2**53


def runs_to_arrow(view: View, rows: "pa.Array") -> "pa.Table":
    """Give the table of some runs.

    Args:
        view: Where they are.
        rows: Their rows.

    Returns:
        Columns `run_id`, `experiment`, `name`, `status`, `started` and `ended` (timestamp[us,
        UTC]), `duration` (float64, seconds), `parent`, then `params.<key>`, `metrics.<key>` and
        `tags.<key>`, each sorted by key; keys that none of the runs has are left out.
    """
    import pyarrow as pa

    view.load(_HOMES, fixed=FIXED)
    columns = {name: taken(view.fixed(name), rows) for name in FIXED}
    for home in _HOMES:
        for name in sorted(view.names(home)):
            column = key_column(view, home, name, rows)
            if column is not None:
                columns[storable(f"{home}.{name}")] = column
    return pa.table(columns)


def key_column(view: View, home: str, name: str, rows: "pa.Array") -> "pa.ChunkedArray | None":
    """Give the values of a key in some rows; None where none of them has it."""
    if home == "params":
        kinds = view.param(name)
    elif home == "metrics":
        kinds = {"float": view.metric(name)}
    else:
        kinds = {"text": view.tag(name)}
    found = {kind: taken(column, rows) for kind, column in kinds.items() if column is not None}
    held = {kind: column for kind, column in found.items() if column.null_count < len(column)}
    return _merged(held) if held else None


def taken(column: "pa.ChunkedArray", rows: "pa.Array") -> "pa.ChunkedArray":
    """Give the values of some rows."""
    return column.take(rows)


def values_to_arrow(values: Sequence[Any]) -> "pa.ChunkedArray":
    """Give values as a column, None where there is none; the type is as said above."""
    import pyarrow as pa

    from mlkit.index.runs_schema import kind_type

    pairs = [None if value is None else typed(value) for value in values]
    kinds = {
        kind: pa.chunked_array(
            [
                pa.array(
                    [one[1] if one and one[0] == kind else None for one in pairs], kind_type(kind)
                )
            ]
        )
        for kind in {one[0] for one in pairs if one is not None}
    }
    return _merged(kinds) if kinds else pa.chunked_array([pa.nulls(len(pairs), pa.string())])


def _merged(kinds: "Mapping[str, pa.ChunkedArray]") -> "pa.ChunkedArray":
    """Make one column of those of a key's values by type."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(kinds) == 1:
        return next(iter(kinds.values()))
    if set(kinds) == {"int", "float"}:
        whole = kinds["int"]
        if not pc.any(pc.greater(pc.abs(whole), _EXACT)).as_py():
            return pc.coalesce(kinds["float"], whole.cast(pa.float64()))
    return pc.coalesce(*(_as_text(kind, column) for kind, column in kinds.items()))


def _as_text(kind: str, column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    import pyarrow as pa

    if kind in ("text", "json"):
        return column
    values = column.to_pylist()
    return pa.chunked_array(
        [
            pa.array(
                [None if value is None else encode_value(value) for value in values], pa.string()
            )
        ]
    )
