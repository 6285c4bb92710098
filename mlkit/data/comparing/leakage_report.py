"""What was found to be in more than one of several tables, as figures, text and HTML."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from mlkit.display.formats import show_share
from mlkit.display.markup import Markup, join, plain
from mlkit.display.page import badge, fragment, note
from mlkit.display.table import html_table
from mlkit.display.text import text_table

_HEADS = ("what", "columns", "tables", "in both", "rows", "share", "leaks")
_COLUMNS = 8
_LETTERS = 80


@frozen
class LeakageExample:
    """One thing that is in two tables.

    Attributes:
        rows: The number of the first row with it in either table, from 0.
        values: What the row of the first table holds in the columns that were compared.
    """

    rows: tuple[int, int]
    values: Mapping[str, Any]


@frozen
class LeakageFinding:
    """What two tables have in common, by some columns.

    Attributes:
        what: `rows`, equal in all columns; `similar rows`, equal in chosen ones; `keys`; `groups`.
        columns: The columns that were compared.
        tables: What the two tables are called.
        shared: How many different rows, keys or groups are in both.
        rows: How many rows of each table are of those.
        totals: How many rows each table has.
        examples: The first of them.
    """

    what: str
    columns: tuple[str, ...]
    tables: tuple[str, str]
    shared: int
    rows: tuple[int, int]
    totals: tuple[int, int]
    examples: tuple[LeakageExample, ...] = ()

    @property
    def shares(self) -> tuple[float, float]:
        """The share of each table's rows that is in the other, too; 0 where it has none."""
        left, right = (
            rows / (total or 1) for rows, total in zip(self.rows, self.totals, strict=True)
        )
        return left, right

    @property
    def leaks(self) -> bool:
        """Whether there is any."""
        return self.shared > 0


@frozen
class LeakageReport:
    """What several tables have in common, which should have nothing; true when they do.

    Attributes:
        findings: What was looked for, in each pair of tables.
        left_out: Columns that not all tables have, by which rows weren't compared.
        retyped: Columns whose types differ so much that no values can be equal, likewise.
    """

    findings: tuple[LeakageFinding, ...]
    left_out: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()

    @property
    def leaks(self) -> bool:
        """Whether anything is in two tables."""
        return any(finding.leaks for finding in self.findings)

    def __bool__(self) -> bool:
        return self.leaks

    def headline(self) -> str:
        """Give the outcome in one sentence."""
        told = [
            f"{finding.shared:,} {finding.what if finding.shared > 1 else finding.what[:-1]} of "
            f"{finding.tables[0]} in {finding.tables[1]} "
            f"({show_share(finding.shares[1])} of its rows)"
            for finding in self.findings
            if finding.leaks
        ]
        looked = ", ".join(dict.fromkeys(finding.what for finding in self.findings))
        return plain("; ".join(told)) if told else f"No leakage found by {looked}"

    def __str__(self) -> str:
        rows = [_cells(finding) for finding in self.findings]
        lines = [self.headline(), "", text_table(_HEADS, rows)]
        for finding in self.findings:
            lines += [f"{_where(finding, one)}: {_values(one)}" for one in finding.examples]
        return "\n".join([*lines, *self._remarks()])

    def __repr__(self) -> str:
        return f"<LeakageReport: {self.headline()}>"

    def html(self) -> Markup:
        """Give the report as a piece of HTML without style, to be part of a page."""
        rows = []
        for finding in self.findings:
            cells = _cells(finding)
            rows.append([*cells[:-1], badge(cells[-1], "bad" if finding.leaks else "good")])
        examples = [
            html_table(
                ("rows", *finding.columns[:_COLUMNS]),
                [
                    [
                        " / ".join(f"{row:,}" for row in example.rows),
                        *(_text(example.values[name]) for name in finding.columns[:_COLUMNS]),
                    ]
                    for example in finding.examples
                ],
                caption=f"{finding.what} in {finding.tables[0]} and {finding.tables[1]}: the first",
            )
            for finding in self.findings
            if finding.examples
        ]
        return join(
            note(self.headline()),
            html_table(_HEADS, rows),
            *examples,
            *map(note, self._remarks()),
        )

    def _repr_html_(self) -> str:
        return fragment(self.html())

    def _remarks(self) -> list[str]:
        reasons = {
            "which not all tables have": self.left_out,
            "whose values are never equal, as their types differ": self.retyped,
        }
        return [
            f"Rows weren't compared by {_listed(names)}, {why}."
            for why, names in reasons.items()
            if names
        ]


def _listed(names: tuple[str, ...]) -> str:
    more = ", …" if len(names) > _COLUMNS else ""
    return f"{', '.join(map(plain, names[:_COLUMNS]))}{more}"


def _cells(finding: LeakageFinding) -> list[str]:
    names = [plain(name) for name in finding.columns[:_COLUMNS]]
    more = [f"and {len(finding.columns) - _COLUMNS} more"] if finding.columns[_COLUMNS:] else []
    return [
        finding.what,
        ", ".join([*names, *more]),
        " / ".join(finding.tables),
        f"{finding.shared:,}",
        " / ".join(f"{rows:,}" for rows in finding.rows),
        " / ".join(map(show_share, finding.shares)),
        "LEAKS" if finding.leaks else "no",
    ]


def _where(finding: LeakageFinding, example: LeakageExample) -> str:
    places = zip(finding.tables, example.rows, strict=True)
    return ", ".join(f"row {row:,} of {plain(name)}" for name, row in places)


def _values(example: LeakageExample) -> str:
    told = [
        f"{plain(name)}={_text(value)}" for name, value in list(example.values.items())[:_COLUMNS]
    ]
    return ", ".join([*told, *(["…"] if len(example.values) > _COLUMNS else [])])


def _text(value: Any) -> str:
    text = plain(value)
    return text if len(text) <= _LETTERS else f"{text[:_LETTERS]}…"
