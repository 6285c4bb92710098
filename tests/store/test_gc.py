"""Collecting garbage: what nothing refers to goes, all else stays, whoever writes or dies."""

import io
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
from attrs import evolve

import mlkit
from mlkit.data.datasets import Datasets
from mlkit.errors import Corrupt, InvalidInput, NotFound, StorageFault
from mlkit.objects.blobs import object_path
from mlkit.storage.protocol import Entry
from mlkit.storage.wrapped import WrappedStorage
from mlkit.store.gc import collect_garbage, grace_of
from mlkit.testing import Fault, FaultyStorage
from mlkit.testing.faults import Kill

DAY = 24 * 3600 * 1_000_000_000
OLD = 30


def rooms(store, storage=None):
    return evolve(store._parts, storage=storage or store._storage)


def garbage(store, *bodies):
    """Put whole files that nothing refers to, and give their paths."""
    return [object_path("blobs", store._blobs.put(body)) for body in bodies]


def in_days(days):
    return lambda: time.time_ns() + int(days * DAY)


def sizes(report):
    return {one.kind: (one.objects, one.bytes) for one in report.freed if one.objects}


class Away(WrappedStorage):
    """A storage that isn't on this machine."""

    def local_path(self, path):
        return None


# What stays


@pytest.mark.parametrize("grace", ["7d", "0s"])
def test_what_is_referred_to_stays_however_old_it_is(full, age, paths, grace):
    age(1000)
    before = paths(full)
    report = full.gc(grace=grace)
    assert (report.objects, report.bytes, report.runs) == (0, 0, ())
    assert paths(full) == before
    assert list(full.verify()) == []


def test_what_a_live_run_kept_stays(store, age):
    with store.start_run("flights") as run:
        run.log_text("report", "report.txt")
        age(OLD)
        assert store.gc().objects == 0
        assert store.run(run.id).artifact("report.txt").text() == "report"


def test_the_sources_of_a_run_stay(store, age, tmp_path, monkeypatch):
    run = store.start_run("flights", capture=False)
    digest = store._blobs.put(b"print()")
    run._event("source", {"path": "train.py", "digest": digest, "size": 7})
    run.finish()
    assert list(store.run(run.id).sources) == ["train.py"]
    age(OLD)
    assert store.gc().objects == 0


def test_what_a_run_kept_whose_beginning_is_still_to_come_stays(store, age):
    run = store.start_run("flights")
    run.log_text("report", "report.txt")
    store._storage.delete(f"runs/{run.id}/run.json")
    age(OLD)
    assert store.gc().objects == 0
    run.finish()
    store._storage.delete(f"runs/{run.id}/run.json")
    age(OLD)
    assert store.gc().objects == 0


def test_what_is_young_stays(store, age):
    garbage(store, b"old", b"older")
    age(6.9)
    report = store.gc()
    assert (report.objects, report.young, report.unknown) == (0, 2, 0)
    assert "2 objects that nothing refers to are younger than 7 d 0 h, and stay" in repr(report)


def test_what_has_no_known_age_counts_as_young_and_is_said(store, age):
    class Silent(WrappedStorage):
        def list(self, prefix=""):
            return (evolve(entry, modified=None) for entry in self._inner.list(prefix))

    (path,) = garbage(store, b"old")
    age(OLD)
    report = collect_garbage(rooms(store, Silent(store._storage)))
    assert (report.objects, report.young, report.unknown) == (0, 1, 1)
    assert "doesn't say how old" in repr(report)
    assert store._storage.stat(path)


def test_what_is_no_content_is_left_alone(store, age):
    for path in ("blobs/readme.txt", "blobs/aa/short", "packs/00/" + "1" * 64, "other/file"):
        store._storage.write(path, b"x")
    age(OLD)
    assert store.gc().objects == 0


# What goes


def test_old_contents_that_nothing_refers_to_are_removed(full, age, paths):
    before = paths(full)
    garbage(full, b"a" * 10, b"b" * 100)
    full._storage.write(object_path("packs", "sha256:" + "0" * 64), b"c" * 1000)
    age(OLD)
    report = full.gc()
    assert sizes(report) == {"blobs": (2, 110), "packs": (1, 1000)}
    assert (report.objects, report.bytes, report.dry_run) == (3, 1110, False)
    assert paths(full) == before
    assert full.gc().objects == 0


