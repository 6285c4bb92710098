"""Garbage and merges on an object store: S3 as moto has it, over real HTTP."""

import uuid
from datetime import timedelta

import pytest

import mlkit
from mlkit.objects.blobs import object_path
from mlkit.store.gc import collect_garbage
from mlkit.testing import FaultyStorage

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


def held(store):
    roots = ("runs/", "blobs/", "packs/", "datasets/", "models/")
    found = (entry.path for entry in store._storage.list())
    return {path: store._storage.read(path) for path in found if path.startswith(roots)}


def test_a_store_goes_to_a_bucket_and_comes_back_whole(full, options, tmp_path):
    url = f"s3://bucket/{uuid.uuid4()}"
    bucket = mlkit.Store(url, options)
    assert bucket.merge(full).is_complete
    assert held(bucket) == held(full)
    back = mlkit.Store(tmp_path / "back")
    assert back.merge(url, storage_options=options).is_complete
    assert held(back) == held(full)
    assert bucket.merge(full).objects == 0
    assert list(back.verify()) == []


def test_runs_are_exported_from_a_bucket_to_another(full, options):
    one, two = (f"s3://bucket/{uuid.uuid4()}" for _ in range(2))
    bucket = mlkit.Store(one, options)
    bucket.merge(full)
    run_id = full.runs.ids()[0]
    assert bucket.export(run_id, two, storage_options=options).is_complete
    out = mlkit.Store(two, options)
    assert out.runs.ids() == [run_id]
    assert out.load_model("delay:1", trusted=True).model == {"mean": 12.5}


def test_garbage_in_a_bucket_is_collected_by_its_own_clock(full, options):
    bucket = mlkit.Store(f"s3://bucket/{uuid.uuid4()}", options)
    bucket.merge(full)
    paths = [object_path("blobs", bucket._blobs.put(str(one).encode())) for one in range(30)]
    assert bucket.gc().young == 30
    later = bucket._storage.stat(paths[0]).modified + 8 * 24 * 3600 * 10**9
    report = collect_garbage(bucket._parts, grace=timedelta(days=7), clock=lambda: later)
    assert report.objects == 30
    assert held(bucket) == held(full)


def test_listing_a_bucket_tells_ages_without_another_request(full, options):
    bucket = mlkit.Store(f"s3://bucket/{uuid.uuid4()}", options)
    bucket.merge(full)
    watched = FaultyStorage(bucket._storage)
    assert all(entry.modified for entry in watched.list("blobs"))
    assert [verb for verb, _ in watched.operations] == ["list"]
