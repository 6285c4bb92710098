"""The outbox: a local folder for what isn't yet in the store and mustn't be lost.

It has the layout of the store, so sending is copying: each file goes to the same path in the
store and is removed here afterwards. A copy that is sent twice has the same bytes, so a kill
between the two loses nothing and doubles nothing. A file that a living process still appends to
is locked, and left alone.
"""

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from attrs import frozen

from mlkit._core.ids import token
from mlkit.errors import AlreadyExists, Corrupt, NotFound, StorageFault
from mlkit.storage.paths import STORE_DOCUMENT
from mlkit.storage.protocol import Storage

_ATTEMPTS = 100
_BY_CONTENT = ("blobs/", "packs/")
Made = TypeVar("Made")
Progress = Callable[[int], object]
"""Is told of bytes on their way, each time some were taken."""


def require_store(storage: Storage) -> None:
    """Raise when the store isn't there any more, as when its disk was unmounted.

    Raises:
        StorageFault: What is at its place lacks the document that every store has.
    """
    try:
        storage.stat(STORE_DOCUMENT)
    except NotFound:
        message = f"There is no store at {storage.url} any more"
        hint = "Mount its folder again, or move it back"
        raise StorageFault(message, hint=hint) from None


@frozen
class Outbox:
    """The outbox of one store on this machine.

    Attributes:
        storage: The store's storage, where the files go.
        folder: Where they wait.
    """

    storage: Storage
    folder: Path

    def open_append(self, path: str) -> BinaryIO:
        """Open a file that waits here, locked as long as this process writes to it.

        It gets its name only when it is locked, so nobody sends it before its first byte.

        Raises:
            OSError: This disk doesn't take it either.
        """

        def create(place: Path) -> BinaryIO:
            temporary = place.with_name(f".{token()}.tmp")
            file = temporary.open("ab", buffering=0)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                temporary.rename(place)
            except BaseException:
                file.close()
                raise
            return file

        return self._in_folder(path, create)

    def put(self, path: str, data: bytes, *, durable: bool = False) -> None:
        """Keep a whole file here.

        Raises:
            OSError: This disk doesn't take it either.
        """

        def create(place: Path) -> None:
            temporary = place.with_name(f".{token()}.tmp")
            try:
                with temporary.open("xb") as file:
                    file.write(data)
                    file.flush()
                    if durable:
                        os.fsync(file.fileno())
                temporary.rename(place)
            finally:
                temporary.unlink(missing_ok=True)

        self._in_folder(path, create)

    def waiting(self, prefix: str = "") -> list[str]:
        """Give the paths of the files that wait, in the order in which they may be sent.

        What a record or a document refers to comes before it: contents, then segments, then the
        documents, and an end last of all.
        """
        found = [  # a walk passes over folders that vanish, which are empty ones
            (Path(folder) / name).relative_to(self.folder).as_posix()
            for folder, _, names in os.walk(self.folder / prefix)
            for name in names
            if not name.startswith(".")
        ]
        return sorted(found, key=lambda path: (_turn(path), path))

    def size(self, prefix: str = "") -> int:
        """Give how many bytes wait."""
        total = 0
        for path in self.waiting(prefix):
            with suppress(FileNotFoundError):  # it was sent in this moment
                total += (self.folder / path).stat().st_size
        return total

    def send(self, prefix: str = "", *, progress: Progress | None = None) -> int:
        """Send what waits to the store.

        Args:
            prefix: Only what lies below this folder.
            progress: Is told of the bytes on their way.

        Returns:
            How many files were sent.

        Raises:
            StorageFault: The store didn't take one; it and those after it still wait.
            Corrupt: The store holds another document than the one that waits.
        """
        sent, clash = 0, None
        waiting = self.waiting(prefix)
        if waiting:
            require_store(self.storage)
        for path in waiting:
            try:
                file = (self.folder / path).open("rb")
            except FileNotFoundError:  # another process was sending it too
                continue
            with file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                try:
                    self._send(path, file, progress or _unseen)
                except Corrupt as error:  # those behind it are sent all the same
                    clash = error
                    continue
                (self.folder / path).unlink(missing_ok=True)
            sent += 1
        self._tidy(prefix)
        if clash is not None:
            raise clash
        return sent

    def _send(self, path: str, file: BinaryIO, progress: Progress) -> None:
        """Copy one file to a name that is this writer's alone, or holds the same content."""
        if not path.endswith(".json"):
            if not self._is_there(path, file):
                self.storage.write(path, cast("BinaryIO", _Watched(file, progress)))
            return
        data = file.read()
        try:
            self.storage.create(path, data)
        except AlreadyExists:
            if self._stored(path) != data:
                message = f"{path} in the store isn't the one that waits in {self.folder}"
                raise Corrupt(message, hint="Compare the two, then remove one") from None

    def _is_there(self, path: str, file: BinaryIO) -> bool:
        """Tell whether the store has a file of this content already, in full length."""
        if not path.startswith(_BY_CONTENT):
            return False
        try:
            return self.storage.stat(path).size == os.fstat(file.fileno()).st_size
        except NotFound:
            return False

    def _stored(self, path: str) -> bytes:
        try:
            return self.storage.read(path)
        except NotFound:
            return b""

    def _in_folder(self, path: str, create: Callable[[Path], Made]) -> Made:
        """Make a file in its folder, which a sender may be removing since it was empty."""
        place = self.folder / path
        for _ in range(_ATTEMPTS):
            with suppress(FileNotFoundError, FileExistsError):
                place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                return create(place)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return create(place)

    def _tidy(self, prefix: str) -> None:
        """Remove folders that have become empty."""
        for folder, _, _ in os.walk(self.folder / prefix, topdown=False):
            with suppress(OSError):  # not empty: something else waits there
                Path(folder).rmdir()


def _turn(path: str) -> int:
    name = path.rpartition("/")[2]
    if not path.endswith(".json"):
        return 0 if path.startswith(_BY_CONTENT) else 1
    return 3 if name.startswith("end") else 2


class _Watched:
    """A stream that tells how much of it was read."""

    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self._file = file
        self._progress = progress

    def read(self, size: int = -1, /) -> bytes:
        piece = self._file.read(size)
        self._progress(len(piece))
        return piece


def _unseen(_size: int) -> None:
    """Nobody watches."""
