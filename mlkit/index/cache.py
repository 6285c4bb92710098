"""Columns of data files in memory; a file never changes, so what was read of it stays true."""

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    import pyarrow as pa

BYTES = 256 << 20
"""So much is kept at most; what was used longest ago goes first."""


@define
class ColumnCache:
    """Columns by the file that they are of. Threads may share it."""

    _held: "OrderedDict[tuple[str, str], pa.ChunkedArray]" = field(factory=OrderedDict)
    _size: int = 0
    _lock: threading.Lock = field(factory=threading.Lock, repr=False)

    def get(self, path: str, column: str) -> "pa.ChunkedArray | None":
        """Give a column, None where it isn't kept."""
        with self._lock:
            found = self._held.get((path, column))
            if found is not None:
                self._held.move_to_end((path, column))
            return found

    def put(self, path: str, column: str, values: "pa.ChunkedArray") -> None:
        """Keep a column."""
        with self._lock:
            if (path, column) in self._held:
                return
            self._held[path, column] = values
            self._size += values.nbytes
            while self._size > BYTES and self._held:
                _, gone = self._held.popitem(last=False)
                self._size -= gone.nbytes
