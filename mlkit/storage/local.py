"""A folder on a local disk or a network mount, by plain system calls."""
# pathlib would cost more than the system calls it wraps:
# ruff: noqa: PTH100, PTH102, PTH105, PTH106, PTH108, PTH111, PTH112, PTH114, PTH116, PTH119, PTH120

import errno
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from mlkit.errors import AlreadyExists, NotFound
from mlkit.storage.faulting import fault, link_error, missing
from mlkit.storage.paths import TEMPORARY, check, check_folder, is_path, only_paths
from mlkit.storage.protocol import Body, Capabilities, Entry, Names
from mlkit.storage.ranges import check_range

_BLOCK = 1 << 20
_BINARY = getattr(os, "O_BINARY", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_READ = os.O_RDONLY | _BINARY | _NOFOLLOW | getattr(os, "O_NONBLOCK", 0)  # a pipe mustn't block
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY | _NOFOLLOW
_APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND | _BINARY | _NOFOLLOW
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}
_TRIES = 100

Found = list[tuple[str, int, int]]
"""Names within a folder, those of folders with `/` at the end, sizes, and times of writing."""


class _TakenError(Exception):
    """The name that was to be new exists."""


class LocalStorage:
    """Objects as files below a folder; the folder is made by the first write.

    A body is written to a private file in `.tmp/` first, then gets its name at once: by a hard
    link where the name must be new, by a rename where it may be taken. A process that dies leaves
    a file in `.tmp/` at most. Where a mount has no hard links, a new name is taken by an
    exclusive open of the name itself; there a process that dies leaves a torn body under it,
    which its digest shows.

    Links below the root aren't followed, whoever made them, so no path leads out of it. Other
    files than plain ones aren't shown. Folders that become empty vanish with their last object.

    Args:
        root: The folder.

    Example:
        >>> import tempfile
        >>> storage = LocalStorage(tempfile.mkdtemp())
        >>> storage.write("notes/first.txt", b"hello")
        >>> storage.read("notes/first.txt", 1, 3)
        b'el'
        >>> storage.children()
        ['notes/']
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = os.path.abspath(os.path.expanduser(root))
        self._temporary = f"{self._root}/{TEMPORARY}"

    def __repr__(self) -> str:
        return f"LocalStorage({self._root!r})"

    @property
    def url(self) -> str:
        """The folder's absolute path."""
        return self._root

    @property
    def capabilities(self) -> Capabilities:
        """Both: names are created exclusively, and files appended to."""
        return Capabilities(exclusive_create=True, append=True)

    def read(self, path: str, start: int = 0, end: int | None = None) -> bytes:
        """Give the bytes of an object, or of a range in it; see `Storage.read`."""
        check_range(start, end)
        try:
            descriptor = os.open(self._locate(path), _READ)
            try:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise missing(self._root, path)
                stop = status.st_size if end is None else min(end, status.st_size)
                return _read_range(descriptor, start, stop)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise fault(error, self._root, path, writing=False) from error

    def write(self, path: str, data: Body, *, durable: bool = False) -> None:
        """Store an object by a rename; see `Storage.write`."""
        try:
            full = self._locate(path)
            temporary = self._stage(data, durable=durable)
            try:
                self._place(lambda: os.replace(temporary, full), full, durable=durable)
            except BaseException:
                _remove(temporary)
                raise
        except OSError as error:
            raise fault(error, self._root, path, writing=True) from error

    def create(self, path: str, data: bytes, *, durable: bool = True) -> None:
        """Store an object under a new name by a hard link; see `Storage.create`."""
        try:
            full = self._locate(path)
            temporary = self._stage(data, durable=durable)
            try:
                self._place(
                    lambda: _link(temporary, full, data, durable=durable), full, durable=durable
                )
            finally:
                _remove(temporary)
        except _TakenError:
            self._compare(path, data)
        except OSError as error:
            raise fault(error, self._root, path, writing=True) from error

    def open_append(self, path: str) -> BinaryIO:
        """Open a file to add to its end; see `Storage.open_append`."""
        opened: list[int] = []
        try:
            full = self._locate(path)
            self._place(lambda: opened.append(os.open(full, _APPEND, 0o666)), full, durable=False)
            return io.FileIO(opened[0], "ab")
        except OSError as error:
            raise fault(error, self._root, path, writing=True) from error

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Give every object below a folder, sorted; see `Storage.list`."""
        return self._walk(self._check_folder(prefix))

    def children(self, prefix: str = "") -> Names:
        """Give the names right below a folder, sorted; see `Storage.children`."""
        folder = self._check_folder(prefix)
        try:
            return _names(self._root, folder)
        except OSError as error:
            raise fault(error, self._root, folder, writing=False) from error

    def stat(self, path: str) -> Entry:
        """Give the size of an object; see `Storage.stat`."""
        try:
            status = os.lstat(self._locate(path))
        except OSError as error:
            raise fault(error, self._root, path, writing=False) from error
        if stat.S_ISLNK(status.st_mode):
            raise link_error(self._root, path)
        if not stat.S_ISREG(status.st_mode):
            raise missing(self._root, path)
        return Entry(path, status.st_size, status.st_mtime_ns)

    def delete(self, path: str) -> None:
        """Remove an object, and the folders that become empty; see `Storage.delete`."""
        try:
            full = self._locate(path)
            os.unlink(full)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return
        except OSError as error:
            raise fault(error, self._root, path, writing=True) from error
        self._prune(os.path.dirname(full))

    def local_path(self, path: str) -> Path | None:
        """Give the file that is the object, if it exists; see `Storage.local_path`."""
        try:
            full = self._locate(path)
            return Path(full) if stat.S_ISREG(os.lstat(full).st_mode) else None
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise fault(error, self._root, path, writing=False) from error

    def _locate(self, path: str) -> str:
        """Give the place of an object, after checking that no folder on the way is a link."""
        check(path)
        root = self._root
        cut = path.find("/")
        while cut != -1:
            try:
                mode = os.lstat(f"{root}/{path[:cut]}").st_mode
            except (FileNotFoundError, NotADirectoryError):
                break
            if stat.S_ISLNK(mode):
                raise link_error(root, path)
            cut = path.find("/", cut + 1)
        return f"{root}/{path}"

    def _check_folder(self, prefix: str) -> str:
        """Give the path of a folder, after checking that it is no link and behind none."""
        folder = check_folder(prefix)
        if folder and os.path.islink(self._locate(folder)):
            raise link_error(self._root, folder)
        return folder

    def _stage(self, data: Body, *, durable: bool) -> str:
        """Write a body to a private file and give its place; nothing stays of it on a fault."""
        descriptor, temporary = self._open_temporary()
        try:
            _fill(descriptor, data, durable=durable)
        except BaseException:
            _remove(temporary)
            raise
        return temporary

    def _open_temporary(self) -> tuple[int, str]:
        name = f"{os.getpid()}-{os.urandom(8).hex()}"
        while True:
            folder = self._temporary
            try:
                if stat.S_ISLNK(os.lstat(folder).st_mode):
                    raise link_error(self._root, os.path.basename(folder))
                return os.open(f"{folder}/{name}", _NEW, 0o666), f"{folder}/{name}"
            except FileNotFoundError:
                for changed in _make_folders(self._root):
                    _sync_folder(changed)
                with suppress(FileExistsError):
                    os.mkdir(folder, 0o700)
            except PermissionError:
                own = f"{self._root}/{TEMPORARY}-{_user()}"  # `.tmp` is another user's
                if folder == own:
                    raise
                self._temporary = own

    def _place(self, put: Callable[[], object], full: str, *, durable: bool) -> None:
        """Give a file its name, making the folders on the way; keep it there if durable."""
        folder = os.path.dirname(full)
        changed = [folder]
        tries = 0
        while True:
            try:
                if tries:
                    changed += _make_folders(folder)
                put()
                break
            except FileNotFoundError:  # or another process removed a folder while it was empty
                tries += 1
                if tries == _TRIES:
                    raise
        if durable:
            for place in dict.fromkeys(changed):
                _sync_folder(place)

    def _compare(self, path: str, data: bytes) -> None:
        """Raise unless a name that is taken holds the same bytes: then the call is a repetition.

        A network mount repeats a link whose reply was lost, and then says that it exists.
        """
        try:
            if self.read(path) == data:
                return
        except NotFound:
            pass  # a folder has the name
        message = f"{path!r} exists already in {self._root}"
        raise AlreadyExists(message)

    def _walk(self, folder: str) -> Iterator[Entry]:
        try:
            found = _scan(self._root, folder)
        except OSError as error:
            raise fault(error, self._root, folder, writing=False) from error
        for name, size, modified in found:
            path = f"{folder}/{name}" if folder else name
            if path.endswith("/"):
                yield from self._walk(path[:-1])
            else:
                yield Entry(path, size, modified)

    def _prune(self, folder: str) -> None:
        """Remove folders that are empty, upwards to the root."""
        with suppress(OSError):  # not empty, or not ours to remove: either way it may stay
            while len(folder) > len(self._root):
                os.rmdir(folder)
                folder = os.path.dirname(folder)


def _read_range(descriptor: int, start: int, stop: int) -> bytes:
    if start:
        os.lseek(descriptor, start, os.SEEK_SET)
    first = os.read(descriptor, max(stop - start, 0))
    if len(first) >= stop - start:
        return first
    pieces = [first]  # one call gives 2 GiB at most
    left = stop - start - len(first)
    while left and pieces[-1]:
        pieces.append(os.read(descriptor, left))
        left -= len(pieces[-1])
    return b"".join(pieces)


def _fill(descriptor: int, data: Body, *, durable: bool) -> None:
    """Write a whole body to a file, and close it."""
    try:
        if isinstance(data, bytes | bytearray | memoryview):
            _write_all(descriptor, data)
        else:
            while block := data.read(_BLOCK):
                _write_all(descriptor, block)
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    done = os.write(descriptor, data)
    if done < len(data):
        view = memoryview(data).cast("B")
        while done < len(view):
            done += os.write(descriptor, view[done:])


def _link(temporary: str, full: str, data: bytes, *, durable: bool) -> None:
    """Give a file a name that must be new."""
    try:
        os.link(temporary, full)
    except FileExistsError:
        raise _TakenError from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _create_in_place(full, data, durable=durable)


def _create_in_place(full: str, data: bytes, *, durable: bool) -> None:
    """Make a file under its name at once, where the mount has no hard links."""
    try:
        descriptor = os.open(full, _NEW, 0o666)
    except FileExistsError:
        raise _TakenError from None
    try:
        _fill(descriptor, data, durable=durable)
    except BaseException:
        _remove(full)
        raise


def _make_folders(folder: str) -> list[str]:
    """Make a folder and those above it; give the folders that got a new name in them."""
    absent = []
    place = folder
    while not os.path.isdir(place):
        absent.append(place)
        place = os.path.dirname(place)
    for place in reversed(absent):
        try:
            os.mkdir(place)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(place).st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), place) from None
    return [os.path.dirname(place) for place in absent]


def _sync_folder(folder: str) -> None:
    """Make the names in a folder survive a power cut, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return  # another process deleted all that was in it
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def _names(root: str, folder: str) -> Names:
    """Give the names in a folder, sorted by path; those of folders end with `/`."""
    kinds: dict[str, str] = {}
    try:
        with os.scandir(f"{root}/{folder}" if folder else root) as items:
            for item in items:
                if item.is_dir(follow_symlinks=False):
                    kinds[item.name] = "/"
                elif item.is_file(follow_symlinks=False):
                    kinds[item.name] = ""
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted([name + kinds[name] for name in only_paths(list(kinds))])


def _scan(root: str, folder: str) -> Found:
    """Give what is in a folder, sorted by path: plain files and folders, no links."""
    found: Found = []
    try:
        with os.scandir(f"{root}/{folder}" if folder else root) as items:
            for item in items:
                if not is_path(item.name):
                    continue  # temporary files, and what others put there under odd names
                if item.is_dir(follow_symlinks=False):
                    found.append((f"{item.name}/", 0, 0))
                elif item.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):  # it was deleted meanwhile
                        status = item.stat(follow_symlinks=False)
                        found.append((item.name, status.st_size, status.st_mtime_ns))
    except (FileNotFoundError, NotADirectoryError):
        return []
    found.sort()
    return found


def _remove(place: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(place)


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0
