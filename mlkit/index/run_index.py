"""The index of a store's runs: a view of all of them, and the tables that make it fast."""

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, evolve, field, frozen

from mlkit._core.clock import Clock
from mlkit._core.forking import renew_after_fork
from mlkit.display.progress import Progress
from mlkit.errors import Corrupt, MlkitError, NewerFormat, NotFound, SingleWriterOnly
from mlkit.index.background import Background
from mlkit.index.cache import ColumnCache
from mlkit.index.dividing import Divider, Division, undivided
from mlkit.index.folded import FOLDER, FoldedTables
from mlkit.index.folding import Folded, Folding
from mlkit.index.listing import Listing
from mlkit.index.live import LiveRun, LiveRuns
from mlkit.index.parts import FilePart, RowsPart
from mlkit.index.row import Row
from mlkit.index.series import Files, Series
from mlkit.index.view import View, as_it_is
from mlkit.storage.faulting import read_only
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.protocol import Entry, Storage
from mlkit.storage.readonly import ReadOnlyStorage
from mlkit.tracking.changes import Changes
from mlkit.tracking.runs import Runs

if TYPE_CHECKING:
    import pyarrow as pa


T = TypeVar("T")


def _no_files(_name: str) -> Files:
    return Files()


class IndexWarning(UserWarning):
    """The tables can't be used, so runs were read from their folders."""


@frozen
class Seen:
    """The runs of a store as they stood at one moment.

    Attributes:
        view: Their columns.
        series: Their points.
    """

    view: View
    series: Series

    @classmethod
    def of(cls, runs: Sequence[Any]) -> "Seen":
        """Give runs that are at hand."""
        live = [LiveRun(run, Row.of(run), ended=True) for run in runs]
        known = {one.run.id: one for one in live}
        series = Series(_no_files, known, MemoryStorage("runs-at-hand"))
        return cls(View([RowsPart([one.row for one in live])], series.summary), series)


