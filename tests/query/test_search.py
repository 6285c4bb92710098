"""Search: filter, order, limit."""

import math

import pytest

from mlkit.errors import FilterSyntax, InvalidInput
from mlkit.index.run_index import Seen
from mlkit.query.expressions import metric
from mlkit.query.search import search
from mlkit.store.store import Store

DAY = 86_400 * 10**9


@pytest.fixture
def runs(make_run):
    return [
        make_run(id="a", started_at=1 * DAY, params={"depth": 4}, summary={"auc": 0.7}),
        make_run(id="b", started_at=2 * DAY, params={"depth": "x"}, summary={"auc": 0.9}),
        make_run(id="c", started_at=3 * DAY, params={"depth": 6}, summary={"auc": math.nan}),
        make_run(id="d", started_at=4 * DAY, params={"depth": True}, experiment="weather"),
        make_run(id="e", started_at=5 * DAY, params={"depth": [1]}, summary={"auc": 0.7}),
    ]


def found(runs, *wanted, **options):
    known = {run.id: run for run in runs}
    return search(Seen.of(runs), known.__getitem__, *wanted, **options)


def ids(runs, *wanted, **options):
    return "".join(run.id for run in found(runs, *wanted, **options))


def test_without_a_filter_all_are_found_newest_first(runs):
    assert ids(runs) == "edcba"
    assert ids(runs, "  \n") == "edcba"


def test_a_filter_keeps_what_it_means(runs):
    assert ids(runs, "metrics.auc >= 0.7") == "eba"


def test_an_expression_keeps_what_it_means(runs):
    assert ids(runs, (metric("auc") >= 0.7) & ~(metric("auc") > 0.8)) == "ea"


def test_an_experiment_narrows_the_search(runs):
    assert ids(runs, experiments=["weather"]) == "d"


def test_times_in_a_filter_count_from_the_clock(runs):
    assert ids(runs, "started > '-2d'", clock=lambda: 6 * DAY) == "e"


def test_nan_and_nothing_come_last_in_either_direction(runs):
    assert ids(runs, order_by="metrics.auc") == "aebcd"
    assert ids(runs, order_by="-metrics.auc") == "baecd"


def test_equal_runs_are_told_apart_by_the_next_order(runs):
    assert ids(runs, order_by=["-metrics.auc", "-started"]) == "beacd"[:3] + "dc"
    assert ids(runs, order_by=["-metrics.auc", "started"]) == "baecd"


def test_values_of_other_types_are_grouped_in_an_order(runs):
    assert ids(runs, order_by="params.depth") == "acbde"


def test_a_limit_keeps_the_first(runs):
    assert ids(runs, limit=2) == "ed"
    assert ids(runs, limit=0) == ""


@pytest.mark.parametrize("limit", [-1, 1.5, True, "3"])
def test_a_limit_that_is_no_number_of_runs_is_refused(runs, limit):
    with pytest.raises(InvalidInput, match="limit="):
        found(runs, limit=limit)


def test_a_filter_that_is_no_text_is_refused(runs):
    with pytest.raises(InvalidInput, match="A filter is text or an expression, not dict"):
        found(runs, {"auc": 1})


@pytest.mark.parametrize("order", [[5], [None]])
def test_an_order_that_is_no_text_is_refused(runs, order):
    with pytest.raises(InvalidInput, match="is no order"):
        found(runs, order_by=order)


def test_a_field_without_its_map_is_suggested_from_what_runs_have(runs):
    with pytest.raises(FilterSyntax, match=r"Did you mean 'metrics.auc'"):
        found(runs, "auc > 1")
    with pytest.raises(FilterSyntax, match=r"Did you mean 'params.depth'"):
        found(runs, order_by="-depth")


def test_a_slip_in_a_key_is_an_error_that_points_at_it(runs):
    with pytest.raises(FilterSyntax) as caught:
        found(runs, "params.depth = 4 and metrics.acu > 0")
    assert str(caught.value).split("\n") == [
        "No run has metrics.acu (column 22). Did you mean 'metrics.auc'?",
        "  params.depth = 4 and metrics.acu > 0",
        "                       ^",
    ]


@pytest.mark.parametrize(
    "text", ["metrics.acu is null and status = 'LOST'", "metrics.new > 1", "status = 'LOST'"]
)
def test_a_key_that_is_merely_new_finds_nothing(runs, text):
    assert len(found(runs, text)) == 0


def test_a_slip_that_doesnt_empty_the_result_is_let_be(runs):
    assert ids(runs, "metrics.acu > 1 or metrics.auc > 0.8") == "b"


@pytest.fixture
def nested(make_run):
    return [
        make_run("a", params={"opts": {"a": {"b": 1}, "c.d": "x"}}),
        make_run("b", params={"opts": {"a": {"b": 2}}, "opts.a": {"e": 5}}),
        make_run("c", params={"opts.a.b": 3, "opts": {"a": {"b": 1}}}),
        make_run("d", params={"opts": 7}),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("params.opts.a.b = 1", "a"),
        ("params.opts.a.b > 1", "bc"),
        ("params.opts.c.d like '%'", "a"),
        ("params.opts.a.e = 5", "b"),
        ("params.opts.a.b is null", "d"),
        ("params.`opts.a.b` in (2, 3)", "bc"),
        ("params.opts.a.b.c = 1", ""),
    ],
)
def test_dots_lead_into_nested_params_and_a_key_with_dots_comes_first(nested, text, expected):
    assert sorted(ids(nested, text)) == sorted(expected)


def test_nested_params_give_an_order(nested):
    assert ids(nested, order_by="-params.opts.a.b") == "cbad"


def test_a_slip_in_a_nested_key_is_told(nested):
    with pytest.raises(FilterSyntax, match=r"Did you mean 'params\.opts\.c\.d'"):
        found(nested[:1], "params.Opts.c.d = 'x'")


@pytest.mark.parametrize("field", ["dataset", "max(metrics.auc)"])
def test_runs_arent_grouped_by_what_a_filter_alone_can_name(runs, field):
    with pytest.raises(InvalidInput, match="can't be grouped by"):
        found(runs).group_by(field)


@pytest.mark.parametrize("folded", [False, True])
def test_extremes_and_versions_are_found_in_runs_of_a_store_folded_or_not(tmp_path, folded):
    store = Store(tmp_path / "store")
    version = store.log_dataset("trips", {"delay": [1, 2]})
    for number in range(3):
        with store.start_run("flights", name=str(number)) as run:
            run.set_goals(auc="max")
            if number:
                run.use_dataset("trips")
            for step, value in enumerate((0.5, 0.6 + number / 10, 0.4)):
                run.log_metrics({"auc": value}, step=step)
    if folded:
        store.compact()

    def names(wanted, order_by="started"):
        return "".join(run.name for run in store.search_runs(wanted, order_by=order_by))

    assert names("max(metrics.auc) > 0.65") == "12"
    assert names(metric("auc").best > 0.75) == "2"
    assert names("min(metrics.auc) = metrics.auc and first(metrics.auc) = 0.5") == "012"
    assert names("", "-max(metrics.auc)") == "210"
    assert names("dataset = 'trips:1'") == names("input = 'trips'") == "12"
    assert names(f"dataset = 'trips#{version.digest.removeprefix('sha256:')[:8]}'") == "12"
    assert names("dataset is null and output is null") == "0"
