import pytest
from attrs import evolve

from mlkit.errors import InvalidInput, InvalidName
from mlkit.monitoring.monitor_report import MonitorReport
from mlkit.monitoring.trigger import Trigger, drift_share, metric_drop
from mlkit.quality.drift import drift


def report(*, truths=100, performance=None, baseline=None, drifted=None):
    shifted = None
    if drifted is not None:
        values = {"a": list(range(100)), "b": list(range(100))}
        other = {"a": list(range(900, 1000)) if drifted else values["a"], "b": values["b"]}
        shifted = drift(values, other)
    return MonitorReport(
        model="delay",
        version=3,
        start=None,
        end=None,
        checked_at=0,
        rows=truths,
        truths=truths,
        performance=performance or {},
        baseline=baseline or {},
        drift=shifted,
    )


@pytest.mark.parametrize(
    ("condition", "now", "before", "met"),
    [
        (metric_drop("auc", 0.02), {"auc": 0.75}, {"auc": 0.8}, True),
        (metric_drop("auc", 0.02), {"auc": 0.79}, {"auc": 0.8}, False),
        (metric_drop("auc", 0.02), {"auc": 0.9}, {"auc": 0.8}, False),
        (metric_drop("rmse", 1), {"rmse": 4.5}, {"rmse": 3.0}, True),
        (metric_drop("rmse", 1), {"rmse": 1.0}, {"rmse": 3.0}, False),
        (metric_drop("auc", 0.02, baseline=0.7), {"auc": 0.75}, {"auc": 0.8}, False),
        (metric_drop("profit", 1, better="lower"), {"profit": 3.0}, {"profit": 1.0}, True),
    ],
)
def test_a_metric_drops_in_its_own_direction(condition, now, before, met):
    assert condition.judge(report(performance=now, baseline=before)).met is met


@pytest.mark.parametrize(
    ("condition", "given", "why"),
    [
        (metric_drop("auc", 0.02), {"baseline": {"auc": 0.8}}, "isn't known for all time"),
        (metric_drop("auc", 0.02), {"performance": {"auc": None}}, "isn't known for all time"),
        (metric_drop("auc", 0.02), {"performance": {"auc": 0.1}}, "give it as baseline="),
        (
            metric_drop("auc", 0.02, least=1000),
            {"performance": {"auc": 0.1}, "baseline": {"auc": 0.8}},
            "fewer than the 1,000",
        ),
    ],
)
def test_a_drop_that_can_not_be_known_is_not_met(condition, given, why):
    reason = condition.judge(report(**given))
    assert not reason.met
    assert reason.figure is None
    assert why in reason.why


def test_a_share_of_drifted_features_is_met_from_the_bound_on():
    assert drift_share(0.5).judge(report(drifted=True)).met
    assert not drift_share(0.6).judge(report(drifted=True)).met


@pytest.mark.parametrize(
    ("drifted", "why"), [(None, "isn't known"), (False, "no feature drifted"), (True, "a")]
)
def test_the_reason_says_what_drifted(drifted, why):
    assert why in drift_share(0.5).judge(report(drifted=drifted)).why


@pytest.mark.parametrize("by", [0, -1, float("nan")])
def test_a_drop_must_be_a_loss(by):
    with pytest.raises(InvalidInput, match="isn't above 0"):
        metric_drop("auc", by)


@pytest.mark.parametrize("share", [0, 1.5, float("nan")])
def test_a_share_must_be_one(share):
    with pytest.raises(InvalidInput, match="no share"):
        drift_share(share)


def test_a_trigger_acts_only_when_it_fires():
    seen = []
    trigger = Trigger("retrain", [drift_share(0.5)], action=lambda one: seen.append(one) or "done")
    assert trigger.run(report(drifted=False)).outcome is None
    assert seen == []
    decision = trigger.run(report(drifted=True))
    assert decision.fired
    assert decision.outcome == "done"
    assert decision.number is None
    assert len(seen) == 1


def test_any_condition_fires_it():
    trigger = Trigger("t", [metric_drop("auc", 0.1), drift_share(0.5)], action=lambda one: 1)
    decision = trigger.check(report(drifted=True))
    assert decision.fired
    assert [reason.met for reason in decision.reasons] == [False, True]
    assert decision.outcome is None


def test_every_decision_is_recorded_with_its_figures(monitor):
    trigger = monitor.trigger("retrain", when=[drift_share(0.5)], action=lambda one: "done")
    trigger.run(report(drifted=False))
    decision = trigger.run(report(drifted=True))
    assert decision.number == 2
    quiet, fired = monitor.decisions()
    assert (quiet["fired"], fired["fired"]) == (False, True)
    assert fired["reasons"][0]["figure"] == 0.5
    assert fired["ref"] == "delay:3"
    assert fired["trigger"] == "retrain"


def test_a_decision_is_known_even_if_its_action_fails(monitor):
    def fail(one):
        raise RuntimeError("no machine")

    trigger = monitor.trigger("retrain", when=[drift_share(0.5)], action=fail)
    with pytest.raises(RuntimeError, match="no machine"):
        trigger.run(report(drifted=True))
    assert [one["fired"] for one in monitor.decisions()] == [True]


def test_a_trigger_needs_a_condition_and_a_name():
    with pytest.raises(InvalidInput, match="no conditions"):
        Trigger("t", [], action=lambda one: 1)
    with pytest.raises(InvalidName):
        Trigger("a/b", [drift_share(0.5)], action=lambda one: 1)


@pytest.mark.parametrize(("drifted", "word"), [(True, "fired"), (False, "didn&#x27;t fire")])
def test_a_decision_shows_itself(drifted, word):
    decision = Trigger("t", [drift_share(0.5)], action=lambda one: 1).check(report(drifted=drifted))
    assert word in decision._repr_html_()
    assert repr(decision).startswith("<Decision: t ")
    assert word.replace("&#x27;", "'") in str(decision)


def test_one_condition_needs_no_list(monitor):
    trigger = monitor.trigger("retrain", when=drift_share(0.5), action=lambda one: "done")
    assert trigger.run(report(drifted=True)).outcome == "done"


@pytest.mark.parametrize("when", ["auc", 0.1, None, [0.1]])
def test_what_is_no_condition_is_an_error(when):
    with pytest.raises(InvalidInput, match="is no condition of a trigger"):
        Trigger("t", when, action=lambda one: 1)


def test_a_share_is_told_in_plain_words():
    assert drift_share(0.1).judge(report()).condition == "10 % or more of the features drifted"


def test_features_that_cannot_be_compared_do_not_count():
    values = list(range(100))
    moved = [value + 900 for value in values]
    half = drift({"a": values, "b": values}, {"a": moved})
    found = drift_share(1.0).judge(evolve(report(drifted=True), drift=half))
    assert (found.met, found.figure, found.why) == (True, 1.0, "a; 1 not comparable")
    none = drift({"a": values}, {"a": ["x"]})
    found = drift_share(0.1).judge(evolve(report(drifted=True), drift=none))
    assert (found.met, found.figure, found.why) == (False, None, "no feature could be compared")
