"""The verbs that look after a whole store: garbage, copies, and stores that become one."""

from datetime import timedelta
from typing import TYPE_CHECKING

from mlkit.store.rooms import Rooms

if TYPE_CHECKING:
    from mlkit.store.gc_report import GcReport


class Care(Rooms):
    """A store with the verbs that look after all of it.

    The arguments are those of `Store`.
    """

    def gc(
        self,
        *,
        dry_run: bool = False,
        grace: str | timedelta = "7d",
        progress: bool | None = None,
    ) -> "GcReport":
        """Remove what no run, dataset or model refers to, and runs that were deleted.

        Others may write meanwhile. What is younger than the grace is left alone, and so are runs
        that were deleted since. Stopped or killed, it leaves the store whole, and goes on from
        there when it is called again.

        Args:
            dry_run: Remove nothing, and only say what would be.
            grace: How young what nothing refers to must be to stay: `7d`, `36h`, or a timedelta.
                With less than what the longest job needs from its first write to its last, nobody
                may write meanwhile.
            progress: Whether to show progress; by default on a terminal.

        Returns:
            What was freed, by kind.

        Raises:
            Corrupt: What a run or version refers to can't be read; the message names it. Nothing
                was removed.
            InvalidInput: The grace is no span of time.
            StorageFault: The storage failed; what had been removed by then was garbage.

        Example:
            >>> import mlkit
            >>> store = mlkit.Store("memory://gc-example")
            >>> with store.start_run("flights") as run:
            ...     run.log_text("late", "notes.txt")
            >>> store.gc()
            There is no garbage.
        """
        from mlkit.store import gc

        rooms = gc.Rooms(
            storage=self._storage,
            runs=self.runs,
            datasets=self.datasets,
            models=self.models,
            stale_table_files=self._index.stale_files,
        )
        return gc.collect_garbage(rooms, grace=grace, dry_run=dry_run, progress=progress)
