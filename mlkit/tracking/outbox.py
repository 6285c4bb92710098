"""The outbox: a local folder for what isn't yet in the store and mustn't be lost.

It has the layout of the store, so sending is copying: each file goes to the same path in the
store and is removed here afterwards. A copy that is sent twice has the same bytes, so a kill
between the two loses nothing and doubles nothing.

Whoever appends to a file holds a shared lock on it, and is left alone; whoever sends one holds an
exclusive lock. Where the disk knows no locks, a file is sent while it grows, and who appends to
it finds it gone and puts all of it here again.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from attrs import frozen

from mlkit._core.ids import token, uuid7
from mlkit.errors import AlreadyExists, Corrupt, NotFound, StorageFault
from mlkit.objects.age import is_aging
from mlkit.storage.paths import STORE_DOCUMENT
from mlkit.storage.protocol import Storage
from mlkit.tracking.leftovers import runs_of_the_dead
from mlkit.tracking.marks import FOLDER, Mark
from mlkit.tracking.turns import BY_CONTENT, comes_after, is_end, next_end, turn

_ATTEMPTS = 100
LOOK = 0.5
"""Seconds from one look to the next while another process sends."""
_LOOKS = 60
_DEAD_SECONDS = 24 * 3600
Made = TypeVar("Made")
Progress = Callable[[int], object]
"""Is told of bytes on their way, each time some were taken."""


def in_folder(folder: Path, act: Callable[[], Made]) -> Made:
    """Do something in a folder of the outbox, which a sender may be removing since it was empty."""
    tries = 0
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return act()
        except (FileNotFoundError, FileExistsError):
            tries += 1
            if tries == _ATTEMPTS:
                raise


def sync_names(place: Path) -> None:
    """Make the name of a file survive a power cut, and those of the folders above it."""
    for folder in place.parents[:3]:  # a run's, that of all runs, and the root may be new
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def require_store(storage: Storage) -> None:
    """Raise when the store isn't there any more, as when its disk was unmounted.

    Raises:
        StorageFault: What is at its place lacks the document that every store has, or can't be
            asked.
    """
    try:
        try:
            storage.stat(STORE_DOCUMENT)
        except StorageFault:  # servers say why to who asks for the body, else only that
            storage.read(STORE_DOCUMENT)
    except NotFound:
        message = f"There is no store at {storage.url} any more"
        hint = "Mount its folder again, or move it back"
        raise StorageFault(message, hint=hint) from None


@frozen
class Round:
    """What came of one look through an outbox.

    Attributes:
        sent: How many files were sent.
        whole: Whether none is left but those that living processes append to; else another
            process is sending, and what has to come after its files waits.
    """

    sent: int
    whole: bool


class _Held(Enum):
    """Why a file isn't sent now."""

    GONE = "another process has sent it"
    WRITTEN = "a living process appends to it"
    ELSEWHERE = "another process is sending it"


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
            file = temporary.open("a+b", buffering=0)  # some disks lock only what can be read
            try:
                _lock(file, fcntl.LOCK_SH)
                temporary.rename(place)
            except BaseException:
                file.close()
                temporary.unlink(missing_ok=True)
                raise
            return file

        place = self.folder / path
        return in_folder(place.parent, lambda: create(place))

    def put(self, path: str, data: bytes, *, durable: bool = False) -> None:
        """Keep a whole file here.

        A document that waits isn't replaced: of a run that was begun twice while its store was
        away the first beginning stays, and of its ends the second gets the next number.

        Raises:
            OSError: This disk doesn't take it either.
        """

        def create(place: Path) -> bool:
            temporary = place.with_name(f".{token()}.tmp")
            try:
                with temporary.open("xb") as file:
                    file.write(data)
                    file.flush()
                    if durable:
                        os.fsync(file.fileno())
                named = _is_named(temporary, place)
            finally:
                temporary.unlink(missing_ok=True)
            if durable:
                sync_names(place)
            return named

        name: str | None = path
        while name is not None:
            place = self.folder / name
            if in_folder(place.parent, partial(create, place)):
                return
            name = next_end(name)

    def waiting(self, prefix: str = "") -> list[str]:
        """Give the paths of the files that wait, in the order in which they may be sent.

        What a record or a document refers to comes before it: contents, then segments, then the
        documents, then ends. Marks of a change stand before and behind all of it.
        """
        found = [  # a walk passes over folders that vanish, which are empty ones
            (Path(folder) / name).relative_to(self.folder).as_posix()
            for folder, _, names in os.walk(self.folder / prefix)
            for name in names
            if not name.startswith(".")
        ]
        return sorted(found, key=turn)

    def size(self, prefix: str = "") -> int:
        """Give how many bytes wait."""
        return self.size_of(self.waiting(prefix))

    def size_of(self, paths: Iterable[str]) -> int:
        """Give how many bytes these files have, without those that were sent meanwhile."""
        total = 0
        for path in paths:
            with suppress(FileNotFoundError):  # it was sent in this moment
                total += (self.folder / path).stat().st_size
        return total

    def being_written(self, path: str) -> bool:
        """Tell whether a living process appends to a file, which will have it sent."""
        with self._taken(path) as held:
            return held is _Held.WRITTEN

    def send(self, prefix: str = "", *, progress: Progress | None = None) -> int:
        """Send what waits to the store, together with other processes that do the same.

        What one of those has begun to send is waited for as long as something arrives.

        Args:
            prefix: Only what lies below this folder.
            progress: Is told of the bytes on their way, and 0 whenever a file has arrived.

        Returns:
            How many files were sent.

        Raises:
            StorageFault: The store didn't take one; it and those after it still wait.
            Corrupt: The store holds another document than the one that waits.
        """
        sent = looks = 0
        before: list[str] = []
        while looks < _LOOKS:
            looked = self.look_through(prefix, progress=progress)
            sent += looked.sent
            if looked.whole:
                break
            waiting = self.waiting(prefix)
            looks = looks + 1 if waiting == before else 0
            before = waiting
            time.sleep(LOOK)
        return sent

    def look_through(self, prefix: str = "", *, progress: Progress | None = None) -> Round:
        """Send what waits and no other process is sending at this moment; see `send`."""
        sent, clash = 0, None
        elsewhere: list[str] = []
        waiting = self._marked(prefix)
        if waiting:
            require_store(self.storage)
        for path in waiting:
            if any(comes_after(path, other) for other in elsewhere):
                continue
            with self._taken(path) as file:
                if file is _Held.ELSEWHERE:
                    elsewhere.append(path)
                if isinstance(file, _Held):
                    continue
                if self._is_early(path, file):
                    elsewhere.append(path)
                    continue
                try:
                    self._send(path, file, progress or _unseen)
                except Corrupt as error:  # those behind it are sent all the same
                    clash = error
                    continue
                (self.folder / path).unlink(missing_ok=True)
            sent += Mark.of(path) is None
            (progress or _unseen)(0)
        self._tidy(prefix)
        if clash is not None:
            raise clash
        return Round(sent, not elsewhere)

    def _marked(self, prefix: str) -> list[str]:
        """Give what waits, with a mark for each run of which a dead process has left something.

        The mark waits here before the first file is sent, and is sent when the last one was.
        """
        waiting = self.waiting(prefix)
        marks = [mark for mark in map(Mark.of, self.waiting(FOLDER)) if mark is not None]
        marked = {mark.run_id for mark in marks if not mark.before}
        left = runs_of_the_dead(self.folder, waiting) - marked
        for run_id in left:
            mark = Mark(run_id, uuid7(time.time_ns()), before=False)
            with suppress(OSError):  # a full disk: what is sent makes room
                self.put(mark.path, mark.content)
        return self.waiting(prefix) if left else waiting

    @contextmanager
    def _taken(self, path: str) -> "Iterator[BinaryIO | _Held]":
        """Take a file to send it, or tell why that can't be now."""
        try:
            file = (self.folder / path).open("r+b")
        except FileNotFoundError:
            yield _Held.GONE
            return
        with file:
            if not _lock(file, fcntl.LOCK_EX):
                written = _lock(file, fcntl.LOCK_SH)
                yield _Held.WRITTEN if written else _Held.ELSEWHERE
                return
            try:
                yield file if os.fstat(file.fileno()).st_nlink else _Held.GONE
            finally:  # a child that was forked meanwhile would keep what is only closed
                _lock(file, fcntl.LOCK_UN)

    def _send(self, path: str, file: BinaryIO, progress: Progress) -> None:
        """Copy one file to a name that is this writer's alone, or holds the same content."""
        if not path.endswith(".json"):
            if not self._is_there(path, file):
                self.storage.write(path, cast("BinaryIO", _Watched(file, progress)))
            return
        data, name = file.read(), path
        while not self._is_created(name, data):
            another = next_end(name)  # another owner of the run ended it, by another machine
            if another is None:
                message = f"{path} in the store isn't the one that waits in {self.folder}"
                raise Corrupt(message, hint="Compare the two, then remove one")
            name = another

    def _is_early(self, path: str, file: BinaryIO) -> bool:
        """Tell whether a document ends a run of which it covers a segment that still waits here."""
        if not is_end(path):
            return False
        covered: object = None
        with suppress(ValueError, TypeError, KeyError):  # nobody's document: it isn't sent for long
            covered = json.loads(file.read())["segments"]
        file.seek(0)
        folder = (self.folder / path).parent
        return isinstance(covered, dict) and any((folder / name).exists() for name in covered)

    def _is_created(self, path: str, data: bytes) -> bool:
        """Create a document, and tell whether the store holds it now: this one and no other."""
        try:
            self.storage.create(path, data)
        except AlreadyExists:
            return self._stored(path) == data
        return True

    def _is_there(self, path: str, file: BinaryIO) -> bool:
        """Tell whether the store has a file of this content already, whole and there to stay."""
        if not path.startswith(BY_CONTENT):
            return False
        try:
            entry = self.storage.stat(path)
        except NotFound:
            return False
        whole = entry.size == os.fstat(file.fileno()).st_size
        return whole and not is_aging(entry.modified, time.time_ns())

    def _stored(self, path: str) -> bytes:
        try:
            return self.storage.read(path)
        except NotFound:
            return b""

    def _tidy(self, prefix: str) -> None:
        """Remove folders that have become empty, and what killed processes left half written."""
        for folder, _, names in os.walk(self.folder / prefix, topdown=False):
            for name in names:
                if name.startswith(".") and name.endswith(".tmp"):
                    _remove_if_dead(Path(folder) / name)
            with suppress(OSError):  # not empty: something else waits there
                Path(folder).rmdir()


