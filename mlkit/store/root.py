"""The document at the root of a store: its format, its id, and what its storage can do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from mlkit._core.clock import Clock, iso
from mlkit._core.codec import decode_document, encode_document
from mlkit._core.ids import uuid7
from mlkit.errors import AlreadyExists, NotAStore, NotFound
from mlkit.storage.paths import STORE_DOCUMENT
from mlkit.storage.probing import FOLDER as PROBING
from mlkit.storage.probing import probe
from mlkit.storage.protocol import Capabilities, Storage
from mlkit.storage.wrapped import LimitedStorage

_KIND = "store"


@frozen
class Root:
    """An opened store's root.

    Attributes:
        store_id: The store's id, which copies of it share.
        storage: Its storage, which says of itself what probing found when the store was made.
    """

    store_id: str
    storage: Storage


def open_root(storage: Storage, clock: Clock) -> Root:
    """Open the store at a storage's root; where there is nothing yet, make one.

    Args:
        storage: The storage.
        clock: Gives the time.

    Raises:
        NotAStore: There are other things at the root.
        NewerFormat: A newer mlkit made the store.
        ReadOnly: There is nothing, and nothing can be made.
    """
    fields: Mapping[str, Any] | None = _read(storage)
    if fields is None:
        _refuse_file(storage.url)
        strangers = [name for name in storage.children() if name.rstrip("/") != PROBING]
        if STORE_DOCUMENT in strangers:  # another process has made the store in this moment
            fields = _read(storage)
    if fields is None:
        if strangers:
            message = f"{storage.url} is no mlkit store: it holds {', '.join(strangers[:3])}"
            raise NotAStore(
                message + (" …" if len(strangers) > 3 else ""),  # noqa: PLR2004 - fits a line
                hint="Give the folder of a store, or a new or empty folder to make one",
            )
        fields = _make(storage, clock)
    return Root(fields["id"], _as_probed(storage, fields["capabilities"]))


def _refuse_file(url: str) -> None:
    """Raise when the place is a file of this machine, or lies below one."""
    for place in (Path(url), *Path(url).parents):
        if place.is_file():
            message = f"{str(place)!r} is a file, so there can be no store at {url!r}"
            raise NotAStore(message, hint="Give a folder, or a URL such as 's3://bucket/folder'")


def _make(storage: Storage, clock: Clock) -> Mapping[str, Any]:
    found = probe(storage)
    now = clock()
    fields = {
        "id": uuid7(now),
        "created_at": iso(now),
        "capabilities": {
            "exclusive_create": found.exclusive_create,
            "append": found.append,
        },
    }
    try:
        storage.create(STORE_DOCUMENT, encode_document(_KIND, fields))
    except AlreadyExists:  # another process made it in this moment: its id counts
        return _read(storage) or fields
    return fields


def _read(storage: Storage) -> dict[str, Any] | None:
    try:
        data = storage.read(STORE_DOCUMENT)
    except NotFound:
        return None
    return decode_document(data, _KIND, f"{storage.url}/{STORE_DOCUMENT}")


def _as_probed(storage: Storage, probed: Mapping[str, bool]) -> Storage:
    """Give a storage that promises no more than it declares and was found to do."""
    declared = storage.capabilities
    both = Capabilities(
        exclusive_create=declared.exclusive_create and probed["exclusive_create"],
        append=declared.append and probed["append"],
    )
    return storage if both == declared else LimitedStorage(storage, both)
