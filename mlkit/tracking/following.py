"""Following a run while it is written, by another process or on another machine.

Nothing is asked of the process that writes: its folder is looked at again and again, and of each
segment only what is new is read.
"""

import heapq
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from typing import Any

from attrs import define, field, frozen

from mlkit._core.clock import Clock, iso, parse_iso
from mlkit._core.names import near
from mlkit._core.slips import slip
from mlkit.errors import Corrupt, InvalidInput, NotFound
from mlkit.metrics.framing import HEADER, LONGEST, Gap, scan
from mlkit.metrics.records import KEYS, Event, Points, decode_records
from mlkit.metrics.segments import by_writer
from mlkit.storage.protocol import Storage
from mlkit.tracking.checking import endings
from mlkit.tracking.documents import BEGINNING, read_beginning, read_end
from mlkit.tracking.edits import Edit, edits
from mlkit.tracking.liveness import is_lost

_OF_NO_NEWS = frozenset({"segment", "heartbeat"})
_PIECE = 4 << 20
_LARGEST = 2 * (LONGEST + HEADER.size)
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0
_GROWTH = 1.5
_SHOWN = 8  # metrics
_PATIENCE = 60.0  # a network mount may show the end of a run before the last of its records


@frozen
class Point:
    """One value of a metric.

    Attributes:
        key: The metric's name.
        step: The step, an int or a float.
        time: When, in nanoseconds since 1970, UTC.
        value: The value.
    """

    key: str
    step: int | float
    time: int
    value: float


class FollowVerbs:
    """How a run is followed; a part of `Run`."""

    id: str
    _storage: Storage
    _clock: Clock

    def follow(
        self, key: str | Collection[str] | None = None, *, timeout: float | None = None
    ) -> Iterator[Point | Event]:
        """Give what the run says, from its beginning on and as it comes.

        It ends when the run has ended and all of it was given, when its process is gone (the run
        is LOST), or when `timeout` is over; `store.run(id).status` then tells which it was.

        Each record is given once, those of one writer in the order in which it wrote them, and
        of several writers by their times as far as they have come.
        Where the store can't append, as object stores can't, they come in larger portions.

        Args:
            key: Only the points of this metric, or of these; points and events of all by default.
                A metric that the run doesn't have yet is waited for.
            timeout: So many seconds without anything new are waited for; without end by default.

        Returns:
            `Point` for each value of a metric; `Event` for all else, such as `params`, `tags`,
            `note`, `artifact` and `printed`.

        Raises:
            NotFound: The run was deleted or removed while it was followed. Or it has other metrics
                but none of these, and it has ended, or the name looks like a slip of one.
            Corrupt: What it wrote was damaged, or some of it is missing though it has ended.
            InvalidInput: The key is no name, or the timeout no number of seconds.

        Example:
            >>> import mlkit
            >>> store = mlkit.Store("memory://follow-example")
            >>> with store.start_run("flights") as run:
            ...     run.log_metric("loss", 0.3)
            ...     run.log_metric("loss", 0.2)
            >>> [point.value for point in store.run(run.id).follow("loss")]
            [0.3, 0.2]
        """
        keys = None if key is None else _names(key)
        if timeout is not None and (
            isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0
        ):
            message = f"timeout={timeout!r} is no number of seconds"
            raise InvalidInput(message, hint="Use a number from 0, or None to wait without end")
        return Following(
            self.id, storage=self._storage, clock=self._clock, keys=keys, timeout=timeout
        ).records()


