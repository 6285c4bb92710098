"""Relations of versions: which runs read one, what it was made from, and what came of it."""

import pickle

import pytest

import mlkit
from mlkit.errors import InvalidInput, NotFound
from mlkit.testing import FaultyStorage


@pytest.fixture
def chain(store):
    """Raw flights -> a run -> clean flights -> a run of a sweep -> a model; and another reader."""
    store.log_dataset("raw", {"a": [1, 2]})
    with store.start_run("prepare") as prepare:
        prepare.use_dataset("raw:1")
        prepare.log_dataset("clean", {"a": [2, 3]})
    with store.start_run("train") as train, store.start_run("train", name="trial") as trial:
        trial.use_dataset("clean:1")
        trial.log_model({"mean": 1}, "delay")
    with store.start_run("look") as look:
        look.use_dataset("raw:1")
    return {"prepare": prepare.id, "train": train.id, "trial": trial.id, "look": look.id}


FOLDED = pytest.mark.parametrize("folded", [False, True])


@FOLDED
def test_the_runs_that_read_a_version_are_told_from_folders_and_tables_alike(store, chain, folded):
    if folded:
        store.compact()
    assert store.dataset("raw:1").used_by().ids == [chain["look"], chain["prepare"]]
    assert store.dataset("clean:1").used_by().ids == [chain["trial"]]
    assert store.dataset("clean:1").used_by()[0].name == "trial"
    lonely = store.log_dataset("lonely", {"a": [1]})
    assert len(lonely.used_by()) == 0


def test_runs_of_archived_experiments_are_told_and_deleted_ones_are_not(store, chain):
    store.experiments["look"].archive()
    assert chain["look"] in store.dataset("raw:1").used_by().ids
    store.run(chain["look"]).delete()
    assert store.dataset("raw:1").used_by().ids == [chain["prepare"]]


def test_of_folded_runs_no_folder_is_read(store, chain):
    store.compact()
    fresh = mlkit.Store(store.url)
    storage = FaultyStorage(fresh._storage)
    fresh._storage = storage  # before its rooms are made
    assert len(fresh.dataset("raw:1").used_by()) == 2
    assert len(fresh.lineage("raw:1", direction="downstream").nodes) == 6
    watched = [path for verb, path in storage.operations if verb == "read"]
    assert not [path for path in watched if path.startswith("runs/")]


def test_parents_and_children_are_versions(store, chain):
    clean = store.dataset("clean:1")
    assert clean.parents == [store.dataset("raw:1")]
    assert store.dataset("raw:1").parents == []
    assert store.dataset("raw:1").children() == [clean]
    assert clean.children() == [store.model("delay:1")]
    assert store.dataset("raw:1").children()[0].to_arrow().to_pydict() == {"a": [2, 3]}


def test_children_that_come_later_are_seen_by_who_asked_before(store, chain):
    raw = store.dataset("raw:1")
    assert len(raw.children()) == 1
    mlkit.Store(store.url).make_dataset("more", lambda _: {"a": [7]}, (raw,), {})
    assert [one.ref for one in raw.children()] == ["clean:1", "more:1"]


def test_a_parent_that_is_gone_is_an_error_that_names_it(store, chain):
    store._storage.delete("datasets/raw/1.json")
    with pytest.raises(NotFound, match="raw:1, which clean:1 was made from, is missing"):
        _ = store.dataset("clean:1").parents


@FOLDED
def test_downstream_leads_from_data_to_the_model(store, chain, folded):
    if folded:
        store.compact()
    graph = store.lineage("raw:1", direction="downstream")
    assert [line.lstrip("│├└─ ").split("  ")[0] for line in graph.text().split("\n")] == [
        "dataset raw:1",
        f"run {chain['prepare']}",
        "dataset clean:1",
        f"run {chain['trial']}",
        "model delay:1",
        f"run {chain['look']}",
    ]
    assert not any(node.problem for node in graph.nodes)


