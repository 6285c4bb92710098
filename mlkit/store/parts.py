"""What of a store is handed to what works on all of it."""

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from mlkit.data.datasets import Datasets
    from mlkit.models.registry import Models
    from mlkit.storage.protocol import Storage
    from mlkit.tracking.runs import Runs


@frozen(kw_only=True)
class Parts:
    """The parts of a store.

    Attributes:
        storage: Its storage.
        runs: Its runs.
        datasets: Its datasets.
        models: Its models.
        single_writer: Whether the caller promised to be the only writer.
    """

    storage: "Storage"
    runs: "Runs"
    datasets: "Datasets"
    models: "Models"
    single_writer: bool = False
