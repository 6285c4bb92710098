"""Folding in the background, so that nobody has to think of it and no query waits for it."""

import threading
from collections.abc import Callable
from contextlib import suppress
from weakref import WeakSet

from mlkit.errors import MlkitError
from mlkit.index.folding import Folding

MANY = 500
"""So many runs that have ended and aren't folded are folded in the background."""

_BEGUN: "WeakSet[Background]" = WeakSet()


class Background:
    """A thread that folds when there is much to fold, one at a time.

    Args:
        make: Gives what folds, which ends soon after the event that it is given is set.
    """

    def __init__(self, make: Callable[[threading.Event], Folding]) -> None:
        self._make = make
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def consider(self, unfolded: int) -> None:
        """Begin when so many runs are worth it, and nothing is under way."""
        if unfolded < MANY:
            return
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._begin()

    def wait(self) -> None:
        """Wait until what is under way is done."""
        if self._thread is not None:
            self._thread.join()

    def stop(self) -> None:
        """Have what is under way end after the batch that it is at."""
        self._stop.set()

    def _begin(self) -> None:
        if not _BEGUN:
            _stop_at_exit()
        _BEGUN.add(self)
        self._stop = threading.Event()
        thread = threading.Thread(target=self._fold, name="mlkit-fold")
        with suppress(RuntimeError):  # the interpreter is ending
            thread.start()
            self._thread = thread

    def _fold(self) -> None:
        with suppress(MlkitError, OSError, RuntimeError):  # the next one tries again
            self._make(self._stop).fold()


def _stop_at_exit() -> None:
    """End what folds when the interpreter does; what isn't folded by then is later."""

    def stop() -> None:
        for background in tuple(_BEGUN):
            background.stop()

    register = getattr(threading, "_register_atexit", None)
    if register is not None:
        with suppress(RuntimeError):  # it exits already
            register(stop)
