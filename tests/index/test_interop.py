"""Promise: other programs read the tables as they are, and say what the store itself says."""

import math
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from mlkit.store.store import Store

deltalake = pytest.importorskip("deltalake", reason="NOT TESTED HERE: deltalake isn't installed")
polars = pytest.importorskip("polars", reason="NOT TESTED HERE: polars isn't installed")
duckdb = pytest.importorskip("duckdb", reason="NOT TESTED HERE: duckdb isn't installed")

TABLES = ("runs", "metrics", "summaries")


@pytest.fixture(scope="module")
def duck():
    """DuckDB with its extension for Delta tables, which a package brings."""
    package = pytest.importorskip(
        "duckdb_extension_delta", reason="NOT TESTED HERE: DuckDB's extension isn't installed"
    )
    (found,) = Path(package.__file__).parent.rglob("delta.duckdb_extension")
    config = {"allow_unsigned_extensions": "true", "autoinstall_known_extensions": "false"}
    with duckdb.connect(config=config) as connection:
        connection.execute(f"load '{found}'")
        connection.execute("set timezone = 'UTC'")
        yield connection


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A store whose tables have grown, were summed up, merged and changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLKIT_SPOOL", str(tmp_path_factory.mktemp("spool")))
        patch.setenv("MLKIT_CAPTURE", "off")
        root = tmp_path_factory.mktemp("interop") / "store"
        fill(Store(root))
        yield root


def fill(store):
    ids = []
    for number in range(26):
        with store.start_run(f"e{number % 3}", tags={"owner": "é" * (number % 4)}) as run:
            run.log_params(
                {
                    "lr": number / 10 if number % 2 else number,
                    "name": f"run {number}",
                    "on": number % 2 == 0,
                    f"grown {number // 5}": number,
                    "Twin": 1,
                    "twin": "2",
                    "tree": {"depth": number, "kinds": ["a", "b"]},
                }
            )
            for step in range(number % 5):
                run.log_metrics({"loss": 1 / (step + 1), "odd%": math.nan}, step=step)
            run.log_metric("frac", -math.inf if number == 7 else number, step=number / 4)
            run.set_goals(loss="min")
        ids.append(run.id)
        if number % 2:
            store._index.folding().fold()
    with store.start_run("e0", resume=ids[0]) as run:
        run.log_params(late=True)
        run.log_metric("late", 1.0)
    store.run(ids[1]).set_tags({"after the fact": "yes"})
    store.run(ids[2]).delete()
    shutil.rmtree(store._storage.local_path("mlkit.json").parent / "runs" / ids[3])
    store._index.folding().fold()
    store.compact()
    with store.start_run("e1") as run:
        run.log_params(newest=1)
        run.log_metric("loss", 5.0)
    store._index.folding().fold()


def by_deltalake(root, name, duck):
    return deltalake.DeltaTable(str(root / "tables" / name)).to_pyarrow_table()


def by_polars(root, name, duck):
    return polars.scan_delta(str(root / "tables" / name)).collect().to_arrow()


def by_duckdb(root, name, duck):
    return duck.execute(f"from delta_scan('{root}/tables/{name}')").to_arrow_table()


READERS = pytest.mark.parametrize("read", [by_deltalake, by_polars, by_duckdb])


def test_the_tables_have_what_makes_reading_hard(root):
    for name in TABLES:
        log = root / "tables" / name / "_delta_log"
        assert (log / "_last_checkpoint").exists()
        assert list(log.glob("*.checkpoint.parquet"))
        texts = [path.read_text() for path in log.glob("*.json")]
        assert any("OPTIMIZE" in text for text in texts)
        assert any('"remove"' in text for text in texts)
    log = root / "tables/runs/_delta_log"
    assert sum('"metaData"' in path.read_text() for path in log.glob("*.json")) > 3


@READERS
def test_another_program_has_a_row_for_each_run_with_what_the_store_says(root, read, duck):
    store = Store(root)
    rows = {row["run_id"]: row for row in read(root, "runs", duck).to_pylist()}
    runs = [*store.search_runs(), *store.search_runs(deleted=True)]
    assert sorted(rows) == sorted(run.id for run in runs)
    for run in runs:
        row = rows[run.id]
        assert row["experiment"] == run.experiment
        assert row["status"] == run.status == "FINISHED"
        assert row["deleted"] is (run.deleted_at is not None)
        assert round(row["started"].timestamp() * 1e6) == run.started_at // 1000
        assert row["duration"] == (run.ended_at - run.started_at) / 1e9
        assert row["tags.owner"] == run.tags.get("owner")
        assert row["tags.after%20the%20fact"] == run.tags.get("after the fact")
        assert row["params.name"] == run.params.get("name")
        assert row["params.on"] is run.params.get("on")
        lr = run.params.get("lr")
        kinds = {int: "int", float: "float"}
        held = {
            kind: row.get("params.lr" if kind == first(rows) else f"params.lr%{kind}")
            for kind in kinds.values()
        }
        assert held == {kind: lr if kinds.get(type(lr)) == kind else None for kind in held}
        assert row["paths.tree.depth"] == run.params.get("tree", {}).get("depth")
        assert row["metrics.loss"] == run.summary.get("loss")
        assert row["metrics.odd%25"] is None or math.isnan(row["metrics.odd%25"])
        assert [row["params.Twin"], row["params.twin%text"]] == [
            run.params.get("Twin"),
            run.params.get("twin"),
        ]
        assert dict(row["goals"] or {}) == dict(run.goals)


