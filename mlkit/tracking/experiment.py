"""An experiment: a named group of runs, with what is said of it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlkit._core.masking import mask_text
from mlkit._core.tags import edited_tags, plain_note
from mlkit.errors import InvalidInput
from mlkit.tracking.edits import plain_name
from mlkit.tracking.naming import Facts

if TYPE_CHECKING:
    from mlkit.tracking.experiments import Experiments


class Experiment:
    """A named group of runs. `store.experiments["flights"]` gives one.

    Names may be nested by `/`, as in `vision/detector/v2`. What is said of an experiment is kept
    beside its runs, none of which is touched.

    Attributes:
        name: What it is called now.
        run_count: How many runs it had when it was asked for.

    Example:
        >>> import mlkit
        >>> store = mlkit.Store("memory://experiment-example")
        >>> with store.start_run("flights"):
        ...     pass
        >>> flights = store.experiments["flights"]
        >>> flights.describe("Which flights are late?")
        >>> flights.rename("delays")
        >>> store.experiments["delays"]
        <Experiment 'delays': 1 run, 'Which flights are late?'>
    """

    def __init__(self, facts: Facts, run_count: int, experiments: "Experiments") -> None:
        self.name = facts.name
        self.run_count = run_count
        self._facts = facts
        self._experiments = experiments

    @property
    def description(self) -> str:
        """What it is about."""
        return self._facts.description

    @property
    def tags(self) -> dict[str, str]:
        """Name to text."""
        return dict(self._facts.tags)

    @property
    def notes(self) -> list[dict[str, str]]:
        """Notes in order: `time` in ISO 8601, and `text`."""
        return list(self._facts.notes)

    @property
    def archived(self) -> bool:
        """Whether it is left out where experiments are listed."""
        return self._facts.archived

    @property
    def parent(self) -> "Experiment | None":
        """The experiment that it lies in: `vision` of `vision/detector`; None at the top."""
        above, slash, _ = self.name.rpartition("/")
        return self._experiments[above] if slash and above else None

    @property
    def children(self) -> "list[Experiment]":
        """The experiments right below it, sorted, without archived ones."""
        return self._experiments.below(self.name)

    def describe(self, text: str) -> None:
        """Say what the experiment is about; that replaces what was said before.

        Raises:
            InvalidInput: It is no text.
            ReadOnly: The store only reads.
        """
        if not isinstance(text, str):
            message = f"A description is text, not {text!r}"
            raise InvalidInput(message, hint="Write experiment.describe('…')")
        self._edit(description=mask_text(text))

    def set_tags(self, tags: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Label the experiment; values are kept as text, and None takes a tag away.

        Args:
            tags: Name to value.
            more: The same as keywords.

        Raises:
            InvalidInput: A name is no text.
            ReadOnly: The store only reads.
        """
        given = edited_tags(tags, more)
        if given:
            self._edit(tags=given)

    def note(self, text: str) -> None:
        """Add a note to the experiment.

        Raises:
            InvalidInput: It is no text, or empty.
            ReadOnly: The store only reads.
        """
        self._edit(note=plain_note(text, "experiment"))

    def archive(self) -> None:
        """Leave the experiment out where experiments are listed; those below it stay.

        Raises:
            ReadOnly: The store only reads.
        """
        self._edit(archived=True)

    def unarchive(self) -> None:
        """Take back that it was archived.

        Raises:
            ReadOnly: The store only reads.
        """
        self._edit(archived=False)

    def rename(self, new: str) -> None:
        """Give the experiment another name; its old ones go on to mean it.

        No run is touched, and one that is started under an old name belongs to it too.
        Experiments below it keep their names.

        Args:
            new: The new name; one that it had once is fine.

        Raises:
            AlreadyExists: Another experiment has that name, or had it.
            InvalidInput: It is no text, or empty, or has nothing before, between or after a `/`.
            ReadOnly: The store only reads.
        """
        new = plain_name(new, "an experiment")
        if not all(part.strip() for part in new.split("/")):
            message = f"{new!r} can't be the name of an experiment"
            raise InvalidInput(message, hint="Put a name before and after each '/'")
        if new == self.name:
            return
        self._experiments.require_free(new, self.name)
        self._edit(name=new)

    def __repr__(self) -> str:
        count = "1 run" if self.run_count == 1 else f"{self.run_count:,} runs"
        said = f", {self.description!r}" if self.description else ""
        return f"<Experiment {self.name!r}: {count}{', archived' * self.archived}{said}>"

    def _edit(self, **said: Any) -> None:
        self._facts = self._experiments.edit(self.name, said)
        self.name = self._facts.name
