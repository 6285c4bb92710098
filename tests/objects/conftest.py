"""Storages for the tests of objects, and ways to fill, damage and read what lies in them."""

import itertools

import pytest

from mlkit.objects.pack_reading import PackReader
from mlkit.objects.pack_writer import PackWriter
from mlkit.objects.packs import ChunkRef
from mlkit.storage.local import LocalStorage
from mlkit.storage.memory import MemoryStorage

_numbers = itertools.count()


@pytest.fixture(params=["local", "memory"])
def storage(request, tmp_path):
    if request.param == "local":
        return LocalStorage(tmp_path / "store")
    return MemoryStorage(f"objects-{next(_numbers)}")


@pytest.fixture(scope="session")
def fresh():
    """Gives a new storage in memory, as often as it is asked."""
    return lambda: MemoryStorage(f"objects-{next(_numbers)}")


@pytest.fixture(scope="session")
def read_chunk():
    """Reads one chunk, checked."""
    return lambda storage, ref: next(PackReader(storage).stream([ref]))


@pytest.fixture
def flip():
    """Flips one bit of an object."""

    def flip_bit(storage, path, bit=0):
        data = bytearray(storage.read(path))
        data[bit // 8 % len(data)] ^= 1 << bit % 8
        storage.write(path, bytes(data))

    return flip_bit


@pytest.fixture(scope="session")
def put():
    """Stores chunks by a writer of their own, and gives where each lies."""

    def put_chunks(storage, chunks, known=None, **options):
        with PackWriter(storage, known, **options) as writer:
            places = [writer.add(chunk) for chunk in chunks]
            packs = writer.finish()
        return [
            ChunkRef(
                f"sha256:{place.digest.hex()}",
                place.size,
                f"sha256:{packs[place.pack].hex()}",
                place.offset,
            )
            for place in places
        ]

    return put_chunks
