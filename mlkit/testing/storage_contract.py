"""What every storage promises, as a suite to subclass."""
# The name of a test says its promise:
# ruff: noqa: D102

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, cast

import pytest

from mlkit.errors import AlreadyExists, InvalidInput, NotFound, StorageFault
from mlkit.storage.probing import probe
from mlkit.storage.protocol import Storage
from mlkit.testing.reading_contract import NO_PATHS, ODD_NAMES, ReadingContract


class StorageContract(ReadingContract):
    """What every storage promises: whole objects, exclusive names, listings without delay.

    Subclass it and give the fixture `storage`. Where the storage declares that it can't create
    exclusively, or can't append, the tests of that check that it says so.

    Attributes:
        writers: How many threads race for one name.
        rounds: How many names they race for.
    """

    writers = 8
    rounds = 10

    def another(self, storage: Storage) -> Storage:
        """Give a second instance on the same place, as another process would have."""
        return storage

    def test_a_second_instance_sees_what_the_first_wrote(self, storage: Storage) -> None:
        other = self.another(storage)
        assert storage.children("a") == other.children("a") == []
        storage.write("a/b", b"1")
        assert other.read("a/b") == b"1"
        assert [entry.path for entry in other.list("a")] == ["a/b"]
        other.write("a/c", b"22")
        assert storage.children("a") == ["b", "c"]
        other.write("a/b", b"333")
        assert [entry.size for entry in storage.list("a")] == [3, 2]
        assert storage.stat("a/b").size == len(b"333")
        other.delete("a/b")
        assert storage.children("a") == ["c"]
        with pytest.raises(NotFound):
            storage.stat("a/b")

    def test_a_write_replaces_what_was_there(self, storage: Storage) -> None:
        storage.write("name", b"a longer body")
        storage.write("name", b"short", durable=True)
        assert storage.read("name") == b"short"

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
    def test_a_write_takes_bytes_of_any_kind(
        self, storage: Storage, kind: Callable[[bytes], Any]
    ) -> None:
        storage.write("name", kind(b"hello"))
        assert storage.read("name") == b"hello"

    def test_a_write_reads_a_stream_to_its_end(self, storage: Storage) -> None:
        body = bytes(range(256)) * 100_000
        storage.write("streamed", cast("BinaryIO", _Stream(body, step=99_991)))
        storage.write("empty", io.BytesIO())
        assert storage.read("streamed") == body
        assert storage.read("empty") == b""

    @pytest.mark.parametrize("size", [0, 10, 20_000_000])
    def test_a_stream_that_breaks_leaves_nothing(self, storage: Storage, size: int) -> None:
        storage.write("kept", b"before")
        for path in ("new", "kept"):
            broken = _Stream(b"x" * size, step=9_999_991, breaks=True)
            with pytest.raises(OSError, match="the stream broke"):
                storage.write(path, cast("BinaryIO", broken))
        assert storage.read("kept") == b"before"
        assert [entry.path for entry in storage.list()] == ["kept"]

    def test_a_reader_sees_one_whole_body_or_the_other(self, storage: Storage) -> None:
        bodies = [bytes([letter]) * 300_000 for letter in b"abcd"]
        storage.write("name", bodies[0])
        done = threading.Event()

        def write() -> None:
            try:
                for index in range(20):
                    storage.write("name", bodies[index % 4])
            finally:
                done.set()

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            other = self.another(storage)
            while not done.is_set():
                assert other.read("name") in bodies
            writing.result()

    def test_creating_takes_a_new_name(self, storage: Storage) -> None:
        storage.create("folder/name", b"mine", durable=False)
        storage.create("folder/empty", b"")
        assert storage.read("folder/name") == b"mine"
        assert storage.read("folder/empty") == b""

    @pytest.mark.parametrize("first", [b"theirs", b""])
    def test_creating_a_name_that_is_taken_is_refused(self, storage: Storage, first: bytes) -> None:
        storage.create("name", first)
        with pytest.raises(AlreadyExists, match="'name' exists already"):
            self.another(storage).create("name", b"mine")
        storage.write("written", b"theirs")
        with pytest.raises(AlreadyExists):
            storage.create("written", b"mine", durable=False)
        assert storage.read("name") == first
        assert storage.read("written") == b"theirs"

    def test_creating_the_same_again_succeeds(self, storage: Storage) -> None:
        storage.create("name", b"mine")
        storage.create("name", b"mine")
        assert storage.read("name") == b"mine"

    def test_of_many_that_create_one_name_one_wins(self, storage: Storage) -> None:
        if not storage.capabilities.exclusive_create:
            assert not probe(storage).exclusive_create
            return
        storages = [self.another(storage) for _ in range(self.writers)]
        for number in range(self.rounds):
            path = f"race/{number}"
            start = threading.Barrier(self.writers)

            def create(writer: int, path: str = path, start: threading.Barrier = start) -> bool:
                start.wait()
                try:
                    storages[writer].create(path, f"writer {writer}".encode())
                except AlreadyExists:
                    return False
                return True

            with ThreadPoolExecutor(self.writers) as pool:
                won = list(pool.map(create, range(self.writers)))
            assert won.count(True) == 1
            assert storage.read(path) == f"writer {won.index(True)}".encode()
        assert len(storage.children("race")) == self.rounds

    def test_deleting_removes_that_object_only(self, storage: Storage) -> None:
        for path in ("a/b", "a/bc", "a/b.d", "e*", "ef"):
            storage.write(path, b"x")
        storage.delete("a/b")
        storage.delete("e*")
        assert [entry.path for entry in storage.list()] == ["a/b.d", "a/bc", "ef"]
        with pytest.raises(NotFound):
            storage.read("a/b")
        storage.create("a/b", b"again")
        assert storage.read("a/b") == b"again"

    def test_deleting_what_is_missing_is_fine(self, storage: Storage) -> None:
        storage.delete("missing")
        storage.delete("no/such/folder")
        storage.write("folder/name", b"x")
        storage.delete("folder")
        storage.delete("folder/name/below")
        assert storage.read("folder/name") == b"x"

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_an_odd_name_can_be_created_and_deleted(self, storage: Storage, name: str) -> None:
        storage.create(name, b"x")
        with pytest.raises(AlreadyExists):
            storage.create(name, b"y")
        storage.delete(name)
        assert list(storage.list()) == []

    @pytest.mark.parametrize("path", NO_PATHS)
    def test_what_is_no_path_is_refused_by_writing(self, storage: Storage, path: str) -> None:
        with pytest.raises(InvalidInput):
            storage.write(path, b"x")
        with pytest.raises(InvalidInput):
            storage.create(path, b"x")
        with pytest.raises(InvalidInput):
            storage.delete(path)
        with pytest.raises(InvalidInput):
            storage.open_append(path)
        assert list(storage.list()) == []

    def test_appending_adds_to_the_end_at_once(self, storage: Storage) -> None:
        if not storage.capabilities.append:
            with pytest.raises(StorageFault, match="append"):
                storage.open_append("folder/name")
            assert list(storage.list()) == []
            return
        with storage.open_append("folder/name") as file:
            assert storage.stat("folder/name").size == 0
            assert file.write(b"one") == len(b"one")
            assert self.another(storage).read("folder/name") == b"one"
            file.write(memoryview(b"two"))
        with self.another(storage).open_append("folder/name") as file:
            file.write(b"three")
        assert storage.read("folder/name") == b"onetwothree"
        with pytest.raises(ValueError, match="closed"):
            file.write(b"four")

    def test_a_probe_finds_what_is_declared_and_leaves_nothing(self, storage: Storage) -> None:
        assert probe(storage) == storage.capabilities
        assert list(storage.list()) == []

    def test_threads_can_write_at_once(self, storage: Storage) -> None:
        paths = [f"folder-{number % 3}/{number}" for number in range(30)]
        with ThreadPoolExecutor(self.writers) as pool:
            list(pool.map(lambda path: storage.write(path, path.encode()), paths))
            assert list(pool.map(storage.read, paths)) == [path.encode() for path in paths]
        assert [entry.path for entry in storage.list()] == sorted(paths)


class _Stream:
    """A stream that gives less than was asked for, and may break at the end."""

    def __init__(self, body: bytes, *, step: int, breaks: bool = False) -> None:
        self._pieces: Iterator[bytes] = (
            body[start : start + step] for start in range(0, len(body), step)
        )
        self._rest = b""
        self._breaks = breaks

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            rest = self._rest + b"".join(self._pieces)
            self._rest = b""
        else:
            rest = self._rest or next(self._pieces, b"")
            self._rest = rest[size:]
            rest = rest[:size]
        if self._breaks and (size < 0 or not rest):
            message = "the stream broke"
            raise OSError(message)
        return rest
