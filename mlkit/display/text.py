"""Tables for terminals and logs, in plain text."""

import unicodedata
from collections.abc import Sequence

from mlkit.display.formats import is_number, show_column
from mlkit.display.markup import plain

_WIDEST = 60


def text_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    limit: int | None = None,
    widest: int = _WIDEST,
) -> str:
    """Give rows as aligned columns of text.

    Args:
        columns: The heads.
        rows: The cells; a row has as many as there are columns.
        limit: How many rows to show; what is left out is said.
        widest: The width from which a cell is cut with `…`.

    Returns:
        Lines without an end of line after the last.

    Example:
        >>> print(text_table(["run", "auc"], [["a", 0.81], ["bb", 0.7934]]))
        run     auc
        ---  ------
        a    0.8100
        bb   0.7934
    """
    shown = rows if limit is None else rows[:limit]
    cells = [[_one_line(str(name), widest)] for name in columns]
    for index, column in enumerate(cells):
        values = [row[index] for row in shown]
        column.extend(_one_line(text, widest) for text in show_column(values))
    right = [_is_numeric(shown, index) for index in range(len(columns))]
    widths = [max(map(width_of, column)) for column in cells]
    lines = [
        "  ".join(
            _padded(column[line], width, right=flush)
            for column, width, flush in zip(cells, widths, right, strict=True)
        ).rstrip()
        for line in range(len(shown) + 1)
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    if len(shown) < len(rows):
        lines.append(f"… and {len(rows) - len(shown):,} more")
    return "\n".join(lines)


def width_of(text: str) -> int:
    """Give how many places of a terminal a text takes.

    Example:
        >>> width_of("abc"), width_of("東京")
        (3, 4)
    """
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def _is_numeric(rows: Sequence[Sequence[object]], index: int) -> bool:
    values = [row[index] for row in rows if row[index] is not None]
    return bool(values) and all(map(is_number, values))


def _one_line(text: str, widest: int) -> str:
    text = " ".join(plain(text).split())
    if width_of(text) <= widest:
        return text
    kept = ""
    for char in text:
        if width_of(kept + char) > widest - 1:
            break
        kept += char
    return f"{kept}…"


def _padded(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - width_of(text))
    return space + text if right else text + space
