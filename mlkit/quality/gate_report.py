"""What a gate found: each condition with its figure, its bound and its outcome."""

from collections.abc import Mapping
from typing import Any, Self

from attrs import asdict, frozen

from mlkit.display.markup import Markup, join
from mlkit.display.page import badge, fragment, note
from mlkit.display.table import html_table
from mlkit.display.text import text_table

_HEADS = ("condition", "figure", "bound", "holder", "outcome", "why")


@frozen(kw_only=True)
class ConditionResult:
    """One condition of a gate, and what became of it.

    Attributes:
        condition: What was asked, such as `auc >= 0.7`.
        metric: The metric that it is about.
        passed: Whether it holds.
        figure: The candidate's figure; None where there is none.
        bound: What the figure was held against; None where that isn't known.
        holder_figure: The figure of the version that holds the alias, where it was asked for.
        why: The reason in words.
    """

    condition: str
    metric: str
    passed: bool
    figure: float | None
    bound: float | None
    holder_figure: float | None
    why: str


@frozen(kw_only=True)
class GateReport:
    """What a gate found about one candidate.

    Attributes:
        candidate: The version that was to get the alias, such as `delay:3`.
        holder: The version that held it; None where nobody did.
        source: Where the figures are from: `evaluated`, or `stored` with the versions.
        data: What they were measured on, such as `flights-2013-05:1`; may be empty.
        conditions: The conditions in order, each with its outcome.
    """

    candidate: str
    holder: str | None
    source: str
    data: str
    conditions: tuple[ConditionResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every condition holds."""
        return all(condition.passed for condition in self.conditions)

    @property
    def failures(self) -> tuple[str, ...]:
        """What the candidate failed, each with its figures; nothing when it passed."""
        return tuple(f"{one.condition}: {one.why}" for one in self.conditions if not one.passed)

    def to_json(self) -> dict[str, Any]:
        """Give all of it as plain values, fit for a JSON document."""
        return {"passed": self.passed, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Give the report of what `to_json` gave."""
        return cls(
            candidate=data["candidate"],
            holder=data["holder"],
            source=data["source"],
            data=data["data"],
            conditions=tuple(ConditionResult(**condition) for condition in data["conditions"]),
        )

    def headline(self) -> str:
        """Give the outcome in one sentence."""
        failed = [condition.condition for condition in self.conditions if not condition.passed]
        verdict = "passed" if not failed else f"failed {', '.join(failed)}"
        against = f" against {self.holder}" if self.holder else ""
        figures = "on stored figures" if self.source == "stored" else "scored anew"
        where = f" on {self.data}" if self.data else ""
        return f"{self.candidate} {verdict}{against}, {figures}{where}"

    def text(self) -> str:
        """Give the report as plain text."""
        return (
            f"{self.headline()}\n\n{text_table(_HEADS, [_cells(one) for one in self.conditions])}"
        )

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<GateReport: {self.headline()}>"

    def html(self) -> Markup:
        """Give the report as a piece of HTML without style, to be part of a page."""
        rows = []
        for one in self.conditions:
            cells = _cells(one)
            cells[4] = badge("passed", "good") if one.passed else badge("failed", "bad")
            rows.append(cells)
        return join(note(self.headline()), html_table(_HEADS, rows))

    def _repr_html_(self) -> str:
        return fragment(self.html())


def _cells(one: ConditionResult) -> list[object]:
    outcome = "passed" if one.passed else "FAILED"
    return [one.condition, one.figure, one.bound, one.holder_figure, outcome, one.why]
