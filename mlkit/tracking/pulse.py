"""The pulse of a process: one daemon thread that keeps its runs from looking dead.

It writes heartbeats, records what is captured unasked, and has what waits sent to stores that
can't be appended to, at intervals that grow, so that an hour's run is tens of objects and not
hundreds.
"""

import atexit
import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress

from attrs import define

from mlkit._core.clock import Clock
from mlkit.tracking.active import ActiveRun
from mlkit.tracking.liveness import HEARTBEAT_SECONDS, SENDING_SECONDS
from mlkit.tracking.termination import Termination

TICK = 5.0
_GROWTH = 1.6
_LAST_WAIT = 30.0


@define
class _Beat:
    """When a run was last heard of, and after how long what waits of it is sent next."""

    heard: float
    sent: float
    interval: float = TICK


class Pulse:
    """The runs of this process that are alive.

    Args:
        clock: Gives the time.

    Attributes:
        termination: What SIGTERM does to them.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beats: dict[ActiveRun, _Beat] = {}
        self._pid = 0
        self._at_exit = False
        self.termination = Termination(self.runs)

    def watch(self, run: ActiveRun) -> None:
        """Look after a run until it has ended."""
        now = self._clock() / 1e9
        self._beats[run] = _Beat(now, now)
        if run.owns:  # a worker that only joins a run has nothing to end, and may be killed at once
            self.termination.install()
        self.ensure()

    def ensure(self) -> None:
        """Have the thread run in this process, which may have been forked off."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        if not self._at_exit:
            self._at_exit = True
            atexit.register(self.stop)
        _at_end_of_worker(self.stop)
        with suppress(RuntimeError):  # the interpreter is exiting, which ends the runs anyway
            threading.Thread(target=self._run, name="mlkit-pulse", daemon=True).start()

    def runs(self) -> list[ActiveRun]:
        """Give the runs that are alive, the newest last; they live on though nobody holds them."""
        for run in [run for run in list(self._beats) if run.ended]:
            self._beats.pop(run, None)
        alive = list(self._beats)  # at once, since other threads start runs
        return sorted(alive, key=lambda run: run.id)

    def forget(self, run: ActiveRun) -> None:
        """Look no more after a run that could not be started."""
        self._beats.pop(run, None)

    def ended(self) -> None:
        """Take note that a run has ended."""
        self.termination.restore()

    def beat(self) -> None:
        """Do for each run what its time has come for."""
        now = self._clock() / 1e9
        for run in self.runs():
            beat = self._beats.get(run)
            if beat is not None and (run.owns or run.has_begun):  # not what a fork inherited
                with suppress(Exception):  # it is the run's; the others must live on
                    self._beat(run, beat, now)

    def stop(self) -> None:
        """End the runs that were left open, as the interpreter does when it exits."""
        error = _died_of()
        runs = [run for run in self.runs() if run.owns or run.has_begun]
        for run in reversed(runs):  # a child before its parent
            trace = "".join(traceback.format_exception(error)) if error and run.owns else ""
            with suppress(Exception):  # of a strict run, or of warnings; the others must end too
                run.finish(run.status_after(error), error=trace)
        for run in runs:
            if run.is_ending:  # by another thread, which the interpreter would stop
                run.wait(_LAST_WAIT)

    def _beat(self, run: ActiveRun, beat: _Beat, now: float) -> None:
        if run.recorder is not None:
            run.recorder.beat(now)
        if now - beat.heard >= HEARTBEAT_SECONDS:
            beat.heard = now
            run.heartbeat()
        if not run.appends and now - beat.sent >= beat.interval:
            beat.sent = now
            beat.interval = min(beat.interval * _GROWTH, SENDING_SECONDS)
            run.ship()

    def _run(self) -> None:
        tick = threading.Event()
        while True:
            tick.wait(TICK)
            self.beat()


def _at_end_of_worker(stop: Callable[[], None]) -> None:
    """Have it called when a process of multiprocessing ends, which leaves out what atexit has."""
    util, process = map(sys.modules.get, ("multiprocessing.util", "multiprocessing.process"))
    if util is not None and process is not None and process.parent_process() is not None:
        util.Finalize(None, stop, exitpriority=10)


def _died_of() -> BaseException | None:
    """Give what the interpreter died of; at a prompt it survives what went wrong before."""
    if hasattr(sys, "ps1") or "ipykernel" in sys.modules:
        return None
    return getattr(sys, "last_value", None)
