"""Promises about the documents of a run: one is enough to know a run that has ended."""

import json
import warnings

import pytest

from mlkit._core.codec import decode_document, encode_document
from mlkit.errors import Corrupt, NotFound
from mlkit.storage.wrapped import WrappedStorage
from mlkit.store.store import Store
from mlkit.tracking.reading import Run

ENVELOPE = ("format", "kind", "sha256", "id")


class Counted(WrappedStorage):
    """Notes what is read."""

    def __init__(self, inner):
        super().__init__(inner)
        self.read_paths = []

    def read(self, path, start=0, end=None):
        self.read_paths.append(path)
        return super().read(path, start, end)


def all_of(run):
    return (
        run.experiment,
        run.name,
        run.parent_id,
        run.user,
        run.started_at,
        run.ended_at,
        run.status,
        run.params,
        run.tags,
        run.summary,
        run.goals,
        run.deleted_at,
    )


def again(store, run_id, storage=None):
    """Give a run as a listing gives it, read through another storage."""
    files = next(run for run in store.runs if run.id == run_id)._files
    return Run(
        run_id,
        storage=storage or store._storage,
        blobs=store._blobs,
        clock=store.runs._around.clock,
        files=files,
    )


@pytest.fixture
def ended(store):
    with (
        store.start_run("outer") as outer,
        store.start_run("flights", name="first", tags={"team": "ml"}) as run,
    ):
        run.log_params(lr=0.1)
        run.log_metric("loss", 0.3)
    assert run.parent_id == outer.id
    return run.id


def rewrite(store, path, change):
    body = decode_document(store._storage.read(path), "run_end", path)
    change(body)
    store._storage.write(path, encode_document("run_end", body))


def test_one_document_tells_all_of_a_run_that_has_ended(store, ended):
    counted = Counted(store._storage)
    told = all_of(again(store, ended, counted))
    assert told[:2] == ("flights", "first")
    assert counted.read_paths == [f"runs/{ended}/end.json"]


def test_what_an_end_repeats_is_what_the_run_began_with(store, ended):
    head = json.loads(store._storage.read(f"runs/{ended}/run.json"))
    repeated = json.loads(store._storage.read(f"runs/{ended}/end.json"))["run"]
    assert repeated == {
        name: value
        for name, value in head.items()
        if name not in ("format", "kind", "sha256", "id")
    }


def test_an_end_that_doesnt_repeat_the_beginning_is_read_as_before(store, ended):
    told = all_of(store.run(ended))
    rewrite(store, f"runs/{ended}/end.json", lambda body: body.pop("run"))
    counted = Counted(store._storage)
    assert all_of(again(store, ended, counted)) == told
    assert f"runs/{ended}/run.json" in counted.read_paths


def test_a_run_that_was_resumed_keeps_its_beginning(store, ended):
    before = store.run(ended)
    with store.start_run("flights", resume=ended) as run:
        run.log_metric("loss", 0.2)
    after = store.run(ended)
    assert after.started_at == before.started_at
    assert (after.name, after.user, after.parent_id) == (before.name, before.user, before.parent_id)
    assert json.loads(store._storage.read(f"runs/{ended}/end-2.json"))["run"]["tags"] == {
        "team": "ml"
    }


@pytest.mark.parametrize(
    "wrong", [None, [], {}, {"experiment": 1}, {"experiment": "a", "tags": []}], ids=repr
)
def test_a_beginning_of_an_impossible_shape_is_damage(store, ended, wrong):
    rewrite(store, f"runs/{ended}/end.json", lambda body: body.update(run=wrong))
    with pytest.raises(Corrupt, match="no usable field"):
        _ = store.run(ended).status


def test_a_run_whose_end_is_damaged_is_known_by_its_beginning(store, ended):
    path = f"runs/{ended}/end.json"
    store._storage.write(path, store._storage.read(path)[:-5])
    run = store.run(ended)
    assert (run.experiment, run.name) == ("flights", "first")
    with pytest.raises(Corrupt):
        run.check()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [one.experiment for one in store.runs.readable("outer")] == ["outer"]


def test_a_run_whose_beginning_isnt_there_yet_isnt_there(store, ended):
    store._storage.delete(f"runs/{ended}/run.json")
    assert ended not in [run.id for run in store.runs]
    with pytest.raises(NotFound, match="no beginning"):
        Store(store.url).run(ended)
