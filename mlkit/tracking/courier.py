"""The courier: one background thread that sends what waits in an outbox, and tries again.

Whoever has put something there asks for it to be sent soon. The end of a run asks and waits: as
long as bytes move, but not for ever, since a network may be dead without saying so.
"""

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from random import Random
from weakref import WeakSet

from attrs import field, frozen

from mlkit._core.forking import renew_after_fork
from mlkit.errors import Corrupt, StorageFault
from mlkit.storage.faulting import is_refusal
from mlkit.tracking.outbox import Outbox
from mlkit.tracking.turns import CONTENTS

TRIES = 5
"""So often is a store tried that fails while somebody waits."""
FIRST_PAUSE = 0.5
"""Seconds before the second try; each later pause is about twice as long."""
_UNHURRIED_PAUSE = 5.0
_LONGEST_PAUSE = 300.0
_BUSY_PAUSE = 1.0
_IDLE = 330.0  # longer than from one sending of a living run to the next
_LOOK = 0.5
_GLANCE = 0.01  # a look of the courier's own thread may pass for one who writes, but it is short
_QUIET = 2.0
_MIB = 1 << 20
_IN_FLIGHT = 64 * _MIB
"""No driver takes more at once than this, before it tells whether that has arrived."""
_SLOWNESS = 4
"""So many times the patience may so much take: with a minute's, 0.2 MiB/s isn't a dead network."""


@frozen
class Delivery:
    """What came of asking for everything to be sent.

    Attributes:
        left: The files that still wait, of those that were asked for, with the contents that wait
            and that they may refer to. What living processes append to isn't counted, since they
            have it sent themselves.
        size: Their size in bytes.
        error: Why; None where nothing is left.
    """

    left: list[str] = field(factory=list)
    size: int = 0
    error: Exception | None = None


