"""How the profile of a table looks: text for terminals, a table with small charts for notebooks."""

import textwrap
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from mlkit.data.profiles.column_profile import ColumnProfile
from mlkit.display.charts import PALETTE
from mlkit.display.formats import NOTHING, show, show_share
from mlkit.display.markup import Markup, element, join, plain
from mlkit.display.page import note
from mlkit.display.table import html_table
from mlkit.display.text import text_table, width_of

_HEADS = ("column", "type", "nulls", "distinct", "min", "median", "max", "shape")
_WIDTHS = (17, 10, 7, 10, 10, 10, 10, 11)
_MOST_LINES = 100
_MOST_NOTES = 10
_LINE = 100
_MOST_ROWS = 200
_BLOCKS = "▁▂▃▄▅▆▇█"
_EMPTY = "·"
_SHAPE = 10
_WIDE, _HIGH = 160, 36
_BAR_HIGH = 15
_LETTERS = 20
_CELL = 32
_ABOUT = "≈ "


def profile_cells(column: ColumnProfile) -> tuple[str, ...]:
    """Give the figures of a column as texts."""
    return (
        column.name,
        column.type,
        f"{column.nulls:,}",
        "" if column.distinct is None else _about(column, "distinct", f"{column.distinct:,}"),
        _text(column.min),
        _text(column.quantiles.get(0.5)),
        _text(column.max),
        _text(column.mean),
        _text(column.std),
        ", ".join(f"{_text(value)} ({count:,})" for value, count in column.top),
    )


def profile_text(rows: int, columns: Sequence[ColumnProfile]) -> str:
    """Give a profile as text of at most 100 letters a line."""
    lines = [tuple(map(_cut, _line(column), _WIDTHS)) for column in columns]
    told = [f"{_counted(rows, 'row')}", text_table(_HEADS, lines, limit=_MOST_LINES)]
    odd = [f"{_cut(column.name, _CELL)}: {text}" for column in columns if (text := _odd(column))]
    told += odd[:_MOST_NOTES]
    if _errors(columns):
        told.append(textwrap.fill(_approximate(columns), _LINE))
    return "\n".join(told)


def profile_html(rows: int, columns: Sequence[ColumnProfile]) -> Markup:
    """Give a profile as a table with a small chart for each column."""
    heads = (*_HEADS[:1], *_HEADS[2:4], "distribution", *_HEADS[4:7], "mean ± std", "")
    table = html_table(
        heads,
        [_html_cells(column) for column in columns],
        limit=_MOST_ROWS,
        caption=f"{_counted(rows, 'row')}, {_counted(len(columns), 'column')}",
    )
    return join(table, note(_approximate(columns)) if _errors(columns) else "")


def _line(column: ColumnProfile) -> tuple[str, ...]:
    distinct = "" if column.distinct is None else f"{column.distinct:,}"
    about = "distinct" in column.errors
    return (
        column.name,
        column.type,
        f"{column.nulls:,}",
        f"≈{distinct}" if about else distinct,
        *_marks(column),
        _sparkline(column) or _commonest(column) or _length_text(column),
    )


def _marks(column: ColumnProfile) -> list[str]:
    """Give the least, middle and greatest value, each in the few letters of its cell."""
    ends = [column.min, column.quantiles.get(0.5), column.max]
    days = {value.date() for value in ends if isinstance(value, datetime)}
    return [_short(value, one_day=len(days) == 1) for value in ends]


def _short(value: Any, *, one_day: bool) -> str:
    if isinstance(value, datetime):
        return f"{value:%H:%M:%S}" if one_day else f"{value.date()}"
    text = _text(value)
    if isinstance(value, int | Decimal) and len(text) > _WIDTHS[4]:
        return f"{value:.4g}"
    return text


