"""Sources: whatever holds data becomes a version, and the same values the same one."""

import gzip
import json

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from mlkit.data.sources.given import given
from mlkit.data.sources.table_stream import TableStream
from mlkit.data.storing.content_of import content_of
from mlkit.errors import InvalidInput, StorageFault
from mlkit.testing import Fault, FaultyStorage

COLUMNS = {"carrier": ["UA", "AA", None], "delay": [1.5, None, -3.0], "n": [1, 2, 3]}
TABLE = pa.table(COLUMNS)


class Capsule:
    """Something that gives an Arrow stream, and nothing else."""

    def __arrow_c_stream__(self, requested_schema=None):
        return TABLE.__arrow_c_stream__(requested_schema)


def parquet(tmp_path):
    pq.write_table(TABLE, tmp_path / "t.parquet", row_group_size=2)
    return tmp_path / "t.parquet"


def feather(tmp_path):
    pa.feather.write_feather(TABLE, tmp_path / "t.feather", compression="zstd")
    return tmp_path / "t.feather"


def arrow_stream(tmp_path):
    with pa.ipc.new_stream(str(tmp_path / "t.arrow"), TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=2)
    return tmp_path / "t.arrow"


def json_lines(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in TABLE.to_pylist()))
    return path


def zipped_json_lines(tmp_path):
    path = tmp_path / "t.ndjson.gz"
    path.write_bytes(gzip.compress(json_lines(tmp_path).read_bytes()))
    return path


def json_list(tmp_path):
    (tmp_path / "t.json").write_text(json.dumps(TABLE.to_pylist(), indent=2))
    return tmp_path / "t.json"


def records(_):
    return np.array([(1.5, 1), (-3.0, 3)], dtype=[("delay", "f8"), ("n", "i8")])


TABLES = {
    "arrow": lambda _: TABLE,
    "chunked": lambda _: pa.concat_tables([TABLE[:1], TABLE[1:]]),
    "batch": lambda _: TABLE.to_batches()[0],
    "reader": lambda _: TABLE.to_reader(max_chunksize=2),
    "batches": lambda _: TABLE.to_batches(max_chunksize=2),
    "generator": lambda _: (batch for batch in TABLE.to_batches(max_chunksize=2)),
    "tables": lambda _: (TABLE[:2], TABLE[2:]),
    "dataset": lambda tmp_path: pa.dataset.dataset(parquet(tmp_path)),
    "scanner": lambda tmp_path: pa.dataset.dataset(parquet(tmp_path)).scanner(),
    "capsule": lambda _: Capsule(),
    "query of DuckDB": lambda _: duckdb.from_arrow(TABLE),
    "pandas": lambda _: pd.DataFrame(COLUMNS),
    "parts of pandas": lambda _: (pd.DataFrame(COLUMNS)[part] for part in (slice(2), slice(2, 3))),
    "polars": lambda _: pl.DataFrame(COLUMNS),
    "query of polars": lambda _: pl.LazyFrame(COLUMNS),
    "columns": lambda _: COLUMNS,
    "records": lambda _: TABLE.to_pylist(),
    "parquet": parquet,
    "parquet path as text": lambda tmp_path: str(parquet(tmp_path)),
    "parquet URL": lambda tmp_path: f"file://{parquet(tmp_path)}",
    "feather": feather,
    "arrow stream": arrow_stream,
    "json lines": json_lines,
    "zipped json lines": zipped_json_lines,
    "json list": json_list,
}


@pytest.mark.parametrize("name", TABLES)
def test_the_same_values_are_the_same_version_whatever_holds_them(datasets, tmp_path, name):
    first = datasets.log("flights", TABLE)
    assert datasets.log("flights", TABLES[name](tmp_path)) == first


@pytest.mark.parametrize("name", TABLES)
def test_the_values_come_back(datasets, tmp_path, name):
    version = datasets.log("flights", TABLES[name](tmp_path))
    assert version.to_arrow().to_pydict() == COLUMNS


@pytest.mark.parametrize("name", TABLES)
def test_every_batch_has_the_schema_that_the_table_says(tmp_path, name):
    with given(TABLES[name](tmp_path)) as stream:
        assert isinstance(stream, TableStream)
        batches = list(stream.batches)
    assert all(batch.schema.equals(stream.schema, check_metadata=True) for batch in batches)
    assert sum(map(len, batches)) == 3


def test_numpy_arrays_are_tables(datasets):
    assert datasets.log("x", np.arange(2)).to_arrow().to_pydict() == {"0": [0, 1]}
    version = datasets.log("x", np.arange(6).reshape(3, 2))
    assert version.to_arrow().to_pydict() == {"0": [0, 2, 4], "1": [1, 3, 5]}
    version = datasets.log("x", records(None))
    assert version.to_arrow().to_pydict() == {"delay": [1.5, -3.0], "n": [1, 3]}


