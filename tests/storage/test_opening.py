"""From a URL to a storage, and what is said when there is none."""

import os
import pickle
import zipfile
from pathlib import Path

import fsspec
import pytest

from mlkit._core.plugins import Registry
from mlkit.errors import InvalidInput, MissingExtra, NotFound, ReadOnly, StorageFault
from mlkit.storage import opening
from mlkit.storage.filesystem import FilesystemStorage
from mlkit.storage.local import LocalStorage
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.opening import backends, open_storage
from mlkit.storage.readonly import ReadOnlyStorage
from mlkit.storage.urls import protocol_of, without_credentials


@pytest.mark.parametrize("make", [str, Path, lambda place: f"file://{place}"])
def test_a_folder_opens_as_plain_files(tmp_path, make):
    storage = open_storage(make(tmp_path / "store"))
    assert isinstance(storage, LocalStorage)
    assert storage.url == str(tmp_path / "store")


def test_a_file_url_may_be_encoded(tmp_path):
    place = tmp_path / "a b%20c"
    assert open_storage(place.as_uri()).url == str(place)
    assert open_storage(f"LOCAL://localhost{tmp_path}").url == str(tmp_path)


@pytest.mark.parametrize("url", ["file://", "file://host/folder", "file://folder"])
def test_a_file_url_of_another_machine_is_refused(url):
    with pytest.raises(InvalidInput, match="three slashes"):
        open_storage(url)


def test_a_memory_is_the_same_for_all_that_open_it(memory):
    storage = open_storage(memory.url)
    assert isinstance(storage, MemoryStorage)
    memory.write("a", b"x")
    assert storage.read("a") == b"x"
    assert repr(storage) == f"MemoryStorage({memory.url.removeprefix('memory://')!r})"


def test_a_memory_isnt_handed_to_another_process(memory):
    with pytest.raises(InvalidInput, match="lives in one process"):
        pickle.dumps(memory)


@pytest.mark.parametrize("url", ["", "  ", b"bytes"])
def test_a_url_must_be_text(url):
    with pytest.raises(InvalidInput, match="no place of a store"):
        open_storage(url)


@pytest.mark.parametrize("url", ["memory://a", "folder", "file:///folder"])
def test_options_are_refused_where_nothing_takes_them(url):
    with pytest.raises(InvalidInput, match="takes no storage options, but got 'key'"):
        open_storage(url, {"key": "secret"})


def test_an_unknown_protocol_gets_the_near_one():
    with pytest.raises(InvalidInput, match=r"'memry'.*Did you mean 'memory'\?"):
        open_storage("memry://name")


@pytest.mark.parametrize(
    ("url", "extra"),
    [
        ("s3://bucket/a", "s3"),
        ("gs://bucket/a", "gcs"),
        ("gcs://bucket/a", "gcs"),
        ("abfs://container/a", "azure"),
        ("az://container/a", "azure"),
        ("sftp://host/a", "sftp"),
    ],
)
def test_a_missing_driver_names_the_extra(monkeypatch, url, extra):
    def fail(_protocol):
        message = "Install the driver"
        raise ImportError(message)

    monkeypatch.setattr(fsspec, "get_filesystem_class", fail)
    with pytest.raises(MissingExtra, match=rf"pip install 'mlkit-lifecycle\[{extra}\]'"):
        open_storage(url)


def test_a_missing_driver_without_an_extra_says_what_it_said(monkeypatch):
    def fail(_protocol):
        message = "Please install ocifs"
        raise ImportError(message)

    monkeypatch.setattr(fsspec, "get_filesystem_class", fail)
    with pytest.raises(MissingExtra, match="Please install ocifs"):
        open_storage("oci://bucket/a")