def _sparkline(column: ColumnProfile) -> str:
    """Give the histogram in ten letters."""
    counts = [count for _, _, count in column.histogram]
    if len(counts) > _SHAPE:
        pairs = range(0, len(counts), 2)
        counts = [sum(counts[at : at + 2]) for at in pairs]
    most = max(counts, default=0)
    return "".join(_EMPTY if not n else _BLOCKS[(n * len(_BLOCKS) - 1) // most] for n in counts)


def _commonest(column: ColumnProfile) -> str:
    if not column.top:
        return ""
    value, count = column.top[0]
    share = f" {count / column.count:.0%}"
    return _cut(_text(value), _WIDTHS[-1] - len(share)) + share


def _length_text(column: ColumnProfile) -> str:
    lengths = column.lengths
    return f"len {lengths.min:,}-{lengths.max:,}" if lengths else ""


def _html_cells(column: ColumnProfile) -> tuple[Any, ...]:
    name = join(
        element("b", _cut(column.name, _CELL), title=column.name),
        element("div", _cut(column.type, _CELL), class_="mlk-note", title=column.type),
    )
    median = column.quantiles.get(0.5)
    mean = NOTHING if column.mean is None else show(column.mean)
    spread = mean if column.std is None else f"{mean} ± {show(column.std)}"
    distinct = NOTHING if column.distinct is None else f"{column.distinct:,}"
    return (
        name,
        _nulls(column),
        _about(column, "distinct", distinct),
        _chart(column),
        _shown(column.min),
        NOTHING if median is None else _about(column, "quantiles", _shown(median)),
        _shown(column.max),
        spread,
        _remarks(column),
    )


def _nulls(column: ColumnProfile) -> Markup:
    """Give the share of nulls, with a bar where there are any."""
    share = column.nulls / (column.rows or 1)
    told = element("span", show_share(share), title=f"{column.nulls:,} nulls")
    if not column.nulls:
        return told
    bar = _rect(0, 0, 60 * share, 5, PALETTE[6], f"{column.nulls:,} of {column.rows:,} are null")
    back = _rect(0, 0, 60, 5, "currentColor", "", opacity=0.12)
    return join(told, element("div", _svg(60, 5, "share of nulls", back, bar)))


def _chart(column: ColumnProfile) -> Markup:
    if column.histogram:
        return _histogram(column)
    return _bars(column) if column.top else Markup("")


def _histogram(column: ColumnProfile) -> Markup:
    most = max(count for _, _, count in column.histogram) or 1
    step = _WIDE / len(column.histogram)
    bars = []
    for at, (start, end, count) in enumerate(column.histogram):
        # One that isn't empty can be seen.
        high = max(count / most * _HIGH, 1.0) if count else 0.0
        told = f"{_shown(start)} to {_shown(end)}: {count:,}"
        place = (at * step + 0.5, _HIGH - high, max(step - 1, 0.5), high)
        bars.append(_rect(*place, PALETTE[0], told) if count else Markup(""))
    base = _rect(0, _HIGH, _WIDE, 1, "currentColor", "", opacity=0.3)
    return _svg(_WIDE, _HIGH + 1, f"histogram of {column.name}", *bars, base)


def _bars(column: ColumnProfile) -> Markup:
    parts = []
    for at, (value, count) in enumerate(column.top):
        share, top = count / column.count, at * _BAR_HIGH
        told = f"{_shown(value)}: {count:,}"
        bar = _rect(0, top + 1, max(_WIDE * share, 1), _BAR_HIGH - 2, PALETTE[0], told, opacity=0.4)
        words = {"fill": "currentColor", "font_size": "10.5", "y": f"{top + 11}"}
        parts += [
            bar,
            element("text", _cut(_shown(value), _LETTERS), x="3", **words),
            element("text", show_share(share), x=f"{_WIDE - 2}", text_anchor="end", **words),
        ]
    high = _BAR_HIGH * len(column.top)
    return _svg(_WIDE, high, f"commonest values of {column.name}", *parts)


def _odd(column: ColumnProfile) -> str:
    """Tell what is no number among numbers."""
    counts = {"NaN": column.nan, "infinite": column.infinite}
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def _remarks(column: ColumnProfile) -> str:
    counts = {"zero": column.zeros, "negative": column.negatives}
    told = [_odd(column)] if _odd(column) else []
    told += [f"{count:,} {what}" for what, count in counts.items() if count]
    if column.lengths:
        lengths = column.lengths
        told.append(f"length {lengths.min:,} to {lengths.max:,}, mean {show(lengths.mean)}")
    return ", ".join(told)


def _errors(columns: Sequence[ColumnProfile]) -> dict[str, float]:
    """Give the greatest error of each figure."""
    names = sorted({name for column in columns for name in column.errors})
    return {name: max(column.errors.get(name, 0.0) for column in columns) for name in names}


def _approximate(columns: Sequence[ColumnProfile]) -> str:
    told = {
        "distinct": "distinct counts have a standard error of up to {}",
        "quantiles": "quantiles and histograms are off by up to {} of the values",
        "top": "counts of the commonest values by up to {} of the values",
    }
    parts = [told[name].format(f"{100 * error:.2g} %") for name, error in _errors(columns).items()]
    return f"≈ is approximate: {'; '.join(parts)}"


def _about(column: ColumnProfile, figure: str, text: str) -> str:
    return f"{_ABOUT}{text}" if figure in column.errors else text


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _shown(value: Any) -> str:
    return _cut(show(value), _CELL)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else plain(value)


def _cut(text: str, width: int) -> str:
    text = " ".join(plain(text).split())
    if width_of(text) <= width:
        return text
    kept = text[:width]
    while width_of(kept) >= width:
        kept = kept[:-1]
    return f"{kept}…"


def _rect(
    x: float, y: float, width: float, height: float, fill: str, told: str, *, opacity: float = 0.85
) -> Markup:
    return element(
        "rect", element("title", told) if told else "", x=f"{x:.1f}", y=f"{y:.1f}",
        width=f"{width:.1f}", height=f"{height:.1f}", fill=fill, fill_opacity=opacity,
    )  # fmt: skip


def _svg(width: float, height: float, label: str, *parts: Markup) -> Markup:
    return element(
        "svg", *parts, viewBox=f"0 0 {width} {height}", width=width, height=height, role="img",
        aria_label=label, xmlns="http://www.w3.org/2000/svg", font_family="inherit",
    )  # fmt: skip
