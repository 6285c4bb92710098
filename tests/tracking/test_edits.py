"""Promises about what is said of a run after the fact: kept beside it, merged by copying."""

import itertools
import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from mlkit._core.codec import encode_document
from mlkit._core.ids import uuid7
from mlkit.errors import Corrupt, InvalidInput, MlkitError, ReadOnly
from mlkit.storage.local import LocalStorage
from mlkit.storage.readonly import ReadOnlyStorage
from mlkit.store.store import Store
from mlkit.tracking.changes import Changes
from mlkit.tracking.edits import edits
from mlkit.tracking.reading import Run
from mlkit.tracking.runs import DamagedRunWarning


@pytest.fixture
def ended(store):
    with store.start_run("flights", name="first", tags={"team": "ml", "old": "1"}) as run:
        run.log_metric("loss", 0.3)
        run.note("as logged")
    return run.id


def reopened(store, run_id, storage=None, clock=time.time_ns):
    return Run(run_id, storage=storage or store._storage, blobs=store._blobs, clock=clock)


def edit_files(store, run_id):
    return edits(place.name for place in files_of(store, run_id))


def notes(run):
    return [note["text"] for note in run.notes]


def ids(runs):
    return [run.id for run in runs]


VERBS = {
    "set_tags": (lambda run: run.set_tags(team=None, best=7), lambda run: run.tags),
    "note": (lambda run: run.note("later"), notes),
    "rename": (lambda run: run.rename("second"), lambda run: run.name),
    "delete": (lambda run: run.delete(), lambda run: run.deleted_at is not None),
}
AFTER = {
    "set_tags": {"old": "1", "best": "7"},
    "note": ["as logged", "later"],
    "rename": "second",
    "delete": True,
}


@pytest.mark.parametrize("verb", VERBS)
def test_an_edit_shows_at_once_and_to_every_other_reader(store, ended, verb):
    act, look = VERBS[verb]
    run = store.run(ended)
    assert look(run) != AFTER[verb]  # and so the run was read before
    act(run)
    assert look(run) == look(Store(store.url).run(ended)) == AFTER[verb]


@pytest.mark.parametrize("verb", VERBS)
def test_an_edit_is_announced_before_and_after(store, ended, verb):
    VERBS[verb][0](store.run(ended))
    assert len(Changes(store._storage).pending()[ended]) == 2


@pytest.mark.parametrize("verb", VERBS)
def test_a_store_that_only_reads_says_so(store, ended, verb):
    run = reopened(store, ended, ReadOnlyStorage(store._storage))
    with pytest.raises(ReadOnly, match=f"{ended} can't be changed, since .* only reads"):
        VERBS[verb][0](run)
    assert VERBS[verb][1](run) != AFTER[verb]


def test_what_was_logged_stays_as_it_is(store, ended):
    before = {place: place.read_bytes() for place in files_of(store, ended)}
    for act, _ in VERBS.values():
        act(store.run(ended))
    assert {place: place.read_bytes() for place in before} == before
    assert len(files_of(store, ended)) == len(before) + len(VERBS)
    assert list(store.verify()) == []


def files_of(store, run_id):
    return sorted((Path(store.url) / "runs" / run_id).iterdir())


def test_secrets_are_masked_before_an_edit_is_written(store, ended):
    run = store.run(ended)
    run.set_tags(api_key="k-123456", place="postgres://me:hunter2@host/db")
    run.note("postgres://me:hunter2@host/db")
    run.rename("postgres://me:hunter2@host/db")
    assert run.tags["api_key"] == "[masked]"
    text = b"".join(place.read_bytes() for place in files_of(store, ended))
    assert b"hunter2" not in text
    assert b"k-123456" not in text


@pytest.mark.parametrize(
    "wrong",
    [
        lambda run: run.note(3),
        lambda run: run.rename(""),
        lambda run: run.rename(None),
        lambda run: run.set_tags({"": "x"}),
        lambda run: run.set_tags(["x"]),
    ],
)
def test_what_cant_be_said_is_refused_and_nothing_is_written(store, ended, wrong):
    with pytest.raises(InvalidInput):
        wrong(store.run(ended))
    assert edit_files(store, ended) == []
    assert Changes(store._storage).pending() == {}


def test_no_tags_are_no_edit(store, ended):
    store.run(ended).set_tags()
    assert edit_files(store, ended) == []


