"""Sources at URLs: what lies elsewhere becomes the same versions as if it lay here."""

import functools
import http.server
import shutil
import socket
import threading
import uuid

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlkit.data.sources.given import given
from mlkit.data.sources.places import Place
from mlkit.errors import InvalidInput, MissingExtra, NotFound, StorageFault

TABLE = pa.table({"carrier": ["UA", "AA", None], "n": [1, 2, 3]})


@pytest.fixture
def there():
    """A folder in fsspec's memory, and what lies there."""
    name = uuid.uuid4().hex
    driver = fsspec.filesystem("memory")
    with driver.open(f"/{name}/t.parquet", "wb") as sink:
        pq.write_table(TABLE, sink)
    driver.pipe(
        {
            f"/{name}/t.csv": b"carrier,n\nUA,1\nAA,2\n",
            f"/{name}/t.jsonl": b'{"carrier":"UA","n":1}\n{"carrier":"AA","n":2}\n{"n":3}\n',
            f"/{name}/config.json": b'{"lr": 0.1}',
            f"/{name}/images/a.png": b"aaa",
            f"/{name}/images/sub/b.png": b"b" * 3_000_000,
            f"/{name}/images/empty": b"",
        }
    )
    yield f"memory://{name}"
    driver.rm(f"/{name}", recursive=True)


@pytest.fixture
def folder(there, tmp_path):
    """The same folder on the local disk."""
    driver, path = fsspec.core.url_to_fs(there)
    driver.get(f"{path}/", f"{tmp_path}/same/", recursive=True)
    return tmp_path / "same"


@pytest.mark.parametrize("name", ["t.parquet", "t.jsonl", "t.csv"])
def test_a_table_is_the_same_version_as_from_the_local_disk(datasets, there, folder, name):
    version = datasets.log("x", f"{there}/{name}")
    assert version.kind == "table"
    assert datasets.log("x", folder / name) == version


@pytest.mark.parametrize("name", ["images", "images/", "images/a.png", "config.json", ""])
def test_files_are_the_same_version_as_from_the_local_disk(datasets, there, folder, name):
    version = datasets.log("x", f"{there}/{name}")
    assert datasets.log("x", folder / name) == version


def test_a_pattern_is_a_folder_of_what_it_means(datasets, there):
    version = datasets.log("x", f"{there}/**/*.png")
    assert [entry.path for entry in version.files()] == ["images/a.png", "images/sub/b.png"]
    with version.open("images/sub/b.png") as stream:
        assert stream.read() == b"b" * 3_000_000


def test_a_url_of_the_local_disk_is_a_path(datasets, folder):
    assert datasets.log("x", f"file://{folder}/images") == datasets.log("x", folder / "images")
    assert datasets.log("y", f"file://{folder}/t.csv").kind == "table"


def test_files_in_an_archive_are_files(datasets, folder, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "all"), "zip", folder)
    version = datasets.log("x", f"zip://images/**::file://{archive}")
    assert version == datasets.log("x", folder / "images")
    assert datasets.log("y", f"zip://t.csv::file://{archive}").kind == "table"
    with pytest.raises(NotFound):
        datasets.log("z", f"zip://t.csv::file://{archive}-missing")


@pytest.mark.parametrize("name", ["missing", "missing.csv", "missing/*", "t.parquet/x"])
def test_what_is_not_there_is_not_found(datasets, there, name):
    with pytest.raises((NotFound, InvalidInput)):
        datasets.log("x", f"{there}/{name}")
    assert list(datasets.storage.list()) == []


def test_names_that_differ_by_case_only_are_refused(datasets, there):
    driver, path = fsspec.core.url_to_fs(there)
    driver.pipe(f"{path}/images/A.png", b"")
    with pytest.raises(InvalidInput, match="differ by case"):
        datasets.log("x", f"{there}/images")


def test_a_temporary_copy_is_gone_afterwards(there, tmp_path, monkeypatch, datasets):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with given(f"{there}/t.csv") as stream:
        assert list(temporary.iterdir())
        assert sum(map(len, stream.batches)) == 2
    assert not list(temporary.iterdir())
    driver, path = fsspec.core.url_to_fs(there)
    driver.pipe(f"{path}/bad.csv", b"a\n1,2\n")
    with pytest.raises(InvalidInput, match=r"bad\.csv"):
        datasets.log("x", f"{there}/bad.csv")
    assert datasets.log("x", f"{there}/config.json").kind == "file"
    assert not list(temporary.iterdir())


