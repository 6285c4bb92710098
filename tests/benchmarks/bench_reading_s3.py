"""What it costs to find runs on an object store that is 20 ms away, in time and in requests."""

import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from mlkit.store.store import Store
from tests.benchmarks.stores import RunShape

pytest.importorskip("moto.server", reason="NOT MEASURED HERE: S3; moto isn't installed")
s3fs = pytest.importorskip("s3fs", reason="NOT MEASURED HERE: S3; s3fs isn't installed")

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:moto|botocore|aiobotocore|werkzeug"),
]

SCRIPT = Path(__file__).parent / "slow_s3.py"
LATENCY = 20
RUNS = 1_000
WANTED = "metrics.m3 > 0.8 and params.p2 in (1, 2)"


@contextmanager
def process(*words):
    """Run the script, and give it with the port that it says."""
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as started:
        try:
            yield started, int(started.stdout.readline())
        finally:
            started.kill()


class Far:
    """A store on a server, that is reached at once or over a slow network."""

    def __init__(self, port, network, slow_port):
        self.url = f"s3://bucket/{uuid.uuid4()}"
        self._port = port
        self._network = network
        self._slow_port = slow_port

    def near(self):
        """Give the store as the server's own machine reaches it."""
        return Store(self.url, options(self._port))

    def far(self):
        """Give the store as we reach it."""
        return Store(self.url, options(self._slow_port))

    def requests(self):
        """Give how many requests were made from afar since this was last asked."""
        self._network.stdin.write("\n")
        self._network.stdin.flush()
        return int(self._network.stdout.readline())


def options(port):
    """Give what the driver takes for a server on this machine."""
    return {
        "key": "AKIAEXAMPLE",
        "secret": "very-secret",
        "endpoint_url": f"http://127.0.0.1:{port}",
        "client_kwargs": {"region_name": "us-east-1"},
        "config_kwargs": {"s3": {"addressing_style": "path"}, "retries": {"max_attempts": 1}},
    }


@pytest.fixture(scope="module")
def store(hermetic_root, tmp_path_factory):
    """Give a store of 1,000 runs on a server."""
    with ExitStack() as stack:
        _, port = stack.enter_context(process("server"))
        network, slow_port = stack.enter_context(process("network", port, LATENCY))
        s3fs.S3FileSystem(**options(port)).call_s3("create_bucket", Bucket="bucket")
        far = Far(port, network, slow_port)
        storage = far.near()._storage
        local = Store(tmp_path_factory.mktemp("copied") / "store")
        RunShape(steps=10).file(local, RUNS)
        root = Path(local.url)
        with ThreadPoolExecutor(16) as pool:
            list(
                pool.map(
                    lambda path: storage.write(str(path.relative_to(root)), path.read_bytes()),
                    root.glob("runs/*/*"),
                )
            )
        yield far


def test_searching_runs_on_a_server_that_is_far(bench, store, monkeypatch):
    monkeypatch.setattr("mlkit.index.background.MANY", sys.maxsize)
    asked = {}

    def find(what, opened):
        store.requests()
        assert 0 < len(opened.search_runs(WANTED, order_by="-metrics.m1").to_arrow()) < RUNS
        asked[what] = store.requests()

    def timed(what, opened):
        return bench.side_by_side({what: lambda: find(what, opened)}, rounds=1)[what].median

    where = f"on S3 with {LATENCY} ms a reply"
    near = timed("near", store.near())
    opened = store.far()
    first = timed("first", opened)
    again = timed("again", opened)
    bench.at_most(
        f"a search of {RUNS:,} runs not folded, {where}",
        first,
        "s",
        budget=5,
        again=again,
        without_latency=near,
    )
    bench.at_most(
        "requests of that, a run",
        asked["first"] / RUNS,
        "",
        budget=1.2,
        again=asked["again"] / RUNS,
    )

    store.near().compact(progress=False)
    opened = store.far()
    first = timed("first", opened)
    again = timed("again", opened)
    bench.at_most(f"a search of {RUNS:,} folded runs, {where}", again, "s", first=first)
    bench.at_most("requests of that", asked["again"], "", first=asked["first"])
