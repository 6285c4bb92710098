"""What a comparison of two tables found, as figures, text and HTML."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from attrs import asdict, field, frozen

from mlkit._core.names import unknown
from mlkit.display.charts import Rule, bar_chart
from mlkit.display.formats import NOTHING, show_share
from mlkit.display.markup import Markup, join
from mlkit.display.page import badge, fragment, note
from mlkit.display.table import html_table
from mlkit.display.text import text_table
from mlkit.quality.column_drift import ColumnDrift, Thresholds

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_BARS = 30
_HEADS = (
    "column", "kind", "drifted", "PSI", "JS", "KS / V", "W / std", "mean", "missing", "p", "why",
)  # fmt: skip


@frozen(kw_only=True)
class DriftReport:
    """What changed between two tables.

    Attributes:
        columns: Every column of either table, those of the reference first.
        rows_reference: The rows of the reference.
        rows_current: The rows of what was compared with it.
        reference: What the reference is called, such as `flights:3`; may be empty.
        current: What the other is called.
        thresholds: From when on a difference counted.
    """

    columns: tuple[ColumnDrift, ...]
    rows_reference: int
    rows_current: int
    reference: str = ""
    current: str = ""
    thresholds: Thresholds = field(factory=Thresholds)

    @property
    def drifted(self) -> bool:
        """Whether any of the columns that could be compared drifted."""
        return bool(self.drifted_columns)

    @property
    def share(self) -> float:
        """The share of the compared columns that drifted; 0 where none could be compared."""
        return len(self.drifted_columns) / (len(self.compared) or 1)

    @property
    def compared(self) -> tuple[ColumnDrift, ...]:
        """The columns that could be compared."""
        return tuple(column for column in self.columns if column.compared)

    @property
    def not_comparable(self) -> tuple[ColumnDrift, ...]:
        """The columns that couldn't be compared; `why` tells the reason of each."""
        return tuple(column for column in self.columns if not column.compared)

    @property
    def drifted_columns(self) -> tuple[ColumnDrift, ...]:
        """The columns that drifted, by the effect that decided, largest first."""
        return tuple(column for column in self.ordered if column.drifted and column.compared)

    @property
    def ordered(self) -> tuple[ColumnDrift, ...]:
        """The columns that drifted first, then the others, then those not comparable.

        Within each, by the effect as a multiple of its threshold, largest first.
        """
        return tuple(sorted(self.columns, key=self._rank))

    def _rank(self, column: ColumnDrift) -> tuple[bool, bool, float]:
        effect = column.effect(self.thresholds)
        return not column.compared, not column.drifted, -(effect or 0.0)

    def __getitem__(self, name: str) -> ColumnDrift:
        """Give a column by its name.

        Raises:
            NotFound: There is none of this name; near names are suggested.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise unknown("column", name, (column.name for column in self.columns))

    def to_json(self) -> dict[str, Any]:
        """Give all of it as plain values, fit for a JSON document."""
        return {
            "drifted": self.drifted,
            "share": self.share,
            "compared": len(self.compared),
            "rows_reference": self.rows_reference,
            "rows_current": self.rows_current,
            "reference": self.reference,
            "current": self.current,
            "thresholds": asdict(self.thresholds),
            "columns": [column.to_json() for column in self.columns],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Give the report of what `to_json` gave."""
        return cls(
            columns=tuple(ColumnDrift.from_json(column) for column in data["columns"]),
            rows_reference=data["rows_reference"],
            rows_current=data["rows_current"],
            reference=data["reference"],
            current=data["current"],
            thresholds=Thresholds(**data["thresholds"]),
        )

    def to_arrow(self) -> "pa.Table":
        """Give the columns as a table with a row for each, and its figures as columns."""
        import pyarrow as pa

        texts = {"name", "kind", "why"}
        counts = {"rows_reference", "rows_current"}
        lists = {"new_values", "vanished_values"}
        verdicts = {"drifted", "compared"}
        rows = [column.to_json() for column in self.columns]
        arrays = {}
        for key in rows[0]:
            if key in lists:
                given = [[name for name, _ in row[key]] for row in rows]
                arrays[key] = pa.array(given, pa.list_(pa.string()))
                continue
            kind = pa.string() if key in texts else pa.int64() if key in counts else pa.float64()
            arrays[key] = pa.array(
                [row[key] for row in rows], pa.bool_() if key in verdicts else kind
            )
        return pa.table(arrays)

    def headline(self) -> str:
        """Give the outcome in one sentence."""
        left = f"{self.reference or 'reference'} ({self.rows_reference:,} rows)"
        right = f"{self.current or 'current'} ({self.rows_current:,} rows)"
        return f"{self._verdict()}: {left} against {right}"

    def _verdict(self) -> str:
        lost = len(self.not_comparable)
        if not self.compared:
            return f"0 of {lost} columns compared, {lost} not comparable, so drift isn't known"
        which = "compared columns" if lost else "columns"
        text = f"{len(self.drifted_columns)} of {len(self.compared)} {which} drifted"
        text = f"{text} ({show_share(self.share)})"
        return f"{text}, {lost} not comparable" if lost else text

    def text(self) -> str:
        """Give the report as plain text, the columns that drifted most first."""
        rows = [_cells(column) for column in self.ordered]
        return f"{self.headline()}\n\n{text_table(_HEADS, rows)}"

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<DriftReport: {self.headline()}>"

    def html(self) -> Markup:
        """Give the report as a piece of HTML without style, to be part of a page."""
        rows = [_html_cells(column) for column in self.ordered]
        shown = [column for column in self.ordered if column.compared][:_MOST_BARS]
        chart = bar_chart(
            [column.name for column in shown],
            [column.effect(self.thresholds) for column in shown],
            title="How far each column moved; red where it drifted",
            x_label="the effect that decided, as a multiple of its limit",
            rule=Rule(1.0, "limit"),
            hot=[index for index, column in enumerate(shown) if column.drifted],
        )
        warning = badge(f"{len(self.not_comparable)} not comparable", "warn" if shown else "bad")
        return join(
            note(warning, " ", self.headline()) if self.not_comparable else note(self.headline()),
            chart if shown else "",
            html_table(_HEADS, rows),
            *_values_told(self.ordered),
        )

    def _repr_html_(self) -> str:
        return fragment(self.html())


