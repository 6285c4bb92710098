"""Collecting garbage: removing what nothing refers to and nobody is about to refer to.

A writer stores contents first and then what refers to them, so there is a time in which contents
look like garbage. Three things keep them from being taken:

- what is younger than the grace is left alone, and its age is looked at once more right before
  it is removed;
- a writer that finds its bytes there already, older than half the grace, writes them again
  (`mlkit.objects.age`);
- a version looks, once it is published, whether what it wrote again is still there;
- a pack that a list of chunks names is taken off the list, and stays until another collection,
  since a writer that has read the list takes it for one that a version refers to.

All that refers is read before anything is removed. Where that can't be read, nothing is removed.
"""

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta

from attrs import define, field

from mlkit._core.clock import Clock, now_ns
from mlkit.display.progress import Progress
from mlkit.errors import Corrupt, InvalidInput, NewerFormat, NotFound
from mlkit.objects.age import GRACE
from mlkit.objects.chunk_lists import ChunkLists
from mlkit.query.fields import parse_span
from mlkit.storage.parallel import each, threads_for
from mlkit.storage.protocol import Entry, Storage
from mlkit.store.gc_report import Freed, GcReport
from mlkit.store.parts import Parts
from mlkit.store.references import (
    RunReferences,
    files_of,
    references_of,
    run_references,
    version_references,
)
from mlkit.store.temporary import old_temporary
from mlkit.tracking.changes import Changes
from mlkit.tracking.checking import endings
from mlkit.tracking.documents import BEGINNING
from mlkit.tracking.edits import Edit, edits

_SECOND = 1_000_000_000
_NAMED = 5
_CONTENT = re.compile(r"(?:blobs|packs)/(?P<start>[0-9a-f]{2})/(?P=start)[0-9a-f]{62}")
_TABLES = "tables/"

StaleFiles = Callable[[int], Iterable[Entry]]
"""Gives the files of tables that nothing needs and that were written before a time, in ns."""


def grace_of(grace: str | timedelta | None) -> int:
    """Give a grace in nanoseconds.

    Args:
        grace: Such as `7d` or `36h`, or a timedelta; a week by default.

    Raises:
        InvalidInput: It is none.

    Example:
        >>> grace_of("2d") // 1_000_000_000
        172800
    """
    if grace is None:
        return GRACE
    if isinstance(grace, str):
        return int(parse_span(grace) * _SECOND)
    if isinstance(grace, timedelta) and grace >= timedelta(0):
        return grace // timedelta(microseconds=1) * 1000
    message = f"{grace!r} is no span of time"
    raise InvalidInput(message, hint="Write it as '7d' or '36h', or give a timedelta")


def collect_garbage(
    parts: Parts,
    *,
    grace: str | timedelta | None = None,
    dry_run: bool = False,
    progress: bool | None = None,
    clock: Clock = now_ns,
    stale_table_files: StaleFiles = lambda _before: (),
) -> GcReport:
    """Remove what nothing refers to; see `Store.gc`.

    Args:
        parts: The parts of the store.
        grace: How young what nothing refers to must be to stay.
        dry_run: Whether to remove nothing.
        progress: Whether to show progress; by default on a terminal.
        clock: Gives the present time.
        stale_table_files: Gives the files of its tables that are needed no more.
    """
    length, now = grace_of(grace), clock()
    with Progress("gc", show=progress) as shown:
        return _Collection(parts, length, now, dry_run, shown, stale_table_files).collect()


