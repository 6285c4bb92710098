"""What tests of the care of a store need: old objects, storages with hooks, whole stores."""

import os
import threading
import time

import pytest

import mlkit
from mlkit.storage.wrapped import WrappedStorage

DAY = 24 * 3600 * 1_000_000_000


class Hooked(WrappedStorage):
    """Calls a hook before or after each operation: `hook(moment, verb, path)`."""

    def __init__(self, inner, hook):
        super().__init__(inner)
        self.hook = hook

    def _do(self, verb, path, act):
        self.hook("before", verb, path)
        done = act()
        self.hook("after", verb, path)
        return done

    def stat(self, path):
        return self._do("stat", path, lambda: self._inner.stat(path))

    def write(self, path, data, *, durable=False):
        return self._do("write", path, lambda: self._inner.write(path, data, durable=durable))

    def create(self, path, data, *, durable=True):
        return self._do("create", path, lambda: self._inner.create(path, data, durable=durable))

    def delete(self, path):
        return self._do("delete", path, lambda: self._inner.delete(path))


class Point:
    """A point at which a thread stops until it is told to go on."""

    def __init__(self):
        self.reached, self.go = threading.Event(), threading.Event()

    def stop(self):
        self.reached.set()
        assert self.go.wait(60)


@pytest.fixture
def store(tmp_path):
    return mlkit.Store(tmp_path / "store")


@pytest.fixture
def age(tmp_path):
    """Make what lies in the store so many days old."""

    def make_old(days, below="", store="store"):
        moment = time.time_ns() - int(days * DAY)
        root = tmp_path / store
        for place in [*root.joinpath(below).rglob("*"), *root.glob(".tmp*/*")]:
            if place.is_file():
                os.utime(place, ns=(moment, moment))

    return make_old


@pytest.fixture
def full(store, tmp_path):
    """A store with a little of everything."""
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        (tmp_path / "pictures" / f"{number}.bin").write_bytes(os.urandom(3000))
    store.log_dataset("flights", {"carrier": ["UA", "AA"], "delay": [3.5, None]})
    with store.start_run("flights", name="first") as run:
        run.use_dataset("flights:1")
        run.log_params(depth=6)
        run.log_metrics({"auc": 0.8}, step=1)
        run.log_text("report", "report.txt")
        run.log_dataset("pictures", tmp_path / "pictures")
        run.log_model({"mean": 12.5}, "delay", input_example={"distance": [1.0, 2.0]})
    with store.start_run("weather") as other:
        other.log_text("rain", "rain.txt")
    store.models["delay"].promote(1, "prod", reason="the first")
    return store


@pytest.fixture
def paths():
    """Give the paths of all objects of a store but its own document and its index."""

    def listed(store):
        found = (entry.path for entry in store._storage.list())
        return {path for path in found if not path.startswith(("tables/", "mlkit.json"))}

    return listed


@pytest.fixture
def hooked():
    """Give the storage that calls a hook around each operation."""
    return Hooked


@pytest.fixture
def point():
    """Give what makes a point at which a thread stops."""
    return Point
