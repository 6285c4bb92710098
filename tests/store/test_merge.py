"""Merging stores: all that one lacks comes, nothing twice, nothing half, whoever dies."""

import os
import threading
import warnings

import pytest
from attrs import evolve

import mlkit
from mlkit._core.codec import decode_document, encode_document
from mlkit.errors import NotAStore, NotFound, SingleWriterOnly, StorageFault
from mlkit.objects.blobs import object_path
from mlkit.objects.verify import Problem
from mlkit.storage.protocol import Capabilities
from mlkit.storage.wrapped import LimitedStorage, WrappedStorage
from mlkit.store.merge import merge
from mlkit.store.merge_report import Copied, MergeReport
from mlkit.testing import Fault, FaultyStorage
from mlkit.testing.faults import Kill
from mlkit.tracking.changes import Changes


@pytest.fixture
def team(tmp_path):
    """The store that gets."""
    return mlkit.Store(tmp_path / "team")


def bodies(store, *roots):
    """Give what lies in a store, by path, without its own document and its index."""
    found = (entry.path for entry in store._storage.list())
    return {
        path: store._storage.read(path)
        for path in found
        if path.startswith(roots or ("runs", "blobs", "packs", "datasets", "models", "monitors"))
    }


def written(storage):
    return [path for verb, path in storage.operations if verb in {"write", "create", "delete"}]


def into(target, source, storage):
    """Merge, with the target's storage watched."""
    return merge(source._parts, evolve(target._parts, storage=storage))


def parts(report):
    return {part.kind: (part.objects, part.there) for part in report.parts}


# What comes


def test_all_of_a_store_comes_to_an_empty_one_byte_for_byte(full, team):
    monitor = full.monitor("delay@prod")
    monitor.log({"distance": [1.0]}, [0.5], ids=["a"])
    monitor.log_truth(["a"], [1.0])
    full.experiments["flights"].describe("arrivals")
    full.run(full.runs.ids()[0]).set_tags(owner="ml")
    report = team.merge(full)
    assert report.is_complete, report
    assert bodies(team) == bodies(full)
    assert bodies(team, "experiments") == bodies(full, "experiments")
    assert list(team.verify()) == []
    assert team.load_model("delay@prod", trusted=True).model == {"mean": 12.5}
    assert team.experiments["flights"].description == "arrivals"
    assert next(run.tags for run in team.runs)["owner"] == "ml"
    assert parts(report)["runs"] == (2, 0)


def test_a_second_merge_writes_nothing(full, team):
    team.merge(full)
    watched = FaultyStorage(team._storage)
    report = into(team, full, watched)
    assert written(watched) == []
    assert (report.objects, report.is_complete) == (0, True)
    assert parts(report)["runs"] == (0, 2)


def test_a_second_merge_writes_nothing_however_old_all_is(full, team, age):
    team.merge(full)
    age(1000)
    age(1000, store="team")
    watched = FaultyStorage(team._storage)
    into(team, full, watched)
    assert written(watched) == []


def test_the_index_and_what_lies_beside_the_store_do_not_come(full, team):
    for path in ("tables/runs/part.parquet", "strange/file", "mlkit.json"):
        if path != "mlkit.json":
            full._storage.write(path, b"x")
    before = team.id
    team.merge(full)
    assert [one for one in team._storage.children() if one in {"tables/", "strange/"}] == []
    assert mlkit.Store(team.url).id == before


def test_the_other_store_stays_as_it_is(full, team):
    before = bodies(full)
    watched = FaultyStorage(full._storage)
    merge(evolve(full._parts, storage=watched), team._parts)
    assert written(watched) == []
    assert bodies(full) == before


@pytest.mark.parametrize("give", [lambda store: store, lambda store: store.url])
def test_a_store_is_given_itself_or_by_its_url(full, team, give):
    assert team.merge(give(full)).is_complete
    assert len(team.runs) == 2


