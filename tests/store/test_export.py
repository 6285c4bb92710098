"""Exporting runs: a store of their own, with all that they kept, read and made, and no more."""

import time

import pytest

import mlkit
from mlkit._core.ids import uuid7
from mlkit.errors import InvalidInput, NotAStore, NotFound
from mlkit.objects.blobs import object_path
from mlkit.testing import FaultyStorage


@pytest.fixture
def chain(store):
    """Runs that read what others made: raw -> clean -> a model, and a run beside them."""
    store.log_dataset("raw", {"a": [1, 2]})
    store.log_dataset("other", {"z": [1]})
    with store.start_run("prepare") as prepare:
        prepare.use_dataset("raw:1")
        prepare.log_dataset("clean", {"a": [2, 3]})
    with store.start_run("train") as train:
        train.use_dataset("clean:1")
        train.log_text("report", "report.txt")
        train.log_model({"mean": 1}, "delay")
        with store.start_run("train", name="fold") as fold:
            fold.log_text("fold", "fold.txt")
            with store.start_run("train", name="deep") as deep:
                deep.log_metric("auc", 0.5)
    with store.start_run("beside") as beside:
        beside.log_text("beside", "beside.txt")
    return {"prepare": prepare, "train": train, "fold": fold, "deep": deep, "beside": beside}


def test_a_run_comes_with_its_parts_and_all_that_it_needs_and_nothing_else(store, chain, tmp_path):
    report = store.export(chain["train"].id, tmp_path / "out")
    assert report.is_complete, report
    out = mlkit.Store(tmp_path / "out")
    assert out.runs.ids() == sorted(chain[name].id for name in ("train", "fold", "deep"))
    assert out.datasets.names() == ["clean", "raw"]  # and not "other"
    assert out.models.names() == ["delay"]
    assert out.run(chain["fold"].id).artifact("fold.txt").text() == "fold"
    assert list(out.verify()) == []
    assert out.gc(grace="0s").objects == 0
    for entry in out._storage.list("runs"):
        assert out._storage.read(entry.path) == store._storage.read(entry.path)


def test_what_a_version_was_made_from_comes_along(store, tmp_path):
    raw = store.log_dataset("raw", {"a": [1]})
    mid = store.make_dataset("mid", lambda version: {"a": [2]}, (raw,), {})
    store.make_dataset("end", lambda version: {"a": [3]}, (mid,), {})
    with store.start_run("train") as run:
        run.use_dataset("end:1")
    store.export(run.id, tmp_path / "out")
    out = mlkit.Store(tmp_path / "out")
    assert out.datasets.names() == ["end", "mid", "raw"]
    assert "missing" not in out.lineage(run.id).text()


@pytest.mark.parametrize(
    "give",
    [
        lambda store, run: run.id,
        lambda store, run: run.id[:18],
        lambda store, run: store.run(run.id),
        lambda store, run: run,
        lambda store, run: [run.id],
        lambda store, run: [store.run(run.id), run.id],
        lambda store, run: store.search_runs(experiment="beside"),
        lambda store, run: (one for one in [run.id]),
    ],
)
def test_runs_are_given_in_any_form(store, chain, tmp_path, give):
    store.export(give(store, chain["beside"]), tmp_path / "out")
    assert mlkit.Store(tmp_path / "out").runs.ids() == [chain["beside"].id]


