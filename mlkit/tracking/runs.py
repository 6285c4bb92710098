"""The runs of a store: started, resumed, found again."""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from mlkit._core.clock import iso
from mlkit._core.codec import encode_document
from mlkit._core.ids import is_uuid7, uuid7
from mlkit._core.masking import mask_text
from mlkit.errors import Corrupt, InvalidInput, NewerFormat, NotFound
from mlkit.objects.verify import Problem
from mlkit.provenance.capture import Captures
from mlkit.provenance.environment import user
from mlkit.tracking.active import ActiveRun
from mlkit.tracking.checking import verify_run
from mlkit.tracking.context import current_run, set_current
from mlkit.tracking.health import Health
from mlkit.tracking.liveness import identity
from mlkit.tracking.params import plain_tags
from mlkit.tracking.pulse import Pulse
from mlkit.tracking.reading import Run
from mlkit.tracking.state import RunState
from mlkit.tracking.surroundings import Earlier, Surroundings

_FOLDER = "runs"
_SHORTEST = 4


class DamagedRunWarning(UserWarning):
    """Runs that are damaged, or of a newer format, are missing in what was asked for."""


class Runs:
    """The runs of a store.

    Args:
        around: What each run is handed.
        pulse: Keeps the runs of this process from looking dead.

    Example:
        >>> import mlkit
        >>> store = mlkit.Store("memory://runs-example")
        >>> with store.runs.start("flights") as run:
        ...     run.log_params(depth=6)
        >>> [found.params for found in store.runs]
        [{'depth': 6}]
    """

    def __init__(self, around: Surroundings, pulse: Pulse) -> None:
        self._around = around
        self._pulse = pulse
        self._captures = Captures(around.clock)

    def start(
        self,
        experiment: str,
        *,
        name: str | None = None,
        tags: Mapping[str, Any] | None = None,
        parent_id: str | None = None,
        resume: str | None = None,
    ) -> ActiveRun:
        """Start a run, and make it the current one; see `Store.start_run`."""
        if not isinstance(experiment, str) or not experiment.strip():
            message = f"{experiment!r} can't be the name of an experiment"
            raise InvalidInput(message, hint="Use text that isn't empty")
        if resume is not None:
            earlier = self._resumed(resume, experiment)
        else:
            earlier = self._begun(experiment, name=name, tags=tags, parent_id=parent_id)
        run = ActiveRun(earlier, self._around, capture=self._captures.start())
        if resume is not None:
            run.resumed(identity())
            run.set_tags(tags)
        else:
            self._write_head(run.health, earlier.head)
        self._pulse.watch(run)
        set_current(run)
        return run

    def get(self, run_id: str) -> Run:
        """Give a run by its id, or by the beginning of it that no other has.

        Raises:
            NotFound: There is none.
            InvalidInput: Several runs begin like this.
        """
        if is_uuid7(run_id):
            run = self._run(run_id)
            if run.exists:
                return run
        found = [known for known in self.ids() if known.startswith(run_id)]
        if len(found) == 1 and len(run_id) >= _SHORTEST:
            return self._run(found[0])
        if len(found) > 1:
            message = f"{len(found)} runs begin with {run_id!r}"
            raise InvalidInput(message, hint=f"Write more of the id, such as {found[0]}")
        message = f"There is no run {run_id!r} among {len(self):,}"
        raise NotFound(message, hint="store.search_runs() lists them, the newest first")

    def ids(self) -> list[str]:
        """Give the ids of all runs, the oldest first."""
        names = (name.rstrip("/") for name in self._around.storage.children(_FOLDER))
        return [name for name in names if is_uuid7(name)]

    def verify(self, run_id: str) -> Iterator[Problem]:
        """Check the documents and records of one run; its artifacts are whole files of the store.

        Args:
            run_id: The run's id, whole.
        """
        folder = f"{_FOLDER}/{run_id}"
        storage = self._around.storage
        files = {entry.path.rpartition("/")[2]: entry.size for entry in storage.list(folder)}
        yield from verify_run(folder, files, storage=storage)

    def __iter__(self) -> Iterator[Run]:
        """Give all runs that have begun, the oldest first, from one listing of the store."""
        folders: dict[str, dict[str, int]] = {}
        for entry in self._around.storage.list(_FOLDER):
            _, run_id, name = entry.path.split("/", 2)
            if is_uuid7(run_id):
                folders.setdefault(run_id, {})[name] = entry.size
        for run_id in sorted(folders):
            if "run.json" in folders[run_id]:  # else its first segment came before it
                yield self._run(run_id, folders[run_id])

    def readable(self, experiment: str | None = None) -> Iterator[Run]:
        """Give the runs that can be read, the oldest first; a warning names those that can't.

        Args:
            experiment: Only runs of this experiment.
        """
        wanted = None if experiment is None else mask_text(experiment)
        damaged = []
        for run in self:
            try:
                if wanted is not None and run.experiment != wanted:
                    continue
                run.check()
            except (Corrupt, NewerFormat, NotFound) as error:
                damaged.append(f"{run.id} ({error.message})")
                continue
            yield run
        if damaged:
            count = "1 run" if len(damaged) == 1 else f"{len(damaged)} runs"
            message = (
                f"{count} can't be read and is left out: {'; '.join(damaged[:5])}. "
                "store.verify() says what is wrong"
            )
            warnings.warn(message, DamagedRunWarning, stacklevel=2)

    def __len__(self) -> int:
        return len(self.ids())

    def _run(self, run_id: str, files: Mapping[str, int] | None = None) -> Run:
        around = self._around
        return Run(
            run_id, storage=around.storage, blobs=around.blobs, clock=around.clock, files=files
        )

    def _begun(
        self,
        experiment: str,
        *,
        name: str | None,
        tags: Mapping[str, Any] | None,
        parent_id: str | None,
    ) -> Earlier:
        """Give a run that has nothing yet but its head."""
        outer = current_run()
        if outer is not None and not outer.finished and outer.store_id == self._around.store_id:
            parent_id = parent_id or outer.id
        now = self._around.clock()
        labels = plain_tags(tags or {})
        head = {
            "id": uuid7(now),
            "experiment": mask_text(experiment),
            "name": mask_text(name) if name is not None else None,
            "parent_id": parent_id,
            "tags": labels,
            "started_at": iso(now),
            "user": user(),
            "owner": identity(),
            "appends": self._around.storage.capabilities.append,
        }
        return Earlier(head=head, state=RunState(tags=dict(labels)))

    def _resumed(self, run_id: str, experiment: str) -> Earlier:
        """Give what an earlier run was, to go on from it."""
        run = self.get(run_id)
        if run.experiment != mask_text(experiment):
            message = f"Run {run.id} belongs to {run.experiment!r}, not to {experiment!r}"
            raise InvalidInput(message, hint="Resume it in its own experiment")
        return run.earlier()

    def _write_head(self, health: Health, head: Mapping[str, Any]) -> None:
        path = f"{_FOLDER}/{head['id']}/run.json"
        data = encode_document("run", head)
        outbox = self._around.outbox
        if not head["appends"]:  # sent with the rest, so that starting waits for no network
            self._spool(health, path, data)
            return
        try:
            self._around.storage.create(path, data, durable=False)
        except OSError as error:
            health.fault(error, f"what it logs waits in {outbox.folder}")
            self._spool(health, path, data)

    def _spool(self, health: Health, path: str, data: bytes) -> None:
        with health.guarded("nothing of this run is kept"):
            self._around.outbox.put(path, data)
            health.spooled += 1
