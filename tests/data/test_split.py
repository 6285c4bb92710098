"""Splits: the same for ever, stable as rows come and go, and never through a group."""

import json
import subprocess
import sys
from fractions import Fraction

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.data.comparing import split_counts
from mlkit.data.comparing.leakage import leakage
from mlkit.data.comparing.mixing import GOLDEN, mix_one
from mlkit.data.comparing.row_source import RowSource
from mlkit.data.comparing.split import split
from mlkit.errors import InvalidInput, InvalidName, NotFound

HALVES = {"train": 0.5, "test": 0.5}
USUAL = {"train": 0.7, "valid": 0.2, "test": 0.1}
SHARES = st.sampled_from([HALVES, USUAL, {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}, {"all": 1}])
VALUES = st.lists(
    st.tuples(st.none() | st.integers(0, 9), st.sampled_from([None, "", "a", "bb"])), max_size=20
)
SEEDS = st.integers(0, 2**64 - 1)


def table(rows):
    numbers, texts = zip(*rows, strict=True) if rows else ((), ())
    arrays = [
        pa.array(numbers, pa.int64()),
        pa.array(texts, pa.string()),
        pa.array(range(len(rows)), pa.int64()),
    ]
    return pa.table(arrays, names=["n", "t", "row"])


def sides(data, shares=HALVES, **options):
    """Which part each row is in, by its number."""
    parts = split(data, shares, **options)
    found = {
        row: name for name in parts for row in parts[name].to_arrow(["row"])["row"].to_pylist()
    }
    return dict(sorted(found.items()))


def defined(number, shares, seed):
    """The part of a group that one integer makes, as the guide defines it."""
    start = mix_one(0x6D6C6B69742D726F + mix_one(seed))
    digest = mix_one((start + GOLDEN & 2**64 - 1) ^ mix_one(number))
    place, below = Fraction(digest >> 11, 1 << 53), Fraction(0)
    for name, share in shares.items():
        below += Fraction(share)
        if place < below:
            return name
    return name


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1), SHARES, SEEDS)
def test_parts_are_those_of_the_written_definition(numbers, shares, seed):
    data = {"n": numbers, "row": list(range(len(numbers)))}
    found = sides(data, shares, by="n", seed=seed)
    assert list(found.values()) == [defined(number, shares, seed) for number in numbers]


@given(VALUES, SHARES, st.sampled_from([None, "n", ("t", "n")]), SEEDS)
def test_each_row_is_in_one_part(rows, shares, by, seed):
    parts = split(table(rows), shares, by=by, seed=seed)
    found = [part.to_arrow() for part in parts.values()]
    assert pa.concat_tables(found).sort_by("row").equals(table(rows))
    assert [len(part) for part in found] == [part.rows for part in parts.values()]


@given(VALUES, st.sampled_from(["n", ("t", "n"), ("n", "t")]), SEEDS)
def test_no_group_is_cut(rows, by, seed):
    data = table(rows)
    found = sides(data, USUAL, by=by, seed=seed)
    names = [by] if isinstance(by, str) else by
    seen = {}
    for row, name in found.items():
        group = tuple(data[column][row].as_py() for column in names)
        assert seen.setdefault(group, name) == name


@given(VALUES, VALUES, st.data(), st.sampled_from(["n", ("t", "n")]))
def test_no_row_changes_sides_when_others_come_go_or_move(rows, more, data, by):
    before = sides(table(rows), USUAL, by=by)
    kept = [row for row in data.draw(st.permutations(range(len(rows)))) if data.draw(st.booleans())]
    others = table(more)
    others = others.set_column(2, "row", pa.array(range(-len(more), 0), pa.int64()))
    moved = pa.concat_tables([others, table(rows).take(pa.array(kept, pa.int64()))])
    found = sides(moved, USUAL, by=by)
    assert {row: found[row] for row in kept} == {row: before[row] for row in kept}


@given(VALUES, st.integers(1, 7))
def test_batches_leave_no_trace(rows, size):
    data = table(rows)

    def read(columns):
        return iter(data.select(columns).to_batches(max_chunksize=size))

    source = RowSource("", "", len(rows), data.schema, read)
    assert sides(source, USUAL, by="n") == sides(data, USUAL, by="n")


