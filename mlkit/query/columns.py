"""Runs as an Arrow table: one row a run, one column a field or key.

A key's column has the type of its values where all runs agree: bool, int64, float64, or string.
Ints and floats together are float64 when no int loses a digit by it. Where types differ otherwise,
and for lists and mappings, the column is text: text as it is, anything else as JSON.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlkit._core.codec import encode_value
from mlkit.query.fields import RunLike, duration_of, keys_of
from mlkit.query.filter import known_keys

if TYPE_CHECKING:
    import pyarrow as pa

_INT64 = 2**63
_EXACT = 2**53


def runs_to_arrow(runs: Sequence[RunLike]) -> "pa.Table":
    """Give the table of the runs.

    Returns:
        Columns `run_id`, `experiment`, `name`, `status`, `started` and `ended` (timestamp[us,
        UTC]), `duration` (float64, seconds), `parent`, then `params.<key>`, `metrics.<key>` and
        `tags.<key>`, each sorted by key.
    """
    import pyarrow as pa

    time = pa.timestamp("us", tz="UTC")
    columns: dict[str, pa.Array] = {
        "run_id": pa.array([run.id for run in runs], pa.string()),
        "experiment": _texts([run.experiment for run in runs]),
        "name": _texts([run.name for run in runs]),
        "status": pa.array([run.status for run in runs], pa.string()),
        "started": pa.array([run.started_at // 1000 for run in runs], time),
        "ended": pa.array(
            [None if run.ended_at is None else run.ended_at // 1000 for run in runs], time
        ),
        "duration": pa.array([duration_of(run) for run in runs], pa.float64()),
        "parent": pa.array([run.parent_id for run in runs], pa.string()),
    }
    maps = [keys_of(run) for run in runs]
    known = known_keys(runs)
    for home in ("params", "metrics", "tags"):
        for key in known[home]:
            values = [held[home].get(key) for held in maps]
            columns[_storable(f"{home}.{key}")] = values_to_arrow(values)
    return pa.table(columns)


def values_to_arrow(values: Sequence[Any]) -> "pa.Array":
    """Give the column of a key's values, None where a run has none; the type is as said above."""
    import pyarrow as pa

    types = {type(value) for value in values if value is not None}
    if types == {bool}:
        return pa.array(values, pa.bool_())
    if types == {int} and all(-_INT64 <= value < _INT64 for value in values if value is not None):
        return pa.array(values, pa.int64())
    if types and types <= {int, float} and float in types and all(map(_is_exact, values)):
        floats = [None if value is None else float(value) for value in values]
        return pa.array(floats, pa.float64(), from_pandas=False)
    return _texts([value if value is None else value_text(value) for value in values])


def value_text(value: object) -> str:
    """Give a value as text: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else encode_value(value)


def _is_exact(value: object) -> bool:
    return not isinstance(value, int) or -_EXACT <= value <= _EXACT


def _texts(values: Sequence[str | None]) -> "pa.Array":
    import pyarrow as pa

    texts = [value if value is None else _storable(value) for value in values]
    return pa.array(texts, pa.string())


def _storable(text: str) -> str:
    """Arrow holds UTF-8, which has no lone surrogates; file names may have brought some."""
    return text.encode("utf-8", "backslashreplace").decode()
