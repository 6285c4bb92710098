"""Which runs have changed after they had ended: marks, for an index of runs.

An index folds a run that has ended once, and needn't look at its folder again. Whoever changes
such a run puts a mark before the change and another one after it. The index lists the marks,
reads their runs, keeps what it read, and forgets the marks that it had listed. A first mark
stays until the second one is listed with it, since the change may come at any moment; of an
author who was killed it stays an hour. So the index is right in the end, whoever dies when.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlkit._core.clock import Clock, now_ns
from mlkit._core.ids import uuid7
from mlkit.storage.protocol import Storage
from mlkit.tracking.marks import FOLDER, Mark
from mlkit.tracking.outbox import require_store

if TYPE_CHECKING:
    from mlkit.tracking.health import Health
    from mlkit.tracking.surroundings import Surroundings

_HOUR = 3600 * 1_000_000_000
"""From the mark before a change to the change: an edit comes at once. Who resumes or joins a run
may take longer, but then it hasn't ended, and isn't known by the tables alone."""


class Changes:
    """The marks of a store.

    Args:
        storage: The store's storage.
        clock: Gives the time.

    Example:
        >>> from mlkit.storage.memory import MemoryStorage
        >>> changes = Changes(MemoryStorage("changes-example"))
        >>> with changes.announced("0190f7a5-1c3b-7c5e-8f00-1234567890ab"):
        ...     pass  # the change
        >>> {run_id: len(marks) for run_id, marks in changes.pending().items()}
        {'0190f7a5-1c3b-7c5e-8f00-1234567890ab': 2}
        >>> for marks in changes.pending().values():
        ...     changes.forget(marks)
        >>> changes.pending()
        {}
    """

    def __init__(self, storage: Storage, clock: Clock = now_ns) -> None:
        self._storage = storage
        self._clock = clock

    def mark(self, run_id: str) -> None:
        """Say that a run has changed.

        Args:
            run_id: The run's id.

        Raises:
            StorageFault: The storage doesn't take the mark.
        """
        self._put(Mark(run_id, uuid7(self._clock()), before=False))

    @contextmanager
    def announced(self, run_id: str) -> Iterator[None]:
        """Put a mark, let the block change the run, and put another mark, however it went.

        Args:
            run_id: The run's id.

        Raises:
            StorageFault: The storage doesn't take a mark; without the first nothing is changed.
        """
        change = uuid7(self._clock())
        self._put(Mark(run_id, change, before=True))
        try:
            yield
        finally:  # of what failed nobody knows whether it happened
            self._put(Mark(run_id, change, before=False))

    def pending(self) -> dict[str, list[str]]:
        """Give the runs that are marked as changed, from one listing.

        Returns:
            Run id to the paths of its marks, which `forget` takes.
        """
        found: dict[str, list[str]] = {}
        for name in self._storage.children(FOLDER):
            mark = Mark.of(f"{FOLDER}/{name}")
            if mark is not None:
                found.setdefault(mark.run_id, []).append(mark.path)
        return found

    def forget(self, paths: Iterable[str]) -> None:
        """Remove marks, after what they announced was read and kept.

        What was put before a change stays until that has happened, which the mark behind it
        says, or until an hour is over.

        Args:
            paths: Those that `pending` gave before their runs were read, and no others.
        """
        marks = [mark for mark in map(Mark.of, paths) if mark is not None]
        done = {mark.change for mark in marks if not mark.before}
        long_ago = uuid7(max(self._clock() - _HOUR, 0))
        for mark in sorted(marks, key=lambda mark: not mark.before):  # who dies leaves the second
            if mark.change in done or mark.change < long_ago:
                self._storage.delete(mark.path)

    def _put(self, mark: Mark) -> None:
        self._storage.write(mark.path, mark.content)


def announce(mark: Mark, around: "Surroundings", health: "Health") -> None:
    """Put a mark from a process that logs, which never dies of it.

    Where the store doesn't take it, it goes to the outbox and is sent from there: one that comes
    before a change before all else, one that comes after it when nothing of the run waits any
    more.

    Args:
        mark: The mark.
        around: The store that it belongs to.
        health: Counts faults.

    Raises:
        StorageFault: The store failed, and the run is strict.
    """
    behind = not mark.before and bool(around.outbox.waiting(f"runs/{mark.run_id}"))
    if around.storage.capabilities.append and not behind:
        try:
            require_store(around.storage)
            around.storage.write(mark.path, mark.content)
        except OSError as error:
            health.fault(error, f"what it logs is kept in {around.outbox.folder}")
        else:
            return
    with health.guarded("an index of runs may show it as it was before"):
        around.outbox.put(mark.path, mark.content)
        health.spooled += 1
