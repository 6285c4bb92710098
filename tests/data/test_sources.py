"""Sources: whatever holds data becomes a version, and the same values the same one."""

import gzip
import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlkit.data.sources import content_of
from mlkit.errors import InvalidInput, StorageFault
from mlkit.testing import Fault, FaultyStorage

COLUMNS = {"carrier": ["UA", "AA", None], "delay": [1.5, None, -3.0], "n": [1, 2, 3]}
TABLE = pa.table(COLUMNS)


def parquet(tmp_path):
    pq.write_table(TABLE, tmp_path / "t.parquet", row_group_size=2)
    return tmp_path / "t.parquet"


def csv(tmp_path):
    (tmp_path / "t.csv").write_text("carrier,delay,n\nUA,1.5,1\nAA,,2\n,-3,3\n")
    return tmp_path / "t.csv"


def zipped_csv(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"carrier,delay,n\nUA,1.5,1\nAA,,2\nUA,-3,3\n"))
    return path


TABLES = {
    "arrow": lambda _: TABLE,
    "chunked": lambda _: pa.concat_tables([TABLE[:1], TABLE[1:]]),
    "batch": lambda _: TABLE.to_batches()[0],
    "reader": lambda _: TABLE.to_reader(max_chunksize=2),
    "batches": lambda _: TABLE.to_batches(max_chunksize=2),
    "generator": lambda _: (batch for batch in TABLE.to_batches(max_chunksize=2)),
    "pandas": lambda _: pd.DataFrame(COLUMNS),
    "polars": lambda _: pl.DataFrame(COLUMNS),
    "columns": lambda _: COLUMNS,
    "records": lambda _: TABLE.to_pylist(),
    "parquet": parquet,
    "parquet path as text": lambda tmp_path: str(parquet(tmp_path)),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_same_values_are_the_same_version_whatever_holds_them(datasets, tmp_path, name):
    first = datasets.log("flights", TABLE)
    assert datasets.log("flights", TABLES[name](tmp_path)) == first


@pytest.mark.parametrize("name", TABLES)
def test_the_values_come_back(datasets, tmp_path, name):
    version = datasets.log("flights", TABLES[name](tmp_path))
    assert version.to_arrow().to_pydict() == COLUMNS


def test_a_csv_file_is_a_table(datasets, tmp_path):
    version = datasets.log("flights", csv(tmp_path))
    assert version.kind == "table"
    assert version.to_arrow().to_pydict() == {**COLUMNS, "carrier": ["UA", "AA", ""]}


def test_a_zipped_csv_file_is_a_table(datasets, tmp_path):
    assert datasets.log("flights", zipped_csv(tmp_path)).rows == 3


def test_a_numpy_array_is_a_table(datasets):
    version = datasets.log("x", np.arange(6).reshape(3, 2))
    assert version.to_arrow().to_pydict() == {"0": [0, 2, 4], "1": [1, 3, 5]}


def test_a_version_can_be_logged_under_another_name(datasets):
    first = datasets.log("a", TABLE)
    assert datasets.log("b", first).digest == first.digest


def test_any_other_file_is_a_file(datasets, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    version = datasets.log("notes", tmp_path / "notes.txt")
    assert (version.kind, version.size, version.rows) == ("file", 5, None)
    with version.open() as stream:
        assert stream.read() == b"hello"


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
    version = datasets.log("x", TABLE[:0])
    assert version.rows == 0
    assert version.to_arrow().schema == TABLE.schema


@pytest.mark.parametrize("name", ["reader", "generator"])
def test_a_stream_is_never_held_whole(datasets, memory, name):
    alive = []

    def batches():
        for number in range(20):
            batch = pa.record_batch({"n": list(range(number, number + 1000))})
            alive.append(pa.total_allocated_bytes())
            yield batch

    schema = pa.schema({"n": pa.int64()})
    reader = pa.RecordBatchReader.from_batches(schema, batches())
    version = datasets.log("n", reader if name == "reader" else batches())
    assert version.rows == 20_000


class TestBadInput:
    @pytest.mark.parametrize(
        "table",
        [
            pa.table({"ok": [1], "odd": [pa.MonthDayNano([1, 2, 3])]}),
            pa.table({"ok": [1], "odd": pa.array([{}], type=pa.struct([]))}),
        ],
        ids=["interval", "empty struct"],
    )
    @pytest.mark.parametrize("form", ["table", "reader"])
    def test_a_type_that_cannot_be_kept_names_its_column(self, datasets, memory, table, form):
        with pytest.raises(InvalidInput, match="Column 'odd': the type"):
            datasets.log("x", table if form == "table" else table.to_reader())
        assert list(memory.list()) == []

    def test_mixed_columns_are_named(self, datasets):
        with pytest.raises(InvalidInput, match="'odd'"):
            datasets.log("x", pd.DataFrame({"odd": [1, "a"]}))

    def test_columns_of_one_name_are_named(self, datasets):
        batch = pa.record_batch([pa.array([1]), pa.array([2])], names=["a", "a"])
        for data in (pa.Table.from_batches([batch]), iter([batch])):
            with pytest.raises(InvalidInput, match="name 'a'"):
                datasets.log("x", data)

    def test_a_column_name_that_parquet_would_cut_is_refused(self, datasets):
        with pytest.raises(InvalidInput, match="null character"):
            datasets.log("x", {"a\0b": [1]})

    def test_a_stream_without_columns_is_refused(self, datasets):
        reader = pa.RecordBatchReader.from_batches(pa.schema([]), [])
        with pytest.raises(InvalidInput, match="without columns"):
            datasets.log("x", reader)

    @pytest.mark.parametrize("data", [iter([]), iter([1, 2]), (n for n in "ab")])
    def test_a_stream_of_anything_else_is_refused(self, datasets, data):
        with pytest.raises(InvalidInput, match=r"not a pyarrow\.RecordBatch"):
            datasets.log("x", data)

    def test_a_stream_whose_batches_differ_is_refused(self, datasets, memory):
        batches = [pa.record_batch({"a": [1]}), pa.record_batch({"b": [1]})]
        with pytest.raises(InvalidInput, match="don't have one schema"):
            datasets.log("x", batches)
        assert list(memory.list()) == []

    def test_an_error_of_a_stream_stays_what_it_is(self, datasets, memory):
        def batches():
            yield pa.record_batch({"a": [1]})
            raise LookupError("my own")

        with pytest.raises(LookupError, match="my own"):
            datasets.log("x", batches())
        assert list(memory.list()) == []

    @pytest.mark.parametrize("data", [None, 7, object(), b"bytes"])
    def test_what_is_no_data_is_refused(self, datasets, memory, data):
        with pytest.raises(InvalidInput):
            datasets.log("x", data)
        assert list(memory.list()) == []

    def test_a_path_that_does_not_exist_is_named(self, datasets, tmp_path):
        with pytest.raises(InvalidInput, match="There is no file or folder"):
            datasets.log("x", tmp_path / "missing.csv")

    @pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
    def test_a_file_that_is_not_what_its_name_says_is_named(self, datasets, tmp_path, name):
        (tmp_path / name).write_bytes(b"a,b\n1,2,3\n")
        with pytest.raises(InvalidInput, match=name):
            datasets.log("x", tmp_path / name)

    def test_a_parquet_file_that_is_damaged_inside_is_named(self, datasets, tmp_path):
        pq.write_table(
            pa.table({"n": list(range(10_000))}), tmp_path / "t.parquet", compression="zstd"
        )
        data = bytearray((tmp_path / "t.parquet").read_bytes())
        data[4:6000] = b"\xff" * 5996
        (tmp_path / "t.parquet").write_bytes(data)
        with pytest.raises(InvalidInput, match=r"t\.parquet"):
            datasets.log("x", tmp_path / "t.parquet")

    def test_a_file_name_that_cannot_be_kept_is_refused(self, datasets, tmp_path):
        (tmp_path / "a\nb").write_bytes(b"")
        with pytest.raises(InvalidInput, match="can't be kept"):
            datasets.log("x", tmp_path / "a\nb")


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
    content = content_of(TABLE)
    assert content.kind == "table"
    assert content.digest is not None
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