def test_an_edit_counts_after_those_that_were_there_also_when_clocks_stand_or_go_back(store, ended):
    now = time.time_ns()
    for number, clock in enumerate([now + 10**13, now, now, now - 10**13]):
        reopened(store, ended, clock=lambda clock=clock: clock).set_tags(last=number)
        assert store.run(ended).tags["last"] == str(number)


def test_two_objects_of_a_run_take_nothing_from_each_other(store, ended):
    one, two = store.run(ended), store.run(ended)
    assert one.tags == two.tags
    one.set_tags(a=1)
    two.set_tags(b=2)
    one.note("c")
    assert {**store.run(ended).tags} == {"team": "ml", "old": "1", "a": "1", "b": "2"}


def test_folders_that_are_copied_together_have_the_edits_of_both(store, ended, tmp_path):
    shutil.copytree(store.url, tmp_path / "other")
    other = Store(tmp_path / "other")
    store.run(ended).set_tags(here=1)
    other.run(ended).set_tags(there=2)
    other.run(ended).note("from there")
    for there, back in ((store.url, other.url), (other.url, store.url)):
        shutil.copytree(f"{there}/runs", f"{back}/runs", dirs_exist_ok=True)
    for merged in (store.run(ended), other.run(ended)):
        assert merged.tags == {"team": "ml", "old": "1", "here": "1", "there": "2"}
        assert notes(merged) == ["as logged", "from there"]


def test_a_run_that_is_resumed_says_each_edit_once(store, ended):
    run = store.run(ended)
    run.note("later")
    run.set_tags(old=None)
    with store.start_run("flights", resume=ended) as again:
        again.log_metric("loss", 0.2)
    read = store.run(ended)
    assert notes(read) == ["as logged", "later"]
    assert read.tags == {"team": "ml"}
    assert read.summary == {"loss": 0.2}


# Deleted runs


def test_a_deleted_run_is_left_out_unless_it_is_asked_for(store, ended):
    with store.start_run("flights") as other:
        pass
    run = store.run(ended)
    before = time.time_ns() // 1000 * 1000
    run.delete()
    assert before <= run.deleted_at <= time.time_ns()
    assert ids(store.runs.readable()) == [other.id]
    assert ids(store.runs.readable(deleted=True)) == [ended, other.id]
    assert ids(store.runs) == [ended, other.id]
    assert store.run(ended).deleted_at == run.deleted_at
    store.run(ended).restore()
    assert store.run(ended).deleted_at is None
    assert ids(store.runs.readable("flights")) == [ended, other.id]


def test_a_run_that_is_deleted_while_it_runs_goes_on(store):
    with store.start_run("flights") as run:
        run.log_metric("loss", 1)
        store.run(run.id).delete()
        run.log_metric("loss", 0.5)
        run.log_text("text", "a.txt")
    read = store.run(run.id)
    assert (read.status, read.summary, read.deleted_at is None) == (
        "FINISHED",
        {"loss": 0.5},
        False,
    )
    assert list(store.verify()) == []


# Damage


def damage(store, run_id):
    (name,) = edit_files(store, run_id)
    path = f"runs/{run_id}/{name}"
    data = bytearray(store._storage.read(path))
    data[30] ^= 1
    store._storage.write(path, bytes(data))
    return path


def test_a_damaged_edit_is_named_by_verify_and_left_out_of_searches(store, ended):
    store.run(ended).note("later")
    path = damage(store, ended)
    (problem,) = store.verify()
    assert (problem.path, problem.hurts) == (path, (f"run {ended}",))
    with pytest.raises(Corrupt):
        store.run(ended).check()
    with pytest.warns(DamagedRunWarning, match=ended):
        assert ids(store.runs.readable()) == []


def test_a_run_with_a_damaged_edit_can_be_deleted(store, ended):
    store.run(ended).note("later")
    damage(store, ended)
    store.run(ended).delete()
    assert store.run(ended).deleted_at is not None
    assert ids(store.runs.readable()) == []


