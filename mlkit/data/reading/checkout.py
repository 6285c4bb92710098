"""Versions as folders on the local disk: written file by file, each whole or not at all."""
# pathlib would cost more than the system calls it wraps, a million times:
# ruff: noqa: PTH102, PTH104, PTH105, PTH106, PTH108, PTH114, PTH116, PTH118, PTH123

import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from attrs import field, frozen

from mlkit._core.hashing import digest_file
from mlkit._core.ids import token
from mlkit.data.storing.folder import CHECKING_OUT
from mlkit.data.storing.found_files import FileState, FoundFiles
from mlkit.data.storing.stat_cache import Compared, StatCache
from mlkit.display.progress import Progress
from mlkit.errors import InvalidInput, MlkitError, StorageFault
from mlkit.objects.manifest import FileEntry, Manifest
from mlkit.storage.parallel import each

_ABANDONED = 24 * 3600
_TOGETHER = 2048
_BYTES = 8 << 20


class Bytes(Protocol):
    """What gives the checked bytes of files."""

    def pieces(self, entry: FileEntry, /) -> Iterator[bytes]:
        """Give the bytes of a file, piece by piece."""
        ...

    def whole(self, entries: Sequence[FileEntry], /) -> Iterator[bytes]:
        """Give the bytes of small files, one after the other."""
        ...


@frozen
class Checkout:
    """Makes a folder hold the files of a version.

    Only files that differ are written, each under a temporary name first. Nothing is written
    outside of the folder, not even through links that lie in it. Files that an earlier checkout
    of the same dataset wrote here, or found here as its version has them, that this version lacks
    and that are still the same, are removed; nothing else is.

    Args:
        files: The files of the version.
        digest: The version's digest.
        source: Gives their bytes.
        written: Remembers what was written where.
        dataset: The dataset's name.
        threads: So many files are written at a time.
        clean: Whether all other files are removed, whoever wrote them.
    """

    files: Manifest
    digest: str
    source: Bytes = field(repr=False)
    written: StatCache = field(repr=False)
    dataset: str
    threads: int
    clean: bool = False

    def into(self, folder: Path) -> Path:
        """Write the files.

        Args:
            folder: Where they go; it is made when it doesn't exist.

        Returns:
            The folder.

        Raises:
            InvalidInput: A folder stands where a file must go, or a file or link where a folder
                must.
            Corrupt: The bytes of a file don't match its digest; the file is left as it was.
            StorageFault: The disk failed.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            root = str(folder.resolve(strict=True))
            with Progress(f"checkout {self.dataset}") as progress:
                self._write(root, progress)
        except (FileExistsError, NotADirectoryError) as error:
            raise InvalidInput(f"{error.filename!r} is a file, and must be a folder") from error
        except OSError as error:
            if isinstance(error, MlkitError):
                raise
            place = error.filename2 or error.filename or str(folder)
            raise StorageFault(f"{str(place)!r} can't be written: {error.strerror}") from error
        return folder

    def _write(self, root: str, progress: Progress) -> None:
        temporary = os.path.join(root, f".mlkit-checkout-{token()}")
        _remove_abandoned(root)
        os.mkdir(temporary, 0o700)
        try:
            self._write_all(root, temporary, progress)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _write_all(self, root: str, temporary: str, progress: Progress) -> None:
        began = os.stat(temporary).st_mtime_ns  # by the clock of the disk
        _make_folders(root, self.files)
        here = _present(root, self.files)
        place = f"{self.dataset}\0{root}"
        compared = self.written.compare(place, here)
        lacking = self._lacking(root, here, compared)
        gone = self._gone(place)
        progress.stage("writing files", total=len(lacking))
        write = _Writer(root, temporary, self.source)
        for size in each(write, _jobs(lacking), threads=self.threads):
            progress.add(count=size[0], size=size[1])
        _remove(root, gone, self.files)
        if self.clean:
            _clear(root, set(self.files.paths.to_pylist()))
        states = _present(root, self.files).to_arrow()
        self.written.remember(place, self.files, self.digest, states, began)

    def _lacking(self, root: str, here: FoundFiles, compared: Compared) -> list[FileEntry]:
        """Give the files that aren't there already; a link never is the file it leads to."""
        same = {entry.path: entry.digest for entry in compared.unchanged}
        sizes = {file.path: file.state.size for file in here}
        return [
            entry
            for entry in self.files
            if sizes.get(entry.path) != entry.size
            or not entry.digest
            or (same.get(entry.path) or _digest(root, entry.path)) != entry.digest
        ]

    def _gone(self, place: str) -> list[FileEntry]:
        """Give the files that were written here, and that the version doesn't have."""
        before = self.written.remembered(place)
        if before is None:
            return []
        stays = set(self.files.paths.to_pylist())
        return [entry for entry in before if entry.path not in stays]


def _make_folders(root: str, files: Manifest) -> None:
    """Make the folders of files, unless a link on the way would lead elsewhere."""
    ready = {""}
    for path in files.paths.to_pylist():
        _make_above(root, path, ready)


