"""What mlkit costs a run: the time that its calls kept the program waiting, measured."""

import threading
from time import perf_counter_ns
from typing import Self


class Overhead:
    """Adds up the time of blocks; of blocks within blocks the outermost counts.

    Threads may share it: each waits for its own calls, and all their waiting is added up.

    Example:
        >>> overhead = Overhead()
        >>> with overhead, overhead:
        ...     pass
        >>> 0 < overhead.nanoseconds < 1_000_000_000
        True
    """

    def __init__(self) -> None:
        self.nanoseconds = 0
        self._mine = threading.local()

    def __enter__(self) -> Self:
        depth: int = getattr(self._mine, "depth", 0)
        if not depth:
            self._mine.began = perf_counter_ns()
        self._mine.depth = depth + 1
        return self

    def __exit__(self, *_: object) -> None:
        self._mine.depth -= 1
        if not self._mine.depth:
            self.nanoseconds += perf_counter_ns() - self._mine.began
