"""Checks a whole store: every object, every run's records, and what is missing."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlkit.data import datasets as datasets_room
from mlkit.data.identity import TableHasher
from mlkit.data.storing.file_contents import files_digest
from mlkit.errors import Corrupt, MlkitError, StorageFault
from mlkit.objects.blobs import ROOT, object_path
from mlkit.objects.series import Series
from mlkit.objects.verify import Problem, verify_objects
from mlkit.storage.protocol import Storage
from mlkit.store.gc import is_being_removed
from mlkit.store.references import folders
from mlkit.tracking.renumbering import Renumberings
from mlkit.tracking.runs import Runs

if TYPE_CHECKING:
    from mlkit.data.datasets import Datasets
    from mlkit.data.version import DatasetVersion
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
    damaged: set[str] = set()
    hurt: set[str] = set()
    for problem in verify_objects(storage, uses):
        damaged.add(problem.path)
        hurt.update(problem.hurts)
        yield problem
    yield from (problem for problem in senseless if problem.path not in damaged)
    hurt.update(name for problem in senseless for name in problem.hurts)
    yield from _misnamed(datasets, {name.partition(" ")[0] for name in hurt})
    for run_id, files in folders(storage).items():
        if not is_being_removed(storage, run_id, files):
            yield from runs.verify(run_id)
    yield from Renumberings(storage).verify()


def check_files_digest(version: "DatasetVersion") -> None:
    """Raise where a version of files has another digest than the files that it lists.

    Raises:
        NotFound: The list of files is missing.
        Corrupt: It is damaged, or the digest is that of other files.
    """
    if version.kind != "table":
        _require(version, files_digest(version.kind, version.listing))


def _check_table_digest(version: "DatasetVersion") -> None:
    """Raise where a version of a table has another digest than its values; reads all of them."""
    if version.kind == "table":
        hasher, rows = TableHasher(version.schema), 0
        for batch in version.batches():
            hasher.update(batch)
            rows += batch.num_rows
        _require(version, hasher.identity(rows).digest)


def _require(version: "DatasetVersion", digest: str) -> None:
    if version.digest != digest:
        raise Corrupt(
            f"{version.ref} says that its digest is {version.digest}, and its content has {digest}",
            hint="The version was not made by mlkit, or was tampered with",
        )


def _misnamed(datasets: "Datasets", hurt: set[str]) -> Iterator[Problem]:
    """Give the versions whose content has another digest than they say.

    Args:
        datasets: The datasets.
        hurt: Versions of which something else is wrong that was told already.
    """
    for name in datasets.names():
        for number in Series(datasets.storage, f"{datasets_room.ROOT}/{name}", "").numbers():
            ref = f"{name}:{number}"
            if ref in hurt:
                continue
            try:
                version = datasets[name][number]
                check_files_digest(version)
                _check_table_digest(version)
            except StorageFault:
                raise
            except MlkitError as error:
                path = f"{datasets_room.ROOT}/{name}/{number}.json"
                yield Problem(path, error.message, (ref,))
