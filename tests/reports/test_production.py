import itertools
import re

import pytest
from attrs import evolve

from mlkit._core.clock import parse_iso
from mlkit.quality.drift import drift
from mlkit.reports.production import label, main_figure, production


def shown(model, *checks):
    return "".join(production(evolve(model, checks=checks)))


def test_windows_in_a_row_make_one_line_with_the_changes_of_version(model, check):
    html = shown(model, check(3, 2), check(1), check(2))
    assert "in production" in html
    assert html.count(">version 2<") == 1


def test_several_versions_in_one_window_make_a_line_each(model, check):
    html = shown(model, check(1), check(2), check(2, 2, auc=0.9))
    assert "mlk-legend" in html
    assert "version 1, Jan 2013: 0.7" in html
    assert "version 2, Feb 2013: 0.9" in html
    assert "version 2, Jan 2013" not in html


def test_without_truths_there_is_no_worth(model, check):
    html = shown(model, check(1, auc=None))
    assert "No truths have come in yet" in html
    assert "Drift of each feature" in html


def test_without_features_there_is_no_heat(model, check):
    html = shown(model, check(1, drift=None))
    assert "Drift isn&#x27;t known" in html


def test_without_checks_that_is_said(model):
    assert "No monitor has looked" in shown(model)


def test_without_decisions_there_is_no_table_of_them(model, check):
    html = "".join(production(evolve(model, checks=[check(1)], decisions=[])))
    assert "triggers decided" not in html


def test_without_a_figure_at_training_there_is_no_change(model, check):
    assert "—" in shown(model, check(1, baseline={}))


def test_many_drifted_features_are_cut_short(model, check):
    drifted = check(1, moved=500)
    column = drifted.drift.columns[0]
    many = [evolve(column, name=f"f{n}") for n in range(6)]
    html = shown(model, evolve(drifted, drift=evolve(drifted.drift, columns=tuple(many))))
    assert "f0, f1, f2, f3…" in html


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        ("2013-02-01", "2013-03-01", "Feb 2013"),
        ("2013-02-01", "2013-02-08", "2013-02-01"),
        ("2013-02-02", "2013-03-02", "2013-02-02"),
        ("2013-02-01T06:00:00", "2013-02-01T12:00:00", "2013-02-01 06:00"),
        ("2013-02-01", None, "2013-02-01"),
    ],
)
def test_a_window_is_told_as_short_as_can_be(check, start, end, text):
    given = {"start": parse_iso(start), "end": None if end is None else parse_iso(end)}
    assert label(check(1, **given)) == text


def test_a_window_without_limits_is_told_by_its_rows_or_its_check(check):
    open_ended = {"start": None, "end": None}
    assert label(check(1, **open_ended, first=parse_iso("2013-03-05"))) == "2013-03-05"
    assert label(check(1, **open_ended)) == "1970-01-01 00:00"


def test_checks_without_limits_are_shown_in_the_order_of_checking(model, check):
    assert "1970-01-01 00:00" in shown(model, check(1, start=None, end=None))


def test_the_main_figure_is_the_customary_one(check):
    assert main_figure([check(1)]) == "auc"
    assert main_figure([check(1, performance={"mae": 1.0, "r2": None})]) == "mae"
    assert main_figure([]) is None


def heats(html):
    table = html[html.index("mlk-heat") :]
    return re.findall(r"<td[^>]*>(.*?)</td>", table[: table.index("</table>")])


def test_windows_that_several_versions_looked_at_are_told_apart(model, check):
    html = shown(model, check(1), check(2), check(2, 2))
    heads = re.findall(r"<th[^>]*>([^<]*)</th>", html[html.index("mlk-heat") :])
    assert heads[:4] == ["feature", "Jan 2013", "Feb 2013, v1", "Feb 2013, v2"]


def test_what_chance_may_have_done_is_neither_bold_nor_coloured(model, check):
    few = drift({"temp": list(range(10))}, {"temp": [5, 6, 7]})
    assert few["temp"].psi > 0.2
    assert not few["temp"].drifted
    html = shown(model, check(1, drift=few))
    (cell,) = heats(html)
    assert float(cell) > 1
    assert "--heat" not in html
    assert "chance" in html


def test_what_drifted_by_its_missing_values_alone_is_bold(model, check):
    lost = drift({"temp": [1.0] * 100}, {"temp": [None] * 100})
    html = shown(model, check(1, drift=lost))
    assert heats(html) == ["<b>20.00</b>"]
    assert "--heat:70%" in html


def test_what_cannot_be_compared_is_a_dash_and_no_good_news(model, check):
    retyped = drift({"temp": [1.0], "wind": [1.0]}, {"temp": ["x"], "wind": [1.0]})
    html = shown(model, check(1, drift=retyped))
    assert "—" in heats(html)
    assert ">1 not comparable<" in html
    assert ">0 of 1<" in html
    nothing = drift({"temp": [1.0]}, {"temp": ["x"]})
    html = shown(model, check(1, drift=nothing))
    assert 'mlk-bad">unknown: 1 of 1 not comparable<' in html
    assert "mlk-good" not in html.split("triggers decided")[0]


def test_features_are_ordered_by_how_far_they_drifted(model, check):
    values = list(range(100))
    moved = [value + 500 for value in values]
    few = drift(
        {"calm": values, "near": values, "far": values, "gone": values},
        {"calm": values, "near": [value + 40 for value in values], "far": moved},
    )
    html = shown(model, check(1, drift=few))
    rows = re.findall(r'scope="row">([^<]*)<', html[html.index("mlk-heat") :])
    assert rows == ["far", "near", "calm", "gone"]
    assert "far, near" in html


def test_the_figure_at_training_is_a_step_between_versions(model, check):
    html = shown(model, check(1), check(2), check(3, 2, baseline={"auc": 0.85}))
    (points,) = re.findall(r'points="([^"]*)"[^>]*stroke="currentColor"', html)
    corners = [tuple(map(float, point.split(","))) for point in points.split(" ")]
    assert all(
        x == other_x or y == other_y for (x, y), (other_x, other_y) in itertools.pairwise(corners)
    )
    assert len({y for _, y in corners}) == 2
