"""Promise: when the disk of a store fails, training goes on and nothing that fits is lost."""

import errno
import json
import os
import shutil
import subprocess
import sys
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from mlkit.errors import StorageFault
from mlkit.store.store import Store
from mlkit.tracking.health import TrackingWarning

_PAGE = 4096
_MORE = 400
"""So many points don't fit into what is left of a full disk."""


@pytest.fixture
def mount():
    """Mounts memory as a disk of a size; whatever is mounted in the end is taken off."""
    mounted = []

    def mount(place, size="1m"):
        place.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place]
        try:
            done = subprocess.run(command, check=False, capture_output=True).returncode == 0
        except FileNotFoundError:
            done = False
        if not done:
            pytest.skip("NOT TESTED HERE: disks that fail; mounting a tmpfs needs root")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "-l", place], check=False, capture_output=True)


@contextmanager
def warned(match=""):
    """Gives the warnings of the block, which are all of tracking; one says what is looked for."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught
    assert [each.category for each in caught] == [TrackingWarning] * max(len(caught), 1)
    assert match in str(caught[0].message)


def _fill(place):
    """Take all the room that a disk has."""
    with (place / "filling").open("ab", buffering=0) as file, suppress(OSError):
        while file.write(bytes(_PAGE)):
            pass


def _free(place):
    (place / "filling").unlink()


def _values(store, run):
    return store.run(run.id).metrics("x").column("value").to_pylist()


def _lost(store, run):
    """Give what verify finds, without bytes that were cut short and are whole elsewhere."""
    problems = store.run(run.id).verify()
    return [str(problem) for problem in problems if ": 0 of " not in problem.what]


def _log(run, steps):
    for step in steps:
        run.log_metric("x", step, step=step)


# A full disk


def test_a_disk_that_fills_up_costs_one_warning_that_says_to_free_space(tmp_path, mount):
    disk = mount(tmp_path / "disk")
    store = Store(disk / "store")
    run = store.start_run("full")
    _log(run, range(10))
    _fill(disk)
    with warned("Free some space") as caught:
        _log(run, range(10, _MORE))
        run.log_text("kept", "a.txt")
        run.set_tags(a=1)
        run.flush()
        run.finish()
    assert len(caught) == 1
    assert run.health.dropped == 0
    assert run.health.kept > _MORE - 10 - _PAGE // 40
    assert run.health.spooled >= 3  # a segment, the artifact, the end


def test_what_a_full_disk_did_not_take_comes_once_when_there_is_room(tmp_path, mount):
    disk = mount(tmp_path / "disk")
    store = Store(disk / "store")
    run = store.start_run("full")
    _log(run, range(10))
    _fill(disk)
    with warned():
        _log(run, range(10, _MORE))
        run.log_text("kept", "a.txt")
        run.finish()
    _free(disk)
    assert store.sync() >= 3
    assert store.sync() == 0
    assert _values(store, run) == list(range(_MORE))
    read = store.run(run.id)
    assert read.artifact("a.txt").text() == "kept"
    assert (read.status, read.summary) == ("FINISHED", {"x": _MORE - 1})
    assert (read.health["kept"], read.health["dropped"]) == (run.health.kept, 0)
    assert read.health["spooled"] >= 2  # what it counted before its end was put there too
    assert _lost(store, run) == []


@pytest.mark.parametrize("how", ["flush", "finish"])
def test_once_there_is_room_the_run_itself_brings_everything(tmp_path, mount, how):
    disk = mount(tmp_path / "disk")
    store = Store(disk / "store")
    run = store.start_run("full")
    _fill(disk)
    with warned():
        _log(run, range(_MORE))
    _free(disk)
    getattr(run, how)()
    assert _values(store, run) == list(range(_MORE))
    if how == "flush":
        _log(run, range(_MORE, _MORE + 5))
        assert _values(store, run)[-1] == _MORE + 4  # it writes to the store again
        run.finish()
    assert store.run(run.id).status == "FINISHED"
    assert store.sync() == 0
    assert _lost(store, run) == []


def test_a_run_that_starts_on_a_full_disk_is_kept_whole(tmp_path, mount):
    disk = mount(tmp_path / "disk")
    store = Store(disk / "store")
    _fill(disk)
    with warned("Free some space") as caught:
        run = store.start_run("full", tags={"a": 1})
        _log(run, range(_MORE))
        run.finish()
    assert len(caught) == 1
    _free(disk)
    assert store.sync() >= 3
    assert store.run(run.id).tags == {"a": "1"}
    assert _values(store, run) == list(range(_MORE))


def test_when_store_and_outbox_are_full_what_is_lost_is_counted_and_the_rest_is_whole(
    tmp_path, mount, monkeypatch
):
    disk, other = mount(tmp_path / "disk"), mount(tmp_path / "other")
    monkeypatch.setenv("MLKIT_SPOOL", str(other / "spool"))
    store = Store(disk / "store")
    run = store.start_run("full")
    _log(run, range(10))
    _fill(disk)
    _fill(other)
    with warned() as caught:
        _log(run, range(10, _MORE))
        run.log_text("lost", "a.txt")
        _log(run, range(_MORE, _MORE + 10))
        run.finish()
    assert len(caught) == 1
    assert run.summary == {"x": _MORE + 9}
    _free(disk)
    _free(other)
    store.sync()
    kept = _values(store, run)
    assert kept == list(range(len(kept)))  # what fitted comes first, in order, without holes
    assert 10 <= len(kept) < _MORE
    lost = _MORE + 10 - len(kept)
    assert run.health.dropped >= lost
    assert store.run(run.id).params == {}


def test_a_run_whose_beginning_and_end_are_lost_counts_them(tmp_path, mount, monkeypatch):
    disk, other = mount(tmp_path / "disk"), mount(tmp_path / "other")
    monkeypatch.setenv("MLKIT_SPOOL", str(other / "spool"))
    store = Store(disk / "store")
    _fill(disk)
    _fill(other)
    with warned() as caught:
        run = store.start_run("full")
        assert run.health.dropped == 1
        run.finish()
    assert len(caught) == 1
    assert run.health.dropped == 2


def test_after_both_were_full_a_run_goes_on_where_there_is_room(tmp_path, mount, monkeypatch):
    disk, other = mount(tmp_path / "disk"), mount(tmp_path / "other")
    monkeypatch.setenv("MLKIT_SPOOL", str(other / "spool"))
    store = Store(disk / "store")
    run = store.start_run("full")
    _log(run, range(10))
    _fill(disk)
    _fill(other)
    with warned():
        _log(run, range(10, _MORE))
    _free(disk)
    _free(other)
    dropped = run.health.dropped
    run.flush()
    _log(run, range(_MORE, _MORE + 10))
    run.finish()
    assert run.health.dropped == dropped
    assert _values(store, run)[-10:] == list(range(_MORE, _MORE + 10))
    assert _lost(store, run) == []


def test_a_full_disk_leaves_no_open_files_and_no_pieces_in_the_outbox(tmp_path, mount, monkeypatch):
    disk, other = mount(tmp_path / "disk"), mount(tmp_path / "other")
    monkeypatch.setenv("MLKIT_SPOOL", str(other / "spool"))
    store = Store(disk / "store")
    run = store.start_run("full")
    _fill(disk)
    _fill(other)
    with warned():
        _log(run, range(_MORE))
        for _ in range(5):  # each tries both again
            run.flush()
            _log(run, range(5))
    opened = [str(file.readlink()) for file in Path("/proc/self/fd").iterdir() if file.exists()]
    assert [name for name in opened if name.endswith((".seg", ".tmp"))] == []
    assert list(other.rglob("*.tmp")) == []
    run.finish()


def test_a_strict_run_raises_when_the_disk_is_full_and_is_whole_when_it_goes_on(tmp_path, mount):
    disk = mount(tmp_path / "disk")
    store = Store(disk / "store", strict=True)
    run = store.start_run("strict")
    _log(run, range(10))
    _fill(disk)
    with pytest.raises(StorageFault, match="Free some space"):
        _log(run, range(10, _MORE))
    with pytest.raises(StorageFault):
        run.log_text("a", "a.txt")
    _free(disk)
    taken = len(_values(store, run))
    _log(run, range(taken, taken + 10))
    run.finish()
    assert _values(store, run) == list(range(taken + 10))


# A folder that can't be written to

READ_ONLY = """
import concurrent.futures.thread, os, sys, warnings  # what another user may not be able to load
from pathlib import Path
import mlkit

