"""Objects in the memory of this process; what tests and tries are made on."""

import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from attrs import field, frozen

from mlkit.errors import AlreadyExists, InvalidInput
from mlkit.storage.faulting import missing
from mlkit.storage.paths import check, check_folder
from mlkit.storage.protocol import Body, Capabilities, Entry, Names
from mlkit.storage.ranges import check_range


@frozen(eq=False)
class _Space:
    """What all storages of one name share."""

    lock: threading.RLock = field(factory=threading.RLock)
    objects: dict[str, bytes] = field(factory=dict)
    times: dict[str, int] = field(factory=dict)  # when each was written last


_SPACES: dict[str, _Space] = {}


class MemoryStorage:
    """Objects in memory, the same for every storage of one name in this process.

    Args:
        name: The name, as after `memory://`.

    Example:
        >>> MemoryStorage("example").create("a/b", b"hello")
        >>> list(MemoryStorage("example").list("a"))
        [Entry(path='a/b', size=5)]
    """

    def __init__(self, name: str) -> None:
        self._name = name.strip("/")
        self._space = _SPACES.setdefault(self._name, _Space())

    def __repr__(self) -> str:
        return f"MemoryStorage({self._name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        message = f"{self.url} lives in one process, it can't be handed to another"
        raise InvalidInput(message, hint="Use a folder or a bucket")

    @property
    def url(self) -> str:
        """`memory://` and the name."""
        return f"memory://{self._name}"

    @property
    def capabilities(self) -> Capabilities:
        """Both."""
        return Capabilities(exclusive_create=True, append=True)

    def read(self, path: str, start: int = 0, end: int | None = None) -> bytes:
        """Give the bytes of an object, or of a range in it; see `Storage.read`."""
        check_range(start, end)
        return self._get(path)[start:end]

    def write(self, path: str, data: Body, *, durable: bool = False) -> None:  # noqa: ARG002 - memory has no durability
        """Store an object; see `Storage.write`."""
        check(path)
        body = bytes(data if isinstance(data, bytes | bytearray | memoryview) else data.read())
        with self._space.lock:
            self._space.objects[path] = body
            self._space.times[path] = time.time_ns()

    def create(self, path: str, data: bytes, *, durable: bool = True) -> None:  # noqa: ARG002 - memory has no durability
        """Store an object under a new name; see `Storage.create`."""
        with self._space.lock:
            held = self._space.objects.setdefault(check(path), bytes(data))
            self._space.times.setdefault(path, time.time_ns())
        if held != data:
            message = f"{path!r} exists already in {self.url}"
            raise AlreadyExists(message)

    def open_append(self, path: str) -> BinaryIO:
        """Open an object to add to its end; see `Storage.open_append`."""
        with self._space.lock:
            self._space.objects.setdefault(check(path), b"")
            self._space.times.setdefault(path, time.time_ns())
        return cast("BinaryIO", _Appender(self._space, path))

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Give every object below a folder, sorted; see `Storage.list`."""
        return iter(self._below(check_folder(prefix)))

    def children(self, prefix: str = "") -> Names:
        """Give the names right below a folder, sorted; see `Storage.children`."""
        folder = check_folder(prefix)
        cut = len(folder) + 1 if folder else 0
        heads = (entry.path[cut:].partition("/") for entry in self._below(folder))
        return sorted({head + slash for head, slash, _ in heads})

    def stat(self, path: str) -> Entry:
        """Give the size of an object; see `Storage.stat`."""
        return Entry(path, len(self._get(path)), self._space.times.get(path))

    def delete(self, path: str) -> None:
        """Remove an object; see `Storage.delete`."""
        with self._space.lock:
            self._space.objects.pop(check(path), None)
            self._space.times.pop(path, None)

    def local_path(self, path: str) -> Path | None:
        """Nothing: no object is a file; see `Storage.local_path`."""
        check(path)
        return None

    def _get(self, path: str) -> bytes:
        try:
            return self._space.objects[check(path)]
        except KeyError:
            raise missing(self.url, path) from None

    def _below(self, folder: str) -> tuple[Entry, ...]:
        start = f"{folder}/" if folder else ""
        with self._space.lock:
            times = self._space.times
            found = [
                (path, len(body), times.get(path))
                for path, body in self._space.objects.items()
                if path.startswith(start)
            ]
        return tuple(Entry(*facts) for facts in sorted(found, key=lambda facts: facts[0]))


class _Appender(io.RawIOBase):
    """A raw file at the end of an object in memory."""

    def __init__(self, space: _Space, path: str) -> None:
        super().__init__()
        self._space = space
        self._path = path

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return len(self._space.objects.get(self._path, b""))

    def write(self, data: Any) -> int:
        if self.closed:
            message = "the file is closed"
            raise ValueError(message)
        piece = bytes(data)
        with self._space.lock:
            self._space.objects[self._path] = self._space.objects.get(self._path, b"") + piece
            self._space.times[self._path] = time.time_ns()
        return len(piece)