class TestChanges:
    """Files that don't stand still while they are read make no version."""

    @pytest.fixture
    def changing(self, there, monkeypatch):
        """Have a file change when it is opened, before it is read or after."""
        driver, path = fsspec.core.url_to_fs(there)
        before = type(driver)._open

        def change(name, how):
            def opened(self, place, mode="rb", **options):
                stream = before(self, place, mode, **options)
                if place.endswith(name) and mode == "rb":
                    monkeypatch.undo()
                    how(driver, f"{path}/{name}")
                return stream

            monkeypatch.setattr(type(driver), "_open", opened)

        return change

    def test_a_changed_table_is_refused(self, datasets, there, changing):
        changing("t.csv", lambda driver, path: driver.pipe(path, b"other\n1\n"))
        with pytest.raises(InvalidInput, match="changed while it was read"):
            datasets.log("x", f"{there}/t.csv")

    def test_a_changed_file_is_named(self, datasets, there, changing):
        changing("images/a.png", lambda driver, path: driver.pipe(path, b"xyz"))
        with pytest.raises(InvalidInput, match=r"changed while they were read: a\.png"):
            datasets.log("x", f"{there}/images")
        assert datasets.names() == []

    def test_a_file_that_is_added_is_named(self, datasets, there, changing):
        changing("images/a.png", lambda driver, path: driver.pipe(f"{path}2", b"new"))
        with pytest.raises(InvalidInput, match=r"changed while they were read: a\.png2"):
            datasets.log("x", f"{there}/images")

    def test_a_file_that_goes_is_not_found(self, datasets, there, monkeypatch):
        listed = Place.listed

        def vanish(self):
            found = listed(self)
            driver, path = fsspec.core.url_to_fs(there)
            driver.rm(f"{path}/images/a.png")
            monkeypatch.undo()
            return found

        monkeypatch.setattr(Place, "listed", vanish)
        with pytest.raises(NotFound, match=r"a\.png"):
            datasets.log("x", f"{there}/images")


def test_a_driver_that_fails_in_the_middle_is_a_fault_without_its_secrets(
    datasets, there, monkeypatch
):
    monkeypatch.setattr(
        "fsspec.implementations.memory.MemoryFile.read", lambda *_: _raise("token=hunter22hunter22")
    )
    for name in ("t.csv", "images", "images/sub/b.png"):
        with pytest.raises(StorageFault) as caught:
            datasets.log("x", f"{there}/{name}")
        assert "hunter22" not in str(caught.value)
    assert datasets.names() == []


def _raise(text):
    raise RuntimeError(text)


def test_a_missing_driver_names_its_extra(datasets, monkeypatch):
    def refuse(url, **_):
        raise ImportError("No module named 'gcsfs'")

    monkeypatch.setattr("fsspec.core.url_to_fs", refuse)
    with pytest.raises(MissingExtra, match=r"mlkit-lifecycle\[gcs\]"):
        datasets.log("x", "gs://bucket/t.parquet")


def test_an_unknown_protocol_and_a_wrong_option_are_refused(datasets):
    with pytest.raises(InvalidInput, match="can't be opened"):
        datasets.log("x", "nonsense://a")
    with pytest.raises(InvalidInput, match="can't be opened"):
        datasets.log("x", "http://localhost/a", storage_options={"block_size": "many"} | {1: 2})


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def web(folder):
    """The folder, served over HTTP."""
    handler = functools.partial(_Handler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.loopback
class TestWeb:
    @pytest.mark.parametrize("name", ["t.csv", "images/a.png", "images/", "*.png"])
    def test_a_host_that_is_down_is_a_fault_and_not_a_missing_file(self, datasets, name):
        with socket.socket() as taken:  # which nobody answers
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/{name}"
            with pytest.raises(StorageFault, match="Connect call failed"):
                datasets.log("x", url)
            with pytest.raises(StorageFault, match="Connect call failed"):
                datasets.reference("x", url)

    @pytest.mark.parametrize("name", ["t.parquet", "t.csv", "config.json", "images/sub/b.png"])
    def test_a_file_of_the_web_is_the_same_version_as_from_the_local_disk(
        self, datasets, web, folder, name
    ):
        assert datasets.log("x", f"{web}/{name}") == datasets.log("x", folder / name)

    def test_a_page_with_links_is_a_folder(self, datasets, web, folder):
        assert (
            datasets.log("x", f"{web}/images/").digest
            == datasets.log("x", folder / "images").digest
        )

    def test_a_query_is_no_part_of_the_name_and_is_never_stored(self, datasets, web, folder):
        version = datasets.log("x", f"{web}/config.json?signature=hunter22")
        assert version == datasets.log("x", folder / "config.json")
        assert not any(
            b"hunter22" in datasets.storage.read(e.path) for e in datasets.storage.list()
        )

    def test_what_is_not_there_is_told_without_the_query(self, datasets, web):
        with pytest.raises(NotFound, match=r"missing\.csv") as caught:
            datasets.log("x", f"{web}/missing.csv?signature=hunter22")
        assert "hunter22" not in str(caught.value)
