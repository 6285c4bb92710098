"""What SIGTERM does to the runs of a process: they end as KILLED, and all else is as before.

A scheduler sends it before it kills. Without a handler of the program's own, the process dies of
it, as it would without mlkit. With one, that is called and decides: what it raises and whether
the program goes on is its business, and a run that ends after it is KILLED all the same. Ctrl-C
needs no handler, since it is an exception.
"""

import os
import signal
import threading
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Any

from mlkit._core.forking import renew_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlkit.tracking.active import ActiveRun

REASON = "The process was asked to end, by SIGTERM."
_WAIT = 30.0


class Termination:
    """Takes SIGTERM while runs are alive; nothing is installed off the main thread.

    Args:
        runs: Gives the runs that are alive, the newest last.

    Attributes:
        count: How many times the signal has come to this process.
    """

    def __init__(self, runs: "Callable[[], list[ActiveRun]]") -> None:
        self._runs = runs
        self._installed: list[tuple[Any, Any]] = []  # each handler of ours, and the one before it
        self.count = 0
        renew_after_fork(self)

    def renew(self) -> None:
        """Give the signal back in a forked child, which ends no run of its parent.

        A worker that waits for a lock in the kernel would never get to a handler in Python.
        """
        while self._installed and signal.getsignal(signal.SIGTERM) is self._installed[-1][0]:
            _, before = self._installed.pop()
            with suppress(ValueError):  # not from the main thread, which this one is by now
                signal.signal(signal.SIGTERM, before)

    def install(self) -> None:
        """Take the signal, unless the program ignores it."""
        if threading.current_thread() is not threading.main_thread():
            return
        current = signal.getsignal(signal.SIGTERM)
        ours = bool(self._installed) and current is self._installed[-1][0]
        if ours or current in (signal.SIG_IGN, None):
            return

        def handle(number: int, frame: FrameType | None) -> None:
            self._handle(number, frame, current)

        self._installed.append((handle, current))
        signal.signal(signal.SIGTERM, handle)

    def restore(self) -> None:
        """Give the signal back when no run is alive, unless somebody has taken it since."""
        if threading.current_thread() is threading.main_thread() and not self._runs():
            self.renew()

    def _handle(self, number: int, frame: FrameType | None, before: Any) -> None:
        self.count += 1
        if callable(before):
            before(number, frame)
            return
        runs = [run for run in self._runs() if run.owns]
        for run in reversed(runs):  # a child before its parent
            with suppress(Exception):  # of a strict run, or of warnings; the others must end too
                run.finish("KILLED", error=REASON)
        if all(run.ended for run in runs):
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)  # so who waits for the process sees what it died of
            return
        # The signal came while a run was being ended, maybe by this very thread: let it.
        threading.Thread(target=self._come_again, args=(number, runs), daemon=True).start()

    def _come_again(self, number: int, runs: "list[ActiveRun]") -> None:
        for run in runs:
            run.wait(_WAIT)
        os.kill(os.getpid(), number)