def begin(store):
    run = store.start_run("refused")
    run.log_metric("x", 0)
    return run

def go_on(run):
    run.log_metric("x", 1)
    run.flush()
    run.log_metric("x", 2)
    run.log_text("kept", "a.txt")
    run.finish()

def show(store, run):
    store.sync()
    read = store.run(run.id)
    print(read.metrics("x").column("value").to_pylist(), read.status, list(read.verify()))
    print(read.artifact("a.txt").text())

base = Path(sys.argv[1])
rehearsed = mlkit.Store("rehearsal")  # what another user can't import is imported
run = begin(rehearsed)
go_on(run)
show(rehearsed, run)

os.setgroups([])
os.setegid(12345)
os.seteuid(12345)
store = mlkit.Store(base / "store")
run = begin(store)
folders = [base / "store" / name for name in ("runs/" + run.id, "runs", ".tmp", "")]
for folder in folders:
    folder.chmod(0o500)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    go_on(run)  # its file was open before; what it keeps is refused
    other = begin(store)
    go_on(other)
for each in caught:
    print(each.category.__name__, "heck the permissions" in str(each.message))
print(run.health.dropped, other.health.dropped, other.health.kept, store._courier._failed)
for folder in folders:
    folder.chmod(0o700)
show(store, run)
show(store, other)
"""


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="NOT TESTED HERE: only root can be another",
)
def test_a_folder_that_became_read_only_loses_nothing_and_is_not_tried_in_vain(tmp_path):
    base = tmp_path.resolve()
    own = base / "own"
    own.mkdir()
    os.chown(own, 12345, 12345)
    for folder in (base, *base.parents):
        if folder != folder.parent and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    environment = {**os.environ, "MLKIT_SPOOL": str(own / "spool")}
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, own],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    whole = ["[0.0, 1.0, 2.0] FINISHED []", "kept"]
    assert said[:2] == said[5:7] == said[7:] == whole
    assert said[2:4] == ["TrackingWarning True"] * 2
    dropped, others, kept, tries = map(int, said[4].split())
    assert (dropped, others, tries) == (0, 0, 1)  # a refusal is believed at once
    assert kept > 0


def test_a_disk_that_is_remounted_read_only_loses_nothing(tmp_path, mount):
    disk = mount(tmp_path / "disk")
    store = Store(disk / "store")
    run = store.start_run("refused")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with warned("Read-only file system") as caught:
        _log(run, range(10))
        run.log_text("kept", "a.txt")
        run.finish()
    assert len(caught) == 1
    assert run.health.dropped == 0
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    assert store.sync() == 3
    assert _values(store, run) == list(range(10))
    assert store.run(run.id).status == "FINISHED"


# A mount that vanishes


def test_a_mount_that_vanishes_before_a_record_gets_nothing_written_beneath_it(tmp_path, mount):
    disk = mount(tmp_path / "disk")
    copy = tmp_path / "copy"
    store = Store(disk)
    run = store.start_run("gone")
    shutil.copytree(disk, copy, dirs_exist_ok=True)
    subprocess.run(["umount", "-l", disk], check=True)
    with warned("Mount its folder again") as caught:
        _log(run, range(10))
        run.log_text("kept", "a.txt")
        run.flush()
        run.finish()
    assert len(caught) == 1
    assert list(disk.iterdir()) == []
    with pytest.raises(StorageFault, match="Mount its folder again"):
        store.sync()
    mount(disk)
    shutil.copytree(copy, disk, dirs_exist_ok=True)
    assert store.sync() == 3
    assert _values(store, run) == list(range(10))
    assert store.run(run.id).artifact("a.txt").text() == "kept"
    assert _lost(store, run) == []


@pytest.mark.parametrize("noticed", ["heartbeat", "finish"])
def test_what_was_written_to_a_mount_that_vanished_is_saved(tmp_path, mount, noticed):
    disk = mount(tmp_path / "disk")
    copy = tmp_path / "copy"
    store = Store(disk)
    run = store.start_run("gone")
    shutil.copytree(disk, copy, dirs_exist_ok=True)
    _log(run, range(10))
    subprocess.run(["umount", "-l", disk], check=True)
    _log(run, range(10, 20))  # the open file takes it, though nobody can ever open it again
    with warned() as caught:
        if noticed == "heartbeat":
            run.heartbeat()
            _log(run, range(20, 30))
        run.finish()
    assert len(caught) == 1
    assert list(disk.iterdir()) == []
    mount(disk)
    shutil.copytree(copy, disk, dirs_exist_ok=True)
    store.sync()
    assert _values(store, run) == list(range(30 if noticed == "heartbeat" else 20))
    assert store.run(run.id).status == "FINISHED"
    assert _lost(store, run) == []


# Files that are deleted while they are written


@pytest.mark.parametrize("noticed", ["heartbeat", "flush", "finish"])
def test_a_segment_that_is_deleted_while_it_is_written_is_saved(tmp_path, noticed):
    store = Store(tmp_path / "store")
    run = store.start_run("deleted")
    _log(run, range(10))
    (segment,) = (tmp_path / "store").rglob("*.seg")
    segment.unlink()
    _log(run, range(10, 20))
    with warned("was deleted while it was written") as caught:
        if noticed != "finish":
            getattr(run, noticed)()
            _log(run, range(20, 30))
        run.finish()
    assert len(caught) == 1
    assert run.health.dropped == 0
    assert _values(store, run) == list(range(20 if noticed == "finish" else 30))
    assert store.run(run.id).status == "FINISHED"
    assert _lost(store, run) == []


@pytest.mark.parametrize("noticed", ["heartbeat", "finish"])
def test_a_run_whose_folder_is_deleted_in_the_middle_is_whole_again(tmp_path, noticed):
    store = Store(tmp_path / "store")
    run = store.start_run("deleted", tags={"a": 1})
    _log(run, range(10))
    shutil.rmtree(tmp_path / "store" / "runs" / run.id)
    with warned() as caught:
        if noticed == "heartbeat":
            run.heartbeat()
        run.finish()
    assert len(caught) == 1
    read = store.run(run.id)
    assert (read.status, read.tags) == ("FINISHED", {"a": "1"})
    assert _values(store, run) == list(range(10))
    assert _lost(store, run) == []


def test_a_store_that_is_deleted_in_the_middle_waits_in_the_outbox_until_it_is_back(tmp_path):
    store = Store(tmp_path / "store")
    root = (tmp_path / "store" / "mlkit.json").read_bytes()
    run = store.start_run("deleted")
    _log(run, range(10))
    shutil.rmtree(tmp_path / "store")
    with warned():
        run.heartbeat()
        _log(run, range(10, 20))
        run.log_text("kept", "a.txt")
        run.finish()
    assert not (tmp_path / "store").exists()
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "mlkit.json").write_bytes(root)
    store.sync()
    assert _values(store, run) == list(range(20))
    assert store.run(run.id).artifact("a.txt").text() == "kept"
    assert _lost(store, run) == []


def test_an_outbox_that_is_deleted_while_it_is_written_to_costs_nothing(tmp_path, hermetic, mount):
    disk = mount(tmp_path / "disk")
    store = Store(disk / "store")
    _fill(disk)
    with warned():
        run = store.start_run("deleted")
        run.log_metric("x", 0)
        shutil.rmtree(hermetic / "spool")
        run.log_metric("x", 1)
        run.heartbeat()
        run.log_metric("x", 2)
        _free(disk)
        run.finish()
    assert run.health.dropped == 0
    assert list((disk / "store").rglob("*.seg")) != []
    assert run.health.kept >= 3


@pytest.mark.parametrize("how", ["the store can't be looked at", "the folder can't be looked at"])
def test_a_file_that_cannot_be_looked_for_is_not_taken_for_deleted(tmp_path, monkeypatch, how):
    def refuse(*_args):
        raise StorageFault("stale file handle") if "store" in how else PermissionError

    store = Store(tmp_path / "store")
    run = store.start_run("hidden")
    run.log_metric("x", 1)
    with monkeypatch.context() as patch:
        if "store" in how:
            patch.setattr("mlkit.storage.local.LocalStorage.local_path", refuse)
        else:
            patch.setattr("pathlib.Path.stat", refuse)
        run._journal.look()
    run.finish()
    assert run.health.faults == 0
    assert len(list((tmp_path / "store").rglob("*.seg"))) == 1


# A disk that gives errors


def test_a_disk_that_gives_input_output_errors_loses_nothing(tmp_path, monkeypatch):
    store = Store(tmp_path / "store")
    run = store.start_run("broken")
    _log(run, range(10))

    def broken(_data):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(run._journal._segment, "_write", broken)
    with warned("Look whether the disk or mount") as caught:
        _log(run, range(10, 20))
        run.finish()
    assert len(caught) == 1
    assert _values(store, run) == list(range(20))
    end = json.loads((tmp_path / "store" / "runs" / run.id / "end.json").read_bytes())
    assert end["health"]["kept"] >= 10
    assert end["health"]["dropped"] == 0


def test_a_healthy_run_warns_of_nothing(tmp_path):
    store = Store(tmp_path / "store")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = store.start_run("healthy")
        _log(run, range(10))
        run.heartbeat()
        run.flush()
        run.finish()
    assert run.health.to_json() == {
        "faults": 0,
        "spooled": 0,
        "kept": 0,
        "dropped": 0,
        "last_fault": "",
    }
