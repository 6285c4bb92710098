"""What every storage promises of reading, as a suite to subclass."""
# The name of a test says its promise:
# ruff: noqa: D102

import time

import pytest

from mlkit.errors import InvalidInput, NotFound, ReadOnly
from mlkit.storage.protocol import Capabilities, Entry, Storage
from mlkit.storage.urls import without_credentials

ODD_NAMES = (
    "with space/a b.txt",
    "percent/100%25.txt",
    "plus/a+b=c&d.txt",
    "hash/#1.txt",
    'quote/it\'s "so".txt',
    "question/what?.txt",
    "star/[a-b]*{c}.txt",
    "unicode/Grüße-日本-😀.txt",
    "dots/..a/b..c/...d",
    ".hidden/.file",
    "tilde/~root",
    "colon/a::b:c",
    "-dash/--option",
    "long/" + "x" * 200,
)
"""Names that users don't choose, but that a storage must hold as they are."""

NO_PATHS = (
    "",
    "/",
    "/etc/passwd",
    "..",
    "../outside",
    "a/../../outside",
    "a/..",
    ".",
    "./a",
    "a//b",
    "a/",
    "a\\b",
    "a\x00b",
    "a\nb",
    ".tmp/a",
    "\ud800",
    "x" * 300,
    "/".join(["long"] * 300),
)
"""What is no path of an object."""

CLOCKS = 60 * 1_000_000_000
"""By how much the clock of a storage may differ from that of this machine, in nanoseconds."""


