import json

import pytest

from mlkit.store.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def _plain(values):
    """Give values so that NaN equals itself and 1 isn't 1.0."""
    return json.loads(json.dumps([[type(one).__name__, repr(one)] for one in values]))


def _told(seen, *, points=True):
    view = seen.view
    ids = view.fixed("run_id").to_pylist()

    def by_run(column):
        return dict(zip(ids, _plain(column.to_pylist()), strict=True))

    told = {name: by_run(view.fixed(name)) for name in FIXED}
    told["ids"] = sorted(ids)
    told["inputs"], told["outputs"] = by_run(view.links("inputs")), by_run(view.links("outputs"))
    # A file keeps the columns of runs whose folders are gone; that nobody has such a key is enough.
    for key in view.keys("params"):
        kinds = {kind: by_run(column) for kind, column in view.param(key).items()}
        found = {run: _first(kinds, run) for run in ids}
        if any(found.values()):
            told["params", key] = found
    for key in view.keys("tags"):
        if view.tag(key).null_count < len(ids):
            told["tags", key] = by_run(view.tag(key))
    for key in view.keys("metrics"):
        if view.metric(key).null_count == len(ids):
            continue
        for part in ("last", "first", "min", "max", "best"):
            column = view.metric(key, part)
            told["metrics", key, part] = None if column is None else by_run(column)
        if points:
            told["points", key] = _points(seen, key, sorted(ids))
    return told


def _first(kinds, run):
    found = [(kind, column[run]) for kind, column in kinds.items() if column[run][0] != "NoneType"]
    assert len(found) < 2
    return found


def _points(seen, key, ids):
    import pyarrow as pa

    table = seen.series.points(key, pa.array(ids, pa.string()))
    assert table.column_names == ["run_id", "step", "time", "value"]
    columns = [table.column("run_id"), table.column("step"), table.column("time").cast("int64")]
    kinds = [str(table.column("step").type), str(table.column("time").type)]
    return [kinds, *(_plain(column.to_pylist()) for column in [*columns, table.column("value")])]


FIXED = (
    "experiment",
    "name",
    "status",
    "started",
    "ended",
    "duration",
    "parent",
    "user",
    "deleted",
)


@pytest.fixture
def told():
    """Give the function that says all that a view says, in the order of no part."""
    return _told


@pytest.fixture
def by_deltalake():
    """Give the function that reads a table of a store as another library has it."""
    deltalake = pytest.importorskip("deltalake")

    def read(root, name):
        return deltalake.DeltaTable(str(root / "tables" / name)).to_pyarrow_table()

    return read


@pytest.fixture
def once(by_deltalake):
    """Give the function that checks with another library that each run and point is there once."""

    def check(root, runs):
        """Compare with what runs must have: run id to key to number of points."""
        ids = by_deltalake(root, "runs").column("run_id").to_pylist()
        assert sorted(ids) == sorted(runs)
        points, summaries = by_deltalake(root, "metrics"), by_deltalake(root, "summaries")
        counted = {}
        for run_id, key in zip(*_columns(points, "run_id", "key"), strict=True):
            counted.setdefault(run_id, {}).setdefault(key, 0)
            counted[run_id][key] += 1
        assert counted == {run_id: keys for run_id, keys in runs.items() if keys}
        summed = {}
        for run_id, key, count in zip(*_columns(summaries, "run_id", "key", "points"), strict=True):
            assert key not in summed.setdefault(run_id, {})
            summed[run_id][key] = count
        assert summed == counted

    return check


def _columns(table, *names):
    return [table.column(name).to_pylist() for name in names]
