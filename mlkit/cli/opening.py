"""Opens the store that a command is about; a command never makes one."""

from typing import TYPE_CHECKING

from mlkit._core.settings import default_store_url
from mlkit.errors import NotAStore
from mlkit.storage.opening import open_storage

if TYPE_CHECKING:
    from mlkit.store.store import Store


def open_store(url: str | None) -> "Store":
    """Give the store at a URL.

    Args:
        url: Where it is; `$MLKIT_STORE`, else `.mlkit`, where none is given.

    Raises:
        NotAStore: There is none.
    """
    from mlkit.storage.paths import STORE_DOCUMENT
    from mlkit.store.store import Store

    place = url or default_store_url()
    storage = open_storage(place, None)
    if STORE_DOCUMENT not in storage.children():
        message = f"There is no mlkit store at {storage.url}"
        raise NotAStore(message, hint="Name one by --store, or by $MLKIT_STORE")
    return Store(place)
