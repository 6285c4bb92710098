"""What a run is handed when it starts: the store's rooms, and what it was before."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mlkit._core.clock import Clock
from mlkit.objects.blobs import Blobs
from mlkit.storage.protocol import Storage
from mlkit.tracking.courier import Courier
from mlkit.tracking.outbox import Outbox
from mlkit.tracking.renumbering import Renumberings
from mlkit.tracking.state import RunState

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit.data.datasets import Datasets
    from mlkit.data.version import DatasetVersion
    from mlkit.models.package import ModelVersion
    from mlkit.models.registry import Models
    from mlkit.tracking.experiments import Experiments


@frozen
class Surroundings:
    """What a run is handed by the store that it belongs to.

    Attributes:
        store_id: The store's id.
        storage: Its storage.
        outbox: Where what the store doesn't take waits.
        courier: Sends what waits there.
        blobs: The store's whole files.
        datasets: Gives the store's datasets, when they are first needed.
        models: Gives the store's models, alike.
        experiments: Gives the store's experiments, alike.
        renumberings: Says which versions have another number here than where runs used them.
        points: Gives the points of a metric of a run from the tables, None where they lack them.
        clock: Gives the time.
        strict: Whether faults of the storage are raised.
        reopen: Opens the store in another process; pickled with a run.
        begun: Is called whenever this process begins a segment, so that it is looked after.
        ended: Is called when a run has ended.
        terminations: Gives how many times SIGTERM has come to this process.
    """

    store_id: str
    storage: Storage
    outbox: Outbox
    courier: Courier
    blobs: Blobs
    datasets: "Callable[[], Datasets]"
    models: "Callable[[], Models]"
    experiments: "Callable[[], Experiments]"
    renumberings: Renumberings
    points: "Callable[[str, str], pa.Table | None]"
    clock: Clock
    strict: bool
    reopen: Callable[[], Any]
    begun: Callable[[], object]
    ended: Callable[[], object]
    terminations: Callable[[], int]


@frozen
class Earlier:
    """What a run that is resumed was before.

    Attributes:
        head: The document that began it.
        state: What its records added up to.
        segments: Which segments those were, with their sizes.
        records: How many records each had, where that is known.
        endings: How many times it has ended.
    """

    head: Mapping[str, Any]
    state: RunState
    segments: Mapping[str, int] = field(factory=dict)
    records: Mapping[str, int] = field(factory=dict)
    endings: int = 0


def link_to(kind: str, version: "DatasetVersion | ModelVersion") -> dict[str, Any]:
    """Give what ties a run to a version that it read or made."""
    return {"kind": kind, "ref": version.ref, "digest": version.digest}
