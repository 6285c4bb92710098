"""Progress of a sweep: one line on a terminal, a line for each trial elsewhere when asked."""

import sys
from types import TracebackType
from typing import Self, TextIO

from mlkit.display.formats import show_float
from mlkit.display.markup import plain
from mlkit.sweeps.trial import Goal, Trial


class Progress:
    """Counts trials and shows the best.

    Args:
        label: What is swept.
        goal: What is looked for.
        total: How many trials there will be, if that is known.
        show: Whether to show anything; by default where the stream is a terminal.
        stream: Where to; standard error by default.
    """

    def __init__(
        self,
        label: str,
        goal: Goal,
        *,
        total: int | None = None,
        show: bool | None = None,
        stream: TextIO | None = None,
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()
        self._show = self._terminal if show is None else show
        self._label, self._goal, self._total = label, goal, total
        self._done = self._failed = self._width = 0
        self._best: float | None = None

    def __enter__(self) -> Self:
        self._write()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._show and self._terminal:
            self._stream.write("\n")
        if self._show and kind is not None and issubclass(kind, KeyboardInterrupt):
            self._stream.write(f"Interrupted; {self._done} trials are kept\n")

    def add(self, trial: Trial) -> None:
        """Count a trial."""
        self._done += 1
        self._failed += bool(trial.error)
        score = self._goal.score
        if trial.value is not None and trial.scored:
            better = self._best is None or score(trial.value) > score(self._best)
            self._best = trial.value if better else self._best
        self._write()

    def text(self) -> str:
        """Give the state in one line."""
        of = f" of {self._total}" if self._total is not None else ""
        parts = [f"{self._done}{of} trials"]
        if self._failed:
            parts.append(f"{self._failed} failed")
        if self._best is not None:
            parts.append(f"best {self._goal.metric} {show_float(self._best)}")
        return plain(f"{self._label}: {', '.join(parts)}")

    def _write(self) -> None:
        if not self._show:
            return
        text = self.text()
        if self._terminal:
            self._stream.write(f"\r{text.ljust(self._width)}")
            self._width = len(text)
        elif self._done:
            self._stream.write(f"{text}\n")
        self._stream.flush()
