"""The same promises on storages that are no local folder: memory, fsspec's, S3 over real HTTP."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import fsspec
import pytest

from mlkit.errors import AlreadyExists, Corrupt
from mlkit.storage.filesystem import FilesystemStorage
from mlkit.storage.memory import MemoryStorage
from mlkit.tables.delta_table import DeltaTable

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:moto|botocore|aiobotocore|werkzeug"),
]


@pytest.fixture(scope="module")
def bucket():
    """A bucket of a server that runs in this process."""
    server = pytest.importorskip("moto.server", reason="NOT TESTED HERE: S3; moto isn't installed")
    s3fs = pytest.importorskip("s3fs", reason="NOT TESTED HERE: S3; s3fs isn't installed")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    filesystem = s3fs.S3FileSystem(
        key="AKIAEXAMPLE",
        secret="very-secret",
        endpoint_url=f"http://{host}:{port}",
        client_kwargs={"region_name": "us-east-1"},
        config_kwargs={"s3": {"addressing_style": "path"}, "retries": {"max_attempts": 1}},
        use_listings_cache=False,
    )
    filesystem.call_s3("create_bucket", Bucket="bucket")
    yield filesystem
    running.stop()


@pytest.fixture(params=["memory", "dir", "s3"])
def storage(request, tmp_path):
    """Each of them, empty."""
    if request.param == "memory":
        return MemoryStorage(f"tables-{uuid.uuid4()}")
    if request.param == "dir":
        inner = fsspec.filesystem("memory")
        return FilesystemStorage(fsspec.filesystem("dir", path=f"/{uuid.uuid4()}", fs=inner), "")
    return FilesystemStorage(request.getfixturevalue("bucket"), f"bucket/{uuid.uuid4()}")


def test_rows_come_back_after_many_commits(storage, rows):
    table = DeltaTable(storage, "tables/runs", clock=lambda: 10**18, group_rows=2)
    snapshot = table.read()
    assert not snapshot.exists
    for number in range(13):
        remove = list(snapshot.files.values())[:1] if number % 3 == 2 else []
        add = [table.write(rows.slice(number % 5))]
        snapshot = table.commit(snapshot, schema=rows.schema, add=add, remove=remove)
    read = DeltaTable(storage, "tables/runs", clock=lambda: 0).read()
    assert read == snapshot
    assert read.schema == rows.schema
    assert read.rows == sum(
        table.file(add).read(["run_id"]).num_rows for add in read.files.values()
    )
    (*_, last) = read.files.values()
    assert repr(table.file(last).read(rows.column_names).to_pylist()) == repr(
        rows.slice(12 % 5).to_pylist()
    )
    groups = table.file(last).groups_with("run_id", "f", "f")
    assert table.file(last).read(["run_id"], groups=groups).column(0).to_pylist()[-1] == "f"


def test_of_writers_that_commit_at_once_one_wins(storage, rows):
    def commit(writer):
        table = DeltaTable(storage, "tables/runs", clock=lambda: writer)
        try:
            return table.commit(before, schema=rows.schema, add=[table.write(rows)])
        except AlreadyExists:
            return None

    before = DeltaTable(storage, "tables/runs", clock=lambda: 0).read()
    with ThreadPoolExecutor(6) as pool:
        won = [one for one in pool.map(commit, range(6)) if one is not None]
    assert len(won) == 1
    assert DeltaTable(storage, "tables/runs", clock=lambda: 0).read().files == won[0].files


def test_damage_is_found(storage, rows):
    table = DeltaTable(storage, "tables/runs", clock=lambda: 0)
    add = table.write(rows)
    path = f"tables/runs/{add.path}"
    data = bytearray(storage.read(path))
    for place in (20, len(data) // 2, len(data) - 30):
        turned = bytearray(data)
        turned[place] ^= 1
        storage.write(path, bytes(turned))
        with pytest.raises(Corrupt):
            table.file(add).read(rows.column_names)
