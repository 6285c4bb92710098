"""The contract over S3 as moto has it, which refuses what S3 refuses, over real HTTP."""

import io
import os
import pickle
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlkit.errors import AlreadyExists, InvalidInput, NotFound, StorageFault
from mlkit.storage.filesystem import FilesystemStorage
from mlkit.storage.opening import open_storage
from mlkit.storage.probing import probe
from mlkit.testing import StorageContract

pytest.importorskip("moto.server", reason="NOT TESTED HERE: S3; moto isn't installed")
s3fs = pytest.importorskip("s3fs", reason="NOT TESTED HERE: S3; s3fs isn't installed")

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:moto|botocore|aiobotocore|werkzeug"),
]


@pytest.fixture(scope="module")
def options():
    """A server that runs in this process, and how to reach it."""
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
    s3fs.S3FileSystem(**options).call_s3("create_bucket", Bucket="bucket")
    yield options
    server.stop()


@pytest.fixture(scope="module")
def opened(options):
    """One storage over the whole bucket, so that its connections are made once."""
    return open_storage("s3://bucket", options)


@pytest.fixture
def storage(opened):
    return FilesystemStorage(
        opened._fs, f"bucket/{uuid.uuid4()}", "s3://bucket/test", sleep=lambda _seconds: None
    )


class TestS3(StorageContract):
    rounds = 5

    @pytest.fixture
    def storage(self, opened):
        return FilesystemStorage(opened._fs, f"bucket/{uuid.uuid4()}")

    def another(self, storage):
        return FilesystemStorage(storage._fs, storage._root)


def test_clients_of_their_own_race_for_one_name(options):
    place = f"s3://bucket/{uuid.uuid4()}"
    storages = [open_storage(place, options) for _ in range(6)]
    assert len({id(storage._fs) for storage in storages}) == 6

    def create(writer):
        try:
            storages[writer].create("name", f"writer {writer}".encode())
        except AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(create, range(6)))
    assert won.count(True) == 1
    for storage in storages:
        assert storage.read("name") == f"writer {won.index(True)}".encode()
        assert storage.children() == ["name"]


def test_a_listing_shows_what_another_client_wrote_since(options):
    place = f"s3://bucket/{uuid.uuid4()}"
    mine, theirs = open_storage(place, options), open_storage(place, options)
    mine.write("a/1", b"x")
    assert theirs.children("a") == ["1"]
    mine.write("a/2", b"x")
    assert theirs.children("a") == ["1", "2"]
    assert len(list(theirs.list())) == 2
    mine.delete("a/1")
    assert theirs.children("a") == ["2"]
    with pytest.raises(NotFound):
        theirs.stat("a/1")


def test_a_client_that_caches_listings_is_not_believed(options):
    folder = f"bucket/{uuid.uuid4()}"
    mine, theirs = (
        FilesystemStorage(s3fs.S3FileSystem(**options, skip_instance_cache=True), folder)
        for _ in range(2)
    )
    mine.write("a/1", b"x")
    assert theirs.children("a") == ["1"]
    mine.write("a/1", b"longer")
    mine.write("a/2", b"x")
    assert theirs.stat("a/1").size == len(b"longer")
    assert theirs.children("a") == ["1", "2"]
    assert [entry.size for entry in theirs.list("a")] == [len(b"longer"), 1]
    mine.delete("a/1")
    with pytest.raises(NotFound):
        theirs.stat("a/1")


class OneRequest(s3fs.S3FileSystem):
    """A client that notes what it asks for."""

    asked = ()

    async def _call_s3(self, method, *args, **options):
        self.asked = (*self.asked, method)
        return await super()._call_s3(method, *args, **options)


def test_reading_an_object_is_one_request(options):
    filesystem = OneRequest(**options, skip_instance_cache=True)
    storage = FilesystemStorage(filesystem, f"bucket/{uuid.uuid4()}")
    storage.write("name", b"hello")
    storage.create("created", b"mine")
    assert storage.read("name") == b"hello"
    assert storage.read("name", 1, 3) == b"el"
    assert filesystem.asked == ("put_object", "put_object", "get_object", "get_object")


class LostReplies(s3fs.S3FileSystem):
    """A client whose network loses the reply to what was done."""

    lost = 0

    async def _pipe_file(self, path, data, mode="overwrite", **options):
        await super()._pipe_file(path, data, mode=mode, **options)
        if mode == "create" and self.lost:
            self.lost -= 1
            await super()._pipe_file(path, data, mode=mode, **options)


def test_a_lost_reply_that_looks_like_a_conflict_is_a_success(options):
    filesystem = LostReplies(**options, skip_instance_cache=True)
    filesystem.lost = 1
    storage = FilesystemStorage(filesystem, f"bucket/{uuid.uuid4()}")
    storage.create("name", b"mine")
    assert filesystem.lost == 0
    assert storage.read("name") == b"mine"
    with pytest.raises(AlreadyExists):
        storage.create("name", b"another's")


def test_a_large_stream_goes_up_in_parts_and_appears_whole(storage):
    body = os.urandom(1 << 20) * 60
    storage.write("large", io.BytesIO(body))
    assert storage.read("large") == body
    assert storage.read("large", 59 << 20) == body[59 << 20 :]


def test_an_upload_in_parts_that_breaks_leaves_nothing(storage, opened):
    class Broken(io.BytesIO):
        def read(self, size=-1):
            piece = super().read(size)
            if not piece:
                raise OSError("the stream broke")
            return piece

    with pytest.raises(StorageFault, match="the stream broke"):
        storage.write("large", Broken(bytes(70 << 20)))
    assert list(storage.list()) == []
    uploads = opened._fs.call_s3("list_multipart_uploads", Bucket="bucket")
    assert not uploads.get("Uploads")


def test_the_probe_finds_exclusive_create(storage):
    assert probe(storage).exclusive_create
    assert not probe(storage).append


def test_a_bucket_that_isnt_there_is_a_fault_to_write_to(options):
    storage = open_storage("s3://no-such-bucket/folder", options)
    for act in (lambda: storage.write("a", b"x"), lambda: storage.create("a", b"x")):
        with pytest.raises(StorageFault, match="bucket does not exist"):
            act()


def test_a_server_that_is_away_is_a_fault_without_secrets(options):
    away = {**options, "endpoint_url": "http://127.0.0.1:1"}
    away["config_kwargs"] = {"retries": {"max_attempts": 0}}
    storage = open_storage("s3://bucket/folder", away)
    storage._sleep = lambda _seconds: None
    storage._fs.retries = 1
    for act in (
        lambda: storage.read("a"),
        lambda: storage.write("a", b"x"),
        lambda: storage.create("a", b"x"),
        storage.children,
    ):
        with pytest.raises(StorageFault) as caught:
            act()
        assert "very-secret" not in str(caught.value)


def test_credentials_are_in_no_url_and_no_pickle(options):
    storage = open_storage("s3://AKIAEXAMPLE:very-secret@bucket/folder", options)
    assert storage.url == "s3://bucket/folder"
    assert "secret" not in repr(storage)
    with pytest.raises(InvalidInput, match="aren't pickled"):
        pickle.dumps(storage)


def test_after_a_fork_the_connections_are_made_anew(opened, options, monkeypatch):
    storage = open_storage(f"s3://bucket/{uuid.uuid4()}", options)
    storage.write("a", b"x")
    before = storage._fs
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert storage.read("a") == b"x"
    assert storage._fs is not before
    assert storage._fs is storage._fs
    assert storage._fs.dircache.use_listings_cache is False
