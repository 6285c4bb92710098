"""What a storage really does, found by trying."""

from contextlib import suppress

from mlkit._core.ids import token
from mlkit.errors import AlreadyExists, ReadOnly, StorageFault
from mlkit.storage.faulting import fault
from mlkit.storage.protocol import Capabilities, Storage

FOLDER = "probing"
"""Where the tries are made; nothing stays there."""


def probe(storage: Storage) -> Capabilities:
    """Try what a storage declares, and give what proved true.

    Some servers take a second create of a name without a word, and some drivers lose the race
    between looking and writing. So a capability counts only if it is declared by a driver that
    is known for it, and works here and now.

    Args:
        storage: The storage; nothing of the tries stays in it.

    Returns:
        The capabilities; none for a storage that only reads.

    Raises:
        StorageFault: The storage can't be reached.
    """
    declared = storage.capabilities
    path = f"{FOLDER}/{token()}"
    try:
        return Capabilities(
            exclusive_create=declared.exclusive_create
            and _refuses_second(storage, f"{path}-create"),
            append=declared.append and _appends(storage, f"{path}-append"),
        )
    except ReadOnly:
        return Capabilities(exclusive_create=False, append=False)


def _refuses_second(storage: Storage, path: str) -> bool:
    first, second = (token().encode() for _ in range(2))
    try:
        storage.create(path, first)
        try:
            storage.create(path, second)
        except AlreadyExists:
            return storage.read(path) == first
        return False
    finally:
        with suppress(StorageFault):  # what the try itself raised is the one to tell
            storage.delete(path)


def _appends(storage: Storage, path: str) -> bool:
    try:
        with storage.open_append(path) as file:
            try:
                for piece in (b"one", b"two"):
                    file.write(piece)
            except OSError as error:  # an open file raises plain errors
                raise fault(error, storage.url, path, writing=True) from error
        return storage.read(path) == b"onetwo"
    finally:
        with suppress(StorageFault):
            storage.delete(path)