def test_a_dry_run_says_the_same_and_removes_nothing(full, age, paths):
    garbage(full, b"a" * 10, b"b" * 100)
    full.run(full.runs.ids()[0]).delete()
    age(OLD)
    before = paths(full)
    told = collect_garbage(rooms(full), dry_run=True, clock=in_days(OLD))
    assert paths(full) == before
    assert told.dry_run
    done = collect_garbage(rooms(full), clock=in_days(OLD))
    assert (done.freed, done.runs) == (told.freed, told.runs)
    assert "would be freed" in repr(told)
    assert "were freed" in repr(done)


def test_what_killed_writers_left_half_written_is_removed(store, age, tmp_path):
    folder = tmp_path / "store" / ".tmp"
    folder.mkdir(exist_ok=True)
    (folder / "1-old").write_bytes(b"x" * 50)
    age(OLD)
    (folder / "2-young").write_bytes(b"y")
    (folder / "link").symlink_to(tmp_path)
    assert sizes(store.gc()) == {"temporary files": (1, 50)}
    assert sorted(place.name for place in folder.iterdir()) == ["2-young", "link"]


def test_files_of_tables_are_removed_when_they_are_named_and_old(store, age):
    for name in ("a", "b", "kept"):
        store._storage.write(f"tables/runs/{name}.parquet", b"xx")
    age(OLD)
    store._storage.write("tables/runs/b.parquet", b"young")
    asked = []

    def stale(before):
        asked.append(before)
        found = [store._storage.stat(f"tables/runs/{name}.parquet") for name in ("a", "b")]
        return [*found, Entry("runs/not-a-table", 1, 0)]

    report = collect_garbage(rooms(store), stale_table_files=stale)
    assert sizes(report) == {"table files": (1, 2)}
    assert store._storage.children("tables/runs") == ["b.parquet", "kept.parquet"]
    assert time.time_ns() - asked[0] >= 7 * DAY


def test_much_is_removed_by_several_threads_where_the_store_is_remote(store, age):
    paths = garbage(store, *(str(number).encode() for number in range(200)))
    age(OLD)
    threads = set()

    class Watched(Away):
        def delete(self, path):
            threads.add(threading.get_ident())
            super().delete(path)

    assert collect_garbage(rooms(store, Watched(store._storage))).objects == len(paths)
    assert threading.get_ident() not in threads
    assert len(threads) <= 16
    assert list(store._storage.list("blobs")) == []


# Deleted runs


@pytest.fixture
def deleted(store):
    """A run that was deleted, of whose two artifacts another run has one too."""
    with store.start_run("flights") as run:
        run.log_text("only mine", "mine.txt")
        run.log_text("shared", "shared.txt")
        run.log_metric("auc", 0.5)
    with store.start_run("flights") as other:
        other.log_text("shared", "shared.txt")
    store.run(run.id).delete()
    return store.run(run.id)


def test_a_run_stays_until_it_was_deleted_longer_than_the_grace_ago(store, deleted, age):
    age(OLD)
    assert collect_garbage(rooms(store), clock=in_days(6.9)).objects == 0
    assert store.run(deleted.id).artifact("mine.txt").text() == "only mine"


def test_a_run_that_was_deleted_by_a_clock_far_behind_stays_as_long_as_others(store, age):
    with store.start_run("flights") as active:
        active.log_text("only mine", "mine.txt")
    run = store.run(active.id)
    run._clock = lambda: 0
    run.delete()
    age(OLD, below="blobs")
    assert collect_garbage(rooms(store)).objects == 0
    run.restore()
    assert store.run(active.id).artifact("mine.txt").text() == "only mine"
    run.delete()
    assert collect_garbage(rooms(store), clock=in_days(8)).runs == (active.id,)


