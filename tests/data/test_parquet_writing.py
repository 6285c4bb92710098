"""Tables on their way into a store: one identity, and chunks that change little with the rows."""

import datetime as dt
import decimal
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.data.storing.parquet_writing import PageSink, write_parquet
from mlkit.errors import InvalidInput, StorageFault

ROWS = 200_000
MOST = 1 << 20


def numbers(rows=ROWS, seed=1):
    """Give a table whose rows are all different."""
    some = random.Random(seed)
    return pa.table(
        {
            "id": list(range(rows)),
            "x": [some.random() for _ in range(rows)],
            "s": [f"{some.getrandbits(40):x}" for _ in range(rows)],
        }
    )


def chunks_of(table, batch=65_536):
    chunks = []
    write_parquet(table.to_batches(max_chunksize=batch), table.schema, chunks.append)
    return chunks


def read(chunks):
    return pq.read_table(pa.BufferReader(b"".join(chunks)))


@pytest.fixture(scope="module")
def table():
    return numbers()


@pytest.fixture(scope="module")
def chunks(table):
    return chunks_of(table)


def share_of_new(before, after):
    """Give which share of the bytes lies in chunks that weren't there before."""
    known = set(before)
    return sum(len(c) for c in after if c not in known) / sum(map(len, after))


def test_the_chunks_are_a_parquet_file_of_the_table(table, chunks):
    assert read(chunks) == table
    assert all(len(chunk) <= MOST + (1 << 17) for chunk in chunks)
    assert len(chunks) > 5


@pytest.mark.parametrize("batch", [1000, 7777, 1 << 20])
def test_other_batches_are_mostly_the_same_chunks(table, chunks, batch):
    again = chunks_of(table, batch)
    assert read(again) == table
    assert share_of_new(chunks, again) < 0.2


def test_the_same_batches_are_the_same_bytes(table, chunks):
    assert chunks_of(table) == chunks


def test_rows_that_come_in_the_middle_cost_few_chunks(table, chunks):
    changed = pa.concat_tables([table.slice(0, 90_000), numbers(2, seed=2), table.slice(90_000)])
    assert share_of_new(chunks, chunks_of(changed)) < 0.5


def test_rows_that_are_appended_cost_the_end(table, chunks):
    changed = pa.concat_tables([table, numbers(100, seed=2)])
    assert share_of_new(chunks, chunks_of(changed)) < 0.5


