"""A run's journal: the segments that one process writes, wherever they can be written.

The first choice is the store itself, when it can append; else the outbox, from where whole
segments are sent. A fault moves the journal to the next place and costs the training nothing.
A process that was forked gets segments of its own.
"""

import os
import threading
import weakref
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, BinaryIO, SupportsFloat

from mlkit._core.clock import Clock
from mlkit._core.ids import token
from mlkit.errors import RunFinished, StorageFault
from mlkit.metrics.records import FORMAT
from mlkit.metrics.writer import SegmentWriter
from mlkit.storage.protocol import Storage
from mlkit.tracking.health import Health
from mlkit.tracking.outbox import Outbox


class Journal:
    """Writes the events and points of one run from one process.

    Threads share a journal. A lock of the process keeps one of them from closing the file that
    another writes to; it is free in a fork's child, and the thread that holds it may take it
    again, so a signal's handler may log.

    Attributes:
        folder: The run's folder in the store.
        outbox: Where segments wait when the store doesn't take them.
        writer: The name of this writer, which no other has.
        segments: The names of the segments that are closed, with their sizes.
        sending: Is held by the thread that sends what waits.

    Args:
        folder: The run's folder in the store.
        storage: The store's storage.
        outbox: Where segments wait when the store doesn't take them.
        clock: Gives the time of records.
        health: Counts faults.
    """

    def __init__(
        self, folder: str, *, storage: Storage, outbox: Outbox, clock: Clock, health: Health
    ) -> None:
        self.folder = folder
        self.outbox = outbox
        self._storage = storage
        self._clock = clock
        self._health = health
        self._summary: dict[str, tuple[int, float]] = {}
        self._begin()
        _journals.add(self)

    def _begin(self) -> None:
        """Begin as a writer that nobody has been before."""
        self.writer = token()
        self.segments: dict[str, int] = {}
        self._lock = threading.RLock()
        self.sending = threading.RLock()
        self._numbers = count(1)
        self._counters: dict[str, count[int]] = {}
        self._name = ""
        self._places = self._all_places()
        self._segment: SegmentWriter | _Unopened | _Finished = _Unopened(self)

    def points(self, values: Mapping[str, SupportsFloat], step: float | None) -> None:
        """Write points; see `SegmentWriter.points`."""
        with self._lock:
            try:
                self._segment.points(values, step)
            except OSError as error:
                self._leave(error)
                self.points(values, step)

    def event(self, name: str, body: Mapping[str, Any]) -> None:
        """Write an event; see `SegmentWriter.event`."""
        with self._lock:
            try:
                self._segment.event(name, body)
            except OSError as error:
                self._leave(error)
                self.event(name, body)

    def summary(self) -> dict[str, float]:
        """Give the last value of each key that this process has logged."""
        with self._lock:
            newest = dict(self._summary)
            if isinstance(self._segment, SegmentWriter):
                newest.update(self._segment.last())
        return {key: value for key, (_, value) in newest.items()}

    def roll(self) -> None:
        """Close the segment, so that it can be sent; the next record begins another.

        After a fault the next one is tried in the store again.
        """
        with self._lock:
            if isinstance(self._segment, SegmentWriter):
                self._retire(self._segment)
                self._places = self._all_places()

    def close(self) -> None:
        """End the journal; what is written later raises RunFinished."""
        with self._lock:
            if isinstance(self._segment, SegmentWriter):
                self._retire(self._segment)
            self._segment = _Finished(self.folder)

    @property
    def appends(self) -> bool:
        """Whether records go straight to the store, so that nothing has to be sent."""
        return self._storage.capabilities.append and len(self._places) > 1

    def open(self) -> SegmentWriter:
        """Open a segment at the first place that takes one, and give its writer."""
        with self._lock:
            while self._places:
                name = f"{self.folder}/{self.writer}-{next(self._numbers)}.seg"
                try:
                    segment = SegmentWriter(self._places[0](name), self._clock, self._counters)
                    segment.event("segment", {"format": FORMAT, "writer": self.writer})
                except OSError as error:
                    self._demote(error)
                else:
                    self._name = name
                    self._segment = segment
                    return segment
            self._name = ""
            self._segment = SegmentWriter(_Nowhere(self._health), self._clock, self._counters)
            return self._segment

    def _leave(self, error: OSError) -> None:
        """Leave the segment that failed and take the next place; a strict run raises."""
        if self._health.strict and isinstance(error, StorageFault):
            raise error
        if isinstance(self._segment, SegmentWriter):
            self._demote(error)
            self._retire(self._segment)

    def _retire(self, segment: SegmentWriter) -> None:
        self._segment = _Unopened(self)
        self._summary.update(segment.last())
        try:
            size = segment.close()
        except OSError as error:  # what was written stays; the end doesn't vouch for its size
            self._health.fault(error, "what was logged until then is where it was written")
            return
        if self._name:
            self.segments[self._name.rpartition("/")[2]] = size

    def _demote(self, error: OSError) -> None:
        del self._places[:1]
        kept = f"it is kept in {self.outbox.folder} and sent when the run flushes or finishes"
        self._health.fault(error, kept if self._places else "it is lost until there is room")

    def _all_places(self) -> list[Callable[[str], BinaryIO]]:
        in_store = [self._storage.open_append] if self._storage.capabilities.append else []
        return [*in_store, self._in_outbox]

    def _in_outbox(self, name: str) -> BinaryIO:
        file = self.outbox.open_append(name)
        self._health.spooled += 1
        return file

    def forked(self) -> None:
        """Become a writer of its own in a child process; the parent keeps its segment."""
        if not isinstance(self._segment, _Finished):
            if isinstance(self._segment, SegmentWriter):
                self._segment.close()  # the child's copy of the descriptor only
            self._summary = {}
            self._begin()


class _Unopened:
    """Stands for a segment until the first record; a process that writes none makes none."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def points(self, values: Mapping[str, SupportsFloat], step: float | None) -> None:
        self._journal.open().points(values, step)

    def event(self, name: str, body: Mapping[str, Any]) -> None:
        self._journal.open().event(name, body)


class _Finished:
    """Stands for the segments of a run that is finished."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def points(self, _values: object, _step: object) -> None:
        self.event("", {})

    def event(self, _name: str, _body: object) -> None:
        message = f"The run {self._folder.rpartition('/')[2]} is finished, so it takes no more"
        raise RunFinished(message, hint="Start a run, or resume this one: start_run(resume=id)")


class _Nowhere:
    """Where records go when neither the store nor this disk takes them: they are counted."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def write(self, data: bytes, /) -> int:
        self._health.dropped += 1
        return len(data)

    def tell(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing is open."""


_journals: "weakref.WeakSet[Journal]" = weakref.WeakSet()


def _after_fork() -> None:
    for journal in list(_journals):
        journal.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
