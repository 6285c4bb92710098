"""A diff of two versions as text and HTML."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlkit.data.comparing.value_text import python_value
from mlkit.display.formats import show_share
from mlkit.display.markup import Markup, element, plain
from mlkit.display.page import fragment, note
from mlkit.display.table import html_table

if TYPE_CHECKING:
    from mlkit.data.comparing.diff import DatasetDiff

_SHOWN = 6
_SHOWN_HTML = 50
_ROWS = 5
_LETTERS = 200


def diff_text(diff: "DatasetDiff") -> str:
    """Give a diff as lines of text."""
    lines = [f"{diff.before} -> {diff.after}"]
    if diff.rows[0] != diff.rows[1] or diff.columns_changed:
        lines.append(f"  rows: {_rows(diff)}")
    for what, names in diff.lists():
        lines.append(f"  {what}: {_listed(_told(diff, what, names), _SHOWN)}")
    if diff.columns_moved:
        lines.append("  columns in another order")
    lines.extend(f"  {sentence}" for sentence in _keyless(diff))
    return "\n".join(lines if len(lines) > 1 else [f"{lines[0]}: nothing changed"])


def diff_html(diff: "DatasetDiff") -> str:
    """Give a diff as HTML: what changed, and with a key the first rows that did."""
    rows = [("rows", _rows(diff))] if diff.rows != (None, None) else []
    lists = [(what, _listed(_told(diff, what, names), _SHOWN_HTML)) for what, names in diff.lists()]
    moved = [("columns", "in another order")] if diff.columns_moved else []
    caption = f"{diff.before} -> {diff.after}"
    return fragment(
        html_table(("what", "which"), [*rows, *lists, *moved], caption=caption),
        *(note(sentence) for sentence in _keyless(diff)),
        _first_changed(diff),
        note("nothing changed") if diff.same else "",
    )


def _told(diff: "DatasetDiff", what: str, names: Sequence[str]) -> list[str]:
    """Give names, those of changed columns with how many of their values did."""
    if what != "columns changed" or not diff.key:
        return [plain(name) for name in names]
    counts = diff.values_changed
    return [
        f"{plain(name)} ({counts[name]:,})" if name in counts else plain(name) for name in names
    ]


def _listed(names: Sequence[str], most: int) -> str:
    more = f", and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def _rows(diff: "DatasetDiff") -> str:
    counts = f"{_count(diff.rows[0])} -> {_count(diff.rows[1])}"
    if None in diff.rows:
        return counts
    if diff.rows_unmatched:
        return f"{counts} (not matched: {diff.rows_unmatched})"
    if not (diff.rows_added or diff.rows_removed or diff.rows_changed):
        return f"{counts} (the same in another order)" if diff.columns_changed else counts
    whole = not (diff.columns_added or diff.columns_removed or diff.columns_retyped)
    by = "" if whole else " by the columns of both"
    changed = f", {diff.rows_changed:,} changed" if diff.rows_changed is not None else ""
    return f"{counts} (+{diff.rows_added:,}, -{diff.rows_removed:,}{changed}{by})"


def _count(rows: int | None) -> str:
    return "none" if rows is None else f"{rows:,}"


def _keyless(diff: "DatasetDiff") -> list[str]:
    """Say which rows the key doesn't tell apart."""
    told = []
    for (old, new), why in (
        (diff.null_keys, "have a null in the key"),
        (diff.shared_keys, "share their key with others"),
    ):
        if old or new:
            told.append(f"{old:,} -> {new:,} rows {why}, and were matched by all their values")
    return told


def _first_changed(diff: "DatasetDiff") -> Markup | str:
    """Give the first rows that changed, and in how many rows each column did."""
    counts = diff.values_changed
    if not counts:
        return ""
    total = min(row for row in diff.rows if row is not None) or 1
    columns = html_table(
        ("column", "values changed", "share of rows"),
        [(name, count, show_share(count / total)) for name, count in counts.items()],
        limit=_SHOWN_HTML,
    )
    table = diff.changed(limit=_ROWS)
    names = table.column_names[:_SHOWN_HTML]
    first: list[list[Any]] = [[] for _ in range(len(table))]
    for name in names:
        for row, value in zip(first, _texts(table.column(name)), strict=True):
            row.append(value)
    rest = len(table.column_names) - len(names)
    more = note(f"and {rest:,} more columns") if rest else ""
    shown = html_table(names, first, caption="the first rows that changed")
    return element("div", columns, shown, more)


def _texts(column: Any) -> list[str]:
    return [
        "null" if not value.is_valid else plain(python_value(value))[:_LETTERS] for value in column
    ]
