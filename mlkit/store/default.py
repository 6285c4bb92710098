"""The store that is used where none is named."""

from typing import TYPE_CHECKING, overload

from mlkit.store.store import Store

if TYPE_CHECKING:
    from os import PathLike

_default: Store | None = None


@overload
def set_store(store: None) -> None: ...


@overload
def set_store(store: "Store | str | PathLike[str]") -> Store: ...


def set_store(store: "Store | str | PathLike[str] | None") -> Store | None:
    """Set the store that the module-level verbs use.

    Args:
        store: A store, or where one is; None goes back to `$MLKIT_STORE`, else `.mlkit`.

    Returns:
        The store.

    Example:
        >>> import mlkit
        >>> mlkit.set_store("memory://fluent-example")
        Store('memory://fluent-example')
    """
    global _default  # noqa: PLW0603 - the default store is hidden state, by design the only one here
    _default = store if store is None or isinstance(store, Store) else Store(store)
    return _default


def get_store() -> Store:
    """Give the store that the module-level verbs use, opened at the first call."""
    global _default  # noqa: PLW0603 - see set_store
    if _default is None:
        _default = Store()
    return _default
