"""A storage that fails on order: before an operation, after it, or from it on."""

import errno
import io
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Literal, TypeVar, cast

from attrs import frozen

from mlkit.errors import StorageFault
from mlkit.storage.faulting import fault, read_only
from mlkit.storage.paths import check
from mlkit.storage.protocol import Body, Capabilities, Entry, Names, Storage
from mlkit.storage.wrapped import WrappedStorage

T = TypeVar("T")

How = Literal["before", "after", "kill before", "kill after", "down", "full", "read only"]


class Kill(BaseException):
    """Stands for the death of the process; no `except Exception` catches it."""


@frozen
class Fault:
    """When to fail, and how.

    Attributes:
        at: The number of the operation, from 1.
        how: `before`: it isn't done, and fails. `after`: it is done, and fails, as when a reply
            is lost. `kill before`, `kill after`: the same, and nothing works from then on, as if
            the process had died. `down`: nothing works from it on. `full` and `read only`: no
            write works from it on.
    """

    at: int
    how: How


_LASTING = {"kill before", "kill after", "down", "full", "read only"}


class FaultyStorage(WrappedStorage):
    """Passes all on to another storage, counts the operations, and fails on order.

    Each call is one operation, and so is each `write` to a file that `open_append` gave. Only
    `url`, `capabilities` and `local_path` aren't counted.

    Args:
        inner: The storage that works.
        faults: The orders.
        capabilities: What to declare instead of the inner's; without `append`, it refuses to.

    Attributes:
        operations: What was asked for so far, as `(verb, path)`.

    Example:
        >>> from mlkit.storage.memory import MemoryStorage
        >>> storage = FaultyStorage(MemoryStorage("faulty"), Fault(2, "after"))
        >>> storage.write("a", b"1")
        >>> storage.write("b", b"2")
        Traceback (most recent call last):
            ...
        mlkit.errors.StorageFault: Ordered fault after operation 2, write of 'b'
        >>> storage.read("b")
        b'2'
    """

    def __init__(
        self, inner: Storage, *faults: Fault, capabilities: Capabilities | None = None
    ) -> None:
        super().__init__(inner)
        self.operations: list[tuple[str, str]] = []
        self._faults = faults
        self._capabilities = capabilities
        self._lock = threading.Lock()

    @property
    def capabilities(self) -> Capabilities:
        """The ones ordered, else the inner's."""
        return self._capabilities or self._inner.capabilities

    def read(self, path: str, start: int = 0, end: int | None = None) -> bytes:
        """Read; see `Storage.read`."""
        return self._do("read", path, lambda: self._inner.read(path, start, end))

    def write(self, path: str, data: Body, *, durable: bool = False) -> None:
        """Write; see `Storage.write`."""
        self._do("write", path, lambda: self._inner.write(path, data, durable=durable))

    def create(self, path: str, data: bytes, *, durable: bool = True) -> None:
        """Create; see `Storage.create`."""
        self._do("create", path, lambda: self._inner.create(path, data, durable=durable))

    def open_append(self, path: str) -> BinaryIO:
        """Open to append; see `Storage.open_append`."""
        if not self.capabilities.append:
            message = f"{self.url} can't append to objects, not even to {check(path)!r}"
            raise StorageFault(message)
        file = self._do("open_append", path, lambda: self._inner.open_append(path))
        return cast("BinaryIO", _FaultyFile(self, path, file))

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """List; see `Storage.list`."""
        return self._do("list", prefix, lambda: self._inner.list(prefix))

    def children(self, prefix: str = "") -> Names:
        """Give the children; see `Storage.children`."""
        return self._do("children", prefix, lambda: self._inner.children(prefix))

    def stat(self, path: str) -> Entry:
        """Give the size; see `Storage.stat`."""
        return self._do("stat", path, lambda: self._inner.stat(path))

    def delete(self, path: str) -> None:
        """Delete; see `Storage.delete`."""
        self._do("delete", path, lambda: self._inner.delete(path))

    def _do(self, verb: str, path: str, act: Callable[[], T]) -> T:
        with self._lock:
            self.operations.append((verb, path))
            number = len(self.operations)
        for order in self._faults:
            if number == order.at or (number > order.at and order.how in _LASTING):
                return self._fail(order, number, f"{verb} of {path!r}", act)
        return act()

    def _fail(self, order: Fault, number: int, what: str, act: Callable[[], T]) -> T:
        verb, _, _ = what.partition(" ")
        if order.how in {"full", "read only"}:
            if verb in {"read", "list", "children", "stat"} or (
                verb == "delete" and order.how == "full"
            ):
                return act()
            if order.how == "read only":
                raise read_only(self.url, what)
            full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise fault(full, self.url, what, writing=True) from full
        after = order.how.endswith("after") and number == order.at
        if after:
            act()
        message = f"Ordered fault {'after' if after else 'before'} operation {number}, {what}"
        raise Kill(message) if order.how.startswith("kill") else StorageFault(message)


class _FaultyFile(io.RawIOBase):
    """A raw file whose writes are counted, and fail on order with plain errors."""

    def __init__(self, storage: FaultyStorage, path: str, file: BinaryIO) -> None:
        super().__init__()
        self._storage = storage
        self._path = path
        self._file = file

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def write(self, data: Any) -> int:
        try:
            return self._storage._do("append", self._path, lambda: self._file.write(data))  # noqa: SLF001 - one machine
        except StorageFault as error:
            cause = error.__cause__
            raise cause if isinstance(cause, OSError) else OSError(errno.EIO, str(error)) from None

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
