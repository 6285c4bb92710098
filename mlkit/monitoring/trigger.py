"""Triggers: what sets off a retraining, and the record of every decision."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from attrs import asdict, evolve, field, frozen

from mlkit._core.clock import Clock, iso, now_ns
from mlkit._core.ids import token
from mlkit._core.names import check_name
from mlkit.display.formats import show_float
from mlkit.display.markup import Markup, join
from mlkit.display.page import badge, fragment, note
from mlkit.display.table import html_table
from mlkit.display.text import text_table
from mlkit.errors import InvalidInput
from mlkit.quality.directions import Better, direction

if TYPE_CHECKING:
    from mlkit.monitoring.monitor_report import MonitorReport
    from mlkit.objects.series import Series

Outcome = TypeVar("Outcome")

_HEADS = ("condition", "figure", "bound", "met", "why")


@frozen(kw_only=True)
class Reason:
    """One condition of a trigger, and what became of it.

    Attributes:
        condition: What was asked, such as `auc lost 0.02 or more`.
        met: Whether it is so.
        figure: What was found; None where it isn't known.
        bound: From when on it is met.
        why: The reason in words.
    """

    condition: str
    met: bool
    figure: float | None
    bound: float
    why: str


class TriggerCondition(Protocol):
    """A condition of a trigger: anything that can judge a report."""

    def judge(self, report: "MonitorReport") -> Reason:
        """Tell whether the condition is met, with the figures."""
        ...


@frozen
class MetricDrop:
    """A metric became worse than at training; made by `metric_drop`."""

    metric: str
    by: float
    baseline: float | None
    least: int
    better: Better

    def judge(self, report: "MonitorReport") -> Reason:
        """Tell whether the metric lost too much."""
        before = report.baseline.get(self.metric) if self.baseline is None else self.baseline
        now = report.performance.get(self.metric)
        lost: float | None = None
        if report.truths < self.least:
            why = f"{report.truths:,} truths are fewer than the {self.least:,} that this asks for"
        elif now is None:
            why = f"{self.metric} isn't known for {report.window}"
        elif before is None:
            why = f"{self.metric} at training isn't known; give it as baseline="
        else:
            lost = before - now if self.better == "higher" else now - before
            why = f"{show_float(now)} against {show_float(before)} at training"
        return Reason(
            condition=f"{self.metric} lost {show_float(self.by)} or more",
            met=lost is not None and lost >= self.by,
            figure=lost,
            bound=self.by,
            why=why,
        )


@frozen
class DriftShare:
    """Too many features drifted; made by `drift_share`."""

    share: float

    def judge(self, report: "MonitorReport") -> Reason:
        """Tell whether too many features drifted."""
        found = report.drift
        if found is None:
            why = "drift isn't known"
        else:
            names = [column.name for column in found.drifted_columns]
            why = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")  # noqa: PLR2004 - fits a line
            why = why or "no feature drifted"
            if not found.compared:
                why = "no feature could be compared"
            elif found.not_comparable:
                why = f"{why}; {len(found.not_comparable)} not comparable"
        share = found.share if found is not None and found.compared else None
        return Reason(
            condition=f"{self.share * 100:.4g} % or more of the features drifted",
            met=share is not None and share >= self.share,
            figure=share,
            bound=self.share,
            why=why,
        )


def metric_drop(
    metric: str,
    by: float,
    *,
    baseline: float | None = None,
    least: int = 1,
    better: Better | None = None,
) -> MetricDrop:
    """Ask whether a metric lost at least so much since training.

    Args:
        metric: One of the report's performance figures, such as `auc`.
        by: The loss from which on it is met, above 0.
        baseline: What it is held against; the version's own metric of that name by default.
        least: It is never met with fewer truths than this.
        better: Whether `higher` or `lower` is better; told by the metric's name by default.

    Raises:
        InvalidInput: `by` isn't above 0, or the name doesn't tell which way is better.

    Example:
        >>> metric_drop("auc", 0.02).better
        'higher'
    """
    if not by > 0:
        message = f"by={by} isn't above 0"
        raise InvalidInput(message, hint="It is the loss from which on the condition is met")
    return MetricDrop(metric, by, baseline, least, direction(metric, better))


def drift_share(share: float) -> DriftShare:
    """Ask whether at least this share of the features drifted.

    Raises:
        InvalidInput: It isn't above 0, or is above 1.

    Example:
        >>> drift_share(0.3).share
        0.3
    """
    if not 0 < share <= 1:
        message = f"share={share} is no share"
        raise InvalidInput(message, hint="Give a number above 0, up to 1")
    return DriftShare(share)


@frozen(kw_only=True)
class Decision(Generic[Outcome]):
    """What a trigger decided about one report.

    Attributes:
        trigger: The trigger.
        fired: Whether any condition was met.
        reasons: Each condition, with its figures.
        ref: The version that the report is about.
        window: The report's window, in words.
        at: When it was decided, in nanoseconds since 1970, UTC.
        number: The number of its record; None where it wasn't recorded.
        outcome: What the action gave; None where there was none.
    """

    trigger: str
    fired: bool
    reasons: tuple[Reason, ...]
    ref: str
    window: str
    at: int
    number: int | None = None
    outcome: Outcome | None = None

    def to_json(self) -> dict[str, Any]:
        """Give what is recorded of it, as plain values."""
        return {
            "trigger": self.trigger,
            "fired": self.fired,
            "reasons": [asdict(reason) for reason in self.reasons],
            "ref": self.ref,
            "window": self.window,
            "at": iso(self.at),
        }

    def headline(self) -> str:
        """Give the decision in one sentence."""
        met = [reason.condition for reason in self.reasons if reason.met]
        verdict = f"fired: {'; '.join(met)}" if self.fired else "didn't fire"
        return f"{self.trigger} {verdict} ({self.ref}, {self.window})"

    def text(self) -> str:
        """Give the decision as plain text."""
        return f"{self.headline()}\n\n{text_table(_HEADS, self._rows())}"

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<Decision: {self.headline()}>"

    def html(self) -> Markup:
        """Give the decision as a piece of HTML without style, to be part of a page."""
        verdict = badge("fired", "warn") if self.fired else badge("quiet", "good")
        return join(note(verdict, " ", self.headline()), html_table(_HEADS, self._rows()))

    def _repr_html_(self) -> str:
        return fragment(self.html())

    def _rows(self) -> list[list[object]]:
        return [[one.condition, one.figure, one.bound, one.met, one.why] for one in self.reasons]


def _tuple(when: TriggerCondition | Sequence[TriggerCondition]) -> tuple[TriggerCondition, ...]:
    """One condition or several, as a tuple."""
    given = (when,) if hasattr(when, "judge") or not isinstance(when, Iterable) else tuple(when)
    for one in given:
        if not hasattr(one, "judge"):
            message = f"{one!r} is no condition of a trigger"
            raise InvalidInput(message, hint="Use metric_drop and drift_share")
    return given


@frozen
class Trigger(Generic[Outcome]):
    """Does something when a monitor's report says so.

    Args:
        name: What it is called in the records.
        when: A condition, or several: it fires when any of them is met.
        action: What it does then; it is given the report.
        decisions: Where its decisions are recorded; `Monitor.trigger` gives that. Nowhere by
            default.
        clock: The time.

    Raises:
        InvalidInput: There are no conditions, or one is none.
        InvalidName: The name breaks the rules for names.

    Example:
        >>> trigger = Trigger("retrain", [drift_share(0.3)], action=lambda report: "retrained")
        >>> trigger.when
        (DriftShare(share=0.3),)
    """

    name: str
    when: tuple[TriggerCondition, ...] = field(converter=_tuple)
    action: "Callable[[MonitorReport], Outcome]" = field()
    decisions: "Series | None" = field(default=None, kw_only=True)
    clock: Clock = field(default=now_ns, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_name(self.name, "trigger")
        if not self.when:
            message = f"The trigger {self.name!r} has no conditions"
            raise InvalidInput(message, hint="Use metric_drop and drift_share")

    def check(self, report: "MonitorReport") -> Decision[Outcome]:
        """Give the decision about a report; nothing is done or recorded."""
        reasons = tuple(condition.judge(report) for condition in self.when)
        return Decision(
            trigger=self.name,
            fired=any(reason.met for reason in reasons),
            reasons=reasons,
            ref=report.ref,
            window=report.window,
            at=self.clock(),
        )

    def run(self, report: "MonitorReport") -> Decision[Outcome]:
        """Decide about a report, record the decision, and act if it fired.

        The decision is recorded before the action, so it is known even if the action fails.

        Returns:
            The decision, with what the action gave.

        Raises:
            Exception: Whatever the action raised.
        """
        decision = self.check(report)
        if self.decisions is not None:
            body: Mapping[str, Any] = decision.to_json()
            number = self.decisions.append(lambda _: body, token=token())
            decision = evolve(decision, number=number)
        if not decision.fired:
            return decision
        return evolve(decision, outcome=self.action(report))
