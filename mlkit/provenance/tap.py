"""A tap on the output of the process: what is written to it is told to somebody else too."""

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FunctionType
from typing import Any, cast
from weakref import WeakKeyDictionary

from attrs import frozen

from mlkit._core.forking import renew_after_fork
from mlkit.provenance.shell import running_shell

STREAMS = ("stdout", "stderr")
_EVENT = "pre_execute"


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
        self._streams: list[tuple[str, Any]] = []
        self._ours: WeakKeyDictionary[FunctionType, _Before] = WeakKeyDictionary()
        self._shell: Any = None
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
                self._opening = object()
                self._streams = _distinct_streams()
                self.refresh()
                self._watch()

    def close(self) -> None:
        """Stop telling, when no other user is left; one call too many does nothing."""
        with self._lock:
            self._users = max(0, self._users - 1)
            if self._users:
                return
            self._opening = None
            self._unwatch()
            streams, self._streams = self._streams, []
            for _, stream in streams:
                with suppress(Exception):  # a stream that is no more
                    self._restore(stream)

    def refresh(self) -> None:
        """Put the tap on again where somebody has taken it off; costs next to nothing if not.

        IPython does: it sets `write` at the begin of a cell, and sets it back at the end. Before
        each cell the tap refreshes itself.
        """
        with self._lock:
            for name, stream in self._streams:
                with suppress(Exception):  # streams may be anything, and refuse in any way
                    if self._before(stream.write) is None:
                        self._put_on(name, stream)

    @property
    def is_open(self) -> bool:
        """Whether what is written is told."""
        return self._users > 0

    def _before(self, write: object) -> "_Before | None":
        """Give what was there before a `write` of ours; None for another's."""
        return self._ours.get(write) if isinstance(write, FunctionType) else None

    def _put_on(self, name: str, stream: Any) -> None:
        original = stream.write
        write = self._writer(name, original)
        own = "write" in getattr(stream, "__dict__", {})
        stream.write = write
        self._ours[write] = _Before(original, own=own)

    def _restore(self, stream: Any) -> None:
        """Take the tap off, unless somebody has built on it since."""
        before = self._before(stream.write)
        while before is not None:
            if before.own:
                stream.write = before.original
            else:
                del stream.write
            before = self._before(stream.write)

    def _writer(self, name: str, original: Callable[..., Any]) -> FunctionType:
        """Make the `write` of a stream; where it can't be taken off again, it only passes on."""
        opening = self._opening

        def write(*arguments: Any, **options: Any) -> Any:
            own = self._own
            # Where several of ours lie over each other, the outermost tells.
            if self._opening is not opening or own.is_telling or getattr(own, name):
                return original(*arguments, **options)
            setattr(own, name, True)
            try:
                result = original(*arguments, **options)
            finally:
                setattr(own, name, False)
            if arguments and isinstance(arguments[0], str):
                own.is_telling = True
                try:
                    with suppress(Exception):  # a print must work whatever becomes of its copy
                        self._deliver(name, arguments[0])
                finally:
                    own.is_telling = False
            return result

        return cast("FunctionType", write)

    def _watch(self) -> None:
        shell = running_shell()
        with suppress(Exception):  # a shell without events leaves `write` alone
            shell.events.register(_EVENT, self.refresh)
            self._shell = shell

    def _unwatch(self) -> None:
        shell, self._shell = self._shell, None
        if shell is not None:
            with suppress(Exception):  # somebody took all callbacks off
                shell.events.unregister(_EVENT, self.refresh)


class _Thread(threading.local):
    """What a thread is doing: telling, or writing to a stream."""

    is_telling = False
    stdout = False
    stderr = False


@frozen
class _Before:
    original: Callable[..., Any]
    own: bool  # whether the stream had a `write` of its own, beside that of its class


def _distinct_streams() -> list[tuple[str, Any]]:
    streams: list[tuple[str, Any]] = []
    for name in STREAMS:
        stream = getattr(sys, name, None)
        if stream is not None and all(stream is not other for _, other in streams):
            streams.append((name, stream))
    return streams