def test_a_run_goes_with_what_it_alone_kept(store, deleted, age):
    age(OLD)
    report = collect_garbage(rooms(store), clock=in_days(8))
    assert report.runs == (deleted.id,)
    assert report.freed[0].kind == "deleted runs"
    assert sizes(report)["blobs"] == (1, len("only mine"))
    assert store._storage.children(f"runs/{deleted.id}") == []
    with pytest.raises(NotFound):
        store.run(deleted.id)
    assert list(store.verify()) == []


def test_a_run_that_is_restored_stays_with_all_it_kept(store, deleted, age):
    deleted.restore()
    age(OLD)
    assert collect_garbage(rooms(store), clock=in_days(100)).objects == 0


def test_a_run_that_is_restored_while_garbage_is_collected_stays_with_all_it_kept(
    store, deleted, age, hooked
):
    age(OLD)

    class Restoring(WrappedStorage):
        def list(self, prefix=""):
            if prefix == f"runs/{deleted.id}":
                store.run(deleted.id).restore()
            return self._inner.list(prefix)

    report = collect_garbage(rooms(store, Restoring(store._storage)), clock=in_days(8))
    assert (report.runs, report.objects) == ((), 0)
    assert store.run(deleted.id).artifact("mine.txt").text() == "only mine"


def test_a_run_that_is_removed_can_not_be_changed_and_stays_gone(store, deleted):
    collect_garbage(rooms(store), clock=in_days(8))
    for change in (deleted.restore, lambda: deleted.note("too late")):
        with pytest.raises(NotFound, match="removed"):
            change()
    assert store._storage.children(f"runs/{deleted.id}") == []
    assert list(store.verify()) == []


def test_an_edit_that_comes_while_its_run_is_removed_leaves_nothing(store, deleted, hooked):
    def edit(moment, verb, path):
        if (moment, verb) == ("before", "delete") and path == f"runs/{deleted.id}/run.json":
            store.run(deleted.id).note("a moment too late")

    collect_garbage(rooms(store, hooked(store._storage, edit)), clock=in_days(8))
    assert store._storage.children(f"runs/{deleted.id}") == []
    assert list(store.verify()) == []


def test_an_edit_whose_run_is_removed_meanwhile_is_taken_back(store, deleted, hooked):
    def collect(moment, verb, path):
        if (moment, verb) == ("before", "write") and path.startswith(f"runs/{deleted.id}/edit-"):
            collect_garbage(rooms(store), clock=in_days(8))

    run = store.run(deleted.id)
    run._storage = hooked(store._storage, collect)
    with pytest.raises(NotFound, match="removed"):
        run.note("too late")
    assert store._storage.children(f"runs/{deleted.id}") == []


def test_a_deleted_run_that_goes_on_stays(store, age):
    run = store.start_run("flights")
    store.run(run.id).delete()
    assert collect_garbage(rooms(store), clock=in_days(8)).runs == ()
    run.finish()
    assert collect_garbage(rooms(store), clock=in_days(8)).runs == (run.id,)


def test_an_index_is_told_of_a_run_that_is_removed(store, deleted):
    from mlkit.tracking.changes import Changes

    changes = Changes(store._storage)
    for marks in changes.pending().values():
        changes.forget(marks)
    collect_garbage(rooms(store), clock=in_days(8))
    assert len(changes.pending()[deleted.id]) == 2


def test_searching_does_not_find_a_run_that_is_removed(store, deleted):
    store.compact()
    assert [run.id for run in store.search_runs(deleted=True)] == [deleted.id]
    collect_garbage(rooms(store), clock=in_days(8))
    for _ in range(2):
        assert len(store.search_runs(deleted=True)) == 0
        assert len(store.search_runs()) == 1
        store.compact()


def test_two_collections_at_once_do_not_get_in_each_others_way(store, deleted, age):
    garbage(store, *(str(number).encode() for number in range(50)))
    age(OLD)
    start = threading.Barrier(4)

    def work(_):
        start.wait()
        return collect_garbage(rooms(store), clock=in_days(8))

    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(work, range(4)))
    assert deleted.id in {run_id for report in reports for run_id in report.runs}
    assert store.runs.ids() != []
    assert store._storage.children(f"runs/{deleted.id}") == []
    assert len(list(store._storage.list("blobs"))) == 1
    assert list(store.verify()) == []


