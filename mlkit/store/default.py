"""The store that is used where none is named."""

from typing import TYPE_CHECKING

from mlkit.store.store import Store

if TYPE_CHECKING:
    from os import PathLike

_default: Store | None = None


def set_store(store: "Store | str | PathLike[str] | None") -> Store | None:
    """Set the store, and give it; None goes back to `$MLKIT_STORE`, else `.mlkit`.

    Args:
        store: A store, or where one is.
    """
    global _default  # noqa: PLW0603 - the default store is hidden state, by design the only one
    _default = store if store is None or isinstance(store, Store) else Store(store)
    return _default


def get_store() -> Store:
    """Give the store, opened at the first call."""
    global _default  # noqa: PLW0603 - see set_store
    if _default is None:
        _default = Store()
    return _default