def test_options_that_the_driver_refuses_are_invalid_input(monkeypatch):
    def fail(_url, **_options):
        message = "unexpected keyword 'password=hunter2'"
        raise TypeError(message)

    monkeypatch.setattr("fsspec.core.url_to_fs", fail)
    with pytest.raises(InvalidInput, match="storage options") as caught:
        open_storage("ftp://host/folder", {"password": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_a_driver_that_cant_connect_is_a_fault():
    with pytest.raises(StorageFault, match="refused"):
        open_storage("ftp://127.0.0.1:1/folder")


@pytest.fixture
def archive(tmp_path):
    place = tmp_path / "store.zip"
    with zipfile.ZipFile(place, "w") as file:
        file.writestr("folder/name", b"0123456789")
    return place


def test_an_archive_opens_to_read_only(archive):
    storage = open_storage(f"zip://::{archive}")
    assert isinstance(storage, ReadOnlyStorage)
    assert storage.read("folder/name", 2, 5) == b"234"
    assert [entry.path for entry in storage.list()] == ["folder/name"]
    assert storage.children() == ["folder/"]
    assert storage.stat("folder/name").size == 10
    assert storage.local_path("folder/name") is None
    with pytest.raises(NotFound):
        storage.read("folder")
    with pytest.raises(ReadOnly):
        storage.write("a", b"x")
    assert repr(storage) == f"ReadOnlyStorage(FilesystemStorage('zip://::{archive}'))"


def test_an_archive_that_isnt_there_isnt_found(tmp_path):
    with pytest.raises(NotFound):
        open_storage(f"zip://::{tmp_path / 'none.zip'}")


def test_a_chain_that_ends_in_a_folder_is_the_folder(tmp_path):
    for url, place in (
        (f"dir::file://{tmp_path}", tmp_path),
        (f"dir://a/b::file://{tmp_path}", tmp_path / "a" / "b"),
    ):
        storage = open_storage(url)
        assert isinstance(storage, LocalStorage)
        assert storage.url == str(place)


def test_a_chain_in_memory_is_left_to_fsspec():
    storage = open_storage("dir://::memory://test-of-chains")
    assert isinstance(storage, FilesystemStorage)
    storage.create("a/b", b"x")
    assert storage.children() == ["a/"]
    assert fsspec.filesystem("memory").cat("/test-of-chains/a/b") == b"x"
    assert storage.capabilities.exclusive_create
    assert pickle.loads(pickle.dumps(storage)).read("a/b") == b"x"


def test_options_are_never_pickled():
    storage = open_storage("dir://::memory://test-of-options", {"use_listings_cache": False})
    with pytest.raises(InvalidInput, match="opened with options"):
        pickle.dumps(storage)


def test_a_plugin_opens_its_protocol(monkeypatch, memory):
    def open_mine(url, options):
        assert (url, options) == ("mine://place", {"key": 1})
        return memory

    registry = Registry("mlkit.storage", {"mine": "tests_of_opening:unused"})
    monkeypatch.setattr(registry, "get", lambda _name: open_mine)
    monkeypatch.setattr(opening, "backends", lambda: registry)
    assert open_storage("mine://place", {"key": 1}) is memory


def test_the_registry_has_what_mlkit_opens_itself():
    assert {"file", "local", "memory"} <= set(backends().names())


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket/folder", "s3://bucket/folder"),
        ("s3://key:sec/ret+1@bucket/folder", "s3://bucket/folder"),
        ("s3://bucket/a@b", "s3://bucket/a@b"),
        ("sftp://ann:pass@host:22/folder", "sftp://host:22/folder"),
        ("sftp://ann:p@ss@host/folder", "sftp://host/folder"),
        ("sftp://ann@host:22/folder@x", "sftp://ann@host:22/folder@x"),
        ("https://token@host/folder", "https://host/folder"),
        ("https://host:8080/folder?sig=abc&x=1#y", "https://host:8080/folder"),
        ("https://host/folder#token=abc", "https://host/folder"),
        ("abfs://container@account.dfs.core.windows.net/a", None),
        ("zip://::https://ann:pass@host/a.zip?sig=1", "zip://::https://host/a.zip"),
        ("simplecache::s3://k:s@bucket/a", "simplecache::s3://bucket/a"),
        ("s3://minio:9000/bucket", "s3://minio:9000/bucket"),
        ("/plain/folder@home", "/plain/folder@home"),
    ],
)
def test_a_url_is_shown_without_credentials(url, shown):
    assert without_credentials(url) == (shown or url)


@pytest.mark.parametrize(
    ("url", "protocol"),
    [
        ("S3://b/a", "s3"),
        ("zip::s3://b", "zip"),
        ("a/b", ""),
        ("C:\\folder", ""),
        ("a:b", ""),
        (os.devnull, ""),
    ],
)
def test_a_protocol_is_what_comes_before_the_slashes(url, protocol):
    assert protocol_of(url) == protocol