class Courier:
    """Sends what waits in one outbox.

    Args:
        outbox: The outbox.
        patience: So many seconds without any progress are waited for, and more after bytes that a
            driver took: it tells only when a large piece has arrived.
        clock: Gives seconds; for tests.

    Attributes:
        error: Why the newest try failed; None after one that didn't.
    """

    def __init__(
        self,
        outbox: Outbox,
        *,
        patience: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox = outbox
        self._patience = patience
        self._clock = clock
        self.renew()
        renew_after_fork(self)
        _COURIERS.add(self)

    def renew(self) -> None:
        """Begin without a thread, as a process does that was just forked."""
        self._changed = threading.Condition()  # its lock may be taken again by a signal's handler
        self._random = Random()  # noqa: S311 - spreads tries; never the program's own generator
        self._wanted = 0
        self._done = 0
        self._failed = 0
        self._waiting = 0
        self._elsewhere = False
        self._begun = self._in_vain = self._gave_up = False
        self._moved = self._clock()
        self._due = self._moved
        self._bytes = 0
        self._thread: threading.Thread | None = None
        self.error: Exception | None = None

    def begin(self) -> None:
        """Have the thread wait for what comes; one can't begin while the interpreter exits."""
        _reach_stores_before_exit()
        with self._changed, suppress(RuntimeError):
            self._begun = True
            self._start()

    def ask(self) -> None:
        """Send what waits soon, in the background; tried again until it is sent."""
        with self._changed:
            self._want()

    def deliver(self, folder: str = "") -> Delivery:
        """Send what waits, and wait for it.

        Args:
            folder: What is asked about; all is sent.

        Returns:
            What is left of it after the store took all, failed several times, or nothing moved
            for as long as the courier has patience.
        """
        with self._changed:
            mine = self._want()
            began, sent, total = self._clock(), self._bytes, self._outbox.size()
            elsewhere = False
            self._failed = 0
            self._moved = self._clock()
            self._waiting += 1
            try:
                while self._done < mine and self._thread is not None and not self._is_hopeless():
                    if self._gave_up:
                        break
                    self._changed.wait(_LOOK)
                    if self._elsewhere and not self._left(folder):
                        self._changed.wait(_GLANCE)
                        elsewhere = not self._left(folder)
                        if elsewhere:
                            break  # what another process writes isn't waited for
                    if self._clock() - began > _QUIET:
                        _show(self._bytes - sent, total)
            finally:
                self._waiting -= 1
                if self._clock() - began > _QUIET:
                    _show(self._bytes - sent, total, end="\n")
            self._in_vain = self._done < mine and not self._elsewhere
            error = self.error if self._done < mine else None
        left = [] if elsewhere else self._left(folder)
        if not left:  # what failed was another run's
            return Delivery()
        if error is None:
            message = f"nothing that was sent has arrived for {self._patience:g} seconds"
            error = StorageFault(message)
        left = list(dict.fromkeys([*self._outbox.waiting(CONTENTS), *left]))
        return Delivery(left, self._outbox.size_of(left), error)

    def _left(self, folder: str) -> list[str]:
        waiting = self._outbox.waiting(folder)
        return [path for path in waiting if not self._outbox.being_written(path)]

    def _want(self) -> int:
        self._wanted += 1
        try:
            self._start()
        except RuntimeError:  # the interpreter is exiting
            self._answer(self._wanted, *self._try())
        self._changed.notify_all()
        return self._wanted

    def _start(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="mlkit-courier", daemon=True)
            thread.start()
            self._thread = thread

    def reach(self) -> None:
        """Talk to the store once more while the interpreter still has all that a driver needs.

        What is sent later while it exits uses the connection that this has made.
        """
        if self._begun and not self._in_vain and self._outbox.waiting():
            self.deliver()
            self._gave_up = self._in_vain

    def _is_hopeless(self) -> bool:
        """Tell whether waiting any longer would be in vain."""
        error = self.error
        final = error is not None and (isinstance(error, Corrupt) or is_refusal(error))
        tried = self._failed >= (1 if final else TRIES)
        return tried or self._clock() - max(self._moved, self._due) > self._patience

    def _work(self) -> None:
        while True:
            with self._changed:
                if self._done >= self._wanted:
                    self._changed.wait(_IDLE)
                if self._done >= self._wanted:
                    self._thread = None
                    return
                wanted = self._wanted
            error, whole = self._try()
            with self._changed:
                self._answer(wanted, error, whole)
                if error is not None:
                    self._pause()
                elif not whole:
                    self._changed.wait(_BUSY_PAUSE)

    def _answer(self, wanted: int, error: Exception | None, whole: bool) -> None:  # noqa: FBT001 - as `_try` gives them
        self.error = error
        self._elsewhere = error is None and not whole
        if error is not None:
            self._failed += 1
        elif whole:
            self._done, self._failed = wanted, 0
        self._changed.notify_all()

    def _try(self) -> tuple[Exception | None, bool]:
        """Give what failed, and whether all was sent that isn't in another process's hands."""
        try:
            return None, self._outbox.look_through(progress=self._tell).whole
        except Exception as error:  # noqa: BLE001 - whatever a driver raises is told to who waits
            return error, False
        finally:
            self._due = min(self._due, self._clock())

    def _tell(self, size: int) -> None:
        """Take note of bytes that a driver took; 0 says that those before have arrived."""
        self._moved = self._clock()
        longest = self._patience * _SLOWNESS
        due = max(self._due, self._moved) + longest * size / _IN_FLIGHT if size else self._moved
        self._due = min(due, self._moved + longest)
        self._bytes += size

    def _pause(self) -> None:
        """Wait before another try, longer each time, and not in step with other machines."""
        hurried = self._waiting > 0 and not self._is_hopeless()
        first = FIRST_PAUSE if hurried else _UNHURRIED_PAUSE
        pause = min(first * 2 ** min(self._failed - 1, 16), _LONGEST_PAUSE)
        until = self._clock() + pause * self._random.uniform(0.5, 1.0)
        while self._failed and (left := until - self._clock()) > 0:  # who begins to wait sets it 0
            self._changed.wait(left)


_COURIERS: WeakSet[Courier] = WeakSet()


@cache
def _reach_stores_before_exit() -> None:
    """Have stores reached when the main thread ends, before runs that were left open are ended.

    That is done when the interpreter exits. But by then no pool of threads takes work any more,
    and drivers look up hosts in one, so they couldn't connect.
    """

    def reach() -> None:
        for courier in tuple(_COURIERS):
            courier.reach()

    import concurrent.futures.thread  # noqa: F401 - what is registered later is called before it

    register = getattr(threading, "_register_atexit", None)
    if register is not None:
        with suppress(RuntimeError):  # it exits already
            register(reach)


def _show(sent: int, total: int, *, end: str = " ") -> None:
    """Say how far it is, on a terminal."""
    if sys.stderr is not None and sys.stderr.isatty():
        sys.stderr.write(f"\rmlkit: sent {sent / _MIB:,.1f} of {total / _MIB:,.1f} MiB{end}")
        sys.stderr.flush()
