"""Folds finished runs into tables: each run once, each point once, whoever dies when.

A run's points and summaries are put into their tables first and its row last, so a run whose row
is there is folded whole. Who died in between has left rows that the next one finds by the run's
id, and puts its own in their place. How a table stands is looked at before the runs are read, and
a commit succeeds only on the table that was looked at: so what was read before somebody else
changed it never takes the place of what they wrote.
"""

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import field, frozen

from mlkit.display.progress import Progress
from mlkit.errors import Corrupt, NewerFormat, NotFound
from mlkit.index.folded import FoldedTable, FoldedTables
from mlkit.index.live import LiveRun, LiveRuns, each
from mlkit.index.points import metrics_schema, points_rows, summaries_schema, summary_rows
from mlkit.index.runs_schema import grown_schema, rows_table
from mlkit.storage.protocol import Storage
from mlkit.tables.log import POINTER
from mlkit.tables.snapshot import Snapshot
from mlkit.tracking.changes import Changes
from mlkit.tracking.runs import Runs

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_RUNS = 2_000
BATCH_POINTS = 2_000_000
"""A batch is closed when it has so many runs or points, which bounds the memory that is used."""

_FEW = 8
"""So many files of about one size are made one."""


@frozen
class Folded:
    """What folding did.

    Attributes:
        runs: How many runs were put into the tables, or put there anew.
        removed: How many were taken out, since their folders are gone.
        files: How many files the tables have.
    """

    runs: int
    removed: int
    files: int


@frozen
class _Batch:
    """Runs that are put into the tables together."""

    runs: dict[str, LiveRun]
    points: "dict[str, pa.Table]"

    def metrics(self, ids: set[str]) -> "pa.Table":
        import pyarrow as pa

        tables = [table for run_id, table in self.points.items() if run_id in ids]
        return pa.concat_tables([metrics_schema().empty_table(), *tables])

    def summaries(self, ids: set[str]) -> "pa.Table":
        goals = {run_id: one.run.goals for run_id, one in self.runs.items()}
        return summary_rows(self.metrics(ids), goals)


