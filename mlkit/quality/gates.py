"""Gates: what a model version must show before an alias may move to it."""

import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

from attrs import field, frozen

from mlkit.display.formats import show_float
from mlkit.errors import InvalidInput
from mlkit.quality.directions import Better, direction
from mlkit.quality.gate_report import ConditionResult, GateReport

if TYPE_CHECKING:
    from mlkit.models.loaded import LoadedModel
    from mlkit.models.package import ModelVersion

Figures = Mapping[str, float]


@frozen
class Condition:
    """One condition of a gate; made by `at_least`, `at_most` and `no_worse`.

    Attributes:
        metric: The metric that it is about.
        rule: What is asked of it.
        value: The bound, or the tolerance of `no_worse`.
        better: Which way the metric is better; only `no_worse` looks at it.
    """

    metric: str
    rule: Literal["at_least", "at_most", "no_worse"]
    value: float
    better: Better = "higher"

    def __str__(self) -> str:
        if self.rule == "no_worse":
            slack = f" by more than {show_float(self.value)}" if self.value else ""
            return f"{self.metric} no worse than the holder's{slack}"
        sign = ">=" if self.rule == "at_least" else "<="
        return f"{self.metric} {sign} {show_float(self.value)}"

    def judge(self, figures: Figures, holder: Figures | None) -> ConditionResult:
        """Hold the condition against figures.

        Args:
            figures: The candidate's.
            holder: Those of the version that holds the alias; None where nobody does.

        Returns:
            The outcome. A figure that is missing or not a number fails.
        """
        figure = figures.get(self.metric)
        other = None if holder is None else holder.get(self.metric)
        upward = self.rule == "at_least" or (self.rule == "no_worse" and self.better == "higher")
        bound: float | None = self.value
        if self.rule == "no_worse":
            bound = None if other is None else other - self.value if upward else other + self.value
        if figure is None or math.isnan(figure):
            passed, why = False, _lacking("the candidate", self.metric, figure, figures)
        elif self.rule == "no_worse" and holder is None:
            passed, why = True, "nobody holds the alias yet, so there is nothing to be worse than"
        elif bound is None or math.isnan(bound):
            passed, why = False, _lacking("the holder", self.metric, other, holder or {})
        else:
            passed = figure >= bound if upward else figure <= bound
            sign = {
                (True, True): ">=",
                (True, False): "<",
                (False, True): "<=",
                (False, False): ">",
            }
            why = f"{show_float(figure)} {sign[upward, passed]} {show_float(bound)}"
        return ConditionResult(
            condition=str(self),
            metric=self.metric,
            passed=passed,
            figure=figure,
            bound=bound,
            holder_figure=other,
            why=why,
        )


def at_least(metric: str, value: float) -> Condition:
    """Ask for a metric of at least a value.

    Example:
        >>> print(at_least("auc", 0.7))
        auc >= 0.7
    """
    return Condition(metric, "at_least", _finite(value))


def at_most(metric: str, value: float) -> Condition:
    """Ask for a metric of at most a value.

    Example:
        >>> print(at_most("log_loss", 0.5))
        log_loss <= 0.5
    """
    return Condition(metric, "at_most", _finite(value))


def no_worse(metric: str, *, by: float = 0.0, better: Better | None = None) -> Condition:
    """Ask for a metric that is no worse than that of the version which holds the alias.

    It passes, and says so, where nobody holds it.

    Args:
        metric: The metric.
        by: How much worse is still fine.
        better: Whether `higher` or `lower` is better; told by the metric's name by default.

    Raises:
        InvalidInput: `by` is negative, or the name doesn't tell which way is better.

    Example:
        >>> print(no_worse("auc", by=0.005))
        auc no worse than the holder's by more than 0.005
    """
    if _finite(by) < 0:
        message = f"by={by} is negative"
        raise InvalidInput(message, hint="It is how much worse is still fine, 0 or more")
    return Condition(metric, "no_worse", float(by), direction(metric, better))


