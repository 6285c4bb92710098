"""Leakage: what is in two tables at once, against what a plain definition says."""

from decimal import Decimal
from itertools import combinations

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.data.comparing import row_spool
from mlkit.data.comparing.leakage import leakage
from mlkit.data.comparing.split import split
from mlkit.errors import InvalidInput, SchemaMismatch

KINDS = [("n", pa.int64()), ("t", pa.string()), ("y", pa.float64())]
ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(0, 5),
        st.sampled_from([None, "a", "b"]),
        st.sampled_from([None, float("nan"), -0.0, 0.0, 1.0]),
    ),
    max_size=9,
)


def table(rows):
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table(
        {name: pa.array(v, kind) for v, (name, kind) in zip(columns, KINDS, strict=True)}
    )


def plain(row, places, *, nulls):
    """The values that are compared; None where they are nothing to go by."""
    values = [None if row[p] != row[p] else row[p] for p in places]
    return None if not nulls and None in values else tuple(values)


def expected(tables, places, *, nulls):
    found = []
    for left, right in combinations(tables, 2):
        sides = [[plain(row, places, nulls=nulls) for row in rows] for rows in (left, right)]
        both = (set(sides[0]) & set(sides[1])) - {None}
        found.append((len(both), tuple(sum(v in both for v in side) for side in sides)))
    return found


def check(tables):
    report = leakage(*map(table, tables), keys="n", groups=("t", "n"), columns=["n", "t"])
    wanted = {
        "rows": expected(tables, (0, 1, 2), nulls=True),
        "similar rows": expected(tables, (0, 1), nulls=True),
        "keys": expected(tables, (0,), nulls=False),
        "groups": expected(tables, (1, 0), nulls=False),
    }
    for what, counts in wanted.items():
        found = [finding for finding in report.findings if finding.what == what]
        assert [(finding.shared, finding.rows) for finding in found] == counts
        for finding, (left, right) in zip(found, combinations(tables, 2), strict=True):
            assert len(finding.examples) == min(finding.shared, 5)
            for example in finding.examples:
                places = [[name for name, _ in KINDS].index(name) for name in finding.columns]
                rows = left[example.rows[0]], right[example.rows[1]]
                assert plain(rows[0], places, nulls=True) == plain(rows[1], places, nulls=True)
    assert bool(report) == report.leaks == any(c for counts in wanted.values() for c, _ in counts)


@given(ROWS, ROWS)
def test_what_leaks_is_that_of_the_definition(left, right):
    check([left, right])


@given(ROWS, ROWS, ROWS)
def test_each_pair_of_tables_is_looked_at(one, other, third):
    check([one, other, third])


@given(ROWS, ROWS)
def test_so_is_what_memory_doesnt_hold(left, right):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_spool, "MOST_BYTES", 64)
        patch.setattr(row_spool, "_PART_BYTES", 32)
        check([left, right])


def test_a_split_by_groups_doesnt_leak_them_and_one_by_rows_does():
    data = {"customer": [n % 50 for n in range(1000)], "x": list(range(1000))}
    parts = split(data, {"train": 0.8, "test": 0.2}, by="customer")
    assert not parts.leakage(keys="x")
    cut = split(data, {"train": 0.8, "test": 0.2}).leakage(groups="customer")
    assert cut.leaks
    (rows, groups) = cut.findings
    assert not rows.leaks
    assert groups.shares[1] > 0.9
    assert groups.tables == ("train", "test")


def test_examples_name_rows_and_values(datasets):
    train = datasets.log("train", {"id": [7, 8, 9], "text": ["a", "b", "c"]})
    test = datasets.log("test", {"id": [5, 9], "text": ["x", "c"]})
    report = leakage(train, test, keys="id")
    found = report.findings[1]
    assert (found.what, found.tables) == ("keys", ("train:1", "test:1"))
    assert found.examples[0].rows == (2, 1)
    assert found.examples[0].values == {"id": 9}  # noqa: PD011 - no frame
    assert "row 2 of train:1, row 1 of test:1: id=9" in str(report)
    assert "1 key of train:1 in test:1 (50.0 % of its rows)" in report.headline()


def test_libraries_are_compared_with_each_other():
    left = pd.DataFrame({"id": [1, 2, None], "t": ["a", "b", "c"]})
    right = pa.table({"id": pa.array([2, 3, None], pa.int8()), "t": ["b", "x", "c"]})
    report = leakage(left, right, keys="id")
    assert [finding.shared for finding in report.findings] == [2, 1]


