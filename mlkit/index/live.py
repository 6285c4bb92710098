"""Runs that no table has yet, or that changed since: read from their folders, several at once."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from attrs import field, frozen

from mlkit.errors import Corrupt, NewerFormat, NotFound
from mlkit.index.row import Row
from mlkit.storage.protocol import Storage
from mlkit.tracking.reading import Run
from mlkit.tracking.renumbering import Renumbering
from mlkit.tracking.runs import DamagedRunWarning, Runs

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 32
"""So many requests are under way at once, where each travels."""

_WINDOW = 4 * AT_ONCE  # of results that wait to be taken
_FOLDER = "runs"
_STRANGE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
_PAGE = 1000  # objects that one request of a listing gives on object stores
_OBJECTS = 4  # of a run, about


@frozen
class LiveRun:
    """A run as its folder had it.

    Attributes:
        run: The run.
        row: Its row.
        ended: Whether it has ended, so that it can be folded.
    """

    run: Run
    row: Row
    ended: bool


@frozen
class _Known:
    """What was found when a run's folder had these files, and versions these numbers."""

    files: Mapping[str, int]
    renumbering: Renumbering
    run: Run
    live: LiveRun | None = None
    damage: str = ""


@frozen
class LiveRuns:
    """Reads runs from their folders, and remembers what can't have changed.

    Args:
        runs: The store's runs.
        storage: Where they lie.
    """

    runs: Runs = field()
    storage: Storage = field()
    _known: dict[str, _Known] = field(factory=dict, init=False, repr=False)

    def read(self, ids: Sequence[str], *, among: int, warn: bool = True) -> list[LiveRun]:
        """Give runs, the oldest first; those that can't be read are left out.

        Args:
            ids: Which.
            among: How many there are in the store, which says how to list them best.
            warn: Whether to warn of what is left out.
        """
        listed = self._listed(ids, among)
        renumbering = self.runs.renumbering() if ids else Renumbering()

        def read(run_id: str) -> tuple[str, _Known]:
            return run_id, self._read(run_id, listed[run_id], renumbering)

        known = dict(self._each(read, ids))
        for run_id in [other for other in self._known if other not in known]:
            self._known.pop(run_id, None)  # it was folded
        self._known.update(known)
        damaged = [f"{run_id} ({one.damage})" for run_id, one in known.items() if one.damage]
        if damaged and warn:
            count = "1 run" if len(damaged) == 1 else f"{len(damaged)} runs"
            message = (
                f"{count} can't be read and is left out: {'; '.join(damaged[:5])}. "
                "store.verify() says what is wrong"
            )
            warnings.warn(message, DamagedRunWarning, stacklevel=2)
        return [one.live for one in known.values() if one.live is not None]

    def _read(self, run_id: str, files: Mapping[str, int], renumbering: Renumbering) -> _Known:
        """Read a run, unless its folder is as it was when it was last read."""
        before = self._known.get(run_id)
        same = before is not None and before.files == files and before.renumbering is renumbering
        if before is not None and same and (before.damage or (before.live and before.live.ended)):
            return before
        if before is not None and same:
            run = before.run
        else:
            run = self.runs.as_it_lies(run_id, files, lambda: renumbering)
        if not run.exists:  # its first segment came before its beginning
            return _Known(files, renumbering, run)
        try:
            run.check()
            row = Row.of(run)
        except (Corrupt, NewerFormat, NotFound) as error:
            return _Known(files, renumbering, run, damage=error.message)
        except _STRANGE as error:  # it proves itself, but isn't what it must be
            return _Known(files, renumbering, run, damage=f"it can't be understood: {error!r}")
        return _Known(files, renumbering, run, LiveRun(run, row, ended=run.ended_at is not None))

    def _listed(self, ids: Sequence[str], among: int) -> dict[str, dict[str, int]]:
        """Give the files of each run with their sizes, by as few requests as can be."""
        found: dict[str, dict[str, int]] = {run_id: {} for run_id in ids}
        if not is_local(self.storage) and among * _OBJECTS / _PAGE < len(ids):
            for entry in self.storage.list(_FOLDER):
                run_id, _, name = entry.path[len(_FOLDER) + 1 :].partition("/")
                if run_id in found:
                    found[run_id][name] = entry.size
            return found
        return dict(self._each(self._files, ids))

    def _files(self, run_id: str) -> tuple[str, dict[str, int]]:
        folder = f"{_FOLDER}/{run_id}"
        entries = self.storage.list(folder)
        return run_id, {entry.path[len(folder) + 1 :]: entry.size for entry in entries}

    def _each(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        return each(work, items, self.storage)


def each(work: Callable[[T], R], items: Iterable[T], storage: Storage) -> Iterator[R]:
    """Do work for each item, several at once where requests travel; results come in order."""
    listed = list(items)
    if is_local(storage) or len(listed) < 2:  # noqa: PLR2004 - one alone
        yield from map(work, listed)
        return
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="mlkit-read") as pool:
        for start in range(0, len(listed), _WINDOW):
            yield from pool.map(work, listed[start : start + _WINDOW])


def is_local(storage: Storage) -> bool:
    """Tell whether a storage is a folder of this machine, or this process's memory."""
    return storage.local_path("mlkit.json") is not None or storage.url.startswith("memory:")
