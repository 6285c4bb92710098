"""The outbox: a local folder for what isn't yet in the store and mustn't be lost.

It has the layout of the store, so sending is copying: each file goes to the same path in the
store and is removed here afterwards. A copy that is sent twice has the same bytes, so a kill
between the two loses nothing and doubles nothing. A file that a living process still appends to
is locked, and left alone.
"""

import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from attrs import frozen

from mlkit._core.ids import token
from mlkit.errors import AlreadyExists, Corrupt, NotFound
from mlkit.storage.protocol import Storage


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

        Raises:
            OSError: This disk doesn't take it either.
        """
        place = self._place(path)
        file = place.open("ab", buffering=0)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file

    def put(self, path: str, data: bytes) -> None:
        """Keep a whole file here.

        Raises:
            OSError: This disk doesn't take it either.
        """
        place = self._place(path)
        temporary = place.with_name(f".{token()}.tmp")
        temporary.write_bytes(data)
        temporary.rename(place)

    def waiting(self, prefix: str = "") -> Iterator[str]:
        """Give the paths of the files that wait, sorted."""
        for place in sorted((self.folder / prefix).rglob("*")):
            if place.is_file() and not place.name.startswith("."):
                yield place.relative_to(self.folder).as_posix()

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

    def _place(self, path: str) -> Path:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return place

    def _tidy(self, prefix: str) -> None:
        """Remove folders that have become empty."""
        folders = [place for place in (self.folder / prefix).rglob("*") if place.is_dir()]
        for place in sorted([*folders, self.folder / prefix], reverse=True):
            try:
                place.rmdir()
            except OSError:
                continue  # not empty: something else waits there
