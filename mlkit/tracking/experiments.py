"""The experiments of a store: which there are, what they are called, and what is said of them."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from mlkit._core.clock import Clock
from mlkit._core.ids import is_uuid7
from mlkit._core.masking import mask_text
from mlkit._core.names import unknown
from mlkit.errors import AlreadyExists, Corrupt, NewerFormat, NotFound, ReadOnly
from mlkit.objects.verify import Problem
from mlkit.provenance.environment import user
from mlkit.storage.protocol import Storage
from mlkit.tracking.edits import id_after
from mlkit.tracking.experiment import Experiment
from mlkit.tracking.naming import ExperimentEdit, Facts, Naming

_FOLDER = "experiments"
_SHOWN = 8  # names


class DamagedExperimentWarning(UserWarning):
    """What was said of experiments is damaged, or of a newer format, and passed over."""


class Experiments:
    """The experiments of a store. Threads may share it.

    An experiment is there once a run was started in it. Those that are archived are left out of
    iteration, `names()` and `len`. One that only others lie below can be asked for by its name.

    Args:
        storage: The store's storage.
        counts: Gives how many runs carry which name.
        clock: Gives the time.

    Example:
        >>> import mlkit
        >>> store = mlkit.Store("memory://experiments-example")
        >>> for name in ("vision/detector", "flights", "flights"):
        ...     with store.start_run(name):
        ...         pass
        >>> [(experiment.name, experiment.run_count) for experiment in store.experiments]
        [('flights', 2), ('vision/detector', 1)]
        >>> store.experiments["vision"].children
        [<Experiment 'vision/detector': 1 run>]
    """

    def __init__(
        self, storage: Storage, *, counts: Callable[[], Mapping[str, int]], clock: Clock
    ) -> None:
        self._storage = storage
        self._counts = counts
        self._clock = clock
        self._read: dict[str, ExperimentEdit | None] = {}
        self._newest: tuple[tuple[str, ...], Naming] = ((), Naming([]))

    # Which there are

    def __iter__(self) -> Iterator[Experiment]:
        """Give the experiments that aren't archived, sorted by name."""
        return (one for one in self.all() if not one.archived)

    def all(self) -> list[Experiment]:
        """Give the experiments, archived ones too, sorted by name."""
        naming, counts = self.naming(), self._counts()
        totals: dict[str, int] = dict.fromkeys(naming.names(), 0)
        for carried, count in counts.items():
            name = naming.current(carried)
            totals[name] = totals.get(name, 0) + count
        return [Experiment(naming.facts(name), totals[name], self) for name in sorted(totals)]

    def names(self) -> list[str]:
        """Give the names of the experiments that aren't archived, sorted."""
        return [one.name for one in self]

    def __len__(self) -> int:
        return len(self.names())

    def __contains__(self, name: object) -> bool:
        try:
            return isinstance(name, str) and self[name] is not None
        except NotFound:
            return False

    def __getitem__(self, name: str) -> Experiment:
        """Give an experiment by its name, or one that it had once.

        Raises:
            NotFound: There is none; near names are suggested.
        """
        naming, there = self.naming(), self.all()
        wanted = naming.current(mask_text(name)) if isinstance(name, str) else ""
        for one in there:
            if one.name == wanted:
                return one
        if wanted and any(one.name.startswith(f"{wanted}/") for one in there):
            return Experiment(naming.facts(wanted), 0, self)
        raise unknown("experiment", name, (one.name for one in there))

    def __repr__(self) -> str:
        names = self.names()
        shown = ", ".join(map(repr, names[:_SHOWN])) + (", …" if len(names) > _SHOWN else "")
        return f"<Experiments: {len(names):,}{': ' if shown else ''}{shown}>"

    def below(self, name: str) -> list[Experiment]:
        """Give the experiments right below one, sorted, without archived ones.

        Args:
            name: The one, as it is called now.
        """
        start = f"{name}/"
        found = {one.name: one for one in self}
        below = {
            start + one[len(start) :].partition("/")[0] for one in found if one.startswith(start)
        }
        naming = self.naming()
        return [found.get(one) or Experiment(naming.facts(one), 0, self) for one in sorted(below)]

    # What names mean

    def naming(self) -> Naming:
        """Give which names mean which experiment now, from one listing."""
        names = tuple(
            name
            for name in self._storage.children(_FOLDER)
            if name.endswith(".json") and is_uuid7(name.removesuffix(".json"))
        )
        known, naming = self._newest
        if names != known:
            edits = [edit for name in names if (edit := self._edit_of(name)) is not None]
            naming = Naming(edits)
            self._newest = names, naming
        return naming

    def current(self, carried: str) -> str:
        """Give what the experiment is called now whose runs carry a name.

        `naming().current` does the same for many names from one listing.
        """
        return self.naming().current(carried)

    def carried_by(self, name: str) -> frozenset[str]:
        """Give the names that the runs of an experiment carry.

        Args:
            name: What it is called now, or was once; with a `/` at its end all beneath is meant.
        """
        name, naming = mask_text(name), self.naming()
        if not name.endswith("/"):
            return naming.carried(name)
        there = {*self._counts(), *naming.names()}
        names = {naming.current(carried) for carried in there}
        beneath = (naming.carried(one) for one in names if one.startswith(name))
        return frozenset().union(*beneath)

    def archived_names(self) -> frozenset[str]:
        """Give the names that the runs of archived experiments carry."""
        return self.naming().archived_names()

    # Changes

    def edit(self, name: str, said: Mapping[str, Any]) -> Facts:
        """Keep what is said of an experiment; its own verbs call this.

        Args:
            name: What it is called now.
            said: See `ExperimentEdit`.

        Returns:
            What is known of it now.

        Raises:
            ReadOnly: The store only reads.
        """
        now = self._clock()
        self.naming()
        known = self._newest[0]
        path = f"{_FOLDER}/{id_after(known[-1][: -len('.json')] if known else '', now)}.json"
        edit = ExperimentEdit(name, now, user(), said)
        try:
            self._storage.write(path, edit.encode())
        except ReadOnly as error:
            message = f"Experiment {name!r} can't be changed, since {self._storage.url} only reads"
            raise ReadOnly(message, hint="Open it with the right to write") from error
        return self.naming().facts(said.get("name", name))

    def require_free(self, name: str, own: str) -> None:
        """Raise when a name means another experiment than one's own.

        Raises:
            AlreadyExists: It does.
        """
        naming = self.naming()
        meant = naming.current(name)
        taken = meant in {one.name for one in self.all()} and meant != naming.current(own)
        if taken:
            if meant != name:
                message = f"{name!r} still means the experiment {meant!r}, which was called so once"
                hint = "An old name goes on to mean its experiment, so choose another"
                raise AlreadyExists(message, hint=hint)
            message = f"There is an experiment {meant!r} already"
            raise AlreadyExists(message, hint="Choose another name, or rename that one first")

    def verify(self) -> Iterable[Problem]:
        """Check what was said of the experiments, and give what is damaged."""
        for name in self._storage.children(_FOLDER):
            path = f"{_FOLDER}/{name}"
            if name.endswith(".json") and is_uuid7(name.removesuffix(".json")):
                try:
                    ExperimentEdit.decode(self._storage.read(path), path)
                except (Corrupt, NewerFormat, OSError) as error:
                    yield Problem(path, str(error), ("what is said of an experiment",))

    def _edit_of(self, name: str) -> ExperimentEdit | None:
        """Give an edit, read once, since none ever changes; None for one that can't be read."""
        if name not in self._read:
            path = f"{_FOLDER}/{name}"
            try:
                self._read[name] = ExperimentEdit.decode(self._storage.read(path), path)
            except (Corrupt, NewerFormat, NotFound) as error:
                self._read[name] = None
                message = f"What was said of an experiment is passed over: {error}"
                warnings.warn(message, DamagedExperimentWarning, stacklevel=2)
        return self._read[name]