def test_a_place_without_a_store_is_refused_and_no_store_is_made_there(team, tmp_path):
    with pytest.raises(NotAStore, match="no mlkit store"):
        team.merge(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_stores_in_memory_and_on_disk_merge_both_ways(full, team):
    memory = mlkit.Store("memory://merge-both-ways")
    memory.merge(full)
    team.merge("memory://merge-both-ways")
    assert bodies(team) == bodies(full) == bodies(memory)


# Runs


def test_what_a_run_got_since_comes_and_an_index_is_told(store, team):
    run = store.start_run("flights")
    run.log_text("first", "first.txt")
    run.log_metric("auc", 0.5)
    team.merge(store)
    assert team.run(run.id).summary == {"auc": 0.5}
    run.log_text("second", "second.txt")
    run.log_metric("auc", 0.7)
    run.finish()
    store.run(run.id).note("good")
    changes = Changes(team._storage)
    assert changes.pending() == {}
    report = team.merge(store)
    assert parts(report)["runs that got more"] == (1, 0)
    assert team.run(run.id).summary == {"auc": 0.7}
    assert team.run(run.id).status == "FINISHED"
    assert team.run(run.id).artifact("second.txt").text() == "second"
    assert len(changes.pending()[run.id]) == 2
    assert bodies(team, "runs") == bodies(store, "runs")


def test_edits_of_both_sides_come_together(store, team):
    with store.start_run("flights") as run:
        pass
    team.merge(store)
    store.run(run.id).set_tags(here="1")
    team.run(run.id).set_tags(there="2")
    team.merge(store)
    store.merge(team)
    assert team.run(run.id).tags == store.run(run.id).tags == {"here": "1", "there": "2"}
    assert bodies(team, "runs") == bodies(store, "runs")


def test_a_run_that_both_sides_resumed_has_the_ends_of_both(store, team):
    with store.start_run("flights") as run:
        run.log_metric("auc", 0.5)
    team.merge(store)
    for side, value in ((store, 0.6), (team, 0.7)):
        with side.start_run("flights", resume=run.id) as again:
            again.log_metric("auc", value)
    for _ in range(3):
        team.merge(store)
        store.merge(team)
    for side in (store, team):
        found = bodies(side, f"runs/{run.id}/end")
        assert len(found) == len(set(found.values())) == 3
        values = side.run(run.id).metrics("auc")["value"].to_pylist()
        assert sorted(values) == [0.5, 0.6, 0.7]
    theirs, ours = (set(bodies(side, "runs").values()) for side in (store, team))
    assert theirs == ours


def test_a_run_that_ended_on_both_sides_ended_alike_in_both_whoever_merges_first(store, team):
    with store.start_run("flights") as run:
        run.log_metric("auc", 0.5)
    team.merge(store)
    with store.start_run("flights", run_id=run.id, resume="must") as again:
        again.log_metric("auc", 0.6)
    later = team.start_run("flights", run_id=run.id, resume="must")
    later.log_metric("auc", 0.7)
    later.finish("FAILED")
    store.merge(team)
    team.merge(store)
    assert [(one.run(run.id).status, one.run(run.id).summary) for one in (store, team)] == [
        ("FAILED", {"auc": 0.7}),
        ("FAILED", {"auc": 0.7}),
    ]
    assert store.run(run.id).ended_at == team.run(run.id).ended_at


def test_a_run_is_not_seen_before_all_that_it_refers_to(full, team):
    order = []

    class Watched(WrappedStorage):
        def write(self, path, data, *, durable=False):
            super().write(path, data, durable=durable)
            order.append(path)

        def create(self, path, data, *, durable=True):
            super().create(path, data, durable=durable)
            order.append(path)

    into(team, full, Watched(team._storage))
    kinds = [path.partition("/")[0] for path in order if not path.startswith("chunks/")]
    assert kinds == sorted(kinds, key=("blobs", "packs", "datasets", "models", "runs").index)
    for run_id in full.runs.ids():
        mine = [path.rpartition("/")[2] for path in order if run_id in path]
        assert mine[-2:] == ["run.json", "end.json"]


def test_what_a_live_run_writes_while_it_is_copied_stays_behind(store, team):
    run = store.start_run("flights")
    run.log_metric("auc", 0.5)

    class Busy(WrappedStorage):
        def read(self, path, start=0, end=None):
            if path.endswith(".seg"):
                run.log_metric("auc", 0.9)
            return super().read(path, start, end)

    merge(evolve(store._parts, storage=Busy(store._storage)), team._parts)
    assert team.run(run.id).metrics("auc")["value"].to_pylist() == [0.5]
    run.finish()
    team.merge(store)
    assert team.run(run.id).summary == {"auc": 0.9}


def test_a_run_that_has_not_begun_comes_when_it_has(store, team):
    run = store.start_run("flights")
    run.log_metric("auc", 0.5)
    path = f"runs/{run.id}/run.json"
    beginning = store._storage.read(path)
    store._storage.delete(path)
    assert team.merge(store).objects == 0
    store._storage.write(path, beginning)
    team.merge(store)
    assert team.run(run.id).summary == {"auc": 0.5}
    run.finish()


def test_searching_finds_what_came_and_what_changed_by_it(store, team):
    with store.start_run("flights") as older:
        older.log_metric("auc", 0.5)
    with team.start_run("flights") as newer:
        newer.log_metric("auc", 0.6)
    team.compact()
    team.merge(store)
    for _ in range(2):
        assert [run.id for run in team.search_runs("metrics.auc > 0")] == [newer.id, older.id]
        team.compact()
    store.run(older.id).set_tags(owner="ml")
    team.merge(store)
    for _ in range(2):
        assert [run.id for run in team.search_runs("tags.owner = 'ml'")] == [older.id]
        team.compact()


@pytest.fixture
def overtaken(team):
    """Merge into the team's store; right before the first run is copied, something happens."""

    def merged(source, happen):
        class Slow(WrappedStorage):
            waiting = True

            def read(self, path, start=0, end=None):
                if path.startswith("runs/") and self.waiting:
                    self.waiting = False
                    happen()
                return super().read(path, start, end)

        return merge(evolve(source._parts, storage=Slow(source._storage)), team._parts)

    return merged


def test_a_merge_that_is_overtaken_by_another_cuts_nothing_off(store, team, overtaken):
    run = store.start_run("flights")
    run.log_metric("auc", 0.5)

    def overtake():
        run.log_metric("auc", 0.9)
        run.finish()
        team.merge(store)

    overtaken(store, overtake)
    assert team.run(run.id).metrics("auc")["value"].to_pylist() == [0.5, 0.9]
    assert list(team.verify()) == []


def test_searching_finds_what_came_after_another_merge_had_brought_the_run(
    store, team, overtaken, tmp_path
):
    with store.start_run("flights") as run:
        run.log_metric("auc", 0.5)
    older = mlkit.Store(tmp_path / "older")
    older.merge(store)
    store.run(run.id).set_tags(owner="ml")

    def overtake():
        team.merge(older)
        team.compact()

    overtaken(store, overtake)
    assert [one.id for one in team.search_runs("tags.owner = 'ml'")] == [run.id]


# Versions


def test_a_content_that_is_there_is_the_same_version(store, team):
    for side in (store, team):
        side.log_dataset("flights", {"a": [1]})
        side.log_dataset("flights", {"b": [1 if side is store else 2]})
    report = team.merge(store)
    assert report.renumbered == (("flights:2", "flights:3"),)
    assert team.datasets["flights"].numbers() == [1, 2, 3]
    assert [one.columns for one in team.datasets["flights"].versions()[1:]] != []
    assert team.dataset("flights:2").to_arrow().to_pydict() == {"b": [2]}
    assert team.dataset("flights:3").to_arrow().to_pydict() == {"b": [1]}
    assert team.merge(store).objects == 0
    assert list(team.verify()) == []


def test_a_version_keeps_its_number_where_that_is_the_next_one(store, team):
    for number in range(3):
        store.log_dataset("flights", {"a": [number]})
    team.log_dataset("flights", {"a": [0]})
    assert team.merge(store).renumbered == ()
    for number in (1, 2, 3):
        path = f"datasets/flights/{number}.json"
        if number > 1:
            assert team._storage.read(path) == store._storage.read(path)
        assert team.dataset(f"flights:{number}").to_arrow().to_pydict() == {"a": [number - 1]}


def test_numbers_never_change_and_have_no_gaps_whoever_merges_first(tmp_path):
    stores = [mlkit.Store(tmp_path / str(number)) for number in range(3)]
    for number, one in enumerate(stores):
        one.log_dataset("flights", {"a": [number]})
        one.log_dataset("flights", {"a": [number + 10]})
    before = stores[0].dataset("flights:2").digest
    for other in stores[1:]:
        stores[0].merge(other)
    assert stores[0].datasets["flights"].numbers() == [1, 2, 3, 4, 5, 6]
    assert stores[0].dataset("flights:2").digest == before
    assert len({one.digest for one in stores[0].datasets["flights"].versions()}) == 6


def test_names_that_differ_by_case_only_do_not_come_together(store, team):
    store.log_dataset("flights", {"a": [1]})
    team.log_dataset("Flights", {"a": [2]})
    report = team.merge(store)
    assert not report.is_complete
    assert "by case only" in repr(report)
    assert team.datasets.names() == ["Flights"]


def test_two_that_merge_the_same_at_once_make_no_version_twice(store, tmp_path):
    for number in range(5):
        store.log_dataset("flights", {"a": [number]})
        store.models.save("delay", {"mean": number})
    url = mlkit.Store(tmp_path / "team").url
    mlkit.Store(url).log_dataset("flights", {"a": [99]})
    start = threading.Barrier(4)

    def work():
        start.wait()
        mlkit.Store(url).merge(store)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    team = mlkit.Store(url)
    assert team.datasets["flights"].numbers() == [1, 2, 3, 4, 5, 6]
    assert len({one.digest for one in team.datasets["flights"].versions()}) == 6
    assert team.models["delay"].numbers() == [1, 2, 3, 4, 5]
    assert list(team.verify()) == []


def test_lineage_follows_the_content_and_not_the_number(store, team):
    team.log_dataset("flights", {"a": [99]})
    version = store.log_dataset("flights", {"a": [1]})
    with store.start_run("flights") as run:
        run.use_dataset("flights:1")
        run.log_model({"mean": 1}, "delay")
    report = team.merge(store)
    assert report.renumbered == (("flights:1", "flights:2"),)
    graph = team.lineage("delay:1")
    (node,) = [one for one in graph.nodes if one.kind == "dataset"]
    assert (node.ref, node.digest, node.problem) == ("flights:2", version.digest, "")
    assert "not the content" not in graph.text()


def test_lineage_still_says_when_the_content_is_nowhere(store, team):
    store.log_dataset("flights", {"a": [1]})
    with store.start_run("flights") as run:
        run.use_dataset("flights:1")
    team.log_dataset("flights", {"a": [99]})
    team.merge(store)
    team._storage.delete("datasets/flights/2.json")
    (node,) = [one for one in team.lineage(run.id).nodes if one.kind == "dataset"]
    assert (node.ref, node.problem) == ("flights:2", "missing")


# Models


def test_a_model_that_is_new_brings_its_aliases_and_what_gates_refused(full, team):
    full.models.save("delay", {"mean": 13.0})
    full.models["delay"].promote(2, "prod", reason="better")
    team.merge(full)
    ours, theirs = (side.models["delay"].history("prod") for side in (team, full))
    assert ours == theirs
    assert team.models["delay"].aliases() == {"prod": 2}


def test_an_alias_that_is_here_is_never_moved(full, team):
    team.merge(full)
    full.models.save("delay", {"mean": 13.0})
    full.models["delay"].promote(2, "prod", reason="better")
    report = team.merge(full)
    assert report.is_complete
    assert team.models["delay"].numbers() == [1, 2]
    assert team.models["delay"].aliases() == {"prod": 1}


def test_a_model_of_ones_own_keeps_its_aliases_and_gets_none(store, team):
    for side in (store, team):
        side.models.save("delay", {"side": side.url})
    team.models["delay"].promote(1, "candidate")
    store.models["delay"].promote(1, "prod")
    report = team.merge(store)
    assert report.renumbered == (("delay:1", "delay:2"),)
    assert team.models["delay"].aliases() == {"candidate": 1}
    assert team.merge(store).objects == 0


def test_models_of_equal_content_are_the_same_when_they_were_saved_at_once(store, team):
    for _ in range(2):
        store.models.save("delay", {"mean": 1})
    team.merge(store)
    assert team.models["delay"].numbers() == [1, 2]


def test_monitors_follow_the_number_of_their_version(store, team):
    team.models.save("delay", {"side": "team"})
    store.models.save("delay", {"side": "store"})
    monitor = store.monitor("delay:1")
    monitor.log({"distance": [1.0, 2.0]}, [0.5, 0.6], ids=["a", "b"])
    monitor.log_truth(["a", "b"], [0.4, 0.7])
    monitor.check()
    report = team.merge(store)
    assert report.renumbered == (("delay:1", "delay:2"),)
    (path,) = [one.path for one in team._storage.list("monitors/delay/inferences")]
    assert path.startswith("monitors/delay/inferences/2/")
    assert len(team.monitor("delay:2").history()) == 1
    assert team.merge(store).objects == 0


# What is damaged, and what dies


@pytest.mark.parametrize("root", ["blobs", "packs"])
def test_what_is_damaged_is_named_and_the_rest_comes(full, team, root):
    if root == "blobs":
        path = object_path("blobs", full.run(full.runs.ids()[1]).artifact("rain.txt").digest)
    else:
        path = object_path("packs", full.dataset("pictures").files()[0].chunks[0].pack)
    full._storage.write(path, bytes(full._storage.stat(path).size))
    report = team.merge(full)
    assert not report.is_complete
    assert path in {one.path for one in report.problems}
    with pytest.raises(NotFound):
        team._storage.stat(path)
    assert len(team.runs) == 2
    if root == "packs":
        assert team.datasets.names() == ["flights"]
        assert "pictures:1" in repr(report)
    assert all(problem.path == path for problem in team.verify())


def test_a_version_that_stayed_behind_comes_when_it_is_whole_again(full, team):
    path = object_path("packs", full.dataset("pictures").files()[0].chunks[0].pack)
    data = full._storage.read(path)
    full._storage.delete(path)
    assert not team.merge(full).is_complete
    full._storage.write(path, data)
    assert team.merge(full).is_complete
    assert bodies(team) == bodies(full)


def test_a_merge_brings_back_what_is_missing_here(full, team):
    team.merge(full)
    paths = [one.path for root in ("blobs", "packs") for one in team._storage.list(root)]
    for path in paths:
        team._storage.delete(path)
    assert team.merge(full).is_complete
    assert bodies(team) == bodies(full)


def forged(kind, **fields):
    return encode_document(kind, fields)


def test_nothing_of_a_hostile_store_gets_out_of_its_place(full, team):
    run_id = full.runs.ids()[0]
    head = decode_document(full._storage.read(f"runs/{run_id}/run.json"), "run", "")
    other_id = mlkit.new_run_id()
    evil = {
        f"runs/{run_id}/evil.sh": b"#!/bin/sh",
        f"runs/{run_id}/.hidden": b"x",
        "runs/not-an-id/run.json": b"{}",
        f"runs/{other_id}/run.json": encode_document("run", head),  # another run's
        "blobs/aa/evil": b"x",
        "datasets/..evil/1.json": b"{}",
        "datasets/evil/1.json": forged(
            "dataset_version", number=1, writer="x", digest="sha256:../../etc", manifest=[]
        ),
        "models/evil/1.json": b"no document",
        "models/evil/aliases/prod/1.json": b"no document",
        "monitors/evil/strange.txt": b"x",
        "experiments/evil.json": b"{}",
        f"experiments/{mlkit.new_run_id()}.json": b"no document",
    }
    for path, data in evil.items():
        full._storage.write(path, data)
    report = team.merge(full)
    held = set(bodies(team, "")) - {"mlkit.json"}
    assert held.isdisjoint(evil)
    assert len(team.runs) == 2
    named = " ".join(one.path for one in report.problems)
    for word in ("evil.sh", ".hidden", other_id, "aa/evil", "datasets/evil", "models/evil"):
        assert word in named
    assert list(team.verify()) == []


def test_a_store_without_lists_of_chunks_has_those_of_all_versions_after_a_merge(
    store, team, tmp_path
):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "body").write_bytes(os.urandom(300_000))
    team.log_dataset("mine", folder)
    for entry in list(team._storage.list("chunks")):
        team._storage.delete(entry.path)
    store.log_dataset("theirs", {"x": [1]})
    team = mlkit.Store(team.url)
    team.merge(store)
    held = bodies(team, "packs")
    moved = folder.rename(tmp_path / "moved")  # or its file would be known and not be read
    (moved / "new").write_bytes(b"new")
    mlkit.Store(team.url).log_dataset("more", moved)
    new = [data for path, data in bodies(team, "packs").items() if path not in held]
    assert sum(map(len, new)) < 1000


