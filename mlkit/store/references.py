"""What the runs, datasets and models of a store refer to, so that the rest is known as garbage."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from attrs import field, frozen

from mlkit._core.ids import is_uuid7
from mlkit.display.progress import Progress
from mlkit.errors import Corrupt, MlkitError, NewerFormat, NotFound
from mlkit.metrics.reader import read_segment
from mlkit.metrics.records import Event
from mlkit.objects.blobs import ROOT, object_path
from mlkit.objects.verify import Problem
from mlkit.storage.parallel import each, threads_for
from mlkit.tracking.checking import SEGMENT, endings
from mlkit.tracking.documents import BEGINNING, read_end

if TYPE_CHECKING:
    from mlkit.data.datasets import Datasets
    from mlkit.models.registry import Models
    from mlkit.storage.protocol import Storage
    from mlkit.tracking.runs import Runs

_RUNS = "runs"
_UNREADABLE = (Corrupt, NewerFormat, NotFound, LookupError, TypeError, ValueError, AttributeError)

Files = Mapping[str, int]
"""The files of a run's folder, with their sizes."""


@frozen
class RunReferences:
    """What one run refers to.

    Attributes:
        run_id: The run.
        files: The files of its folder, with their sizes.
        paths: The objects that it refers to.
        deleted_at: When it was deleted, in nanoseconds since 1970, UTC; None where it isn't.
        fault: Why what it refers to can't be known; empty where it is.
    """

    run_id: str
    files: Files = field(repr=False)
    paths: frozenset[str] = frozenset()
    deleted_at: int | None = None
    fault: str = ""


def folders(storage: "Storage") -> dict[str, dict[str, int]]:
    """Give the folders of runs by the run's id: their files with their sizes, from one listing."""
    found: dict[str, dict[str, int]] = {}
    for entry in storage.list(_RUNS):
        _, run_id, name = entry.path.split("/", 2) if entry.path.count("/") > 1 else ("", "", "")
        if is_uuid7(run_id):
            found.setdefault(run_id, {})[name] = entry.size
    return found


def files_of(storage: "Storage", run_id: str) -> dict[str, int]:
    """Give the files of one run's folder, with their sizes, as it is now."""
    folder = f"{_RUNS}/{run_id}"
    return {entry.path[len(folder) + 1 :]: entry.size for entry in storage.list(folder)}


def run_references(storage: "Storage", runs: "Runs", progress: Progress) -> Iterator[RunReferences]:
    """Give what each run refers to, also those that haven't begun or are deleted.

    Args:
        storage: The store's storage.
        runs: Its runs.
        progress: Counts them.
    """
    found = folders(storage)
    progress.stage("reading runs", total=len(found))

    def read(run_id: str) -> RunReferences:
        return references_of(storage, runs, run_id, found[run_id])

    for told in each(read, sorted(found), threads=threads_for(storage)):
        progress.add()
        yield told


def references_of(storage: "Storage", runs: "Runs", run_id: str, files: Files) -> RunReferences:
    """Give what one run refers to.

    Args:
        storage: The store's storage.
        runs: Its runs.
        run_id: The run.
        files: The files of its folder, with their sizes.
    """
    deleted_at, fault = None, ""
    paths: frozenset[str] = frozenset()
    try:
        deleted_at = runs.as_it_lies(run_id, files).deleted_at
        paths = frozenset(
            object_path(ROOT, digest) for digest in _digests(storage, runs, run_id, files)
        )
    except _UNREADABLE as error:
        now = files_of(storage, run_id)
        if now.keys() != files.keys():  # it lost or got a file while it was read
            return references_of(storage, runs, run_id, now)
        fault = error.message if isinstance(error, MlkitError) else repr(error)
    return RunReferences(run_id, files, paths, deleted_at, fault)


def _digests(storage: "Storage", runs: "Runs", run_id: str, files: Files) -> list[str]:
    if BEGINNING in files:
        return [content.digest for content in runs.as_it_lies(run_id, files).contents()]
    folder = f"{_RUNS}/{run_id}"  # the rest of a run whose beginning is still to come
    told = [read_end(storage, folder, name) for name in endings(files)]
    kept = [
        fields["digest"]
        for end in told
        for fields in [*end["artifacts"].values(), *end.get("sources", {}).values()]
    ]
    for name in sorted(files):
        if name.endswith(SEGMENT):
            path = f"{folder}/{name}"
            kept += [
                record.body["digest"]
                for record in read_segment(storage.read(path), path)
                if isinstance(record, Event) and record.name in {"artifact", "source"}
            ]
    return kept


def version_references(
    datasets: "Datasets", models: "Models", progress: Progress
) -> tuple[set[str], list[Problem]]:
    """Give the objects that versions of datasets and models refer to.

    Args:
        datasets: The store's datasets.
        models: Its models.
        progress: Counts what is referred to.

    Returns:
        The paths, and the problems of versions of which it can't be known.
    """
    progress.stage("reading versions")
    problems: list[Problem] = []
    paths = set()
    for uses in (datasets.uses, models.uses):
        for path, _ in uses(problems.append):
            progress.add()
            paths.add(path)
    return paths, [problem for problem in problems if problem.hurts]  # an alias refers to nothing
