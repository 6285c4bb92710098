"""Lists of runs: never older than the folder, and made again only where they may be."""

import os
import shutil

import pytest

from mlkit._core.ids import uuid7
from mlkit.index import listing
from mlkit.index.listing import Listing
from mlkit.store.store import Store


class Process:
    """What a process has: a listing of its own; it counts how often the folder was listed."""

    def __init__(self, store, place):
        self.listed = 0
        self._runs = store.runs
        self._listing = Listing(self, store._storage, place)

    def ids(self):
        self.listed += 1
        return self._runs.ids()

    def see(self):
        return self._listing.ids().to_pylist()


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "KEPT_FROM", 2)
    store = Store(tmp_path / "store")
    for _ in range(3):
        with store.start_run("flights"):
            pass
    return store


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "store" / "runs"


@pytest.fixture
def place(tmp_path):
    return tmp_path / "memory" / "run-ids"


@pytest.fixture
def process(store, place):
    return lambda: Process(store, place)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def grow_old(folder):
    """Let the folder's last change be an hour ago."""
    hour_ago = folder.stat().st_mtime_ns - 3600 * 10**9
    os.utime(folder, ns=(hour_ago, hour_ago))


def test_a_folder_that_hasnt_changed_for_long_is_listed_once(process, folder):
    grow_old(folder)
    one = process()
    assert one.see() == one.see() == names(folder)
    assert one.listed == 1


def test_a_folder_that_has_just_changed_is_listed_each_time(process, place):
    one = process()
    assert one.see() == one.see()
    assert one.listed == 2
    assert not place.exists()


def test_another_process_takes_over_the_list(process, folder):
    grow_old(folder)
    seen, other = process().see(), process()
    assert other.see() == other.see() == seen
    assert other.listed == 0


def test_a_run_that_came_or_went_is_seen_by_all(process, folder):
    grow_old(folder)
    known = process()
    before = known.see()
    new = uuid7(10**18)
    (folder / new).mkdir()
    for one in (known, process()):
        assert one.see() == [new, *before]
    shutil.rmtree(folder / before[0])
    for one in (known, process()):
        assert one.see() == [new, *before[1:]]


@pytest.mark.parametrize("length", [0, 1, 40, -1])
def test_a_list_that_was_cut_is_made_again(process, folder, place, length):
    grow_old(folder)
    seen = process().see()
    place.write_bytes(place.read_bytes()[:length])
    assert process().see() == seen


def test_a_list_that_was_changed_is_made_again(process, folder, place):
    grow_old(folder)
    seen = process().see()
    place.write_bytes(place.read_bytes()[:-1] + b"0")
    assert process().see() == seen


def test_a_list_of_another_folder_is_not_taken(process, folder, tmp_path):
    grow_old(folder)
    seen = process().see()
    changed_at = folder.stat().st_mtime_ns
    folder.rename(tmp_path / "old")
    shutil.copytree(tmp_path / "old", folder)
    shutil.rmtree(folder / seen[0])
    os.utime(folder, ns=(changed_at, changed_at))
    assert process().see() == seen[1:]


def test_a_list_that_cant_be_kept_is_done_without(process, folder, place):
    grow_old(folder)
    place.parent.write_bytes(b"")
    assert process().see() == process().see() == names(folder)