@pytest.fixture
def lying(store, tmp_path):
    """A store whose versions say that they are another content, and the digests they took."""
    folder = tmp_path / "files"
    folder.mkdir()
    honest = mlkit.Store("memory://honest-" + tmp_path.name)
    digests = {}
    for where, said in ((honest, b"good"), (store, b"evil")):
        (folder / "a.txt").write_bytes(said)
        where.log_dataset("folder", folder)
        where.log_dataset("file", folder / "a.txt")
        where.datasets.reference("there", str(folder))
        where.log_dataset("table", {"x": [said.decode()]})
    for name in ("folder", "file", "there", "table"):
        digests[name] = honest.dataset(name).digest
        path = f"datasets/{name}/1.json"
        fields = decode_document(store._storage.read(path), "dataset_version", path)
        rest = {key: fields[key] for key in fields if key not in {"format", "kind", "sha256"}}
        forged = encode_document("dataset_version", {**rest, "digest": digests[name]})
        store._storage.write(path, forged)
    return digests


def test_a_version_of_files_that_says_it_is_another_content_stays_behind(lying, store, team):
    report = team.merge(store)
    assert team.datasets.names() == ["table"]
    told = {one.path: one.what for one in report.problems}
    for name in ("folder", "file", "there"):
        assert lying[name] in told[f"datasets/{name}/1.json"]