@pytest.mark.parametrize(
    "wrong",
    [{"at": 1}, {"at": "x"}, {"user": None}, {"id": []}]
    + [{name: 1} for name in ("tags", "note", "name", "deleted")]
    + [{"tags": {"a": 1}}],
    ids=repr,
)
def test_an_edit_of_an_impossible_shape_is_damage(store, ended, wrong):
    body = {"id": ended, "at": "2026-01-31T12:00:00.000000Z", "user": "ann", **wrong}
    path = f"runs/{ended}/edit-{uuid7(time.time_ns())}.json"
    store._storage.write(path, encode_document("run_edit", body))
    with pytest.raises(Corrupt, match="no usable field"):
        store.run(ended).check()
    assert [problem.path for problem in store.verify()] == [path]


@pytest.mark.parametrize("name", ["edit", "run.json", "end.json"])
def test_a_document_of_another_run_is_damage_and_nothing_it_says_counts(store, ended, name):
    with store.start_run("flights") as other:
        pass
    store.run(other.id).delete()
    (found,) = [place for place in files_of(store, other.id) if place.name.startswith(name)]
    shutil.copy(found, found.parent.parent / ended)
    assert [problem.path.rpartition("/")[2] for problem in store.verify()] == [found.name]
    for end in found.parent.parent.joinpath(ended).glob("end.json") if name == "run.json" else ():
        end.unlink()  # it tells the beginning too
    with pytest.raises(Corrupt, match="moved or copied"):
        store.run(ended).check()


def test_fields_of_later_versions_are_passed_over(store, ended):
    body = {"id": ended, "at": "2026-01-31T12:00:00.000000Z", "user": "ann", "colour": "red"}
    path = f"runs/{ended}/edit-{uuid7(time.time_ns())}.json"
    store._storage.write(path, encode_document("run_edit", body))
    store.run(ended).check()


def test_other_files_of_such_names_are_no_edits(store, ended):
    for name in ("edit-1.json", "edit-.json", "edit.json"):
        store._storage.write(f"runs/{ended}/{name}", b"?")
    assert store.run(ended).name == "first"


# Death


def edit_and_die(store, run_id, death):
    """Edit a run in a process that is killed before one of its writes; give how it ended."""
    pid = os.fork()
    if pid == 0:
        numbers, real = itertools.count(), LocalStorage.write

        def deadly(*args, **options):
            if next(numbers) == death:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **options)

        LocalStorage.write = deadly
        store.run(run_id).set_tags(edited=death)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize(
    ("death", "marks", "happened"), [(0, 0, False), (1, 1, False), (2, 1, True), (3, 2, True)]
)
def test_an_editor_may_die_at_any_write_and_what_happened_is_marked(
    store, ended, death, marks, happened
):
    assert edit_and_die(store, ended, death) == (0 if death == 3 else -signal.SIGKILL)
    pending = Changes(store._storage).pending()
    assert len(pending.get(ended, [])) == marks
    assert ("edited" in store.run(ended).tags) is happened
    for paths in pending.values():
        Changes(store._storage).forget(paths)
    assert bool(Changes(store._storage).pending()) is (death in (1, 2))
    assert list(store.verify()) == []


# Goals


def test_goals_are_read_while_the_run_lives_and_after_it_ended(store):
    with store.start_run("flights") as run:
        run.set_goals(auc="max", loss="max")
        run.set_goals({"loss": "min"})
        assert store.run(run.id).goals == {"auc": "max", "loss": "min"}
    assert store.run(run.id).goals == {"auc": "max", "loss": "min"}
    end = json.loads(store._storage.read(f"runs/{run.id}/end.json"))
    assert end["goals"] == {"auc": "max", "loss": "min"}


@pytest.mark.parametrize("wrong", [{"auc": "best"}, {"auc": None}, {"auc": 1}, {"": "max"}, "auc"])
def test_a_goal_is_max_or_min_and_else_nothing_is_kept(store, wrong):
    with store.start_run("flights") as run, pytest.raises(InvalidInput):
        run.set_goals(wrong)
    assert store.run(run.id).goals == {}


def test_goals_that_only_later_versions_know_are_passed_over(store):
    with store.start_run("flights") as run:
        run._event("goals", {"values": {"auc": "max", "loss": {"near": 0}, "f1": 3}})
    assert store.run(run.id).goals == {"auc": "max"}


def test_a_run_without_goals_has_none(store, ended):
    assert store.run(ended).goals == {}


def test_an_edit_of_a_run_that_isnt_there_raises(store):
    with pytest.raises(MlkitError):
        store.run("0190f7a5-1c3b-7c5e-8f00-1234567890ab").note("x")
