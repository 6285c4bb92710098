"""A storage around another one, which passes everything on; others change a part of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mlkit.errors import StorageFault
from mlkit.storage.paths import check
from mlkit.storage.protocol import Body, Capabilities, Entry, Names, Storage


class WrappedStorage:
    """Does what another storage does; the base of those that do it a little differently.

    Args:
        inner: The other storage.
    """

    def __init__(self, inner: Storage) -> None:
        self._inner = inner

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._inner!r})"

    @property
    def url(self) -> str:
        """The other's URL."""
        return self._inner.url

    @property
    def capabilities(self) -> Capabilities:
        """The other's."""
        return self._inner.capabilities

    def read(self, path: str, start: int = 0, end: int | None = None) -> bytes:
        """Give the bytes of an object, or of a range in it; see `Storage.read`."""
        return self._inner.read(path, start, end)

    def write(self, path: str, data: Body, *, durable: bool = False) -> None:
        """Store an object, whole or not at all; see `Storage.write`."""
        self._inner.write(path, data, durable=durable)

    def create(self, path: str, data: bytes, *, durable: bool = True) -> None:
        """Store an object under a name that nobody holds yet; see `Storage.create`."""
        self._inner.create(path, data, durable=durable)

    def open_append(self, path: str) -> BinaryIO:
        """Open an object to add to its end; see `Storage.open_append`."""
        return self._inner.open_append(path)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Give every object below a folder, sorted; see `Storage.list`."""
        return self._inner.list(prefix)

    def children(self, prefix: str = "") -> Names:
        """Give the names right below a folder, sorted; see `Storage.children`."""
        return self._inner.children(prefix)

    def stat(self, path: str) -> Entry:
        """Give the size of an object; see `Storage.stat`."""
        return self._inner.stat(path)

    def delete(self, path: str) -> None:
        """Remove an object; see `Storage.delete`."""
        self._inner.delete(path)

    def local_path(self, path: str) -> Path | None:
        """Give the plain local file that is the object; see `Storage.local_path`."""
        return self._inner.local_path(path)


class LimitedStorage(WrappedStorage):
    """A storage that promises less than its driver declares, as probing found.

    Args:
        inner: The other storage.
        capabilities: What it really does.
    """

    def __init__(self, inner: Storage, capabilities: Capabilities) -> None:
        super().__init__(inner)
        self._capabilities = capabilities

    @property
    def capabilities(self) -> Capabilities:
        """What the storage really does."""
        return self._capabilities

    def open_append(self, path: str) -> BinaryIO:
        """Open an object to add to its end, if that really works; see `Storage.open_append`."""
        check(path)
        if not self._capabilities.append:
            message = f"{self.url} can't append to objects"
            raise StorageFault(message, hint="Write to a local folder first, then copy the whole")
        return super().open_append(path)
