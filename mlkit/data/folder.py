"""Folders on the local disk: which files they hold, and their bytes, exactly as they are."""
# pathlib would cost more than the system calls it wraps, a million times:
# ruff: noqa: PTH112, PTH116, PTH118, PTH123

import os
import stat
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import frozen

from mlkit._core.hashing import Hasher
from mlkit.errors import InvalidInput, MlkitError
from mlkit.objects.manifest import path_fault
from mlkit.objects.packs import split

_ATTEMPTS = 2


@frozen
class LocalFile:
    """A file that is to become a part of a version.

    Attributes:
        path: Where it will be in the version, with `/` between its parts.
        source: Where it is on the disk.
    """

    path: str
    source: str


def files_of(folder: Path) -> list[LocalFile]:
    """Give the files below a folder at any depth, sorted by path.

    Links are followed as long as they stay within the folder.

    Raises:
        InvalidInput: There is no such folder; it holds no file; a link leaves it, leads nowhere or
            to a folder that holds it; something is neither file nor folder; a name can't be kept,
            or differs from another one by case or Unicode form only.
    """
    root = os.path.realpath(folder)
    if not os.path.isdir(root):
        raise InvalidInput(f"There is no folder {str(folder)!r}")
    found = sorted(_walk(root, "", (root,)), key=lambda file: file.path)
    if not found:
        raise InvalidInput(
            f"The folder {str(folder)!r} holds no file", hint="A version needs one at least"
        )
    _check_alike(found)
    return found


def _walk(root: str, inner: str, above: tuple[str, ...]) -> Iterator[LocalFile]:
    folder = f"{root}/{inner}" if inner else root
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise InvalidInput(f"The folder {folder!r} can't be read: {error.strerror}") from error
    for entry in entries:
        path = f"{inner}/{entry.name}" if inner else entry.name
        fault = path_fault(path)
        if fault:
            raise InvalidInput(
                f"The name {path!r} in {root!r} can't be kept: {fault}", hint="Rename the file"
            )
        real = _follow(root, entry, path) if entry.is_symlink() else ""
        if entry.is_dir():
            inside = real or os.path.join(above[-1], entry.name)
            if inside in above:
                raise InvalidInput(f"The link {path!r} in {root!r} leads to a folder that holds it")
            yield from _walk(root, path, (*above, inside))
        elif entry.is_file():
            yield LocalFile(path, entry.path)
        else:
            raise InvalidInput(
                f"{path!r} in {root!r} is neither a file nor a folder",
                hint="Remove it, or version the folders beside it",
            )


def _follow(root: str, entry: "os.DirEntry[str]", path: str) -> str:
    try:
        real = os.path.realpath(entry.path, strict=True)
    except OSError as error:
        raise InvalidInput(
            f"The link {path!r} in {root!r} leads nowhere: {error.strerror}"
        ) from error
    if not real.startswith(f"{root}/") and real != root:
        raise InvalidInput(
            f"The link {path!r} leads out of {root!r}, to {real!r}",
            hint="Copy what it leads to, or version that folder by itself",
        )
    return real


def _check_alike(files: list[LocalFile]) -> None:
    """Raise where a disk that folds case or Unicode forms would mix two files up."""
    seen: dict[str, str] = {}
    for file in files:
        folded = unicodedata.normalize("NFC", file.path).casefold()
        other = seen.setdefault(folded, file.path)
        if other != file.path:
            raise InvalidInput(
                f"The names {other!r} and {file.path!r} differ by case or Unicode form only",
                hint="Rename one of them, since many disks hold only one",
            )


def read_stable(file: LocalFile, take: Callable[[bytes], str]) -> tuple[int, str, list[str]]:
    """Read a file in chunks, and make sure that it stood still meanwhile.

    Args:
        file: The file; when it changes while it is read, it is read once more.
        take: Gets each chunk, and gives its digest.

    Returns:
        The size, the digest of the whole, and the digests of the chunks.

    Raises:
        InvalidInput: The file can't be read, or changed again.
    """
    for _ in range(_ATTEMPTS):
        try:
            with open(file.source, "rb") as stream:
                before = os.fstat(stream.fileno())
                size, digest, chunks = _read(iter(split(stream)), take)
            after = os.stat(file.source)
        except MlkitError:  # of what takes the chunks
            raise
        except OSError as error:
            raise InvalidInput(
                f"The file {file.source!r} can't be read: {error.strerror}",
                hint="Check that it exists and its permissions",
            ) from error
        if _state(before) == _state(after) and size == after.st_size:
            return size, digest, chunks
    raise InvalidInput(
        f"The file {file.source!r} changed while it was read",
        hint="Do it again when nobody writes to it; no version was made",
    )


def _read(pieces: Iterator[bytes], take: Callable[[bytes], str]) -> tuple[int, str, list[str]]:
    hasher = Hasher()
    size = 0
    chunks: list[str] = []
    held = b""
    for piece in pieces:
        if held:  # the digest of an only chunk is that of the file
            hasher.update(held)
        chunks.append(take(piece))
        size += len(piece)
        held = piece
    if len(chunks) == 1:
        return size, chunks[0], chunks
    hasher.update(held)
    return size, hasher.digest, chunks


def _state(status: os.stat_result) -> tuple[int, ...]:
    return (
        status.st_size,
        status.st_mtime_ns,
        status.st_ino,
        status.st_dev,
        stat.S_IFMT(status.st_mode),
    )