def test_columns_that_one_lacks_are_told():
    report = leakage({"a": [1], "b": [1]}, {"a": [1], "c": [1]})
    assert report.leaks
    assert report.left_out == ("b", "c")
    assert "Rows weren't compared by b, c" in str(report)
    assert "Rows weren&#x27;t compared by b, c" in report._repr_html_()


NEVER_EQUAL = [
    (pa.array([1]), pa.array(["1"])),
    (pa.array([0.1], pa.float32()), pa.array([0.1])),
    (pa.array([Decimal("1.0")]), pa.array([Decimal("1.00")])),
    (pa.array([Decimal("1.5")]), pa.array([1.5])),
    (pa.array([0], pa.date32()), pa.array([0], pa.timestamp("s"))),
    (pa.array([0], pa.date32()), pa.array([0])),
    (pa.array([0], pa.duration("s")), pa.array([0], pa.timestamp("s"))),
    (pa.array([[1]]), pa.array([["1"]])),
    (pa.array([{"a": 1}]), pa.array([{"a": "1"}])),
]


@pytest.mark.parametrize(("left", "right"), NEVER_EQUAL)
def test_keys_whose_values_are_never_equal_are_refused_and_left_out_of_rows(left, right):
    sides = [pa.table({"id": ids, "x": [1]}) for ids in (left, right)]
    with pytest.raises(InvalidInput, match="keys: values of 'id' are never equal: 'id' is "):
        leakage(*sides, keys="id")
    report = leakage(*sides)
    assert report.findings[0].columns == ("x",)
    assert report.retyped == ("id",)
    assert "Rows weren't compared by id, whose values are never equal" in str(report)
    with pytest.raises(SchemaMismatch, match="values that can be equal"):
        leakage(*(side.select(["id"]) for side in sides))


EQUAL = [
    (pa.array([1]), pa.array([1.0], pa.float32())),
    (pa.array(["a"]), pa.array(["a"]).dictionary_encode()),
    (pa.array([1], pa.timestamp("s")), pa.array([10**9], pa.timestamp("ns"))),
    (
        pa.array([Decimal("1.0")], pa.decimal128(4, 1)),
        pa.array([Decimal("1.0")], pa.decimal256(9, 1)),
    ),
    (pa.array([[1]]), pa.array([[1.0]], pa.list_(pa.float64(), 1))),
    (pa.array([2**64 - 1], pa.uint64()), pa.array([2**64 - 1], pa.uint64()).dictionary_encode()),
]


@pytest.mark.parametrize(("left", "right"), EQUAL)
def test_keys_that_say_the_same_are_equal_whatever_their_layout(left, right):
    sides = [pa.table({"id": ids}) for ids in (left, right)]
    assert [finding.shared for finding in leakage(*sides, keys="id").findings] == [1, 1]


def test_large_whole_numbers_are_not_the_negative_ones_with_their_bits():
    large = pa.table({"id": pa.array([2**64 - 1, 2**63, 2**63 - 1], pa.uint64())})
    small = pa.table({"id": [-1, -(2**63), 2**63 - 1]})
    assert [finding.shared for finding in leakage(large, small, keys="id").findings] == [1, 1]
    floats = pa.table({"id": pa.array([2**63 + 1], pa.uint64()).view(pa.float64())})
    assert not leakage(pa.table({"id": pa.array([2**63 + 1], pa.uint64())}), floats, keys="id")


def test_nothing_found_says_what_was_looked_for():
    report = leakage({"a": [1]}, {"a": [2]}, keys="a")
    assert not report
    assert report.headline() == "No leakage found by rows, keys"


def test_hostile_names_and_values_stay_text():
    bad = "<script>\x1b[31m"
    report = leakage({bad: [bad]}, {bad: [bad]}, keys=bad)
    assert "<script>" not in report._repr_html_()
    for shown in (str(report), repr(report), report._repr_html_()):
        assert "\x1b" not in shown


def test_what_cant_be_compared_is_refused(datasets, folder):
    with pytest.raises(InvalidInput, match="two tables or more"):
        leakage({"a": [1]})
    with pytest.raises(SchemaMismatch, match="no column in common"):
        leakage({"a": [1]}, {"b": [1]})
    with pytest.raises(InvalidInput, match="keys: there is no column 'b'"):
        leakage({"a": [1], "b": [1]}, {"a": [1]}, keys="b")
    with pytest.raises(InvalidInput, match="keys=5 is no name of a column"):
        leakage({"a": [1]}, {"a": [1]}, keys=5)
    with pytest.raises(InvalidInput, match="columns: there is no column"):
        leakage({"a": [1]}, {"a": [1]}, columns=["b"])
    with pytest.raises(InvalidInput, match="is a folder"):
        leakage(datasets.log("f", folder), {"a": [1]})
