"""The index of a store in a bucket: runs are listed and read in another way there."""

import warnings

import pytest

from mlkit.store.store import Store

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:moto|botocore|aiobotocore|werkzeug"),
]


@pytest.fixture(scope="module")
def options():
    """A server that runs in this process, and how to reach it."""
    server = pytest.importorskip("moto.server", reason="NOT TESTED HERE: S3; moto isn't installed")
    s3fs = pytest.importorskip("s3fs", reason="NOT TESTED HERE: S3; s3fs isn't installed")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    options = {
        "key": "AKIAEXAMPLE",
        "secret": "very-secret",
        "endpoint_url": f"http://{host}:{port}",
        "client_kwargs": {"region_name": "us-east-1"},
        "config_kwargs": {"s3": {"addressing_style": "path"}, "retries": {"max_attempts": 1}},
    }
    s3fs.S3FileSystem(**options).call_s3("create_bucket", Bucket="bucket")
    yield options
    running.stop()


def log(store, count, key="loss"):
    for number in range(count):
        with store.start_run("e") as run:
            run.log_params(number=number)
            run.log_metric(key, number / 2, step=number)


def test_folded_and_unfolded_runs_of_a_bucket_give_the_same_view(options, told):
    store = Store("s3://bucket/lake", options)
    log(store, 4)
    assert store.compact().runs == 4
    log(store, 2, key="auc")
    store._storage.write("runs/README", b"lies among runs")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        other = Store("s3://bucket/lake", options)
        right = told(other._index.see(tables=False))
        assert len(right["ids"]) == 6
        assert told(other._index.see()) == right
        assert told(store._index.see()) == right
        ids = right["ids"]
        other.run(ids[0]).set_tags(after="folding")
        with other.start_run("e", resume=ids[1]) as run:
            run.log_metric("more", 1.0)
        right = told(other._index.see(tables=False))
        assert told(store._index.see()) == right
        assert store.compact().runs == 4
        assert told(store._index.see()) == told(other._index.see()) == right
