"""What a run records unasked: its code, packages, machine and job, its output, its cells, its load.

All of it is a help to whoever reads the run later. So a fault of it costs nothing but what it would
have told, and nothing of it keeps the training waiting for more than a moment.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from mlkit._core.clock import Clock
from mlkit._core.forking import renew_after_fork
from mlkit.errors import RunFinished, StorageFault
from mlkit.provenance.capture import Capture, Captures
from mlkit.provenance.cells import Cell, CellLog
from mlkit.provenance.environment import folder
from mlkit.provenance.output import OutputLog
from mlkit.provenance.random_state import generator_states
from mlkit.provenance.sources import Source, loose_sources
from mlkit.provenance.system import SystemSampler
from mlkit.provenance.tap import OutputTap
from mlkit.tracking.context import current_run
from mlkit.tracking.ranks import is_first_of_machine, rank
from mlkit.tracking.state import LOAD

if TYPE_CHECKING:
    from mlkit.tracking.active import ActiveRun

_SAMPLING_SECONDS = 15

Log = Callable[[str, Mapping[str, Any]], None]
"""Writes an event of the run: its name and its body."""

Keep = Callable[[bytes], tuple[str, int]]
"""Keeps a content, and gives its digest and size."""


class Recorders:
    """Gives each run of a process its recorder; they share one tap on the output.

    Args:
        clock: Gives the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._captures = Captures(clock, meanwhile=self.sources)
        self._tap = OutputTap(self._take)
        self._open: list[Recorder] = []
        self._sources: list[Source] = []
        self._known: set[str] = set()
        self.renew()
        renew_after_fork(self)

    def renew(self) -> None:
        """Make the lock anew, in a forked child."""
        self._lock = threading.RLock()  # a signal's handler may end a run within it

    def begin(self, run: "ActiveRun", *, log: Log, keep: Keep) -> "Recorder":
        """Begin to record what a run doesn't say itself.

        Args:
            run: The run.
            log: Writes an event of it.
            keep: Keeps a content of it.
        """
        recorder = Recorder(run, self, log=log, keep=keep)
        self._open.append(recorder)
        self._tap.open()
        return recorder

    def end(self, recorder: "Recorder") -> None:
        """Take note that a recorder records nothing more."""
        if recorder in self._open:
            self._open.remove(recorder)
            self._tap.close()

    def refresh(self) -> None:
        """Put the tap on the output again, where somebody has taken it off."""
        self._tap.refresh()

    def capture(self) -> Capture:
        """Begin to look at code, packages and machine, or give a look that has just begun."""
        return self._captures.start()

    def sources(self) -> list[Source]:
        """Give the code that this process has imported so far and git doesn't keep."""
        with self._lock:
            self._sources += loose_sources(folder=Path(folder()), known=self._known).files
            return list(self._sources)

    def _take(self, stream: str, text: str) -> None:
        """Give output to the run of this task or thread, else to the one that began last."""
        began = perf_counter_ns()
        run = current_run()
        while run is not None and run.recorder not in self._open:
            run = run.outer
        newest = self._open[-1:]
        recorder = run.recorder if run is not None else newest[0] if newest else None
        if recorder is not None:
            recorder.take(stream, text, began)


class Recorder:
    """Records for one run. A background thread beats it; the run begins and ends it.

    Args:
        run: The run.
        shared: What the recorders of a process share.
        log: Writes an event of the run.
        keep: Keeps a content.

    Attributes:
        output: Takes what the process writes.
    """

    def __init__(self, run: "ActiveRun", shared: Recorders, *, log: Log, keep: Keep) -> None:
        self.output = OutputLog()
        self._run = run
        self._pid = os.getpid()  # a forked child adds its output, and nothing else
        self._shared = shared
        self._log = log
        self._keep = keep
        self._capture: Capture | None = shared.capture() if run.owns else None
        self._told = False
        self._kept = 0
        self._cells = CellLog()
        self._sampler = SystemSampler() if run.outer is None and is_first_of_machine() else None
        self._sampled = 0.0
        if run.owns:  # where a run comes from is what its owner says; its members only add to it
            with _harmless():
                self._begin()

    def _begin(self) -> None:
        self._log("generators", {"states": generator_states()})
        earlier = self._cells.earlier()
        if earlier:
            self._log("cells", {"cells": [_plain(cell) for cell in earlier]})
        self._cells.watch(self._cell)

    def take(self, stream: str, text: str, began: int) -> None:
        """Take output of the process, and count the time since `began` as the run's overhead."""
        self.output.feed(stream, text)
        self._run.spend(perf_counter_ns() - began)

    def beat(self, now: float) -> None:
        """Record what has come since the last time.

        Args:
            now: The time in seconds.
        """
        with _harmless():
            self._shared.refresh()
            self._provenance(wait=False)
            self._output(everything=False)
            if (
                self._sampler is not None
                and self._pid == os.getpid()
                and now - self._sampled >= _SAMPLING_SECONDS
            ):
                self._sampled = now
                self._load(self._sampler.sample())

    def end(self) -> None:
        """Record the rest."""
        with _harmless():
            self._cells.unwatch()
        self._shared.end(self)
        with _harmless():
            self._output(everything=True)
            self._provenance(wait=True)
            if self._sampler is not None:
                self._sampler.close()

    def _provenance(self, *, wait: bool) -> None:
        """Write where the run comes from, once that is known."""
        capture = self._capture
        if capture is None or self._pid != os.getpid() or not (wait or capture.done):
            return
        if not self._told:
            self._told = True
            facts = capture.result()
            if facts:
                self._log("provenance", {"values": facts})
            self._sources()
        elif wait:
            self._sources()

    def _sources(self) -> None:
        """Keep the source of what was imported since the last time, where git doesn't."""
        new = self._shared.sources()[self._kept :]
        self._kept += len(new)
        for source in new:
            digest, size = self._keep(source.data)
            self._log("source", {"path": source.path, "digest": digest, "size": size})

    def _output(self, *, everything: bool) -> None:
        for chunk in self.output.take(everything=everything):
            body = {"stream": chunk.stream, "text": chunk.text}
            self._log("printed", body | ({"left_out": chunk.left_out} if chunk.left_out else {}))

    def _load(self, sample: Mapping[str, float]) -> None:
        """Log the load of this machine; those of other machines than the owner's by their rank."""
        prefix = LOAD if self._run.owns else f"{LOAD}rank{rank()}/"
        if sample:
            self._run.log_metrics(
                {prefix + key.removeprefix(LOAD): value for key, value in sample.items()}
            )

    def _cell(self, cell: Cell) -> None:
        with _harmless():
            self._log("cells", {"cells": [_plain(cell)]})


def _plain(cell: Cell) -> dict[str, Any]:
    return {"number": cell.number, "source": cell.source}


@contextmanager
def _harmless() -> Iterator[None]:
    """Let through what a run raises on purpose, and nothing that only a help has met."""
    try:
        yield
    except (RunFinished, StorageFault):
        raise
    except Exception:  # it must not reach the training, whatever it is
        if sys.flags.dev_mode:
            raise
