"""Charts in SVG that stand alone: no script, no fonts, colours that suit light and dark."""

import math
from collections.abc import Container, Sequence
from itertools import pairwise

from attrs import field, frozen

from mlkit.display.formats import NOTHING, show_float
from mlkit.display.markup import Markup, element, join
from mlkit.display.scales import Scale, tick_texts, ticks

PALETTE = (
    "#3b82f6", "#f59e0b", "#10b981", "#ec4899", "#8b5cf6", "#06b6d4", "#ef4444", "#84cc16",
)  # fmt: skip
"""Colours of middle lightness, so that they can be told from both white and black."""

_DASHES = (None, "7 4", "2 4", "10 4 2 4")
_WIDTH = 720
_LEAST_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 18, 22, 46
_LETTER = 6.6
_ROW = 26
_NAME = 22  # what the name of the axis of values takes
_NO_NAME = 20  # what an axis without a name leaves free
_MOST_LABELS = 12
_MOST_DOTS = 60
_LONGEST = 28


@frozen
class Line:
    """One line of a chart.

    Attributes:
        name: What the legend calls it.
        points: Its x and y; a y that is None or not finite breaks the line.
        muted: It is only there to compare with: grey, dashed and without dots.
        steps: Each y holds around its x and then jumps, instead of sloping to the next.
    """

    name: str
    points: Sequence[tuple[float | str, float | None]] = field()
    muted: bool = False
    steps: bool = False

    def colour(self, index: int) -> str:
        """Give its colour as the so-many-th line of a chart."""
        return "currentColor" if self.muted else PALETTE[index % len(PALETTE)]

    def dash(self, index: int) -> str | None:
        """Give its dashes as the so-many-th line of a chart."""
        return "5 5" if self.muted else _DASHES[index // len(PALETTE) % len(_DASHES)]


@frozen
class Rule:
    """A level that a chart marks, such as a bound.

    Attributes:
        value: Where it is on the axis of values.
        name: What is written at it.
    """

    value: float
    name: str = ""


def line_chart(
    lines: Sequence[Line],
    *,
    title: str = "",
    x_label: str = "",
    y_label: str = "",
    rules: Sequence[Rule] = (),
    events: Sequence[tuple[float | str, str]] = (),
    height: int = 300,
) -> Markup:
    """Give lines over a common axis, with ticks and a legend.

    Args:
        lines: The lines. When any x is text, all are categories in order of appearance.
        title: What the chart shows.
        x_label: What x is, with its unit.
        y_label: What y is, with its unit.
        rules: Levels of y to mark.
        events: Places on x to mark, and what happened there.
        height: In the units in which the width is 720.

    Example:
        >>> svg = line_chart([Line("prod", [("May", 0.74), ("June", 0.71)])], title="AUC")
        >>> svg.count("<circle")
        2
    """
    known = [(x, y) for line in lines for x, y in line.points if _finite(y)]
    if not known:
        return _empty(title)
    levels = [y for _, y in known if y is not None] + [rule.value for rule in rules]
    marks = ticks(min(levels), max(levels))
    y_scale = Scale(marks[0], marks[-1], height - _BOTTOM, _TOP)
    left = max(_LEAST_LEFT, _NAME + 8 + _LETTER * max(map(len, tick_texts(marks))))
    xs = [x for line in lines for x, _ in line.points] + [x for x, _ in events]
    places = _Places.of(xs, left)
    parts = [_value_axis(marks, y_scale, left), _place_axis(places, left, height)]
    parts += [_event(places.at(x), text, height) for x, text in events]
    parts += [_rule(rule, y_scale, left) for rule in rules]
    parts += [_line(line, index, places, y_scale) for index, line in enumerate(lines)]
    parts += _axis_names(x_label, y_label, left, height)
    return _figure(title, join(*parts), height if x_label else height - _NO_NAME, lines)


def bar_chart(
    names: Sequence[str],
    values: Sequence[float | None],
    *,
    title: str = "",
    x_label: str = "",
    rule: Rule | None = None,
    hot: Container[int] | None = None,
) -> Markup:
    """Give a bar for each name; hot ones have the colour of a warning.

    Args:
        names: What each bar is, from the top.
        values: How long each is; None or not finite where that isn't known. None may be negative.
        title: What the chart shows.
        x_label: What the values are, with their unit.
        rule: A level to mark.
        hot: The indexes of the hot bars; those from the rule on by default.

    Example:
        >>> svg = bar_chart(["temp"], [0.4], rule=Rule(0.2, "limit"))
        >>> "<title>temp: 0.4</title>" in svg
        True
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return _empty(title)
    left = 16 + _LETTER * min(max(map(len, names)), _LONGEST)
    height = _TOP + _ROW * len(names) + _BOTTOM
    marks = ticks(0.0, max([*known, rule.value if rule else 0.0]))
    scale = Scale(0.0, marks[-1], left, _WIDTH - _RIGHT - 44)
    bottom = height - _BOTTOM
    parts: list[Markup] = []
    for mark, text in zip(marks, tick_texts(marks), strict=True):
        parts += [_grid(scale.at(mark), _TOP, scale.at(mark), bottom)]
        parts += [_text(scale.at(mark), bottom + 17, text, anchor="middle")]
    if rule is not None:
        place = scale.at(rule.value)
        parts.append(_stroke(place, _TOP - 4, place, bottom))
        parts.append(_text(place, _TOP - 9, rule.name, anchor="middle"))
    decimals = len(tick_texts(marks)[0].partition(".")[2]) + 2
    for index, (name, value) in enumerate(zip(names, values, strict=True)):
        told = None if value is None or not math.isfinite(value) else f"{value:,.{decimals}f}"
        warm = rule is not None and value is not None and value >= rule.value
        warm = warm if hot is None else index in hot
        parts += _bar(name, value, told, (_TOP + index * _ROW, scale), hot=warm)
    if x_label:
        middle = (scale.start + scale.end) / 2
        parts.append(_text(middle, bottom + 37, x_label, anchor="middle"))
    return _figure(title, join(*parts), height if x_label else height - _NO_NAME, [])


@frozen
class _Places:
    """Where each x is."""

    scale: Scale
    categories: dict[float | str, int] | None
    half: float = 0.0  # of the room that a category has

    @classmethod
    def of(cls, xs: Sequence[float | str], left: float) -> "_Places":
        start, end = left + 12.0, float(_WIDTH - _RIGHT - 12)
        numbers = [float(x) for x in xs if not isinstance(x, str)]
        if len(numbers) < len(xs):
            order = {x: index for index, x in enumerate(dict.fromkeys(xs))}
            last = max(len(order) - 1, 1)
            pad = (end - start) / (2 * len(order))
            return cls(Scale(0.0, float(last), start + pad, end - pad), order, pad)
        low, high = min(numbers), max(numbers)
        return cls(Scale(low, high if high > low else low + 1.0, start, end), None)

    def at(self, x: float | str) -> float:
        if self.categories is None:
            return self.scale.at(float(x))
        return self.scale.at(self.categories[x])

    def labels(self) -> list[tuple[float, str]]:
        if self.categories is not None:
            every = math.ceil(len(self.categories) / _MOST_LABELS)
            return [(self.at(x), str(x)) for x in list(self.categories)[::every]]
        scale = self.scale
        marks = [mark for mark in ticks(scale.low, scale.high) if scale.low <= mark <= scale.high]
        return [
            (self.at(m), text) for m, text in zip(marks, tick_texts(marks or [0]), strict=False)
        ]


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _value_axis(marks: Sequence[float], scale: Scale, left: float) -> Markup:
    parts: list[Markup] = []
    for mark, text in zip(marks, tick_texts(marks), strict=True):
        place = scale.at(mark)
        parts.append(_grid(left, place, _WIDTH - _RIGHT, place))
        parts.append(_text(left - 8, place + 4, text, anchor="end"))
    return join(*parts)


def _place_axis(places: _Places, left: float, height: int) -> Markup:
    bottom = height - _BOTTOM
    axis = _grid(left, bottom, _WIDTH - _RIGHT, bottom, opacity=0.5)
    labels = places.labels()
    return join(axis, *(_text(at, bottom + 18, text, anchor="middle") for at, text in labels))


def _line(line: Line, index: int, places: _Places, scale: Scale) -> Markup:
    colour = line.colour(index)
    pieces: list[list[tuple[float, float]]] = [[]]
    dots: list[Markup] = []
    for x, y in line.points:
        if y is None or not math.isfinite(y):
            pieces.append([])
            continue
        at = (places.at(x), scale.at(y))
        pieces[-1].append(at)
        where = x if isinstance(x, str) else show_float(float(x))
        told = element("title", f"{line.name}, {where}: {show_float(y)}")
        dots.append(_dot(at, told, colour))
    drawn = [
        element(
            "polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in piece), fill="none",
            stroke=colour, stroke_width="2.25", stroke_linejoin="round", stroke_linecap="round",
            stroke_dasharray=line.dash(index), stroke_opacity="0.5" if line.muted else None,
        )
        for piece in (_steps(one, places.half) if line.steps else one for one in pieces)
        if len(piece) > 1
    ]  # fmt: skip
    crowded = len(dots) > _MOST_DOTS or line.muted
    return join(*drawn, *([] if crowded and drawn else dots))


def _steps(piece: list[tuple[float, float]], half: float) -> list[tuple[float, float]]:
    """The corners of a line that holds around each point, and at its ends half a place more."""
    if not piece:
        return []
    middles = [(one[0] + other[0]) / 2 for one, other in pairwise(piece)]
    edges = pairwise([piece[0][0] - half, *middles, piece[-1][0] + half])
    return [
        corner
        for (_, y), (start, end) in zip(piece, edges, strict=True)
        for corner in ((start, y), (end, y))
    ]


def _dot(at: tuple[float, float], told: Markup, colour: str) -> Markup:
    return element("circle", told, cx=f"{at[0]:.1f}", cy=f"{at[1]:.1f}", r="3.5", fill=colour)


def _event(place: float, text: str, height: int) -> Markup:
    flip = place > _WIDTH * 0.75
    return join(
        element(
            "line", x1=f"{place:.1f}", y1=_TOP - 8, x2=f"{place:.1f}", y2=height - _BOTTOM,
            stroke="currentColor", stroke_opacity="0.45", stroke_dasharray="3 4",
        ),
        _text(place + (-5 if flip else 5), _TOP - 2, text, anchor="end" if flip else "start"),
    )  # fmt: skip


def _rule(rule: Rule, scale: Scale, left: float) -> Markup:
    place = scale.at(rule.value)
    words = _text(_WIDTH - _RIGHT, place - 5, rule.name, anchor="end") if rule.name else ""
    return join(_stroke(left, place, _WIDTH - _RIGHT, place), words)


def _bar(
    name: str, value: float | None, told: str | None, place: tuple[float, Scale], *, hot: bool
) -> list[Markup]:
    top, scale = place
    short = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
    head = _text(scale.start - 8, top + 17, short, anchor="end")
    if value is None or told is None:
        return [head, _text(scale.start + 6, top + 17, NOTHING)]
    length = max(scale.at(value) - scale.start, 1.0)
    bar = element(
        "rect", element("title", f"{name}: {show_float(value)}"), x=f"{scale.start:.1f}",
        y=f"{top + 5:.1f}", width=f"{length:.1f}", height=_ROW - 9, rx="3",
        fill=PALETTE[6] if hot else PALETTE[0], fill_opacity="0.85",
    )  # fmt: skip
    return [head, bar, _text(scale.start + length + 6, top + 17, told)]


def _axis_names(x_label: str, y_label: str, left: float, height: int) -> list[Markup]:
    parts = []
    if x_label:
        parts.append(_text((left + _WIDTH - _RIGHT) / 2, height - 8, x_label, anchor="middle"))
    if y_label:
        middle = (height - _BOTTOM + _TOP) / 2
        turn = f"rotate(-90 14 {middle:.1f})"
        parts.append(_text(14, middle, y_label, anchor="middle", transform=turn))
    return parts


def _grid(x1: float, y1: float, x2: float, y2: float, opacity: float = 0.13) -> Markup:
    return element(
        "line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}",
        stroke="currentColor", stroke_opacity=opacity,
    )  # fmt: skip


def _stroke(x1: float, y1: float, x2: float, y2: float) -> Markup:
    return element(
        "line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}",
        stroke=PALETTE[6], stroke_width="1.5", stroke_dasharray="6 4",
    )  # fmt: skip


def _text(x: float, y: float, text: str, **attributes: str) -> Markup:
    anchor = attributes.pop("anchor", None)
    return element(
        "text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, fill="currentColor",
        fill_opacity="0.75", font_size="12", **attributes,
    )  # fmt: skip


def _legend(lines: Sequence[Line]) -> Markup:
    keys = []
    for index, line in enumerate(lines):
        stroke = element(
            "line", x1="1", y1="6", x2="21", y2="6", stroke=line.colour(index),
            stroke_width="3", stroke_dasharray=line.dash(index),
        )  # fmt: skip
        swatch = element("svg", stroke, width="22", height="12", aria_hidden="true")
        keys.append(element("span", swatch, " ", line.name, class_="mlk-key"))
    return element("div", *keys, class_="mlk-legend")


def _figure(title: str, drawing: Markup, height: int, lines: Sequence[Line]) -> Markup:
    svg = element(
        "svg", drawing, viewBox=f"0 0 {_WIDTH} {height}", role="img", aria_label=title or "chart",
        xmlns="http://www.w3.org/2000/svg", class_="mlk-svg", font_family="inherit",
    )  # fmt: skip
    return element(
        "figure",
        element("figcaption", title) if title else "",
        _legend(lines) if len(lines) > 1 else "",
        element("div", svg, class_="mlk-scroll"),
        class_="mlk-figure",
    )


def _empty(title: str) -> Markup:
    caption = element("figcaption", title) if title else ""
    return element(
        "figure", caption, element("p", "Nothing to draw yet", class_="mlk-note"),
        class_="mlk-figure",
    )  # fmt: skip
