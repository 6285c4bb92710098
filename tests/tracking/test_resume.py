"""Promises about going on with a run: by id, by mode, or with what was left unfinished."""

import os
import subprocess
import sys
import threading

import pytest

import mlkit
from mlkit.errors import AlreadyExists, InvalidInput, NotFound
from mlkit.store.store import Store
from mlkit.tracking.resuming import Bookmark, Wish


def test_allow_starts_a_run_of_this_id_or_goes_on_with_it(store):
    run_id = mlkit.new_run_id()
    for mode in (None, "allow"):
        with store.start_run("a", run_id=run_id, resume=mode) as run:
            run.log_metric("x", 1)
        assert run.id == run_id
    assert store.run(run_id).metrics("x").num_rows == 2
    assert len(store.runs) == 1


def test_never_refuses_to_go_on(store):
    run_id = mlkit.new_run_id()
    with store.start_run("a", run_id=run_id, resume="never"):
        pass
    with pytest.raises(AlreadyExists, match=run_id):
        store.start_run("a", run_id=run_id, resume="never")
    assert mlkit.active_run() is None


def test_must_refuses_a_new_run(store):
    run_id = mlkit.new_run_id()
    with pytest.raises(NotFound, match=run_id):
        store.start_run("a", run_id=run_id, resume="must")
    with store.start_run("a", run_id=run_id):
        pass
    with store.start_run("a", run_id=run_id, resume="must") as run:
        assert run.id == run_id


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"run_id": "mine"}, "can't be the id of a run"),
        ({"run_id": 7}, "can't be the id of a run"),
        ({"resume": "must"}, "doesn't say which run"),
        ({"resume": "auto", "run_id": "01a20a5d-ef15-727c-a58d-b7d70efe8161"}, "finds the run"),
        ({"resume": "alow"}, "must, auto"),
        ({"resume": True}, "must, auto"),
        ({"name": 3}, "can't be the name of a run"),
        ({"resume": "maybe", "run_id": "01a20a5d-ef15-727c-a58d-b7d70efe8161"}, "is no way"),
    ],
)
def test_what_makes_no_sense_is_refused_and_starts_nothing(store, options, said):
    with pytest.raises(InvalidInput, match=said):
        store.start_run("a", **options)
    assert len(store.runs) == 0


def test_two_processes_that_begin_one_id_at_once_write_one_run(store, monkeypatch):
    run_id = mlkit.new_run_id()
    first = store.start_run("a", run_id=run_id)
    read = type(store.runs)._earlier
    missed = []

    def misses_it_once(self, wish, bookmark):
        found = read(self, wish, bookmark)
        return found if missed else missed.append(found)

    monkeypatch.setattr(type(store.runs), "_earlier", misses_it_once)
    second = store.start_run("a", run_id=run_id)
    first.log_metric("x", 1)
    second.log_metric("x", 2)
    second.finish()
    first.finish()
    assert sorted(store.run(run_id).metrics("x").column("value").to_pylist()) == [1.0, 2.0]


def test_metrics_without_a_step_count_on_where_the_run_stopped(store):
    with store.start_run("a") as run:
        for _ in range(3):
            run.log_metrics({"x": 1, "y": 1})
        run.log_metric("z", 1, step=9.5)
    with store.start_run("a", resume=run.id) as run:
        run.log_metrics({"x": 2})
        run.log_metrics({"z": 2, "new": 2})
    read = store.run(run.id)
    assert read.metrics("x").column("step").to_pylist() == [0, 1, 2, 3]
    assert read.metrics("z").column("step").to_pylist() == [9.5, 10.0]
    assert read.metrics("new").column("step").to_pylist() == [0]


def test_they_count_on_after_a_kill_too(store):
    run = store.start_run("a")
    run.log_metric("x", 1)
    run.log_metric("x", 1)  # never finished, as after a kill
    with store.start_run("a", resume=run.id) as again:
        again.log_metric("x", 2)
    assert store.run(run.id).metrics("x").column("step").to_pylist() == [0, 1, 2]
    run.finish()