@define
class _Collection:
    """One collection: it reads what refers, and removes the rest."""

    parts: Parts
    grace: int
    now: int
    dry_run: bool
    progress: Progress
    stale_table_files: StaleFiles
    _young: int = field(default=0, init=False)
    _unknown: int = field(default=0, init=False)

    def collect(self) -> GcReport:
        """Find the garbage, and remove it.

        Raises:
            Corrupt: What a run or version refers to can't be read. Nothing was removed.
            StorageFault: The storage failed. What was removed until then was garbage.
        """
        lists = ChunkLists(self.parts.storage, self.parts.datasets.cache)
        lists.refresh()  # before the versions: what is listed later is no matter of this collection
        paths, problems = version_references(self.parts.datasets, self.parts.models, self.progress)
        faults = [f"{', '.join(one.hurts)} ({one.what})" for one in problems]
        dead: list[RunReferences] = []
        for run in run_references(self.parts.storage, self.parts.runs, self.progress):
            if self._is_dead(run):
                dead.append(run)
                continue
            paths |= run.paths
            if run.fault and run.deleted_at is None:
                faults.append(f"run {run.run_id} ({run.fault})")
        if faults:
            raise _refusal(faults)
        paths |= lists.prune(paths, dry_run=self.dry_run)
        gone, freed = self._remove_runs(dead, paths)
        return GcReport(
            freed=(freed, *self._remove_objects(paths)),
            dry_run=self.dry_run,
            grace=self.grace,
            runs=tuple(gone),
            young=self._young,
            unknown=self._unknown,
        )

    # Runs

    def _is_dead(self, run: RunReferences) -> bool:
        """Tell whether a run was deleted longer than the grace ago, and nobody writes it."""
        if run.deleted_at is None or self.now - run.deleted_at <= self.grace:
            return False
        if self._was_deleted_lately(run):
            return False
        if BEGINNING not in run.files:  # its removal had begun
            return True
        try:
            return self.parts.runs.as_it_lies(run.run_id, run.files).status != "RUNNING"
        except (Corrupt, NewerFormat, NotFound):  # it is damaged, and nobody wants it
            return True

    def _was_deleted_lately(self, run: RunReferences) -> bool:
        """Tell whether the storage got the edit that deleted a run within the grace.

        The clock of who deleted it may have been years behind.
        """
        try:
            edit = self.parts.storage.stat(f"runs/{run.run_id}/{self._deletion(run)}")
        except NotFound:  # another collection is removing it
            return False
        return edit.modified is not None and self.now - edit.modified <= self.grace

    def _remove_runs(self, dead: list[RunReferences], paths: set[str]) -> tuple[list[str], Freed]:
        """Remove the folders of runs; what a run that was restored meanwhile refers to stays."""
        self.progress.stage("removing deleted runs", total=len(dead))
        gone, objects, size = [], 0, 0
        for run in dead:
            now = self._again(run)
            if not self._is_dead(now):
                paths |= now.paths
                continue
            if not self.dry_run:
                self._remove_run(now)
            gone.append(run.run_id)
            objects += len(now.files)
            size += sum(now.files.values())
            self.progress.add(size=sum(now.files.values()))
        return gone, Freed("deleted runs", objects, size)

    def _again(self, run: RunReferences) -> RunReferences:
        files = files_of(self.parts.storage, run.run_id)
        return references_of(self.parts.storage, self.parts.runs, run.run_id, files)

    def _remove_run(self, run: RunReferences) -> None:
        """Remove a run's folder so that it is gone at once, and stays gone if this is killed.

        Its beginning goes first: without that it is no run any more. The edit that deleted it
        goes last: as long as anything is there, it says that the rest is to be removed.
        """
        folder = f"runs/{run.run_id}"
        try:
            last = self._deletion(run)
        except NotFound:  # another collection is removing it
            return
        ends = endings(run.files)
        first = [name for name in (BEGINNING, *reversed(ends)) if name in run.files]
        with Changes(self.parts.storage).announced(run.run_id):
            for name in first:
                self.parts.storage.delete(f"{folder}/{name}")
            rest = files_of(self.parts.storage, run.run_id)  # also edits that came just before
            for name in [*sorted(rest.keys() - {last}), last]:
                self.parts.storage.delete(f"{folder}/{name}")

    def _deletion(self, run: RunReferences) -> str:
        """Give the name of the edit that says that a run is deleted."""
        for name in reversed(edits(run.files)):
            if Edit.read(self.parts.storage, f"runs/{run.run_id}/{name}").deleted is not None:
                return name
        return ""

    # Objects

    def _remove_objects(self, paths: set[str]) -> list[Freed]:
        """Remove the objects that nothing refers to."""
        freed = []
        for root in ("blobs", "packs"):
            found = (
                entry
                for entry in self.parts.storage.list(root)
                if entry.path not in paths and _CONTENT.fullmatch(entry.path)
            )
            freed.append(self._remove_old(root, found))
        before = self.now - self.grace
        stale = (one for one in self.stale_table_files(before) if one.path.startswith(_TABLES))
        freed.append(self._remove_old("table files", stale))
        freed.append(self._remove_temporary(before))
        return freed

    def _remove_old(self, kind: str, entries: Iterable[Entry]) -> Freed:
        """Remove those that are older than the grace, after another look at each."""
        self.progress.stage(f"removing {kind}")
        old = (entry for entry in entries if self._is_old(entry))
        objects = size = 0
        for removed in each(self._remove, old, threads=threads_for(self.parts.storage)):
            if removed is not None:
                objects += 1
                size += removed
                self.progress.add(size=removed)
        return Freed(kind, objects, size)

    def _is_old(self, entry: Entry) -> bool:
        if entry.modified is not None and self.now - entry.modified > self.grace:
            return True
        self._young += 1
        self._unknown += entry.modified is None
        return False

    def _remove(self, entry: Entry) -> int | None:
        """Remove an object and give its size; None where it isn't old any more."""
        if self.dry_run:
            return entry.size
        try:
            now = self.parts.storage.stat(entry.path)
        except NotFound:
            return None
        if now.modified is None or self.now - now.modified <= self.grace:
            return None
        self.parts.storage.delete(entry.path)
        return now.size

    def _remove_temporary(self, before: int) -> Freed:
        """Remove what killed processes have left half written on a local disk."""
        self.progress.stage("removing temporary files")
        objects = size = 0
        for place, length in old_temporary(self.parts.storage, before):
            with suppress(PermissionError):  # another user's
                if not self.dry_run:
                    place.unlink(missing_ok=True)
                objects += 1
                size += length
        return Freed("temporary files", objects, size)


def is_being_removed(storage: Storage, run_id: str, files: Iterable[str]) -> bool:
    """Tell whether a folder is what is left of a deleted run, of which a collection was stopped.

    Args:
        storage: The store's storage.
        run_id: The run.
        files: The names of the files in its folder.
    """
    names = list(files)
    if BEGINNING in names:
        return False
    try:
        told = (Edit.read(storage, f"runs/{run_id}/{name}") for name in reversed(edits(names)))
        return next((edit.deleted for edit in told if edit.deleted is not None), None) is True
    except (Corrupt, NotFound):
        return False


def _refusal(faults: list[str]) -> Corrupt:
    named = "; ".join(faults[:_NAMED]) + (" …" if len(faults) > _NAMED else "")
    return Corrupt(
        f"What is garbage can't be known, since what refers to it can't be read: {named}",
        hint="Restore it from a copy (store.merge brings back what is missing), or delete the run"
        " (run.delete()). Nothing was removed",
    )
