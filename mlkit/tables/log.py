"""The log of a Delta table: numbered commits, each made by whoever creates its name first."""

import re
from collections.abc import Iterable

from attrs import evolve, field, frozen

from mlkit._core.clock import Clock
from mlkit._core.hashing import digest_bytes
from mlkit._core.ids import token
from mlkit.errors import Corrupt, NotFound, StorageFault
from mlkit.storage.protocol import Storage
from mlkit.tables.actions import Action, decode_commit, encode_commit
from mlkit.tables.checkpoint import decode_checkpoint, encode_checkpoint, encode_pointer
from mlkit.tables.snapshot import Snapshot

FOLDER = "_delta_log"
POINTER = "_last_checkpoint"
"""The file that tells other readers where to begin."""

CHECKPOINT_EVERY = 10
"""So many commits apart are checkpoints, as in other writers of Delta."""

_NAME = re.compile(r"(\d{20})\.(json|checkpoint\.parquet)")
_MS = 1_000_000


@frozen
class Log:
    """The commits of one table, and the checkpoints that sum them up.

    Any number of threads, processes and machines may commit at once: a commit is the exclusive
    create of the next number, so one of them wins and the others are told.

    Args:
        storage: Where the table lies.
        folder: The table's folder.
        clock: Gives the time.

    Example:
        >>> from mlkit.storage.memory import MemoryStorage
        >>> from mlkit.tables.actions import Metadata
        >>> log = Log(MemoryStorage("log-example"), "tables/runs", clock=lambda: 0)
        >>> made = log.commit(log.read(), [Metadata("id", '{"fields": []}', 0)], "CREATE TABLE")
        >>> made.version, log.read().version
        (0, 0)
    """

    storage: Storage = field()
    folder: str = field()
    clock: Clock = field()

    def read(self) -> Snapshot:
        """Give the table as it stands now; one without commits where there is none.

        Raises:
            Corrupt: The log has a gap, or a part of it was damaged.
            NewerFormat: It needs a newer reader.
        """
        commits, checkpoints = self._numbers()
        snapshot = Snapshot()
        if checkpoints:
            version = max(checkpoints)
            path = self._path(version, "checkpoint.parquet")
            snapshot = decode_checkpoint(self.storage.read(path), version, path)
            snapshot = evolve(snapshot, commit=self._digest(version))
        snapshot = self._advanced(snapshot)
        if commits and max(commits) > snapshot.version:
            message = f"The log {self.folder}/{FOLDER} lacks commit {snapshot.version + 1}"
            raise Corrupt(message, hint="store.reindex() makes the tables anew")
        return snapshot

    def refresh(self, snapshot: Snapshot) -> Snapshot:
        """Give the table as it stands now, when it is known how it stood.

        That costs two requests. Where the last commit that is known isn't there any more as it was,
        the log has moved on so far that its beginning is gone, or was made anew; then it is read
        from its beginning.
        """
        if snapshot.exists and self._digest(snapshot.version) != snapshot.commit:
            return self.read()
        return self._advanced(snapshot)

    def _advanced(self, snapshot: Snapshot) -> Snapshot:
        while True:
            version = snapshot.version + 1
            path = self._path(version)
            try:
                data = self.storage.read(path)
            except NotFound:
                return snapshot
            snapshot = snapshot.after(decode_commit(data, path), digest_bytes(data))

    def commit(self, before: Snapshot, actions: Iterable[Action], operation: str) -> Snapshot:
        """Add a commit to a table that still stands as it is said to.

        Args:
            before: How the table stands.
            actions: What to do.
            operation: What to call it, such as `WRITE`.

        Returns:
            The table after it.

        Raises:
            AlreadyExists: Another commit was quicker; read the log again and decide anew.
            StorageFault: The storage failed.
        """
        done = list(actions)
        version = before.version + 1
        now = self.clock() // _MS
        info = {"timestamp": now, "operation": operation}
        data = encode_commit(done, first=version == 0, info=info, writer=token())
        self.storage.create(self._path(version), data)
        after = before.after(done, digest_bytes(data))
        if version and version % CHECKPOINT_EVERY == 0:
            self._checkpoint(after.forgetting(now))
        return after

    def stale(self, snapshot: Snapshot) -> list[str]:
        """Give the paths of the log's files that newer checkpoints make needless.

        Args:
            snapshot: How the table stands.
        """
        commits, checkpoints = self._numbers()
        older = sorted(version for version in checkpoints if version <= snapshot.version)[:-1]
        if not older:
            return []
        return [
            *(self._path(version) for version in sorted(commits) if version <= older[-1]),
            *(self._path(version, "checkpoint.parquet") for version in older[:-1]),
        ]

    def _checkpoint(self, snapshot: Snapshot) -> None:
        """Sum up the log; a checkpoint that can't be written only makes reading slower."""
        data = encode_checkpoint(snapshot)
        path = self._path(snapshot.version, "checkpoint.parquet")
        size = len(snapshot.files) + len(snapshot.removed) + 2
        try:
            self.storage.write(path, data)
            pointer = encode_pointer(snapshot.version, size)
            self.storage.write(f"{self.folder}/{FOLDER}/{POINTER}", pointer)
        except StorageFault:
            return

    def _digest(self, version: int) -> str:
        """Give the digest of a commit; of one that isn't there, none."""
        try:
            return digest_bytes(self.storage.read(self._path(version)))
        except NotFound:
            return ""

    def _numbers(self) -> tuple[set[int], set[int]]:
        """Give the numbers of the commits and of the checkpoints."""
        commits: set[int] = set()
        checkpoints: set[int] = set()
        for name in self.storage.children(f"{self.folder}/{FOLDER}"):
            match = _NAME.fullmatch(name)
            if match:
                (commits if match[2] == "json" else checkpoints).add(int(match[1]))
        return commits, checkpoints

    def _path(self, version: int, ending: str = "json") -> str:
        return f"{self.folder}/{FOLDER}/{version:020d}.{ending}"
