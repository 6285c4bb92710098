"""The tables that SQL over a store sees: runs, metrics, datasets, models."""

import tempfile
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlkit._core.clock import iso
from mlkit._core.hashing import digest_file
from mlkit.errors import Corrupt
from mlkit.index.folded import METRICS
from mlkit.index.points import metrics_schema, points_rows
from mlkit.index.row import storable
from mlkit.index.run_index import Seen
from mlkit.query.sql import told_apart

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb
    import pyarrow as pa

    from mlkit.data.datasets import Datasets
    from mlkit.index.series import Files
    from mlkit.models.registry import Models
    from mlkit.query.runs import RunTable
    from mlkit.query.sql import Source

_POINTS = """
create view metrics as
with points as (
    select * from folded_points
    where run_id in (select run_id from shown_runs)
    union all
    select * from live_points
)
select run_id, key, coalesce(step::double, float_step) as step, time, value from points
"""


def sql_tables(
    seen: Seen,
    shown: "RunTable[Any]",
    *,
    datasets: "Callable[[], Datasets]",
    models: "Callable[[], Models]",
    open_files: ExitStack,
) -> "dict[str, Source]":
    """Give what makes each table.

    Args:
        seen: The store's runs.
        shown: Those of them that are searched.
        datasets: Gives its datasets.
        models: Gives its models.
        open_files: Closes what the tables are read from.
    """
    return {
        "runs": lambda database: _register(database, "runs", _runs(shown)),
        "metrics": lambda database: _metrics(database, seen, shown, open_files),
        "datasets": lambda database: _register(database, "datasets", _datasets(datasets())),
        "models": lambda database: _register(database, "models", _models(models())),
    }


def _register(database: "duckdb.DuckDBPyConnection", name: str, table: Any) -> None:
    database.register(name, table)


def _runs(shown: "RunTable[Any]") -> "pa.Table":
    table = shown.to_arrow()
    return table.rename_columns(told_apart(table.column_names))


def _metrics(
    database: "duckdb.DuckDBPyConnection",
    seen: Seen,
    shown: "RunTable[Any]",
    open_files: ExitStack,
) -> None:
    """Make the view of all points: those in the tables as they lie, and those of live runs."""
    import pyarrow as pa

    live = [seen.series.live[run_id] for run_id in shown.ids if run_id in seen.series.live]
    folded = [run_id for run_id in shown.ids if run_id not in seen.series.live]
    rows = [metrics_schema().empty_table()]
    rows += [points_rows(one.run.id, one.run.metrics()) for one in live]
    _register(database, "shown_runs", pa.table({"run_id": pa.array(folded, pa.string())}))
    _register(database, "live_points", pa.concat_tables(rows))
    _register(database, "folded_points", _dataset(seen.series.files(METRICS), open_files))
    database.execute(_POINTS)


def _dataset(files: "Files", open_files: ExitStack) -> Any:
    """Give the files of a table as a dataset that is read in pieces; of remote ones, copies."""
    import pyarrow.dataset as ds

    if not files.adds:
        return metrics_schema().empty_table()
    places = []
    for add in files.adds:
        file = files.file(add)
        local = file.storage.local_path(file.path)
        if local is None:
            folder = open_files.enter_context(tempfile.TemporaryDirectory(prefix="mlkit-sql-"))
            local = Path(folder, add.path)
            local.write_bytes(file.storage.read(file.path))
        status = local.stat()
        if _digest(local, status.st_size, status.st_mtime_ns) != add.tags["sha256"]:
            hint = "store.reindex() makes the tables anew"
            raise Corrupt(f"{file.path} was damaged: it doesn't match its digest", hint=hint)
        places.append(str(local))
    options = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
    kind = ds.ParquetFileFormat(default_fragment_scan_options=options)
    return ds.dataset(places, schema=metrics_schema(), format=kind)


@lru_cache(maxsize=1 << 14)
def _digest(place: Path, _size: int, _modified: int) -> str:
    """Give the digest of a file, looked at once while it stays as it is.

    Who reads it for DuckDB believes its footer and the headers of its pages, and ends the process
    where these are damaged.
    """
    return digest_file(place)


def _datasets(datasets: "Datasets") -> "pa.Table":
    import pyarrow as pa

    rows = [
        {
            "name": name,
            "version": version.number,
            "ref": version.ref,
            "digest": version.digest,
            "kind": version.kind,
            "size": version.size,
            "rows": version.rows,
            "created_at": iso(version.created_at),
            "user": version.user,
            "run_id": version.run_id,
            "description": version.description,
        }
        for name in datasets.names()
        for version in map(datasets[name].__getitem__, datasets[name].numbers())
    ]
    kinds = {"version": pa.int64(), "size": pa.int64(), "rows": pa.int64()}
    names = "name version ref digest kind size rows created_at user run_id description"
    return _typed(rows, kinds, names)


def _models(models: "Models") -> "pa.Table":
    import pyarrow as pa

    rows = []
    for name in models.names():
        model = models[name]
        aliases = model.aliases()
        for number in model.numbers():
            version = model[number]
            rows.append(
                {
                    "name": name,
                    "version": number,
                    "ref": version.ref,
                    "digest": version.digest,
                    "created_at": iso(version.created_at),
                    "user": version.user,
                    "run_id": version.run_id,
                    "aliases": [alias for alias, meant in aliases.items() if meant == number],
                    "metrics": list(version.metrics.items()),
                    "tags": list(version.tags.items()),
                }
            )
    texts = pa.map_(pa.string(), pa.string())
    kinds = {
        "version": pa.int64(),
        "aliases": pa.list_(pa.string()),
        "metrics": pa.map_(pa.string(), pa.float64()),
        "tags": texts,
    }
    names = "name version ref digest created_at user run_id aliases metrics tags"
    return _typed(rows, kinds, names)


def _typed(rows: list[dict[str, Any]], kinds: "dict[str, pa.DataType]", names: str) -> "pa.Table":
    """Give rows as a table; columns that aren't named are text, and times become times."""
    import pyarrow as pa
    import pyarrow.compute as pc

    fields = [(name, kinds.get(name, pa.string())) for name in names.split()]
    told = [{name: _storable(value) for name, value in row.items()} for row in rows]
    table = pa.Table.from_pylist(told, schema=pa.schema(fields))
    at = table.schema.get_field_index("created_at")
    times = pc.cast(table.column(at), pa.timestamp("us", tz="UTC"))
    return table.set_column(at, "created_at", times)


def _storable(value: Any) -> Any:
    """Give a cell with all texts in it as UTF-8 can hold them, and no number beyond 64 bits."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return None
    if isinstance(value, str):
        return storable(value)
    return type(value)(map(_storable, value)) if isinstance(value, list | tuple) else value
