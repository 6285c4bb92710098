"""When an object was written, as each storage says it."""

import os
from datetime import UTC, datetime, timedelta, timezone

import fsspec
import pytest

from mlkit.storage.filesystem import FilesystemStorage
from mlkit.storage.local import LocalStorage
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.modified import modified_of
from mlkit.storage.protocol import Capabilities, Entry
from mlkit.storage.readonly import ReadOnlyStorage
from mlkit.storage.wrapped import LimitedStorage
from mlkit.testing import FaultyStorage

MOMENT = datetime(2026, 11, 23, 21, 6, 26, 123456, tzinfo=UTC)
NS = 1_795_467_986_123_456_000


@pytest.mark.parametrize(
    "info",
    [
        {"LastModified": MOMENT},
        {"last_modified": MOMENT.astimezone(timezone(timedelta(hours=5)))},
        {"mtime": MOMENT.replace(tzinfo=None)},
        {"updated": "2026-11-23T21:06:26.123456Z"},
        {"LastModified": "", "mtime": MOMENT},
        {"created": MOMENT, "mtime": None},
    ],
)
def test_a_time_of_any_form_is_given_to_the_microsecond(info):
    assert modified_of(info) == NS


@pytest.mark.parametrize(
    "info",
    [
        {"modify": "20261123210626"},
        {"modify": "20261123210626.123"},
        {"mtime": NS // 1_000_000_000},
        {"mtime": float(NS // 1_000_000_000)},
    ],
)
def test_a_time_in_seconds_is_given_to_the_second(info):
    assert modified_of(info) == NS // 1_000_000_000 * 1_000_000_000


@pytest.mark.parametrize(
    "value", [None, "", "Nov 23 21:06", "20261399000000", float("nan"), float("inf"), True, b"x"]
)
def test_what_is_no_time_is_not_known(value):
    assert modified_of({"mtime": value}) is None


def test_the_newest_write_counts_and_not_the_creation():
    info = {"created": datetime(2020, 1, 1, tzinfo=UTC), "mtime": MOMENT}
    assert modified_of(info) == NS


def test_a_local_object_has_the_time_of_its_file(tmp_path):
    storage = LocalStorage(tmp_path)
    storage.write("folder/name", b"x")
    os.utime(tmp_path / "folder/name", ns=(NS, NS))
    assert storage.stat("folder/name").modified == NS
    assert [entry.modified for entry in storage.list()] == [NS]


def test_writing_the_same_again_makes_an_object_young(tmp_path):
    storage = LocalStorage(tmp_path)
    storage.write("name", b"x")
    os.utime(tmp_path / "name", ns=(NS, NS))
    storage.write("name", b"x")
    assert storage.stat("name").modified != NS


def test_appending_in_memory_makes_an_object_younger():
    storage = MemoryStorage("modified-appended")
    with storage.open_append("name") as file:
        before = storage.stat("name").modified
        file.write(b"x")
    assert storage.stat("name").modified >= before


@pytest.mark.parametrize(
    "wrap",
    [
        FaultyStorage,
        ReadOnlyStorage,
        lambda inner: LimitedStorage(inner, Capabilities(exclusive_create=False, append=False)),
    ],
)
def test_a_wrapped_storage_knows_the_time_of_the_other(tmp_path, wrap):
    inner = LocalStorage(tmp_path)
    inner.write("name", b"x")
    looked = inner.stat("name").modified
    assert looked is not None
    assert wrap(inner).stat("name").modified == looked
    assert [entry.modified for entry in wrap(inner).list()] == [looked]


def test_a_time_costs_no_request_of_its_own(tmp_path):
    asked = []

    class Counting(fsspec.get_filesystem_class("memory")):
        store = {}  # noqa: RUF012 - as the class it replaces has it
        pseudo_dirs = [""]  # noqa: RUF012

        def info(self, path, **options):
            asked.append(path)
            return super().info(path, **options)

    storage = FilesystemStorage(Counting(skip_instance_cache=True), "/counted")
    storage.write("a/b", b"x")
    storage.write("a/c", b"x")
    asked.clear()
    assert all(entry.modified for entry in storage.list())
    assert [path for path in asked if path.endswith(("/b", "/c"))] == []
    assert storage.stat("a/b").modified
    assert len(asked) == 1


def test_a_storage_that_tells_no_time_gives_none():
    class Silent(fsspec.get_filesystem_class("memory")):
        store = {}  # noqa: RUF012 - as the class it replaces has it
        pseudo_dirs = [""]  # noqa: RUF012

        def info(self, path, **options):
            found = super().info(path, **options)
            return {key: found[key] for key in ("name", "size", "type")}

    storage = FilesystemStorage(Silent(skip_instance_cache=True), "/silent")
    storage.write("a", b"x")
    assert storage.stat("a").modified is None


def test_the_time_is_no_part_of_what_an_entry_is():
    assert Entry("a", 1, 5) == Entry("a", 1)
    assert repr(Entry("a", 1, 5)) == "Entry(path='a', size=1)"
