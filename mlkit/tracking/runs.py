"""The runs of a store: started, resumed, found again."""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from mlkit._core.codec import encode_document
from mlkit._core.ids import is_uuid7, only_uuid7, uuid7
from mlkit._core.masking import mask_text
from mlkit._core.settings import captures
from mlkit.errors import AlreadyExists, Corrupt, InvalidInput, NewerFormat, NotFound
from mlkit.objects.verify import Problem
from mlkit.provenance.cells import current_cell
from mlkit.tracking.active import ActiveRun
from mlkit.tracking.beginning import Beginning
from mlkit.tracking.checking import verify_run
from mlkit.tracking.context import set_current
from mlkit.tracking.health import Health
from mlkit.tracking.liveness import identity
from mlkit.tracking.outbox import require_store
from mlkit.tracking.overhead import Overhead
from mlkit.tracking.pulse import Pulse
from mlkit.tracking.ranks import rank
from mlkit.tracking.reading import Run
from mlkit.tracking.recorder import Recorders
from mlkit.tracking.renumbering import Renumbering
from mlkit.tracking.resuming import UNFINISHED, Bookmark, Wish
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
        recorders: Records what runs don't say themselves.

    Example:
        >>> import mlkit
        >>> store = mlkit.Store("memory://runs-example")
        >>> with store.runs.start("flights") as run:
        ...     run.log_params(depth=6)
        >>> [found.params for found in store.runs]
        [{'depth': 6}]
    """

    def __init__(self, around: Surroundings, pulse: Pulse, recorders: Recorders) -> None:
        self._around = around
        self._pulse = pulse
        self._recorders = recorders
        self._asked = False

    def start(
        self,
        experiment: str,
        *,
        name: str | None = None,
        tags: Mapping[str, Any] | None = None,
        parent_id: str | None = None,
        run_id: str | None = None,
        resume: str | None = None,
        durable: bool = False,
        capture: bool | None = None,
    ) -> ActiveRun:
        """Start a run, and make it the current one; see `Store.start_run`."""
        if not isinstance(experiment, str) or not experiment.strip():
            message = f"{experiment!r} can't be the name of an experiment"
            raise InvalidInput(message, hint="Use text that isn't empty")
        if name is not None and not isinstance(name, str):
            message = f"{name!r} can't be the name of a run"
            raise InvalidInput(message, hint="Use text, or leave it out")
        overhead = Overhead()
        with overhead:
            cell = current_cell()
            self._end_those_of(cell)
            wish = Wish.of(run_id, resume)
            beginning = Beginning(experiment, name, tags or {}, parent_id)
            self._send_leftovers()
            run = self._begun(beginning, wish, durable=durable)
            run.cell = cell
            self._pulse.watch(run)
            try:
                if captures() if capture is None else capture:
                    run.record(self._recorders)
            except BaseException:  # a fault of a strict run, which nobody will get
                self._pulse.forget(run)
                raise
            set_current(run)
        run.spend(overhead.nanoseconds)
        return run

    def join(self, head: Mapping[str, Any], *, durable: bool = False) -> ActiveRun:
        """Write to a run that another process has started, and ends.

        Args:
            head: What its first document says.
            durable: Whether each record must survive a power cut before its call returns.
        """
        run = ActiveRun(
            Earlier(head=head, state=RunState()), self._around, owns=False, durable=durable
        )
        self._pulse.watch(run)
        return run

    def get(self, run_id: str) -> Run:
        """Give a run by its id, or by the beginning of it that no other has.

        Raises:
            NotFound: There is none.
            InvalidInput: Several runs begin like this.
        """
        if not isinstance(run_id, str):
            message = f"{run_id!r} can't be the id of a run"
            raise InvalidInput(message, hint="Use text, such as the id of a run that you started")
        if is_uuid7(run_id):
            run = self.open(run_id)
            if run.exists:
                return run
        found = [known for known in self.ids() if known.startswith(run_id)]
        if found == [run_id]:
            message = f"Run {run_id} has no beginning: only parts of others in it are in the store"
            hint = (
                "The process that begins it (rank 0) hasn't come yet, or what it wrote waits on "
                "its machine: run mlkit sync there"
            )
            raise NotFound(message, hint=hint)
        if len(found) == 1 and len(run_id) >= _SHORTEST:
            return self.open(found[0])
        if len(found) > 1:
            message = f"{len(found)} runs begin with {run_id!r}"
            raise InvalidInput(message, hint=f"Write more of the id, such as {found[0]}")
        message = f"There is no run {run_id!r} among {len(self):,}"
        raise NotFound(message, hint="store.search_runs() lists them, the newest first")

    def open(self, run_id: str, called: Callable[[str], str] | None = None) -> Run:
        """Give a run by its whole id, without looking whether it is there.

        Args:
            run_id: The id.
            called: Gives what an experiment is called now; looked up when it is first asked for
                by default.
        """
        around = self._around
        return Run(
            run_id,
            storage=around.storage,
            blobs=around.blobs,
            clock=around.clock,
            points=around.points,
            called=called or self._called(),
            renumbering=around.renumberings.current,
        )

    def as_it_lies(
        self,
        run_id: str,
        files: Mapping[str, int] | None = None,
        renumbering: Callable[[], Renumbering] | None = None,
    ) -> Run:
        """Give a run by its whole id, all of it read from its folder; for who makes the tables.

        Args:
            run_id: The id.
            files: The files of its folder with their sizes, where they are known.
            renumbering: Gives what `renumbering` gave after they were listed, for who reads many.
        """
        return self._listed(run_id, files, renumbering)

    def renumbering(self) -> Renumbering:
        """Give which versions have another number here than where runs used them.

        It knows all that runs name whose folders were listed before.
        """
        return self._around.renumberings.current()

    def ids(self) -> list[str]:
        """Give the ids of all runs, the oldest first."""
        return only_uuid7([name.rstrip("/") for name in self._around.storage.children(_FOLDER)])

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
        """Give all runs that have begun, the oldest first, from one listing of the store.

        Deleted runs are among them, and so are those of archived experiments.
        """
        called = self._called()
        folders: dict[str, dict[str, int]] = {}
        for entry in self._around.storage.list(_FOLDER):
            _, run_id, name = entry.path.split("/", 2)
            if is_uuid7(run_id):
                folders.setdefault(run_id, {})[name] = entry.size
        renumbering = cache(self.renumbering)
        for run_id in sorted(folders):
            if "run.json" in folders[run_id]:  # else its first segment came before it
                yield self._listed(run_id, folders[run_id], renumbering, called)

    def readable(self, experiment: str | None = None, *, deleted: bool = False) -> Iterator[Run]:
        """Give the runs that can be read, the oldest first; a warning names those that can't.

        Args:
            experiment: Only runs of this experiment, by any name that it had; `vision/` means all
                that lie beneath it.
            deleted: Whether to give deleted ones too.
        """
        wanted = None if experiment is None else self._around.experiments().carried_by(experiment)
        damaged = []
        for run in self:
            try:
                if wanted is not None and run.carried not in wanted:
                    continue
                if not deleted and run.deleted_at is not None:
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

    def _listed(
        self,
        run_id: str,
        files: Mapping[str, int] | None,
        renumbering: Callable[[], Renumbering] | None,
        called: Callable[[str], str] | None = None,
    ) -> Run:
        around = self._around
        return Run(
            run_id,
            storage=around.storage,
            blobs=around.blobs,
            clock=around.clock,
            files=files,
            called=called,
            renumbering=renumbering or around.renumberings.current,
        )

    def _called(self) -> Callable[[str], str]:
        """Give what says how experiments are called now, looked up once, when it is first asked."""
        naming = cache(lambda: self._around.experiments().naming())
        return lambda carried: naming().current(carried)

    def _begun(self, beginning: Beginning, wish: Wish, *, durable: bool) -> ActiveRun:
        """Give the run that a start means: a new one, an earlier one, or a part in another's."""
        if wish.run_id is not None and rank() > 0:  # rank 0 begins it and ends it
            return self.join(beginning.head(wish.run_id, self._around), durable=durable)
        bookmark = self._bookmark(beginning) if wish.mode == "auto" else None
        earlier = self._earlier(wish, bookmark)
        if earlier is None:
            run_id = wish.run_id or uuid7(self._around.clock())
            try:
                run = self._new(beginning, run_id, durable=durable)
            except AlreadyExists:  # another process began it in this moment
                return self._begun(beginning, wish, durable=durable)
        elif wish.mode == "never":
            message = f"There is a run {wish.run_id} already"
            raise AlreadyExists(
                message, hint="Go on with it by resume='allow', or leave out its id"
            )
        else:
            run = self._resumed(earlier, beginning, durable=durable)
        if bookmark is not None:
            bookmark.write(run.id)
        return run

    def _new(self, beginning: Beginning, run_id: str, *, durable: bool) -> ActiveRun:
        head = beginning.head(run_id, self._around)
        run = ActiveRun(
            Earlier(head=head, state=RunState(tags=dict(head["tags"]))),
            self._around,
            durable=durable,
        )
        self._write_head(run.health, head, durable=durable)
        return run

    def _resumed(self, run: Run, beginning: Beginning, *, durable: bool) -> ActiveRun:
        wanted = mask_text(beginning.experiment)
        if run.experiment not in (wanted, *self._around.experiments().carried_by(wanted)):
            message = f"Run {run.id} belongs to {run.experiment!r}, not to {beginning.experiment!r}"
            raise InvalidInput(message, hint="Resume it in its own experiment")
        active = ActiveRun(run.earlier(), self._around, durable=durable)
        active.resumed(identity())
        active.set_tags(beginning.tags)
        return active

    def _earlier(self, wish: Wish, bookmark: Bookmark | None) -> Run | None:
        """Give the run to go on with, None where a new one is wanted.

        Raises:
            NotFound: It must be there, and isn't.
        """
        run_id, own_job = wish.run_id, False
        if bookmark is not None:
            run_id, own_job = bookmark.read() or (None, False)
        if run_id is None:
            return None
        if self._around.outbox.waiting(_FOLDER):  # what a killed process has left of it
            self._around.courier.deliver(_FOLDER)
        if wish.mode == "must":
            return self.get(run_id)
        run = self.open(run_id)
        if not run.exists:
            return None
        if bookmark is None or run.status in UNFINISHED:
            return run
        elsewhere = run.status == "RUNNING" and not run.is_of_this_machine
        return run if own_job and elsewhere else None  # a job that was put back into its queue

    def _bookmark(self, beginning: Beginning) -> Bookmark:
        folder = self._around.outbox.folder / ".resume"
        return Bookmark.of(folder, beginning.experiment, beginning.name, os.environ)

    def _end_those_of(self, cell: tuple[str, int] | None) -> None:
        """End the runs that an earlier execution of this notebook cell has left open."""
        if cell is None:
            return
        for run in reversed(self._pulse.runs()):
            if run.cell is not None and run.cell[0] == cell[0] and run.cell[1] != cell[1]:
                run.finish()

    def _send_leftovers(self) -> None:
        """Have sent, once, what an earlier process has left on this machine."""
        if not self._asked:
            self._asked = True
            if self._around.outbox.waiting():
                self._around.courier.ask()

    def _write_head(self, health: Health, head: Mapping[str, Any], *, durable: bool) -> None:
        path = f"{_FOLDER}/{head['id']}/run.json"
        data = encode_document("run", head)
        outbox = self._around.outbox
        if head["appends"]:
            try:
                require_store(self._around.storage)
                self._around.storage.create(path, data, durable=durable)
            except AlreadyExists:  # another process began it in this moment
                raise
            except OSError as error:
                health.fault(error, f"what it logs waits in {outbox.folder}")
            else:
                return
        with health.guarded("nothing of this run is kept"):
            outbox.put(path, data, durable=durable)
            health.spooled += 1
        self._around.courier.begin()
