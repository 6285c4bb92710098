"""The bytes of local files on their way into a store, read once each, and only while they stand."""
# pathlib would cost more than the system calls it wraps, a million times:
# ruff: noqa: PTH116

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator

from attrs import frozen

from mlkit.data.storing.found_files import FileState, FoundFiles, LocalFile
from mlkit.errors import InvalidInput, MlkitError
from mlkit.objects import cutting
from mlkit.objects.intake import Intake, Kept
from mlkit.storage.parallel import each

_ATTEMPTS = 2
_TOGETHER = 64
_BYTES = 4 << 20


@frozen
class _Read:
    """A small file that was read, and stood still meanwhile."""

    file: LocalFile
    data: bytes
    digest: bytes
    state: FileState


def take_files(
    root: str, files: Iterable[LocalFile], intake: Intake, report: Callable[[int], object]
) -> FoundFiles:
    """Read files, and hand their chunks on in the order of the files.

    Small ones are read by several threads, a few megabytes ahead; a large one is read in pieces,
    whose digests several threads make.

    Args:
        root: The folder that they are in.
        files: The files; one that changes while it is read is read once more.
        intake: Takes them, and lists them under their paths.
        report: Told the size of each file.

    Returns:
        The files, with what the disk said of each while it was read.

    Raises:
        InvalidInput: A file can't be read, or changed again.
    """
    taken = FoundFiles(root)
    for files_read in each(_read_small, _groups(files), threads=os.cpu_count() or 1):
        for read in files_read:
            if isinstance(read, _Read):
                file, kept = read.file, intake.keep_small(read.data, read.digest)
                state = read.state
            else:
                file, (kept, state) = read, _take_large(read, intake)
            intake.add(file.path, kept)
            taken.add(file.path, state)
            report(kept.size)
    return taken


def _groups(files: Iterable[LocalFile]) -> Iterator[list[LocalFile]]:
    """Give neighbours that are read together: a few megabytes, or one large file."""
    group: list[LocalFile] = []
    size = 0
    for file in files:
        if group and (len(group) >= _TOGETHER or size + file.state.size > _BYTES):
            yield group
            group, size = [], 0
        group.append(file)
        size += file.state.size
    if group:
        yield group


def _read_small(group: list[LocalFile]) -> list[_Read | LocalFile]:
    """Read the small files of a group; large ones are left to be read in pieces."""
    return [_read(file) if file.state.size <= cutting.LEAST else file for file in group]


def _read(file: LocalFile) -> _Read | LocalFile:
    for _ in range(_ATTEMPTS):
        try:
            with open(file.source, "rb", buffering=0, opener=_opened) as stream:
                before = FileState.of(os.fstat(stream.fileno()))
                data = stream.read(cutting.LEAST + 1) or b""
            after = FileState.of(os.stat(file.source))
        except OSError as error:
            raise _unreadable(file, error) from error
        if len(data) > cutting.LEAST:
            return file  # it grew since it was found
        if before == after and len(data) == after.size:
            return _Read(file, data, hashlib.sha256(data).digest(), after)
    raise _changed(file)


def _take_large(file: LocalFile, intake: Intake) -> tuple[Kept, FileState]:
    for _ in range(_ATTEMPTS):
        taking = intake.open()
        try:
            with open(file.source, "rb", buffering=0, opener=_opened) as stream:
                before = FileState.of(os.fstat(stream.fileno()))
                for chunk in cutting.cut(stream):
                    taking.take(chunk)
            kept = taking.finish()
            after = FileState.of(os.stat(file.source))
        except OSError as error:
            if isinstance(error, MlkitError):  # of the store and not of the file
                raise
            raise _unreadable(file, error) from error
        if before == after and kept.size == after.size:
            return kept, after
    raise _changed(file)


def _opened(path: str, flags: int) -> int:
    """Open a plain file; what was put in its place meanwhile, such as a pipe, never makes it wait.

    Raises:
        OSError: It is no plain file any more.
    """
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # Python itself refuses a folder
        os.close(descriptor)
        raise OSError(errno.EINVAL, "It is no plain file any more")
    return descriptor


def _unreadable(file: LocalFile, error: OSError) -> InvalidInput:
    return InvalidInput(
        f"The file {file.source!r} can't be read: {error.strerror}",
        hint="Check that it exists and its permissions",
    )


def _changed(file: LocalFile) -> InvalidInput:
    return InvalidInput(
        f"The file {file.source!r} changed while it was read",
        hint="Do it again when nobody writes to it; no version was made",
    )
