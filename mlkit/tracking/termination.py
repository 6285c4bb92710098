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
        self._before: Any = None
        self._pid = 0
        self.count = 0

    def install(self) -> None:
        """Take the signal, unless the program ignores it."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._pid = os.getpid()
        current = signal.getsignal(signal.SIGTERM)
        if current not in (self._handle, signal.SIG_IGN, None):
            self._before = current
            signal.signal(signal.SIGTERM, self._handle)

    def restore(self) -> None:
        """Give the signal back when no run is alive, unless somebody has taken it since."""
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGTERM) == self._handle
            and not self._runs()
        ):
            signal.signal(signal.SIGTERM, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if callable(self._before):
            self._before(number, frame)
            return
        runs = self._runs() if os.getpid() == self._pid else []  # a forked child dies alone
        for run in reversed(runs):  # a child before its parent
            with suppress(OSError):  # of a strict run; the others must end too
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
