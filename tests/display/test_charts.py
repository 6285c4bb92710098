import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.display.charts import Line, Rule, bar_chart, line_chart
from mlkit.display.scales import Scale, tick_texts, ticks

FINITE = st.floats(-1e12, 1e12).map(lambda value: round(value, 6))


@given(FINITE, FINITE)
def test_ticks_enclose_the_values_and_rise(one, other):
    low, high = min(one, other), max(one, other)
    marks = ticks(low, high)
    step = marks[1] - marks[0]
    assert marks[0] <= low + 1e-6 * step
    assert marks[-1] >= high - 1e-6 * step
    assert marks == sorted(set(marks))
    assert 2 <= len(marks) <= 9


def test_ticks_of_tiny_or_huge_numbers_are_written_by_powers():
    assert tick_texts([0.0, 5e-6]) == ["0", "5e-06"]
    assert tick_texts([0.0, 2e12]) == ["0", "2e+12"]


def test_a_scale_is_a_straight_line():
    assert Scale(0, 4, 100, 0).at(1) == 75


def test_a_chart_is_well_formed_and_escapes_all_texts():
    evil = '<script>&"'
    chart = line_chart(
        [Line(evil, [(evil, 1.0), ("b", 2.0)]), Line("other", [("b", 3.0)])],
        title=evil,
        x_label=evil,
        y_label=evil,
        rules=[Rule(1.5, evil), Rule(2.5)],
        events=[("b", evil), (evil, "start")],
    )
    assert "<script" not in chart
    assert ET.fromstring(chart).tag == "figure"


def test_a_missing_value_breaks_the_line():
    points = [(0, 1.0), (1, 2.0), (2, None), (3, float("nan")), (4, 1.0), (5, 2.0)]
    chart = line_chart([Line("a", points)])
    assert chart.count("<polyline") == 2
    assert chart.count("<circle") == 4


def test_a_single_point_is_a_dot():
    chart = line_chart([Line("a", [(3, 1.0)])])
    assert "<polyline" not in chart
    assert chart.count("<circle") == 1


def test_many_points_are_drawn_without_dots():
    assert "<circle" not in line_chart([Line("a", [(x, x * x) for x in range(200)])])


def test_a_muted_line_is_dashed_without_dots():
    chart = line_chart([Line("a", [(0, 1.0), (1, 2.0)], muted=True)])
    assert "<circle" not in chart
    assert 'stroke-dasharray="5 5"' in chart


def test_lines_beyond_the_palette_differ_by_their_dashes():
    chart = line_chart([Line(f"l{n}", [(0, n), (1, n)]) for n in range(9)])
    assert 'stroke-dasharray="7 4"' in chart


def test_a_legend_is_shown_for_several_lines_only():
    one, two = Line("one", [(0, 1.0)]), Line("two", [(0, 2.0)])
    assert "mlk-legend" not in line_chart([one])
    assert "mlk-legend" in line_chart([one, two])


def test_many_categories_are_labelled_sparsely():
    chart = line_chart([Line("a", [(f"c{n}", n) for n in range(50)])])
    assert ">c0<" in chart
    assert ">c1<" not in chart


@pytest.mark.parametrize("points", [[], [(0, None)], [("a", float("inf"))]])
def test_nothing_to_draw_is_said(points):
    assert "Nothing to draw yet" in line_chart([Line("a", points)], title="t")


def test_bars_from_the_rule_on_have_another_colour():
    chart = bar_chart(["low", "high"], [0.1, 0.3], rule=Rule(0.2, "limit"), x_label="psi")
    assert chart.count("#ef4444") == 2  # the bar and the rule
    assert "limit" in chart


def test_bars_are_told_with_common_decimals():
    chart = bar_chart(["a", "b"], [2.6657, 0.0007])
    assert ">2.67<" in chart
    assert ">0.00<" in chart


def test_a_bar_without_a_value_has_a_dash_and_a_long_name_is_cut():
    chart = bar_chart(["n" * 50, "b"], [None, 1.0])
    assert ">—<" in chart
    assert "n" * 27 + "…" in chart


def test_no_bars_are_said():
    assert "Nothing to draw yet" in bar_chart(["a"], [None])


def test_a_line_of_steps_holds_and_jumps_and_shows_single_points():
    points = [("a", 1.0), ("b", 2.0), ("c", None), ("d", 1.0)]
    chart = line_chart([Line("t", points, muted=True, steps=True)])
    first, last = re.findall(r'points="([^"]*)"', chart)
    assert len(first.split(" ")) == 4
    assert len({point.split(",")[1] for point in last.split(" ")}) == 1
    assert "<circle" not in chart


def test_the_name_of_the_axis_keeps_clear_of_long_ticks():
    chart = line_chart([Line("loss", [(0, 1.00001), (1, 1.00002)])], y_label="loss")
    ends = re.findall(r'<text x="([0-9.]+)"[^>]*text-anchor="end"[^>]*>([^<]*)<', chart)
    assert max(len(text) for _, text in ends) >= 8
    assert all(float(x) - 6.6 * len(text) >= 21.9 for x, text in ends)


def test_which_bars_are_hot_can_be_said():
    chart = bar_chart(["low", "high"], [0.1, 0.3], rule=Rule(0.2, "limit"), hot=[])
    assert chart.count("#ef4444") == 1  # the rule
