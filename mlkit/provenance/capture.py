"""Captures provenance beside the work, so that starting a run waits for nothing."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from mlkit._core.clock import Clock
from mlkit.provenance.environment import folder, machine, packages, process
from mlkit.provenance.git import CodeState
from mlkit.provenance.job import job_context

_FRESH = 2_000_000_000  # ns; runs that start within it share the look at the code
_PATIENCE = 10.0  # seconds
_GRACE = 0.02  # seconds


class Capture:
    """Looks at code, packages, machine and job in a thread of its own.

    Args:
        look: What gives the facts; a fault of it leaves them empty.
    """

    def __init__(self, look: Callable[[], dict[str, Any]]) -> None:
        self._look = look
        self._facts: dict[str, Any] = {}
        self._asked: SimpleQueue[None] = SimpleQueue()  # a signal's handler may put while it is put
        self._thread = threading.Thread(target=self._run, name="mlkit-provenance", daemon=True)
        with suppress(RuntimeError):  # no more threads, or the interpreter is about to end
            self._thread.start()

    @property
    def done(self) -> bool:
        """Whether the facts are there, so that `result` waits for nothing."""
        return not self._thread.is_alive()

    def result(self) -> dict[str, Any]:
        """Give the facts, when they are there; waits for them, but not for ever."""
        self._asked.put(None)
        if self._thread.ident is not None:
            self._thread.join(_PATIENCE)
        return self._facts

    def _run(self) -> None:
        # Looking takes the interpreter from whoever starts the run; let them get under way first.
        with suppress(Empty):
            self._asked.get(timeout=_GRACE)
        with suppress(Exception):  # provenance is a help; its faults must not reach the training
            self._facts = self._look()


class Captures:
    """Hands the runs of a process their captures; runs that start together share one.

    Args:
        clock: Gives the time.
        meanwhile: Something else that is looked at with the rest.
    """

    def __init__(self, clock: Clock, meanwhile: Callable[[], object] = dict) -> None:
        self._clock = clock
        self._meanwhile = meanwhile
        self._newest: tuple[int, int, str, Capture] | None = None

    def start(self) -> Capture:
        """Begin to look, or give the look that began in this folder a moment ago."""
        now, pid, here = self._clock(), os.getpid(), folder()
        newest = self._newest
        if newest and newest[1:3] == (pid, here) and 0 <= now - newest[0] < _FRESH:
            return newest[3]
        capture = Capture(partial(look, self._meanwhile))
        self._newest = now, pid, here, capture
        return capture


def look(meanwhile: Callable[[], object]) -> dict[str, Any]:
    """Give all that is known of this process.

    Args:
        meanwhile: Something else to do while git looks.

    Returns:
        `code`, `process`, `machine` and `packages`, and `job` where a scheduler tells of one.
    """
    here = folder()
    code = CodeState(Path(here)) if here else None
    facts = {"process": process(), "machine": machine(), "packages": packages()}
    job = job_context()
    meanwhile()
    return {"code": code.result() if code else {}, **facts, **({"job": job} if job else {})}