def test_verify_names_versions_that_say_they_are_another_content(lying, store):
    told = {one.hurts: one.what for one in store.verify()}
    assert set(told) == {(f"{name}:1",) for name in lying}
    for name, digest in lying.items():
        assert f"says that its digest is {digest}" in told[f"{name}:1",]


def test_a_document_that_is_here_is_never_replaced(full, team):
    team.merge(full)
    run_id = full.runs.ids()[0]
    path = f"runs/{run_id}/run.json"
    mine = team._storage.read(path)
    head = decode_document(mine, "run", path)
    full._storage.write(path, encode_document("run", {**head, "experiment": "stolen"}))
    report = team.merge(full)
    assert team._storage.read(path) == mine
    assert "isn't the one that is there" in repr(report)


def test_a_merge_that_is_killed_anywhere_leaves_a_whole_store_and_the_next_one_completes(
    store, tmp_path
):
    with store.start_run("flights") as run:
        run.log_text("report", "report.txt")
        run.log_dataset("flights", {"a": [1]})
        run.log_model({"mean": 1}, "delay")
    store.models.save("delay", {"mean": 2})
    store.models["delay"].promote(1, "prod")
    store.models["delay"].promote(2, "prod")
    store.run(run.id).note("good")
    team = mlkit.Store(tmp_path / "whole")
    watched = FaultyStorage(team._storage)
    into(team, store, watched)
    wanted = bodies(store)
    changing = [
        n for n, (verb, _) in enumerate(watched.operations, 1) if verb in {"write", "create"}
    ]
    assert len(changing) >= 12
    for step in changing:
        for how in ("kill before", "kill after"):
            team = mlkit.Store(tmp_path / f"{step}-{how}")
            with pytest.raises(Kill):
                into(team, store, FaultyStorage(team._storage, Fault(step, how)))
            told = [one for one in team.verify() if not one.what.startswith("it is missing")]
            assert told == []
            if "delay" in team.models:
                assert set(team.models["delay"].aliases().values()) <= {2}
            for one in team.runs:
                assert one.artifact("report.txt").text() == "report"
            assert team.merge(store).is_complete
            assert bodies(team) == wanted
            assert list(team.verify()) == []


