"""Folders on the local disk: which files they hold, and their bytes, exactly as they are."""
# pathlib would cost more than the system calls it wraps, a million times:
# ruff: noqa: PTH112, PTH116

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlkit.data.storing.found_files import FileState, FoundFiles
from mlkit.errors import InvalidInput
from mlkit.objects.manifest import ODD, path_fault

_LONG = 1000

CHECKING_OUT = re.compile(r"\.mlkit-checkout-[0-9a-f]{16}")
"""The names of folders of checkouts that go on, or were killed; they are never versioned."""


def single_file(file: Path) -> FoundFiles:
    """Give one file, under its own name.

    Raises:
        InvalidInput: There is no such file, or its name can't be kept.
    """
    fault = path_fault(file.name)
    if fault:
        raise InvalidInput(f"The name {file.name!r} can't be kept: {fault}")
    found = FoundFiles(str(file.parent))
    try:
        found.add(file.name, FileState.of(os.stat(file)))
    except OSError as error:
        raise InvalidInput(f"The file {str(file)!r} can't be read: {error.strerror}") from error
    return found


def files_of(folder: Path) -> FoundFiles:
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
    found = FoundFiles(root)
    for path, state in _walk(root):
        found.add(path, state)
    if not len(found):
        raise InvalidInput(
            f"The folder {str(folder)!r} holds no file", hint="A version needs one at least"
        )
    check_alike(found.paths)
    return found.sorted()


def _walk(root: str) -> Iterator[tuple[str, FileState]]:
    """Give the files at any depth, in no order; links are followed within the folder only."""
    waiting: list[tuple[str, tuple[str, ...]]] = [("", (root,))]
    while waiting:
        inner, above = waiting.pop()
        for entry in _scan(f"{root}/{inner}" if inner else root):
            path = f"{inner}/{entry.name}" if inner else entry.name
            if CHECKING_OUT.fullmatch(entry.name):
                continue
            if ODD.search(entry.name) or len(path) > _LONG:
                _check_path(root, path)
            real = _follow(root, entry, path) if entry.is_symlink() else ""
            if entry.is_file():
                yield path, _state(entry)
            elif entry.is_dir():
                inside = real or f"{above[-1]}/{entry.name}"
                if inside in above:
                    raise InvalidInput(
                        f"The link {path!r} in {root!r} leads to a folder that holds it"
                    )
                waiting.append((path, (*above, inside)))
            else:
                raise InvalidInput(
                    f"{path!r} in {root!r} is neither a file nor a folder",
                    hint="Remove it, or version the folders beside it",
                )


def _scan(folder: str) -> "list[os.DirEntry[str]]":
    try:
        with os.scandir(folder) as scanned:
            return list(scanned)
    except OSError as error:
        raise InvalidInput(f"The folder {folder!r} can't be read: {error.strerror}") from error


def _check_path(root: str, path: str) -> None:
    fault = path_fault(path)
    if fault:
        raise InvalidInput(
            f"The name {path!r} in {root!r} can't be kept: {fault}", hint="Rename the file"
        )


def _state(entry: "os.DirEntry[str]") -> FileState:
    try:
        return FileState.of(entry.stat())
    except OSError as error:
        raise InvalidInput(
            f"The file {entry.path!r} can't be read: {error.strerror}",
            hint="Do it again when nobody writes to the folder; no version was made",
        ) from error


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


def check_alike(paths: Iterable[str]) -> None:
    """Raise where a disk that folds case or Unicode forms would mix two files up.

    Args:
        paths: The paths of all files.

    Raises:
        InvalidInput: Two differ by case or Unicode form only; the message names them.
    """
    seen: dict[str, str] = {}
    for path in paths:
        plain = path.isascii() and path.islower()  # of which a copy would only take memory
        folded = path if plain else unicodedata.normalize("NFC", path).casefold()
        other = seen.setdefault(folded, path)
        if other != path:
            raise InvalidInput(
                f"The names {other!r} and {path!r} differ by case or Unicode form only",
                hint="Rename one of them, since many disks hold only one",
            )
