"""Collects from a store what its page shows."""

from collections.abc import Iterable
from typing import Any, Protocol

from mlkit._core.clock import Clock, now_ns
from mlkit.reports.overview import ModelOverview, Overview

TITLE = "From data to production"


class StoreLike(Protocol):
    """What gathering asks of a store."""

    @property
    def url(self) -> str:
        """Where it is."""
        ...

    @property
    def datasets(self) -> Any:
        """Its datasets."""
        ...

    @property
    def models(self) -> Any:
        """Its models."""
        ...

    def search_runs(self) -> Any:
        """Give all runs."""
        ...

    def monitor(self, reference: str) -> Any:
        """Give the monitor of a model's version."""
        ...

    def lineage(self, reference: str) -> Any:
        """Give what a version came from."""
        ...


def gather(store: StoreLike, *, title: str = TITLE, clock: Clock = now_ns) -> Overview:
    """Give all that the page of a store shows.

    Args:
        store: The store; it is only read.
        title: The page's head.
        clock: The time.
    """
    return Overview(
        url=store.url,
        made_at=clock(),
        title=title,
        runs=list(store.search_runs()),
        datasets=[
            one for name in store.datasets.names() for one in store.datasets[name].versions()
        ],
        models=[_model(store, name) for name in store.models.names()],
    )


def _model(store: StoreLike, name: str) -> ModelOverview:
    model = store.models[name]
    aliases = dict(model.aliases())
    moves = [move for alias in aliases for move in model.history(alias)]
    monitor = store.monitor(name)
    return ModelOverview(
        name=name,
        versions=model.versions(),
        aliases=aliases,
        moves=sorted(moves, key=lambda move: move.at),
        checks=monitor.history(),
        decisions=monitor.decisions(),
        lineage=_lineages(store, name, aliases),
    )


def _lineages(store: StoreLike, name: str, aliases: Iterable[str]) -> dict[str, str]:
    return {alias: store.lineage(f"{name}@{alias}").text() for alias in aliases}
