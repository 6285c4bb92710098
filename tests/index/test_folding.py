"""Promises of folding: at once, in the background, on any storage, beside any damage."""

import json
import os
import shutil
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlkit.errors import ReadOnly, SingleWriterOnly
from mlkit.index.background import MANY
from mlkit.index.folding import Folding
from mlkit.index.run_index import IndexWarning
from mlkit.storage.protocol import Capabilities
from mlkit.storage.readonly import ReadOnlyStorage
from mlkit.storage.wrapped import LimitedStorage
from mlkit.store.store import Store
from mlkit.tracking.runs import DamagedRunWarning

TABLES = ("runs", "metrics", "summaries")


def log(store, count=1, points=2, **params):
    ids = []
    for number in range(count):
        with store.start_run("e") as run:
            run.log_params(params or {"number": number})
            for step in range(points):
                run.log_metric("loss", step / 2, step=step)
        ids.append(run.id)
    return ids


def ids_seen(store):
    return sorted(store._index.see().view.fixed("run_id").to_pylist())


def folder_of(store):
    return store._storage.local_path("mlkit.json").parent


def expected(store):
    found = {}
    for run in store.runs:
        keys = run.metrics().column("key").to_pylist()
        found[run.id] = {key: keys.count(key) for key in keys}
    return found


def turn_a_byte(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)


# Many at once


