"""The rooms of a store: each is handed what it needs, when it is first asked for."""

import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from mlkit._core.clock import now_ns
from mlkit._core.remembered import Remembered
from mlkit._core.settings import cache_dir, default_store_url, patience, spool_dir
from mlkit.objects.blobs import Blobs
from mlkit.provenance.environment import user
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.opening import open_storage
from mlkit.storage.protocol import Storage
from mlkit.store.root import open_root
from mlkit.tracking.courier import Courier
from mlkit.tracking.experiments import Experiments
from mlkit.tracking.outbox import Outbox
from mlkit.tracking.pulse import Pulse
from mlkit.tracking.recorder import Recorders
from mlkit.tracking.renumbering import Renumberings
from mlkit.tracking.runs import Runs
from mlkit.tracking.surroundings import Surroundings

if TYPE_CHECKING:
    from mlkit.data.datasets import Datasets
    from mlkit.index.run_index import RunIndex
    from mlkit.models.package import ModelVersion
    from mlkit.models.registry import Models
    from mlkit.monitoring.monitor import Monitor
    from mlkit.store.relations import StoreRelations

_pulse = Pulse(monotonic_ns)
_recorders = Recorders(now_ns)


class Rooms:
    """What a store is made of, without the verbs on it.

    The arguments are those of `Store`.
    """

    def __init__(
        self,
        url: str | os.PathLike[str] | None = None,
        storage_options: Mapping[str, Any] | None = None,
        *,
        strict: bool = False,
        single_writer: bool = False,
        trusted: bool | None = None,
    ) -> None:
        place = os.fspath(url) if url is not None else default_store_url()
        root = open_root(open_storage(place, storage_options), now_ns)
        self.id = root.store_id
        self._storage = root.storage
        self._strict = strict
        self._single_writer = single_writer
        self._trusted = owned_by_user(root.storage) if trusted is None else trusted
        self._reopen: Callable[[], Any] = partial(
            type(self),
            root.storage.url,
            storage_options,
            strict=strict,
            single_writer=single_writer,
            trusted=trusted,
        )
        self._blobs = Blobs(self._storage)
        self._outbox = Outbox(self._storage, spool_dir() / self.id)
        self._courier = Courier(self._outbox, patience=patience())

    def __reduce__(self) -> tuple[Any, ...]:
        """Let another process open the store anew, with what it was opened with here."""
        return self._reopen, ()

    @property
    def url(self) -> str:
        """Where the store is, without credentials."""
        return self._storage.url

    @Remembered
    def runs(self) -> Runs:
        """The runs of the store; iterating gives them, the oldest first."""
        around = Surroundings(
            store_id=self.id,
            storage=self._storage,
            outbox=self._outbox,
            courier=self._courier,
            blobs=self._blobs,
            datasets=lambda: self.datasets,
            models=lambda: self.models,
            experiments=lambda: self.experiments,
            renumberings=Renumberings(self._storage),
            points=lambda run_id, key: self._index.points(run_id, key),  # noqa: PLW0108 - it is made later
            clock=now_ns,
            strict=self._strict,
            reopen=self._reopen,
            begun=_pulse.ensure,
            ended=_pulse.ended,
            terminations=lambda: _pulse.termination.count,
        )
        return Runs(around, _pulse, _recorders)

    @Remembered
    def _index(self) -> "RunIndex":
        from mlkit.index.run_index import RunIndex

        return RunIndex(
            self._storage,
            self.runs,
            now_ns,
            self._cache,
            naming=lambda: self.experiments.naming().current,
            single_writer=self._single_writer,
        )

    @Remembered
    def experiments(self) -> Experiments:
        """The experiments of the store: `store.experiments["flights"]`."""
        return Experiments(self._storage, counts=self._index.counts, clock=now_ns)

    @Remembered
    def datasets(self) -> "Datasets":
        """The datasets of the store: `store.datasets["flights"]`."""
        from mlkit.data.datasets import Datasets

        _register_filesystem()
        return Datasets(
            self._storage,
            cache=self._cache,
            clock=now_ns,
            user=user(),
            single_writer=self._single_writer,
            relations=self._relations,
        )

    @Remembered
    def _relations(self) -> "StoreRelations":
        from mlkit.store.relations import StoreRelations

        return StoreRelations(self)

    @Remembered
    def models(self) -> "Models":
        """The models of the store: `store.models["delay"]`."""
        from mlkit.models.registry import Models

        return Models(
            self._storage,
            self._blobs,
            cache=self._cache,
            clock=now_ns,
            user=user(),
            trusted=self._trusted,
            single_writer=self._single_writer,
        )

    def _watch(self, version: "ModelVersion") -> "Monitor":
        """Give the monitor of a version, which compares with what that was trained on."""
        from mlkit.monitoring.monitor import Monitor

        links = self.runs.renumbering().links(version.datasets)
        trained_on = [link["ref"] for link in links]
        return Monitor(
            self._storage,
            version,
            reference=(lambda: self.datasets.get(trained_on[0])) if trained_on else None,
            clock=now_ns,
            single_writer=self._single_writer,
        )

    @property
    def _cache(self) -> Path:
        return cache_dir() / self.id


def _register_filesystem() -> None:
    """Let fsspec know `mlkit://`, also where the package isn't installed but lies on the path."""
    from fsspec import register_implementation

    with suppress(ValueError):  # who registered another one wants that
        register_implementation("mlkit", "mlkit.integrations.dataset_filesystem.DatasetFileSystem")


def owned_by_user(storage: Storage) -> bool:
    """Tell whether only this user can have written what a store holds.

    That is so for this process's own memory, and for a local folder that belongs to the user and
    that no other may write to; a group of the user's own, as many systems give each, is fine.
    """
    if isinstance(storage, MemoryStorage):
        return True
    place = storage.local_path("mlkit.json")
    if place is None or not hasattr(os, "getuid"):
        return False
    folders = (place.parent, place.parent / "models", place.parent / "blobs")
    return all(_is_users_alone(path) for path in (place, *folders) if path.exists())


def _is_users_alone(path: Path) -> bool:
    status = path.stat()
    shared = bool(status.st_mode & stat.S_IWGRP) and status.st_gid != status.st_uid
    return status.st_uid == os.getuid() and not (status.st_mode & stat.S_IWOTH) and not shared
