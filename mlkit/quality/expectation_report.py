"""What a check of data found: each expectation with its outcome, and rows that break it."""

from typing import TYPE_CHECKING, Any

from attrs import asdict, frozen

from mlkit.display.formats import NOTHING, show_share
from mlkit.display.markup import Markup, join, plain
from mlkit.display.page import badge, fragment, note
from mlkit.display.table import html_table
from mlkit.display.text import text_table
from mlkit.errors import DataRefused

if TYPE_CHECKING:
    import pyarrow as pa

_HEADS = ("expectation", "outcome", "rows", "share", "why", "such as")
_EXAMPLES = 3
_NAMED = 3
_MOST_SHOWN = 200


@frozen
class FailedRow:
    """A row that breaks an expectation.

    Attributes:
        row: Its number, counted from 0 in the order of the data.
        value: What stands there, as text; None where it is missing or has no text.
    """

    row: int
    value: str | None


@frozen(kw_only=True)
class ExpectationResult:
    """One expectation, and what became of it.

    Attributes:
        expectation: What was expected, in words.
        kind: What kind of expectation it is, such as `min` or `unique`.
        columns: The columns that it is about; none where it is about the table.
        ok: Whether it is met. What can't be evaluated isn't.
        checked: How many rows were looked at.
        failed: How many of them break it; 0 where it isn't about single rows.
        rows: The first of these.
        why: The reason in words.
    """

    expectation: str
    kind: str
    columns: tuple[str, ...] = ()
    ok: bool
    checked: int = 0
    failed: int = 0
    rows: tuple[FailedRow, ...] = ()
    why: str = ""

    @property
    def share(self) -> float | None:
        """The share of the rows that break it; None where it isn't about single rows."""
        return self.failed / self.checked if self.failed else None


@frozen(kw_only=True)
class ExpectationReport:
    """What a check of data found.

    Attributes:
        data: What was checked, such as `flights:3`; may be empty.
        row_count: How many rows it has.
        results: Every expectation in order, with its outcome.
        other_columns: Columns that nothing is expected of.
    """

    data: str
    row_count: int
    results: tuple[ExpectationResult, ...]
    other_columns: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every expectation is met."""
        return not self.failures

    def __bool__(self) -> bool:
        return self.ok

    @property
    def failures(self) -> tuple[ExpectationResult, ...]:
        """The expectations that aren't met."""
        return tuple(result for result in self.results if not result.ok)

    def rows(self) -> "pa.Table":
        """Give the rows that break expectations, as far as they were kept.

        Returns:
            A table with the columns `expectation`, `column` (several joined by commas), `row`
            (from 0) and `value` (as text).
        """
        import pyarrow as pa

        told = [
            (one.expectation, ", ".join(one.columns), found.row, found.value)
            for one in self.failures
            for found in one.rows
        ]
        kinds = (pa.string(), pa.string(), pa.int64(), pa.string())
        columns = list(zip(*told, strict=True)) or [()] * len(kinds)
        arrays = [pa.array(values, kind) for values, kind in zip(columns, kinds, strict=True)]
        return pa.Table.from_arrays(arrays, ["expectation", "column", "row", "value"])

    def raise_for_failures(self) -> None:
        """Raise unless every expectation is met.

        Raises:
            DataRefused: Some aren't; the message names the first of them, and the report is in
                `.report`.
        """
        failures = self.failures
        if not failures:
            return
        # Names and values may come from anywhere, and an error is shown in a terminal.
        named = plain("; ".join(f"{one.expectation}: {one.why}" for one in failures[:_NAMED]))
        more = f"; and {len(failures) - _NAMED:,} more" if len(failures) > _NAMED else ""
        raise DataRefused(
            f"{self.data or 'The data'} broke {len(failures):,} of "
            f"{_counted(len(self.results), 'expectation')}: "
            f"{named}{more}",
            hint="The error's report.rows() lists the rows; mend them, or change the expectations",
            report=self,
        )

    def to_json(self) -> dict[str, Any]:
        """Give all of it as plain values, fit for a JSON document."""
        return {"ok": self.ok, **asdict(self)}

    def headline(self) -> str:
        """Give the outcome in one sentence."""
        what = f"{self.data or 'The data'}, {_counted(self.row_count, 'row')},"
        failed = len(self.failures)
        total = _counted(len(self.results), "expectation")
        return f"{what} broke {failed:,} of {total}" if failed else f"{what} met {total}"

    def text(self) -> str:
        """Give the report as plain text."""
        table = text_table(_HEADS, [_cells(one) for one in self._ordered()], limit=_MOST_SHOWN)
        others = self._others()
        return "\n\n".join(part for part in (self.headline(), table, others) if part)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<ExpectationReport: {self.headline()}>"

    def html(self) -> Markup:
        """Give the report as a piece of HTML without style, to be part of a page."""
        rows = []
        for one in self._ordered():
            cells = _cells(one)
            cells[1] = badge("met", "good") if one.ok else badge("broken", "bad")
            rows.append(cells)
        table = html_table(_HEADS, rows, limit=_MOST_SHOWN)
        return join(note(self.headline()), table, note(self._others()) if self._others() else "")

    def _repr_html_(self) -> str:
        return fragment(self.html())

    def _ordered(self) -> list[ExpectationResult]:
        """Give what failed first."""
        return sorted(self.results, key=lambda one: one.ok)

    def _others(self) -> str:
        if not self.other_columns:
            return ""
        names = ", ".join(self.other_columns[:_MOST_SHOWN])
        return f"Nothing is expected of {names}"


def _cells(one: ExpectationResult) -> list[object]:
    examples = "; ".join(
        f"row {found.row:,}: {NOTHING if found.value is None else found.value}"
        for found in one.rows[:_EXAMPLES]
    )
    outcome = "met" if one.ok else "BROKEN"
    failed = one.failed or None
    return [one.expectation, outcome, failed, show_share(one.share), one.why, examples]


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