def test_a_collection_that_is_killed_anywhere_leaves_a_whole_store_and_the_next_one_finishes(
    tmp_path,
):
    def made(name):
        store = mlkit.Store(tmp_path / name)
        with store.start_run("flights") as run:
            run.log_text("only mine", "mine.txt")
            run.log_metric("auc", 0.5)
        for number in range(2):
            store.run(run.id).set_tags(number=str(number))
        store.run(run.id).delete()
        store.run(run.id).note("it was no good")
        store.log_dataset("flights", {"a": [1, 2]})
        garbage(store, b"a", b"b")
        return store, run.id

    store, run_id = made("whole")
    watched = FaultyStorage(store._storage)
    collect_garbage(rooms(store, watched), clock=in_days(8))
    steps = [n for n, (verb, _) in enumerate(watched.operations, 1) if verb in {"delete", "write"}]
    assert len(steps) >= 10
    for step in steps:
        for how in ("kill before", "kill after"):
            store, run_id = made(f"{step}-{how}")
            dying = FaultyStorage(store._storage, Fault(step, how))
            with pytest.raises(Kill):
                collect_garbage(rooms(store, dying), clock=in_days(8))
            assert list(store.verify()) == []
            assert [run.deleted_at is None for run in store.runs] in ([], [False])
            assert store.dataset("flights").to_arrow().num_rows == 2
            collect_garbage(rooms(store), clock=in_days(8))
            assert [run.id for run in store.runs] == []
            assert store._storage.children(f"runs/{run_id}") == []
            assert len(list(store._storage.list("blobs"))) == 1
            assert list(store.verify()) == []


# What can't be read


