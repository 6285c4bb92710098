"""Exporting: some runs as a store of their own, with all that they kept, read and made."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import define, field

from mlkit._core.ids import is_uuid7
from mlkit._core.names import parse_reference
from mlkit.display.progress import Progress
from mlkit.errors import InvalidInput, MlkitError, NotFound
from mlkit.storage.parallel import each, threads_for
from mlkit.store.copying import Copying
from mlkit.store.merge import copy_experiments, report_of
from mlkit.store.references import Files, folders
from mlkit.store.renumbering import meaning, renumber
from mlkit.store.run_copying import RunCopying
from mlkit.store.version_copying import VersionCopying
from mlkit.tracking.documents import BEGINNING
from mlkit.tracking.naming import ExperimentEdit
from mlkit.tracking.reading import Run
from mlkit.tracking.renumbering import Named

if TYPE_CHECKING:
    from mlkit.data.version import DatasetVersion
    from mlkit.models.package import ModelVersion
    from mlkit.store.merge_report import MergeReport
    from mlkit.store.parts import Parts

_EXPERIMENTS = "experiments"
_CLOCKS = 2 * 24 * 3600 * 1000
"""So many milliseconds the clocks of two machines may differ."""

RunsToExport = str | Run | Iterable[str | Run]
"""A run or its id, or several: a list, or what a search gave."""


def export(
    source: "Parts", target: "Parts", wanted: Sequence[str], *, progress: bool | None = None
) -> "MergeReport":
    """Copy runs and all that they need; see `Store.export`.

    Args:
        source: The store that has the runs.
        target: The store that gets them.
        wanted: The ids of the runs.
        progress: Whether to show progress; by default on a terminal.
    """
    with Progress("export", show=progress) as shown:
        found = folders(source.storage)
        renumbering = meaning(source.storage)
        chosen = _with_children(source, wanted, found, shown)
        versions = _Versions(source)
        copying = Copying(source.storage, target.storage, shown)
        for run_id in chosen:
            with copying.naming(f"runs/{run_id}", f"run {run_id}"):
                run = source.runs.as_it_lies(run_id, found[run_id], lambda: renumbering)
                for link in (*run.inputs, *run.outputs):
                    versions.add(link)
        for ref, why in versions.lacking.items():
            copying.problem(ref, why)
        moved = VersionCopying(
            copying, source.datasets, target.datasets, single_writer=target.single_writer
        )
        moved.copy_datasets(versions.datasets)
        moved.copy_models(versions.models)
        copy_experiments(copying, _experiments(source, chosen, found))
        taken = {run_id: found[run_id] for run_id in chosen}
        renumber(copying, moved, {**renumbering.refs, **versions.meant})
        RunCopying(copying, source.runs).copy(taken, folders(target.storage))
        copying.finish()
        return report_of(copying)


def ids_of(source: "Parts", runs: RunsToExport) -> list[str]:
    """Give the ids of the runs that are meant, each once.

    Args:
        source: The store that has them.
        runs: Which.

    Raises:
        NotFound: There is no such run.
        InvalidInput: It is neither a run nor an id, nor several.
    """
    known = runs if isinstance(runs, str) else getattr(runs, "id", None)
    if isinstance(known, str):
        return [source.runs.get(known).id]
    if isinstance(runs, Iterable):
        return list(dict.fromkeys(one for run in runs for one in ids_of(source, run)))
    message = f"{runs!r} is no run"
    raise InvalidInput(message, hint="Give a run, its id, or a list of them")


def _with_children(
    source: "Parts", wanted: Sequence[str], found: Mapping[str, Files], progress: Progress
) -> list[str]:
    """Give the runs with all that are a part of them, at any depth."""
    progress.stage("looking for parts of the runs")
    first = _long_before(min(wanted)) if wanted else ""
    later = [run_id for run_id in sorted(found) if wanted and run_id > first]

    def parent_of(run_id: str) -> str | None:
        try:
            return source.runs.as_it_lies(run_id, found[run_id]).parent_id
        except MlkitError:  # it can't be read, so nobody knows whose part it is
            return None

    begun = [run_id for run_id in later if BEGINNING in found[run_id]]
    parts: dict[str | None, list[str]] = {}
    parents = each(parent_of, begun, threads=threads_for(source.storage))
    for run_id, parent in zip(begun, parents, strict=True):
        progress.add()
        parts.setdefault(parent, []).append(run_id)
    chosen = dict.fromkeys(wanted)
    waiting = list(chosen)
    while waiting:
        fresh = [one for one in parts.get(waiting.pop(), ()) if one not in chosen]
        chosen |= dict.fromkeys(fresh)
        waiting += fresh
    return sorted(chosen)


def _long_before(run_id: str) -> str:
    """Give an id below which no part of a run is, though clocks may differ by a day.

    Ids sort by time, and a part begins after the whole.
    """
    moment = max(int(run_id[:8] + run_id[9:13], 16) - _CLOCKS, 0)
    digits = f"{moment:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def _experiments(source: "Parts", chosen: list[str], found: Mapping[str, Files]) -> list[str]:
    """Give the documents that say something of the experiments of runs, renamed ones too."""
    names: set[str] = set()
    for run_id in chosen:
        try:
            names.add(source.runs.as_it_lies(run_id, found[run_id]).experiment)
        except MlkitError:  # it is named when it is copied
            continue
    told: dict[str, set[str]] = {}
    for name in source.storage.children(_EXPERIMENTS):
        path = f"{_EXPERIMENTS}/{name}"
        try:
            edit = ExperimentEdit.decode(source.storage.read(path), path)
        except MlkitError:
            continue
        told[name] = {edit.experiment, *filter(None, [edit.said.get("name")])}
    while grown := {one for about in told.values() if about & names for one in about} - names:
        names |= grown
    return [name for name, about in told.items() if about & names and is_uuid7(name[:-5])]


@define
class _Versions:
    """The versions that runs read or made, and those that these were made from."""

    source: "Parts"
    datasets: dict[str, set[int]] = field(factory=dict)
    models: dict[str, set[int]] = field(factory=dict)
    lacking: dict[str, str] = field(factory=dict)
    meant: dict[Named, str] = field(factory=dict)

    def add(self, link: Any) -> None:
        """Add what a link means, and all below it; what can't be found is kept as lacking."""
        waiting = [link]
        while waiting:
            one = waiting.pop()
            fields = one if isinstance(one, Mapping) else {"ref": one}
            kind, ref = str(fields.get("kind", "dataset")), str(fields.get("ref"))
            digest = str(fields.get("digest") or "")
            try:
                version = self._find(kind, ref, digest)
            except MlkitError as error:
                self.lacking[ref] = error.message
                continue
            self.meant[kind, ref, digest] = version.ref
            known = self.models if kind == "model" else self.datasets
            numbers = known.setdefault(version.name, set())
            if version.number not in numbers:
                numbers.add(version.number)
                waiting += getattr(version, "datasets" if kind == "model" else "inputs")

    def _find(self, kind: str, ref: str, digest: str) -> "DatasetVersion | ModelVersion":
        """Give the version of a reference; where its content is another one, that of the digest."""
        room = self.source.models if kind == "model" else self.source.datasets
        try:
            version = room.get(ref)
            if not digest or version.digest == digest:
                return version
        except NotFound:
            if not digest:
                raise
        return room.get(f"{parse_reference(ref).name}#{digest.removeprefix('sha256:')}")
