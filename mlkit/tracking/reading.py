"""A run that is read: what its folder says, whether it is finished, alive or lost."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from mlkit._core.clock import Clock, parse_iso
from mlkit._core.remembered import Remembered
from mlkit.errors import Corrupt, MlkitError, NewerFormat, NotFound
from mlkit.metrics.batches import iter_points
from mlkit.metrics.records import Event, Points
from mlkit.objects.blobs import Blobs
from mlkit.objects.verify import Problem
from mlkit.storage.protocol import Storage
from mlkit.tracking.artifact import Artifact
from mlkit.tracking.artifacts import Artifacts
from mlkit.tracking.checking import SEGMENT, endings, verify_run
from mlkit.tracking.documents import BEGINNING, read_beginning, read_end
from mlkit.tracking.editing import EditVerbs
from mlkit.tracking.edits import Edit, edited, edits
from mlkit.tracking.following import FollowVerbs
from mlkit.tracking.liveness import identity, is_lost
from mlkit.tracking.params import GOALS
from mlkit.tracking.point_verbs import PointVerbs
from mlkit.tracking.recorded import Recorded
from mlkit.tracking.renumbering import Renumbering
from mlkit.tracking.state import RunState
from mlkit.tracking.surroundings import Earlier

if TYPE_CHECKING:
    import pyarrow as pa


class Run(PointVerbs, EditVerbs, FollowVerbs):
    """A run as its folder has it, read when it is first asked for.

    A run that is still being written shows what was written when its folder was first read;
    `store.run(id)` reads it anew.

    Attributes:
        id: The run's id.

    Example:
        >>> import mlkit
        >>> store = mlkit.Store("memory://reading-example")
        >>> with store.start_run("flights") as active:
        ...     active.log_metric("loss", 0.3)
        >>> run = store.run(active.id)
        >>> run.status, run.summary
        ('FINISHED', {'loss': 0.3})
    """

    def __init__(
        self,
        run_id: str,
        *,
        storage: Storage,
        blobs: Blobs,
        clock: Clock,
        files: Mapping[str, int] | None = None,
        points: "Callable[[str, str], pa.Table | None] | None" = None,
        called: Callable[[str], str] | None = None,
        renumbering: Callable[[], Renumbering] = Renumbering,
    ) -> None:
        self.id = run_id
        self._storage = storage
        self._blobs = blobs
        self._clock = clock
        self._folder = f"runs/{run_id}"
        self._listed = files
        self._points = points
        self._called = called
        self._ask_renumbering = renumbering

    # What it was

    @property
    def exists(self) -> bool:
        """Whether there is such a run."""
        return BEGINNING in self._files

    @property
    def experiment(self) -> str:
        """The experiment that it belongs to, as that is called now."""
        return self.carried if self._called is None else self._called(self.carried)

    @property
    def carried(self) -> str:
        """The name of the experiment that it was started in, as it was called then."""
        return str(self._head["experiment"])

    @property
    def name(self) -> str | None:
        """Its name, if it has one; the newest, where it was renamed."""
        renamed = [edit.name for edit in self._edits if edit.name is not None]
        if renamed:
            return renamed[-1]
        name: str | None = self._head.get("name")
        return name

    @property
    def parent_id(self) -> str | None:
        """The run within which it was started, if there was one."""
        parent_id: str | None = self._head.get("parent_id")
        return parent_id

    @property
    def user(self) -> str:
        """Who started it."""
        return str(self._head["user"])

    @property
    def started_at(self) -> int:
        """When it was started, in nanoseconds since 1970, UTC."""
        return parse_iso(self._head["started_at"])

    @property
    def ended_at(self) -> int | None:
        """When it ended, alike; None while it hasn't."""
        return parse_iso(self._closing["ended_at"]) if self._has_ended else None

    @property
    def deleted_at(self) -> int | None:
        """When it was deleted, in nanoseconds since 1970, UTC; None while it isn't."""
        for name in reversed(edits(self._files)):  # what was damaged before that doesn't matter
            edit = self._read_edits[name]
            if edit.deleted is not None:
                return edit.at if edit.deleted else None
        return None

    @property
    def status(self) -> str:
        """`RUNNING`, `FINISHED`, `FAILED`, `KILLED`, or `LOST` when its process is gone."""
        if self._has_ended:
            return str(self._closing["status"])
        lost = is_lost(
            self._said.owner or self._head["owner"],
            newest=max(self._said.newest, self.started_at),
            appends=self._head["appends"],
            now=self._clock(),
        )
        return "LOST" if lost else "RUNNING"

    @property
    def is_of_this_machine(self) -> bool:
        """Whether the process that owns the run is, or was, one of this machine."""
        owner = self._said.owner or self._head["owner"]
        return bool(owner.get("host") == identity()["host"])

    # What it said

    @property
    def params(self) -> dict[str, Any]:
        """Name to value, types kept; of a name that was logged again the last value."""
        return self._state.params

    @property
    def tags(self) -> dict[str, str]:
        """Name to text."""
        return self._state.tags

    @property
    def notes(self) -> list[dict[str, Any]]:
        """Notes in order: `time` in ISO 8601, and `text`."""
        return self._state.notes

    @property
    def summary(self) -> dict[str, float]:
        """The last value of each metric."""
        return self._state.summary

    @property
    def goals(self) -> dict[str, str]:
        """Metric to `max` or `min`, of those for which the run said what it is after."""
        return {key: goal for key, goal in self._state.goals.items() if goal in GOALS}

    @property
    def inputs(self) -> list[dict[str, Any]]:
        """What it read: `kind` (dataset or model), `ref` such as `flights:3`, `digest`.

        The reference is the one that the version has in this store.
        """
        return self._here(self._state.inputs)

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """What it made, alike."""
        return self._here(self._state.outputs)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The versions of datasets that it made, such as `flights:3`, in order."""
        return tuple(link["ref"] for link in self.outputs if link["kind"] == "dataset")

    @property
    def models(self) -> tuple[str, ...]:
        """The versions of models that it made, such as `delay:3`, in order."""
        return tuple(link["ref"] for link in self.outputs if link["kind"] == "model")

    @property
    def provenance(self) -> dict[str, Any]:
        """`code`, `process`, `machine` and `packages`; empty until the run has ended."""
        return self._state.provenance

    @property
    def error(self) -> str:
        """The traceback of a run that failed, else nothing."""
        return self._state.error

    @property
    def health(self) -> dict[str, Any]:
        """How many calls the storage didn't take, as the end of the run says; else nothing."""
        return dict(self._end.get("health", {})) if self._end else {}

    @property
    def overhead(self) -> float | None:
        """How many seconds mlkit's calls kept its process waiting; None while it hasn't ended."""
        return self._closing.get("overhead") if self._has_ended else None

    @cached_property
    def recorded(self) -> Recorded:
        """What it recorded unasked (output, cells), and every value that a param had."""
        events = [
            record
            for name in self._segments
            for record in self._records(name)
            if isinstance(record, Event)
        ]
        events.sort(key=lambda event: event.time)
        return Recorded(events)

    def artifacts(self) -> Artifacts:
        """Give what the run kept, by name: to list, open, and download one or all."""
        return Artifacts.of(self._state.artifacts, run_id=self.id, blobs=self._blobs)

    @property
    def sources(self) -> Artifacts:
        """The code that it had imported and git doesn't keep, by its path."""
        kept = {path: {**fields, "type": "source"} for path, fields in self._state.sources.items()}
        return Artifacts.of(kept, run_id=self.id, blobs=self._blobs)

    def contents(self) -> list[Artifact]:
        """Give all that it keeps as whole files of the store: artifacts and sources."""
        return [*self.artifacts().values(), *self.sources.values()]

    def artifact(self, name: str) -> Artifact:
        """Give one artifact.

        Raises:
            NotFound: The run kept none of this name; near names are suggested.
        """
        return self.artifacts()[name]

    def earlier(self) -> Earlier:
        """Give what a run that resumes this one goes on from."""
        return Earlier(
            state=self._said,
            segments={name: self._files[name] for name in self._segments},
            records=self._end.get("records", {}),
            endings=len(endings(self._files)),
            head=self._head,
        )

    def verify(self) -> Iterator[Problem]:
        """Check every record and artifact of the run, and give what is wrong with it."""
        yield from verify_run(self._folder, self._files, storage=self._storage)
        try:
            kept = self.contents()
        except Corrupt:
            return  # said already
        for artifact in kept:
            try:
                artifact.open().close()
            except (NotFound, Corrupt) as error:
                what = "source" if artifact.type == "source" else "artifact"
                yield Problem(self._folder, f"{what} {artifact.name!r}: {error}")

    def __repr__(self) -> str:
        named = f" {self.name!r}" if self.name else ""
        return f"<Run{named} of {self.experiment!r}: {self.status}, id {self.id}>"

    # Reading

    @Remembered
    def _files(self) -> Mapping[str, int]:
        """The files of the run's folder, with their sizes."""
        if self._listed is not None:
            return self._listed
        return {
            entry.path.rpartition("/")[2]: entry.size for entry in self._storage.list(self._folder)
        }

    @Remembered
    def _head(self) -> dict[str, Any]:
        """What the run began with; its end tells that too, so one request is saved."""
        with suppress(Corrupt, NewerFormat):  # what the run began with can be known all the same
            if "run" in self._end and self._is_summed_up:
                return {"id": self.id, **self._end["run"]}
        return read_beginning(self._storage, self._folder)

    @Remembered
    def _end(self) -> dict[str, Any]:
        """The newest document that ended the run; it may have been resumed after that."""
        names = endings(self._files)
        return read_end(self._storage, self._folder, names[-1]) if names else {}

    @Remembered
    def _segments(self) -> list[str]:
        return sorted(name for name in self._files if name.endswith(SEGMENT))

    @Remembered
    def _is_summed_up(self) -> bool:
        """Whether the newest end covers all records; another owner of the run may have some."""
        covered = self._end["segments"] if self._end else {}
        whole = all(covered.get(name) == self._files[name] for name in self._segments)
        return bool(self._end) and whole

    @property
    def _has_ended(self) -> bool:
        return bool(self._closing)

    @Remembered
    def _closing(self) -> dict[str, Any]:
        """The document that says how the run ended; none while it hasn't.

        One that was resumed ends with the writer that did, whatever the numbers of the ends are:
        where two stores were merged, they have the same ends by different numbers.
        """
        resumer = self._said.resumer
        if not resumer or self._end.get("writer") == resumer:
            return self._end
        ends = (
            read_end(self._storage, self._folder, name)
            for name in reversed(endings(self._files)[:-1])
        )
        return next((end for end in ends if end["writer"] == resumer), {})

    @Remembered
    def _state(self) -> RunState:
        """What the run has said, and what was said of it later."""
        return edited(self._said, self._edits)

    @property
    def _edits(self) -> list[Edit]:
        """What was said of the run later, in order."""
        return [self._read_edits[name] for name in edits(self._files)]

    @Remembered
    def _read_edits(self) -> "_Edits":
        return _Edits(self._storage, self._folder)

    def _edited(self, name: str, size: int, edit: Edit) -> None:
        self._files = {**self._files, name: size}
        self._read_edits[name] = edit
        self.__dict__.pop("_state", None)

    def _here(self, links: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Give links with the references that their versions have in this store."""
        return self._renumbering.links(links) if links else []

    @Remembered
    def _renumbering(self) -> Renumbering:
        return self._ask_renumbering()  # after the folder was read: it was there before that

    @Remembered
    def _said(self) -> RunState:
        """What the run has said: its end's summary, or all its records where that lacks some."""
        with self._understood("its documents"):
            if self._is_summed_up:
                return RunState.from_json(self._end)
            state = RunState(tags=dict(self._head["tags"]))
            records = [record for name in self._segments for record in self._records(name)]
            for record in sorted(records, key=lambda record: record.time):
                state.apply(record)
            return state

    def check(self) -> None:
        """Read what the run is and says, though not its points.

        Raises:
            Corrupt: A document or segment was damaged.
            NewerFormat: A newer mlkit wrote it.
        """
        with self._understood("its documents"):
            _ = self.status, self.started_at, self._state

    def _require_whole(self) -> None:
        """Raise when the end of the run covers more than is here."""
        covered = self._end["segments"] if self._end else {}
        lacking = {name: size - self._files.get(name, 0) for name, size in covered.items()}
        lost = [f"{name} lacks {size:,} bytes" for name, size in lacking.items() if size > 0]
        if lost:
            host = self._head["owner"].get("host", "")
            hint = f"If they wait on the run's machine ({host}), run store.sync() there"
            raise Corrupt(f"Run {self.id} isn't whole: {'; '.join(lost)}", hint=hint)

    def _records(self, name: str) -> Iterator[Event | Points]:
        """Give the events of a segment, and of its points those that may be a metric's last."""
        path = f"{self._folder}/{name}"
        for found in iter_points(partial(self._storage.read, path), self._files[name], path):
            yield found if isinstance(found, Event) else found.last()

    @contextmanager
    def _understood(self, what: str) -> Iterator[None]:
        """Raise Corrupt for what proves itself but isn't what it must be."""
        try:
            yield
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            if isinstance(error, MlkitError):
                raise
            message = f"Run {self.id} can't be understood from {what}: {error!r}"
            raise Corrupt(message) from error


class _Edits(dict[str, Edit]):
    """File name to edit, each read when it is first asked for, since none ever changes."""

    def __init__(self, storage: Storage, folder: str) -> None:
        super().__init__()
        self._storage = storage
        self._folder = folder

    def __missing__(self, name: str) -> Edit:
        self[name] = edit = Edit.read(self._storage, f"{self._folder}/{name}")
        return edit
