"""Runs name the versions that they used, whatever numbers those have where the runs were copied."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from attrs import evolve

import mlkit
from mlkit._core.clock import now_ns
from mlkit._core.codec import encode_document
from mlkit._core.ids import uuid7
from mlkit.index.folded import FoldedTables
from mlkit.store.merge import merge
from mlkit.testing import Fault, FaultyStorage
from mlkit.testing.faults import Kill
from mlkit.tracking.renumbering import DamagedRenumberingWarning, Renumbering

METHODS = pytest.mark.parametrize("copy", ["merge", "export"])


def trained(store, value, **params):
    """Give a run that read data and made a model of its own."""
    store.log_dataset("w", {"a": [value]})
    with store.start_run("flights") as run:
        version = run.use_dataset(f"w#{store.dataset('w').digest.removeprefix('sha256:')}")
        run.log_params(value=value, **params)
        run.log_metric("auc", value / 100)
        run.log_model({"value": value, "data": version.digest}, "m")
    return run.id


def brought(source, target, copy):
    """Copy all runs of a store by one of the two ways."""
    if copy == "merge":
        return target.merge(source)
    return source.export(source.runs.ids(), target.url)


def documents(store):
    return [entry.path for entry in store._storage.list("renumbered")]


def told(store, value, also=()):
    """Assert that a run names what it used, however it is asked; others may have read it too."""
    (found,) = [run.id for run in store.runs if run.params.get("value") == value]
    run = store.run(found)
    (link,) = run.inputs
    data = store.dataset(link["ref"])
    assert data.digest == link["digest"]
    assert data.to_arrow().column("a").to_pylist() == [value]
    (model,) = run.models
    assert store.load_model(model, trusted=True).model == {"value": value, "data": data.digest}
    for wanted in (
        f"input = '{data.ref}'",
        f"dataset = '{data.ref}'",
        f"dataset = 'w#{data.digest.removeprefix('sha256:')}'",
    ):
        assert set(store.search_runs(wanted).ids) == {found, *also}, wanted
    for wanted in (
        f"model = '{model}'",
        f"output = '{model}'",
    ):
        assert store.search_runs(wanted).ids == [found], wanted
    (listed,) = [one for one in store.runs if one.id == found]
    assert (listed.inputs, listed.outputs) == (run.inputs, run.outputs)
    graph = store.lineage(found)
    assert [(one.ref, one.problem) for one in graph.nodes if one.kind == "dataset"] == [
        (data.ref, "")
    ]
    return data.ref, model


@pytest.fixture
def stores(tmp_path):
    """Two stores, each with a run whose versions have the same numbers."""
    ours, theirs = mlkit.Store(tmp_path / "ours"), mlkit.Store(tmp_path / "theirs")
    trained(ours, 1)
    trained(theirs, 2)
    return ours, theirs


@METHODS
def test_a_run_names_what_it_used_where_its_versions_got_other_numbers(stores, copy):
    ours, theirs = stores
    report = brought(theirs, ours, copy)
    assert set(report.renumbered) == {("w:1", "w:2"), ("m:1", "m:2")}
    assert told(ours, 2) == ("w:2", "m:2")
    assert told(ours, 1) == ("w:1", "m:1")
    assert told(theirs, 2) == ("w:1", "m:1")
    board = ours.search_runs().leaderboard("auc", mode="max").to_arrow()
    assert board.column("read").to_pylist() == ["w:2", "w:1"]
    for entry in theirs._storage.list("runs"):
        assert ours._storage.read(entry.path) == theirs._storage.read(entry.path)
    assert list(ours.verify()) == []


@METHODS
def test_the_tables_name_it_too_folded_compacted_and_made_anew(stores, copy):
    ours, theirs = stores
    brought(theirs, ours, copy)
    for fold in (ours.compact, ours.reindex):
        fold()
        assert told(ours, 2) == ("w:2", "m:2")
        assert told(ours, 1) == ("w:1", "m:1")
        again = mlkit.Store(ours.url)
        assert told(again, 2) == ("w:2", "m:2")
        table = FoldedTables.of(again._storage, now_ns).runs
        (file,) = table.refresh().files.values()
        rows = table.file(file).read(["run_id", "inputs"]).sort_by("run_id").to_pylist()
        assert [row["inputs"][0]["ref"] for row in rows] == ["w:1", "w:2"]


def test_the_source_was_folded_and_searched_before(stores):
    ours, theirs = stores
    for one in stores:
        one.compact()
        assert len(one.search_runs("input = 'w:1'")) == 1
    ours.merge(theirs)
    assert told(ours, 2) == ("w:2", "m:2")
    assert told(ours, 1) == ("w:1", "m:1")


@METHODS
def test_an_export_of_some_runs_renumbers_what_was_further_up(tmp_path, copy):
    store, out = mlkit.Store(tmp_path / "store"), mlkit.Store(tmp_path / "out")
    ids = [trained(store, value) for value in (1, 2, 3)]
    store.export(ids[2], out.url)
    assert told(out, 3) == ("w:1", "m:1")
    brought(store, out, copy)
    assert [told(out, value) for value in (3, 1, 2)] == [
        ("w:1", "m:1"),
        ("w:2", "m:2"),
        ("w:3", "m:3"),
    ]


@METHODS
def test_numbers_are_followed_through_any_number_of_stores(stores, tmp_path, copy):
    ours, theirs = stores
    last = mlkit.Store(tmp_path / "last")
    for value in (7, 8, 9):
        trained(last, value)
    brought(theirs, ours, copy)
    with ours.start_run("flights") as own:  # which names it as it is called there
        own.use_dataset("w:2")
    brought(ours, last, copy)
    for _ in range(2):
        assert told(last, 1) == ("w:4", "m:4")
        assert told(last, 2, also=[own.id]) == ("w:5", "m:5")
        assert [link["ref"] for link in last.run(own.id).inputs] == ["w:5"]
        last.reindex()


def test_both_ways_each_store_names_the_versions_by_its_own_numbers(stores):
    ours, theirs = stores
    ours.merge(theirs)
    theirs.merge(ours)
    assert (told(ours, 1), told(ours, 2)) == (("w:1", "m:1"), ("w:2", "m:2"))
    assert (told(theirs, 1), told(theirs, 2)) == (("w:2", "m:2"), ("w:1", "m:1"))
    ours.merge(theirs)  # where runs may name by now as w:2 what is w:1 here
    for one, other in ((ours, theirs), (theirs, ours)):
        before = documents(one)
        assert one.merge(other).objects == 0
        assert documents(one) == before


@METHODS
def test_doing_it_again_writes_no_second_document(stores, copy):
    ours, theirs = stores
    brought(theirs, ours, copy)
    first = documents(ours)
    assert len(first) == 1
    brought(theirs, ours, copy)
    assert documents(ours) == first
    trained(theirs, 3)
    brought(theirs, ours, copy)
    assert len(documents(ours)) == 2
    assert told(ours, 3) == ("w:3", "m:3")


@METHODS
def test_where_every_version_keeps_its_number_nothing_is_written(tmp_path, stores, copy):
    new = mlkit.Store(tmp_path / "new")
    brought(stores[1], new, copy)
    assert documents(new) == []
    assert told(new, 2) == ("w:1", "m:1")


@METHODS
def test_what_a_store_says_of_its_numbers_stays_there(stores, tmp_path, copy):
    ours, theirs = stores
    ours.merge(theirs)
    new = mlkit.Store(tmp_path / "new")
    brought(ours, new, copy)  # w:2 keeps its number, which the run doesn't call it
    assert not set(documents(new)) & set(documents(ours))
    assert (told(new, 1), told(new, 2)) == (("w:1", "m:1"), ("w:2", "m:2"))


def test_a_merge_that_is_killed_anywhere_shows_no_run_that_names_another_version(tmp_path):
    theirs = mlkit.Store(tmp_path / "theirs")
    trained(theirs, 2)

    def target(name):
        store = mlkit.Store(tmp_path / name)
        trained(store, 1)
        return store

    watched = FaultyStorage(target("whole")._storage)
    merge(theirs._parts, evolve(mlkit.Store(tmp_path / "whole")._parts, storage=watched))
    changing = [
        n for n, (verb, _) in enumerate(watched.operations, 1) if verb in {"write", "create"}
    ]
    paths = [path for verb, path in watched.operations if verb in {"write", "create"}]
    (document,) = [n for n, path in enumerate(paths) if path.startswith("renumbered/")]
    assert all(path.startswith("runs/") for path in paths[document + 1 :])
    assert not any(path.startswith("runs/") for path in paths[:document])
    for step in changing:
        for how in ("kill before", "kill after"):
            ours = target(f"{step}-{how}")
            faulty = FaultyStorage(ours._storage, Fault(step, how))
            with pytest.raises(Kill):
                merge(theirs._parts, evolve(ours._parts, storage=faulty))
            if len(ours.search_runs()) > 1:
                assert told(ours, 2) == ("w:2", "m:2")
            assert ours.merge(theirs).is_complete
            assert len(documents(ours)) == 1
            assert told(ours, 2) == ("w:2", "m:2")
            assert told(ours, 1) == ("w:1", "m:1")


def test_several_that_merge_at_once_while_runs_are_folded_name_all_by_their_own_numbers(tmp_path):
    ours = mlkit.Store(tmp_path / "ours")
    trained(ours, 0)
    others = [mlkit.Store(tmp_path / f"other-{value}") for value in range(1, 5)]
    for value, other in enumerate(others, 1):
        trained(other, value)

    def fold():
        for _ in range(8):
            mlkit.Store(ours.url).compact()

    works = [lambda one=one: mlkit.Store(ours.url).merge(one) for one in (*others, *others)]
    with ThreadPoolExecutor(9) as pool:
        for done in [pool.submit(work) for work in (fold, *works)]:
            done.result()
    for _ in range(2):
        named = [told(ours, value) for value in range(5)]
        assert named[0] == ("w:1", "m:1")
        assert {data for data, _ in named} == {f"w:{number}" for number in range(1, 6)}
        ours.compact()


def test_a_run_that_is_there_and_gets_more_names_it_right_folded_or_not(stores):
    ours, theirs = stores
    run = theirs.start_run("late")
    run.log_metric("auc", 0.5)
    ours.merge(theirs)
    ours.compact()
    theirs.log_dataset("w", {"a": [3]})
    run.use_dataset("w:2")
    run.finish()
    ours.log_dataset("w", {"a": [4]})
    ours.merge(theirs)
    for _ in range(2):
        assert ours.search_runs("input = 'w:4'").ids == [run.id]
        assert ours.search_runs("input = 'w:2'").ids == [theirs.runs.ids()[0]]
        ours.compact()


def test_runs_that_were_folded_before_their_version_could_come_are_folded_anew(stores):
    ours, theirs = stores
    ours.merge(theirs)
    for path in documents(ours):  # as a store that an earlier mlkit merged
        ours._storage.delete(path)
    ours = mlkit.Store(ours.url)
    ours.compact()
    assert len(ours.search_runs("input = 'w:1'")) == 2
    ours.merge(theirs)
    assert told(ours, 2) == ("w:2", "m:2")
    assert told(ours, 1) == ("w:1", "m:1")
    ours.compact()
    assert told(mlkit.Store(ours.url), 2) == ("w:2", "m:2")


def test_an_export_finds_by_its_content_what_nothing_says_the_number_of(stores, tmp_path):
    ours, theirs = stores
    ours.merge(theirs)
    for path in documents(ours):  # as a store that an earlier mlkit merged
        ours._storage.delete(path)
    out = mlkit.Store(tmp_path / "out")
    trained(out, 9)
    mlkit.Store(ours.url).export(theirs.runs.ids(), out.url)
    assert (told(out, 9), told(out, 2)) == (("w:1", "m:1"), ("w:2", "m:2"))


def test_one_object_of_a_store_sees_what_another_one_merged(stores):
    ours, theirs = stores
    looking = mlkit.Store(ours.url)
    assert len(looking.search_runs("input = 'w:1'")) == 1
    for path in theirs._storage.list("runs"):  # the folders alone came first
        ours._storage.write(path.path, theirs._storage.read(path.path))
    assert len(looking.search_runs("input = 'w:1'")) == 2
    ours.merge(theirs)
    assert told(looking, 2) == ("w:2", "m:2")


def test_a_resumed_run_goes_on_with_the_versions_that_it_read(stores):
    ours, theirs = stores
    run = theirs.start_run("late")
    run.use_dataset("w:1")
    run.finish()
    ours.merge(theirs)
    with ours.start_run("late", run_id=run.id, resume="must") as again:
        model = again.log_model({"late": 1}, "late")
        again.use_dataset("w:2")
    assert [link["ref"] for link in model.datasets] == ["w:2"]
    assert [link["ref"] for link in ours.run(run.id).inputs] == ["w:2"]
    theirs.merge(ours)
    assert [link["ref"] for link in theirs.run(run.id).inputs] == ["w:1"]
    assert theirs.search_runs("input = 'w:1'").ids.count(run.id) == 1


def test_a_model_is_watched_against_the_data_that_it_was_trained_on(stores):
    ours, theirs = stores
    ours.merge(theirs)
    assert ours.monitor("m:2")._reference().digest == theirs.dataset("w:1").digest


def test_models_of_equal_content_stay_what_they_are(tmp_path):
    ours, theirs = mlkit.Store(tmp_path / "ours"), mlkit.Store(tmp_path / "theirs")
    for store in (ours, theirs):
        with store.start_run("flights") as run:
            run.log_model({"mean": 1}, "m")
    ours.merge(theirs)
    assert documents(ours) == []
    assert ours.models["m"].numbers() == [1, 2]
    assert ours.run(run.id).models == ("m:1",)  # which has the very bytes of m:2


def test_a_search_lists_the_documents_once_and_reads_each_once(stores):
    ours, theirs = stores
    for value in (5, 6, 7):
        trained(theirs, value)
    ours.merge(theirs)
    store = mlkit.Store(ours.url)
    watched = FaultyStorage(store._storage)
    store.runs._around.renumberings._storage = watched
    assert len(store.search_runs("input is not null")) == 5
    assert [len(run.inputs) for run in store.runs] == [1] * 5
    lists = [path for verb, path in watched.operations if verb != "read"]
    reads = [path for verb, path in watched.operations if verb == "read"]
    assert lists == ["renumbered", "renumbered"]
    assert reads == documents(store)


# Damage and hostility


def test_a_document_that_is_damaged_is_warned_of_verified_and_written_anew(stores):
    ours, theirs = stores
    ours.merge(theirs)
    (path,) = documents(ours)
    place = ours._storage.local_path(path)
    place.chmod(0o644)
    place.write_bytes(place.read_bytes().replace(b"w:2", b"w:9"))
    store = mlkit.Store(ours.url)
    with pytest.warns(DamagedRenumberingWarning, match="Merging or exporting again"):
        assert len(store.search_runs("input = 'w:1'")) == 2
    assert [problem.path for problem in store.verify()] == [path]
    store.merge(theirs)
    assert told(store, 2) == ("w:2", "m:2")
    assert len(documents(store)) == 2


@METHODS
@pytest.mark.parametrize(
    "version",
    [
        None,
        "w:1",
        {},
        {"kind": "run", "digest": "sha256:ab", "was": "w:1", "now": "w:2"},
        {"kind": "dataset", "digest": 1, "was": "w:1", "now": "w:2"},
        {"kind": "dataset", "digest": "sha256:ab", "was": "../w:1", "now": "w:2"},
        {"kind": "dataset", "digest": "sha256:ab", "was": "w:1", "now": "x:2"},
        {"kind": "dataset", "digest": "sha256:ab", "was": "w", "now": "w:2"},
        {"kind": "dataset", "digest": "sha256:ab", "was": "w:1", "now": "w@prod"},
    ],
)
def test_a_strange_document_of_the_source_keeps_nothing_from_coming(stores, copy, version):
    ours, theirs = stores
    document = encode_document("renumbering", {"versions": [version]})
    theirs._storage.write(f"renumbered/{uuid7(1)}.json", document)
    theirs._storage.write("renumbered/strange.json", b"x")
    assert len(list(theirs.verify())) == 1
    with pytest.warns(DamagedRenumberingWarning):
        told(theirs, 2)
    assert brought(theirs, ours, copy).is_complete
    assert told(theirs, 2) == ("w:1", "m:1")
    assert told(ours, 2) == ("w:2", "m:2")


@METHODS
def test_a_store_that_lies_of_its_numbers_makes_no_run_name_other_content(stores, tmp_path, copy):
    ours, theirs = stores
    third = mlkit.Store(tmp_path / "third")
    trained(third, 3)
    digest = theirs.dataset("w:1").digest
    theirs.log_dataset("w", {"a": [66]})
    lies = [
        {"kind": "dataset", "digest": digest, "was": "w:1", "now": "w:2"},
        {"kind": "dataset", "digest": ours.dataset("w:1").digest, "was": "w:1", "now": "w:2"},
        {"kind": "dataset", "digest": third.dataset("w:1").digest, "was": "w:1", "now": "w:2"},
    ]
    document = encode_document("renumbering", {"versions": lies})
    theirs._storage.write(f"renumbered/{uuid7(1)}.json", document)
    brought(theirs, ours, copy)
    brought(third, ours, copy)
    for value in (1, 2, 3):
        told(ours, value)


def test_garbage_collection_leaves_the_numbers_alone(stores):
    ours, theirs = stores
    ours.merge(theirs)
    before = documents(ours)
    ours.gc(grace="0s")
    assert documents(ours) == before
    assert told(ours, 2) == ("w:2", "m:2")


def test_a_whole_store_that_is_copied_as_files_says_the_same(stores, tmp_path):
    ours, theirs = stores
    ours.merge(theirs)
    shutil.copytree(tmp_path / "ours", tmp_path / "copy")
    assert told(mlkit.Store(tmp_path / "copy"), 2) == ("w:2", "m:2")


def test_links_that_are_no_links_stay_as_they_are():
    there = Renumbering(())
    assert there.links(["w:1", None]) == ["w:1", None]
