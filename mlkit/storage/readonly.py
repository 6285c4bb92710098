"""A storage that only reads, around one that could write."""

from typing import BinaryIO, NoReturn

from mlkit.storage.faulting import read_only
from mlkit.storage.paths import check
from mlkit.storage.protocol import Body, Capabilities
from mlkit.storage.wrapped import WrappedStorage


class ReadOnlyStorage(WrappedStorage):
    """Reads from another storage and refuses to change it.

    Args:
        inner: The other storage.

    Example:
        >>> from mlkit.storage.memory import MemoryStorage
        >>> MemoryStorage("shown").write("a", b"hello")
        >>> ReadOnlyStorage(MemoryStorage("shown")).read("a")
        b'hello'
    """

    @property
    def capabilities(self) -> Capabilities:
        """None."""
        return Capabilities(exclusive_create=False, append=False)

    def write(self, path: str, data: Body, *, durable: bool = False) -> None:  # noqa: ARG002 - refused
        """Refuse."""
        self._refuse(path)

    def create(self, path: str, data: bytes, *, durable: bool = True) -> None:  # noqa: ARG002 - refused
        """Refuse."""
        self._refuse(path)

    def open_append(self, path: str) -> BinaryIO:
        """Refuse."""
        self._refuse(path)

    def delete(self, path: str) -> None:
        """Refuse."""
        self._refuse(path)

    def _refuse(self, path: str) -> NoReturn:
        raise read_only(self.url, check(path))
