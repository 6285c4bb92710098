"""Promises about death while runs are folded: at any write, and afterwards all is there once.

Death is a storage that does nothing any more, from before or after one of its writes on, so that
no cleaning up can help.
"""

import shutil
import warnings
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from mlkit.errors import StorageFault
from mlkit.storage.wrapped import WrappedStorage
from mlkit.store.store import Store

WRITES = ("write", "create", "delete")
READS = ("read", "list", "children", "stat")


class DeadError(BaseException):
    """The process is no more."""


class Mortal(WrappedStorage):
    """A storage whose process dies at one of its writes: before it, or when it is done."""

    at = None
    when = "before"
    done = -1
    dead = False

    def _act(self, name, *args, **options):
        if self.dead:
            raise DeadError
        mine = False
        if name in WRITES:
            self.done += 1
            mine = self.done == self.at
        if mine and self.when == "before":
            self.dead = True
            raise DeadError
        answer = getattr(self._inner, name)(*args, **options)
        if mine:
            self.dead = True
            raise DeadError
        return answer


class Faulty(WrappedStorage):
    """A storage of which one operation fails: before it did anything, or when it was done."""

    at = None
    when = "before"
    done = -1

    def _act(self, name, *args, **options):
        self.done += self.when == "before" or name in WRITES  # a read does nothing that stays
        if self.done != self.at or (self.when == "after" and name not in WRITES):
            return getattr(self._inner, name)(*args, **options)
        if self.when == "after":
            getattr(self._inner, name)(*args, **options)
        raise StorageFault(f"{name} {args[:1]} failed")


def _passing(name):
    return lambda self, *args, **options: self._act(name, *args, **options)


for kind in (Mortal, Faulty):
    for operation in (*WRITES, *READS):
        setattr(kind, operation, _passing(operation))


def opened(place, kind=None, **how):
    """Open a store, and wrap its storage once it is open."""
    store = Store(place)
    if kind is not None:
        store._storage = kind(store._storage)
        for name, value in how.items():
            setattr(store._storage, name, value)
    return store


def log(store, number, *, resume=None):
    with store.start_run("e", resume=resume) as run:
        run.log_params(number=number, **{f"p{number % 3}": number})
        for step in range(number % 4):
            run.log_metrics({"loss": step / 2, "auc": float(number)}, step=step)
    return run.id


def first_fold(place):
    store = Store(place)
    for number in range(4):
        log(store, number)
    return lambda store: store._index.folding().fold()


def second_fold(place):
    """Resumed, edited and removed runs, and new ones, beside folded ones."""
    store = Store(place)
    ids = [log(store, number) for number in range(8)]
    store.compact()
    log(store, 7, resume=ids[1])
    store.run(ids[2]).set_tags(new="tag")
    store.run(ids[3]).delete()
    shutil.rmtree(place / "runs" / ids[4])
    log(store, 3)
    return lambda store: store._index.folding().fold()


def merge(place):
    store = Store(place)
    for number in range(11):
        log(store, 4 * number + 1)
        store._index.folding().fold()
    return lambda store: store._index.folding().compact()


def reindex(place):
    store = Store(place)
    for number in range(5):
        log(store, number)
    store.compact()
    return lambda store: store.reindex()


def reindex_damaged(place):
    act = reindex(place)
    for number in range(9):
        log(Store(place), number)
        Store(place)._index.folding().fold()
    for table in ("runs", "metrics", "summaries"):
        commit = max((place / "tables" / table / "_delta_log").glob("*.json"))
        commit.write_bytes(b"damaged")
    return act


SCENES = {
    "fold": first_fold,
    "fold again": second_fold,
    "merge": merge,
    "reindex": reindex,
    "reindex what is damaged": reindex_damaged,
}


@pytest.fixture(params=SCENES)
def scene(request, tmp_path, told, once):
    """A store that something is to be done to, as often as wanted."""
    return Scene(request.param, tmp_path, told, once)


class Scene:
    """What to do to a store, which is made once, and what must be true afterwards."""

    def __init__(self, name, folder, told, once):
        self.folder = folder
        self.told = told
        self.once = once
        self.damaged = "damaged" in name
        self.act = SCENES[name](folder / "scene")
        self.right = told(Store(folder / "scene")._index.see(tables=False))
        self.points = points_of(Store(folder / "scene"))
        self.copies = count()

    def copy(self):
        """Give a store as it was before."""
        return Path(shutil.copytree(self.folder / "scene", self.folder / f"{next(self.copies)}"))

    def sees_each_run_once(self, place):
        """Check what a process sees that comes to the store now."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if self.damaged else "error")
            assert Store(place)._index.trying(self.told) == self.right

    def is_made_good(self, store, place):
        """Check that whoever folds next has all that there is, once."""
        if self.damaged:
            store.reindex()
        else:
            store.compact()
        assert self.told(store._index.see()) == self.right
        assert store._index._changes.pending() == {}
        self.once(place, self.points)
        shutil.rmtree(place)


def points_of(store):
    """Give what the folders say: run id to key to number of points."""
    found = {}
    for run in store.runs:
        keys = run.metrics().column("key").to_pylist()
        found[run.id] = {key: keys.count(key) for key in keys}
    return found


@pytest.mark.parametrize("when", ["before", "after"])
def test_whoever_dies_at_any_write_leaves_each_run_and_each_point_once(scene, when):
    died, at = True, -1
    while died:
        at += 1
        place = scene.copy()
        try:
            scene.act(opened(place, Mortal, at=at, when=when))
        except DeadError:
            scene.sees_each_run_once(place)
        else:
            died = False
        scene.is_made_good(Store(place), place)
    assert at >= 6


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_fault_at_any_operation_is_told_and_the_next_fold_makes_it_good(scene, when):
    came, at = True, -1
    while came:
        at += 1
        place = scene.copy()
        store = opened(place, Faulty, at=at, when=when)
        with suppress(StorageFault):
            scene.act(store)
        came = store._storage.done >= at
        store._storage.at = None
        scene.is_made_good(store, place)
    assert at >= (20 if when == "before" else 6)


def test_a_fault_while_runs_are_looked_at_is_told_and_nothing_wrong_is_shown(tmp_path, told):
    place = tmp_path / "s"
    second_fold(place)
    right = told(Store(place)._index.see(tables=False))
    for at in count():
        store = opened(place, Faulty, at=at)
        try:
            seen = told(store._index.see())
        except StorageFault:
            came = True
        else:
            assert seen == right
            came = store._storage.done >= at
        store._storage.at = None
        assert told(store._index.see()) == right
        if not came:
            break
    assert at >= 20
