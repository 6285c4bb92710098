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
from typing import BinaryIO, TypeVar

from attrs import frozen

from mlkit._core.ids import token
from mlkit.errors import AlreadyExists, Corrupt, NotFound
from mlkit.storage.protocol import Storage

_ATTEMPTS = 100
Made = TypeVar("Made")


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

    def put(self, path: str, data: bytes) -> None:
        """Keep a whole file here.

        Raises:
            OSError: This disk doesn't take it either.
        """

        def create(place: Path) -> None:
            temporary = place.with_name(f".{token()}.tmp")
            temporary.write_bytes(data)
            temporary.rename(place)

        self._in_folder(path, create)

    def waiting(self, prefix: str = "") -> list[str]:
        """Give the paths of the files that wait, sorted."""
        found = [  # a walk passes over folders that vanish, which are empty ones
            (Path(folder) / name).relative_to(self.folder).as_posix()
            for folder, _, names in os.walk(self.folder / prefix)
            for name in names
            if not name.startswith(".")
        ]
        return sorted(found)

    def send(self, prefix: str = "") -> int:
        """Send what waits to the store.

        Args:
            prefix: Only what lies below this folder.

        Returns:
            How many files were sent.

        Raises:
            StorageFault: The store didn't take one; it and those after it still wait.
        """
        sent = 0
        for path in self.waiting(prefix):
            try:
                file = (self.folder / path).open("rb")
            except FileNotFoundError:  # another process was sending it too
                continue
            with file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                self._send(path, file)
                (self.folder / path).unlink(missing_ok=True)
            sent += 1
        self._tidy(prefix)
        return sent

    def _send(self, path: str, file: BinaryIO) -> None:
        """Copy one file to a name that is this writer's alone, or holds the same content."""
        if not path.endswith(".json"):
            self.storage.write(path, file)
            return
        data = file.read()
        try:
            self.storage.create(path, data)
        except AlreadyExists:
            if self._stored(path) != data:
                message = f"{path} in the store isn't the one that waits in {self.folder}"
                raise Corrupt(message, hint="Compare the two, then remove one") from None

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
