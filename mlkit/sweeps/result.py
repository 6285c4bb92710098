"""What a sweep found."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from mlkit.display.formats import show_float
from mlkit.display.markup import element
from mlkit.display.page import fragment
from mlkit.query.runs import RunTable
from mlkit.sweeps.trial import Goal, Trial
from mlkit.tracking.reading import Run


@frozen(repr=False)
class SweepResult:
    """The trials of a sweep, the best first.

    Attributes:
        parent_id: The run of the sweep, whose children the trials are.
        goal: What was looked for.
        trials: What came of each trial; those that failed come last.
        runs: Their runs, in the same order.
    """

    parent_id: str
    goal: Goal
    trials: tuple[Trial, ...]
    runs: RunTable[Run]

    @property
    def best(self) -> Run:
        """The run of the best trial."""
        return self.runs[0]

    @property
    def best_params(self) -> Mapping[str, Any]:
        """What the best trial tried."""
        return self.trials[0].params

    @property
    def best_value(self) -> float:
        """The goal's metric of the best trial."""
        value = self.trials[0].value
        return float("nan") if value is None else value

    @property
    def failures(self) -> tuple[Trial, ...]:
        """The trials that failed, each with its `error`."""
        return tuple(trial for trial in self.trials if trial.error)

    @property
    def failed(self) -> int:
        """How many trials failed."""
        return len(self.failures)

    def __len__(self) -> int:
        return len(self.trials)

    def _headline(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        best = f"best {self.goal.metric} {show_float(self.best_value)}"
        tried = f"Sweep of {len(self)} trials for {self.goal}{failed}"
        return f"{tried}: {best} with {dict(self.best_params)}"

    def __repr__(self) -> str:
        return f"{self._headline()}\n{self.runs!r}"

    def _repr_html_(self) -> str:
        return fragment(element("p", self._headline()), self.runs.to_html())
