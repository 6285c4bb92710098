"""The ids of all runs of a store, listed anew only when some may have come or gone."""

import json
import os
import time
from array import array
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from mlkit._core.hashing import digest_bytes
from mlkit._core.ids import LENGTH, token
from mlkit.storage.paths import STORE_DOCUMENT
from mlkit.storage.protocol import Storage
from mlkit.tracking.runs import Runs

if TYPE_CHECKING:
    import pyarrow as pa

KEPT_FROM = 10_000
"""From so many runs on, a list is kept for the next process, which saves it a tenth of a second."""

_SURE = 2_000_000_000
"""A folder that changed less than two seconds before it was listed may have changed since without
another time, so coarse are the clocks of some disks."""


@frozen
class Stamp:
    """What tells whether names of a local folder came or went: which it is, and as of when."""

    device: int
    inode: int
    changed_at: int

    @classmethod
    def of(cls, storage: Storage) -> "Stamp | None":
        """Give that of the folder of runs; None where nobody can tell."""
        place = storage.local_path(STORE_DOCUMENT)
        if place is None:
            return None
        try:
            status = Path(place.parent, "runs").stat()
        except OSError:
            return None
        return cls(status.st_dev, status.st_ino, status.st_mtime_ns)

    def is_sure(self, listed_at: int) -> bool:
        """Tell whether a change after a listing at some time must show."""
        return self.changed_at < listed_at - _SURE


@define
class Listing:
    """The ids of the runs of a store.

    Attributes:
        runs: The store's runs.
        storage: Where they lie.
        place: A file of this machine in which a long list is kept for other processes.
    """

    runs: Runs
    storage: Storage
    place: Path
    _ids: "pa.Array | None" = field(default=None, init=False)
    _stamp: Stamp | None = field(default=None, init=False)

    def ids(self) -> "pa.Array":
        """Give the ids of all run folders, sorted; the same array again where nothing changed.

        On a local disk a folder's time tells whether names were added to it or removed from it.
        """
        listed_at = time.time_ns()
        stamp = Stamp.of(self.storage)
        if self._ids is not None and stamp is not None and stamp == self._stamp:
            return self._ids
        text = None if stamp is None or self._ids is not None else self._kept(stamp)
        if text is None:
            ids = self.runs.ids()
            text = "".join(ids).encode()
            if stamp is not None and stamp.is_sure(listed_at) and len(ids) >= KEPT_FROM:
                self._keep(stamp, text)
        found = _texts(text)
        if self._ids is None or not found.equals(self._ids):
            self._ids = found
        self._stamp = stamp if stamp is not None and stamp.is_sure(listed_at) else None
        return self._ids

    def _kept(self, stamp: Stamp) -> bytes | None:
        """Give the list that another process has kept, if the folder is as it was then."""
        try:
            head, _, text = self.place.read_bytes().partition(b"\n")
            if json.loads(head) == _head(stamp, text):
                return text
        except (OSError, ValueError):
            pass  # there is none, or it was cut
        return None

    def _keep(self, stamp: Stamp, text: bytes) -> None:
        """Keep a list for other processes, where the disk takes it."""
        temporary = self.place.with_name(f".{self.place.name}.{token()}")
        with suppress(OSError):
            self.place.parent.mkdir(parents=True, exist_ok=True)
            try:
                temporary.write_bytes(json.dumps(_head(stamp, text)).encode() + b"\n" + text)
                os.replace(temporary, self.place)  # noqa: PTH105 - the pair of names reads better
            finally:
                temporary.unlink(missing_ok=True)


def _head(stamp: Stamp, text: bytes) -> list[int | str]:
    return [stamp.device, stamp.inode, stamp.changed_at, digest_bytes(text)]


def _texts(text: bytes) -> "pa.Array":
    """Give joined ids as an array, which takes a moment where there are many."""
    import pyarrow as pa

    ends = array("i", range(0, len(text) + 1, LENGTH))
    return pa.Array.from_buffers(
        pa.string(), len(ends) - 1, [None, pa.py_buffer(ends), pa.py_buffer(text)]
    )
