"""The pulse of a process: one daemon thread that keeps its runs from looking dead.

It writes heartbeats to stores that can be appended to, and sends what waits to those that can't,
at intervals that grow, so that an hour's run is tens of objects and not hundreds.
"""

import atexit
import os
import sys
import threading
import traceback
from contextlib import suppress

from attrs import define

from mlkit._core.clock import Clock
from mlkit.errors import RunFinished
from mlkit.tracking.active import ActiveRun, status_of
from mlkit.tracking.liveness import HEARTBEAT_SECONDS, SENDING_SECONDS

_TICK = 5.0
_GROWTH = 1.6


@define
class _Beat:
    """When a run was last heard of, and after how long it is next."""

    at: float
    interval: float


class Pulse:
    """The runs of this process that are alive.

    Args:
        clock: Gives the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beats: dict[ActiveRun, _Beat] = {}
        self._thread: threading.Thread | None = None
        self._pid = 0

    def watch(self, run: ActiveRun) -> None:
        """Look after a run until it is finished."""
        self.runs()  # forgets those that are finished
        self._beats[run] = _Beat(self._clock() / 1e9, self._first(run))
        if self._thread is None or self._pid != os.getpid():
            self._pid = os.getpid()
            atexit.register(self.stop)
            self._thread = threading.Thread(target=self._run, name="mlkit-pulse", daemon=True)
            self._thread.start()

    def runs(self) -> list[ActiveRun]:
        """Give the runs that are alive, the newest last; they live on though nobody holds them."""
        for run in [run for run in list(self._beats) if run.finished]:
            self._beats.pop(run, None)
        return sorted(self._beats, key=lambda run: run.id)

    def beat(self) -> None:
        """Do for each run what its time has come for."""
        now = self._clock() / 1e9
        for run in self.runs():
            beat = self._beats.get(run)
            if beat is None or now - beat.at < beat.interval:
                continue
            beat.at = now
            with suppress(OSError, RunFinished):  # counted by the run; another thread may end it
                run.heartbeat()
                if not run.appends:
                    beat.interval = min(beat.interval * _GROWTH, SENDING_SECONDS)
                    run.flush()

    def stop(self) -> None:
        """End the runs that were left open, as the interpreter does when it exits."""
        error = getattr(sys, "last_value", None)  # what the interpreter died of, if it did
        for run in reversed(self.runs()):  # a child before its parent
            trace = "".join(traceback.format_exception(error)) if error else ""
            with suppress(OSError):  # of a strict run; the others must end too
                run.finish(status_of(error), error=trace)

    def _first(self, run: ActiveRun) -> float:
        return HEARTBEAT_SECONDS if run.appends else _TICK

    def _run(self) -> None:
        tick = threading.Event()
        while True:
            tick.wait(_TICK)
            self.beat()
