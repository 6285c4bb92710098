"""Experiments that were renamed or archived, as runs, searches and SQL have them."""

import pytest

from mlkit.errors import InvalidInput, NotFound
from mlkit.index.row import Row


@pytest.fixture(params=["live", "folded"])
def renamed(store, request):
    """A store whose experiment `flights` is called `delays` now, and the id of its run."""
    with store.start_run("flights") as run:
        run.log_metrics({"auc": 0.8})
    with store.start_run("weather") as other:
        other.log_metrics({"rain": 1})
    if request.param == "folded":
        store.compact()
    store.experiments["flights"].rename("delays")
    return store, run.id


def test_runs_have_the_present_name_wherever_users_get_them(renamed):
    store, run_id = renamed
    given = [
        store.run(run_id),
        store.search_runs(experiment="delays")[0],
        next(one for one in store.runs if one.id == run_id),
        next(one for one in store.runs.readable() if one.id == run_id),
    ]
    assert {run.experiment for run in given} == {"delays"}
    assert {run.carried for run in given} == {"flights"}


def test_the_folder_and_rows_of_the_index_keep_the_carried_name(renamed):
    store, run_id = renamed
    lying = store.runs.as_it_lies(run_id)
    assert lying.experiment == "flights"
    assert Row.of(lying).fixed["experiment"] == "flights"


def test_the_naming_is_looked_up_once_for_all_runs_of_a_search(renamed, monkeypatch):
    store, _ = renamed
    runs = store.search_runs()
    monkeypatch.setattr(store.experiments, "naming", lambda: pytest.fail("asked again"))
    assert {run.experiment for run in runs} == {"delays", "weather"}


@pytest.mark.parametrize("name", ["flights", "delays"])
def test_a_filter_finds_runs_by_any_name_of_their_experiment(renamed, name):
    store, run_id = renamed
    assert store.search_runs(f"experiment = '{name}'").ids == [run_id]
    assert store.search_runs(f"experiment in ('{name}', 'x')").ids == [run_id]
    assert run_id not in store.search_runs(f"experiment != '{name}'").ids
    assert store.search_runs().where(f"experiment = '{name}'").ids == [run_id]


def test_several_experiments_are_searched_at_once(renamed):
    store, _ = renamed
    assert len(store.search_runs(experiment=["flights", "weather"])) == 2
    assert len(store.search_runs(experiment=("flights",))) == 1


@pytest.mark.parametrize("wrong", [5, [], "", [5], {"a": 1}.items()])
def test_what_names_no_experiment_is_refused(store, wrong):
    with pytest.raises(InvalidInput, match="names no experiment"):
        store.search_runs(experiment=wrong)


@pytest.mark.parametrize("slip", ["dleays", "Flights", "waether"])
def test_a_slip_in_the_name_of_an_experiment_is_told(renamed, slip):
    with pytest.raises(NotFound, match="Did you mean"):
        renamed[0].search_runs(experiment=slip)
    assert len(renamed[0].search_runs(experiment="new")) == 0


def test_archived_experiments_are_left_out_of_searches_and_sql_alike(renamed):
    store, run_id = renamed
    store.experiments["flights"].archive()
    shown = store.search_runs().ids
    assert run_id not in shown
    for table in ("runs", "metrics"):
        found = store.sql(f"select distinct run_id from {table}").to_pylist()
        assert [row["run_id"] for row in found] == shown
    assert run_id in [run.id for run in store.runs]


@pytest.mark.parametrize(
    "text", ["experiment = 'delays'", "experiment like 'del%'", "not experiment = 'weather'"]
)
def test_a_filter_that_asks_for_experiments_finds_archived_ones(renamed, text):
    store, run_id = renamed
    store.experiments["delays"].archive()
    assert store.search_runs(text).ids == [run_id]
    assert store.search_runs("metrics.auc > 0").ids == []