def _tuple(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    return tuple(conditions)


@frozen
class Gate:
    """Conditions that a model version must meet, all of them, before an alias may move to it.

    With `evaluate`, candidate and holder are both scored by that function, on the same data: that
    is an honest comparison. Without it, the figures that were stored with each version are taken,
    which may stem from different data. The holder is scored only where a condition asks for it, so
    an old version that can't be scored any more doesn't hinder others.

    An error in `evaluate` is raised as it is, with a note on what was being scored: nothing is
    promoted, and nothing recorded as refused, since the gate didn't come to a verdict.

    Args:
        conditions: What is asked, one or more.
        evaluate: Gives the figures of a loaded model.
        data: What `evaluate` measures on, such as `flights-2013-05:1`; kept in the report.

    Raises:
        InvalidInput: There are no conditions.

    Example:
        >>> gate = Gate([at_least("auc", 0.7), no_worse("auc", by=0.005)])
        >>> print(gate.conditions[0])
        auc >= 0.7
    """

    conditions: tuple[Condition, ...] = field(converter=_tuple)
    scorer: "Callable[[LoadedModel], Mapping[str, float]] | None" = field(
        default=None, alias="evaluate", kw_only=True
    )
    data: str = field(default="", kw_only=True)

    def __attrs_post_init__(self) -> None:
        strange = [one for one in self.conditions if not isinstance(one, Condition)]
        if strange or not self.conditions:
            said = f"{strange[0]!r} is no condition" if strange else "A gate without conditions"
            raise InvalidInput(said, hint="Use at_least, at_most and no_worse")

    def evaluate(
        self,
        candidate: "ModelVersion",
        holder: "ModelVersion | None",
        load: "Callable[[ModelVersion], LoadedModel]",
    ) -> GateReport:
        """Hold a candidate against the conditions.

        Args:
            candidate: The version that is to get the alias.
            holder: The version that has it; None where nobody does.
            load: Gives the model of a version.

        Raises:
            InvalidInput: `evaluate` gave something else than names and numbers.
            Exception: Whatever `evaluate` or loading raised.
        """
        compared = any(condition.rule == "no_worse" for condition in self.conditions)
        figures = self._figures(candidate, load)
        others: Figures | None = None
        if holder is not None and (compared or self.scorer is None):
            others = self._figures(holder, load)
        return GateReport(
            candidate=_named(candidate),
            holder=None if holder is None else _named(holder),
            source="stored" if self.scorer is None else "evaluated",
            data=self.data,
            conditions=tuple(condition.judge(figures, others) for condition in self.conditions),
        )

    def _figures(
        self, version: "ModelVersion", load: "Callable[[ModelVersion], LoadedModel]"
    ) -> dict[str, float]:
        if self.scorer is None:
            return _checked(version.metrics)
        try:
            return _checked(self.scorer(load(version)))
        except Exception as error:
            error.add_note(f"This happened while a gate scored {_named(version)}")
            raise


def _named(version: "ModelVersion") -> str:
    return f"{version.name}:{version.number}"


def _checked(figures: Any) -> dict[str, float]:
    """The figures as plain floats, whatever kind of number they came as."""
    if not isinstance(figures, Mapping):
        message = f"evaluate gave a {type(figures).__name__}, not a dict of metrics"
        raise InvalidInput(message, hint="Return {'auc': 0.8, …}")
    checked = {}
    for name, value in figures.items():
        if not isinstance(value, Real):
            message = f"The metric {name!r} is {value!r}, not a number"
            raise InvalidInput(message, hint="Return {'auc': 0.8, …}")
        checked[str(name)] = float(value)
    return checked


def _lacking(who: str, metric: str, figure: float | None, figures: Figures) -> str:
    if figure is not None:
        return f"{metric} of {who} is not a number"
    there = f"; it has {', '.join(sorted(figures)[:8])}" if figures else ""
    return f"{who} has no {metric}{there}"


def _finite(value: float) -> float:
    if not isinstance(value, Real) or not math.isfinite(value):
        message = f"{value!r} is no bound"
        raise InvalidInput(message, hint="Give a finite number")
    return float(value)