def _cells(column: ColumnDrift) -> list[object]:
    return [
        column.name,
        column.kind,
        ("DRIFTED" if column.drifted else "no") if column.compared else "not comparable",
        column.psi,
        column.jensen_shannon,
        column.ks if column.ks is not None else column.cramers_v,
        column.wasserstein_scaled,
        _change(column.mean_reference, column.mean_current, lambda mean: f"{mean:.4g}"),
        _change(column.missing_reference, column.missing_current, show_share),
        _probability(column.p_corrected),
        column.why,
    ]


def _html_cells(column: ColumnDrift) -> list[object]:
    cells = _cells(column)
    if column.compared:
        cells[2] = badge("drifted", "bad") if column.drifted else badge("no")
    else:
        cells[2] = badge("not comparable", "warn")
    return cells


def _change(before: float | None, after: float | None, show: Any) -> str:
    texts = [NOTHING if value is None else show(value) for value in (before, after)]
    return texts[0] if texts[0] == texts[1] else " → ".join(texts)


def _probability(p: float | None) -> str:
    if p is None:
        return NOTHING
    return "< 1e-16" if p < 1e-16 else f"{p:.2g}"  # noqa: PLR2004 - doubles end there


def _values_told(columns: Sequence[ColumnDrift]) -> list[Markup]:
    told = []
    for column in columns:
        for what, pairs in (("New", column.new_values), ("Vanished", column.vanished_values)):
            if pairs:
                shown = ", ".join(f"{name} ({show_share(share)})" for name, share in pairs[:8])
                more = f" and {len(pairs) - 8} more" if len(pairs) > 8 else ""  # noqa: PLR2004 - fits a line
                told.append(note(f"{what} values of {column.name}: {shown}{more}"))
    return told