@pytest.mark.parametrize("part", [".seg", "end.json", "edit-"])
def test_a_damaged_run_keeps_anything_from_being_removed_until_it_is_deleted(store, age, part):
    garbage(store, b"perhaps its own")
    run = store.start_run("flights")
    run.log_text("report", "report.txt")
    if part != ".seg":  # of a run that has ended no segment is needed
        run.finish()
    store.run(run.id).note("edited")
    found = [one.path for one in store._storage.list(f"runs/{run.id}") if part in one.path]
    data = bytearray(store._storage.read(found[0]))
    data[len(data) // 2] ^= 1
    store._storage.write(found[0], bytes(data))
    age(OLD)
    with pytest.raises(Corrupt, match=f"{run.id}.*Nothing was removed"):
        store.gc()
    with pytest.raises(Corrupt, match=run.id):
        store.gc(dry_run=True)
    assert len(list(store._storage.list("blobs"))) == 2
    store.run(run.id).delete()
    assert store.gc().freed[1].objects >= 1
    run.finish()


def test_a_run_whose_segment_alone_is_damaged_is_known_from_its_end(store, age):
    garbage(store, b"a")
    with store.start_run("flights") as run:
        run.log_text("report", "report.txt")
    (segment,) = [one.path for one in store._storage.list("runs") if one.path.endswith(".seg")]
    data = bytearray(store._storage.read(segment))
    data[len(data) // 2] ^= 1
    store._storage.write(segment, bytes(data))
    age(OLD)
    assert sizes(store.gc()) == {"blobs": (1, 1)}
    assert store.run(run.id).artifact("report.txt").text() == "report"


@pytest.mark.parametrize("what", ["document", "manifest"])
def test_a_damaged_version_keeps_anything_from_being_removed(full, age, what):
    garbage(full, b"perhaps its own")
    version = full.dataset("pictures")
    place = "datasets/pictures/1.json"
    if what == "manifest":
        place = object_path("blobs", version.manifest[0])
    full._storage.write(place, b"damaged")
    age(OLD)
    with pytest.raises(Corrupt, match="pictures:1"):
        full.gc()
    with pytest.raises(Corrupt, match="pictures:1"):
        full.gc(dry_run=True)


def test_a_damaged_model_keeps_anything_from_being_removed(full, age):
    full._storage.write("models/delay/1.json", b"damaged")
    age(OLD)
    with pytest.raises(Corrupt, match="delay:1"):
        full.gc()


def test_a_damaged_alias_keeps_nothing_from_being_removed(full, age):
    garbage(full, b"a")
    full._storage.write("models/delay/aliases/prod/1.json", b"damaged")
    age(OLD)
    assert full.gc().objects == 1


def test_a_storage_that_fails_while_references_are_read_loses_nothing(full, age, paths):
    garbage(full, b"a")
    age(OLD)
    before = paths(full)

    class Failing(WrappedStorage):
        def list(self, prefix=""):
            if prefix == "runs":
                message = "the network is down"
                raise StorageFault(message)
            return self._inner.list(prefix)

    with pytest.raises(StorageFault, match="down"):
        collect_garbage(rooms(full, Failing(full._storage)))
    assert paths(full) == before


def test_a_deleted_run_that_is_damaged_goes_when_its_time_has_come(store, age):
    with store.start_run("flights") as run:
        run.log_text("report", "report.txt")
    store.run(run.id).delete()
    path = f"runs/{run.id}/end.json"
    store._storage.write(path, store._storage.read(path)[:-10])
    assert collect_garbage(rooms(store), clock=in_days(6)).objects == 0
    assert collect_garbage(rooms(store), clock=in_days(8)).runs == (run.id,)
    assert list(store.verify()) == []


def test_a_run_that_ends_while_it_is_read_is_read_again(store, age):
    run = store.start_run("flights")
    run.log_text("report", "report.txt")
    age(OLD)

    class Ending(WrappedStorage):
        def list(self, prefix=""):
            found = list(self._inner.list(prefix))
            if prefix == "runs":
                run.finish()
                segments = [one.path for one in found if one.path.endswith(".seg")]
                for path in segments:  # as where an object store got it under another name
                    store._storage.delete(path)
            return iter(found)

    assert collect_garbage(rooms(store, Ending(store._storage)), clock=in_days(8)).objects == 0
    assert store.run(run.id).artifact("report.txt").text() == "report"


# Packs that a list of chunks names


def test_packs_of_versions_that_were_removed_by_hand_go_with_the_second_collection(
    store, age, tmp_path
):
    store.log_dataset("flights", {"a": [1, 2, 3]})
    kept = store.log_dataset("other", {"a": [4, 5, 6]})
    (document,) = store._storage.list("datasets/flights")
    store._storage.delete(document.path)
    age(OLD)
    first, second = store.gc(), store.gc()
    assert [part.objects for part in first.freed if part.kind == "packs"] == [0]
    assert [part.objects for part in second.freed if part.kind == "packs"] == [1]
    assert kept.to_arrow().num_rows == 3
    assert list(store.verify()) == []


def test_a_commit_that_has_read_the_lists_keeps_what_they_named(store, age, hooked, tmp_path):
    table = {"a": list(range(1000))}
    store.log_dataset("flights", table)
    (document,) = store._storage.list("datasets/flights")
    store._storage.delete(document.path)
    age(OLD)

    def collect(moment, verb, path):
        if (moment, verb, path) == ("before", "create", "datasets/other/1.json"):
            store.gc()

    datasets = Datasets(hooked(store._storage, collect), cache=tmp_path / "cache")
    datasets.log("other", table)
    assert store.dataset("other").to_arrow().to_pydict() == table
    assert list(store.verify()) == []


def test_a_folder_that_is_remembered_does_not_lean_on_packs_that_no_version_needs(
    store, age, tmp_path, hooked
):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).write_text(name * 100)
        os.utime(folder / name, (1, 1))
    store.log_dataset("flights", folder)
    (document,) = store._storage.list("datasets/flights")
    store._storage.delete(document.path)
    age(OLD)
    store.gc()  # which takes the packs off the lists

    def collect(moment, verb, path):
        if (moment, verb, path) == ("before", "create", "datasets/other/1.json"):
            store.gc()

    (folder / "c").write_text("c")
    datasets = Datasets(hooked(store._storage, collect), cache=store.datasets.cache)
    version = datasets.log("other", folder)
    assert version.open("a").read() == b"a" * 100
    assert list(store.verify()) == []


def test_two_collections_within_one_commit_lose_nothing_of_it(store, age, hooked, tmp_path):
    table = {"a": list(range(1000))}
    store.log_dataset("flights", table)
    (document,) = store._storage.list("datasets/flights")
    store._storage.delete(document.path)
    age(OLD)
    seen = []

    def collect(moment, verb, path):
        if (moment, verb) == ("before", "write") and path.startswith("blobs/") and not seen:
            seen.append(path)
            store.gc()
            store.gc()

    datasets = Datasets(hooked(store._storage, collect), cache=tmp_path / "cache")
    with suppress(NotFound):  # the pack is gone, and the stream read: it says so
        datasets.log("other", table)
    assert list(store.verify()) == []


# Beside writers


def test_what_a_writer_writes_again_before_the_second_look_stays(
    store, age, tmp_path, hooked, point
):
    table = {"a": [1, 2, 3]}
    store.log_dataset("flights", table)
    for entry in [*store._storage.list("datasets"), *store._storage.list("chunks")]:
        store._storage.delete(entry.path)  # as a commit that failed would have left it
    age(OLD)
    stopped = point()

    def hook(moment, verb, path):
        if (moment, verb) == ("before", "stat") and path.startswith(("blobs/", "packs/")):
            stopped.stop()

    with ThreadPoolExecutor(1) as pool:
        collecting = pool.submit(collect_garbage, rooms(store, hooked(store._storage, hook)))
        assert stopped.reached.wait(60)
        version = store.log_dataset("flights", table)
        stopped.go.set()
        assert collecting.result().objects == 0
    assert version.to_arrow().to_pydict() == table
    assert list(store.verify()) == []


def test_what_a_writer_writes_again_after_the_second_look_is_given_back(
    store, age, tmp_path, hooked, point
):
    """The collection looks, the writer refreshes and publishes, then it is removed."""
    table = {"a": [1, 2, 3]}
    store.log_dataset("flights", table)
    for entry in [*store._storage.list("datasets"), *store._storage.list("chunks")]:
        store._storage.delete(entry.path)
    age(OLD)
    looked, published = point(), point()
    first = []

    def collector(moment, verb, path):
        if (moment, verb) == ("before", "delete") and not first:
            first.append(path)
            looked.stop()

    def writer(moment, verb, path):
        if (moment, verb, path) == ("after", "create", "datasets/flights/1.json"):
            published.stop()

    datasets = Datasets(hooked(store._storage, writer), cache=tmp_path / "cache")
    with ThreadPoolExecutor(2) as pool:
        collecting = pool.submit(collect_garbage, rooms(store, hooked(store._storage, collector)))
        assert looked.reached.wait(60)
        writing = pool.submit(datasets.log, "flights", table)
        assert published.reached.wait(60)
        looked.go.set()
        assert collecting.result().objects == 1
        with pytest.raises(NotFound):
            store._storage.stat(first[0])
        published.go.set()
        writing.result()
    assert store.dataset("flights").to_arrow().to_pydict() == table
    assert list(store.verify()) == []


def test_a_run_that_begins_while_garbage_is_collected_keeps_what_was_there_before(
    store, age, hooked, point
):
    garbage(store, b"report")
    age(OLD)
    stopped = point()

    def hook(moment, verb, path):
        if (moment, verb) == ("before", "stat") and path.startswith("blobs/"):
            stopped.stop()

    with ThreadPoolExecutor(1) as pool:
        collecting = pool.submit(collect_garbage, rooms(store, hooked(store._storage, hook)))
        assert stopped.reached.wait(60)
        with store.start_run("flights") as run:
            run.log_text("report", "report.txt")
        stopped.go.set()
        assert collecting.result().objects == 0
    assert store.run(run.id).artifact("report.txt").text() == "report"


WORK = """
import sys
import mlkit

root, number = sys.argv[1:]
store = mlkit.Store(root)
print("ready", flush=True)
for line in sys.stdin:
    turn = int(line)
    with store.start_run("flights") as run:
        run.log_text(f"report {turn}", "report.txt")
        run.log_dataset(f"data-{number}", {"turn": [turn]})
        run.log_model({"turn": turn}, f"model-{number}")
    print("done", flush=True)
"""


def test_nothing_is_ever_missing_that_processes_commit_beside_collections(store, age):
    """In each round the contents lie there already, old, and nothing refers to them yet."""
    rounds, processes = 4, 3
    twin = mlkit.Store(store.url + "-twin")
    for turn in range(rounds):
        twin._blobs.put(f"report {turn}".encode())
        twin.log_dataset("data", {"turn": [turn]})
        twin.models.save("model", {"turn": turn})
    contents = {
        entry.path: twin._storage.read(entry.path)
        for root in ("blobs", "packs")
        for entry in twin._storage.list(root)
    }
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", WORK, store.url, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(processes)
    ]
    try:
        for job in jobs:
            assert job.stdout.readline() == b"ready\n"
        for turn in range(rounds):
            for path, data in contents.items():
                store._storage.write(path, data)
            age(OLD)
            for job in jobs:
                job.stdin.write(f"{turn}\n".encode())
                job.stdin.flush()
            with ThreadPoolExecutor(processes) as pool:
                waiting = [pool.submit(job.stdout.readline) for job in jobs]
                while not all(one.done() for one in waiting):
                    store.gc(grace="1d")
                assert [one.result() for one in waiting] == [b"done\n"] * processes
            assert [str(problem) for problem in store.verify()] == []
    finally:
        for job in jobs:
            job.communicate()
    assert [job.returncode for job in jobs] == [0] * processes
    assert len(store.runs) == rounds * processes


