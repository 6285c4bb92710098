"""Checks a whole store: every object, every run's records, and what is missing."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlkit.errors import MlkitError
from mlkit.objects.blobs import ROOT, object_path
from mlkit.objects.verify import Problem, verify_objects
from mlkit.storage.protocol import Storage
from mlkit.store.gc import is_being_removed
from mlkit.store.references import folders
from mlkit.tracking.renumbering import Renumberings
from mlkit.tracking.runs import Runs

if TYPE_CHECKING:
    from mlkit.data.datasets import Datasets
    from mlkit.models.registry import Models


def verify_store(
    storage: Storage, *, runs: Runs, datasets: "Datasets", models: "Models"
) -> Iterator[Problem]:
    """Read everything in a store, and give what is wrong with it and what that hurts.

    Args:
        storage: The store's storage.
        runs: Its runs.
        datasets: Its datasets.
        models: Its models.
    """
    uses: dict[str, list[str]] = {}
    for run in runs:
        try:
            for artifact in run.contents():
                path = object_path(ROOT, artifact.digest)
                uses.setdefault(path, []).append(f"run {run.id} ({artifact.name})")
        except (MlkitError, OSError):
            continue  # its own check below says what is wrong
    senseless: list[Problem] = []
    for path, reference in (*datasets.uses(senseless.append), *models.uses(senseless.append)):
        uses.setdefault(path, []).append(reference)
    damaged = set()
    for problem in verify_objects(storage, uses):
        damaged.add(problem.path)
        yield problem
    yield from (problem for problem in senseless if problem.path not in damaged)
    for run_id, files in folders(storage).items():
        if not is_being_removed(storage, run_id, files):
            yield from runs.verify(run_id)
    yield from Renumberings(storage).verify()
