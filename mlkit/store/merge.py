"""Merging: all that another store has and this one lacks, copied so that it is seen when whole."""

import re
from typing import TYPE_CHECKING

from mlkit._core.ids import is_uuid7
from mlkit.display.progress import Progress
from mlkit.errors import NotAStore
from mlkit.storage.parallel import each
from mlkit.storage.paths import STORE_DOCUMENT
from mlkit.store.copying import ROOTS, Copying
from mlkit.store.merge_report import MergeReport
from mlkit.store.references import folders
from mlkit.store.renumbering import meaning, renumber
from mlkit.store.run_copying import RunCopying
from mlkit.store.version_copying import VersionCopying, all_versions
from mlkit.tracking.naming import ExperimentEdit

if TYPE_CHECKING:
    from mlkit.storage.protocol import Entry, Storage
    from mlkit.store.parts import Parts

_CONTENT = re.compile(r"(?:blobs|packs)/(?P<start>[0-9a-f]{2})/(?P=start)[0-9a-f]{62}")
_EXPERIMENTS = "experiments"


def require_store_at(storage: "Storage") -> None:
    """Raise unless there is a store at a place: reading from one never makes one.

    Raises:
        NotAStore: There is none.
    """
    if STORE_DOCUMENT not in storage.children():
        message = f"There is no mlkit store at {storage.url}"
        raise NotAStore(message, hint="Give the URL of a store, or a store that you have opened")


def merge(source: "Parts", target: "Parts", *, progress: bool | None = None) -> MergeReport:
    """Copy what another store has and this one lacks; see `Store.merge`.

    Args:
        source: The other store.
        target: This store.
        progress: Whether to show progress; by default on a terminal.
    """
    with Progress("merge", show=progress) as shown:
        theirs = folders(source.storage)  # first: what comes later stays for the next time
        meant = meaning(source.storage)
        datasets = all_versions(source.storage, "datasets")
        models = all_versions(source.storage, "models")
        copying = Copying(source.storage, target.storage, shown)
        _copy_contents(copying)
        versions = VersionCopying(
            copying, source.datasets, target.datasets, single_writer=target.single_writer
        )
        versions.copy_datasets(datasets)
        versions.copy_models(models)
        versions.copy_monitors()
        copy_experiments(copying, source.storage.children(_EXPERIMENTS))
        renumber(copying, versions, meant.refs)
        RunCopying(copying, source.runs).copy(theirs, folders(target.storage))
        copying.finish()
        return report_of(copying)


def report_of(copying: Copying) -> MergeReport:
    """Give what was copied as a report."""
    problems = {(one.path, one.what, one.hurts): one for one in copying.problems}
    return MergeReport(
        source=copying.source.url,
        target=copying.target.url,
        parts=copying.parts(),
        renumbered=tuple(copying.renumbered),
        problems=tuple(problems[key] for key in sorted(problems)),
    )


def copy_experiments(copying: Copying, names: list[str]) -> None:
    """Copy what was said of experiments.

    Args:
        copying: What is copied where.
        names: The documents, as they are called in their folder.
    """
    copying.progress.stage("copying experiments")
    here = set(copying.target.children(_EXPERIMENTS))
    for name in names:
        path = f"{_EXPERIMENTS}/{name}"
        if not (name.endswith(".json") and is_uuid7(name.removesuffix(".json"))):
            copying.problem(path, "nothing of this name belongs here")
        elif name in here:
            copying.was_there("edits of experiments")
        else:
            with copying.naming(path):
                data = copying.source.read(path)
                ExperimentEdit.decode(data, path)
                copying.target.create(path, data)
                copying.was_copied("edits of experiments", len(data))


def _copy_contents(copying: Copying) -> None:
    """Copy the whole files and packs that are lacking, whatever refers to them."""
    copying.progress.stage("copying contents")

    def copy(entry: "Entry") -> None:
        if _CONTENT.fullmatch(entry.path) is None:
            copying.problem(entry.path, "nothing of this name belongs here")
        else:
            copying.ensure(entry.path, "")

    found = (entry for root in ROOTS for entry in copying.source.list(root))
    for _ in each(copy, copying.lacking(found), threads=copying.threads):
        pass
