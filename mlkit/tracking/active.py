"""A run that is being written: every `log_*` verb, and its end."""

import os
import threading
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, SupportsFloat

from mlkit._core.ids import uuid7
from mlkit._core.masking import mask_text
from mlkit._core.tags import plain_note, plain_tags
from mlkit.errors import InvalidInput, NotFound
from mlkit.metrics.records import Event
from mlkit.tracking.artifact_verbs import ArtifactVerbs
from mlkit.tracking.changes import announce
from mlkit.tracking.context import current_run, set_current
from mlkit.tracking.courier import Delivery
from mlkit.tracking.ending import ENDINGS, Ending, say_what_stays, status_of
from mlkit.tracking.health import Health
from mlkit.tracking.journal import Journal
from mlkit.tracking.keeping import Keeper
from mlkit.tracking.marks import Mark
from mlkit.tracking.members import join, live
from mlkit.tracking.overhead import Overhead
from mlkit.tracking.params import plain_goals, plain_params
from mlkit.tracking.places import Places
from mlkit.tracking.state import LOAD
from mlkit.tracking.surroundings import Earlier, Surroundings
from mlkit.tracking.version_verbs import VersionVerbs

if TYPE_CHECKING:
    from mlkit.tracking.recorder import Recorder, Recorders


class ActiveRun(ArtifactVerbs, VersionVerbs):
    """A run that is being written. `Store.start_run` makes one; it is a context manager.

    Threads may share it. Other processes may log to it too, whether they were forked off or got
    it pickled; each writes a segment of its own, and the run ends when the process that started
    it says so.

    Attributes:
        id: The run's id, which sorts by its start.
        experiment: The experiment that it belongs to.
        name: Its name, if it has one.
        parent_id: The run within which it was started, if there was one.
        store_id: The id of the store that it is written to.
        health: What became of calls that the storage didn't take.
        cell: The notebook's cell that started it, and which execution of it; None elsewhere.
        recorder: What records unasked where the run comes from; None where that is off.

    Example:
        >>> import mlkit
        >>> with mlkit.Store("memory://active-example").start_run("flights") as run:
        ...     run.log_params(lr=0.1, depth=6)
        ...     run.log_metrics({"loss": 0.3, "auc": 0.8}, step=1)
        >>> run.summary
        {'loss': 0.3, 'auc': 0.8}
    """

    def __init__(
        self, earlier: Earlier, around: Surroundings, *, owns: bool = True, durable: bool = False
    ) -> None:
        head = earlier.head
        self.id: str = head["id"]
        self.experiment: str = head["experiment"]
        self.name: str | None = head["name"]
        self.parent_id: str | None = head["parent_id"]
        self.store_id = around.store_id
        self.health = Health(strict=around.strict)
        self.cell: tuple[str, int] | None = None
        self.recorder: Recorder | None = None
        self._around = around
        self._durable = durable
        self._owner_pid = os.getpid() if owns else 0
        self._earlier = earlier
        self._state = earlier.state
        self._folder = f"runs/{self.id}"
        self._overhead = Overhead()
        places = Places(around.storage, around.outbox, self.health, head=head, durable=durable)
        self._journal = Journal(
            self._folder,
            places=places,
            waiting=str(around.outbox.folder),
            clock=around.clock,
            health=self.health,
            steps=earlier.state.steps,
            begun=self._begin,
        )
        self._points = self._journal.points
        self._keeper = Keeper(
            blobs=around.blobs,
            outbox=around.outbox,
            health=self.health,
            appends=around.storage.capabilities.append,
            durable=durable,
        )
        self._outer = current_run()
        if self._outer is not None:
            _ = self._outer.outer  # lets go of those that are over
        self._terminations = around.terminations()
        self._ending = threading.Lock()
        self._over = threading.Event()
        self._status: str | None = None
        self._told = False
        self._change = ""
        self._changed_by = 0
        live[self.store_id, self.id] = self

    # Params, metrics, tags, notes

    def log_params(self, params: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Keep params: what the run was given. Types are kept; a later value of a name wins.

        Args:
            params: Name to value; nested mappings and lists are fine.
            more: The same as keywords.

        Raises:
            InvalidInput: A name is no text.
            RunFinished: The run is over.
        """
        self._event("params", {"values": plain_params(params or {}) | plain_params(more)})

    def log_metrics(self, metrics: Mapping[str, SupportsFloat], step: float | None = None) -> None:
        """Keep a value of each metric. What this returned from survives `kill -9`.

        Args:
            metrics: Name to number: floats, ints, bools, numpy scalars, tensors of one element;
                NaN and infinities are kept.
            step: Any int or float, in any order, also twice; without one each metric counts its
                own calls from 0.

        Raises:
            InvalidInput: A value is no number; the others of the call are kept.
            RunFinished: The run is over.
        """
        self._points(metrics, step)

    def log_metric(self, key: str, value: SupportsFloat, step: float | None = None) -> None:
        """Keep a value of one metric; see `log_metrics`."""
        self._points({key: value}, step)

    def set_tags(self, tags: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Label the run; values are kept as text, and a later value of a name wins."""
        self._event("tags", {"values": plain_tags(tags or {}) | plain_tags(more)})

    def note(self, text: str) -> None:
        """Add a note to the run.

        Raises:
            InvalidInput: It is no text.
        """
        self._event("note", {"text": plain_note(text)})

    def set_goals(self, goals: Mapping[str, str] | None = None, /, **more: str) -> None:
        """Say which value of a metric is the best: its greatest, or its least.

        Args:
            goals: Metric to `max` or `min`.
            more: The same as keywords.

        Raises:
            InvalidInput: A goal is another; nothing of the call is kept.

        Example:
            >>> import mlkit
            >>> store = mlkit.Store("memory://goals-example")
            >>> with store.start_run("flights") as run:
            ...     run.set_goals(auc="max", loss="min")
            >>> store.run(run.id).goals
            {'auc': 'max', 'loss': 'min'}
        """
        self._event("goals", {"values": plain_goals(goals or {}) | plain_goals(more)})

    @property
    def summary(self) -> dict[str, float]:
        """The last value of each metric that this process has logged."""
        newest = self._journal.newest().items()
        logged = {key: value for key, (_, _, value) in newest if not key.startswith(LOAD)}
        return {**self._state.summary, **logged}

    @property
    def overhead(self) -> float:
        """How many seconds the program has waited for calls of this run, in this process."""
        return (self._overhead.nanoseconds + self._journal.spent) / 1e9

    # Life

    def flush(self) -> None:
        """Send what waits on this machine to the store, and wait for it."""
        with self._overhead:
            self._ship()

    def ship(self) -> None:
        """Have what waits on this machine sent in the background."""
        if not self.appends:
            if self._around.courier.error is not None:  # of a try since the last time
                self._fault(self._around.courier.error)
            self._journal.roll()
            self._around.courier.ask()

    def resumed(self, owner: Mapping[str, Any]) -> None:
        """Record that another process goes on with the run."""
        self._tell_of_change()
        self._event("resumed", {"owner": dict(owner), "writer": self._journal.writer})

    def record(self, recorders: "Recorders") -> None:
        """Begin to record where the run comes from, and what it doesn't say itself."""
        self.recorder = recorders.begin(self, log=self._event, keep=self._keeper.keep)

    def spend(self, nanoseconds: int) -> None:
        """Add to the overhead what starting the run has cost."""
        self._overhead.nanoseconds += nanoseconds

    def heartbeat(self) -> None:
        """Say that the run still lives; a background thread does it twice a minute."""
        if self._status is not None:
            return
        if not self.owns and self._around.storage.capabilities.append and self._is_over():
            self.finish()  # a worker that is kept for other work holds nothing of it any longer
            return
        self._journal.look()
        self._event("heartbeat", {})

    def finish(self, status: str = "FINISHED", *, error: str = "") -> None:
        """End the run, after what it logged is in the store; a second call does nothing.

        A store that doesn't answer is waited for a minute (`$MLKIT_PATIENCE` in seconds) without
        progress, then a warning says what stays on this machine, and who sends it.

        Args:
            status: `FINISHED`, `FAILED` or `KILLED`.
            error: The traceback, of a run that failed.

        Raises:
            InvalidInput: It is another status.
        """
        if status not in ENDINGS:
            message = f"{status!r} is no status that a run can end with"
            raise InvalidInput(message, hint=f"Use one of {', '.join(ENDINGS)}")
        if current_run() is self:
            set_current(self.outer)
        if not self.owns:  # the process that started it ends it, this one only what it writes
            if self._status is None:
                self._close(status, error)
                self._tell_of_end()
                self._ship()
                self._over.set()
            return
        if not self._ending.acquire(blocking=False):  # it ends once, whoever asks
            return
        try:
            with self._overhead:
                self._end(status, error)
        except BaseException:  # an interrupt, or a fault of a strict run: it may be asked again
            self._ending.release()
            raise

    @property
    def appends(self) -> bool:
        """Whether what is logged goes straight to the store, so that nothing has to be sent."""
        return self._journal.appends

    @property
    def owns(self) -> bool:
        """Whether this process ends the run: it started it, or has resumed it."""
        return self._owner_pid == os.getpid()

    @property
    def finished(self) -> bool:
        """Whether the run is over."""
        return self._status is not None

    @property
    def has_begun(self) -> bool:
        """Whether this process has written to the run."""
        return self._journal.has_begun

    @property
    def outer(self) -> "ActiveRun | None":
        """The run that was current when this one was started; past those that are over."""
        while self._outer is not None and self._outer.finished:
            self._outer = self._outer.outer
        return self._outer

    @property
    def is_ending(self) -> bool:
        """Whether a thread is ending the run in this moment."""
        return self._ending.locked() and not self.ended

    @property
    def ended(self) -> bool:
        """Whether all is done that `finish` does."""
        return self._over.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait until the run has ended, and tell whether it has."""
        return self._over.wait(seconds)

    def status_after(self, error: BaseException | None) -> str:
        """Give the status that the run ends with after an exception, or after none."""
        if self._around.terminations() > self._terminations:
            return "KILLED"
        return status_of(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        text = "".join(traceback.format_exception(error)) if status_of(error) != "FINISHED" else ""
        self.finish(self.status_after(error), error=text)

    def __reduce__(self) -> tuple[Any, ...]:
        """Let another process join the run; in this one it is the same run."""
        url = self._around.storage.url
        if url.startswith("memory:"):
            message = f"{url} lives in one process, so no other can write to run {self.id}"
            raise InvalidInput(message, hint="Use a folder or a bucket")
        return join, (self._around.reopen, self.store_id, dict(self._earlier.head))

    def __repr__(self) -> str:
        named = f" {self.name!r}" if self.name else ""
        return f"<ActiveRun{named} of {self.experiment!r}, id {self.id}>"

    def _event(self, name: str, body: Mapping[str, Any]) -> None:
        with self._overhead, self._journal.lock:  # so what it ends with is what is written
            self._journal.event(name, body)
            self._state.apply(Event(name, self._around.clock(), body))

    def _begin(self) -> None:
        """Take note of a new segment; a process that joins the run says that this changes it."""
        self._around.begun()
        if not self.owns and self._changed_by != os.getpid():
            self._tell_of_change()

    def _tell_of_change(self) -> None:
        """Say that this process changes a run which may have ended, and so isn't looked at."""
        self._change, self._changed_by = uuid7(self._around.clock()), os.getpid()
        announce(Mark(self.id, self._change, before=True), self._around, self.health)

    def _is_over(self) -> bool:
        """Tell whether the process that owns the run has ended it."""
        try:
            self._around.storage.stat(f"{self._folder}/end.json")
        except NotFound:
            return False
        return True

    def _ship(self) -> Delivery:
        """Send what waits, and count it as a fault when the store doesn't take all."""
        if not self.appends:
            self._journal.roll()
        elif not self.health.spooled:
            return Delivery()
        delivery = self._around.courier.deliver(self._folder)
        if delivery.error is not None and (
            self._status is None or self.appends or self.health.strict
        ):
            self._fault(delivery.error)
        return delivery

    def _fault(self, error: Exception) -> None:
        where = f"what waits in {self._around.outbox.folder} is sent when the store takes it"
        self.health.fault(error, where)

    def _close(self, status: str, error: str) -> None:
        """Write the last records of this process."""
        if self._status is None:
            if error:
                self._event("error", {"traceback": mask_text(error)})
            if self.recorder is not None:
                self.recorder.end()
            self._status = status  # the first one stays, however often the end is asked for
        self._journal.close()

    def _end(self, status: str, error: str) -> None:
        """Write the last records, send what waits, and write the document that ends the run."""
        self._close(status, error)
        if self._told:  # and only what it covers had still to be sent, when that was interrupted
            self._tell_of_end()
            self._ship()
            self._over.set()
            self._around.ended()
            return
        for key, (_, step, value) in self._journal.newest().items():
            self._state.take(key, step, value)
        ending = Ending(
            run_id=self.id,
            writer=self._journal.writer,
            status=str(self._status),
            state=self._state,
            segments={**self._earlier.segments, **self._journal.segments},
            records={**self._earlier.records, **self._journal.records},
            overhead=self.overhead,
            head=self._earlier.head,
            health=self.health,
        )
        number = self._earlier.endings + 1
        if self._around.storage.capabilities.append:
            self._ship()
            waits = any(self._around.outbox.waiting(self._folder))
            ending.write(self._around, number=number, waits=waits, durable=self._durable)
            self._told = True
            self._tell_of_end()
        else:  # it goes the way of all that it covers, as the last
            ending.write(self._around, number=number, waits=True, durable=self._durable)
            self._told = True
            self._tell_of_end()
            say_what_stays(self.id, self._ship(), self._around)
        self._over.set()
        self._around.ended()

    def _tell_of_end(self) -> None:
        """Say that the change is over, if this process has told of one."""
        if self._changed_by == os.getpid():
            announce(Mark(self.id, self._change, before=False), self._around, self.health)