def test_a_store_that_can_not_refuse_a_second_writer_gets_no_versions(full, tmp_path, team):
    weak = LimitedStorage(team._storage, Capabilities(exclusive_create=False, append=True))
    with pytest.raises(SingleWriterOnly):
        into(team, full, weak)
    merge(full._parts, evolve(team._parts, storage=weak, single_writer=True))
    assert team.datasets.names() == ["flights", "pictures"]


def test_what_is_there_but_old_is_written_again_for_what_comes(store, team, age):
    team._blobs.put(b"report")
    age(6, store="team")
    with store.start_run("flights") as run:
        run.log_text("report", "report.txt")
    watched = FaultyStorage(team._storage)
    into(team, store, watched)
    assert [one for one in written(watched) if one.startswith("blobs/")]
    assert team.gc().objects == 0


@pytest.mark.parametrize("days", [1, 6])
def test_what_is_here_alone_serves_what_comes_however_old_it_is(store, team, age, days):
    store.log_dataset("flights", {"a": [1, 2, 3]})
    team.merge(store)
    team._storage.delete("datasets/flights/1.json")
    for entry in list(store._storage.list("packs")):
        store._storage.delete(entry.path)
    age(days, store="team")
    assert team.merge(store).is_complete
    assert team.dataset("flights").to_arrow()["a"].to_pylist() == [1, 2, 3]


