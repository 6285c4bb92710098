"""A storage that only reads, around one that could write."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

from mlkit.storage.faulting import read_only
from mlkit.storage.paths import check
from mlkit.storage.protocol import Body, Capabilities, Entry, Names, Storage


class ReadOnlyStorage:
    """Reads from another storage and refuses to change it.

    Args:
        inner: The other storage.

    Example:
        >>> from mlkit.storage.memory import MemoryStorage
        >>> MemoryStorage("shown").write("a", b"hello")
        >>> ReadOnlyStorage(MemoryStorage("shown")).read("a")
        b'hello'
    """

    def __init__(self, inner: Storage) -> None:
        self._inner = inner

    def __repr__(self) -> str:
        return f"ReadOnlyStorage({self._inner!r})"

    @property
    def url(self) -> str:
        """The other's URL."""
        return self._inner.url

    @property
    def capabilities(self) -> Capabilities:
        """None."""
        return Capabilities(exclusive_create=False, append=False)

    def read(self, path: str, start: int = 0, end: int | None = None) -> bytes:
        """Give the bytes of an object, or of a range in it; see `Storage.read`."""
        return self._inner.read(path, start, end)

    def write(self, path: str, data: Body, *, durable: bool = False) -> None:  # noqa: ARG002 - refused
        """Refuse."""
        self._refuse(path)

    def create(self, path: str, data: bytes, *, durable: bool = True) -> None:  # noqa: ARG002 - refused
        """Refuse."""
        self._refuse(path)

    def open_append(self, path: str) -> BinaryIO:
        """Refuse."""
        self._refuse(path)

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
        """Refuse."""
        self._refuse(path)

    def local_path(self, path: str) -> Path | None:
        """Give the plain local file that is the object; see `Storage.local_path`."""
        return self._inner.local_path(path)

    def _refuse(self, path: str) -> NoReturn:
        raise read_only(self.url, check(path))
