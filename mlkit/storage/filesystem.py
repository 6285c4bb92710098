"""Any filesystem of fsspec, with care for what its driver really does."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, BinaryIO

from mlkit.errors import AlreadyExists, InvalidInput, MlkitError, NotFound, StorageFault
from mlkit.storage.drivers import Exclusive, Put, driver_of
from mlkit.storage.faulting import fault, missing
from mlkit.storage.modified import modified_of
from mlkit.storage.paths import TEMPORARY, check, check_folder, is_path
from mlkit.storage.protocol import Body, Capabilities, Entry, Names
from mlkit.storage.ranges import check_range
from mlkit.storage.urls import without_credentials

_BLOCK = 16 << 20
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
_SILENT = 2  # the driver has tried often enough by then
_HOPELESS = (PermissionError, FileNotFoundError, NotImplementedError, TypeError, AttributeError)
_MEMORY_LOCK = threading.Lock()


class FilesystemStorage:
    """Objects below a folder of a filesystem of fsspec.

    How a body gets its name at once, and whether a new name has one winner, depends on the
    driver: `mlkit.storage.drivers` has what is known of each. Listings are never taken from a
    cache, which would hide what others wrote. An error of the driver is a doubt, not an answer:
    after a create that failed, the object is read back.

    Args:
        filesystem: The filesystem; if it serves one thread at a time, this storage's alone.
        root: The folder in it.
        url: How the folder is called, without credentials; made from the filesystem by default.
        reopens: Whether the URL alone opens the same again, in another process.
        sleep: Waits between attempts.

    Example:
        >>> import fsspec
        >>> storage = FilesystemStorage(fsspec.filesystem("memory"), "/example-of-storage")
        >>> storage.create("a/b", b"hello")
        >>> list(storage.list())
        [Entry(path='a/b', size=5)]
    """

    def __init__(
        self,
        filesystem: Any,
        root: str,
        url: str = "",
        *,
        reopens: bool = False,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._opened = filesystem
        self._process = os.getpid()
        self._root: str = filesystem._strip_protocol(root).rstrip("/")  # noqa: SLF001 - as fsspec's own layers do
        self._url = url or without_credentials(str(filesystem.unstrip_protocol(self._root)))
        self._driver = driver_of(filesystem)
        one_at_a_time = self._driver.one_at_a_time
        self._turn = threading.RLock() if one_at_a_time else nullcontext()
        self._sleep = sleep
        self._reopens = reopens

    def __repr__(self) -> str:
        return f"FilesystemStorage({self._url!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self._reopens:
            from mlkit.storage.opening import open_storage

            return open_storage, (self._url,)
        message = f"{self._url} was opened with options, which may be secret and aren't pickled"
        hint = "Open it by its URL in the other process, credentials from where its driver looks"
        raise InvalidInput(message, hint=hint)

    @property
    def url(self) -> str:
        """The URL, without credentials."""
        return self._url

    @property
    def capabilities(self) -> Capabilities:
        """Exclusive create where the driver is known for it; never appending."""
        exclusive = self._driver.exclusive is not Exclusive.NO
        return Capabilities(exclusive_create=exclusive, append=False)

    def read(self, path: str, start: int = 0, end: int | None = None) -> bytes:
        """Give the bytes of an object, or of a range in it; see `Storage.read`."""
        check_range(start, end)
        full = self._full(check(path))
        if end is not None and end <= start:
            self.stat(path)
            return b""
        if not start and end is None and self._driver.asks_size:
            first = self.read(path, 0, _BLOCK)  # one request does for most objects
            return first if len(first) < _BLOCK else first + self.read(path, _BLOCK)
        span = {"start": start, "end": end} if start or end is not None else {}
        with self._seam(path):
            try:
                return bytes(self._fs.cat_file(full, **span))[: _length(start, end)]
            except FileNotFoundError:
                raise
            except Exception:  # of a folder, or a range that begins at the end, it may be anything
                size = self._size(path)
                if span and size is not None and size <= start:
                    return b""
                raise

    def write(self, path: str, data: Body, *, durable: bool = False) -> None:  # noqa: ARG002 - servers keep what they took
        """Store an object; see `Storage.write`."""
        full = self._full(check(path))
        with self._seam(path, writing=True):
            if self._driver.put is Put.RENAME:
                with self._staged(full, data) as temporary:
                    self._fs.mv(temporary, full)
            elif isinstance(data, bytes | bytearray | memoryview):
                self._fs.pipe_file(full, bytes(data))
            elif self._driver.put is Put.MEMORY:
                self._fs.pipe_file(full, data.read())
            else:
                self._upload(full, data)

    def create(self, path: str, data: bytes, *, durable: bool = True) -> None:  # noqa: ARG002 - servers keep what they took
        """Store an object under a new name; see `Storage.create`.

        Where the driver can't create exclusively, the name is looked at first, which is right
        for one writer only; `capabilities` says so.
        """
        full = self._full(check(path))
        with self._seam(path, writing=True):
            if self._driver.exclusive is Exclusive.NO:
                if not self._settled(path, data):
                    self.write(path, data)
                return
            self._create_surely(path, full, data)

    def open_append(self, path: str) -> BinaryIO:
        """Refuse: few filesystems append, and none as safely as is promised."""
        check(path)
        message = f"{self._url} can't append to objects"
        raise StorageFault(message, hint="Write to a local folder first, then copy the whole")

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Give every object below a folder, sorted; see `Storage.list`."""
        folder = check_folder(prefix)
        with self._seam(folder):
            self._fs.invalidate_cache()
            try:
                found = self._fs.find(self._full(folder), detail=True)
            except (FileNotFoundError, NotADirectoryError):
                found = {}
        below = ((self._below(name, folder), info) for name, info in found.items())
        return iter(
            sorted(
                (
                    Entry(
                        f"{folder}/{rest}" if folder else rest,
                        int(info["size"]),
                        modified_of(info),
                    )
                    for rest, info in below
                    if rest and info["type"] == "file" and not info.get("islink")
                ),
                key=lambda entry: entry.path,
            )
        )

    def children(self, prefix: str = "") -> Names:
        """Give the names right below a folder, sorted; see `Storage.children`."""
        folder = check_folder(prefix)
        with self._seam(folder):
            self._fs.invalidate_cache()
            try:
                found = self._fs.ls(self._full(folder), detail=True)
            except (FileNotFoundError, NotADirectoryError):
                found = []
        names = set()
        for info in found:
            name = self._below(info["name"].rstrip("/"), folder)
            if name and info["type"] in {"file", "directory"} and not info.get("islink"):
                names.add(name if info["type"] == "file" else f"{name}/")
        return sorted(names)

    def stat(self, path: str) -> Entry:
        """Give the size of an object; see `Storage.stat`."""
        full = self._full(check(path))
        with self._seam(path):
            self._fs.invalidate_cache()
            info = self._fs.info(full)
        if info["type"] != "file":
            raise missing(self._url, path)
        return Entry(path, int(info["size"]), modified_of(info))

    def delete(self, path: str) -> None:
        """Remove an object; see `Storage.delete`."""
        full = self._full(check(path))
        with self._seam(path, writing=True), suppress(NotFound):
            try:
                self._fs.rm_file(full)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return
            except Exception:  # of a folder it may be anything
                self._size(path)
                raise

    def local_path(self, path: str) -> Path | None:
        """Nothing: objects are read through the driver; see `Storage.local_path`."""
        check(path)
        return None

    @property
    def _fs(self) -> Any:
        """The filesystem; a new one after a fork, which its connections don't survive."""
        if self._process != os.getpid():
            self._opened = _reopened(self._opened)
            self._process = os.getpid()
        return self._opened

    def _size(self, path: str) -> int | None:
        """Give the size of an object, or None where it can't be asked for either.

        Raises:
            NotFound: There is no such object, but a folder perhaps.
        """
        try:
            return self.stat(path).size
        except StorageFault:
            return None

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}" if self._root and path else self._root or path

    def _below(self, name: str, folder: str) -> str:
        """Give what of a driver's name lies below a folder; nothing if it isn't a path of ours."""
        start = self._full(folder).strip("/")
        rest = name.lstrip("/")
        if start:
            if not rest.startswith(f"{start}/"):
                return ""
            rest = rest[len(start) + 1 :]
        return rest if is_path(f"{folder}/{rest}" if folder else rest) else ""

    @contextmanager
    def _seam(self, path: str, *, writing: bool = False) -> Iterator[None]:
        """Turn whatever a driver raises into an error of mlkit; wait for the turn if need be."""
        try:
            with self._turn:
                yield
        except MlkitError:
            raise
        except Exception as error:
            raise fault(error, self._url, path, writing=writing) from error

    @contextmanager
    def _staged(self, full: str, data: Body) -> Iterator[str]:
        """Write a body under a temporary name; it is gone afterwards, whatever happens."""
        folder = f"{self._root}/{TEMPORARY}" if self._root else TEMPORARY
        temporary = f"{folder}/{os.getpid()}-{os.urandom(8).hex()}"
        self._fs.makedirs(folder, exist_ok=True)
        self._fs.makedirs(full.rpartition("/")[0], exist_ok=True)
        try:
            with self._fs.open(temporary, "wb") as file:
                for block in _blocks(data):
                    file.write(block)
            yield temporary
        except BaseException:
            with suppress(Exception):  # the first error is the one to tell
                self._fs.rm_file(temporary)
            raise

    def _upload(self, full: str, data: BinaryIO) -> None:
        """Send a stream to an object store, where it appears when it has ended."""
        blocks = _blocks(data)
        first = next(blocks, b"")
        if len(first) < _BLOCK:
            self._fs.pipe_file(full, first)
            return
        file = self._fs.open(full, "wb")
        try:
            file.write(first)
            for block in blocks:
                file.write(block)
        except BaseException:
            with suppress(Exception):  # the first error is the one to tell
                file.discard()
            file.closed = True  # else the collector would end the upload, and half would appear
            raise
        file.close()

    def _create_surely(self, path: str, full: str, data: bytes) -> None:
        """Make a new name, reading back after any doubt, until it is ours or another's."""
        silent = 0
        pauses = iter(_PAUSES)
        while True:
            error = self._try_create(full, data)
            if error is None:
                return
            try:
                if self._settled(path, data):
                    return
            except AlreadyExists:
                raise
            except MlkitError:  # it can't be read either, so the network is down
                silent += 1
            pause = next(pauses, None)
            if pause is None or silent == _SILENT:
                raise error
            self._sleep(pause)

    def _try_create(self, full: str, data: bytes) -> Exception | None:
        """Try once to make a new name; give what was raised if that leaves a doubt."""
        try:
            if self._driver.exclusive is Exclusive.CREATE:
                with _MEMORY_LOCK if self._driver.put is Put.MEMORY else nullcontext():
                    self._fs.pipe_file(full, data, mode="create")
            elif self._driver.exclusive is Exclusive.RENAME:
                with self._staged(full, data) as temporary:
                    self._fs.ftp.rename(temporary, full)
            else:
                self._fs.makedirs(full.rpartition("/")[0], exist_ok=True)
                with self._fs.open(full, "xb") as file:
                    file.write(data)
        except _HOPELESS:
            raise
        except Exception as error:  # noqa: BLE001 - drivers raise what they like, and each is a doubt
            return error
        return None

    def _settled(self, path: str, data: bytes) -> bool:
        """Read a name back: True if it holds the bytes, False if nothing holds it.

        Raises:
            AlreadyExists: It holds other bytes.
        """
        try:
            held = self.read(path)
        except NotFound:
            return False
        if held == data:
            return True
        message = f"{path!r} exists already in {self._url}"
        raise AlreadyExists(message)


def _reopened(filesystem: Any) -> Any:
    """Give a filesystem of the same options that shares nothing with the process before."""
    if not filesystem.async_impl:
        return filesystem
    options = {**filesystem.storage_options, "skip_instance_cache": True}
    reopened = type(filesystem)(*filesystem.storage_args, **options)
    reopened.dircache.use_listings_cache = False
    return reopened


def _blocks(data: Body) -> Iterator[bytes | bytearray | memoryview]:
    """Cut a body into blocks that are full but the last; a stream may give them smaller."""
    if isinstance(data, bytes | bytearray | memoryview):
        yield data
        return
    while block := data.read(_BLOCK):
        while len(block) < _BLOCK and (more := data.read(_BLOCK - len(block))):
            block += more
        yield block


def _length(start: int, end: int | None) -> int | None:
    return None if end is None else end - start
