"""Versions of data through the store: what people do with them from day to day."""

import os
import time

import pyarrow as pa
import pytest

import mlkit
from mlkit.data.storing import file_contents
from mlkit.data.storing.table_content import TableContent
from mlkit.errors import InvalidInput


@pytest.fixture
def store(tmp_path):
    return mlkit.Store(tmp_path / "store")


def tree(folder):
    return sorted(str(place.relative_to(folder)) for place in folder.rglob("*") if place.is_file())


def test_a_clean_checkout_holds_just_the_version_whatever_was_there(store, tmp_path):
    with store.new_dataset("images") as folder:
        (folder / "cats").mkdir()
        (folder / "cats" / "tom.png").write_bytes(b"tom")
        (folder / "a.txt").write_text("a")
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere.txt"
    elsewhere.write_text("mine")
    for path in ("a.txt", "old/deep/b.txt", "cats/felix.png"):
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_text("old")
    (out / "link.txt").symlink_to(elsewhere)
    (out / "links").symlink_to(tmp_path)
    version = store.dataset("images")
    version.checkout(out)
    assert len(tree(out)) > 2
    version.checkout(out, clean=True)
    assert tree(out) == ["a.txt", "cats/tom.png"]
    assert sorted(place.name for place in out.iterdir()) == ["a.txt", "cats"]
    assert elsewhere.read_text() == "mine"


@pytest.mark.parametrize("folder", ["", None, 5])
def test_a_checkout_to_nowhere_is_refused(store, folder):
    version = store.log_dataset("t", {"a": [1]})
    with pytest.raises(InvalidInput, match="is no folder"):
        version.checkout(folder)


def test_a_folder_that_holds_the_store_is_versioned_without_it(tmp_path):
    store = mlkit.Store(tmp_path / "project" / ".mlkit")
    with pytest.raises(InvalidInput, match="holds no file"):
        store.log_dataset("project", tmp_path / "project")
    (tmp_path / "project" / "a.txt").write_text("a")
    first = store.log_dataset("project", tmp_path / "project")
    assert [entry.path for entry in first.files()] == ["a.txt"]
    assert store.log_dataset("project", tmp_path / "project") == first


def test_what_a_version_was_taken_from_is_its_input(store):
    flights = store.log_dataset("flights", {"id": list(range(100))})
    parts = flights.split({"train": 0.8, "test": 0.2}, by="id")
    train = store.log_dataset("train", parts["train"])
    copy = store.log_dataset("copy", flights)
    for version in (train, copy):
        assert [link["ref"] for link in version.inputs] == ["flights:1"]
    assert [child.ref for child in flights.children()] == ["copy:1", "train:1"]
    with store.start_run("taking") as run:
        used = run.use_dataset(flights)
        made = run.log_dataset("test", used.split({"a": 0.5, "b": 0.5})["a"])
    assert [link["ref"] for link in made.inputs] == ["flights:1"]


def test_what_is_said_of_a_content_that_is_there_already_is_kept(store):
    first = store.log_dataset("t", {"a": [1]}, description="first")
    again = store.log_dataset("t", {"a": [1]}, description="second")
    store.log_dataset("t", {"a": [1]}, description="first")
    assert again.number == first.number
    assert again.description == "first"
    assert [note["text"] for note in store.dataset("t").notes] == ["second"]


def test_lineage_takes_a_version(store):
    version = store.log_dataset("t", {"a": [1]})
    assert store.lineage(version).nodes[0].ref == "t:1"


def test_slips_with_expectations_and_decorators_are_told(store):
    with pytest.raises(InvalidInput, match="nothing that data can be held against"):
        store.log_dataset("t", {"a": [1]}, expect={"a": "int"})
    with pytest.raises(InvalidInput, match=r"@mlkit\.dataset\('features'\)"):

        @mlkit.dataset
        def features():
            return {"a": [1]}


def test_a_version_says_what_it_was_held_against(store):
    expected = mlkit.Expectations().column("a", min=0)
    version = store.log_dataset("t", {"a": [1, 2]}, expect=expected)
    assert version.demanded["ok"] is True
    assert version.demanded["rows"] == 2
    assert version.demanded["expectations"] == 2  # the column is there, and not below 0
    assert store.dataset("t").demanded == version.demanded
    assert store.log_dataset("other", {"a": [1]}).demanded is None


def test_a_table_that_changes_while_it_is_stored_is_no_version(store, monkeypatch):
    raw = bytearray(8 * 1000)
    column = pa.Array.from_buffers(pa.int64(), 1000, [None, pa.py_buffer(raw)])
    digest = TableContent.digest

    def changed(self, around):
        found = digest(self, around)
        raw[0] = 1  # as another thread would, between the digest and the bytes
        return found

    monkeypatch.setattr(TableContent, "digest", changed)
    with pytest.raises(InvalidInput, match="changed while it was stored"):
        store.log_dataset("t", pa.table({"a": column}))
    assert "t" not in store.datasets


def test_a_pipe_that_came_in_the_place_of_a_file_is_refused_and_not_waited_for(
    store, tmp_path, monkeypatch
):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_bytes(b"a" * 500_000)
    found = file_contents.files_of

    def swapped(place):
        files = found(place)
        (folder / "a").unlink()
        os.mkfifo(folder / "a")
        return files

    monkeypatch.setattr(file_contents, "files_of", swapped)
    with pytest.raises(InvalidInput, match="no plain file any more"):
        store.log_dataset("t", folder)


def test_only_folders_of_checkouts_are_left_out_of_versions(store, tmp_path):
    folder = tmp_path / "folder"
    for name in (".mlkit-checkout-mine", "deep/.mlkit-checkout-0123456789abcdef"):
        (folder / name).mkdir(parents=True)
        (folder / name / "a.txt").write_text("a")
    version = store.log_dataset("t", folder)
    assert [entry.path for entry in version.files()] == [".mlkit-checkout-mine/a.txt"]


def test_a_checkout_takes_the_time_of_the_disk_and_not_of_a_clock_that_is_ahead(
    store, tmp_path, monkeypatch
):
    with store.new_dataset("t") as folder:
        (folder / "a.txt").write_text("version one")
    version = store.dataset("t")
    day = 24 * 3600 * 10**9
    ahead = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: ahead() + day)
    out = version.checkout(tmp_path / "out")
    status = (out / "a.txt").stat()
    (out / "a.txt").write_text("version TWO")
    os.utime(out / "a.txt", ns=(status.st_atime_ns, status.st_mtime_ns))
    version.checkout(out)
    assert (out / "a.txt").read_text() == "version one"
