"""The runs that this process writes, and how another process joins one of them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

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
    """
    run = live.get((store_id, head["id"]))
    if run is not None and not run.finished:
        return run
    joined: ActiveRun = reopen().runs.join(head)
    return joined