def main():
    """Start, end, resume and fold runs again and again; this file is also that program."""
    store = Store(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    mine = []
    for number in range(8):
        mine += log(store, 2, points=number % 3, number=number)
        store.compact()
        with store.start_run("e", resume=mine[number // 2]) as run:
            run.log_metric("again", number, step=number)
        ids = ids_seen(store)
        assert len(set(ids)) == len(ids)
        assert set(mine) <= set(ids)
        store._index.folding().fold()
    print(json.dumps(mine))


@pytest.mark.parametrize("count", [2, 4])
def test_processes_that_start_end_resume_and_fold_runs_at_once_leave_each_once(count, store, once):
    root = folder_of(store)
    workers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", __file__, root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * count
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    while any(worker.poll() is None for worker in workers):
        ids = ids_seen(store)
        assert len(ids) == len(set(ids))
    made = sorted(id_ for worker in workers for id_ in json.loads(worker.communicate()[0]))
    assert ids_seen(store) == made
    store.compact()
    assert store._index._changes.pending() == {}
    once(root, expected(store))


@pytest.mark.parametrize("points", [0, 2])
@pytest.mark.parametrize("merged", [False, True])
def test_what_was_read_before_others_folded_it_anew_does_not_take_its_place(
    merged, points, store, monkeypatch, told, once
):
    run_id, *_ = [*log(store, 1, points=points), *log(store, 3)]
    put = Folding._put
    others = [Store(folder_of(store)) for _ in range(2)]

    def late(self, batch):
        monkeypatch.setattr(Folding, "_put", put)  # those who come now are quicker
        for number, other in enumerate(others):
            with other.start_run("e", resume=run_id) as run:
                run.log_metric("again", number)
            log(other, 1)
            if merged:
                other.compact()
            else:
                other._index.folding().fold()
        return put(self, batch)

    monkeypatch.setattr(Folding, "_put", late)
    store._index.folding().fold()
    right = told(Store(folder_of(store))._index.see(tables=False))
    assert told(store._index.see()) == right
    store.compact()
    assert told(store._index.see()) == right
    once(folder_of(store), expected(store))


def test_what_was_read_for_a_later_batch_does_not_take_the_place_of_what_others_folded_since(
    store, monkeypatch, told, once
):
    monkeypatch.setattr("mlkit.index.folding.BATCH_POINTS", 2)  # each run is a batch
    ids = log(store, 4)
    other = Store(folder_of(store))
    put = Folding._put

    def late(self, batch):
        monkeypatch.setattr(Folding, "_put", put)
        with other.start_run("e", resume=ids[3]) as run:
            run.log_metric("again", 1)
        other.compact()
        return put(self, batch)

    monkeypatch.setattr(Folding, "_put", late)
    store._index.folding().fold()
    assert told(store._index.see()) == told(Store(folder_of(store))._index.see(tables=False))
    store.compact()
    once(folder_of(store), expected(store))


def test_threads_that_fold_and_search_at_once_leave_each_once(store, once, told):
    ids = log(store, 30)
    right = told(store._index.see(tables=False))
    with ThreadPoolExecutor(4) as pool:
        folds = [pool.submit(store._index.folding().fold) for _ in range(2)]
        searches = [pool.submit(ids_seen, store) for _ in range(10)]
        merges = [pool.submit(store.compact) for _ in range(2)]
        for fold in folds + merges:
            fold.result()
        assert all(search.result() == ids for search in searches)
    assert told(store._index.see()) == right
    once(folder_of(store), expected(store))


# In the background


def test_folding_begins_by_itself_when_many_runs_are_worth_it(store, once):
    log(store, MANY - 1, points=1)
    store.search_runs()
    store._index.wait()
    assert not (folder_of(store) / "tables" / "runs").exists()
    log(store)
    store.search_runs()
    store._index.wait()
    once(folder_of(store), expected(store))


@pytest.fixture
def held(monkeypatch):
    """Background folding that begins with two runs, and does nothing until it is let."""
    monkeypatch.setattr("mlkit.index.background.MANY", 2)
    begun, let = threading.Event(), threading.Event()
    plain = Folding.fold

    def fold(self, progress=None):
        begun.set()
        let.wait()
        return plain(self, progress)

    monkeypatch.setattr(Folding, "fold", fold)
    yield begun, let
    let.set()


def test_no_query_waits_for_what_folds(store, held, once):
    begun, let = held
    ids = log(store, 3)
    assert ids_seen(store) == ids
    begun.wait()
    assert ids_seen(store) == ids  # comes back, although nothing is folded yet
    ids += log(store)
    assert ids_seen(store) == ids
    assert [one.name for one in threading.enumerate()].count("mlkit-fold") == 1
    let.set()
    store._index.wait()
    once(folder_of(store), expected(store))


def test_a_process_that_is_forked_while_runs_are_folded_sees_and_folds_them_all(store, held, once):
    begun, let = held
    ids = log(store, 3)
    store.search_runs()
    begun.wait()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            let.set()
            store.compact()
            code = 0 if ids_seen(store) == ids else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    let.set()
    store._index.wait()
    assert ids_seen(store) == ids
    once(folder_of(store), expected(store))


def test_what_cannot_be_folded_in_the_background_hurts_no_query(store, monkeypatch):
    monkeypatch.setattr("mlkit.index.background.MANY", 2)
    ids = log(store, 3)
    storage = store._storage

    def refuse(path, data, **options):
        raise ReadOnly(f"{path} can't be written")

    monkeypatch.setattr(storage, "write", refuse)
    for _ in range(2):
        assert ids_seen(store) == ids
        store._index.wait()


EXITS = """
import sys, threading
from mlkit.index import background, folded, folding
from mlkit.store.store import Store

background.MANY, folding.BATCH_RUNS = 2, 10
put = folded.FoldedTable.replace

def late(self, ids, make):
    threading.main_thread().join()  # the program has ended, and the interpreter is about to
    return put(self, ids, make)

folded.FoldedTable.replace = late
print(len(Store(sys.argv[1]).search_runs()))
"""


def test_a_program_that_exits_while_it_folds_exits_cleanly_and_loses_nothing(store, once):
    log(store, 100, points=1)
    root = folder_of(store)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", EXITS, root],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "100\n", "")
    folding = store._index.folding()
    folding.tables.refresh()
    assert folding.tables.runs.snapshot.rows < 100  # it ended between two batches
    assert len(ids_seen(store)) == 100
    store.compact()
    once(root, expected(store))


# Storages


def index_over(store, wrap, **options):
    other = Store(folder_of(store), **options)
    other._storage = wrap(other._storage)
    return other


def test_a_store_that_only_reads_shows_all_runs_and_is_not_folded(store, told, monkeypatch):
    monkeypatch.setattr("mlkit.index.background.MANY", 1)
    log(store, 3)
    store.compact()
    log(store, 2)
    other = index_over(store, ReadOnlyStorage)
    before = sorted(folder_of(store).rglob("*"))
    assert told(other._index.see()) == told(store._index.see(tables=False))
    other._index.wait()
    assert sorted(folder_of(store).rglob("*")) == before
    with pytest.raises(ReadOnly):
        other.compact()


def test_a_store_without_exclusive_create_is_folded_only_by_who_is_alone(store, told, once):
    def limited(storage):
        return LimitedStorage(storage, Capabilities(exclusive_create=False, append=True))

    log(store, 3)
    right = told(store._index.see(tables=False))
    shared = index_over(store, limited)
    assert told(shared._index.see()) == right
    with pytest.raises(SingleWriterOnly, match="second writer"):
        shared.compact()
    alone = index_over(store, limited, single_writer=True)
    assert alone.compact().runs == 3
    assert told(shared._index.see()) == right
    once(folder_of(store), expected(store))


def test_a_store_in_memory_is_folded_alike(told):
    store = Store("memory://folding")
    log(store, 5)
    right = told(store._index.see(tables=False))
    assert store.compact().runs == 5
    assert told(store._index.see()) == right
    assert told(Store("memory://folding")._index.see()) == right


# Runs that come, change and go


def test_a_run_that_came_by_copying_its_folder_is_seen_and_folded(store, tmp_path, told, once):
    other = Store(tmp_path / "other")
    log(store, 2)
    store.compact()
    for run_id in log(other, 3):
        shutil.copytree(tmp_path / "other/runs" / run_id, folder_of(store) / "runs" / run_id)
    assert told(store._index.see()) == told(Store(folder_of(store))._index.see(tables=False))
    assert store.compact().runs == 3
    assert len(ids_seen(store)) == 5
    once(folder_of(store), expected(store))


def test_a_run_whose_folder_is_gone_leaves_no_row(store, once):
    ids = log(store, 3)
    store.compact()
    shutil.rmtree(folder_of(store) / "runs" / ids[1])
    assert ids_seen(store) == [ids[0], ids[2]]
    assert store._index.see().view.metric("loss", "max").to_pylist() == [0.5, 0.5]
    assert store.compact().removed == 1
    once(folder_of(store), expected(store))


def test_a_damaged_run_stays_out_and_is_told_of_and_others_are_folded(store, told, once):
    ids = log(store, 4)
    for name in ("run.json", "end.json"):
        turn_a_byte(folder_of(store) / "runs" / ids[1] / name)
    for _ in range(2):
        with pytest.warns(DamagedRunWarning, match="1 run can't be read"):
            assert ids_seen(store) == [ids[0], *ids[2:]]
        assert store.compact().runs in (3, 0)
    shutil.rmtree(folder_of(store) / "runs" / ids[1])
    once(folder_of(store), expected(store))


def test_a_run_whose_points_are_damaged_is_not_folded_and_others_are(store, once):
    ids = log(store, 3)
    (segment,) = (folder_of(store) / "runs" / ids[1]).glob("*.seg")
    turn_a_byte(segment)
    assert store.compact().runs == 2
    assert ids_seen(store) == ids
    shutil.rmtree(folder_of(store) / "runs" / ids[1])
    once(folder_of(store), expected(store))


def test_what_lies_among_runs_and_is_none_is_passed_over(store):
    ids = log(store, 2)
    (folder_of(store) / "runs" / "README").write_text("notes")
    (folder_of(store) / "runs" / "other").mkdir()
    (folder_of(store) / "runs" / "other" / "a.txt").write_text("notes")
    assert ids_seen(store) == ids
    assert store.compact().runs == 2
    assert ids_seen(store) == ids


# Tables that are gone or damaged


@pytest.mark.parametrize("gone", ["tables", "tables/runs", "tables/metrics", "tables/summaries"])
def test_tables_that_are_deleted_under_a_process_are_made_anew(gone, store, told, once):
    log(store, 3)
    store.compact()
    right = told(store._index.see(tables=False))
    assert told(store._index.see()) == right
    shutil.rmtree(folder_of(store) / gone)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IndexWarning)
        assert store._index.trying(told) == right
    store.reindex()
    assert told(store._index.see()) == right
    log(store, 2)
    store.compact()
    assert told(store._index.see()) == told(store._index.see(tables=False))
    once(folder_of(store), expected(store))


@pytest.mark.parametrize("kind", ["*.parquet", "_delta_log/*.json", "_delta_log/*.parquet"])
@pytest.mark.parametrize("table", TABLES)
def test_a_table_that_is_damaged_is_told_of_and_changes_no_answer(table, kind, store, told, once):
    for number in range(12):
        log(store, 1, points=2, number=number)
        store._index.folding().fold()
    right = told(store._index.see(tables=False))
    root = folder_of(store)
    for path in sorted((root / "tables" / table).glob(kind)):
        turn_a_byte(path)
    other = Store(root)
    with pytest.warns(IndexWarning, match="reindex"):
        assert other._index.trying(told) == right
    assert other.reindex().runs == 12
    assert told(other._index.see()) == right
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IndexWarning)
        assert store._index.trying(told) == right
    assert told(store._index.see()) == right
    once(root, expected(store))


def test_points_of_one_run_come_from_its_folder_where_the_tables_are_damaged(store, monkeypatch):
    monkeypatch.setattr("mlkit.tracking.point_verbs._LARGE", 0)  # which only large runs ask
    (run_id,) = log(store, 1, points=5)
    right = store.run(run_id).metrics("loss")
    store.compact()
    assert store._index.points(run_id, "loss").to_pylist() == right.to_pylist()
    for path in (folder_of(store) / "tables/metrics").glob("*.parquet"):
        turn_a_byte(path)
    with pytest.warns(IndexWarning, match="reindex"):
        assert Store(folder_of(store)).run(run_id).metrics("loss") == right


def test_search_answers_beside_damaged_tables(store):
    ids = log(store, 3)
    store.compact()
    for path in (folder_of(store) / "tables/runs").glob("*.parquet"):
        turn_a_byte(path)
    with pytest.warns(IndexWarning, match="reindex"):
        found = Store(folder_of(store)).search_runs("params.number >= 1", order_by="started")
    assert [run.id for run in found] == ids[1:]


if __name__ == "__main__":
    main()
