"""How many requests versions of data take: few, and no more for many files than for some."""

import itertools
from collections import Counter

import pytest

import mlkit
from mlkit.testing import FaultyStorage

WRITES = ("write", "create", "delete", "open_append")
FILES = 10_000
PARTS = 4  # of the manifest, which the paths of the files decide
ONE, OTHER = "07/007777.txt", "03/003333.txt"
VERSION = {"write packs": 1, "write blobs": 1, "create datasets": 1, "write chunks": 1}
"""What is written for a version with few new bytes: them, the manifest, the version itself, and
what says for later ones where the bytes are."""

_numbers = itertools.count()


class Watched:
    """Stores in memory that tell what is asked of their storage."""

    def __init__(self):
        self.url = f"memory://data-requests-{next(_numbers)}"

    def asked(self, act):
        """Give how often an act, on a store that was just opened, asks for what."""
        store = mlkit.Store(self.url)
        store._storage = watched = FaultyStorage(store._storage)
        act(store)
        return Counter(f"{verb} {path.split('/')[0]}" for verb, path in watched.operations)


def writes(asked):
    """Give what changes something."""
    return {what: count for what, count in asked.items() if what.startswith(WRITES)}


def deletions_apart(asked):
    """Give what writes something; a list of chunks also goes away when a longer one has it all."""
    return {what: count for what, count in writes(asked).items() if what != "delete chunks"}


@pytest.fixture
def watched():
    return Watched()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of many small files."""
    root = tmp_path_factory.mktemp("requests") / "folder"
    for number in range(FILES):
        place = root / f"{number // 1000:02}" / f"{number:06}.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"file {number}")
    return root


@pytest.fixture
def stored(watched, folder):
    """Stores in memory that have the folder as a version."""
    watched.asked(lambda store: store.log_dataset("texts", folder))
    return watched


def test_a_folder_of_many_files_is_written_as_a_few_objects(watched, folder):
    asked = watched.asked(lambda store: store.log_dataset("texts", folder))
    assert writes(asked) == VERSION | {"write blobs": PARTS}
    assert asked.total() < 30


def test_an_unchanged_folder_writes_nothing_and_asks_for_little(stored, folder):
    asked = stored.asked(lambda store: store.log_dataset("texts", folder))
    assert writes(asked) == {}
    assert asked.total() < 20


def test_a_changed_file_writes_its_bytes_its_part_of_the_manifest_and_the_version(stored, folder):
    (folder / OTHER).write_text("another text")
    asked = stored.asked(lambda store: store.log_dataset("texts", folder))
    assert deletions_apart(asked) == VERSION
    assert asked.total() < 40


def test_one_file_of_many_is_read_without_the_others(stored):
    read = []
    asked = stored.asked(lambda store: read.append(store.dataset("texts:1").open(ONE).read()))
    assert read == [b"file 7777"]
    assert (asked["read datasets"], asked["read blobs"], asked["read packs"]) == (1, 1, 1)
    assert asked.total() <= 5


def test_a_folder_is_checked_out_by_reading_ranges_and_not_files(stored, tmp_path):
    asked = stored.asked(lambda store: store.dataset("texts:1").checkout(tmp_path / "out"))
    assert len(list((tmp_path / "out").rglob("*.txt"))) == FILES
    assert asked.total() < 100


def test_the_first_version_of_a_small_table_writes_four_objects_and_its_like_as_many(watched):
    for data in ({"delay": [1.5, None]}, {"delay": [2.5, None]}):
        asked = watched.asked(lambda store, data=data: store.log_dataset("flights", data))
        assert deletions_apart(asked) == VERSION
        assert asked.total() < 16


def test_a_new_version_asks_as_little_whatever_the_number_of_versions(watched):
    """But each process looks once at what each version is."""
    for number in range(1, 31):
        asked = watched.asked(lambda store, n=number: store.log_dataset("flights", {"delay": [n]}))
        assert asked.pop("read datasets") <= number + 1  # and at its own
        assert deletions_apart(asked) == VERSION
        assert asked.total() < 16


def test_a_table_that_is_there_already_writes_nothing(watched):
    data = {"delay": [1.5, None]}
    watched.asked(lambda store: store.log_dataset("flights", data))
    asked = watched.asked(lambda store: store.log_dataset("flights", data))
    assert writes(asked) == {}
    assert asked.total() < 8


def test_the_values_of_a_small_table_are_read_in_few_requests(watched):
    watched.asked(lambda store: store.log_dataset("flights", {"delay": [1.5, None]}))
    asked = watched.asked(lambda store: store.dataset("flights:1").to_arrow())
    assert (asked["read datasets"], asked["read blobs"]) == (1, 1)
    assert asked["read packs"] <= 2  # its footer, and its values
    assert asked.total() <= 6
