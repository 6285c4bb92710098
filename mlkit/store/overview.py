"""Gathers what a page of a store shows."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from mlkit._core.clock import now_ns
from mlkit._core.ids import token
from mlkit.errors import MlkitError
from mlkit.objects.aliases import AliasEntry
from mlkit.reports.overview import PLACES, ModelOverview, Overview, Said

if TYPE_CHECKING:
    from mlkit.models.model import Model
    from mlkit.store.store import Store


V_co = TypeVar("V_co", covariant=True)


class Numbered(Protocol[V_co]):
    """A dataset or model: its versions by number."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    def numbers(self) -> list[int]:
        """Give the numbers of its versions."""
        ...

    def __getitem__(self, number: int, /) -> V_co:
        """Give one version."""
        ...


def overview_of(store: "Store", title: str) -> Overview:
    """Give all that a page of a store shows, from all its rooms, and what can't be read."""
    damaged: list[str] = []
    datasets = [
        version
        for name in store.datasets.names()
        for version in _readable(store.datasets[name], damaged)
    ]
    said = {ref: one for name in store.datasets.names() for ref, one in _said(store, name, damaged)}
    models = [_model(store, name, damaged) for name in store.models.names()]
    notice = [("damaged", f"{'; '.join(damaged)}. store.verify() says more")] if damaged else []
    return Overview(
        url=store.url,
        made_at=now_ns(),
        title=title,
        runs=list(store.runs.readable()),
        datasets=datasets,
        said=said,
        models=models,
        places=[*notice, *PLACES],
    )


def _readable(versions: "Numbered[V_co]", damaged: list[str]) -> list[V_co]:
    """Give the versions that can be read, and note those that can't."""
    found = []
    for number in versions.numbers():
        try:
            found.append(versions[number])
        except MlkitError as error:
            damaged.append(f"version {number} of {versions.name} can't be read: {error.message}")
    return found


def _said(store: "Store", name: str, damaged: list[str]) -> Iterator[tuple[str, Said]]:
    """Give what was said of the versions of a dataset, and note what of it can't be read."""
    dataset = store.datasets[name]
    aliases: dict[str, int] = {}
    try:
        aliases = dataset.aliases()
    except MlkitError as error:
        damaged.append(f"aliases of {name} can't be read: {error.message}")
    for version in _readable(dataset, []):
        held = [alias for alias, number in aliases.items() if number == version.number]
        tags, notes = dict[str, str](), list[str]()
        try:
            tags, notes = version.tags, [note["text"] for note in version.notes]
        except MlkitError as error:
            damaged.append(f"what was said of {version.ref} can't be read: {error.message}")
        if held or tags or notes:
            yield version.ref, Said(aliases=held, tags=tags, notes=notes)


def _model(store: "Store", name: str, damaged: list[str]) -> ModelOverview:
    model = store.models[name]
    aliases = model.aliases()
    monitor = store.monitor(name)
    return ModelOverview(
        name=name,
        versions=_readable(model, damaged),
        aliases=aliases,
        moves=_moves(model),
        checks=monitor.history(),
        decisions=monitor.decisions(),
        lineage={alias: _lineage(store, f"{name}@{alias}") for alias in aliases},
    )


def _moves(model: "Model") -> list[AliasEntry]:
    """Give what happened to the aliases and what was refused, the oldest first."""
    made = [entry for alias in model.aliases() for entry in model.history(alias)]
    refused = [
        AliasEntry(
            number=one.number,
            alias=one.alias,
            version=one.version,
            replaced=one.holder,
            at=one.at,
            user=one.user,
            reason=one.reason,
            action="refused",
            gate_report=one.gate_report,
        )
        for one in model.refusals()
    ]
    return sorted([*made, *refused], key=lambda move: move.at)


def _lineage(store: "Store", reference: str) -> str:
    try:
        return store.lineage(reference).text()
    except MlkitError as error:
        return str(error)  # the page shows what is damaged instead of failing over it


def write_page(html: str, path: Path) -> Path:
    """Write a page to a file, whole or not at all.

    Args:
        html: The page.
        path: The file; a folder, or a name without an ending, gets `index.html`.

    Returns:
        The file.
    """
    file = path / "index.html" if path.is_dir() or not path.suffix else path
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{token()}")
    try:
        temporary.write_text(html, encoding="utf-8")
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
    return file
