"""Mistakes in filters and orders are told; what is merely new is let be."""

import pytest

from mlkit.errors import FilterSyntax
from mlkit.index.run_index import Seen
from mlkit.query.filter import Filter
from mlkit.query.runs import RunTable
from mlkit.query.search import search

RUNS = [
    {"id": "a", "params": {"lr": 0.1, "flag": True, "mixed": 1}, "tags": {"fold": "3"}},
    {"id": "b", "params": {"lr": 1, "flag": False, "mixed": "1"}, "summary": {"auc": 0.7}},
    {"id": "c", "experiment": "weather"},
]


@pytest.fixture
def runs(make_run):
    return RunTable.of([make_run(**fields) for fields in RUNS])


@pytest.fixture
def found(make_run):
    """Give what search finds among the runs."""
    runs = {fields["id"]: make_run(**fields) for fields in RUNS}
    return lambda *args, **options: search(
        Seen.of(list(runs.values())), runs.__getitem__, *args, **options
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("params.lr = '0.1'", "0.1"),
        ("params.lr in ('0.1', '3')", "0.1"),
        ("params.lr between '0' and 3", "0"),
        ("'1' = params.lr", "1"),
        ("metrics.auc > '0.5'", "0.5"),
        ("params.flag = 'true'", "true"),
        ("tags.fold = 3", "'3'"),
    ],
)
def test_a_value_of_another_type_than_all_runs_have_is_told_how_to_be_written(found, text, said):
    with pytest.raises(FilterSyntax, match="in every run that has it") as caught:
        found(text)
    assert str(caught.value).split("\n")[0].endswith(f"; write {said}")


@pytest.mark.parametrize(
    "text",
    [
        "params.lr = 7",
        "params.lr = 'high'",
        "params.mixed = '7'",
        "params.lr = '0.1' or params.lr = 0.1",
        "params.lr != '0.1'",
        "params.lr not in ('0.1')",
        "params.new = '0.1'",
        "params.lr = '" + "1" * 5000 + "'",
        "experiment = 'new'",
    ],
)
def test_a_value_that_may_yet_come_or_that_something_is_found_by_is_let_be(found, text):
    assert len(found(text)) >= 0


def test_a_slip_in_the_name_of_an_experiment_is_told_within_a_filter(found):
    with pytest.raises(FilterSyntax, match="Did you mean 'weather'"):
        found("experiment = 'waether'")


def test_a_slip_in_an_order_is_told_and_a_new_key_is_let_be(found, runs):
    with pytest.raises(FilterSyntax) as caught:
        found(order_by=["params.lr", "-metrics.acu"])
    assert str(caught.value).split("\n") == [
        "No run has metrics.acu (column 2). Did you mean 'metrics.auc'?",
        "  -metrics.acu",
        "   ^",
    ]
    with pytest.raises(FilterSyntax, match=r"metrics\.auc"):
        runs.order_by("-metrics.acu")
    assert len(found(order_by="-metrics.new")) == 3


def test_tables_of_runs_tell_slips_and_suggest_keys_as_searches_do(runs):
    with pytest.raises(FilterSyntax, match=r"Did you mean 'metrics\.auc'"):
        runs.where("metrics.acu > 0")
    with pytest.raises(FilterSyntax, match=r"Did you mean 'metrics\.auc'"):
        runs.where("auc > 0")
    with pytest.raises(FilterSyntax, match=r"Did you mean 'metrics\.auc'"):
        runs.order_by("auc")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("experiment = 'planes'", [True, False]),
        ("experiment in ('planes', 'x')", [True, False]),
        ("experiment != 'planes'", [False, True]),
        ("experiment like 'pl%'", [False, False]),
    ],
)
def test_filters_mean_an_experiment_by_each_of_its_names(make_run, columns_of, text, expected):
    columns = columns_of([make_run(), make_run(experiment="weather")])
    assert Filter.of(text, now=0).mask(columns).to_pylist() == expected
