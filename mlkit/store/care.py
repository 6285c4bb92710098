"""The verbs that look after a whole store: garbage, copies, and stores that become one."""

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mlkit.errors import InvalidInput
from mlkit.storage.opening import open_storage
from mlkit.store.parts import Parts
from mlkit.store.rooms import Rooms

if TYPE_CHECKING:
    from mlkit.store.export import RunsToExport
    from mlkit.store.gc_report import GcReport
    from mlkit.store.merge_report import MergeReport


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
                Writers count on a week; with less, nobody may write meanwhile.
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

        return gc.collect_garbage(
            self._parts,
            grace=grace,
            dry_run=dry_run,
            progress=progress,
            stale_table_files=self._index.stale_files,
        )

    def export(
        self,
        runs: "RunsToExport",
        path: str | os.PathLike[str],
        *,
        storage_options: Mapping[str, Any] | None = None,
        progress: bool | None = None,
    ) -> "MergeReport":
        """Write runs to a store of their own, with all that they kept, read and made.

        Their parts come along: runs that were started within them. So do the versions of datasets
        and models that they read or made, and those that these were made from.

        Args:
            runs: A run or its id, or several: a list, or what `search_runs` gave.
            path: A path or URL; where there is a store already, it gets what it lacks.
            storage_options: What the driver takes, as in fsspec.
            progress: Whether to show progress; by default on a terminal.

        Returns:
            What was copied, and what couldn't be because it is damaged or missing here.

        Raises:
            NotFound: There is no such run.
            NotAStore: There is something else at the path.
            StorageFault: A storage failed; doing it again goes on from there.

        Example:
            >>> import mlkit
            >>> store = mlkit.Store("memory://export-example")
            >>> with store.start_run("flights") as run:
            ...     run.log_text("late", "notes.txt")
            >>> store.export(run, "memory://exported-example").is_complete
            True
            >>> mlkit.Store("memory://exported-example").run(run.id).artifact("notes.txt").text()
            'late'
        """
        from mlkit.store.export import export, ids_of

        wanted = ids_of(self._parts, runs)
        target = type(self)(path, storage_options, single_writer=self._single_writer)
        return export(self._parts, target._parts, wanted, progress=progress)  # noqa: SLF001 - a store too

    def merge(
        self,
        other: "Care | str | os.PathLike[str]",
        *,
        storage_options: Mapping[str, Any] | None = None,
        progress: bool | None = None,
    ) -> "MergeReport":
        """Take over all that another store has and this one lacks; the other stays as it is.

        Runs keep their ids. A version of a dataset or model that is here already isn't doubled;
        another one keeps its number where that is the next one here, and gets the next one else.
        Aliases that are here are never moved: only a model that comes from the other store brings
        its aliases along. Doing it again copies nothing, and goes on where it was stopped.

        Args:
            other: A store, or its path or URL.
            storage_options: What the driver of a URL takes, as in fsspec.
            progress: Whether to show progress; by default on a terminal.

        Returns:
            What was copied, what was there, which versions got another number, and what was
            damaged or missing in the other store and so stayed behind.

        Raises:
            NotAStore: There is no store at the URL.
            StorageFault: A storage failed; doing it again goes on from there.

        Example:
            >>> import mlkit
            >>> laptop, team = (mlkit.Store(f"memory://merge-{name}") for name in ("a", "b"))
            >>> with laptop.start_run("flights") as run:
            ...     run.log_metric("auc", 0.8)
            >>> team.merge(laptop).is_complete
            True
            >>> team.run(run.id).summary
            {'auc': 0.8}
        """
        from mlkit.store.merge import merge, require_store_at

        if not isinstance(other, Care):
            if not isinstance(other, str | os.PathLike):
                message = f"{other!r} is no store"
                raise InvalidInput(message, hint="Give a store, or its path or URL")
            require_store_at(open_storage(other, storage_options))
            other = type(self)(other, storage_options)
        return merge(other._parts, self._parts, progress=progress)  # noqa: SLF001 - a store too

    @property
    def _parts(self) -> Parts:
        return Parts(
            storage=self._storage,
            runs=self.runs,
            datasets=self.datasets,
            models=self.models,
            single_writer=self._single_writer,
        )