# How it is asked and what it says


def test_a_grace_is_a_span_of_time():
    assert grace_of(None) == grace_of("7d") == grace_of(timedelta(days=7)) == 7 * DAY
    assert grace_of("1d12h") == DAY + DAY // 2
    for wrong in ("soon", "", -1, 7, timedelta(days=-1)):
        with pytest.raises(InvalidInput, match="no span of time"):
            grace_of(wrong)


def test_a_shorter_grace_takes_younger_garbage(store, age):
    garbage(store, b"a")
    age(2)
    assert store.gc().objects == 0
    assert store.gc(grace="1d").objects == 1


def test_a_report_shows_itself_as_text_and_html(store, age):
    garbage(store, b"a" * 1500)
    age(OLD)
    report = store.gc(dry_run=True)
    assert repr(report).splitlines() == [
        "what   objects  size",
        "-----  -------  ------",
        "blobs        1  1.5 kB",
        "1 object, 1.5 kB, would be freed.",
    ]
    assert "<table" in report._repr_html_()
    assert repr(mlkit.Store("memory://gc-nothing").gc()) == "There is no garbage."


def test_progress_is_shown_when_it_is_asked_for(store, age, monkeypatch):
    garbage(store, b"a" * 1500)
    age(OLD)
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    store.gc(progress=False)
    store.gc()
    assert stream.getvalue() == ""
    garbage(store, b"a" * 1500)
    age(OLD)
    store.gc(progress=True)
    assert "gc: removing blobs, 1, 1.5 kB\n" in stream.getvalue()


def test_an_interrupt_stops_it_and_the_next_one_goes_on(store, age, hooked):
    garbage(store, *(str(number).encode() for number in range(10)))
    age(OLD)
    deleted = []

    def hook(moment, verb, path):
        if (moment, verb) == ("before", "delete"):
            deleted.append(path)
            if len(deleted) == 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect_garbage(rooms(store, hooked(store._storage, hook)))
    assert store.gc().objects == 7


def test_where_nothing_may_be_written_a_dry_run_still_tells(store, age):
    from mlkit.errors import ReadOnly
    from mlkit.storage.readonly import ReadOnlyStorage

    garbage(store, b"a")
    age(OLD)
    shown = rooms(store, ReadOnlyStorage(store._storage))
    assert collect_garbage(shown, dry_run=True).objects == 1
    with pytest.raises(ReadOnly):
        collect_garbage(shown)
