"""Datasets in memory and on disk, for the tests of this room."""

import itertools

import pytest

from mlkit.data.datasets import Datasets
from mlkit.storage.local import LocalStorage
from mlkit.storage.memory import MemoryStorage

_numbers = itertools.count()


@pytest.fixture(params=["local", "memory"])
def storage(request, tmp_path):
    if request.param == "local":
        return LocalStorage(tmp_path / "store")
    return MemoryStorage(f"data-{next(_numbers)}")


@pytest.fixture
def memory():
    """A storage in memory, where one is enough."""
    return MemoryStorage(f"data-{next(_numbers)}")


@pytest.fixture
def open_datasets(tmp_path):
    """Opens the datasets of a storage, at a time that stands still."""

    def open_them(storage, **options):
        options = {"clock": lambda: 1_700_000_000_000_000_000, "user": "ann", **options}
        return Datasets(storage, cache=tmp_path / "cache", **options)

    return open_them


@pytest.fixture
def datasets(memory, open_datasets):
    return open_datasets(memory)


@pytest.fixture
def folder(tmp_path):
    """A folder with a few files at several depths."""
    root = tmp_path / "images"
    (root / "cats" / "old").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"alpha")
    (root / "cats" / "tom.png").write_bytes(b"tom" * 1000)
    (root / "cats" / "old" / "felix.png").write_bytes(b"felix" * 500_000)
    (root / "empty").write_bytes(b"")
    return root
