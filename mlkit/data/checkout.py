"""Versions as folders on the local disk: written file by file, each whole or not at all."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from mlkit._core.hashing import digest_file
from mlkit._core.ids import token
from mlkit.errors import InvalidInput, StorageFault
from mlkit.objects.manifest import FileEntry


class Pieces(Protocol):
    """What gives the checked bytes of a file."""

    def __call__(self, entry: FileEntry, /) -> Iterator[bytes]:
        """Give the bytes of a file, piece by piece."""
        ...


def check_out(entries: Iterable[FileEntry], folder: Path, pieces: Pieces) -> Path:
    """Make a folder hold the files of a version; other files in it stay.

    Only files that differ are written, each under a temporary name first. Nothing is written
    outside of the folder, not even through links that lie in it.

    Args:
        entries: The files.
        folder: Where they go; it is made when it doesn't exist.
        pieces: Gives the bytes of each.

    Returns:
        The folder.

    Raises:
        InvalidInput: A folder stands where a file must go, or a file or link where a folder must.
        Corrupt: The bytes of a file don't match its digest; the file is left as it was.
        StorageFault: The disk failed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        root = folder.resolve(strict=True)
        ready: set[Path] = set()
        for entry in entries:
            target = root.joinpath(*entry.path.split("/"))
            if target.parent not in ready:
                _make_folder(root, target.parent)
                ready.add(target.parent)
            if target.is_dir() and not target.is_symlink():
                raise InvalidInput(
                    f"{str(target)!r} is a folder, and must become a file",
                    hint="Remove it, or check out into another folder",
                )
            if not _same(target, entry):
                _write(target, pieces(entry))
    except (FileExistsError, NotADirectoryError) as error:
        raise InvalidInput(f"{error.filename!r} is a file, and must be a folder") from error
    except OSError as error:
        if isinstance(error, StorageFault):
            raise
        raise StorageFault(f"{str(folder)!r} can't be written: {error.strerror}") from error
    return folder


def _make_folder(root: Path, folder: Path) -> None:
    """Make a folder below the root, unless a link on the way would lead elsewhere."""
    for above in (*reversed(folder.relative_to(root).parents), folder.relative_to(root)):
        if above.parts and (root / above).is_symlink():
            raise InvalidInput(
                f"{str(root / above)!r} is a link, so files below it would be written elsewhere",
                hint="Remove the link, or check out into another folder",
            )
    folder.mkdir(parents=True, exist_ok=True)


def _same(target: Path, entry: FileEntry) -> bool:
    """Tell whether the file is there already; a link never is the file it leads to."""
    return (
        bool(entry.digest)
        and not target.is_symlink()
        and target.is_file()
        and target.stat().st_size == entry.size
        and digest_file(target) == entry.digest
    )


def _write(target: Path, pieces: Iterator[bytes]) -> None:
    temporary = target.with_name(f".mlkit-{token()}")
    try:
        with temporary.open("xb") as stream:
            for piece in pieces:
                stream.write(piece)
        os.replace(temporary, target)  # noqa: PTH105 - the pair of names reads better
    finally:
        temporary.unlink(missing_ok=True)
