"""A tap on the output of the process: what is written to it is told to somebody else too."""

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from attrs import frozen

from mlkit.provenance.forking import renew_after_fork

STREAMS = ("stdout", "stderr")


class OutputTap:
    """Taps `sys.stdout` and `sys.stderr` where they are, so that old handles are tapped too.

    The attribute `write` of each stream is set to one that first does what the old one did, gives
    what it gave and raises what it raised, and then tells what was written. Streams that refuse
    the attribute, or that aren't there, are left alone. It never raises into the program.

    Several users may share it: it is opened by the first and closed by the last.

    Args:
        deliver: Is told the name of the stream and the text, in the thread that writes; faults of
            it are dropped, and what it writes itself isn't told.

    Example:
        >>> import sys
        >>> told = []
        >>> tap = OutputTap(lambda stream, text: told.append((stream, text)))
        >>> tap.open()
        >>> _ = sys.stdout.write("loss 0.3")
        loss 0.3
        >>> tap.close()
        >>> told
        [('stdout', 'loss 0.3')]
    """

    def __init__(self, deliver: Callable[[str, str], None]) -> None:
        self._deliver = deliver
        self._users = 0
        self._opening: object = None  # of the tap that is on now
        self._tapped: list[_Tapped] = []
        self.renew()
        renew_after_fork(self)

    def renew(self) -> None:
        """Make the lock anew, in a forked child; the tap stays as it is."""
        # Reentrant, since a signal handler may end what its thread is just beginning.
        self._lock = threading.RLock()
        self._own = _Thread()

    def open(self) -> None:
        """Begin to tell what is written; every call needs a `close`."""
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._tap()

    def close(self) -> None:
        """Stop telling, when no other user is left; one call too many does nothing."""
        with self._lock:
            self._users = max(0, self._users - 1)
            if not self._users:
                self._opening = None
                tapped, self._tapped = self._tapped, []
                for stream in tapped:
                    with suppress(Exception):  # a stream that is no more
                        stream.restore()

    @property
    def is_open(self) -> bool:
        """Whether what is written is told."""
        return self._users > 0

    def _tap(self) -> None:
        self._opening = object()
        seen: list[object] = []
        for name in STREAMS:
            stream = getattr(sys, name, None)
            if stream is None or any(stream is other for other in seen):
                continue
            seen.append(stream)
            with suppress(Exception):  # streams may be anything, and refuse in any way
                own = "write" in getattr(stream, "__dict__", {})
                tapped = _Tapped(stream, stream.write, self._writer(name, stream.write), own=own)
                stream.write = tapped.write
                self._tapped.append(tapped)

    def _writer(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        """Make the `write` of a stream; where it can't be taken off again, it only passes on."""
        opening = self._opening

        def write(*arguments: Any, **options: Any) -> Any:
            result = original(*arguments, **options)
            if self._opening is opening:
                self._tell(name, arguments)
            return result

        return write

    def _tell(self, name: str, arguments: tuple[Any, ...]) -> None:
        own = self._own
        if own.is_telling or not arguments or not isinstance(arguments[0], str):
            return
        own.is_telling = True
        try:
            with suppress(Exception):  # a print must work whatever becomes of its copy
                self._deliver(name, arguments[0])
        finally:
            own.is_telling = False


class _Thread(threading.local):
    """What a thread is doing: what is written while telling isn't told."""

    is_telling = False


@frozen
class _Tapped:
    stream: Any
    original: Callable[..., Any]
    write: Callable[..., Any]
    own: bool  # whether it had a `write` of its own before, beside that of its class

    def restore(self) -> None:
        """Take the tap off, unless somebody has built on it since."""
        if self.stream.write is not self.write:
            return
        if self.own:
            self.stream.write = self.original
        else:
            del self.stream.write