def test_downstream_says_what_is_in_use(store, chain):
    store.models["delay"].promote(1, "prod")
    store.models["delay"].promote(1, "canary")
    details = {n.ref: n.detail for n in store.lineage("raw:1", direction="downstream").nodes}
    assert details["delay:1"].endswith(", canary, prod")
    assert details["raw:1"] == "2 rows"
    store._storage.write("models/delay/aliases/prod/1.json", b"{}")
    assert "delay:1" in store.lineage("raw:1", direction="downstream").text()


def test_downstream_of_a_run_has_its_parts(store, chain):
    refs = [node.ref for node in store.lineage(chain["train"], direction="downstream").nodes]
    assert refs == [chain["train"], chain["trial"], "delay:1"]


def test_upstream_is_what_is_given_when_nobody_says(store, chain):
    assert store.lineage("delay:1") == store.lineage("delay:1", direction="upstream")
    with pytest.raises(InvalidInput, match="'up' is no direction"):
        store.lineage("delay:1", direction="up")


def test_an_alias_of_a_dataset_has_a_lineage_both_ways(store, chain):
    store.datasets["clean"].promote(1, "gold")
    assert store.dataset("clean@gold").ref == "clean:1"
    for direction, last in (("upstream", "raw:1"), ("downstream", "delay:1")):
        graph = store.lineage("clean@gold", direction=direction)
        assert graph.nodes[0].ref == "clean@gold"
        assert last in {node.ref for node in graph.nodes}


def test_a_run_that_reads_an_alias_names_the_version(store, chain):
    store.datasets["clean"].promote(1, "gold")
    with store.start_run("late") as run:
        run.use_dataset("clean@gold")
    store.log_dataset("clean", {"a": [9]})
    store.datasets["clean"].promote(2, "gold")
    assert store.run(run.id).inputs[0]["ref"] == "clean:1"
    assert run.id in store.dataset("clean:1").used_by().ids
    assert len(store.dataset("clean:2").used_by()) == 0


def test_a_damaged_version_is_left_out_and_the_rest_is_told(store, chain):
    store.make_dataset("broken", lambda _: {"a": [7]}, (store.dataset("raw:1"),), {})
    store._storage.write("datasets/broken/1.json", b"{}")
    store._storage.write("datasets/..strange/1.json", b"{}")
    refs = [node.ref for node in store.lineage("raw:1", direction="downstream").nodes]
    assert "delay:1" in refs
    assert "broken:1" not in refs


@pytest.mark.parametrize("copy", ["merge", "export"])
@FOLDED
def test_what_was_copied_is_related_by_the_numbers_that_it_has_there(
    store, chain, tmp_path, copy, folded
):
    team = mlkit.Store(tmp_path / "team")
    for name in ("raw", "clean", "delay"):
        team.log_dataset(name, {"z": [name]})
    team.models.save("delay", {"mean": 99})
    if copy == "merge":
        team.merge(store)
    else:
        store.export(store.runs.ids(), team.url)
    if folded:
        team.compact()
    raw = team.dataset("raw:2")
    assert team.dataset("raw:1").used_by().ids == []
    assert team.dataset("raw:1").children() == []
    assert raw.used_by().ids == [chain["look"], chain["prepare"]]
    assert [one.ref for one in raw.children()] == ["clean:2"]
    assert team.dataset("clean:2").parents == [raw]
    graph = team.lineage("raw:2", direction="downstream")
    assert {node.ref for node in graph.nodes if node.kind != "run"} == {
        "raw:2",
        "clean:2",
        "delay:2",
    }
    assert not any(node.problem for node in graph.nodes)
    back = team.lineage("delay:2")
    assert set(back.edges) >= {edge for edge in graph.edges if chain["look"] not in edge.source}


def test_versions_pickle_with_what_they_know(store, chain):
    version = pickle.loads(pickle.dumps(store.dataset("raw:1")))
    assert version.used_by().ids == [chain["look"], chain["prepare"]]
    version.set_tags(owner="ml")
    assert store.dataset("raw:1").tags == {"owner": "ml"}
