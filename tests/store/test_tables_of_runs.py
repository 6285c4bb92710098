"""What tables of runs of a store can do: change them, give their points, say what is gone."""

import shutil
import threading

import pytest

import mlkit
from mlkit.errors import InvalidInput, NotFound
from mlkit.index import live


@pytest.fixture
def runs(store):
    for depth in range(6):
        with store.start_run("flights", tags={"old": "x"}) as run:
            run.log_params(depth=depth)
            run.log_metrics({"auc": depth / 10, "cost": depth}, step=depth)
            if depth:
                run.log_metrics({"auc": 1}, step=0.5)
    return store.search_runs(order_by="params.depth")


@pytest.mark.parametrize("far", [False, True])
def test_all_runs_of_a_table_are_labelled_deleted_and_restored(store, runs, monkeypatch, far):
    if far:
        monkeypatch.setattr(live, "is_local", lambda _: False)
    few = runs.where("params.depth < 3")
    few.set_tags(reviewed="yes", old=None)
    assert store.search_runs("tags.reviewed = 'yes' and tags.old is null").ids == few.ids[::-1]
    few.delete()
    assert sorted(store.search_runs(deleted=True).ids) == sorted(few.ids)
    assert len(store.search_runs()) == 3
    store.search_runs(deleted=True).restore()
    assert len(store.search_runs()) == 6


def test_a_name_of_a_tag_that_is_no_text_changes_no_run(store, runs):
    with pytest.raises(InvalidInput):
        runs.set_tags({5: "x"})
    assert all(run.tags == {"old": "x"} for run in store.runs)


def test_whoever_is_interrupted_has_changed_some_and_goes_on_when_it_is_done_again(
    store, runs, monkeypatch
):
    monkeypatch.setattr(live, "is_local", lambda _: False)
    opened, lock = [], threading.Lock()

    def stop(run_id, called=None):
        with lock:
            opened.append(run_id)
            if len(opened) == 3:
                raise KeyboardInterrupt
        return store.runs.open(run_id, called)

    monkeypatch.setattr(runs, "_open", stop)
    with pytest.raises(KeyboardInterrupt):
        runs.delete()
    assert len(store.search_runs(deleted=True)) <= 5
    monkeypatch.undo()
    runs.delete()
    assert len(store.search_runs(deleted=True)) == 6


@pytest.mark.parametrize("far", [False, True])
def test_work_for_each_run_gives_its_results_in_the_order_of_the_runs(runs, monkeypatch, far):
    if far:
        monkeypatch.setattr(live, "is_local", lambda _: False)
    assert list(runs.each(lambda run: run.params["depth"])) == list(range(6))
    with pytest.raises(ZeroDivisionError):
        list(runs.each(lambda run: 1 / run.params["depth"]))


def test_points_of_several_metrics_have_a_column_that_says_which(runs):
    points = runs.metrics(["cost", "auc", "cost"])
    assert points.column_names == ["run_id", "key", "step", "time", "value"]
    assert points.column("key").to_pylist() == ["cost"] * 6 + ["auc"] * 11
    costs = points.slice(0, 6).to_pydict()
    assert (costs["run_id"], costs["value"]) == (runs.ids, list(range(6)))
    assert points.slice(6).drop_columns("key").equals(runs.metrics("auc"))
    assert runs.metrics(["cost"]).schema.field("step").type == "int64"
    few = runs.metrics(["auc", "cost"], points=1)
    assert few.column_names[:3] == ["run_id", "key", "step"]


@pytest.mark.parametrize("wrong", [5, [], [""], [5], ""])
def test_what_names_no_metric_is_refused(runs, wrong):
    with pytest.raises((InvalidInput, NotFound), match="metric"):
        runs.metrics(wrong)
    with pytest.raises(NotFound, match="Did you mean 'cost'"):
        runs.metrics(["auc", "csot"])


def test_pareto_names_a_metric_that_no_run_has_and_asks_for_one(runs):
    with pytest.raises(NotFound, match="Did you mean 'cost'"):
        runs.pareto(auc="max", csot="min")
    with pytest.raises(NotFound, match="Did you mean 'cost'"):
        runs.pareto("csot")
    with pytest.raises(InvalidInput, match="no metric"):
        runs.pareto()


def test_a_metric_with_its_map_before_it_is_told_without(runs):
    with pytest.raises(NotFound, match="Did you mean 'auc'"):
        runs.best("metrics.auc")


@pytest.mark.parametrize("n", ["3", 0, True, 1.5])
def test_a_leaderboard_of_no_number_of_runs_is_refused(runs, n):
    with pytest.raises(InvalidInput, match="no number of runs"):
        runs.leaderboard("auc", n=n)


def test_an_order_is_a_field_in_python_too(store, runs):
    falling = store.search_runs(order_by=-mlkit.metric("cost"))
    assert falling.ids == runs.ids[::-1]
    assert runs.order_by(mlkit.tag("old"), -mlkit.metric("cost").max).ids == runs.ids[::-1]
    assert store.search_runs(order_by=[mlkit.param("depth")]).ids == runs.ids
    for wrong in (5, [5], None):
        with pytest.raises(InvalidInput, match="is no order"):
            store.search_runs(order_by=wrong)


def test_a_run_whose_folder_is_gone_says_so(store, runs):
    shutil.rmtree(f"{store.url}/runs/{runs.ids[0]}")
    for ask in (lambda run: run.params, lambda run: run.status, lambda run: run.metrics("auc")):
        with pytest.raises(NotFound, match=rf"Run {runs.ids[0]} isn't there"):
            ask(runs[0])


@pytest.mark.parametrize("other", [5, None, b"x"])
def test_merging_with_what_is_no_store_is_refused(store, other):
    with pytest.raises(InvalidInput, match="is no store"):
        store.merge(other)


def test_iterating_over_a_dataset_gives_its_versions(store):
    for number in range(2):
        store.log_dataset("trips", {"a": [number]})
    assert [version.number for version in store.datasets["trips"]] == [1, 2]
