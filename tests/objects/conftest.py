"""Storages for the tests of objects, and a way to damage what lies in them."""

import itertools

import pytest

from mlkit.storage.local import LocalStorage
from mlkit.storage.memory import MemoryStorage

_numbers = itertools.count()


@pytest.fixture(params=["local", "memory"])
def storage(request, tmp_path):
    if request.param == "local":
        return LocalStorage(tmp_path / "store")
    return MemoryStorage(f"objects-{next(_numbers)}")


@pytest.fixture
def flip():
    """Flips one bit of an object."""

    def flip_bit(storage, path, bit=0):
        data = bytearray(storage.read(path))
        data[bit // 8 % len(data)] ^= 1 << bit % 8
        storage.write(path, bytes(data))

    return flip_bit