def test_what_became_garbage_here_in_the_moment_it_was_written_again_is_copied_again(
    store, team, age
):
    team._blobs.put(b"report")
    age(6, store="team")
    with store.start_run("flights") as run:
        run.log_text("report", "report.txt")
    path = object_path("blobs", store.run(run.id).artifact("report.txt").digest)

    class Snatching(WrappedStorage):
        def create(self, name, data, *, durable=True):
            super().create(name, data, durable=durable)
            self._inner.delete(path)

    into(team, store, Snatching(team._storage))
    assert team.run(run.id).artifact("report.txt").text() == "report"


def test_a_run_whose_live_records_are_damaged_stays_behind(store, team):
    run = store.start_run("flights")
    run.log_params(depth=6)
    run.log_text("report", "report.txt")
    (path,) = [one.path for one in store._storage.list("runs") if one.path.endswith(".seg")]
    data = bytearray(store._storage.read(path))
    data[len(data) // 2] ^= 1
    store._storage.write(path, bytes(data))
    report = team.merge(store)
    assert [one.hurts for one in report.problems] == [(f"run {run.id}",)]
    assert team.runs.ids() == []
    run.finish()


def test_a_document_that_was_moved_stays_behind(store, team):
    with store.start_run("flights") as one, store.start_run("flights") as other:
        pass
    store._storage.write(
        f"runs/{one.id}/end.json", store._storage.read(f"runs/{other.id}/end.json")
    )
    store.log_dataset("flights", {"a": [1]})
    store._storage.write("datasets/flights/2.json", store._storage.read("datasets/flights/1.json"))
    report = team.merge(store)
    assert sum("moved or copied" in problem.what for problem in report.problems) == 2
    assert team.runs.ids() == [other.id]
    assert team.datasets["flights"].numbers() == [1]


@pytest.mark.parametrize(
    "strange",
    [
        {"summary": {"auc": 10**400}},
        {"tags": {"owner": 5}},
        {"inputs": [5]},
        {"ended_at": "yesterday"},
        {"params": {"\ud800": 5}, "notes": [5], "goals": {"auc": 5}, "status": "<b>"},
    ],
)
def test_a_strange_run_of_a_hostile_store_keeps_no_other_from_being_found(store, team, strange):
    with team.start_run("flights") as own:
        own.log_metric("auc", 0.5)
    with store.start_run("flights") as run:
        run.log_metric("auc", 0.7)
    path = f"runs/{run.id}/end.json"
    told = decode_document(store._storage.read(path), "run_end", path)
    kept = {name: told[name] for name in told if name not in {"format", "kind", "sha256"}}
    store._storage.write(path, encode_document("run_end", kept | strange))
    team.merge(store)
    for _ in range(2):
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            assert own.id in team.search_runs().ids
            assert repr(team.search_runs())
            assert team.search_runs().to_arrow().num_rows >= 1
            team.compact()


def test_what_a_monitor_saw_of_a_version_that_stays_behind_stays_too(store, team):
    for number in range(2):
        store.models.save("delay", {"mean": number})
    store.monitor("delay:2").log({"distance": [1.0]}, [0.5], ids=["a"])
    store._storage.write("models/delay/2.json", b"damaged")
    report = team.merge(store)
    assert "which wasn't copied" in repr(report)
    assert team._storage.children("monitors/delay") == []


def test_an_alias_that_differs_by_case_only_stays_behind(full, team):
    team.merge(full)
    full.models["delay"].promote(1, "canary")
    team.models["delay"].promote(1, "Canary")
    report = team.merge(full)
    assert "delay@canary" in repr(report)
    assert team.models["delay"].aliases() == {"Canary": 1, "prod": 1}


def test_a_name_that_another_writer_takes_meanwhile_is_named(store, team):
    with store.start_run("flights") as run:
        pass

    class Quicker(WrappedStorage):
        def create(self, path, data, *, durable=True):
            if path.endswith("end.json"):
                self._inner.write(path, b"another's")
            super().create(path, data, durable=durable)

    report = into(team, store, Quicker(team._storage))
    assert [one.what for one in report.problems] == ["another one has its name in the target"]
    assert report.problems[0].hurts == (f"run {run.id}",)


def test_a_storage_that_fails_stops_the_merge_and_the_next_one_goes_on(full, team):
    watched = FaultyStorage(team._storage)
    into(team, full, watched)
    fresh = mlkit.Store(team.url + "-fresh")
    failing = FaultyStorage(fresh._storage, Fault(len(watched.operations) // 2, "down"))
    with pytest.raises(StorageFault):
        into(fresh, full, failing)
    assert fresh.merge(full).is_complete
    assert bodies(fresh) == bodies(full)


# What it says


def test_a_report_shows_itself_as_text_and_html():
    report = MergeReport(
        source="a",
        target="b",
        parts=(Copied("runs", 2, 1500, 3), Copied("blobs")),
        renumbered=(("flights:1", "flights:2"),),
        problems=(Problem("blobs/aa/<b>", "it is missing", ("flights:3",)),),
    )
    assert repr(report).splitlines() == [
        "what  copied  size    there already",
        "----  ------  ------  -------------",
        "runs       2  1.5 kB              3",
        "1.5 kB were copied from a to b.",
        "flights:1 is flights:2 here.",
        "Not copied: blobs/aa/<b>: it is missing. It hurts flights:3.",
    ]
    assert "&lt;b&gt;" in report._repr_html_()
    many = evolve(report, problems=report.problems * 30)
    assert "… and 10 more." in repr(many)
    assert "Nothing was copied from a to b." in repr(evolve(report, parts=()))


def test_a_large_file_is_copied_in_pieces(store, team, monkeypatch):
    monkeypatch.setattr("mlkit.store.copying._PIECE", 1000)
    body = os.urandom(10_500)
    digest = store._blobs.put(body)
    longest = []

    class Watched(WrappedStorage):
        def read(self, path, start=0, end=None):
            data = super().read(path, start, end)
            longest.append(len(data))
            return data

    merge(evolve(store._parts, storage=Watched(store._storage)), team._parts)
    assert team._blobs.read(digest) == body
    assert max(longest) <= 1000
