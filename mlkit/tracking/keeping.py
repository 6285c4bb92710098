"""Where the content of artifacts goes: into the store, or to this disk, from where it is sent."""

import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Self, cast

from attrs import frozen

from mlkit._core.hashing import Hasher, digest_bytes, digest_stream
from mlkit._core.ids import token
from mlkit.errors import InvalidInput, NotFound
from mlkit.objects.blobs import ROOT, Blobs, object_path
from mlkit.tracking.content import odd, unreadable
from mlkit.tracking.health import Health
from mlkit.tracking.outbox import Outbox, in_folder, require_store

_PIECE = 4 << 20
_OPEN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


class Keeper:
    """Keeps bytes and files for a run, under their digest. Threads and forks may share it.

    A store that appends gets the content at once. For one that doesn't, as object stores don't, it
    is copied to the outbox, so the caller waits for this disk only; so it is when the store fails.

    Args:
        blobs: The store's whole files.
        outbox: Where content waits when it doesn't go to the store at once.
        health: Counts faults.
        appends: Whether the store appends; a callable is asked each time.
        durable: Whether what was kept must survive a power cut.

    Example:
        >>> import tempfile
        >>> from mlkit.storage.memory import MemoryStorage
        >>> storage = MemoryStorage("keeping-example")
        >>> storage.write("mlkit.json", b"{}")  # what a store has, and an empty mount point hasn't
        >>> keeper = Keeper(
        ...     blobs=Blobs(storage),
        ...     outbox=Outbox(storage, Path(tempfile.mkdtemp())),
        ...     health=Health(),
        ...     appends=True,
        ... )
        >>> digest, size = keeper.keep(b"weights")
        >>> Blobs(storage).read(digest), size
        (b'weights', 7)
    """

    def __init__(
        self,
        *,
        blobs: Blobs,
        outbox: Outbox,
        health: Health,
        appends: Callable[[], bool] | bool,
        durable: bool = False,
    ) -> None:
        self._blobs = blobs
        self._outbox = outbox
        self._health = health
        self._appends = appends
        self._durable = durable
        self._sizes: set[int] = set()

    def keep(self, data: bytes | Path) -> tuple[str, int]:
        """Keep bytes, or a file as it is now; the file may be changed or removed afterwards.

        A file that grows meanwhile is kept in the length that it had at first; one that is changed
        otherwise, as it was copied. Files are never held in memory whole.

        Args:
            data: The bytes, or the path of a file.

        Returns:
            The digest of what was kept, and its size in bytes.

        Raises:
            NotFound: There is no such file.
            InvalidInput: The file can't be read, or isn't a plain one.
            StorageFault: The store failed, and the run is strict.
        """
        if isinstance(data, bytes):
            return self._keep(data)
        with _Source(data) as source:
            return self._keep(source)

    def _keep(self, body: "bytes | _Source") -> tuple[str, int]:
        appends = self._appends if isinstance(self._appends, bool) else self._appends()
        where = f"what it keeps waits in {self._outbox.folder}"
        failed = None
        if appends:
            try:
                return self._put(body)
            except OSError as error:
                failed = error
                if self._health.strict:
                    self._health.fault(error, where)
        try:
            kept = self._spool(body)
        except OSError as full:
            return self._put_or_drop(body, full)
        self._health.spooled += 1
        if failed is not None:  # only now it is known where it waits
            self._health.fault(failed, where)
        return kept

    # Into the store

    def _put(self, body: "bytes | _Source") -> tuple[str, int]:
        require_store(self._blobs.storage)  # an unmounted folder would take it, for nobody to find
        if isinstance(body, bytes):
            return self._blobs.put(body, durable=self._durable), len(body)
        try:
            digest = self._blobs.put(body.rewound(), durable=self._durable)
        except InvalidInput:  # it was changed after its digest was taken, so a copy that isn't
            body.rewound()
            copy = self._copy(body.pieces())
            try:
                with copy.place.open("rb") as stream:
                    self._blobs.put(stream, durable=self._durable)
            finally:
                _remove(copy.place)
            return copy.digest, copy.size
        return digest, body.tell()

    def _put_or_drop(self, body: "bytes | _Source", full: OSError) -> tuple[str, int]:
        """Put content into the store that the outbox doesn't take, so that only both lose it."""
        try:
            return self._put(body)
        except OSError as error:
            self._health.dropped += 1
            where = f"it is lost, since {self._outbox.folder} doesn't take it either ({full})"
            self._health.fault(error, where)
        if isinstance(body, bytes):
            return digest_bytes(body), len(body)
        return digest_stream(body.rewound()), body.tell()

    # To the outbox

    def _spool(self, body: "bytes | _Source") -> tuple[str, int]:
        """Keep content in the outbox, unless it waits there already.

        Raises:
            OSError: This disk doesn't take it.
        """
        if isinstance(body, bytes):
            return self._spool_bytes(body)
        body.rewound()
        first = body.read(_PIECE)
        if len(first) < _PIECE:
            return self._spool_bytes(first)
        if body.size in self._sizes:  # the same again, perhaps: reading it is cheaper than copying
            digest = digest_stream(body.rewound())
            if self._waits(digest, body.tell()):
                return digest, body.tell()
            body.rewound()
            first = b""
        copy = self._copy(chain([first], body.pieces()))
        try:
            if not self._waits(copy.digest, copy.size):
                self._place(copy)
        finally:
            _remove(copy.place)
        self._sizes.add(copy.size)
        return copy.digest, copy.size

    def _spool_bytes(self, data: bytes) -> tuple[str, int]:
        digest = digest_bytes(data)
        if not self._waits(digest, len(data)):
            self._outbox.put(object_path(ROOT, digest), data, durable=self._durable)
        return digest, len(data)

    def _waits(self, digest: str, size: int) -> bool:
        """Tell whether the outbox holds content in its full length."""
        try:
            return (self._outbox.folder / object_path(ROOT, digest)).stat().st_size == size
        except OSError:
            return False

    def _copy(self, pieces: Iterable[bytes]) -> "_Copy":
        """Copy content to a private file in the outbox, whose name no sender looks at."""
        place = self._outbox.folder / f".{token()}.tmp"
        hasher = Hasher()
        size = 0
        try:
            with in_folder(place.parent, lambda: place.open("xb")) as file:
                for piece in pieces:
                    hasher.update(piece)
                    file.write(piece)
                    size += len(piece)
                file.flush()
                if self._durable:
                    os.fsync(file.fileno())
        except BaseException:
            _remove(place)
            raise
        return _Copy(place, hasher.digest, size)

    def _place(self, copy: "_Copy") -> None:
        target = self._outbox.folder / object_path(ROOT, copy.digest)
        in_folder(target.parent, lambda: copy.place.replace(target))


