"""What it costs to find runs and to read their points, among as many as a team has in years."""

import subprocess
import sys
from shutil import rmtree

import pytest

from mlkit.store.store import Store
from tests.benchmarks.stores import RunShape

RUNS = 100_000
WANTED = "metrics.m3 > 0.8 and params.p2 in (1, 2)"
ORDER = "-metrics.m1"


@pytest.fixture(scope="module")
def new_store(hermetic_root, tmp_path_factory):
    """Give what makes empty stores, all of which are removed at the end."""
    folders = []

    def make():
        folders.append(tmp_path_factory.mktemp("reading"))
        return Store(folders[-1] / "store")

    yield make
    for folder in folders:
        rmtree(folder)


@pytest.fixture
def by_hand(monkeypatch):
    """Runs that aren't folded stay so, however many are found."""
    monkeypatch.setattr("mlkit.index.background.MANY", sys.maxsize)


def program(code, *words):
    """Give what a program says, as numbers; what it warns of is an error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, words)],
        check=True,
        capture_output=True,
        text=True,
    )
    return [float(number) for number in done.stdout.split()]


# Many runs


@pytest.fixture(scope="module")
def many(new_store):
    """A store of 100,000 runs with 25 keys, all folded."""
    store = new_store()
    RunShape().file(store, RUNS)
    assert store.compact(progress=False).runs == RUNS
    return store


def test_finding_runs_among_a_hundred_thousand(bench, many):
    store = Store(many.url)

    def find():
        return store.search_runs(WANTED, order_by=ORDER, limit=20).to_arrow()

    assert find().num_rows == 20
    timings = bench.side_by_side({"warm": find}, rounds=15)
    bench.at_most(
        f"filter + sort + 20 of {RUNS:,} runs", 1e3 * timings["warm"].median, "ms", budget=50
    )


FIND = """
import sys, time
class NoPandas:
    def find_spec(self, name, *where):
        if name == "pandas":
            raise ModuleNotFoundError(name)
if sys.argv[4] == "without":
    sys.meta_path.insert(0, NoPandas())
began = time.perf_counter()
import mlkit
found = mlkit.Store(sys.argv[1]).search_runs(sys.argv[2], order_by=sys.argv[3], limit=20).to_arrow()
seconds = time.perf_counter() - began
print(seconds, found.num_rows)
"""


def test_finding_runs_in_a_new_process(bench, many):
    def best(pandas):
        found = [program(FIND, many.url, WANTED, ORDER, pandas) for _ in range(5)]
        assert [rows for _, rows in found] == [20] * len(found)
        return 1e3 * min(seconds for seconds, _ in found)

    bench.at_most(
        f"filter + sort + 20 of {RUNS:,} runs, new process",
        best("with"),
        "ms",
        budget=400,
        where_pandas_is_not_installed=best("without"),
    )


FOLD = """
import re, sys, time
import mlkit, pyarrow
def peak():
    # Of this program alone: ru_maxrss begins with what the process had that started it.
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read())[1]) / 1024
store = mlkit.Store(sys.argv[1])
before, began = peak(), time.perf_counter()
folded = store.compact(progress=False)
print(time.perf_counter() - began, peak() - before, folded.runs)
"""


def test_folding_runs(bench, new_store):
    store, runs = new_store(), 10_000
    RunShape(steps=10).file(store, runs)
    seconds, memory, folded = program(FOLD, store.url)
    assert folded == runs
    bench.at_most(f"folding {runs:,} runs of 25 keys and 100 points", seconds, "s", budget=20)
    bench.at_most("memory for that", memory, "MiB", budget=600)


def test_searching_runs_that_are_not_folded(bench, new_store, by_hand):
    store, runs = new_store(), 1_000
    RunShape(steps=10).file(store, runs)

    def find():
        found = Store(store.url).search_runs(WANTED, order_by=ORDER)
        assert 0 < len(found.to_arrow()) < runs

    timings = bench.side_by_side({"first": find}, rounds=5)
    bench.at_most(
        f"the first search of {runs:,} runs not folded", timings["first"].median, "s", budget=0.5
    )


def test_opening_runs_of_very_many_metrics(bench, new_store):
    store, runs = new_store(), 1_500
    RunShape(params=5, metrics=tuple(f"m{number}" for number in range(1_500))).file(store, runs)
    store.compact(progress=False)

    def look():
        found = Store(store.url).search_runs()
        assert "m0" in repr(found)
        assert found.to_arrow().shape[0] == runs

    timings = bench.side_by_side({"open": look}, rounds=5)
    bench.at_most(
        "1,500 runs x 1,500 metrics: open, show, to_arrow", timings["open"].median, "s", budget=1
    )


# Many points


def test_a_metric_of_many_runs(bench, new_store, by_hand):
    store, runs, steps = new_store(), 1_000, 1_000
    RunShape(metrics=("loss", "auc"), steps=steps).file(store, runs)

    def read():
        found = store.search_runs().metrics("loss")
        assert found.num_rows == runs * steps

    unfolded = bench.side_by_side({"read": read}, rounds=1)["read"].median
    store.compact(progress=False)
    folded = bench.side_by_side({"read": read}, rounds=5)["read"].median
    bench.at_most(
        f"a metric of {runs:,} runs x {steps:,} points", folded, "s", budget=0.5, unfolded=unfolded
    )


def test_ten_million_points_of_a_run(bench, new_store, by_hand):
    store, steps = new_store(), 10_000_000
    (run_id,) = RunShape(metrics=("loss",), steps=steps).file(store, 1)

    def read():
        assert store.run(run_id).metrics("loss").num_rows == steps

    unfolded = bench.side_by_side({"read": read}, rounds=1)["read"].median
    store.compact(progress=False)
    folded = bench.side_by_side({"read": read}, rounds=3)["read"].median
    bench.at_most(f"{steps:,} points of a run", folded, "s", budget=1, unfolded=unfolded)