def test_a_csv_file_read_in_parts_by_pandas_is_a_table(datasets, tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n" + "1,x\n" * 100)
    with pd.read_csv(tmp_path / "t.csv", chunksize=7) as parts:
        version = datasets.log("x", parts)
    assert version == datasets.log("x", tmp_path / "t.csv")


def test_a_version_can_be_logged_under_another_name(datasets):
    first = datasets.log("a", TABLE)
    assert datasets.log("b", first).digest == first.digest


def test_a_version_under_another_name_has_its_categories_too(datasets):
    column = pd.Categorical(["b", "a"], categories=["z", "b", "a"], ordered=True)
    frame = pd.DataFrame({"c": column, "n": pd.array([1, None], dtype="Int64")})
    copy = datasets.log("b", datasets.log("a", frame))
    pd.testing.assert_frame_equal(copy.to_pandas(), frame)


def test_a_column_of_a_version_may_be_changed_and_logged_as_a_stream(datasets):
    frame = pd.DataFrame({"c": pd.Categorical(["b", "a"])})
    table = datasets.log("x", frame).to_arrow()
    column = pa.array(["new", "a"]).dictionary_encode().cast(table.field("c").type)
    changed = table.set_column(0, table.field("c"), column)
    version = datasets.log("x", changed.to_reader())
    assert version.to_arrow()["c"].to_pylist() == ["new", "a"]


def test_any_other_file_is_a_file(datasets, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    version = datasets.log("notes", tmp_path / "notes.txt")
    assert (version.kind, version.size, version.rows) == ("file", 5, None)
    with version.open() as stream:
        assert stream.read() == b"hello"


@pytest.mark.parametrize("text", ['{"lr": 0.1}', '{\n "lr": 0.1\n}', "[1, 2]", "[]", "3", "no", ""])
def test_a_json_file_that_holds_no_rows_is_a_file(datasets, tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    assert datasets.log("x", tmp_path / "config.json").kind == "file"


def test_a_folder_is_a_folder_whatever_lies_in_it(datasets, tmp_path):
    folder = parquet(tmp_path).parent
    version = datasets.log("x", folder)
    assert (version.kind, [entry.path for entry in version.files()]) == ("folder", ["t.parquet"])


def test_the_name_of_a_file_is_a_part_of_it(datasets, tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("hello")
        datasets.log("notes", tmp_path / name)
    assert len(datasets["notes"]) == 2


def test_a_file_and_a_folder_that_holds_it_are_not_the_same(datasets, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("hello")
    one = datasets.log("x", tmp_path / "in")
    assert datasets.log("x", tmp_path / "in" / "a.txt").digest != one.digest


def test_a_table_may_have_no_rows(datasets):
    for data in (TABLE[:0], TABLE[:0].to_reader(), pl.DataFrame(TABLE[:0]).lazy()):
        version = datasets.log("x", data)
        assert version.rows == 0
        assert version.to_arrow().schema == TABLE.schema


class TestStreams:
    def test_a_stream_is_read_once_and_never_ahead_of_what_is_asked_for(self):
        taken = []

        def batches():
            for number in range(20):
                taken.append(number)
                yield pa.record_batch({"n": [number]})

        with given(batches()) as stream:
            for number, _ in enumerate(stream.batches):
                assert taken == list(range(number + 1))

    def test_a_batch_of_many_rows_goes_on_in_parts(self):
        big = pa.record_batch({"n": pa.array(range(200_000))})
        for data in (big, iter([big]), pa.table(big)):
            with given(data) as stream:
                assert [len(batch) for batch in stream.batches] == [65_536] * 3 + [3_392]

    def test_large_rows_go_on_a_few_at_a_time_also_from_a_dictionary(self):
        words = pa.array(["x" * 1_000_000, "y" * 1_000_000])
        column = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 100), words)
        table = pa.table({"coded": column, "plain": column.dictionary_decode()})
        for data in (table, table.to_reader()):
            with given(data) as stream:
                assert max(len(batch) for batch in stream.batches) < 40

    def test_rows_of_parquet_that_are_large_come_a_few_at_a_time(self, tmp_path):
        pictures = pa.array([bytes([n % 256]) * 1_000_000 for n in range(100)])
        path = tmp_path / "t.parquet"
        pq.write_table(pa.table({"p": pictures}), path, use_dictionary=False)
        with given(path) as stream:
            assert max(len(batch) for batch in stream.batches) < 40

    @pytest.mark.parametrize("form", ["parquet", "csv", "jsonl", "arrow", "query"])
    def test_a_large_file_is_never_held_whole(self, tmp_path, form, monkeypatch):
        monkeypatch.setattr(
            "mlkit.data.sources.csv_table._BLOCKS", (1 << 16,)
        )  # the file has many more
        monkeypatch.setattr("mlkit.data.sources.json_rows.BLOCK", 1 << 16)
        table = pa.table({"n": np.arange(1_000_000), "x": np.arange(1_000_000) / 3})
        path = tmp_path / f"t.{form}"
        if form == "parquet":
            pq.write_table(table, path, row_group_size=50_000)
        elif form == "csv":
            pa.csv.write_csv(table, path)
        elif form == "jsonl":
            pl.DataFrame(table).write_ndjson(path)
        else:
            with pa.ipc.new_file(str(path), table.schema) as writer:
                writer.write_table(table, max_chunksize=50_000)
        whole, rows = table.nbytes, len(table)
        del table
        before = pa.total_allocated_bytes()
        data = pl.scan_ipc(path) if form == "query" else path
        held = 0
        with given(data) as stream:
            for batch in stream.batches:
                held = max(held, pa.total_allocated_bytes() - before)
                rows -= len(batch)
        assert rows == 0
        assert held < whole / 2

    def test_what_was_taken_for_a_table_is_given_back(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with given(pl.LazyFrame(COLUMNS)) as stream:
            assert list(tmp_path.iterdir())
            next(iter(stream.batches))
        assert not list(tmp_path.iterdir())
        with pytest.raises(pl.exceptions.ColumnNotFoundError):
            given(pl.LazyFrame(COLUMNS).select(pl.col("carrier").cast(pl.Int64), "missing"))
        with pytest.raises(pl.exceptions.InvalidOperationError):
            given(pl.LazyFrame(COLUMNS).select(pl.col("carrier").cast(pl.Int64)))
        assert not list(tmp_path.iterdir())


def test_texts_of_more_bytes_than_short_offsets_reach_are_kept_with_large_types():
    table = pa.table(
        {"view": pa.array(["a"], pa.string_view()), "large": pa.array(["a"], pa.large_string())}
    )
    with given(table.to_reader()) as stream:
        assert stream.schema.types == [pa.large_string(), pa.large_string()]


def test_a_fault_of_the_storage_while_a_table_is_written_stays_what_it_is(memory, open_datasets):
    data = pa.table({"n": np.random.default_rng(0).normal(size=200_000)})
    watched = FaultyStorage(memory)
    open_datasets(watched).log("x", data)
    writes = [n for n, (verb, _) in enumerate(watched.operations, 1) if verb == "write"]
    other = data.slice(1)
    faulty = FaultyStorage(memory, Fault(writes[0], "before"))
    with pytest.raises(StorageFault, match="Ordered fault"):
        open_datasets(faulty).log("y", other)


def test_what_is_a_content_says_its_kind(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    for data, kind in ((TABLE, "table"), (tmp_path, "folder"), (tmp_path / "a.txt", "file")):
        content = content_of(data)
        assert content.kind == kind
        content.close()


def test_pandas_gets_its_nullable_types_back(datasets):
    frame = pd.DataFrame(
        {
            "i": pd.array([1, None, 3], dtype="Int64"),
            "b": pd.array([True, None, False], dtype="boolean"),
            "f": [1.5, np.nan, 2.5],
            "s": ["a", None, "c"],
            "c": pd.Categorical(["b", "a", "b"], categories=["z", "b", "a"], ordered=True),
            "t": pd.to_datetime(["2013-01-01", None, "2013-01-03"]),
            "z": pd.to_datetime(["2013-01-01", None, "2013-01-03"]).tz_localize("America/New_York"),
            "d": pd.to_timedelta([1, 2, None], unit="s"),
        }
    )
    back = datasets.log("x", frame).to_pandas()
    pd.testing.assert_frame_equal(back, frame)


def test_inputs_may_be_links(datasets):
    link = {"kind": "dataset", "ref": "raw:1", "digest": "sha256:" + "0" * 64}
    version = datasets.log("x", TABLE, inputs=[link])
    assert json.loads(json.dumps(version.inputs)) == [link]
    assert datasets.get("x").inputs == (link,)


def test_options_for_what_is_no_url_are_refused_and_not_ignored(datasets, tmp_path):
    path = parquet(tmp_path)
    for data in (TABLE, COLUMNS, str(path), path, f"file://{path}", tmp_path):
        with pytest.raises(InvalidInput, match="storage_options= is for a URL"):
            datasets.log("x", data, storage_options={"profile": "ml"})
        assert datasets.log("x", data, storage_options={}).number


def test_an_empty_path_is_refused_and_not_the_folder_where_one_is(datasets):
    with pytest.raises(InvalidInput, match="An empty text is no path"):
        datasets.log("x", "")