def test_what_is_no_run_is_refused_and_nothing_is_made(store, chain, tmp_path):
    with pytest.raises(NotFound):
        store.export("nobody", tmp_path / "out")
    with pytest.raises(InvalidInput, match="7 is no run"):
        store.export(7, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_place_that_holds_something_else_is_refused(store, chain, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "file").write_bytes(b"x")
    with pytest.raises(NotAStore):
        store.export(chain["beside"].id, tmp_path / "out")


def test_a_store_that_exists_gets_what_it_lacks(store, chain, tmp_path):
    store.export(chain["beside"].id, tmp_path / "out")
    report = store.export([chain["beside"].id, chain["prepare"].id], tmp_path / "out")
    counts = {part.kind: (part.objects, part.there) for part in report.parts}
    assert counts["runs"] == (1, 1)
    assert len(mlkit.Store(tmp_path / "out").runs) == 2
    again = store.export([chain["beside"].id, chain["prepare"].id], tmp_path / "out")
    assert again.objects == 0


def test_a_version_is_found_by_its_content_where_its_number_means_another(store, chain, tmp_path):
    team = mlkit.Store(tmp_path / "team")
    team.log_dataset("clean", {"a": [99]})
    team.merge(store)
    report = team.export(chain["train"].id, tmp_path / "out")
    assert report.is_complete
    out = mlkit.Store(tmp_path / "out")
    assert out.dataset("clean:1").to_arrow().to_pydict() == {"a": [2, 3]}
    assert report.renumbered == (("clean:2", "clean:1"),)


def test_what_is_said_of_the_experiments_of_the_runs_comes_along(store, chain, tmp_path):
    store.experiments["train"].describe("the real one")
    store.experiments["beside"].describe("no matter")
    store.experiments["train"].rename("training")
    store.export(chain["train"].id, tmp_path / "out")
    out = mlkit.Store(tmp_path / "out")
    assert out.experiments["training"].description == "the real one"
    assert len(out._storage.children("experiments")) == 2


def test_what_is_damaged_or_missing_is_named_and_the_rest_comes(store, chain, tmp_path):
    run = store.run(chain["train"].id)
    path = object_path("blobs", run.artifact("report.txt").digest)
    store._storage.write(path, b"damage")
    store._storage.delete("datasets/clean/1.json")
    report = store.export(run, tmp_path / "out")
    assert not report.is_complete
    assert {path, "clean:1"} <= {one.path for one in report.problems}
    out = mlkit.Store(tmp_path / "out")
    assert len(out.runs) == 3
    assert out.models.names() == ["delay"]


def test_the_store_itself_stays_as_it_is(store, chain, tmp_path):
    watched = FaultyStorage(store._storage)
    before = sorted(entry.path for entry in store._storage.list())
    from attrs import evolve

    from mlkit.store.export import export

    target = mlkit.Store(tmp_path / "out")
    export(evolve(store._parts, storage=watched), target._parts, [chain["train"].id])
    assert {verb for verb, _ in watched.operations} <= {"read", "stat", "list", "children"}
    assert sorted(entry.path for entry in store._storage.list()) == before


def test_a_run_that_can_not_be_read_keeps_no_other_from_being_exported(store, chain, tmp_path):
    for name in ("deep", "beside"):
        folder = f"runs/{chain[name].id}"
        for file in ("run.json", "end.json"):
            store._storage.write(f"{folder}/{file}", b"damaged")
    report = store.export([chain["train"].id, chain["beside"].id], tmp_path / "out")
    assert {one.path for one in report.problems} == {f"runs/{chain['beside'].id}"}
    assert len(mlkit.Store(tmp_path / "out").runs) == 2


def test_a_version_without_a_digest_that_is_missing_is_named(store, tmp_path):
    store.log_dataset("raw", {"a": [1]})
    store.datasets.log("clean", {"a": [2]}, inputs=["raw:7"])
    with store.start_run("train") as run:
        run.use_dataset("clean:1")
    report = store.export(run.id, tmp_path / "out")
    assert [one.path for one in report.problems] == ["raw:7"]
    assert mlkit.Store(tmp_path / "out").datasets.names() == ["clean"]


def test_parts_come_along_that_machines_with_other_clocks_began(store, tmp_path):
    with store.start_run("flights") as whole:
        day = uuid7(time.time_ns() - 24 * 3600 * 10**9)
        with (
            store.start_run("flights", run_id=day) as part,
            store.start_run("flights", run_id=uuid7(time.time_ns() - 25 * 3600 * 10**9)) as inner,
        ):
            pass
    store.export(whole.id, tmp_path / "out")
    assert mlkit.Store(tmp_path / "out").runs.ids() == sorted([whole.id, part.id, inner.id])