def _make_above(root: str, path: str, ready: set[str]) -> None:
    folder = path.rpartition("/")[0]
    if folder not in ready:
        parts = folder.split("/")
        for length in range(1, len(parts) + 1):
            inner = "/".join(parts[:length])
            if inner not in ready:
                _make_folder(f"{root}/{inner}")
                ready.add(inner)


def _make_folder(folder: str) -> None:
    try:
        os.mkdir(folder)
    except FileExistsError:
        status = os.lstat(folder)
        if stat.S_ISLNK(status.st_mode):
            raise InvalidInput(
                f"{folder!r} is a link, so files below it would be written elsewhere",
                hint="Remove the link, or check out into another folder",
            ) from None
        if not stat.S_ISDIR(status.st_mode):
            raise


def _present(root: str, files: Manifest) -> FoundFiles:
    """Give those files that are there, links left out."""
    found = FoundFiles(root)
    for path in files.paths.to_pylist():
        place = f"{root}/{path}"
        try:
            status = os.lstat(place)
        except FileNotFoundError:
            continue
        if stat.S_ISDIR(status.st_mode):
            raise InvalidInput(
                f"{place!r} is a folder, and must become a file",
                hint="Remove it, or check out into another folder",
            )
        if stat.S_ISREG(status.st_mode):
            found.add(path, FileState.of(status))
    return found


def _digest(root: str, path: str) -> str:
    try:
        return digest_file(Path(root, path))
    except FileNotFoundError:  # another checkout removed it meanwhile
        return ""


def _jobs(entries: list[FileEntry]) -> Iterator[list[FileEntry]]:
    """Give small files together, in the order in which they lie in packs; large ones alone."""
    small = [entry for entry in entries if len(entry.chunks) == 1 and entry.size <= _BYTES]
    small.sort(key=lambda entry: (entry.chunks[0].pack, entry.chunks[0].offset))
    job: list[FileEntry] = []
    size = 0
    for entry in small:
        if job and (len(job) >= _TOGETHER or size + entry.size > _BYTES):
            yield job
            job, size = [], 0
        job.append(entry)
        size += entry.size
    if job:
        yield job
    yield from (
        [entry] for entry in entries if not (len(entry.chunks) == 1 and entry.size <= _BYTES)
    )


@frozen
class _Writer:
    """Writes files of a version under temporary names, and gives them their own."""

    root: str
    temporary: str
    source: Bytes

    def __call__(self, entries: list[FileEntry]) -> tuple[int, int]:
        """Write files, and give how many and how many bytes they were."""
        if len(entries) == 1:
            self._put(entries[0], self.source.pieces(entries[0]))
        else:
            for entry, data in zip(entries, self.source.whole(entries), strict=True):
                self._put(entry, iter((data,)))
        return len(entries), sum(entry.size for entry in entries)

    def _put(self, entry: FileEntry, pieces: Iterator[bytes]) -> None:
        temporary = f"{self.temporary}/{token()}"
        with open(temporary, "xb", buffering=0) as stream:
            for piece in pieces:
                _write_all(stream.write, piece)
        try:
            os.replace(temporary, f"{self.root}/{entry.path}")
        except FileNotFoundError:  # another checkout found the folder empty, and removed it
            _make_above(self.root, entry.path, {""})
            os.replace(temporary, f"{self.root}/{entry.path}")


def _write_all(write: Callable[[memoryview], int | None], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[write(view) or 0 :]


def _remove(root: str, gone: list[FileEntry], files: Manifest) -> None:
    """Remove files that are still what was written, and the folders that they leave empty.

    On a disk that folds case, a name that went may be another way to write one that stays.
    """
    folded = {path.casefold(): path for path in files.paths.to_pylist()} if gone else {}
    for entry in gone:
        place = f"{root}/{entry.path}"
        with suppress(OSError):
            status = os.lstat(place)
            other = folded.get(entry.path.casefold())
            if other is not None and os.path.samestat(status, os.lstat(f"{root}/{other}")):
                os.rename(place, f"{root}/{other}")
                continue
            if not stat.S_ISREG(status.st_mode) or status.st_size != entry.size:
                continue
            if os.path.realpath(place) != place or _digest(root, entry.path) != entry.digest:
                continue
            os.unlink(place)
            folder = entry.path.rpartition("/")[0]
            while folder:
                os.rmdir(f"{root}/{folder}")  # which fails where anything is left
                folder = folder.rpartition("/")[0]


def _clear(root: str, stays: set[str]) -> None:
    """Remove all files but some, and the folders that hold none of them; links aren't followed."""
    for folder, folders, files in os.walk(root, topdown=False):
        inner = os.path.relpath(folder, root)
        for name in (*files, *(one for one in folders if os.path.islink(f"{folder}/{one}"))):
            if os.path.normpath(f"{inner}/{name}") not in stays:
                os.unlink(f"{folder}/{name}")
        if folder != root:
            with suppress(OSError):
                os.rmdir(folder)  # which fails where anything is left


def _remove_abandoned(root: str) -> None:
    """Remove what a checkout that was killed long ago left."""
    with os.scandir(root) as entries:
        for entry in entries:
            if CHECKING_OUT.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED:
                        shutil.rmtree(entry.path, ignore_errors=True)
