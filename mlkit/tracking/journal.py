"""A run's journal: the segments that one process writes, wherever they can be written.

The first choice is the store itself, when it can append; else the outbox, from where whole
segments are sent. A fault moves the journal to the next place and costs the training nothing.
A process that was forked gets segments of its own.
"""

import threading
from collections.abc import Callable, Mapping
from itertools import count
from time import perf_counter_ns
from typing import Any, SupportsFloat

from mlkit._core.clock import Clock
from mlkit._core.forking import renew_after_fork
from mlkit._core.ids import token
from mlkit.errors import RunFinished, StorageFault
from mlkit.metrics.records import FORMAT
from mlkit.metrics.writer import SegmentWriter, as_numbers, as_step
from mlkit.tracking.health import Health
from mlkit.tracking.liveness import identity
from mlkit.tracking.places import Nowhere, Place, Places
from mlkit.tracking.ranks import rank

_LARGEST_COUNTED = 1 << 62


class Journal:
    """Writes the events and points of one run from one process.

    Threads share a journal. A lock of the process keeps one of them from closing the file that
    another writes to; it is free in a fork's child, and the thread that holds it may take it
    again, so a signal's handler may log.

    Attributes:
        folder: The run's folder in the store.
        writer: The name of this writer, which no other has.
        segments: The names of the segments that are closed, with their sizes.
        records: The same with the number of their records.
        spent: How long calls took, in nanoseconds.
        lock: Is held by the thread that writes; held by a caller, what it does is one with that.

    Args:
        folder: The run's folder in the store.
        places: Where segments can be written.
        waiting: Where they wait when the store doesn't take them, for messages.
        clock: Gives the time of records.
        health: Counts faults.
        steps: The last step of each metric of the run so far, after which those without count on.
        begun: Is called when this process begins a segment.
    """

    def __init__(
        self,
        folder: str,
        *,
        places: Places,
        waiting: str,
        clock: Clock,
        health: Health,
        steps: Mapping[str, float],
        begun: Callable[[], object],
    ) -> None:
        self.folder = folder
        self._all_places = places
        self._waiting = waiting
        self._clock = clock
        self._health = health
        self._begun = begun
        self._newest: dict[str, tuple[int, float, float]] = {}
        self._begin(steps)
        renew_after_fork(self)

    def _begin(self, steps: Mapping[str, float]) -> None:
        """Begin as a writer that nobody has been before."""
        self.writer = token()
        self.segments: dict[str, int] = {}
        self.records: dict[str, int] = {}
        self.spent = 0
        self.lock = threading.RLock()
        self._numbers = count(1)
        self._counters = {
            key: count(int(step) + 1) for key, step in steps.items() if abs(step) < _LARGEST_COUNTED
        }
        self._name = ""
        self._said: Warning | None = None
        self._places = self._all_places.all()
        self._segment: SegmentWriter | _Unopened | _Finished = _Unopened(self)

    def points(self, values: Mapping[str, SupportsFloat], step: float | None) -> None:
        """Write points; see `SegmentWriter.points`."""
        began = perf_counter_ns()
        try:
            for value in values.values():
                kind = type(value)
                if kind is not float and kind is not int:  # code of the user's, which may wait long
                    values = as_numbers(values)
                    break
        except AttributeError:
            pass  # no mapping, as the writer says
        if step is not None and type(step) is not int and type(step) is not float:
            step = as_step(step)
        with self.lock:
            try:
                self._segment.points(values, step)
            except OSError as error:
                self._leave(error)
                self._again(lambda: self._segment.points(values, step))
            finally:
                self.spent += perf_counter_ns() - began

    def event(self, name: str, body: Mapping[str, Any]) -> None:
        """Write an event; see `SegmentWriter.event`."""
        with self.lock:
            self._again(lambda: self._segment.event(name, body))

    def _again(self, write: Callable[[], None]) -> None:
        """Write a record, at the next place when one fails; the last place takes everything."""
        while True:
            try:
                write()
            except OSError as error:
                self._leave(error)
            else:
                return self.say()

    def say(self) -> None:
        """Raise a warning that the program wants raised, now that the record is kept."""
        said, self._said = self._said, None
        if said is not None:
            raise said

    def _fault(self, error: OSError, where: str) -> None:
        try:
            self._health.fault(error, where)
        except Warning as said:  # as with `python -W error`
            self._said = said

    def newest(self) -> dict[str, tuple[int, float, float]]:
        """Give time, step and value of the last point of each key that this process has logged."""
        with self.lock:
            newest = dict(self._newest)
            if isinstance(self._segment, SegmentWriter):
                newest.update(self._segment.last())
        return newest

    def roll(self) -> None:
        """Close the segment, so that it can be sent; the next record begins another.

        After a fault the next one is tried in the store again.
        """
        with self.lock:
            if isinstance(self._segment, SegmentWriter):
                self._retire(self._segment)
                self._places = self._all_places.all()

    def look(self) -> None:
        """Look whether the segment's file is still there; of a deleted one the content is saved."""
        with self.lock:
            segment = self._segment
            if isinstance(segment, SegmentWriter) and self._is_saved(segment):
                self._segment = _Unopened(self)
                self._close(segment)

    def close(self) -> None:
        """End the journal; what is written later raises RunFinished."""
        with self.lock:
            if isinstance(self._segment, SegmentWriter):
                self._retire(self._segment)
            self._segment = _Finished(self.folder)

    @property
    def appends(self) -> bool:
        """Whether records go straight to the store, so that nothing has to be sent."""
        return self._all_places.appends and len(self._places) > 1

    @property
    def has_begun(self) -> bool:
        """Whether this process has written a record."""
        return bool(self._name)

    def open(self) -> SegmentWriter:
        """Open a segment at the first place that takes one, and give its writer."""
        with self.lock:
            try:
                self._begun()
            except Warning as said:  # as with `python -W error`
                self._said = said
            while self._places:
                name = f"{self.folder}/{self.writer}-{next(self._numbers)}.seg"
                try:
                    segment = self._opened(self._places[0], name)
                except OSError as error:
                    self._demote(self._all_places.told(error, name))
                else:
                    self._name = name
                    self._segment = segment
                    return segment
            self._name = ""
            self._segment = SegmentWriter(Nowhere(self._health), self._clock, self._counters)
            return self._segment

    def _opened(self, place: Place, name: str) -> SegmentWriter:
        file = place(name)
        segment = SegmentWriter(file, self._clock, self._counters)
        first = {"format": FORMAT, "writer": self.writer, "owner": identity(), "rank": rank()}
        try:
            segment.event("segment", first)
        except BaseException:
            file.close()
            self._all_places.discard(name)
            raise
        return segment

    def _leave(self, error: OSError) -> None:
        """Leave the segment that failed and take the next place; a strict run raises."""
        if self._health.strict and isinstance(error, StorageFault):
            raise error
        if isinstance(self._segment, SegmentWriter):
            name = self._name
            self._retire(self._segment)  # first: a strict run raises, and may yet go on
            self._demote(self._all_places.told(error, name))

    def _retire(self, segment: SegmentWriter) -> None:
        self._segment = _Unopened(self)
        self._is_saved(segment)
        self._close(segment)

    def _close(self, segment: SegmentWriter) -> None:
        self._newest.update(segment.last())
        try:
            size = segment.close()
        except OSError as error:  # what was written stays; the end doesn't vouch for its size
            self._fault(error, "what was logged until then is where it was written")
            return
        if self._name:
            name = self._name.rpartition("/")[2]
            self.segments[name], self.records[name] = size, segment.records

    def _is_saved(self, segment: SegmentWriter) -> bool:
        """Save what a segment holds whose file was deleted, and tell whether it was."""
        with self._health.guarded("what was logged there until now is lost"):
            if self._all_places.save(self._name, segment.file):
                gone = FileNotFoundError(f"The file {self._name} was deleted while it was written")
                self._places = self._places[-1:]  # the outbox, which has just taken the content
                self._fault(gone, self._kept())
                return True
        return False

    def _demote(self, error: OSError) -> None:
        del self._places[:1]
        lost = "what it logs is lost until there is room"
        self._fault(error, self._kept() if self._places else lost)

    def _kept(self) -> str:
        return (
            f"what it logs is kept in {self._waiting} until the store takes it again: the end of "
            "the run sends it, or the next run on this machine, or mlkit sync"
        )

    def renew(self) -> None:
        """Become a writer of its own in a forked child; the parent keeps its segment."""
        if not isinstance(self._segment, _Finished):
            if isinstance(self._segment, SegmentWriter):
                self._segment.close()  # the child's copy of the descriptor only
            self._newest = {}
            self._begin({})


class _Unopened:
    """Stands for a segment until the first record; a process that writes none makes none."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def points(self, values: Mapping[str, SupportsFloat], step: float | None) -> None:
        self._journal.open().points(values, step)
        self._journal.say()

    def event(self, name: str, body: Mapping[str, Any]) -> None:
        self._journal.open().event(name, body)
        self._journal.say()


class _Finished:
    """Stands for the segments of a run that is finished."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def points(self, _values: object, _step: object) -> None:
        self.event("", {})

    def event(self, _name: str, _body: object) -> None:
        message = f"The run {self._folder.rpartition('/')[2]} is finished, so it takes no more"
        raise RunFinished(message, hint="Start a run, or resume this one: start_run(resume=id)")
