"""The budgets of data versions that DVC has nothing beside: requests, reading, a million files."""

import json
import subprocess
import sys
from shutil import rmtree

import pyarrow.parquet as pq
import pytest

from mlkit.store.store import Store
from mlkit.testing import FaultyStorage
from tests.benchmarks.contents import (
    SCALE,
    SLOW,
    FolderShape,
    TableShape,
    budget,
    scaled,
    settle,
)

MIB = 1 << 20


@pytest.fixture(scope="module")
def place(hermetic_root, tmp_path_factory):
    """Give what makes empty folders, all of which are removed at the end."""
    folders = []

    def make():
        folders.append(tmp_path_factory.mktemp("data"))
        return folders[-1]

    yield make
    for folder in folders:
        rmtree(folder)


# Requests


def test_requests_for_a_hundred_thousand_files(bench, place):
    shape, folder = FolderShape(scaled(100_000), 500), place() / "folder"
    shape.make(folder)

    def asked(act):
        settle()
        store = Store("memory://bench-data-requests")
        store._storage = watched = FaultyStorage(store._storage)
        act(store)
        writes = [path for verb, path in watched.operations if verb in {"write", "create"}]
        return writes, len(watched.operations)

    written, requests = asked(lambda store: store.log_dataset("data", folder))
    packs = sum(path.startswith("packs/") for path in written)
    least = -(-shape.files * shape.size // (32 * MIB))
    bench.at_most(
        f"PUTs for {shape}, beyond {least} full packs",
        len(written) - least,
        "",
        budget=budget(50),
        packs=packs,
        all_requests=requests,
    )
    written, requests = asked(lambda store: store.log_dataset("data", folder))
    assert not written
    bench.at_most("requests for adding them again", requests, "", budget=budget(50))
    shape.change_one(folder)
    written, requests = asked(lambda store: store.log_dataset("data", folder))
    bench.at_most("PUTs for one of them changed", len(written), "", budget=4, requests=requests)
    _, requests = asked(
        lambda store: store.dataset("data:1").open(shape.path(shape.files // 3)).read()
    )
    bench.at_most("requests for reading one of them", requests, "", budget=5)
    _, requests = asked(lambda store: store.dataset("data:1").checkout(place() / "out"))
    bench.at_most("requests for checking them out", requests, "")


# Reading


def test_reading_a_million_rows_beside_pyarrow(bench, place):
    shape, folder = TableShape(scaled(1_000_000)), place()
    table = shape.table()
    pq.write_table(table, folder / "plain.parquet")
    store = Store(folder / "store")
    store.log_dataset("rows", table)
    store.dataset("rows:1").checkout(folder / "out")

    def read():
        assert Store(store.url).dataset("rows:1").to_arrow().num_rows == shape.rows

    timings = bench.side_by_side(
        {
            "mlkit": read,
            "same": lambda: pq.read_table(folder / "out" / "data.parquet"),
            "plain": lambda: pq.read_table(folder / "plain.parquet"),
        },
        rounds=9,
    )
    ours, same = timings["mlkit"].median, timings["same"].median
    bench.at_most(
        f"{shape}: to_arrow()",
        1e3 * ours,
        "ms",
        pyarrow_same_file=1e3 * same,
        pyarrow_own_file=1e3 * timings["plain"].median,
    )
    bench.at_most(
        "as a part of what pyarrow takes for the file", ours / same, "x", budget=budget(2)
    )
    timings = bench.side_by_side(
        {
            "mlkit": lambda: store.dataset("rows:1").to_arrow(["delay"]),
            "same": lambda: pq.read_table(folder / "out" / "data.parquet", columns=["delay"]),
        },
        rounds=9,
    )
    bench.at_most(
        f"{shape}: to_arrow() of one column",
        1e3 * timings["mlkit"].median,
        "ms",
        pyarrow_same_file=1e3 * timings["same"].median,
    )


# A million files


ADD = """
import json, re, sys, time
from pathlib import Path
import mlkit
store = mlkit.Store(sys.argv[1])
def held(below):
    found = [path for path in Path(store.url, below).rglob("*") if path.is_file()]
    return {path: path.stat().st_size for path in found}
before = {below: held(below) for below in ("packs", "blobs", "datasets")}
began = time.perf_counter()
version = store.log_dataset("data", sys.argv[2])
seconds = time.perf_counter() - began
# Of this program alone: ru_maxrss begins with what the process had that started it.
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024
new = {
    below: sum(size for path, size in held(below).items() if path not in files)
    for below, files in before.items()
}
print(json.dumps({"seconds": seconds, "peak": peak, "number": version.number, **new}))
"""


@pytest.mark.skipif(not SLOW and SCALE == 1, reason="NOT MEASURED HERE: slow; BENCH_SLOW=1 asks")
def test_a_million_files(bench, place, monkeypatch):
    root = place()
    shape, folder = FolderShape(scaled(1_000_000), 16), root / "folder"
    monkeypatch.setenv("MLKIT_CACHE", str(root / "cache"))  # every process has the same
    print(f"\n  making {shape}", flush=True)
    shape.make(folder)

    def add():
        print("  adding them", flush=True)
        settle()
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", ADD, root / "store", folder],
            check=True,
            capture_output=True,
            text=True,
        )
        return json.loads(done.stdout)

    first = add()
    bench.at_most(f"{shape}: add", first["seconds"], "s", memory_MiB=first["peak"])
    again = add()
    assert again["number"] == 1
    bench.at_most(f"{shape}: add again", again["seconds"], "s", memory_MiB=again["peak"])
    shape.change_one(folder)
    changed = add()
    assert changed["number"] == 2
    bench.at_most(
        f"{shape}: add again, one file changed", changed["seconds"], "s", memory_MiB=changed["peak"]
    )
    bench.at_most(
        f"{shape}: stored for one file changed",
        sum(changed[below] for below in ("packs", "blobs", "datasets")) / MIB,
        "MiB",
        budget=budget(1),
        manifest=changed["blobs"] / MIB,
        whole_manifest=first["blobs"] / MIB,
    )