@define(eq=False)
class RunIndex:
    """All runs of a store, folded, unfolded and live alike. Threads may share it.

    Args:
        storage: Where the store lies.
        runs: Its runs.
        clock: Gives the time.
        memory: A folder of this machine for what other processes needn't find out again.
        naming: Gives what says how the experiment is called now that a run was started in.
        single_writer: The caller promises to be the only writer, for storages that can't refuse
            another.
    """

    storage: Storage
    runs: Runs
    clock: Clock
    memory: Path
    naming: Callable[[], Callable[[str], str]] = lambda: as_it_is
    single_writer: bool = False
    __weakref__: object = field(init=False, repr=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)
    _cache: ColumnCache = field(init=False, repr=False)
    _tables: FoldedTables = field(init=False, repr=False)
    _divider: Divider = field(init=False, repr=False)
    _live: LiveRuns = field(init=False, repr=False)
    _listing: Listing = field(init=False, repr=False)
    _changes: Changes = field(init=False, repr=False)
    _background: Background = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.renew()
        renew_after_fork(self)

    def renew(self) -> None:
        """Forget what was seen, and whose locks these are."""
        self._lock = threading.Lock()
        self._cache = ColumnCache()
        self._tables = FoldedTables.of(self.storage, self.clock)
        self._divider = Divider(self._tables.runs)
        self._live = LiveRuns(self.runs, self.storage)
        self._listing = Listing(self.runs, self.storage, self.memory / "run-ids")
        self._changes = Changes(self.storage)
        self._background = Background(self.folding)

    def see(self, *, tables: bool = True) -> Seen:
        """Give the runs as they stand now; those that can't be read are left out, with a warning.

        Args:
            tables: Whether to use the tables; without them every folder is read.

        Raises:
            Corrupt: A table was damaged.
        """
        with self._lock:
            divided = self._divided() if tables else undivided(self._listing.ids())
            live = {one.run.id: one for one in self._live.read(divided.live, among=divided.among)}
            parts = [
                FilePart(self._tables.runs.file(add), self._cache, kept)
                for add, kept in divided.files
            ]
        files = cache(self._look) if tables else _no_files
        series = Series(files, live, self.storage)
        rows = [RowsPart([one.row for one in live.values()])] if live else []
        if self.foldable and tables:
            self._background.consider(sum(one.ended for one in live.values()))
        return Seen(View([*parts, *rows], series.summary, self.naming()), series)

    def trying(self, work: Callable[[Seen], T]) -> T:
        """Do work on the runs as they stand now; without the tables where those are damaged.

        Args:
            work: What to do; it may be called twice.
        """
        try:
            return work(self.see())
        except (Corrupt, NewerFormat, NotFound) as error:
            try:
                done = work(self.see(tables=False))
            except (Corrupt, NewerFormat, NotFound):
                raise error from None  # it isn't the tables
            _warn("all folders were read", error)
            return done

    def counts(self) -> dict[str, int]:
        """Give how many runs carry the name of which experiment, without deleted ones."""
        import pyarrow.compute as pc

        def count(seen: Seen) -> dict[str, int]:
            kept = pc.invert(seen.view.fixed("deleted"))
            found = pc.value_counts(seen.view.carried.filter(kept))
            return {one["values"].as_py(): one["counts"].as_py() for one in found}

        return self.trying(count)

    def points(self, run_id: str, key: str) -> "pa.Table | None":
        """Give the points of a metric of one run from the tables, None where they don't have it.

        Args:
            run_id: The run.
            key: The metric.
        """
        try:
            return self._folded_points(run_id, key)
        except (Corrupt, NewerFormat, NotFound) as error:
            _warn("the run's folder was read", error)
            return None

    def _folded_points(self, run_id: str, key: str) -> "pa.Table | None":
        import pyarrow as pa

        with self._lock:
            divided = self._divided()
            folded = self._tables
            wanted = pa.array([run_id], pa.string())
            if run_id in divided.live or not folded.runs.holding(
                wanted, [add for add, _ in divided.files]
            ):
                return None
        series = Series(self._look, {}, self.storage)
        found = series.points(key, wanted)
        return found.drop_columns("run_id") if found.num_rows else None

    def compact(self, progress: Progress | None = None) -> Folded:
        """Fold every run that has ended, and make as few files as can be.

        Args:
            progress: Shows how far it is.

        Raises:
            Corrupt: A table was damaged; `reindex` makes it anew.
            SingleWriterOnly: The storage can't refuse a second writer.
        """
        folding = self.folding()
        folded = folding.fold(progress)
        return evolve(folded, files=folding.compact())

    def reindex(self, progress: Progress | None = None) -> Folded:
        """Make the tables anew from the run folders, whatever they hold; see `compact`."""
        folding = self.folding()
        folding.forget(self.storage)
        folded = folding.fold(progress)
        return evolve(folded, files=folding.compact())

    def stale_files(self, before: int) -> Iterator[Entry]:
        """Give the files of the tables that nobody has needed since a time.

        Args:
            before: The time, in nanoseconds since 1970, UTC.
        """
        for folded in FoldedTables.of(self.storage, self.clock).all():
            try:
                folded.refresh()
            except (Corrupt, NewerFormat):
                continue  # reindexing removes them
            yield from folded.table.stale(folded.snapshot, before)

    def folding(self, stop: threading.Event | None = None) -> Folding:
        """Give what folds runs, with tables of its own.

        Args:
            stop: Ends it between two batches.

        Raises:
            ReadOnly: The storage only reads.
            SingleWriterOnly: It can't refuse a second writer.
        """
        if isinstance(self.storage, ReadOnlyStorage):
            raise read_only(self.storage.url, FOLDER)
        if not self.foldable:
            message = f"The storage {self.storage.url} can't refuse a second writer of a table"
            raise SingleWriterOnly(
                message, hint="Open the store with single_writer=True if nobody else folds runs"
            )
        return Folding(
            self.runs,
            LiveRuns(self.runs, self.storage),
            FoldedTables.of(self.storage, self.clock),
            self._changes,
            stop or threading.Event(),
        )

    @property
    def foldable(self) -> bool:
        """Whether runs can be folded: the storage takes writes, and refuses a second writer."""
        return not isinstance(self.storage, ReadOnlyStorage) and (
            self.storage.capabilities.exclusive_create or self.single_writer
        )

    def wait(self) -> None:
        """Wait until what is folded in the background is."""
        self._background.wait()

    def _look(self, name: str) -> Files:
        """Give the files of the table `metrics` or `summaries` as they are now."""
        with self._lock:
            return Files.of(self._tables.look(name))

    def _divided(self) -> Division:
        """Divide the runs.

        What says that runs changed is read first, since who folds them removes it last.
        """
        changed = self._changes.pending()
        self._tables.runs.refresh()
        return self._divider.divide(self._listing.ids(), changed)


def _warn(instead: str, error: MlkitError) -> None:
    message = (
        f"The tables of runs can't be used, so {instead}, which takes longer: {error}. "
        "store.reindex() makes the tables anew"
    )
    warnings.warn(message, IndexWarning, stacklevel=4)
