"""The ids of all runs of a store, listed anew only when some may have come or gone."""

import time
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define, field

from mlkit.storage.paths import STORE_DOCUMENT
from mlkit.storage.protocol import Storage
from mlkit.tracking.runs import Runs

if TYPE_CHECKING:
    import pyarrow as pa

_SURE = 2_000_000_000
"""A folder that changed less than two seconds before it was listed may have changed since without
another time, so coarse are the clocks of some disks."""


@define
class Listing:
    """The ids of the runs of a store.

    Attributes:
        runs: The store's runs.
        storage: Where they lie.
    """

    runs: Runs
    storage: Storage
    _ids: "pa.Array | None" = field(default=None, init=False)
    _seen: int = field(default=0, init=False)

    def ids(self) -> "pa.Array":
        """Give the ids of all run folders, sorted; the same array again where nothing changed.

        On a local disk a folder's time tells whether names were added to it or removed from it.
        """
        listed_at = time.time_ns()
        changed_at = self._changed_at()
        if self._ids is not None and changed_at and changed_at == self._seen:
            return self._ids
        found = _texts(self.runs.ids())
        if self._ids is None or not found.equals(self._ids):
            self._ids = found
        self._seen = changed_at if changed_at < listed_at - _SURE else 0
        return self._ids

    def _changed_at(self) -> int:
        """Give when a name in the folder of runs last came or went; 0 where nobody can tell."""
        place = self.storage.local_path(STORE_DOCUMENT)
        if place is None:
            return 0
        try:
            return Path(place.parent, "runs").stat().st_mtime_ns
        except OSError:
            return 0


def _texts(texts: Sequence[str]) -> "pa.Array":
    """Give ASCII texts of one length as an array, which takes a moment where there are many."""
    import pyarrow as pa

    length = len(texts[0]) if texts else 0
    ends = array("i", range(0, length * len(texts) + 1, length or 1))
    buffers = [None, pa.py_buffer(ends), pa.py_buffer("".join(texts).encode())]
    return pa.Array.from_buffers(pa.string(), len(texts), buffers)