LEFT = """
import os, sys, mlkit
store = mlkit.Store(sys.argv[1])
run = store.start_run("a", name=sys.argv[3], resume="auto")
run.log_metric("x", 1)
print(run.id, flush=True)
if sys.argv[2] == "dies":
    os._exit(1)
if sys.argv[2] == "fails":
    raise RuntimeError("no")
run.finish()
"""


def _try(url, how, name="n", **environ):
    done = subprocess.run(
        [sys.executable, "-c", LEFT, url, how, name],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environ},
    )
    return done.stdout.strip()


@pytest.mark.parametrize("how", ["dies", "fails"])
def test_auto_goes_on_with_what_this_machine_left_unfinished(tmp_path, how):
    first = _try(tmp_path / "s", how)
    assert first
    assert _try(tmp_path / "s", "dies", name="another") != first
    assert _try(tmp_path / "s", how) == first
    assert _try(tmp_path / "s", "ends") == first
    run = Store(tmp_path / "s").run(first)
    assert (run.status, run.metrics("x").num_rows) == ("FINISHED", 3)
    assert _try(tmp_path / "s", "ends") != first


def test_auto_starts_a_new_run_beside_one_that_lives(store):
    living = store.start_run("a", resume="auto")
    with store.start_run("a", resume="auto") as other:
        assert other.id != living.id
    living.finish()


def test_a_job_that_was_put_back_into_its_queue_goes_on_elsewhere(store, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    first = store.start_run("a", resume="auto")
    monkeypatch.setattr("mlkit.tracking.reading.is_lost", lambda *_, **__: False)
    monkeypatch.setattr("mlkit.tracking.reading.identity", lambda: {"host": "another"})
    second = store.start_run("a", resume="auto")
    assert second.id == first.id
    monkeypatch.setenv("SLURM_JOB_ID", "4712")
    third = store.start_run("a", resume="auto")
    assert third.id != first.id
    for run in (third, second, first):
        run.finish()


def test_a_bookmark_that_cannot_be_read_or_written_is_none(tmp_path):
    bookmark = Bookmark.of(tmp_path / "folder", "a", None, {})
    assert bookmark.read() is None
    for text in ("{", "[]", '{"run_id": "../x", "job": ""}', '{"run_id": 7}'):
        bookmark.place.parent.mkdir(exist_ok=True)
        bookmark.place.write_text(text)
        assert bookmark.read() is None
    (tmp_path / "file").touch()
    Bookmark(tmp_path / "file" / "x", "").write(mlkit.new_run_id())


def test_bookmarks_are_told_apart_by_experiment_name_and_rank(tmp_path):
    places = {
        Bookmark.of(tmp_path, experiment, name, environ).place
        for experiment in "ab"
        for name in (None, "a")
        for environ in ({}, {"RANK": "1"})
    }
    assert len(places) == 8


def test_an_id_alone_means_that_the_run_must_be_there():
    assert Wish.of(None, "01a2") == Wish("01a2", "must")
    assert Wish.of(None, None) == Wish(None, "allow")


def test_what_a_killed_process_left_in_the_outbox_is_sent_before_its_run_is_resumed(
    tmp_path, monkeypatch
):
    from mlkit.storage.memory import MemoryStorage
    from mlkit.storage.protocol import Capabilities

    limited = Capabilities(exclusive_create=True, append=False)
    monkeypatch.setattr(MemoryStorage, "capabilities", limited)
    store = Store(f"memory://{tmp_path.name}")
    run = store.start_run("a")
    run.log_metric("x", 1)
    run._journal._segment.close()  # as the kernel does when the process dies
    assert len(store.runs) == 0
    with store.start_run("a", resume=run.id) as again:
        again.log_metric("x", 2)
    assert store.run(run.id).metrics("x").column("value").to_pylist() == [1.0, 2.0]
    run._journal._segment = mlkit.tracking.journal._Unopened(run._journal)
    run.finish()


def test_starting_in_a_thread_makes_no_other_run_current(store):
    seen = []

    def work():
        with store.start_run("thread"):
            seen.append(mlkit.active_run().experiment)

    with store.start_run("main"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert mlkit.active_run().experiment == "main"
    assert seen == ["thread"]
