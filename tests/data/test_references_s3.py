"""Sources and references on S3, as moto has it, over real HTTP: versions, etags, few requests."""

import uuid

import pytest

from mlkit.data.sources.places import Place
from mlkit.errors import Corrupt, NotFound, StorageFault

pytest.importorskip("moto.server", reason="NOT TESTED HERE: S3; moto isn't installed")
s3fs = pytest.importorskip("s3fs", reason="NOT TESTED HERE: S3; s3fs isn't installed")

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:moto|botocore|aiobotocore|werkzeug"),
]


@pytest.fixture(scope="module")
def options():
    """A server that runs in this process, and how to reach it; one of its buckets has versions."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    options = {
        "key": "AKIAEXAMPLE",
        "secret": "very-secret",
        "endpoint_url": f"http://{host}:{port}",
        "client_kwargs": {"region_name": "us-east-1"},
        "config_kwargs": {"s3": {"addressing_style": "path"}, "retries": {"max_attempts": 1}},
    }
    driver = s3fs.S3FileSystem(**options)
    for bucket in ("plain", "versioned"):
        driver.call_s3("create_bucket", Bucket=bucket)
    driver.call_s3(
        "put_bucket_versioning",
        Bucket="versioned",
        VersioningConfiguration={"Status": "Enabled"},
    )
    yield options
    server.stop()


@pytest.fixture
def driver(options):
    return s3fs.S3FileSystem(**options)


@pytest.fixture(params=["plain", "versioned"])
def place(request, driver):
    return _filled(request.param, driver)


@pytest.fixture
def versioned(driver):
    return _filled("versioned", driver)


def _filled(bucket, driver):
    """Put a few files into a folder of their own, and give its URL."""
    root = f"{bucket}/{uuid.uuid4()}"
    driver.pipe({f"{root}/a.png": b"aaa", f"{root}/sub/b.png": b"bbbb", f"{root}/t.csv": b"n\n1\n"})
    return f"s3://{root}"


class _Counted:
    """Counts the requests that drivers send."""

    def __init__(self, monkeypatch):
        self.sent = []
        before = s3fs.S3FileSystem._call_s3

        async def call(driver, method, *args, **kwargs):
            self.sent.append(method)
            return await before(driver, method, *args, **kwargs)

        monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", call)


def test_what_lies_in_a_bucket_becomes_a_version(datasets, place, options):
    version = datasets.log("x", f"{place}/t.csv", storage_options=options)
    assert version.to_arrow().to_pydict() == {"n": [1]}
    version = datasets.log("y", place, storage_options=options)
    assert [entry.path for entry in version.files()] == ["a.png", "sub/b.png", "t.csv"]
    with version.open("sub/b.png") as stream:
        assert stream.read() == b"bbbb"


def test_secrets_are_neither_stored_nor_told(datasets, place, options):
    datasets.log("x", place, storage_options=options)
    datasets.reference("y", place, storage_options=options)
    stored = b"".join(datasets.storage.read(entry.path) for entry in datasets.storage.list())
    assert b"very-secret" not in stored
    assert b"AKIAEXAMPLE" not in stored
    wrong = {**options, "endpoint_url": "http://127.0.0.1:1"}
    for read in (datasets.log, datasets.reference):
        with pytest.raises(StorageFault) as caught:
            read("z", place, storage_options=wrong)
        assert "very-secret" not in str(caught.value)


def test_what_is_recorded_is_read_where_it_is(datasets, place, options, tmp_path):
    version = datasets.reference("x", place, storage_options=options)
    assert {entry.path: entry.size for entry in version.files()} == {
        "a.png": 3,
        "sub/b.png": 4,
        "t.csv": 4,
    }
    assert all(entry.source.etag for entry in version.files())
    version.check(options)
    version.checkout(tmp_path / "out", storage_options=options)
    assert (tmp_path / "out" / "sub" / "b.png").read_bytes() == b"bbbb"


def test_changed_and_missing_files_of_a_plain_bucket_are_named(datasets, driver, options):
    place = _filled("plain", driver)
    version = datasets.reference("x", place, storage_options=options)
    driver.pipe(f"{place}/a.png", b"xyz")
    driver.rm(f"{place}/sub/b.png")
    with pytest.raises(Corrupt, match=r"what they were: a\.png changed, sub/b\.png is missing"):
        version.check(options)
    with pytest.raises(Corrupt, match=r"a\.png changed"):
        version.open("a.png", storage_options=options)


def test_the_same_bytes_written_again_are_no_change(datasets, driver, options):
    place = _filled("plain", driver)
    version = datasets.reference("x", place, storage_options=options)
    driver.pipe(f"{place}/a.png", b"aaa")
    version.check(options)


@pytest.mark.parametrize("name", ["a.png", ""])
def test_a_version_that_the_bucket_keeps_is_read_after_it_was_overwritten(
    datasets, driver, versioned, options, name
):
    recording = {**options, "version_aware": True}
    url = f"{versioned}/{name}" if name else versioned
    version = datasets.reference("x", url, storage_options=recording)
    assert all(entry.source.version for entry in version.files())
    driver.pipe(f"{versioned}/a.png", b"something else")
    driver.rm(f"{versioned}/sub/b.png")
    version.check(options)
    with version.open("a.png", storage_options=options) as stream:
        assert stream.read() == b"aaa"
    assert datasets.reference("x", f"{versioned}/a.png", storage_options=recording) != version


def test_one_file_has_its_version_recorded_unasked(datasets, driver, versioned, options):
    version = datasets.reference("x", f"{versioned}/a.png", storage_options=options)
    driver.pipe(f"{versioned}/a.png", b"something else")
    with version.open(storage_options=options) as stream:
        assert stream.read() == b"aaa"


def test_a_version_that_was_removed_for_good_is_named(datasets, driver, versioned, options):
    version = datasets.reference("x", f"{versioned}/a.png", storage_options=options)
    [entry] = version.files()
    driver.pipe(f"{versioned}/a.png", b"something else")
    bucket, _, key = f"{versioned}/a.png".removeprefix("s3://").partition("/")
    driver.call_s3("delete_object", Bucket=bucket, Key=key, VersionId=entry.source.version)
    with pytest.raises(Corrupt, match=r"a\.png changed from 3 to 14 bytes"):
        version.check(options)


def test_many_files_are_checked_by_a_listing(datasets, driver, options, monkeypatch):
    root = f"plain/{uuid.uuid4()}"
    driver.pipe({f"{root}/{number % 7}/{number:04}": b"x" * number for number in range(200)})
    version = datasets.reference("many", f"s3://{root}", storage_options=options)
    version.files()
    counted = _Counted(monkeypatch)
    version.check(options)
    assert len(counted.sent) <= 2


def test_a_few_files_are_asked_for_one_by_one_not_by_listing_a_large_folder(
    datasets, driver, options, monkeypatch
):
    root = f"plain/{uuid.uuid4()}"
    driver.pipe({f"{root}/{number:04}": b"x" for number in range(100)})
    version = datasets.reference("few", f"s3://{root}/00*1", storage_options=options)
    assert len(version.files()) == 10
    counted = _Counted(monkeypatch)
    version.check(options)
    assert counted.sent.count("head_object") == 10


def test_what_others_write_meanwhile_is_seen_by_the_next_listing(driver, versioned, options):
    place = Place.at(versioned, options)
    assert len(place.listed().files) == 3
    other = s3fs.S3FileSystem(**options, skip_instance_cache=True)
    other.pipe(f"{versioned}/c.png", b"new")
    assert len(place.listed().files) == 4


def test_what_is_not_there_is_not_found(datasets, versioned, options):
    with pytest.raises(NotFound):
        datasets.log("x", f"{versioned}/missing.csv", storage_options=options)
    with pytest.raises(NotFound):
        datasets.reference("x", f"{versioned}/missing", storage_options=options)