def _is_named(temporary: Path, place: Path) -> bool:
    """Give a file its name, and tell whether that holds its content; documents aren't replaced."""
    if place.suffix == ".json":
        try:
            place.hardlink_to(temporary)
        except FileExistsError:
            return place.read_bytes() == temporary.read_bytes()
        except OSError:  # a disk without hard links
            if place.exists():
                return place.read_bytes() == temporary.read_bytes()
        else:
            return True
    temporary.rename(place)
    return True


def _lock(file: BinaryIO, how: int) -> bool:
    """Lock a file at once, and tell whether that could be; all can where a disk has no locks."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # such as some network mounts of a home
        return True
    return True


def _remove_if_dead(place: Path) -> None:
    """Remove a private file that nobody has written to for long, or holds."""
    with suppress(OSError):
        if time.time() - place.stat().st_mtime < _DEAD_SECONDS:
            return
        with place.open("r+b") as file:
            if _lock(file, fcntl.LOCK_EX):
                place.unlink()


class _Watched:
    """A stream that tells how much of it was read."""

    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self._file = file
        self._progress = progress

    def read(self, size: int = -1, /) -> bytes:
        piece = self._file.read(size)
        self._progress(len(piece))
        return piece


def _unseen(_size: int) -> None:
    """Nobody watches."""
