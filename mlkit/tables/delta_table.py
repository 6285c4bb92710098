"""One Delta table of a store: rows are appended or replaced by whoever commits first."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import field, frozen

from mlkit._core.clock import Clock
from mlkit._core.ids import uuid7
from mlkit.errors import NotFound, StorageFault
from mlkit.storage.protocol import Entry, Storage
from mlkit.tables.actions import Action, Add, Metadata, Remove
from mlkit.tables.data_file import DataFile, write_data_file
from mlkit.tables.delta_types import schema_to_json
from mlkit.tables.log import FOLDER, Log
from mlkit.tables.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

_MS = 1_000_000


@frozen
class DeltaTable:
    """A Delta table, which Spark, Databricks, Trino, DuckDB and polars read as it is.

    Threads, processes and machines may write at once, each through its own. A change is prepared
    beside the table and takes effect by one commit, or not at all.

    Args:
        storage: Where it lies; it must refuse a second create of a name.
        folder: Its folder.
        clock: Gives the time.
        group_rows: So many rows are in a row group at most.
        encodings: Column to the encoding of its values; a dictionary where it isn't named.

    Example:
        >>> import pyarrow as pa
        >>> from mlkit.storage.memory import MemoryStorage
        >>> table = DeltaTable(MemoryStorage("delta-example"), "tables/runs", clock=lambda: 0)
        >>> rows = pa.table({"run_id": ["a", "b"]})
        >>> table.commit(table.read(), add=[table.write(rows)], schema=rows.schema).rows
        2
    """

    storage: Storage = field()
    folder: str = field()
    clock: Clock = field()
    group_rows: int = field(default=1 << 16, kw_only=True)
    encodings: Mapping[str, str] = field(factory=dict, kw_only=True)

    @property
    def log(self) -> Log:
        """The table's log."""
        return Log(self.storage, self.folder, self.clock)

    def read(self, known: Snapshot | None = None) -> Snapshot:
        """Give the table as it stands now.

        Args:
            known: How it stood before, which saves reading that again.

        Raises:
            Corrupt: Its log was damaged.
        """
        return self.log.refresh(known) if known is not None and known.exists else self.log.read()

    def file(self, add: Add) -> DataFile:
        """Give one of the table's files, to be read."""
        return DataFile(self.storage, self.folder, add)

    def write(self, rows: "pa.Table", *, data_change: bool = True) -> Add:
        """Write rows beside the table; they are in it when a commit says so.

        Args:
            rows: The rows, sorted.
            data_change: Whether they are new to the table.
        """
        return write_data_file(
            self.storage,
            self.folder,
            rows,
            clock=self.clock,
            group_rows=self.group_rows,
            encodings=self.encodings,
            data_change=data_change,
        )

    def commit(
        self,
        before: Snapshot,
        *,
        schema: "pa.Schema",
        add: Sequence[Add] = (),
        remove: Iterable[Add] = (),
        operation: str = "WRITE",
    ) -> Snapshot:
        """Add files and remove files, all at once.

        Args:
            before: How the table stands, on which the change was made up.
            schema: The columns that the table has from now on.
            add: Files that were written beside it.
            remove: Files that are no part of it from now on.
            operation: What to call it in the log.

        Returns:
            The table after it.

        Raises:
            AlreadyExists: Another commit was quicker; read the table again and decide anew.
        """
        now = self.clock()
        actions: list[Action] = []
        if before.metadata is None or before.schema != schema:
            table_id = before.metadata.table_id if before.metadata else uuid7(now)
            created = before.metadata.created_at if before.metadata else now // _MS
            actions.append(Metadata(table_id, schema_to_json(schema), created))
        changes = not add or any(one.data_change for one in add)
        actions += [Remove(one.path, now // _MS, changes) for one in remove]
        return self.log.commit(before, [*actions, *add], operation)

    def stale(self, snapshot: Snapshot, before: int) -> Iterator[Entry]:
        """Give the files that are no part of the table, and haven't been since a time.

        Args:
            snapshot: How the table stands.
            before: The time, in nanoseconds since 1970, UTC.
        """
        log = {*self.log.stale(snapshot)}
        for entry in self.storage.list(self.folder):
            path = entry.path[len(self.folder) + 1 :]
            removed = snapshot.removed.get(path)
            needed = path in snapshot.files or (removed and removed.removed_at * _MS >= before)
            if path.startswith(f"{FOLDER}/"):
                needed = entry.path not in log
            if not needed and entry.modified is not None and entry.modified < before:
                yield entry

    def discard(self, files: Iterable[Add]) -> None:
        """Remove files that no commit has made part of the table."""
        for one in files:
            try:
                self.storage.delete(f"{self.folder}/{one.path}")
            except (NotFound, StorageFault):  # it stays beside the table, and gc finds it
                continue
