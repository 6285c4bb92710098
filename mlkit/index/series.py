"""Points of metrics for many runs: from the tables where they are folded, else from segments."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from attrs import frozen

from mlkit.errors import NotFound
from mlkit.index.folded import METRICS, SUMMARIES, FoldedTable
from mlkit.index.live import LiveRun, each
from mlkit.index.points import (
    as_points,
    metrics_schema,
    points_rows,
    summaries_schema,
    summary_rows,
)
from mlkit.index.row import storable
from mlkit.tables.actions import Add
from mlkit.tables.data_file import DataFile
from mlkit.tables.delta_table import DeltaTable
from mlkit.tables.statistics import may_hold

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit.storage.protocol import Storage


@frozen
class Files:
    """The files of a table as they were at one moment."""

    table: DeltaTable | None = None
    adds: tuple[Add, ...] = ()

    def file(self, add: Add) -> DataFile:
        """Give one of the files, to be read."""
        if self.table is None:  # there are no files either
            message = f"{add.path} is a file of no table"
            raise NotFound(message)
        return self.table.file(add)

    @classmethod
    def of(cls, folded: FoldedTable) -> "Files":
        """Give the files that a table has now."""
        return cls(folded.table, tuple(folded.snapshot.files.values()))


@frozen
class Series:
    """The points of the runs of one view.

    Attributes:
        files: Gives the files of the table `metrics` or `summaries`; it is asked when they are
            needed first, since most searches need neither.
        live: The runs that a view has from their folders, by id; tables don't count for them.
        storage: Where they lie.
    """

    files: Callable[[str], Files]
    live: Mapping[str, LiveRun]
    storage: "Storage"

    def points(self, key: str, ids: "pa.Array") -> "pa.Table":
        """Give every point of a metric of some runs.

        Args:
            key: The metric.
            ids: The runs.

        Returns:
            Columns `run_id`, `step` (int64, or float64 when some step is no whole number), `time`
            (UTC, ns) and `value` (float64): the runs in their order, of each its points in that of
            time. Runs without the metric are left out.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        live = [one for run_id in ids.to_pylist() if (one := self.live.get(run_id)) is not None]
        rows = [_in_time(self._folded(self.files(METRICS), key, ids, metrics_schema()))]
        rows += each(lambda one: _live_points(one, key), live, self.storage)
        table = pa.concat_tables(rows)
        if len(ids) > 1:  # the points of one run, which may be millions, have their order already
            places = pc.index_in(table.column("run_id"), value_set=ids).combine_chunks()
            table = table.take(pc.array_sort_indices(places))
        return as_points(table.drop_columns("key"))

    def summary(self, key: str, part: str) -> "tuple[pa.ChunkedArray, pa.ChunkedArray]":
        """Give the ids of the runs that have a metric, and what its points add up to."""
        import pyarrow as pa

        rows = self._folded(self.files(SUMMARIES), key, None, summaries_schema())
        for table in each(lambda one: _live_points(one, key), self.live.values(), self.storage):
            if table.num_rows:
                run_id = table.column("run_id")[0].as_py()
                rows.append(summary_rows(table, {run_id: self.live[run_id].run.goals}))
        found = pa.concat_tables(rows)
        return found.column("run_id"), found.column(part)

    def _folded(
        self, files: Files, key: str, ids: "pa.Array | None", schema: "pa.Schema"
    ) -> "list[pa.Table]":
        """Give the rows of a metric in a table, file by file: of all folded runs or of some."""
        import pyarrow as pa
        import pyarrow.compute as pc

        found = [schema.empty_table()]
        live = pa.array(list(self.live), pa.string())
        key = storable(key)
        for add in files.adds:
            if not may_hold(add.stats, "key", key, key):
                continue
            file = files.file(add)
            groups = file.groups_with("key", key, key)
            if ids is not None and len(ids) and groups:
                low, high = pc.min_max(ids).as_py().values()
                among = set(file.groups_with("run_id", low, high))
                groups = [group for group in groups if group in among]
            if not groups:
                continue
            rows = file.read(schema.names, groups=groups, dictionaries=["run_id", "key"])
            wanted = pc.equal(rows.column("key"), key)
            held = rows.column("run_id")
            if ids is not None:
                wanted = pc.and_(wanted, pc.is_in(held, value_set=ids))
            if len(live):
                wanted = pc.and_not(wanted, pc.is_in(held, value_set=live))
            found.append(rows.filter(wanted).cast(schema))
        return found


def _in_time(parts: "list[pa.Table]") -> "pa.Table":
    """Put rows of the files of `metrics` together; a run of which several have some, by time.

    Args:
        parts: What each file has of one metric: run by run, in the order of their ids.
    """
    import pyarrow as pa

    full = sorted((part for part in parts if part.num_rows), key=lambda part: _place(part, 0))
    rows = pa.concat_tables([*parts[:1], *full])
    if all(_place(one, -1) <= _place(other, 0) for one, other in pairwise(full)):
        return rows  # as they mostly are, and sorting takes long where there are millions
    return rows.sort_by([("run_id", "ascending"), ("time", "ascending"), ("nanos", "ascending")])


def _place(rows: "pa.Table", index: int) -> tuple[str, int, int]:
    """Give where a row belongs."""
    run_id, time, nanos = (rows.column(name)[index] for name in ("run_id", "time", "nanos"))
    return run_id.as_py(), time.value, nanos.as_py()


def _live_points(one: LiveRun, key: str) -> "pa.Table":
    """Give the points of a run that has its own, as rows of the table `metrics`."""
    import pyarrow as pa

    try:
        points = one.run.metrics(key)
    except NotFound:
        return metrics_schema().empty_table()
    named = points.add_column(0, "key", pa.repeat(pa.scalar(storable(key)), points.num_rows))
    return points_rows(one.run.id, named)
