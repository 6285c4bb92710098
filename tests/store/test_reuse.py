"""A version looks, once it is published, whether what it reused is still there."""

import itertools
import os

import pytest

from mlkit._core.clock import now_ns
from mlkit.data.datasets import Datasets
from mlkit.models.registry import Models
from mlkit.objects.age import GRACE
from mlkit.objects.blobs import Blobs
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.wrapped import WrappedStorage

_numbers = itertools.count()


class Snatching(WrappedStorage):
    """Loses what was written again, in the moment in which the version is published."""

    def __init__(self, inner):
        super().__init__(inner)
        self.again = set()
        self.there = {entry.path for entry in inner.list()}

    def write(self, path, data, *, durable=False):
        super().write(path, data, durable=durable)
        if path in self.there:
            self.again.add(path)

    def create(self, path, data, *, durable=True):
        super().create(path, data, durable=durable)
        for lost in self.again:
            self._inner.delete(lost)


def aged_contents(storage):
    """Give the storage with its whole files only, as a commit that failed would have left it."""
    for entry in list(storage.list()):
        if not entry.path.startswith(("blobs/", "packs/")):
            storage.delete(entry.path)
    return Snatching(storage)


def later():
    return now_ns() + GRACE


@pytest.mark.parametrize("what", ["table", "folder"])
def test_a_dataset_gives_back_what_garbage_was_made_of_while_it_was_published(tmp_path, what):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(os.urandom(1000))
    data = {"a": [1, 2, 3]} if what == "table" else tmp_path / "folder"
    memory = MemoryStorage(f"reuse-{next(_numbers)}")
    Datasets(memory, cache=tmp_path / "cache").log("flights", data)
    storage = aged_contents(memory)
    version = Datasets(storage, cache=tmp_path / "cache", clock=later).log("flights", data)
    assert len(storage.again) == 2  # its pack and its manifest
    version.checkout(tmp_path / "out")
    assert all(memory.stat(path).size for path in storage.again)


def test_a_model_gives_back_what_garbage_was_made_of_while_it_was_published():
    memory = MemoryStorage(f"reuse-{next(_numbers)}")
    Models(memory, Blobs(memory), trusted=True).save("delay", {"mean": 12.5})
    storage = aged_contents(memory)
    models = Models(storage, Blobs(storage, clock=later), trusted=True)
    models.save("delay", {"mean": 12.5})
    assert storage.again
    assert models.load("delay").model == {"mean": 12.5}
