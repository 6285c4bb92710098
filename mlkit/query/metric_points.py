"""The points of several metrics in one table."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mlkit.errors import InvalidInput
from mlkit.index.row import storable

if TYPE_CHECKING:
    import pyarrow as pa


def metric_names(keys: object) -> list[str]:
    """Give the metrics that were asked for, each once.

    Raises:
        InvalidInput: They are no names, or none.
    """
    names = list(keys) if isinstance(keys, Iterable) else []
    if names and all(name and isinstance(name, str) for name in names):
        return list(dict.fromkeys(names))
    message = f"{keys!r} names no metric"
    raise InvalidInput(message, hint="Write runs.metrics('auc'), or runs.metrics(['auc', 'loss'])")


def keyed(tables: "Mapping[str, pa.Table]") -> "pa.Table":
    """Put the points of metrics below each other, with a column `key` after the first.

    Args:
        tables: Metric to its points; steps are floats in all where they are in one.

    Example:
        >>> import pyarrow as pa
        >>> tables = {key: pa.table({"run_id": ["a"], "step": [step]})
        ...           for key, step in (("auc", 1), ("loss", 0.5))}
        >>> keyed(tables).to_pylist()
        [{'run_id': 'a', 'key': 'auc', 'step': 1.0}, {'run_id': 'a', 'key': 'loss', 'step': 0.5}]
    """
    import pyarrow as pa

    steps = {table.schema.field("step").type for table in tables.values()}
    found = []
    for key, table in tables.items():
        if len(steps) > 1:
            at = table.schema.get_field_index("step")
            step = table.column(at).cast(pa.float64(), safe=False)
            table = table.set_column(at, "step", step)  # noqa: PLW2901 - the same points
        names = pa.repeat(pa.scalar(storable(key), pa.string()), table.num_rows)
        found.append(table.add_column(1, "key", names))
    return pa.concat_tables(found)
