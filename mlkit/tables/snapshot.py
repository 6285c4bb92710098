"""What a Delta table holds after a commit: which files, and the schema of their rows."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from mlkit.errors import Corrupt
from mlkit.tables.actions import Action, Add, Metadata, Remove
from mlkit.tables.delta_types import schema_from_json

if TYPE_CHECKING:
    import pyarrow as pa

KEPT_MS = 7 * 24 * 3600 * 1000
"""For how long a removed file is remembered, so that cleaners know it: a week."""


@frozen
class Snapshot:
    """A table as it stood after one of its commits.

    Attributes:
        version: The commit's number, from 0; -1 of a table that isn't there.
        metadata: What the table is.
        files: Its data files by path.
        removed: Those that earlier commits removed, by path.
        commit: The digest of the commit, by which a log that was made anew is told from this one.
    """

    version: int = -1
    metadata: Metadata | None = None
    files: Mapping[str, Add] = field(factory=dict, repr=False)
    removed: Mapping[str, Remove] = field(factory=dict, repr=False)
    commit: str = field(default="", repr=False)

    @property
    def exists(self) -> bool:
        """Whether there is a table."""
        return self.version >= 0

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(add.rows for add in self.files.values())

    @property
    def schema(self) -> "pa.Schema":
        """The columns of its rows; none of a table that isn't there."""
        import pyarrow as pa

        return schema_from_json(self.metadata.schema) if self.metadata else pa.schema([])

    def after(self, actions: Iterable[Action], commit: str) -> "Snapshot":
        """Give the table as it stands after one more commit.

        Args:
            actions: What it did.
            commit: Its digest.

        Raises:
            Corrupt: It removed a file that wasn't there.
        """
        version = self.version + 1
        files, removed, metadata = dict(self.files), dict(self.removed), self.metadata
        for action in actions:
            if isinstance(action, Add):
                files[action.path] = action
            elif isinstance(action, Metadata):
                metadata = action
            elif files.pop(action.path, None) is None:
                message = f"Commit {version} removes {action.path!r}, which isn't there"
                raise Corrupt(message, hint="store.reindex() makes the tables anew")
            else:
                removed[action.path] = action
        return Snapshot(version, metadata, files, removed, commit)

    def forgetting(self, now_ms: int) -> "Snapshot":
        """Give the table without the files that were removed long ago."""
        kept = {
            path: action
            for path, action in self.removed.items()
            if action.removed_at > now_ms - KEPT_MS
        }
        return evolve(self, removed=kept)
