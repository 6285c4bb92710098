"""The tables that finished runs are folded into, and how rows of a run get into them once."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from attrs import define, field

from mlkit.errors import AlreadyExists, Corrupt
from mlkit.index.live import each
from mlkit.tables.actions import Add
from mlkit.tables.data_file import DataFile
from mlkit.tables.delta_table import DeltaTable
from mlkit.tables.snapshot import Snapshot
from mlkit.tables.statistics import may_hold

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit._core.clock import Clock
    from mlkit.storage.protocol import Storage

FOLDER = "tables"
RUNS, METRICS, SUMMARIES = "runs", "metrics", "summaries"

Rows = tuple["pa.Table", "pa.Schema"]
"""Rows, and the schema that the table has with them."""


@define
class FoldedTable:
    """One of the tables, as this process last saw it.

    Attributes:
        table: The table.
        snapshot: How it stood.
        sorted_by: What its rows are sorted by within a file.
        target_rows: So many rows a file should have, and at most.
    """

    table: DeltaTable
    sorted_by: tuple[str, ...]
    target_rows: int
    snapshot: Snapshot = field(factory=Snapshot)
    _ids: "dict[str, pa.Array]" = field(factory=dict, repr=False)
    _files: dict[str, DataFile] = field(factory=dict, repr=False)
    _lost: set[str] = field(factory=set, repr=False)

    def refresh(self) -> Snapshot:
        """See how the table stands now.

        Raises:
            Corrupt: Its log was damaged.
        """
        self.snapshot = self.table.read(self.snapshot)
        now = self.snapshot.files
        self._ids = {path: ids for path, ids in self._ids.items() if path in now}
        self._files = {path: file for path, file in self._files.items() if path in now}
        return self.snapshot

    def file(self, add: Add) -> DataFile:
        """Give one of the files, the same object again, since it knows what its footer says."""
        return self._files.setdefault(add.path, self.table.file(add))

    def run_ids(self, add: Add) -> "pa.Array":
        """Give the ids of the runs that a file has rows of, each once."""
        import pyarrow.compute as pc

        if add.path not in self._ids:
            file = self.file(add)
            column = file.read(["run_id"], dictionaries=["run_id"]).column("run_id")
            self._ids[add.path] = pc.unique(column.cast("string"))
        return self._ids[add.path]

    def holding(self, ids: "pa.Array", files: Iterable[Add]) -> "list[tuple[Add, pa.Array]]":
        """Give the files that have rows of some runs, with those of the ids that they have."""
        import pyarrow.compute as pc

        if not len(ids):
            return []
        low, high = pc.min(ids).as_py(), pc.max(ids).as_py()
        found = []
        for add in files:
            if may_hold(add.stats, "run_id", low, high):
                held = ids.filter(pc.is_in(ids, value_set=self.run_ids(add)))
                if len(held):
                    found.append((add, held))
        return found

    def begin(self) -> None:
        """Say that runs are read from now on, so that they are newer than what is in the table."""
        self._lost.clear()

    def replace(
        self, ids: Sequence[str], make: "Callable[[pa.Schema, set[str]], Rows]"
    ) -> set[str]:
        """Put rows of runs into the table instead of those that it may have of them, at once.

        Args:
            ids: The runs.
            make: Gives the rows of some of them for a table with a schema. It is called again
                when others changed the table meanwhile.

        Returns:
            The runs whose rows are in the table now. Others were put there by somebody else, who
            looks after them, since `begin` was called.
        """
        import pyarrow as pa

        mine = set(ids) - self._lost
        while mine:
            wanted = pa.array(sorted(mine), pa.string())
            before = self.snapshot
            old = [add for add, _ in self.holding(wanted, before.files.values())]
            rows, schema = make(before.schema, mine)
            new = [*self._without(old, wanted), *self._written(rows)]
            if before.exists and not (old or new):  # each table is made, even if it has no rows yet
                return mine
            try:
                self.snapshot = self.table.commit(before, schema=schema, add=new, remove=old)
            except AlreadyExists:
                self.table.discard(new)
                self._give_way(before)
                mine -= self._lost
            else:  # after a fault nobody knows whether the commit refers to the files: they stay
                return mine
        return mine

    def merge(self, small: Sequence[Add]) -> bool:
        """Make fewer files of several.

        Args:
            small: The files, with no more rows together than one should have.

        Returns:
            Whether it was done; not where others changed these files meanwhile.
        """
        import pyarrow as pa

        before = self.snapshot
        names = before.schema.names
        parts = [self.table.file(add).read(names) for add in small]
        rows = pa.concat_tables(parts, promote_options="default").combine_chunks()
        new = [self.table.write(self._sorted(rows), data_change=False)]
        while True:
            try:
                self.snapshot = self.table.commit(
                    before, schema=before.schema, add=new, remove=small, operation="OPTIMIZE"
                )
            except AlreadyExists:
                before = self.refresh()
                if any(add.path not in before.files for add in small):
                    self.table.discard(new)
                    return False
            else:
                return True

    def empty(self) -> None:
        """Remove all rows, and the columns that some rows have needed."""
        while self.snapshot.exists:
            before = self.snapshot
            old = list(before.files.values())
            schema = before.schema.empty_table().select(before.schema.names).schema
            try:
                self.snapshot = self.table.commit(before, schema=schema, remove=old)
            except AlreadyExists:
                self.refresh()
            else:
                return

    def _give_way(self, before: Snapshot) -> None:
        """See how the table stands now, and leave to others the runs of all files that are new.

        Those may hold what is newer than what was read here. Some only hold what was moved from
        other files, but from which, and whether others had put it there meanwhile, they don't say.
        """
        for path, add in self.refresh().files.items():
            if path not in before.files:
                self._lost.update(self.run_ids(add).to_pylist())

    def _without(self, files: Sequence[Add], ids: "pa.Array") -> list[Add]:
        """Write files again without the rows of some runs."""
        import pyarrow.compute as pc

        written: list[Add] = []
        for add in files:
            rows = self.table.file(add).read(self.snapshot.schema.names)
            kept = rows.filter(pc.invert(pc.is_in(rows.column("run_id"), value_set=ids)))
            written += self._written(kept)
        return written

    def _written(self, rows: "pa.Table") -> list[Add]:
        ordered = self._sorted(rows)
        return [
            self.table.write(ordered.slice(start, self.target_rows))
            for start in range(0, ordered.num_rows, self.target_rows)
        ]

    def _sorted(self, rows: "pa.Table") -> "pa.Table":
        """Sort rows; those that are equal keep their order."""
        import pyarrow.compute as pc

        if not rows.num_rows:
            return rows
        code = None
        for name in self.sorted_by:  # one number for all columns, since numbers sort faster
            rank, count = _ranks(rows.column(name))
            code = rank if code is None else pc.add(pc.multiply(code, count), rank)
        return rows.take(pc.array_sort_indices(code))


@define
class FoldedTables:
    """All that runs are folded into.

    Attributes:
        runs: A row for each run. A run is folded when its row is here, which comes last.
        metrics: A row for each point.
        summaries: A row for each metric of a run.
    """

    runs: FoldedTable
    metrics: FoldedTable
    summaries: FoldedTable

    @classmethod
    def of(cls, storage: "Storage", clock: "Clock") -> "FoldedTables":
        """Give the tables of a store."""

        def table(name: str, encodings: dict[str, str], group_rows: int) -> DeltaTable:
            folder = f"{FOLDER}/{name}"
            return DeltaTable(storage, folder, clock, group_rows=group_rows, encodings=encodings)

        deltas = dict.fromkeys(("step", "time"), "DELTA_BINARY_PACKED") | {"value": "PLAIN"}
        numbers = dict.fromkeys(("first", "last", "min", "max", "best"), "PLAIN")
        return cls(
            FoldedTable(table(RUNS, {}, 1 << 16), ("run_id",), 1 << 17),
            FoldedTable(table(METRICS, deltas, 1 << 16), ("key", "run_id"), 1 << 22),
            FoldedTable(table(SUMMARIES, numbers, 1 << 16), ("key", "run_id"), 1 << 21),
        )

    def all(self) -> tuple[FoldedTable, FoldedTable, FoldedTable]:
        """Give them in the order in which runs are put into them."""
        return self.metrics, self.summaries, self.runs

    def refresh(self) -> None:
        """See how all of them stand now; the last of them first, so that it promises no more.

        Raises:
            Corrupt: A log was damaged, or is gone although runs are folded.
        """
        self.runs.refresh()
        for _ in each(self.look, (METRICS, SUMMARIES), self.runs.table.storage):
            pass

    def look(self, name: str) -> FoldedTable:
        """See how the table `metrics` or `summaries` stands now; `runs` must have been seen before.

        Raises:
            Corrupt: Its log was damaged, or is gone although runs are folded.
        """
        table = self.metrics if name == METRICS else self.summaries
        table.refresh()
        if self.runs.snapshot.rows and not table.snapshot.exists:
            message = f"The table {table.table.folder} is gone, and {RUNS} isn't"
            raise Corrupt(message, hint="store.reindex() makes the tables anew")
        return table


def _ranks(column: "pa.ChunkedArray") -> "tuple[pa.Array, int]":
    """Give the place of each text among those of its column, and how many there are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = column.combine_chunks().dictionary_encode()
    places = pc.rank(encoded.dictionary, tiebreaker="dense").cast(pa.int64())
    return pc.take(places, encoded.indices), len(encoded.dictionary)
