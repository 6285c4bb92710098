"""Tables are read by columns and rows: exact, and only what is needed."""

import datetime as dt
import subprocess
import sys
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from mlkit.data.datasets import Datasets
from mlkit.data.storing import row_groups
from mlkit.errors import Corrupt, InvalidInput

ROWS = 300_000


@pytest.fixture
def wide():
    """A table whose first column rises, so that row groups are apart in it."""
    import random

    seeded = random.Random(5)
    return pa.table(
        {
            "day": pa.array([number // 1000 for number in range(ROWS)], pa.int32()),
            "delay": pa.array([seeded.random() for _ in range(ROWS)]),
            "noise": pa.array([seeded.randbytes(64) for _ in range(ROWS)]),
            "carrier": pa.array(["UA", "AA", None] * (ROWS // 3)).dictionary_encode(),
        }
    )


@pytest.fixture
def far(memory, open_datasets, remote, wide, tmp_path):
    """Gives a version behind a wire, without a cache, and what counts its reads."""
    open_datasets(memory).log("flights", wide)
    watched = remote(memory)
    (tmp_path / "none").write_bytes(b"a file, so that nothing is cached")
    version = Datasets(watched, cache=tmp_path / "none").get("flights:1")
    version.to_arrow(["day"], filters=[("day", "<", -1)])  # manifest and footer
    watched.reads.clear()
    return version, watched


def test_the_whole_is_what_was_logged(far, wide):
    version, _ = far
    assert version.to_arrow() == wide
    assert version.to_arrow(["delay", "day"]) == wide.select(["delay", "day"])
    assert version.to_arrow([]).num_rows == ROWS


def test_only_the_columns_that_are_asked_for_are_read(far, wide):
    version, watched = far
    assert version.to_arrow(["day"]) == wide.select(["day"])
    of_one = watched.taken()[1]
    watched.reads.clear()
    version.to_arrow()
    assert of_one < watched.taken()[1] / 3


def test_row_groups_that_cannot_have_such_rows_are_not_read(far, wide):
    version, watched = far
    found = version.to_arrow(["noise"], filters=[("day", "==", 7)])
    assert found == wide.filter(pc.field("day") == 7).select(["noise"])
    of_one = watched.taken()[1]
    watched.reads.clear()
    version.to_arrow(["noise"])
    assert of_one < watched.taken()[1]
    watched.reads.clear()
    assert version.to_arrow(["noise"], filters=pc.field("day") == 7) == found
    assert watched.taken()[1] == of_one


def test_other_columns_are_read_only_of_row_groups_that_have_such_rows(far):
    version, watched = far
    filters = [("delay", ">", 0.5), ("delay", "<", 0.5)]  # which statistics can't rule out
    assert version.to_arrow(["noise"], filters=filters).num_rows == 0
    of_filter = watched.taken()[1]
    watched.reads.clear()
    version.to_arrow(["delay"])
    assert of_filter == watched.taken()[1]


def test_columns_of_filters_needn_t_be_among_the_columns(far, wide):
    version, _ = far
    filters = [("day", "<", 2), ("carrier", "in", ["AA"])]
    wanted = wide.filter(pq.filters_to_expression(filters))
    assert version.to_arrow(["delay"], filters=filters) == wanted.select(["delay"])
    assert version.to_arrow([], filters=filters).num_rows == wanted.num_rows
    assert version.to_arrow(["carrier", "day"], filters=filters) == wanted.select(
        ["carrier", "day"]
    )


def test_frames_and_batches_are_filtered_alike(far, wide):
    version, _ = far
    filters = [[("day", "<", 2)], [("day", "==", 200), ("delay", ">=", 0.5)]]
    wanted = wide.filter(pq.filters_to_expression(filters)).select(["day", "delay"])
    columns = ["day", "delay"]
    assert pa.Table.from_pandas(version.to_pandas(columns, filters=filters)).equals(wanted)
    assert version.to_polars(columns, filters=filters).to_arrow().equals(wanted)
    batches = list(version.batches(columns, filters=filters, rows=300))
    assert pa.Table.from_batches(batches) == wanted
    assert max(batch.num_rows for batch in batches) == 300


def test_batches_that_nobody_takes_are_not_read(far):
    version, watched = far
    batches = version.batches(["day"], rows=1000)
    next(batches)
    batches.close()
    some = watched.taken()[1]
    watched.reads.clear()
    list(version.batches(["day"], rows=1000))
    assert some <= watched.taken()[1]


def test_a_table_without_rows_has_its_columns(datasets):
    table = pa.table({"x": pa.array([], pa.int64()), "c": pa.array([], pa.string())})
    version = datasets.log("empty", table)
    assert version.to_arrow(filters=[("x", ">", 1)]) == table
    assert version.to_arrow(["c"]) == table.select(["c"])
    assert list(version.batches(filters=[("x", ">", 1)])) == []


def test_a_filter_that_no_row_meets_gives_no_row_with_all_types(far, wide):
    version, _ = far
    found = version.to_arrow(filters=[("day", ">", 10_000)])
    assert found.num_rows == 0
    assert found.schema == wide.schema


def test_nested_columns_and_names_with_dots_are_read_as_they_are(datasets):
    table = pa.table(
        {
            "a": pa.array([{"b": 1, "c": [1, 2]}, None]),
            "a.b": pa.array(["x", "y"]),
            "m": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())),
            "z": pa.array([1, 2]),
        }
    )
    version = datasets.log("nested", table)
    for columns in (["a"], ["a.b"], ["z"], ["m", "a"], ["z", "a.b"]):
        assert version.to_arrow(columns) == table.select(columns)
    assert version.to_arrow(["a"], filters=[("a.b", "==", "y")]) == table.select(["a"]).slice(1)
    assert version.to_arrow(["z"], filters=pc.field("a", "b") == 1)["z"].to_pylist() == [1]


def test_categories_keep_their_order_when_rows_are_filtered(datasets):
    words = pa.DictionaryArray.from_arrays([0, 2, 1, 0], ["low", "mid", "high"], ordered=True)
    table = pa.table({"level": words, "x": [1, 2, 3, 4]})
    version = datasets.log("levels", table)
    found = version.to_arrow(filters=[("level", "==", "low")])
    assert found["level"].to_pylist() == ["low", "low"]
    assert found["level"].chunk(0).dictionary.to_pylist() == ["low", "mid", "high"]
    assert found.schema.field("level").type.ordered


def test_damage_in_a_column_hurts_those_who_read_it_and_nobody_else(memory, open_datasets, wide):
    version = open_datasets(memory).log("flights", wide)
    [entry] = version.files()
    with version.open() as file:
        metadata = pq.read_metadata(file)
    at = metadata.row_group(0).column(2).data_page_offset + 100  # of `noise`
    for chunk in entry.chunks:
        if at < chunk.size:
            break
        at -= chunk.size
    path = f"packs/{chunk.pack[7:9]}/{chunk.pack[7:]}"
    data = bytearray(memory.read(path))
    data[chunk.offset + at] ^= 1
    memory.write(path, bytes(data))
    with pytest.raises(Corrupt, match="doesn't match its digest"):
        version.to_arrow(["noise"])
    with pytest.raises(Corrupt, match="doesn't match its digest"):
        list(version.batches())
    kept = version.to_arrow(["noise"], filters=[("day", "==", 299)])
    assert kept.num_rows == 1000


def test_a_process_that_ends_while_a_table_is_read_ends_quietly(tmp_path, wide):
    import mlkit

    store = mlkit.Store(tmp_path / "store")
    store.log_dataset("flights", wide)
    program = (
        "import sys, threading, mlkit\n"
        "version = mlkit.Store(sys.argv[1]).dataset('flights')\n"
        "batches = version.batches(rows=100)\n"
        "next(batches)\n"
        "reader = threading.Thread(target=version.to_arrow, daemon=True)\n"
        "reader.start()\n"
    )
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", program, store.url], capture_output=True, check=False
        )
        assert done.returncode == 0
        assert b"terminate" not in done.stderr
        assert b"Fatal" not in done.stderr


@pytest.fixture
def mixed(datasets, monkeypatch):
    monkeypatch.setattr(row_groups, "_LEAST", 1)
    return datasets.log(
        "mixed",
        pa.table(
            {
                "i": [1, 2, None],
                "s": ["a", "b", None],
                "t": pa.array([1, 2, None], pa.timestamp("s", "Europe/Berlin")),
                "n": pa.array([1, 2, None], pa.timestamp("us")),
                "d": pa.array([dt.date(2020, 1, 1), dt.date(2021, 1, 1), None]),
                "money": pa.array([Decimal("1.10"), Decimal("2.50"), None]),
                "list": [[1], [2], None],
            }
        ),
    )


@pytest.mark.parametrize(
    ("filters", "said", "hint"),
    [
        ([("ii", "==", 1)], "no column 'ii'", "Did you mean 'i'"),
        ([("i", "==", "a")], "'i' is int64, and can't be compared by '==' with 'a'", "pyarrow"),
        ([("s", ">", 3)], "'s' is string, and can't be compared by '>' with 3", "pyarrow"),
        ([("i", "in", ["a"])], "'i' is int64", "pyarrow"),
        ([("list", "==", 1)], "'list' is list", "pyarrow"),
        ([("t", ">", dt.datetime(2020, 1, 1))], "'t' is timestamp", "Europe/Berlin"),  # noqa: DTZ001
        (
            [("n", ">", dt.datetime(2020, 1, 1, tzinfo=dt.UTC))],
            "'n' is timestamp",
            "without a zone",
        ),
        ([("i", "~", 1)], "Nothing compares by '~'", "not in"),
        ([("i", "==", None)], "compared with None", "'in', [None]"),
        ([("s", "in", "ab")], "which is no list", "['ab']"),
        ([("i", "==")], "is no comparison", "Write a list"),
        (("i", "==", 1), "single comparison", "Write a list"),
        ([], "can't filter rows", "Write a list"),
        ([[]], "can't filter rows", "Write a list"),
        ("i == 1", "can't filter rows", "Write a list"),
        ([("i", "==", object())], "can't be compared with", ""),
        (pc.field("ii") == 1, "no column 'ii'", "Did you mean 'i'"),
        (pc.field("i") == "a", "Rows can't be filtered by", ""),
        (pc.field("i"), "Rows can't be filtered by", ""),
    ],
)
def test_a_filter_that_cannot_be_is_named_before_anything_is_read(mixed, filters, said, hint):
    with pytest.raises(InvalidInput) as error:
        mixed.to_arrow(filters=filters)
    assert said in error.value.message
    assert hint in error.value.hint


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        ([("i", "in", [None])], [None]),
        ([("i", "in", [1, None])], [1, None]),
        ([("i", "not in", [1])], [2, None]),
        ([("i", "in", [])], []),
        ([("i", ">", 1.5)], [2]),
        ([("i", "in", {1, 2})], [1, 2]),
        ([("money", ">", 2)], [2]),
        ([("money", "==", Decimal("1.1"))], [1]),
        ([("money", "<", 1.5)], [1]),
        ([("d", "<", dt.date(2020, 6, 1))], [1]),
        ([("t", ">", dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC))], [2]),
        ([("n", "==", dt.datetime(1970, 1, 1, 0, 0, 0, 2))], [2]),  # noqa: DTZ001
        ([["i", "==", 1]], [1]),
        ([[["i", "==", 1]], [("s", "=", "b")]], [1, 2]),
        (pc.field(0) == 2, [2]),
        (pc.is_null(pc.field("s")), [None]),
    ],
)
def test_values_are_compared_as_the_column_has_them(mixed, filters, rows):
    assert mixed.to_arrow(["i"], filters=filters)["i"].to_pylist() == rows
