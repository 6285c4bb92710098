"""Progress of long work: one line on a terminal, a line for each stage elsewhere when asked."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from mlkit.display.formats import show_bytes
from mlkit.display.markup import plain

_EVERY = 0.1


class Progress:
    """Shows what is being done, and how much of it is done.

    Args:
        label: What all of it is.
        show: Whether to show anything; by default where the stream is a terminal.
        stream: Where to; standard error by default.
        timer: Gives seconds; what is shown changes at most ten times in one.

    Example:
        >>> with Progress("gc", show=True, stream=sys.stdout) as progress:
        ...     progress.stage("reading runs", total=2)
        ...     progress.add()
        ...     progress.add(size=2_000_000)
        gc: reading runs, 2 of 2, 2.0 MB
    """

    def __init__(
        self,
        label: str,
        *,
        show: bool | None = None,
        stream: TextIO | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()
        self._show = self._terminal if show is None else show
        self._label, self._timer = label, timer
        self._what = ""
        self._total: int | None = None
        self._done = self._size = self._width = 0
        self._shown = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._finish_stage()
        if self._show and self._terminal and self._width:
            self._stream.write("\n")
        if self._show and kind is not None and issubclass(kind, KeyboardInterrupt):
            self._stream.write("Interrupted; doing it again goes on from here\n")

    def stage(self, what: str, *, total: int | None = None) -> None:
        """Begin the next part.

        Args:
            what: What is done now.
            total: How many steps it has, if that is known.
        """
        self._finish_stage()
        self._what, self._total = what, total
        self._done = self._size = 0
        self._write()

    def add(self, *, count: int = 1, size: int = 0) -> None:
        """Count a step, or several at once.

        Args:
            count: How many they are.
            size: The bytes that they dealt with.
        """
        self._done += count
        self._size += size
        self._write()

    def text(self) -> str:
        """Give the state in one line."""
        parts = [self._what]
        if self._done or self._total is not None:
            of = f" of {self._total:,}" if self._total is not None else ""
            parts.append(f"{self._done:,}{of}")
        if self._size:
            parts.append(show_bytes(self._size))
        return plain(f"{self._label}: {', '.join(parts)}")

    def _finish_stage(self) -> None:
        if not self._show or not self._what:
            return
        if self._terminal:
            self._write(now=True)
        else:
            self._stream.write(f"{self.text()}\n")
            self._stream.flush()
        self._what = ""

    def _write(self, *, now: bool = False) -> None:
        if not (self._show and self._terminal):
            return
        moment = self._timer()
        if not now and moment - self._shown < _EVERY:
            return
        self._shown = moment
        text = self.text()
        self._stream.write(f"\r{text.ljust(self._width)}")
        self._width = len(text)
        self._stream.flush()