class Following:
    """One reader that follows one run.

    Args:
        run_id: The run's id.
        storage: Where it is.
        clock: Gives the time.
        keys: The metrics of which points are given, and nothing else; None for everything.
        timeout: Seconds without anything new after which it ends; None for never.
        sleep: Waits so many seconds.
        timer: Gives seconds.
    """

    def __init__(
        self,
        run_id: str,
        *,
        storage: Storage,
        clock: Clock,
        keys: frozenset[str] | None = None,
        timeout: float | None = None,
        sleep: Callable[[float], object] = time.sleep,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._id = run_id
        self._folder = f"runs/{run_id}"
        self._storage = storage
        self._clock = clock
        self._keys = keys
        self._timeout = timeout
        self._sleep = sleep
        self._timer = timer
        self._tails: dict[str, _Tail] = {}
        self._ends: dict[str, dict[str, Any]] = {}
        self._edits: set[str] | None = None
        self._newest = 0
        self._resumed: Event | None = None
        self._metrics: set[str] = set()

    def records(self) -> Iterator[Point | Event]:
        """Give what the run says; see `Run.follow`."""
        head = read_beginning(self._storage, self._folder)
        pause, quiet, was_over = _FIRST_PAUSE, self._timer(), False
        while True:
            files = self._files()
            is_new = False
            for record in self._new(files):
                is_new = True
                yield record
            self._require(files)
            if is_new:
                pause, quiet = _FIRST_PAUSE, self._timer()
            over = self._is_over(head, files, silent=self._timer() - quiet)
            if over and was_over and not is_new:
                self._require_metric(ended=True)
                return
            if not is_new:
                self._require_metric(ended=False)
            was_over = over
            if over:
                continue  # once more, for what came between the listing and the end
            left = _LONGEST_PAUSE
            if self._timeout is not None:
                left = self._timeout - (self._timer() - quiet)
                if left <= 0:
                    return
            self._sleep(min(pause, left))
            pause = min(pause * _GROWTH, _LONGEST_PAUSE)

    def _files(self) -> dict[str, int]:
        listed = self._storage.list(self._folder)
        return {entry.path.rpartition("/")[2]: entry.size for entry in listed}

    def _new(self, files: Mapping[str, int]) -> Iterator[Point | Event]:
        """Give what is new since the last look, that of several writers by its times."""
        writers = [self._new_of(segments, files) for segments in by_writer(files)]
        for record in heapq.merge(*writers, key=lambda record: record.time):
            yield from self._given(record)

    def _new_of(self, segments: list[str], files: Mapping[str, int]) -> Iterator[Event | Points]:
        """Give what is new in the segments of one writer."""
        for name, later in zip(segments, [*segments[1:], ""], strict=True):
            tail = self._tails.setdefault(name, _Tail(f"{self._folder}/{name}"))
            if tail.is_closed or not (later or tail.doubt or files[name] > tail.offset):
                continue
            with suppress(NotFound):  # it was removed in this moment; the next look tells why
                yield from tail.new(self._storage)
            tail.is_closed = bool(later)  # it was, before that was begun and so listed

    def _given(self, record: Event | Points) -> Iterator[Point | Event]:
        self._newest = max(self._newest, record.time)
        if isinstance(record, Points):
            self._metrics.update(record.keys)
            for key, value in zip(record.keys, record.values, strict=True):
                if self._keys is None or key in self._keys:
                    yield Point(key, record.step, record.time, value)
            return
        if record.name == "resumed" and (
            self._resumed is None or record.time >= self._resumed.time
        ):
            self._resumed = record
        if self._keys is None and record.name not in _OF_NO_NEWS:
            yield record

    def _is_over(self, head: Mapping[str, Any], files: Mapping[str, int], *, silent: float) -> bool:
        """Tell whether the run has ended and all is there that its end covers, or is lost.

        Raises:
            Corrupt: It has ended, but some of it hasn't come for long.
        """
        for name in endings(files):
            if name not in self._ends:
                self._ends[name] = read_end(self._storage, self._folder, name)
        resumer = self._resumed.body["writer"] if self._resumed else None
        if any(resumer in (None, end["writer"]) for end in self._ends.values()):
            covered = chain.from_iterable(end["segments"].items() for end in self._ends.values())
            lacking = [name for name, size in covered if files.get(name, 0) < size]
            if lacking and silent >= _PATIENCE:
                message = f"Run {self._id} has ended, but isn't whole: {lacking[0]} lacks its end"
                raise Corrupt(message, hint="store.run(id).verify() lists all that is missing")
            return not lacking
        return is_lost(
            self._resumed.body["owner"] if self._resumed else head["owner"],
            newest=max(self._newest, parse_iso(head["started_at"])),
            appends=head["appends"],
            now=self._clock(),
        )

    def _require_metric(self, *, ended: bool) -> None:
        """Raise when the run has other metrics than those that are followed, and that is no news.

        One that looks like a slip needn't be waited for; of a run that has ended none comes.
        """
        if not self._metrics or not self._keys or self._keys & self._metrics:
            return
        known = sorted(self._metrics)
        for key in sorted(self._keys):
            meant = slip(key, known)
            if meant or ended:
                hint = f"Did you mean {meant!r}?" if meant else near(key, known)
                message = f"Run {self._id} has no metric {key!r}"
                raise NotFound(message, hint=hint or f"It has {', '.join(known[:_SHOWN])}")

    def _require(self, files: Mapping[str, int]) -> None:
        """Raise when the run was deleted or removed since it is followed."""
        if BEGINNING not in files:
            message = f"Run {self._id} was removed while it was followed"
            raise NotFound(message, hint="store.search_runs() lists those that are there")
        names = set(edits(files))
        for name in sorted(names - self._edits) if self._edits is not None else ():
            edit = Edit.read(self._storage, f"{self._folder}/{name}")
            if edit.deleted:
                when = f"by {edit.user} at {iso(edit.at)}"
                message = f"Run {self._id} was deleted {when}, while it was followed"
                raise NotFound(message, hint="It can be followed again; run.restore() undoes it")
        self._edits = names


@define
class _Tail:
    """How far a segment was read.

    Attributes:
        path: The segment.
        offset: What comes after the last whole record that was given.
        is_closed: Whether nothing comes any more.
        doubt: Bytes at its end that look damaged; a network mount may not have shown all of them.
        keys: The payloads that have introduced lists of keys, which later records refer to.
    """

    path: str
    offset: int = 0
    is_closed: bool = False
    doubt: bytes = b""
    keys: list[bytes] = field(factory=list)

    def new(self, storage: Storage) -> Iterator[Event | Points]:
        """Give the whole records that have come; what is cut short is read again the next time.

        Raises:
            Corrupt: Stored bytes were changed.
        """
        size = _PIECE
        while True:
            data = storage.read(self.path, self.offset, self.offset + size)
            found = scan(data)
            gaps = list(found.gaps)
            tail = gaps.pop() if gaps and gaps[-1].offset + gaps[-1].size == len(data) else None
            for gap in gaps:
                if not gap.torn:
                    raise self._damaged(gap)
            end = tail.offset if tail is not None else len(data)
            yield from decode_records(chain(self.keys, found.payloads), self.path)
            self.keys += [payload for payload in found.payloads if payload[0] == KEYS]
            self.offset += end
            if len(data) < size:
                self._doubt(tail, data[end:])
                return
            if end:
                size = _PIECE
            elif size < _LARGEST:
                size *= 2
            elif tail is not None and tail.torn:  # zeros, longer than any record
                self.offset += tail.size
            elif tail is not None:
                raise self._damaged(tail)

    def _doubt(self, tail: Gap | None, rest: bytes) -> None:
        """Take note of an end that looks damaged; the second time it is."""
        if tail is None or tail.torn:
            self.doubt = b""
        elif rest == self.doubt:
            raise self._damaged(Gap(0, tail.size, torn=False))
        else:
            self.doubt = rest

    def _damaged(self, gap: Gap) -> Corrupt:
        where = self.offset + gap.offset
        message = f"{self.path} was damaged: {gap.size} bytes at {where} hold no whole record"
        return Corrupt(message, hint="run.verify() lists all damage; restore it from a copy")


def _names(key: object) -> frozenset[str]:
    """Give the names of metrics that were asked for."""
    names = frozenset([key] if isinstance(key, str) else key if isinstance(key, Collection) else ())
    if names and all(name and isinstance(name, str) for name in names):
        return names
    message = f"{key!r} names no metric"
    raise InvalidInput(message, hint="Write run.follow('loss'), or run.follow(['loss', 'auc'])")