@frozen
class _Copy:
    """A private copy of content.

    Attributes:
        place: The file.
        digest: The digest of what was copied.
        size: How many bytes that were.
    """

    place: Path
    digest: str
    size: int


class _Source:
    """A file of the user's, as long as it was when it was opened.

    What can't be read of it is an error of the user's file, not a fault of the store.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            descriptor = os.open(path, _OPEN)  # a pipe mustn't block
        except FileNotFoundError as error:
            message = f"There is no file {str(path)!r}"
            raise NotFound(message, hint="It was there before, so something removed it") from error
        except OSError as error:
            raise unreadable(path, error) from error
        self._file = os.fdopen(descriptor, "rb")
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            self._file.close()
            raise odd(path)
        self.size = status.st_size

    def read(self, size: int = -1, /) -> bytes:
        if self.size:  # files such as those below /proc have no size, and yet hold something
            room = max(self.size - self._file.tell(), 0)
            size = room if size < 0 else min(size, room)
        try:
            return self._file.read(size)
        except OSError as error:
            raise unreadable(self._path, error) from error

    def pieces(self) -> Iterator[bytes]:
        """Give the rest, piece by piece."""
        return iter(lambda: self.read(_PIECE), b"")

    def rewound(self) -> BinaryIO:
        """Give the same source, at its beginning."""
        self._file.seek(0)
        return cast("BinaryIO", self)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _remove(place: Path) -> None:
    with suppress(OSError):  # it got its name, or this disk fails anyway
        place.unlink()
