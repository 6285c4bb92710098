"""One trial of a sweep: a run with its own params, that may fail without harm to the others."""

import inspect
import math
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any, Literal, Protocol

from attrs import frozen

from mlkit._core.names import near
from mlkit.errors import InvalidInput
from mlkit.tracking.active import ActiveRun
from mlkit.tracking.decorator import arguments_of, log_result
from mlkit.tracking.reading import Run


class SweepStore(Protocol):
    """What a sweep needs of a store."""

    @property
    def url(self) -> str:
        """Where the store is."""

    def start_run(
        self,
        experiment: str,
        *,
        name: str | None = None,
        tags: Mapping[str, Any] | None = None,
        parent_id: str | None = None,
    ) -> ActiveRun:
        """Start a run and make it the current one."""

    def run(self, run_id: str) -> Run:
        """Give a run by its id."""


@frozen
class Goal:
    """What a sweep looks for.

    Attributes:
        mode: Whether more is better.
        metric: Of which metric.
    """

    mode: Literal["max", "min"]
    metric: str

    @classmethod
    def of(cls, text: str) -> "Goal":
        """Read a goal.

        Raises:
            InvalidInput: It isn't `max` or `min` and the name of a metric.

        Example:
            >>> Goal.of("max auc")
            Goal(mode='max', metric='auc')
        """
        mode, _, metric = text.strip().partition(" ") if isinstance(text, str) else ("", "", "")
        if mode not in ("max", "min") or not metric.strip():
            message = f"goal={text!r} isn't understood"
            raise InvalidInput(message, hint="Write 'max' or 'min' and a metric: 'max auc'")
        return cls("max" if mode == "max" else "min", metric.strip())

    def score(self, value: float) -> float:
        """Give a number that is larger the better the value is."""
        return value if self.mode == "max" else -value

    def __str__(self) -> str:
        return f"{self.mode} {self.metric}"


@frozen
class Trial:
    """What came of one trial.

    Attributes:
        number: Its number in the sweep, from 1.
        run_id: Its run.
        params: What was tried.
        value: The goal's metric; None when the trial failed.
        error: Why it failed, in one line; empty when it didn't.
    """

    number: int
    run_id: str
    params: Mapping[str, Any]
    value: float | None = None
    error: str = ""

    @property
    def scored(self) -> bool:
        """Whether its value can be compared with others."""
        return self.value is not None and not math.isnan(self.value)


@frozen
class Job:
    """What all trials of a sweep share; it is sent to worker processes.

    Attributes:
        function: What is tried.
        goal: What is looked for.
        experiment: The experiment of the runs.
        label: What to call the runs, before their numbers.
        parent_id: The run of the sweep.
    """

    function: Callable[..., Any]
    goal: Goal
    experiment: str
    label: str
    parent_id: str

    def run(self, store: SweepStore, number: int, params: Mapping[str, Any]) -> Trial:
        """Try these params, in a run of their own."""
        active = store.start_run(
            self.experiment, name=f"{self.label} {number}", parent_id=self.parent_id
        )
        try:
            with active:
                value = self._call(active, params)
        except Exception as error:  # noqa: BLE001 - whatever the function raises is that trial's own
            text = " ".join(str(error).split())
            return Trial(number, active.id, params, error=f"{type(error).__name__}: {text}")
        return Trial(number, active.id, params, value)

    def _call(self, active: ActiveRun, params: Mapping[str, Any]) -> float:
        signature = signature_of(self.function)
        active.log_params(arguments_of(signature, (), params) if signature else params)
        result = self.function(**params)
        metric = self.goal.metric
        if isinstance(result, Real) and not isinstance(result, bool):
            result = {metric: result}
        log_result(active, result)
        known = active.summary
        if metric not in known:
            message = f"The trial gave no metric {metric!r}, which is the sweep's goal"
            gave = f"It gave {', '.join(sorted(known))}" if known else "Return {'auc': …} or so"
            raise InvalidInput(message, hint=near(metric, known) or gave)
        return known[metric]


def run_in_worker(
    reopen: Callable[[], SweepStore], job: Job, number: int, params: Mapping[str, Any]
) -> Trial:
    """Try params in a process that has to open the store for itself."""
    return job.run(reopen(), number, params)


def untracked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give the function within a tracked one, since the trial is a run already."""
    if hasattr(function, "__mlkit_experiment__"):
        inner: Callable[..., Any] = function.__wrapped__  # type: ignore[attr-defined]
        return inner
    return function


def name_of(function: Callable[..., Any]) -> str:
    """Give what to call a function; one without a name is `sweep`."""
    function = getattr(function, "func", function)  # of a functools.partial
    name = str(getattr(function, "__name__", type(function).__name__))
    return name if name.isidentifier() else "sweep"


def signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    """Give the signature of a function, None where Python doesn't know it."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def check_arguments(function: Callable[..., Any], names: list[str]) -> None:
    """Refuse a space whose params the function doesn't take, before anything is written.

    Raises:
        InvalidInput: The function can't be called with just these params.
    """
    if not callable(function):
        message = f"A sweep tries a function, not {function!r}"
        raise InvalidInput(message, hint="Give a function that returns a mapping of metrics")
    signature = signature_of(function)
    if signature is None:
        return
    try:
        signature.bind(**dict.fromkeys(names))
    except TypeError as error:
        strange = [name for name in names if name not in signature.parameters]
        hint = near(strange[0], signature.parameters) if strange else ""
        message = f"{name_of(function)}{signature} can't be called with the space's params: {error}"
        default = "Use functools.partial for what isn't searched"
        raise InvalidInput(message, hint=hint or default) from None
