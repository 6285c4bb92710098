"""Data that don't meet what is expected never become a version, whatever they come as."""

import json
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlkit.errors import DataRefused, InvalidInput
from mlkit.quality.expectations import Expectations
from mlkit.store.store import Store

EXPECTED = Expectations().column("id", unique=True, nulls=0).column("delay", min=0)
GOOD = pa.table({"id": range(2000), "delay": [1.0] * 2000})
BAD = pa.table({"id": [*range(1999), 7], "delay": [1.0] * 1999 + [-1.0]})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def stream(table):
    return iter(table.to_batches(300))


def parquet(table, tmp_path):
    path = tmp_path / "table.parquet"
    pq.write_table(table, path)
    return str(path)


def objects(store_path):
    return sorted(
        path for path in store_path.rglob("*") if path.is_file() and "datasets" in path.parts
    )


@pytest.mark.parametrize("form", ["table", "stream", "parquet"])
def test_bad_data_are_refused_whole_and_the_rows_are_named(store, tmp_path, form):
    forms = {"table": lambda t: t, "stream": stream, "parquet": lambda t: parquet(t, tmp_path)}
    with pytest.raises(DataRefused, match="broke 2 of 5 expectations") as refused:
        store.log_dataset("flights", forms[form](BAD), expect=EXPECTED)
    assert [(one["column"], one["row"]) for one in refused.value.report.rows().to_pylist()] == [
        ("delay", 1999),
        ("id", 1999),
    ]
    assert "flights" not in store.datasets.names()
    assert objects(tmp_path / "store") == []
    version = store.log_dataset("flights", forms[form](GOOD), expect=EXPECTED)
    assert version.ref == "flights:1"


def test_the_store_keeps_what_a_version_was_held_against(store, tmp_path):
    store.log_dataset("flights", GOOD, expect=EXPECTED)
    document = json.loads((tmp_path / "store/datasets/flights/1.json").read_text())
    text = json.dumps(document)
    with EXPECTED.checker(GOOD.schema) as checker:
        checker.update(GOOD.combine_chunks().to_batches()[0])
        assert checker.finish()["digest"] in text


def test_content_that_is_a_version_already_is_held_against_new_expectations_too(store):
    store.log_dataset("flights", BAD)
    with pytest.raises(DataRefused):
        store.log_dataset("flights", BAD, expect=EXPECTED)
    assert store.dataset("flights@latest").ref == "flights:1"


def test_a_refusal_leaves_the_versions_that_there_are(store):
    store.log_dataset("flights", GOOD, expect=EXPECTED)
    with pytest.raises(DataRefused):
        store.log_dataset("flights", stream(BAD), expect=EXPECTED)
    assert store.dataset("flights@latest").ref == "flights:1"
    assert store.dataset("flights").to_arrow().equals(GOOD)


def test_files_that_are_no_table_cant_be_held_against_expectations(store, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("a")
    with pytest.raises(InvalidInput):
        store.log_dataset("images", str(tmp_path / "folder"), expect=EXPECTED)
    assert "images" not in store.datasets.names()


def test_one_value_of_expectations_serves_many_threads(store):
    parts = [pa.table({"id": range(n, n + 500), "delay": [1.0] * 500}) for n in range(6)]

    def log(part):
        return store.log_dataset("flights", part, expect=EXPECTED).number

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(log, parts)) == [1, 2, 3, 4, 5, 6]


def test_versions_are_checked_inferred_from_and_compared_by_their_profiles(store):
    first = store.log_dataset("flights", GOOD)
    second = store.log_dataset("flights", BAD)
    inferred = Expectations.infer(first)
    assert inferred.check(first).ok
    assert inferred["id"].unique
    report = inferred.check(second)
    assert report.data == "flights:2"
    assert "flights:2, 2,000 rows, broke" in repr(report)
    moved = store.log_dataset("flights", {"id": range(2000), "delay": [9.0] * 2000})
    (failure,) = Expectations().drift(first, columns=["delay"]).check(moved).failures
    assert failure.expectation == "delay moves from flights:1 by 0.1 at most"
