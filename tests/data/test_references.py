"""References: files that stay where they are, and are checked again before they are read."""

import datetime as dt
import os
import shutil
import uuid

import fsspec
import pytest

from mlkit.data.sources.places import describe as _describe
from mlkit.data.sources.references import _changed
from mlkit.errors import Corrupt, InvalidInput, MissingExtra, NotFound, StorageFault
from mlkit.objects.manifest import FileEntry, Source


@pytest.fixture
def there(tmp_path):
    """A folder of files outside of the store."""
    root = tmp_path / "there"
    (root / "sub").mkdir(parents=True)
    (root / "a.png").write_bytes(b"aaa")
    (root / "sub" / "b.png").write_bytes(b"bbbb")
    (root / "note.txt").write_bytes(b"n")
    return root


def paths(version):
    return [entry.path for entry in version.files()]


def test_a_pattern_records_what_it_means(datasets, there):
    version = datasets.reference("images", f"file://{there}/**/*.png", run_id="r", description="d")
    assert paths(version) == ["a.png", "sub/b.png"]
    assert (version.kind, version.size, version.digest[:7]) == ("reference", 7, "sha256:")
    assert version.url == f"file://{there}/**/*.png"
    assert (version.run_id, version.description) == ("r", "d")


def test_a_folder_records_all_of_it(datasets, there):
    assert paths(datasets.reference("images", str(there))) == ["a.png", "note.txt", "sub/b.png"]


def test_a_file_records_itself(datasets, there):
    assert paths(datasets.reference("images", str(there / "a.png"))) == ["a.png"]


def test_nothing_is_copied(datasets, memory, there):
    datasets.reference("images", str(there))
    assert list(memory.list("packs")) == []


def test_what_did_not_change_is_the_same_version(datasets, there):
    first = datasets.reference("images", str(there))
    assert datasets.reference("images", str(there)) == first
    (there / "a.png").write_bytes(b"changed")
    assert datasets.reference("images", str(there)).number == 2


def test_the_files_are_read_where_they_are(datasets, there, tmp_path):
    version = datasets.reference("images", str(there))
    with version.open("a.png") as stream:
        assert stream.read() == b"aaa"
    version.checkout(tmp_path / "out")
    assert (tmp_path / "out" / "sub" / "b.png").read_bytes() == b"bbbb"
    version.check()


def test_a_changed_file_is_named_with_its_sizes(datasets, there, tmp_path):
    version = datasets.reference("images", str(there))
    (there / "a.png").write_bytes(b"longer")
    for read in (
        version.check,
        lambda: version.open("a.png"),
        lambda: version.checkout(tmp_path / "out"),
    ):
        with pytest.raises(Corrupt, match=r"a\.png changed from 3 to 6 bytes"):
            read()


def test_a_changed_file_of_the_same_size_is_named(datasets, there):
    version = datasets.reference("images", str(there))
    os.utime(there / "a.png", (1, 1))
    with pytest.raises(Corrupt, match=r"a\.png changed\."):
        version.check()


def test_missing_files_are_named_up_to_a_few(datasets, tmp_path):
    (tmp_path / "many").mkdir()
    for number in range(8):
        (tmp_path / "many" / f"{number}").write_bytes(b"")
    version = datasets.reference("many", str(tmp_path / "many"))
    for number in range(8):
        (tmp_path / "many" / f"{number}").unlink()
    with pytest.raises(Corrupt, match=r"0 is missing, .*4 is missing, and 3 more"):
        version.check()


def test_a_version_of_another_kind_has_nothing_to_check(datasets):
    datasets.log("x", {"a": [1]}).check()


@pytest.mark.parametrize("pattern", ["*.jpg", "nothing/**", "sub/*.txt"])
def test_a_pattern_that_means_no_file_is_refused(datasets, there, pattern):
    with pytest.raises(InvalidInput, match="means no file"):
        datasets.reference("images", f"{there}/{pattern}")


def test_a_file_that_does_not_exist_is_not_found(datasets, there):
    with pytest.raises(NotFound):
        datasets.reference("images", str(there / "missing"))


def test_a_name_that_cannot_be_kept_is_refused(datasets, there):
    (there / "back\\slash").write_bytes(b"")
    with pytest.raises(InvalidInput, match="can't be kept"):
        datasets.reference("images", str(there))


def test_any_filesystem_of_fsspec_will_do(datasets):
    name = uuid.uuid4().hex
    fsspec.filesystem("memory").pipe(f"/{name}/a", b"abc")
    version = datasets.reference("m", f"memory://{name}/*")
    [entry] = version.files()
    assert (entry.path, entry.size) == ("a", 3)
    assert entry.source.modified
    with version.open() as stream:
        assert stream.read() == b"abc"
    fsspec.filesystem("memory").pipe(f"/{name}/a", b"abcd")
    with pytest.raises(Corrupt):
        version.open()


def test_an_unknown_protocol_is_refused(datasets):
    with pytest.raises(InvalidInput, match="can't be opened"):
        datasets.reference("x", "nonsense://a")


@pytest.mark.parametrize(
    ("protocol", "hint"), [("gs", r"mlkit-lifecycle\[gcs\]"), ("webhdfs2", "driver for webhdfs2")]
)
def test_a_missing_driver_names_its_extra(datasets, monkeypatch, protocol, hint):
    def refuse(url, **_):
        raise ImportError("No module named 'driver'")

    monkeypatch.setattr("fsspec.core.url_to_fs", refuse)
    with pytest.raises(MissingExtra, match=hint):
        datasets.reference("x", f"{protocol}://a/b")


