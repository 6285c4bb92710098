"""Where a run's records can be written: the store itself, this machine's outbox, nowhere."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from mlkit._core.codec import encode_document
from mlkit.errors import NotFound
from mlkit.storage.faulting import fault
from mlkit.storage.protocol import Storage
from mlkit.tracking.health import Health
from mlkit.tracking.outbox import Outbox, require_store, sync_names

if TYPE_CHECKING:
    from mlkit.metrics.writer import RawFile

_PIECE = 4 << 20

Place = Callable[[str], "RawFile"]
"""Opens a segment of this name, to add to its end; raises OSError where it can't be."""


class Places:
    """The places for a run's segments, the best first.

    Args:
        storage: The store's storage.
        outbox: Where segments wait when the store doesn't take them.
        health: Counts what went elsewhere.
        head: What the run's first document says; it is put back when the run's folder is deleted.
        durable: Whether each record must survive a power cut before its call returns.
    """

    def __init__(
        self,
        storage: Storage,
        outbox: Outbox,
        health: Health,
        *,
        head: Mapping[str, Any],
        durable: bool = False,
    ) -> None:
        self._storage = storage
        self._outbox = outbox
        self._health = health
        self._head = head
        self._durable = durable

    def all(self) -> list[Place]:
        """Give the places that may be tried."""
        return [self._in_store, self._in_outbox] if self.appends else [self._in_outbox]

    @property
    def appends(self) -> bool:
        """Whether the store takes records as they are written."""
        return self._storage.capabilities.append

    def save(self, name: str, file: "RawFile") -> bool:
        """Copy a segment to the outbox when its file has lost its name under its writer.

        What was appended to a file that was deleted, or whose mount was taken off, is lost with
        its last descriptor, so it is read from there.

        Returns:
            Whether the file had lost its name.

        Raises:
            OSError: The outbox doesn't take it.
        """
        descriptor = _descriptor(file)
        if descriptor is None or self._has_name(name, os.fstat(descriptor)):
            return False
        copy = self._outbox.open_append(name)
        with copy:
            at = 0
            while piece := os.pread(descriptor, _PIECE, at):
                copy.write(piece)
                at += len(piece)
        self._health.spooled += 1
        self._put_head_back(name)
        return True

    def discard(self, name: str) -> None:
        """Remove the beginning of a segment that holds nothing."""
        with suppress(OSError):
            (self._outbox.folder / name).unlink(missing_ok=True)
        if self.appends:
            with suppress(OSError):
                self._storage.delete(name)

    def _has_name(self, name: str, status: os.stat_result) -> bool:
        """Tell whether a file is found under its name; in doubt it is."""
        if not status.st_nlink:
            return False
        try:
            places = self._outbox.folder / name, self._storage.local_path(name)
        except OSError:
            return True
        for place in places:
            with suppress(FileNotFoundError, NotADirectoryError):
                try:
                    found = place.stat() if place is not None else None
                except PermissionError:
                    return True
                if found is not None and os.path.samestat(found, status):
                    return True
        return False

    def _put_head_back(self, name: str) -> None:
        path = f"{name.rpartition('/')[0]}/run.json"
        try:
            self._storage.stat(path)
        except NotFound:
            self._outbox.put(path, encode_document("run", self._head))
            self._health.spooled += 1

    def told(self, error: OSError, name: str) -> OSError:
        """Give a plain error of a write as one that says what to do next."""
        told = fault(error, self._storage.url, name, writing=True)
        return told if isinstance(told, OSError) else error

    def _in_store(self, name: str) -> "RawFile":
        require_store(self._storage)  # an unmounted folder would take it, for nobody to find
        file = self._storage.open_append(name)
        return self._made_durable(file, self._storage.local_path(name))

    def _in_outbox(self, name: str) -> "RawFile":
        file = self._made_durable(self._outbox.open_append(name), self._outbox.folder / name)
        self._health.spooled += 1
        return _Counted(file, self._health) if self.appends else file

    def _made_durable(self, file: BinaryIO, place: Path | None) -> "RawFile":
        """Give a file that syncs each write, in a durable run; memory has nothing to sync."""
        if not self._durable or place is None:
            return file
        sync_names(place)
        return _Durable(file)


def _descriptor(file: "RawFile") -> int | None:
    try:
        number: int = file.fileno()  # type: ignore[attr-defined]  # what has none says so
    except (AttributeError, OSError):
        return None
    return number


class _Passed:
    """A file that passes all on to another."""

    def __init__(self, file: "RawFile") -> None:
        self._file = file

    def write(self, data: bytes, /) -> int | None:
        return self._file.write(data)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()

    def fileno(self) -> int:
        number: int = self._file.fileno()  # type: ignore[attr-defined]  # raises where there is none
        return number


class _Durable(_Passed):
    """A file whose every write is on the disk when it returns."""

    def __init__(self, file: "RawFile") -> None:
        super().__init__(file)
        self._number = self.fileno()

    def write(self, data: bytes, /) -> int | None:
        done = self._file.write(data)
        os.fsync(self._number)
        return done


class _Counted(_Passed):
    """A file that counts the records which the store didn't take."""

    def __init__(self, file: "RawFile", health: Health) -> None:
        super().__init__(file)
        self._health = health

    def write(self, data: bytes, /) -> int | None:
        done = self._file.write(data)
        self._health.kept += 1
        return done


class Nowhere:
    """Where records go when neither the store nor this disk takes them: they are counted."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def write(self, data: bytes, /) -> int:
        """Drop a record."""
        self._health.dropped += 1
        return len(data)

    def tell(self) -> int:
        """Give nothing: nothing is kept."""
        return 0

    def close(self) -> None:
        """Nothing is open."""