def test_a_value_that_changed_costs_the_page_that_it_is_in(table, chunks):
    values = table["x"].to_pylist()
    values[ROWS // 2] = -1.0
    changed = table.set_column(1, "x", pa.array(values))
    assert share_of_new(chunks, chunks_of(changed)) < 0.35


def test_a_column_that_is_added_to_six_leaves_the_pages_of_the_others(table):
    for name in ("x2", "x3", "x4"):
        table = table.append_column(name, numbers(seed=len(table.columns))["x"])
    more = table.append_column("y", pa.array(range(ROWS)))
    assert share_of_new(chunks_of(table), chunks_of(more)) < 0.4


@pytest.mark.parametrize(
    "columns",
    [
        {"c": pa.array([None] * 10)},
        {"c": pa.array([1] * 100_000)},
        {"c": pa.array([], pa.string())},
        {f"c{number}": [number] * 3 for number in range(2000)},
        {"c": ["x" * 2_000_000, "y" * 2_000_000]},
        {"c": pa.array([b""] * 70_000)},
        {
            "bool": [True, None, False],
            "i8": pa.array([1, None, 3], pa.int8()),
            "u64": pa.array([2**64 - 1, None, 0], pa.uint64()),
            "f16": pa.array([1.0, None, 2.0], pa.float32()),
            "nan": [float("nan"), -0.0, None],
            "s": ["", None, "é"],
            "b": [b"", None, b"\xff"],
            "fixed": pa.array([b"abc", None, b"def"], pa.binary(3)),
            "large": pa.array(["a", None, "b"], pa.large_string()),
            "date": [dt.date(1, 1, 1), None, dt.date(9999, 12, 31)],
            "time": pa.array([1, None, 2], pa.time64("ns")),
            "ts": pa.array([1, None, -1], pa.timestamp("ns", "Europe/Berlin")),
            "dur": pa.array([1, None, -1], pa.duration("us")),
            "dec": [decimal.Decimal("1.50"), None, decimal.Decimal("-2.25")],
            "list": [[1, None], None, []],
            "struct": [{"a": 1}, None, {"a": None}],
            "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
            "dict": pa.array(["a", None, "a"]).dictionary_encode(),
        },
    ],
    ids=["nulls", "constant", "empty", "2,000 columns", "wide", "empty bytes", "all types"],
)
def test_tables_of_every_shape_and_type_are_one_identity_whatever_the_batches(datasets, columns):
    table = pa.table(columns)
    version = datasets.log("x", table)
    back = version.to_arrow()
    assert back.schema == table.schema
    assert repr(back.slice(0, 10).to_pylist()) == repr(table.slice(0, 10).to_pylist())
    assert version.rows == table.num_rows
    for batch in (1, 1000):
        if table.num_rows / batch <= 100:
            parts = table.to_batches(max_chunksize=batch)
            given_again = pa.RecordBatchReader.from_batches(table.schema, parts)
            assert datasets.log("x", given_again).number == 1


def test_a_chunk_taker_that_fails_is_the_error_and_nothing_is_sent_after_it(table):
    sent = []

    def take(chunk):
        sent.append(chunk)
        raise StorageFault("the store is down")

    with pytest.raises(StorageFault, match="the store is down"):
        write_parquet(table.to_batches(), table.schema, take)
    assert len(sent) == 1


@pytest.mark.parametrize("error", [ValueError("torn"), KeyboardInterrupt()])
def test_batches_that_fail_are_the_error_and_nothing_is_sent_after_it(table, error):
    def torn():
        yield table.slice(0, 10).to_batches()[0]
        raise error

    sent = []
    with pytest.raises(type(error)):
        write_parquet(torn(), table.schema, sent.append)
    assert sent == []


FAR = pa.array([1, None, 2**62], pa.timestamp("s"))


@pytest.mark.parametrize(
    "column",
    [
        FAR,
        pa.array([1, None, -(2**62)], pa.timestamp("s", "UTC")),
        pa.ListArray.from_arrays([0, 1, 2, 3], FAR),
        pa.LargeListArray.from_arrays([0, 1, 2, 3], FAR),
        pa.FixedSizeListArray.from_arrays(FAR, 1),
        pa.StructArray.from_arrays([FAR], ["t"]),
        pa.MapArray.from_arrays([0, 1, 2, 3], ["a", "b", "c"], FAR),
        pa.ListArray.from_arrays([0, 1, 1, 3], pa.StructArray.from_arrays([FAR], ["t"])),
        FAR.dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
def test_a_value_that_parquet_cannot_hold_is_refused_wherever_it_is(datasets, column):
    table = pa.table({"c": column})
    with pytest.raises(InvalidInput, match="can't be kept as Parquet: column 'c': "):
        write_parquet(table.to_batches(), table.schema, lambda _: None)
    with pytest.raises(InvalidInput):
        datasets.log("x", table)
    assert datasets.names() == []
    assert datasets.log("x", table.slice(0, 2)).to_arrow().num_rows == 2


def test_a_value_hidden_below_a_null_is_refused_and_does_not_end_the_process():
    hidden = pa.StructArray.from_arrays([FAR], ["t"], mask=pa.array([False, False, True]))
    table = pa.table({"c": hidden})
    with pytest.raises(InvalidInput, match="can't be kept as Parquet"):
        write_parquet(table.to_batches(), table.schema, lambda _: None)


def test_a_text_that_is_too_long_is_refused(monkeypatch):
    monkeypatch.setattr("mlkit.data.sources.parquet_values._LONGEST", 10)
    for kind in (pa.large_string(), pa.large_binary()):
        table = pa.table({"c": pa.array(["short", None, "x" * 11], kind)})
        with pytest.raises(InvalidInput, match="longer than 2 GiB"):
            write_parquet(table.to_batches(), table.schema, lambda _: None)
        write_parquet(table.slice(0, 2).to_batches(), table.schema, lambda _: None)


def test_a_schema_that_parquet_cannot_hold_is_refused():
    schema = pa.schema({"odd": pa.month_day_nano_interval()})
    with pytest.raises(InvalidInput, match="can't be kept as Parquet"):
        write_parquet([], schema, lambda _: None)


class TestPageSink:
    @given(st.lists(st.binary(max_size=50), max_size=20), st.integers(1, 60))
    def test_bytes_go_on_in_order_and_none_is_lost(self, pages, most):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mlkit.data.storing.parquet_writing._MOST", most)
            patch.setattr("mlkit.data.storing.parquet_writing._LEAST", most // 2)
            sent = []
            sink = PageSink(sent.append)
            for number, page in enumerate(pages):
                assert sink.write(page) == len(page)
                if number % 3 == 2:
                    sink.end_group()
            sink.finish()
        assert b"".join(sent) == b"".join(pages)
        assert all(0 < len(chunk) <= most for chunk in sent)

    def test_what_is_dropped_is_not_sent(self):
        sent = []
        sink = PageSink(sent.append)
        sink.write(b"some")
        sink.drop()
        sink.write(b"more")
        sink.finish()
        assert sent == []