def test_a_driver_that_fails_is_a_fault_of_storage_without_its_secrets(
    datasets, there, monkeypatch
):
    def fail(*_, **__):
        raise RuntimeError("boom password=hunter22hunter22")

    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.isdir", fail)
    with pytest.raises(StorageFault, match="boom") as caught:
        datasets.reference("x", str(there))
    assert "hunter22" not in str(caught.value)


def test_credentials_in_a_url_are_not_stored(datasets, memory, there, monkeypatch):
    local = fsspec.filesystem("file")
    monkeypatch.setattr("fsspec.core.url_to_fs", lambda url, **_: (local, str(there)))
    monkeypatch.setattr(
        type(local), "unstrip_protocol", lambda self, path: f"ftp://me:secret@host{path}"
    )
    version = datasets.reference("x", "ftp://me:secret@host/there")
    assert version.url == "ftp://host/there"
    assert all("secret" not in entry.source.url for entry in version.files())
    assert not any(b"secret" in memory.read(entry.path) for entry in memory.list())


def test_what_storages_say_is_understood():
    moment = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    source = _describe(
        "s3://b/k", {"ETag": '"abc"', "VersionId": "v1", "LastModified": moment, "etag": "other"}
    )
    assert (source.etag, source.version) == ("abc", "v1")
    assert source.modified == "2026-01-01T10:00:00+00:00"
    assert _describe("u", {}).etag is None


def test_the_best_that_a_storage_says_decides():
    def source(**said):
        return Source("u", **said)

    assert not _changed(source(etag="a", modified="1"), source(etag="a", modified="2"))
    assert _changed(source(etag="a", modified="1"), source(etag="b", modified="1"))
    assert _changed(source(etag="a", version="1"), source(version="2"))
    assert not _changed(source(), source(etag="a"))


def test_many_files_are_checked_as_few_are(datasets, tmp_path):
    for number in range(40):
        (tmp_path / "many" / f"{number % 3}").mkdir(parents=True, exist_ok=True)
        (tmp_path / "many" / f"{number % 3}" / f"{number:02}").write_bytes(b"x")
    version = datasets.reference("many", str(tmp_path / "many"))
    version.check()
    (tmp_path / "many" / "0" / "00").unlink()
    (tmp_path / "many" / "1" / "01").write_bytes(b"longer")
    os.utime(tmp_path / "many" / "2" / "02", (1, 1))
    with pytest.raises(Corrupt) as caught:
        version.check()
    wrong = ("0/00 is missing", "1/01 changed from 1 to 6 bytes", "2/02 changed")
    assert all(words in str(caught.value) for words in wrong)


def test_all_of_many_files_may_be_missing(datasets, tmp_path):
    (tmp_path / "many").mkdir()
    for number in range(40):
        (tmp_path / "many" / f"{number:02}").write_bytes(b"x")
    version = datasets.reference("many", str(tmp_path / "many"))
    shutil.rmtree(tmp_path / "many")
    with pytest.raises(Corrupt, match=r"00 is missing, .* and 35 more"):
        version.check()


@pytest.mark.parametrize("name", ["a::b", "what?x=1.png", "c#d=e"])
def test_a_name_that_means_something_else_in_a_url_is_refused(datasets, there, name):
    (there / name).write_bytes(b"")
    with pytest.raises(InvalidInput, match="can't be recorded"):
        datasets.reference("x", str(there))


@pytest.mark.parametrize("name", ["a b.png", "ä%20.png", "[1].png", "a*.png", "x@y:z.png"])
def test_other_odd_names_are_found_again(datasets, there, tmp_path, name):
    (there / name).write_bytes(b"odd")
    version = datasets.reference("x", str(there))
    version.check()
    with version.open(name) as stream:
        assert stream.read() == b"odd"


@pytest.mark.parametrize("url", ["zip://*.csv::file:///tmp/a.zip", "http://127.0.0.1/a?key=abc"])
def test_a_url_that_could_not_be_found_again_is_refused_and_copying_named(datasets, url):
    with pytest.raises(InvalidInput, match="log_dataset") as caught:
        datasets.reference("x", url)
    assert "key=abc" not in str(caught.value)


def test_times_of_the_web_are_understood():
    source = _describe("http://h/a", {"Last-Modified": "Thu, 01 Jan 2026 10:00:00 GMT"})
    assert source.modified == "2026-01-01T10:00:00+00:00"
    assert _describe("s3://b/k", {"VersionId": "null"}).version is None


def test_a_link_in_a_folder_is_refused_and_not_left_out(datasets, tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    (folder / "link.txt").symlink_to(folder / "a.txt")
    with pytest.raises(InvalidInput, match=r"link.txt.* is a link"):
        datasets.reference("raw", str(folder))
    assert datasets.reference("raw", f"{folder}/a*").files()[0].path == "a.txt"


@pytest.mark.parametrize("many", [False, True])
def test_a_recorded_place_that_leads_through_several_drivers_is_never_opened(
    datasets, there, tmp_path, monkeypatch, many
):
    url = f"simplecache::file://{there}/a.png"
    source = Source(url=url, etag=None, version=None, modified=None)
    entries = [FileEntry(f"{n}.png", 3, "", (), source) for n in range(50 if many else 1)]
    monkeypatch.setattr(
        "mlkit.data.storing.file_contents.list_sources", lambda *_: entries
    )  # as who writes a store by hand
    version = datasets.reference("images", str(there))
    monkeypatch.setattr("fsspec.core.url_to_fs", None)  # which opening would call
    for read in (
        version.check,
        lambda: version.open("0.png"),
        lambda: version.checkout(tmp_path / "out"),
    ):
        with pytest.raises(Corrupt, match="leads through several drivers"):
            read()
