"""What a monitor found in one window of time."""

from collections.abc import Mapping
from typing import Any, Self

from attrs import field, frozen

from mlkit.display.formats import NOTHING, show_share, show_time
from mlkit.display.markup import Markup, element, join
from mlkit.display.page import fragment, note
from mlkit.display.table import html_table
from mlkit.display.text import text_table
from mlkit.errors import InvalidInput
from mlkit.quality.directions import direction
from mlkit.quality.drift_report import DriftReport

_HEADS = ("metric", "now", "at training", "change")


@frozen(kw_only=True)
class MonitorReport:
    """What one version of a model saw, said and was worth in a window of time.

    Attributes:
        model: The model.
        version: The number of its version.
        start: The first nanosecond of the window, since 1970, UTC; None for no limit.
        end: The nanosecond after its last; None for no limit.
        checked_at: When it was looked at.
        first: The time of the earliest inference in it; None where there is none.
        last: The time of the latest.
        rows: The inferences, each id once.
        repeated: How many inferences were left out because the same id came again later.
        truths: How many of the rows have a truth.
        unknown_truths: How many truths belong to no inference of the model; None where a window was
            asked for, since others may belong to those outside it.
        task: What is predicted, see `performance.Task`; empty where nothing was measured.
        performance: The figures of the rows with truths; None for one that isn't defined there.
        baseline: The version's own metrics, from its training.
        drift: How the features differ from those it was trained on; None where that isn't known.
        notes: What else to know, such as why something is missing.
    """

    model: str
    version: int
    start: int | None
    end: int | None
    checked_at: int
    first: int | None = None
    last: int | None = None
    rows: int = 0
    repeated: int = 0
    truths: int = 0
    unknown_truths: int | None = None
    task: str = ""
    performance: Mapping[str, float | None] = field(factory=dict)
    baseline: Mapping[str, float] = field(factory=dict)
    drift: DriftReport | None = None
    notes: tuple[str, ...] = ()

    @property
    def missing_truths(self) -> float | None:
        """The share of the rows whose truth isn't known; None where there are no rows."""
        return 1 - self.truths / self.rows if self.rows else None

    @property
    def ref(self) -> str:
        """The version, such as `delay:3`."""
        return f"{self.model}:{self.version}"

    @property
    def window(self) -> str:
        """The window in words, such as `2013-04-01 to 2013-05-01`."""
        if self.start is None and self.end is None:
            return "all time"
        if self.start is None:
            return f"until {_told(self.end)}"
        if self.end is None:
            return f"from {_told(self.start)}"
        return f"{_told(self.start)} to {_told(self.end)}"

    def loss(self, metric: str) -> float | None:
        """Give how much worse a metric is than at training; negative where it is better.

        Returns:
            The loss, None where either figure isn't known, or which way is better.
        """
        now, before = self.performance.get(metric), self.baseline.get(metric)
        if now is None or before is None:
            return None
        try:
            return before - now if direction(metric) == "higher" else now - before
        except InvalidInput:
            return None

    def to_json(self) -> dict[str, Any]:
        """Give all of it as plain values, fit for a JSON document."""
        drift = None if self.drift is None else self.drift.to_json()
        plain = {item: getattr(self, item) for item in _PLAIN}
        return {
            **plain,
            "performance": dict(self.performance),
            "baseline": dict(self.baseline),
            "drift": drift,
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Give the report of what `to_json` gave."""
        drift = data["drift"]
        return cls(
            **{item: data[item] for item in _PLAIN},
            performance=data["performance"],
            baseline=data["baseline"],
            drift=None if drift is None else DriftReport.from_json(drift),
            notes=tuple(data["notes"]),
        )

    def headline(self) -> str:
        """Give the window and what was in it, in one sentence."""
        if not self.rows:
            return f"{self.ref}, {self.window}: no inferences"
        text = f"{self.ref}, {self.window}: {self.rows:,} inferences"
        return f"{text}, {show_share(self.missing_truths)} without a truth"

    def text(self) -> str:
        """Give the report as plain text."""
        parts = [self.headline()]
        if self.performance:
            parts.append(text_table(_HEADS, self._figures()))
        if self.drift is not None:
            parts.append(self.drift.text())
        parts += [f"Note: {text}" for text in self.notes]
        return "\n\n".join(parts)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<MonitorReport: {self.headline()}>"

    def html(self) -> Markup:
        """Give the report as a piece of HTML without style, to be part of a page."""
        return join(
            element("h3", self.headline()),
            html_table(_HEADS, self._figures()) if self.performance else "",
            element("h4", "Drift of the features") if self.drift is not None else "",
            self.drift.html() if self.drift is not None else "",
            *map(note, self.notes),
        )

    def _repr_html_(self) -> str:
        return fragment(self.html())

    def _figures(self) -> list[list[object]]:
        rows: list[list[object]] = []
        for metric, now in self.performance.items():
            before = self.baseline.get(metric)
            change = NOTHING if now is None or before is None else f"{now - before:+.4f}"
            rows.append([metric, now, before, change])
        return rows


def _told(ns: int | None) -> str:
    """The time; midnight as the day alone."""
    return show_time(ns).removesuffix(" 00:00")


_PLAIN = (
    "model", "version", "start", "end", "checked_at", "first", "last", "rows", "repeated", "truths",
    "unknown_truths", "task",
)  # fmt: skip