def first(rows):
    """Give the type whose column has the plain name."""
    return "float" if "params.lr%int" in next(iter(rows.values())) else "int"


@READERS
def test_another_program_has_each_point_once_as_the_store_has_it(root, read, duck):
    store = Store(root)
    points = {}
    for row in read(root, "metrics", duck).to_pylist():
        step = row["step"] if row["float_step"] is None else row["float_step"]
        moment = round(row["time"].timestamp() * 1e6) * 1000 + row["nanos"]
        points.setdefault((row["run_id"], row["key"]), []).append((moment, step, row["value"]))
    wanted = {}
    for run in store.runs:
        table = run.metrics()
        columns = [table.column("time").cast("int64"), table.column("step"), table.column("value")]
        keys = table.column("key").to_pylist()
        for key, *point in zip(keys, *(column.to_pylist() for column in columns), strict=True):
            wanted.setdefault((run.id, key), []).append(tuple(point))
    assert points.keys() == wanted.keys()
    for key, found in points.items():
        assert repr(sorted(map(plain, found))) == repr(sorted(map(plain, wanted[key])))


def plain(point):
    return [point[0], float(point[1]), point[2]]


@READERS
def test_another_program_has_the_summaries_of_each_metric(root, read, duck):
    store = Store(root)
    seen = store._index.see()
    ids = seen.view.fixed("run_id").to_pylist()
    found = {(row["run_id"], row["key"]): row for row in read(root, "summaries", duck).to_pylist()}
    for key in ("loss", "frac", "late"):
        for part in ("first", "last", "min", "max", "best"):
            column = seen.view.metric(key, part)
            for run_id, number in zip(ids, column.to_pylist(), strict=True):
                assert found.get((run_id, key), {}).get(part) == number


def test_polars_reads_lazily_and_skips_what_a_filter_excludes(root):
    store = Store(root)
    lazy = polars.scan_delta(str(root / "tables/runs"))
    chosen = lazy.filter((polars.col("metrics.loss") < 0.4) & ~polars.col("deleted"))
    ids = chosen.select("run_id").collect()["run_id"].to_list()
    assert sorted(ids) == sorted(run.id for run in store.search_runs("metrics.loss < 0.4"))
    points = polars.scan_delta(str(root / "tables/metrics"))
    for run in store.search_runs(limit=5):
        found = points.filter((polars.col("run_id") == run.id) & (polars.col("key") == "loss"))
        kept = [] if "loss" not in run.summary else run.metrics("loss").column("value").to_pylist()
        assert found.collect()["value"].to_list() == kept


def test_duckdb_filters_by_times_texts_and_numbers_as_the_store_does(root, duck):
    store = Store(root)
    rows = f"delta_scan('{root}/tables/runs', pushdown_filters => 'none')"
    runs = sorted(store.search_runs(), key=lambda run: run.started_at)
    middle = runs[len(runs) // 2]
    query = f"""select run_id from {rows} where not deleted and started >= ?::timestamptz"""
    moment = pa.scalar(middle.started_at // 1000, pa.timestamp("us", "UTC")).as_py()
    later = {row[0] for row in duck.execute(query, [moment]).fetchall()}
    assert later == {run.id for run in runs if run.started_at // 1000 >= middle.started_at // 1000}
    query = f"""select run_id from {rows} where not deleted and "params.name" = 'run 9'"""
    (found,) = store.search_runs("params.name = 'run 9'")
    assert duck.execute(query).fetchall() == [(found.id,)]
    query = f"""select count(*) from {rows} where not deleted and "metrics.frac" <= 10"""
    assert duck.execute(query).fetchall() == [(len(store.search_runs("metrics.frac <= 10")),)]


def test_duckdb_still_takes_the_dot_in_a_name_for_a_path_when_it_hands_a_filter_down(root, duck):
    query = f"""select run_id from delta_scan('{root}/tables/runs') where "params.name" = 'run 9'"""
    with pytest.raises(duckdb.IOException, match="unknown column"):  # the how-to says what to do
        duck.execute(query)
    query = f"select count(*) from delta_scan('{root}/tables/runs') where status = 'FINISHED'"
    assert duck.execute(query).fetchall() == [(26,)]


def test_deltalake_reads_every_version_and_finds_no_orphan_it_needs(root):
    for name in TABLES:
        table = deltalake.DeltaTable(str(root / "tables" / name))
        assert table.protocol().min_reader_version == 1
        assert table.protocol().min_writer_version == 2
        assert {Path(uri).name for uri in table.file_uris()} <= {
            path.name for path in (root / "tables" / name).glob("*.parquet")
        }
        for version in range(table.version() + 1):
            deltalake.DeltaTable(str(root / "tables" / name), version=version)
