"""What killed processes have left half written beside the objects of a local store."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

from mlkit.storage.paths import STORE_DOCUMENT, TEMPORARY
from mlkit.storage.protocol import Storage


def old_temporary(storage: Storage, before: int) -> Iterator[tuple[Path, int]]:
    """Give the temporary files that nobody has written to since a time, with their sizes.

    Object stores have none: there a body has no name until it is whole.

    Args:
        storage: The store's storage.
        before: The time, in nanoseconds since 1970, UTC.
    """
    document = storage.local_path(STORE_DOCUMENT)
    if document is None:
        return
    for folder in sorted(document.parent.glob(f"{TEMPORARY}*")):
        if folder.is_symlink() or not folder.is_dir():
            continue
        with suppress(PermissionError):  # another user's
            for place in sorted(folder.iterdir()):
                with suppress(FileNotFoundError):
                    status = place.lstat()
                    if S_ISREG(status.st_mode) and status.st_mtime_ns < before:
                        yield place, status.st_size