class ReadingContract:
    """What every storage promises of reading.

    Subclass it, give the fixture `storage`, and `fill` if objects get there by another way than
    the storage's own `write`.
    """

    @pytest.fixture
    def storage(self) -> Storage:
        """Give an empty storage."""
        raise NotImplementedError

    def fill(self, storage: Storage, path: str, data: bytes) -> None:
        """Put an object there."""
        storage.write(path, data)

    def test_an_object_reads_back_as_it_was_written(self, storage: Storage) -> None:
        self.fill(storage, "folder/name.bin", bytes(range(256)))
        assert storage.read("folder/name.bin") == bytes(range(256))

    def test_an_empty_object_reads_back_empty(self, storage: Storage) -> None:
        self.fill(storage, "empty", b"")
        assert storage.read("empty") == b""
        assert storage.read("empty", 0, 10) == b""
        assert storage.read("empty", 1) == b""
        assert storage.stat("empty") == Entry("empty", 0)

    def test_a_large_object_reads_back_whole(self, storage: Storage) -> None:
        body = bytes(range(251)) * 20_000
        self.fill(storage, "large", body)
        assert storage.read("large") == body
        assert storage.stat("large").size == len(body)

    @pytest.mark.parametrize(
        ("start", "end"),
        [(0, None), (0, 4), (3, 7), (3, None), (9, 10), (4, 4), (7, 3), (0, 0), (5, 99), (0, 99)],
    )
    def test_a_range_reads_as_a_slice_does(
        self, storage: Storage, start: int, end: int | None
    ) -> None:
        self.fill(storage, "digits", b"0123456789")
        assert storage.read("digits", start, end) == b"0123456789"[start:end]

    @pytest.mark.parametrize(("start", "end"), [(10, None), (10, 12), (99, None), (99, 101)])
    def test_a_range_beyond_the_end_is_empty(
        self, storage: Storage, start: int, end: int | None
    ) -> None:
        self.fill(storage, "digits", b"0123456789")
        assert storage.read("digits", start, end) == b""

    @pytest.mark.parametrize(("start", "end"), [(-1, None), (0, -1), (-3, -1)])
    def test_a_range_from_the_end_is_refused(
        self, storage: Storage, start: int, end: int | None
    ) -> None:
        self.fill(storage, "digits", b"0123456789")
        with pytest.raises(InvalidInput):
            storage.read("digits", start, end)

    def test_what_is_missing_is_not_found(self, storage: Storage) -> None:
        self.fill(storage, "folder/name", b"x")
        for path in ("missing", "folder/missing", "no/such/folder", "folder", "folder/name/below"):
            with pytest.raises(NotFound, match="no object"):
                storage.read(path)
            with pytest.raises(NotFound):
                storage.read(path, 2, 1)
            with pytest.raises(NotFound):
                storage.read(path, 1)
            with pytest.raises(NotFound):
                storage.stat(path)
            assert storage.local_path(path) is None

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_an_odd_name_is_kept_as_it_is(self, storage: Storage, name: str) -> None:
        self.fill(storage, name, name.encode())
        self.fill(storage, "plain", b"")
        assert storage.read(name) == name.encode()
        assert storage.stat(name) == Entry(name, len(name.encode()))
        assert [entry.path for entry in storage.list()] == sorted([name, "plain"])
        folder, _, base = name.rpartition("/")
        assert storage.children(folder) == [base]

    @pytest.mark.parametrize("path", NO_PATHS)
    def test_what_is_no_path_is_refused_by_reading(self, storage: Storage, path: str) -> None:
        with pytest.raises(InvalidInput):
            storage.read(path)
        with pytest.raises(InvalidInput):
            storage.stat(path)
        with pytest.raises(InvalidInput):
            storage.local_path(path)
        if path not in {"", "/", "a/"}:
            with pytest.raises(InvalidInput):
                storage.list(path)
            with pytest.raises(InvalidInput):
                storage.children(path)

    def test_a_list_is_every_object_below_sorted_by_path(self, storage: Storage) -> None:
        paths = ["b", "a/z", "a.txt", "a/b/c", "a/b.x", "a-", "ab/c", "a/é", "a/Z"]
        for path in paths:
            self.fill(storage, path, path.encode())
        assert list(storage.list()) == [Entry(path, len(path.encode())) for path in sorted(paths)]
        below = ["a/Z", "a/b.x", "a/b/c", "a/z", "a/é"]
        assert [entry.path for entry in storage.list("a")] == below
        assert [entry.path for entry in storage.list("a/")] == below
        assert [entry.path for entry in storage.list("a/b")] == ["a/b/c"]

    def test_a_list_and_a_look_say_alike_when_an_object_was_written(self, storage: Storage) -> None:
        before = time.time_ns()
        self.fill(storage, "folder/name", b"x")
        after = time.time_ns()
        looked = storage.stat("folder/name").modified
        assert [entry.modified for entry in storage.list("folder")] == [looked]
        if looked is not None:  # clocks of servers, and times that are cut to the second
            assert before - CLOCKS <= looked <= after + CLOCKS

    def test_children_are_the_names_one_level_down(self, storage: Storage) -> None:
        for path in ("b", "a/z", "a.txt", "a/b/c", "a/b.x", "ab/c/d"):
            self.fill(storage, path, b"x")
        assert storage.children() == ["a.txt", "a/", "ab/", "b"]
        assert storage.children("a") == ["b.x", "b/", "z"]
        assert storage.children("a/") == ["b.x", "b/", "z"]
        assert storage.children("ab") == ["c/"]

    def test_a_missing_folder_is_an_empty_one(self, storage: Storage) -> None:
        assert list(storage.list()) == []
        assert storage.children() == []
        self.fill(storage, "folder/name", b"x")
        for folder in ("missing", "folder/missing", "fold", "folder/name"):
            assert list(storage.list(folder)) == []
            assert storage.children(folder) == []

    def test_a_local_path_if_any_holds_the_object(self, storage: Storage) -> None:
        self.fill(storage, "folder/name", b"hello")
        place = storage.local_path("folder/name")
        assert place is None or place.read_bytes() == b"hello"

    def test_the_url_is_text_without_credentials(self, storage: Storage) -> None:
        assert storage.url
        assert without_credentials(storage.url) == storage.url


class ReadOnlyContract(ReadingContract):
    """What a storage that only reads promises: reading, and to refuse the rest."""

    def test_every_write_is_refused_and_changes_nothing(self, storage: Storage) -> None:
        self.fill(storage, "folder/name", b"x")
        with pytest.raises(ReadOnly):
            storage.write("folder/name", b"y")
        with pytest.raises(ReadOnly):
            storage.create("new", b"y")
        with pytest.raises(ReadOnly):
            storage.open_append("folder/name")
        with pytest.raises(ReadOnly):
            storage.delete("folder/name")
        assert storage.read("folder/name") == b"x"
        assert [entry.path for entry in storage.list()] == ["folder/name"]

    def test_it_declares_no_way_to_write(self, storage: Storage) -> None:
        assert storage.capabilities == Capabilities(exclusive_create=False, append=False)