def test_equal_rows_are_on_one_side_whatever_the_order_of_columns():
    data = pa.table({"a": [1, 2, 3] * 40, "b": [0.5, None, 2.0] * 40})
    parts = split(data, HALVES)
    other = split(data.select(["b", "a"]), HALVES)
    for name, part in parts.items():
        assert part.to_arrow().equals(other[name].to_arrow(["a", "b"]))
    values = [set(map(str, part.to_arrow().to_pylist())) for part in parts.values()]
    assert not values[0] & values[1]


def test_libraries_leave_no_trace(datasets):
    columns = {
        "n": [1, None, 3, 4] * 9,
        "x": [0.5, None, 2.0, float("nan")] * 9,
        "t": ["a", None, "", "b"] * 9,
        "row": list(range(36)),
    }
    arrow = pa.table(columns)
    version = datasets.log("t", arrow)
    forms = [
        pd.DataFrame(columns),
        pd.DataFrame(columns).astype({"n": "Int64", "t": "category"}),
        version.to_pandas(),
        pl.DataFrame(columns),
        columns,
        version,
    ]
    for by in (None, "n", ["x", "t"]):
        assert all(sides(form, by=by) == sides(arrow, by=by) for form in forms)


def test_parts_stay_what_they_are_in_another_process():
    program = (
        "from mlkit.data.comparing.split import split\n"
        "parts = split({'n': range(40)}, {'train': 0.8, 'test': 0.2}, by='n', seed=5)\n"
        "print(parts['test'].to_arrow()['n'].to_pylist())"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert json.loads(found.stdout) == GOLD


GOLD = [3, 6, 8, 11, 17, 20, 25, 26, 27, 33, 34, 39]


def test_seeds_make_other_parts_and_shares_of_many_groups_are_near():
    data = {"n": list(range(20_000))}
    first, second = (split(data, USUAL, by="n", seed=seed) for seed in (1, 2))
    for name, wanted in USUAL.items():
        assert first.counts.share(name) == pytest.approx(wanted, abs=0.015)
    both = first.leakage().findings[0]
    assert both.shared == 0
    tests = [set(parts["test"].to_arrow()["n"].to_pylist()) for parts in (first, second)]
    assert len(tests[0] & tests[1]) == pytest.approx(200, abs=70)  # as if there were no bond


def test_a_part_can_be_split_again_and_isnt_all_on_one_side():
    data = {"n": list(range(5000))}
    for seed in (0, 1):
        train = split(data, {"train": 0.5, "test": 0.5}, by="n")["train"]
        inner = split(train, HALVES, by="n", seed=seed)
        assert inner["train"].rows + inner["test"].rows == train.rows
        assert inner.counts.share("train") == pytest.approx(0.5, abs=0.05)
        deeper = split(inner["train"], HALVES, by="n", seed=seed)
        assert deeper.counts.share("train") == pytest.approx(0.5, abs=0.06)


def test_larger_shares_only_take_from_their_neighbours():
    data = {"n": list(range(3000)), "row": list(range(3000))}
    before = sides(data, {"train": 0.7, "test": 0.3}, by="n")
    after = sides(data, {"train": 0.8, "test": 0.2}, by="n")
    assert all(after[row] == "train" for row, name in before.items() if name == "train")


def test_the_definition_makes_it_again(datasets):
    version = datasets.log("t", {"n": list(range(99)), "row": list(range(99))})
    parts = version.split({"train": 0.8, "test": 0.2}, by="n", seed=3)
    definition = json.loads(json.dumps(parts.definition, sort_keys=True))
    assert definition["dataset"] == "t:1"
    assert definition["digest"] == version.digest
    again = version.split(definition["shares"], by=definition["by"], seed=definition["seed"])
    assert again.definition == parts.definition
    assert again["test"].to_arrow().equals(parts["test"].to_arrow())


def test_a_part_reads_like_a_table(datasets):
    version = datasets.log("t", {"n": [1, 2, 3, 4], "x": [0.5, 1.5, None, 2.5]})
    part = version.split(HALVES, by="n")["test"]
    whole = part.to_arrow()
    assert part.schema == whole.schema == version.schema
    assert part.to_arrow(["x"]).equals(whole.select(["x"]))
    assert pa.Table.from_batches(part.batches(["x", "n"])).equals(whole.select(["x", "n"]))
    assert part.to_polars().to_arrow().num_rows == part.rows == len(part.to_pandas())
    assert pa.table(part).equals(whole)
    assert part.ref == "t:1[test]"
    assert datasets.log("test", part).to_arrow().equals(whole)


def test_a_part_is_read_by_columns_filters_and_batches_as_a_version_is(datasets):
    data = {"n": list(range(1000)), "x": [n % 7 for n in range(1000)]}
    version = datasets.log("d", data)
    for part in (version.split(HALVES, by="n")["train"], split(data, HALVES, by="n")["train"]):
        whole = part.to_arrow().to_pylist()
        few = part.to_arrow(["n"], filters=[("x", ">", 4)])
        assert few.to_pylist() == [{"n": row["n"]} for row in whole if row["x"] > 4]
        assert part.to_pandas(["n"], filters=[("x", "==", 9)]).shape == (0, 1)
        assert part.to_polars(filters=pc.field("x") == 1).height == sum(r["x"] == 1 for r in whole)
        sizes = [batch.num_rows for batch in part.batches(["n"], rows=100)]
        assert max(sizes) == 100
        assert sum(sizes) == len(whole)
        assert part.to_arrow([]).num_rows == len(whole)
        for readable in (part, version):
            for columns in ("n", 5, [1], ["m"], ["n", "n"]):
                with pytest.raises(InvalidInput):
                    readable.to_arrow(columns)
            for rows in (0, 1.5, "x", True):
                with pytest.raises(InvalidInput, match="batch can't have"):
                    next(readable.batches(rows=rows))
            assert sum(batch.num_rows for batch in readable.batches(rows=2**70)) > 0


def test_one_row_is_told_as_one_and_names_stay_on_their_line():
    assert "a frame, 1 row split by n" in str(split({"n": [1]}, HALVES, by="n"))
    assert "1 row has no n; it is one group, in " in str(split({"n": [None, 1]}, HALVES, by="n"))
    assert "\x1b" not in repr(split({"\x1b[31m": [1]}, HALVES, by="\x1b[31m"))


def test_only_what_is_needed_is_read():
    seen = []
    data = table([(n, "a") for n in range(9)])

    def read(columns):
        seen.append(tuple(columns))
        return iter(data.select(columns).to_batches())

    parts = split(RowSource("", "", 9, data.schema, read), HALVES, by="n")
    assert not seen
    assert parts["train"].rows + parts["test"].rows == 9
    parts["train"].to_arrow(["t"])
    assert seen == [("n",), ("t", "n")]


def test_groups_are_counted_and_uneven_shares_are_told():
    data = {"customer": ["a"] * 60 + ["b"] * 30 + [None] * 10, "n": list(range(100))}
    parts = split(data, {"train": 0.8, "test": 0.2}, by="customer")
    text = str(parts)
    assert sum(parts.counts.groups.values()) == 3
    assert "10 rows have no customer; they are one group, in " in text
    assert "groups are kept whole, and they are few or of differing size" in text
    assert "groups" in parts._repr_html_()


def test_too_many_groups_arent_counted(monkeypatch):
    monkeypatch.setattr(split_counts, "MOST_GROUPS", 5)
    parts = split({"n": list(range(99))}, HALVES, by="n")
    assert parts.counts.groups is None
    assert parts.counts.total == 99
    slow = split(RowSource.of(table([(n, "") for n in range(9)] * 9)), HALVES, by="n")
    assert slow.counts.groups is None
    few = split({"n": [n % 4 for n in range(99)]}, HALVES, by="n")
    assert sum(few.counts.groups.values()) == 4


def test_it_names_itself(datasets):
    version = datasets.log("t", {"n": [1], "m": [2]})
    assert repr(version.split(USUAL, by=["m", "n"])) == (
        "<Splits t:1 by m, n: train 0.7, valid 0.2, test 0.1>"
    )
    assert repr(split({"n": [1]}, HALVES)) == "<Splits of a frame: train 0.5, test 0.5>"


def test_empty_tables_have_empty_parts():
    empty = pa.table({"n": pa.array([], pa.int64())})
    parts = split(empty, HALVES)
    assert parts["train"].to_arrow().equals(empty)
    assert "0 rows" in str(parts)


def test_hostile_names_stay_text():
    bad = "<script>\x1b[31m"
    parts = split({bad: [None, 1]}, HALVES, by=bad)
    for shown in (str(parts), parts._repr_html_()):
        assert "\x1b" not in shown
    assert "<script>" not in parts._repr_html_()


@pytest.mark.parametrize(
    ("shares", "why"),
    [
        ({"a": 0.5, "b": 0.4}, "make up 0.9, not 1"),
        ({}, "make up 0, not 1"),
        ({"a": 1.5, "b": -0.5}, "share of 'a' is 1.5"),
        ({"a": 1, "b": 0}, "share of 'b' is 0"),
        ({"a": float("nan")}, "share of 'a' is nan"),
        ({"a": True}, "share of 'a' is True"),
        ({"a": "1"}, "share of 'a' is '1'"),
        (0.8, "doesn't name parts"),
        ([0.8, 0.2], "doesn't name parts"),
        (None, "doesn't name parts"),
        ("ab", "doesn't name parts"),
        ([("a",)], "doesn't name parts"),
        ([("a", 0.5), ("a", 0.5)], "Two parts have the name 'a'"),
    ],
)
def test_shares_that_cant_be_are_refused(shares, why):
    with pytest.raises(InvalidInput, match=why):
        split({"n": [1]}, shares)


def test_names_columns_and_seeds_that_cant_be_are_refused(datasets, folder):
    with pytest.raises(InvalidName, match="can't be the name of a part"):
        split({"n": [1]}, {"": 1})
    with pytest.raises(InvalidInput, match="by: there is no column 'm'"):
        split({"n": [1]}, HALVES, by="m")
    with pytest.raises(InvalidInput, match="by names no column"):
        split({"n": [1]}, HALVES, by=[])
    for by in (5, [5]):
        with pytest.raises(InvalidInput, match="no name of a column"):
            split({"n": [1]}, HALVES, by=by)
    for seed in (-1, 2**64, 0.5, True):
        with pytest.raises(InvalidInput, match="seed="):
            split({"n": [1]}, HALVES, seed=seed)
    with pytest.raises(NotFound, match="Did you mean 'train'"):
        split({"n": [1]}, HALVES)["trian"]
    with pytest.raises(InvalidInput, match="no column 'm'"):
        split({"n": [1]}, HALVES)["train"].to_arrow(["m"])
    with pytest.raises(InvalidInput, match="is a folder"):
        datasets.log("f", folder).split(HALVES)
    with pytest.raises(InvalidInput, match="no table"):
        split(7, HALVES)


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a", "b", None] * 9, pa.string_view()),
        pa.array([[1], [2], None] * 9, pa.list_view(pa.int8())),
        pa.array([[1, 2], None, [3, 4]] * 9, pa.list_(pa.int32(), 2)),
        pc.run_end_encode(pa.array([1, 1, 2] * 9)),
        pa.array(["a", "b", None] * 9).dictionary_encode(),
        pa.array([bytes(16), None, bytes(range(16))] * 9, pa.uuid()),
        pa.array([[("a", 1)], [], None] * 9, pa.map_(pa.string(), pa.int64())),
        pa.array([1, None, 3] * 9, pa.decimal256(50, 2)),
        pa.array([1, None, 3] * 9, pa.timestamp("ns", "Europe/Oslo")),
        pa.nulls(27),
    ],
)
def test_columns_of_every_type_are_split_and_compared(column):
    data = pa.table({"row": range(27), "x": column})
    parts = split(data, HALVES, by="x")
    assert sum(part.to_arrow().num_rows for part in parts.values()) == 27
    assert not parts.leakage(keys="row")
    everything = leakage(data, data, keys="x")
    assert everything.findings[0].shared == 27
    assert str(everything)
    assert everything._repr_html_()
