"""The runs that this process writes, and how another process joins one of them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from mlkit.errors import StorageFault

if TYPE_CHECKING:
    from mlkit.tracking.active import ActiveRun

live: "WeakValueDictionary[tuple[str, str], ActiveRun]" = WeakValueDictionary()
"""Store id and run id to the run; so a run that comes pickled a thousand times is joined once."""


def join(reopen: Callable[[], Any], store_id: str, head: Mapping[str, Any]) -> "ActiveRun":
    """Give the run that was pickled: this process's own object of it, or one that joins it.

    Args:
        reopen: Opens the store.
        store_id: The store's id.
        head: What the run's first document says.

    Raises:
        StorageFault: The store isn't there in this process.
    """
    run = live.get((store_id, head["id"]))
    if run is not None and (run.owns or not run.finished):
        return run
    store = reopen()
    if store.id != store_id:
        message = f"There is another store at {store.url} than that of run {head['id']}"
        raise StorageFault(message, hint="Mount the store's folder on this machine too")
    joined: ActiveRun = store.runs.join(head)
    return joined