@frozen
class Folding:
    """Puts the runs of a store that have ended into its tables.

    Args:
        runs: The store's runs.
        live: Reads them.
        tables: The tables; no other thread may use these objects meanwhile.
        changes: Which runs changed after they were folded.
        stop: Set to end between two batches; what is folded by then stays.
    """

    runs: Runs = field()
    live: LiveRuns = field()
    tables: FoldedTables = field()
    changes: Changes = field()
    stop: threading.Event = field(factory=threading.Event)

    def fold(self, progress: Progress | None = None) -> Folded:
        """Fold every run that has ended and isn't folded as it stands, and make few files of many.

        Args:
            progress: Shows how far it is.

        Raises:
            Corrupt: A table was damaged.
            SingleWriterOnly: The storage can't refuse a second writer.
        """
        self.tables.refresh()
        marks = self.changes.pending()
        ids = self.runs.ids()
        known = set(ids)
        folded = {
            run_id
            for add in self.tables.runs.snapshot.files.values()
            for run_id in self.tables.runs.run_ids(add).to_pylist()
        }
        wanted = [run_id for run_id in ids if run_id not in folded or run_id in marks]
        progress = progress or Progress("folding", show=False)
        progress.stage("folding runs", total=len(wanted))
        done = 0
        for start in range(0, len(wanted), BATCH_RUNS):
            for table in self.tables.all():
                table.begin()
            for batch in self._batches(wanted[start : start + BATCH_RUNS], among=len(ids)):
                put = self._put(batch)
                done += len(put)
                self.changes.forget(mark for run_id in put for mark in marks.get(run_id, ()))
                for _ in put:
                    progress.add()
                if self.stop.is_set():
                    return self._done(done, 0)
        gone = sorted(folded - known)
        self._take_out(gone)
        self.changes.forget(
            mark for run_id, found in marks.items() if run_id not in known for mark in found
        )
        for table in self.tables.all():
            self._merge(table)
        return self._done(done, len(gone))

    def compact(self) -> int:
        """Make as few files as can be of the tables' files, and give how many there are then."""
        for table in self.tables.all():
            table.refresh()
            self._merge(table, few=2, tiers=False)
        return self._files

    def forget(self, storage: Storage) -> None:
        """Empty the tables, so that folding makes them anew; a log that can't be read is removed.

        Args:
            storage: Where the tables lie.
        """
        for table in reversed(self.tables.all()):
            try:
                table.refresh()
                table.empty()
            except (Corrupt, NewerFormat):
                table.snapshot = Snapshot()
                found = [entry.path for entry in storage.list(table.table.folder)]
                for path in sorted(found, key=lambda path: not path.endswith(POINTER)):
                    storage.delete(path)  # others can't open a log whose pointer leads nowhere

    def _done(self, runs: int, removed: int) -> Folded:
        return Folded(runs, removed, self._files)

    @property
    def _files(self) -> int:
        return sum(len(table.snapshot.files) for table in self.tables.all())

    def _batches(self, ids: Sequence[str], *, among: int) -> Iterator[_Batch]:
        """Give the runs that have ended, with their points, as many at once as memory may hold."""
        batch = _Batch({}, {})
        count = 0
        ended = [one for one in self.live.read(ids, among=among, warn=False) if one.ended]
        for one, points in each(_points, ended, self.live.storage):
            if points is None:
                continue
            batch.runs[one.run.id] = one
            batch.points[one.run.id] = points
            count += points.num_rows
            if count >= BATCH_POINTS:
                yield batch
                batch, count = _Batch({}, {}), 0
        if batch.runs:
            yield batch

    def _put(self, batch: _Batch) -> set[str]:
        """Put a batch into all tables; give the runs that are there now by this process."""
        mine = set(batch.runs)
        mine = self.tables.metrics.replace(
            sorted(mine), lambda _, ids: (batch.metrics(ids), metrics_schema())
        )
        mine = self.tables.summaries.replace(
            sorted(mine), lambda _, ids: (batch.summaries(ids), summaries_schema())
        )

        def rows(schema: "pa.Schema", ids: set[str]) -> "tuple[pa.Table, pa.Schema]":
            kept = [one.row for run_id, one in batch.runs.items() if run_id in ids]
            grown = grown_schema(schema, kept)
            return rows_table(kept, grown), grown

        return self.tables.runs.replace(sorted(mine), rows)

    def _take_out(self, ids: Sequence[str]) -> None:
        """Remove the rows of runs whose folders are gone, the run's own row first."""
        for table in reversed(self.tables.all()):
            table.replace(ids, lambda schema, _: (schema.empty_table(), schema))

    def _merge(self, table: FoldedTable, *, few: int = _FEW, tiers: bool = True) -> None:
        """Make one file of several small ones, so that a table has few whatever was folded when.

        Files of about one size are merged when there are a few of them, so that each row is
        written again only as often as its file grows to the eightfold.
        """
        groups: dict[int, list[tuple[int, str]]] = {}
        for path, add in table.snapshot.files.items():
            if add.rows <= table.target_rows // 2:
                tier = (max(add.rows, 1).bit_length() - 1) // 3 if tiers else 0
                groups.setdefault(tier, []).append((add.rows, path))
        for group in groups.values():
            left = sorted(group)
            while len(left) >= few and not self.stop.is_set():
                chosen = _filling(left, table.target_rows)
                left = [one for one in left if one[1] not in chosen]
                known = table.snapshot.files  # fewer than before when others changed the table
                small = [known[path] for path in chosen if path in known]
                if len(small) < 2 or not table.merge(small):  # noqa: PLR2004 - one is no merge
                    break


def _points(one: LiveRun) -> "tuple[LiveRun, pa.Table | None]":
    """Give a run with its points; without them it stays out of the tables, and searches tell."""
    try:
        return one, points_rows(one.run.id, one.run.metrics())
    except (Corrupt, NewerFormat, NotFound):
        return one, None


def _filling(files: Sequence[tuple[int, str]], rows: int) -> list[str]:
    """Give the paths of files, the smallest first, that make one of at most so many rows."""
    chosen = []
    for count, path in files:
        if count <= rows:
            chosen.append(path)
            rows -= count
    return chosen
