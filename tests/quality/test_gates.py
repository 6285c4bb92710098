import math
from types import SimpleNamespace

import numpy as np
import pytest

from mlkit.errors import InvalidInput
from mlkit.quality.directions import direction
from mlkit.quality.gate_report import GateReport
from mlkit.quality.gates import Gate, at_least, at_most, no_worse


def version(number, **metrics):
    return SimpleNamespace(name="delay", number=number, metrics=metrics)


def stored(*conditions, candidate, holder=None):
    gate = Gate(conditions)
    holding = None if holder is None else version(1, **holder)
    return gate.evaluate(version(2, **candidate), holding, load=None)


@pytest.mark.parametrize(
    ("condition", "figure", "passed"),
    [
        (at_least("auc", 0.7), 0.7, True),
        (at_least("auc", 0.7), 0.69, False),
        (at_most("log_loss", 0.5), 0.5, True),
        (at_most("log_loss", 0.5), 0.51, False),
    ],
)
def test_a_bound_includes_itself(condition, figure, passed):
    report = stored(condition, candidate={condition.metric: figure})
    assert report.passed is passed
    assert report.conditions[0].bound == condition.value


@pytest.mark.parametrize(
    ("condition", "candidate", "holder", "passed"),
    [
        (no_worse("auc"), 0.75, 0.75, True),
        (no_worse("auc"), 0.749, 0.75, False),
        (no_worse("auc", by=0.005), 0.746, 0.75, True),
        (no_worse("log_loss"), 0.4, 0.5, True),
        (no_worse("log_loss", by=0.05), 0.56, 0.5, False),
        (no_worse("profit", better="higher"), 2, 1, True),
    ],
)
def test_no_worse_looks_at_the_holder(condition, candidate, holder, passed):
    metric = condition.metric
    report = stored(condition, candidate={metric: candidate}, holder={metric: holder})
    assert report.passed is passed
    assert report.conditions[0].holder_figure == holder


def test_no_worse_passes_with_a_note_when_nobody_holds_the_alias():
    report = stored(no_worse("auc"), candidate={"auc": 0.7})
    assert report.passed
    assert "nobody holds" in report.conditions[0].why


def test_a_missing_metric_fails_and_says_what_there_is():
    report = stored(at_least("auc", 0.7), candidate={"f1": 0.9})
    assert not report.passed
    assert report.conditions[0].why == "the candidate has no auc; it has f1"


def test_a_metric_that_is_not_a_number_fails():
    report = stored(at_least("auc", 0.7), candidate={"auc": math.nan})
    assert not report.passed
    assert "is not a number" in report.conditions[0].why


@pytest.mark.parametrize("holder", [{}, {"auc": math.nan}])
def test_a_holder_without_the_metric_fails_the_comparison(holder):
    report = stored(no_worse("auc"), candidate={"auc": 0.7}, holder=holder)
    assert not report.passed
    assert "the holder" in report.conditions[0].why


def test_evaluate_scores_candidate_and_holder_on_the_same_terms():
    loaded = []

    def load(one):
        loaded.append(one.number)
        return SimpleNamespace(version=one)

    def score(model):
        return {"auc": np.float64(0.8 if model.version.number == 2 else 0.75)}

    gate = Gate([no_worse("auc"), at_least("auc", 0.7)], evaluate=score, data="flights:3")
    report = gate.evaluate(version(2, auc=0.1), version(1, auc=0.9), load)
    assert report.passed
    assert loaded == [2, 1]
    assert (report.data, report.source) == ("flights:3", "evaluated")
    assert [one.holder_figure for one in report.conditions] == [0.75, 0.75]


def test_a_holder_that_no_condition_asks_for_is_not_scored():
    gate = Gate([at_least("auc", 0.7)], evaluate=lambda model: {"auc": 0.8})
    report = gate.evaluate(version(2), version(1), load=lambda one: {2: one}[one.number])
    assert report.passed
    assert report.holder == "delay:1"
    assert report.conditions[0].holder_figure is None


def test_an_error_in_evaluate_is_raised_with_what_was_being_scored():
    def score(model):
        raise RuntimeError("no such column")

    gate = Gate([at_least("auc", 0.7)], evaluate=score)
    with pytest.raises(RuntimeError, match="no such column") as caught:
        gate.evaluate(version(2), None, load=lambda one: one)
    assert caught.value.__notes__ == ["This happened while a gate scored delay:2"]


@pytest.mark.parametrize("given", [None, {"auc": "high"}, {"auc": None}])
def test_what_is_no_dict_of_numbers_is_an_error(given):
    gate = Gate([at_least("auc", 0.7)], evaluate=lambda model: given)
    with pytest.raises(InvalidInput, match=r"not a dict|not a number"):
        gate.evaluate(version(2), None, load=lambda one: one)


@pytest.mark.parametrize("conditions", [[], ["auc > 0.7"]])
def test_a_gate_takes_conditions_only_and_at_least_one(conditions):
    with pytest.raises(InvalidInput, match="condition"):
        Gate(conditions)


@pytest.mark.parametrize("value", [math.nan, math.inf, "0.7", None])
def test_a_bound_is_a_finite_number(value):
    with pytest.raises(InvalidInput, match="no bound"):
        at_least("auc", value)


def test_a_negative_tolerance_is_refused():
    with pytest.raises(InvalidInput, match="negative"):
        no_worse("auc", by=-0.1)


def report():
    return stored(
        at_least("auc", 0.7),
        no_worse("log_loss", by=0.1),
        candidate={"auc": 0.6, "log_loss": 0.4},
        holder={"auc": 0.65, "log_loss": 0.45},
    )


def test_a_report_survives_json():
    assert GateReport.from_json(report().to_json()) == report()
    assert report().to_json()["passed"] is False


def test_a_report_says_all_figures_in_text_and_html():
    for text in (str(report()), report()._repr_html_()):
        for word in ("0.6", "0.65", "0.7", "delay:2", "delay:1", "stored figures"):
            assert word in text
    assert "failed auc" in report().headline()
    assert repr(report()).startswith("<GateReport: delay:2 failed")
    assert "passed" in stored(at_least("auc", 0), candidate={"auc": 1}).headline()


def test_a_report_escapes_its_texts():
    gate = Gate([at_least("<m>", 0)], evaluate=lambda model: {"<m>": 1}, data="<data>")
    html = gate.evaluate(version(2), None, load=lambda one: one)._repr_html_()
    assert "<m>" not in html
    assert "<data>" not in html
    assert "scored anew on &lt;data&gt;" in html


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("val_auc", "higher"),
        ("ROC-AUC", "higher"),
        ("valLoss", "lower"),
        ("rmse", "lower"),
        ("test/f1", "higher"),
        ("r2", "higher"),
    ],
)
def test_names_tell_which_way_is_better(metric, expected):
    assert direction(metric) == expected


@pytest.mark.parametrize("metric", ["profit", "score_loss"])
def test_a_name_that_does_not_tell_is_an_error(metric):
    with pytest.raises(InvalidInput, match="doesn't tell"):
        no_worse(metric)


def test_an_unknown_direction_is_an_error():
    with pytest.raises(InvalidInput, match="unknown"):
        no_worse("auc", better="up")
