"""Row groups: where they end is told by rows and not by batches, whatever the rows are."""

import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.data.storing import row_groups as module
from mlkit.data.storing.row_groups import row_groups

ROWS = 300_000


def numbers(rows=ROWS, seed=1):
    """Give a table of numbers that don't repeat."""
    some = random.Random(seed)
    return pa.table({"a": [some.getrandbits(62) for _ in range(rows)], "b": list(range(rows))})


def groups(table, batch=65_536):
    return list(row_groups(table.to_batches(max_chunksize=batch), table.schema))


@pytest.fixture(scope="module")
def large():
    return numbers()


def test_all_rows_are_in_the_groups_in_order(large):
    found = groups(large)
    assert pa.concat_tables(found).combine_chunks() == large.combine_chunks()
    sizes = [group.num_rows for group in found]
    assert all(module._LEAST <= size <= module._MOST for size in sizes[:-1])
    assert len(sizes) > 1


@pytest.mark.parametrize("batch", [777, 10_000, 65_536, 1_000_000])
def test_groups_of_rows_of_one_size_are_the_same_whatever_the_batches(large, batch):
    assert [group.num_rows for group in groups(large, batch)] == [
        group.num_rows for group in groups(large)
    ]


def test_rows_that_come_in_the_middle_leave_all_groups_but_one(large):
    middle = numbers(3, seed=2)
    changed = pa.concat_tables([large.slice(0, 150_000), middle, large.slice(150_000)])
    before = {group["a"].combine_chunks().to_string(): None for group in groups(large)}
    after = [group["a"].combine_chunks().to_string() for group in groups(changed)]
    assert len(set(after) - before.keys()) <= 2


@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from([0, 1, 50, 3000, 40_000])), max_size=12)
)
def test_rows_of_any_width_in_batches_of_any_length_are_kept(parts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BYTES", 100_000)
        patch.setattr(module, "_LEAST", 8)
        patch.setattr(module, "_MOST", 64)
        schema = pa.schema({"n": pa.int64(), "s": pa.string()})
        batches, number = [], 0
        for count, width in parts:
            rows = [{"n": number + row, "s": "x" * width} for row in range(count)]
            batches.append(pa.RecordBatch.from_pylist(rows, schema))
            number += count
        found = list(row_groups(batches, schema))
        assert [n for group in found for n in group["n"].to_pylist()] == list(range(number))
        assert all(group.num_rows for group in found)
        assert all(group.num_rows <= 64 for group in found)
        assert all(group.nbytes <= 100_000 + 41_000 for group in found)


@pytest.mark.parametrize(
    "column",
    [
        [None] * 5000,
        [True] * 5000,
        [1] * 5000,
        ["x"] * 5000,
        [[1, 2]] * 5000,
        [{"a": 1}] * 5000,
        pa.array(["a"] * 5000).dictionary_encode(),
        pa.array([1.5] * 5000, pa.float32()),
        pa.array([b"abc"] * 5000, pa.binary(3)),
        pa.array([b"abc"] * 5000, pa.large_binary()),
        pa.array([1] * 5000, pa.decimal128(5)),
        pa.array([1] * 5000, pa.date32()),
        pa.array([1] * 5000, pa.timestamp("ns")),
    ],
    ids=str,
)
def test_columns_of_every_type_and_of_one_value_are_grouped(column, monkeypatch):
    monkeypatch.setattr(module, "_LEAST", 64)
    monkeypatch.setattr(module, "_MOST", 512)
    table = pa.table({"c": column})
    found = groups(table, 700)
    assert pa.concat_tables(found)["c"].to_pylist() == table["c"].to_pylist()
    assert all(64 <= group.num_rows <= 512 for group in found[:-1])


def test_no_rows_are_no_groups():
    assert groups(numbers(0)) == []


def test_a_group_of_wide_rows_is_bounded(large):
    table = pa.table({"s": ["x" * 100_000] * 1000})
    assert max(group.nbytes for group in groups(table, 100)) <= 33 << 20


def test_rows_that_grow_wide_in_the_middle_of_a_stream_are_kept(datasets):
    schema = pa.schema({"s": pa.string()})
    narrow = pa.RecordBatch.from_pydict({"s": ["x"] * 10}, schema)
    wide = pa.RecordBatch.from_pydict({"s": ["y" * 1000] * 65_536}, schema)
    version = datasets.log("x", pa.RecordBatchReader.from_batches(schema, [narrow, wide, narrow]))
    assert version.rows == 65_556
    assert version.to_arrow() == pa.Table.from_batches([narrow, wide, narrow])
