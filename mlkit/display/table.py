"""Tables in HTML: plain ones, and ones whose colour says how large a value is."""

from collections.abc import Container, Sequence

from mlkit.display.formats import NOTHING, is_number, show, show_column
from mlkit.display.markup import Markup, element, escape, join

_LONG = 48  # letters, from which on a cell may break its line


def html_table(
    columns: Sequence[object],
    rows: Sequence[Sequence[object]],
    *,
    limit: int | None = None,
    caption: str = "",
    strong: Container[int] = (),
) -> Markup:
    """Give rows as an HTML table that scrolls sideways where it is too wide.

    Args:
        columns: The heads.
        rows: The cells; a row has as many as there are columns. `Markup` stays as it is.
        limit: How many rows to show; what is left out is said below.
        caption: What the table shows.
        strong: The indexes of rows that stand out.

    Example:
        >>> "&lt;b&gt;" in html_table(["name"], [["<b>"]])
        True
    """
    shown = rows if limit is None else rows[:limit]
    flush = [_is_numeric(shown, index) for index in range(len(columns))]
    cells = [show_column([row[index] for row in shown]) for index in range(len(columns))]
    head = [
        element("th", name, scope="col", class_="mlk-num" if right else None)
        for name, right in zip(columns, flush, strict=True)
    ]
    body = [
        element(
            "tr",
            *(
                element(
                    "td",
                    row[index] if isinstance(row[index], Markup) else cells[index][line],
                    class_=_class(row[index], cells[index][line], right=flush[index]),
                )
                for index in range(len(columns))
            ),
            class_="mlk-strong" if line in strong else None,
        )
        for line, row in enumerate(shown)
    ]
    rest = len(rows) - len(shown)
    return _scrolling(
        element("caption", caption) if caption else "",
        element("thead", element("tr", *head)),
        element("tbody", *body),
        after=element("p", f"… and {rest:,} more", class_="mlk-note") if rest else "",
    )


def heat_table(
    rows: Sequence[object],
    columns: Sequence[object],
    values: Sequence[Sequence[float | None]],
    *,
    full: float,
    marked: Sequence[Sequence[bool]] | None = None,
    caption: str = "",
    corner: str = "",
) -> Markup:
    """Give a table of numbers, each marked cell the deeper coloured the larger its number.

    Args:
        rows: The head of each row.
        columns: The head of each column.
        values: The numbers by row; None where there is none.
        full: The number that has the deepest colour.
        marked: Which cells are coloured, and set in bold so that the colour isn't all that tells;
            by default all are coloured, and none is bold.
        caption: What the table shows.
        corner: The head of the column of heads.

    Example:
        >>> html = heat_table(["temp"], ["May", "June"], [[4, 2]], full=9, marked=[[True, False]])
        >>> html.count("<b>")
        1
    """
    head = [element("th", corner, scope="col")]
    head += [element("th", name, scope="col", class_="mlk-num") for name in columns]
    marks: Sequence[Sequence[bool | None]] = marked or [[None] * len(line) for line in values]
    body = [
        element(
            "tr",
            element("th", name, scope="row"),
            *(_heat(value, full, mark) for value, mark in zip(line, told, strict=True)),
        )
        for name, line, told in zip(rows, values, marks, strict=True)
    ]
    return _scrolling(
        element("caption", caption) if caption else "",
        element("thead", element("tr", *head)),
        element("tbody", *body),
        kind="mlk-heat",
    )


def definition_list(pairs: Sequence[tuple[object, object]]) -> Markup:
    """Give names and their values as a list.

    Example:
        >>> "rows" in definition_list([("rows", 10)])
        True
    """
    parts = [join(element("dt", name), element("dd", show_cell(value))) for name, value in pairs]
    return element("dl", *parts, class_="mlk-facts")


def show_cell(value: object) -> Markup:
    """Give one value as the content of a cell."""
    return value if isinstance(value, Markup) else escape(show(value))


def _class(value: object, text: str, *, right: bool) -> str | None:
    if right:
        return "mlk-num"
    return "mlk-long" if len(text) > _LONG and not isinstance(value, Markup) else None


def _heat(value: float | None, full: float, mark: bool | None) -> Markup:  # noqa: FBT001 - a cell's own
    if value is None or value != value:  # noqa: PLR0124 - not a number
        return element("td", NOTHING, class_="mlk-num")
    depth = min(max(value / full, 0.0), 1.0) if full > 0 else 0.0
    text: object = f"{value:.2f}"
    if mark is False:
        return element("td", text, class_="mlk-num")
    if mark:
        text = element("b", text)
    return element("td", text, class_="mlk-num", style=f"--heat:{depth * 70:.0f}%")


def _scrolling(*parts: object, kind: str = "", after: object = "") -> Markup:
    table = element("table", *parts, class_=f"mlk-table {kind}".strip())
    return join(element("div", table, class_="mlk-scroll"), after)


def _is_numeric(rows: Sequence[Sequence[object]], index: int) -> bool:
    values = [row[index] for row in rows if row[index] is not None]
    return bool(values) and all(map(is_number, values))
