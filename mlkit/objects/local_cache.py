"""Copies of remote objects on this machine, in a bounded folder that many processes share.

What is known of local files lies there, too. All of it can be had again, and who reads it checks it
by digests. So it may be damaged, cleared or full at any moment: that costs time, and nothing else.
"""

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from mlkit._core.forking import renew_after_fork
from mlkit._core.ids import is_uuid7, token
from mlkit._core.settings import cache_dir, cache_size

_PARTS = ("packs", "blobs", "chunks", "folders", "checkouts", "versions")
_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
_HOUR = 3600 * 10**9
_STEPS = 64
_LOCKS = 64
_TRIES = 3


class LocalCache:
    """A bounded folder of copies; what was used longest ago goes first.

    Any number of threads and processes may share it. A reader who has begun isn't disturbed by
    one who removes. Whole files that were used within the last hour stay, since they are handed
    out by their names; parts of packs may go at once.

    Args:
        root: The folder of one store. It, and what is in it, is the user's alone.
        limit: The most bytes that it holds, together with the folders of other stores beside it
            when it is in the user's cache.

    Example:
        >>> import tempfile
        >>> cache = LocalCache(Path(tempfile.mkdtemp()), 1 << 20)
        >>> cache.put("packs/aa/0", b"some bytes")
        >>> cache.get("packs/aa/0", 5, 10), cache.get("packs/aa/1", 0, 1)
        (b'bytes', None)
    """

    def __init__(self, root: Path, limit: int) -> None:
        self.root = root
        self.limit = limit
        self._unseen = 0  # bytes that may still be written before the folder is looked at
        self.renew()
        renew_after_fork(self)

    def renew(self) -> None:
        """Make the locks anew, as a forked child must."""
        self._locks = [threading.Lock() for _ in range(_LOCKS)]

    @contextmanager
    def turn(self, path: str) -> Iterator[None]:
        """Let the threads of this process fetch one thing one after the other."""
        with self._locks[hash(path) % _LOCKS]:
            yield

    def get(self, path: str, start: int = 0, end: int | None = None) -> bytes | None:
        """Give a copy or a range of it, as far as it reaches; None where there is none.

        Args:
            path: The copy, below the root.
            start: The first byte.
            end: The byte after the last.
        """
        try:
            descriptor = os.open(self.root / path, _READ)
        except OSError:
            return None
        try:
            stop = os.fstat(descriptor).st_size if end is None else end
            data = os.pread(descriptor, stop - start, start)
            with suppress(OSError):  # the time says when it was used last, if that can be noted
                os.utime(descriptor)
        except OSError:
            return None
        finally:
            os.close(descriptor)
        return data

    def holds(self, path: str) -> bool:
        """Tell whether there is a copy."""
        return (self.root / path).is_file()

    def put(self, path: str, data: "bytes | memoryview") -> None:
        """Keep a copy, if that can be done; else nothing happens."""
        if len(data) > self.limit:
            return
        with suppress(OSError):
            self._place(path, lambda stream: stream.write(data))

    def drop(self, path: str) -> None:
        """Remove a copy that is damaged."""
        with suppress(OSError):
            (self.root / path).unlink()

    def file(
        self, path: str, whole: Callable[[Path], bool], fill: Callable[[BinaryIO], object]
    ) -> Path:
        """Give a whole file by its name; it is fetched unless there is one that is right.

        Args:
            path: The copy, below the root.
            whole: Tells whether a file is right.
            fill: Writes the content.

        Raises:
            OSError: The folder can't be used.
        """
        copy = self.root / path
        with suppress(FileNotFoundError):
            if whole(copy):
                with suppress(PermissionError):
                    os.utime(copy)
                return copy
        self._place(path, fill)
        return copy

    def sweep(self) -> None:
        """Remove what was used longest ago, until the rest has room to grow."""
        found = sorted(self._files())
        now = time.time_ns()
        most = self.limit - 2 * (self.limit // _STEPS)
        total = sum(size for _, size, _ in found)
        low = self.limit - self.limit // 8 if total > most else total
        for used, size, place in found:
            begun = place.name.startswith(".")
            named = begun or place.parent.parent.name == "blobs"
            if (named and now - used < _HOUR) or (total <= low and not begun):
                continue
            with suppress(OSError):
                place.unlink()
                total -= size
                place.parent.rmdir()
        self._unseen = self.limit // _STEPS

    def _place(self, path: str, fill: Callable[[BinaryIO], object]) -> None:
        """Put a file under its name, whole or not at all."""
        copy = self.root / path
        temporary = copy.with_name(f".{copy.name}.{token()}")
        try:
            with self._create(temporary) as stream:
                fill(stream)
                size = stream.tell()
            os.replace(temporary, copy)  # noqa: PTH105 - the pair of names reads better
        finally:
            with suppress(OSError):
                temporary.unlink()
        self._unseen -= size
        if self._unseen < 0:
            self.sweep()

    def _create(self, place: Path) -> BinaryIO:
        for _ in range(_TRIES):  # another process may remove a folder while it is empty
            with suppress(FileNotFoundError):
                return os.fdopen(os.open(place, _NEW, 0o600), "wb")
            _make_private(place.parent)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(place))

    def _files(self) -> Iterator[tuple[int, int, Path]]:
        """Give all copies that count: when each was used, its size, and where it is."""
        roots = [self.root]
        if self.root.parent == cache_dir():
            with suppress(OSError):
                beside = self.root.parent.iterdir()  # where stores and anything else may lie
                roots = [place for place in beside if is_uuid7(place.name)]
        for root in roots:
            for part in _PARTS:
                for folder, _, names in os.walk(root / part):
                    for name in names:
                        place = Path(folder, name)
                        with suppress(OSError):  # it may be gone
                            status = place.lstat()
                            yield status.st_mtime_ns, status.st_size, place


def local_cache(root: Path) -> LocalCache:
    """Give the cache at a folder; one for all of this process.

    Args:
        root: The folder of one store.

    Raises:
        InvalidInput: `$MLKIT_CACHE_SIZE` is no size.
    """
    return _local_cache(root, cache_size())


@lru_cache(maxsize=64)
def _local_cache(root: Path, limit: int) -> LocalCache:
    return LocalCache(root, limit)


def _make_private(folder: Path) -> None:
    """Make a folder and those above it, for this user alone."""
    for place in (*reversed(folder.parents), folder):
        if not place.is_dir():
            with suppress(FileExistsError):
                place.mkdir(0o700)
