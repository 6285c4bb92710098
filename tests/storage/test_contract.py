"""The contract over each storage that needs no server."""

import tempfile
import uuid

import fsspec
import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem
from hypothesis import HealthCheck, settings

from mlkit.storage.filesystem import FilesystemStorage
from mlkit.storage.local import LocalStorage
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.protocol import Capabilities
from mlkit.storage.readonly import ReadOnlyStorage
from mlkit.storage.wrapped import LimitedStorage
from mlkit.testing import (
    FaultyStorage,
    ReadingContract,
    ReadOnlyContract,
    StorageContract,
    StorageMachine,
)

BRIEF = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def fsspec_memory():
    return FilesystemStorage(fsspec.filesystem("memory"), f"/test-{uuid.uuid4()}")


class TestLocal(StorageContract):
    rounds = 20
    writers = 16

    @pytest.fixture
    def storage(self, tmp_path):
        return LocalStorage(tmp_path / "store")

    def another(self, storage):
        return LocalStorage(storage.url)


class TestMemory(StorageContract):
    @pytest.fixture
    def storage(self):
        return MemoryStorage(f"test-{uuid.uuid4()}")

    def another(self, storage):
        return MemoryStorage(storage.url.removeprefix("memory://"))


class TestFsspecMemory(StorageContract):
    @pytest.fixture
    def storage(self):
        return fsspec_memory()


class TestFsspecLocal(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path):
        return FilesystemStorage(LocalFileSystem(), str(tmp_path))


class TestFsspecFolder(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path):
        return FilesystemStorage(DirFileSystem(str(tmp_path), LocalFileSystem()), "", "dir://test")


class TestFaulty(StorageContract):
    @pytest.fixture
    def storage(self):
        return FaultyStorage(MemoryStorage(f"test-{uuid.uuid4()}"))


class TestLimited(StorageContract):
    """What the probe found less of, says so, and keeps the rest of the contract."""

    @pytest.fixture
    def storage(self):
        less = Capabilities(exclusive_create=False, append=False)
        return LimitedStorage(MemoryStorage(f"test-{uuid.uuid4()}"), less)


class TestReadOnly(ReadOnlyContract):
    @pytest.fixture
    def inner(self, tmp_path):
        return LocalStorage(tmp_path)

    @pytest.fixture
    def storage(self, inner):
        self.inner = inner
        return ReadOnlyStorage(inner)

    def fill(self, storage, path, data):
        del storage
        self.inner.write(path, data)


class TestLocalFilledByOthers(ReadingContract):
    """A store that was copied there by other tools reads as one that mlkit wrote."""

    @pytest.fixture
    def storage(self, tmp_path):
        return LocalStorage(tmp_path)

    def fill(self, storage, path, data):
        place = f"{storage.url}/{path}"
        LocalFileSystem(auto_mkdir=True).pipe_file(place, data)


class LocalMachine(StorageMachine):
    def make(self):
        return LocalStorage(tempfile.mkdtemp())


class MemoryMachine(StorageMachine):
    def make(self):
        return MemoryStorage(f"test-{uuid.uuid4()}")


class FsspecMachine(StorageMachine):
    def make(self):
        return fsspec_memory()


class FsspecLocalMachine(StorageMachine):
    keeps_empty_folders = True

    def make(self):
        return FilesystemStorage(LocalFileSystem(), tempfile.mkdtemp())


TestLocalMachine = LocalMachine.TestCase
TestMemoryMachine = MemoryMachine.TestCase
TestFsspecMachine = FsspecMachine.TestCase
TestFsspecLocalMachine = FsspecLocalMachine.TestCase
for machine in (TestLocalMachine, TestMemoryMachine, TestFsspecMachine, TestFsspecLocalMachine):
    machine.settings = BRIEF
del machine  # it would be collected again
