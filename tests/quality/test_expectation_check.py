"""Checks name what is broken and where, in one pass; what they can't see isn't met."""

import datetime as dt
import gc
import math
import pickle
import re
import tempfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.data.comparing.row_spool import RowSpool
from mlkit.data.demands import Demands
from mlkit.errors import DataRefused, InvalidInput
from mlkit.quality.expectation_uniqueness import Uniqueness
from mlkit.quality.expectations import Expectations

UTC = dt.UTC
NOON = dt.datetime(2024, 5, 1, 12, tzinfo=UTC)
DAY = dt.timedelta(days=1)


def only(report):
    (failure,) = report.failures
    return failure


def broken(expected, data, **options):
    """The numbers of the rows that one failed expectation names."""
    return [found.row for found in only(expected.check(data, **options)).rows]


def test_a_failed_expectation_says_how_many_rows_break_it_and_names_the_first_with_their_values():
    ages = [30, -1, 40, None, -2, 200]
    report = Expectations().column("age", min=0).check({"age": ages})
    failure = only(report)
    assert (failure.failed, failure.checked, failure.share) == (2, 6, 2 / 6)
    assert [(found.row, found.value) for found in failure.rows] == [(1, "-1"), (4, "-2")]
    assert not report.ok
    assert not report


def test_rows_are_numbered_through_all_batches():
    table = pa.table({"age": [*range(100_000), -1]})
    batches = table.to_batches(max_chunksize=777)
    assert broken(Expectations().column("age", min=0), iter(batches)) == [100_000]


def test_only_the_first_rows_are_kept_and_all_are_counted():
    failure = only(Expectations().column("a", max=0).check({"a": range(1000)}, examples=3))
    assert failure.failed == 999
    assert [found.row for found in failure.rows] == [1, 2, 3]


def test_rows_come_as_an_arrow_table_also_when_there_are_none():
    expected = Expectations().column("a", max=1).unique("b", "c")
    table = expected.check({"a": [0, 5], "b": [1, 1], "c": [2, 2]}).rows()
    assert table.to_pylist() == [
        {"expectation": "a <= 1", "column": "a", "row": 1, "value": "5"},
        {"expectation": "b, c are together unique", "column": "b, c", "row": 1, "value": "1, 2"},
    ]
    assert expected.check({"a": [0], "b": [1], "c": [2]}).rows().schema == table.schema


@pytest.mark.parametrize(
    "make",
    [pa.table, pd.DataFrame, pl.DataFrame, lambda columns: pa.table(columns).to_reader(), dict],
)
def test_tables_of_every_library_are_checked(make):
    assert broken(Expectations().column("a", min=0), make({"a": [1, -1]})) == [1]


NUMBERS = [
    (pa.int8(), st.integers(-128, 127)),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.float16(), st.floats(width=16, allow_nan=False)),
    (pa.float32(), st.floats(width=32, allow_nan=False)),
    (pa.float64(), st.floats(allow_nan=False)),
    (pa.decimal128(20, 3), st.decimals(-(10**9), 10**9, places=3)),
]
BOUNDS = (
    st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.decimals(-(10**20), 10**20, places=5)
    | st.sampled_from([0, -128, 127, 2**63, 2**64, 2**53 + 1, 0.1, Decimal("0.1")])
)


@given(st.data())
def test_bounds_hold_exactly_for_every_type_of_number(data):
    kind, values = data.draw(st.sampled_from(NUMBERS))
    column = data.draw(st.lists(st.none() | values, min_size=1, max_size=8))
    bound = data.draw(BOUNDS | values)
    array = pa.array(column, kind)
    lower = Expectations().column("x", min=bound).check({"x": array}, examples=9)
    upper = Expectations().column("x", max=bound).check({"x": array}, examples=9)
    exact = array.cast(pa.float64()).to_pylist() if pa.types.is_float16(kind) else array.to_pylist()
    rows = {name: [] for name in ("min", "max")}
    for number, value in enumerate(exact):
        if value is not None:
            rows["min"] += [number] if value < bound else []
            rows["max"] += [number] if value > bound else []
    found = {
        name: [one.row for result in report.failures for one in result.rows]
        for name, report in (("min", lower), ("max", upper))
    }
    assert found == rows


@given(st.data())
def test_allowed_values_are_the_only_ones_for_every_type_of_number(data):
    kind, values = data.draw(st.sampled_from(NUMBERS))
    column = data.draw(st.lists(st.none() | values, min_size=1, max_size=8))
    allowed = data.draw(st.lists(BOUNDS | values, min_size=1, max_size=4))
    array = pa.array(column, kind)
    report = Expectations().column("x", values=allowed).check({"x": array}, examples=9)
    found = [one.row for result in report.failures for one in result.rows]
    exact = array.cast(pa.float64()).to_pylist() if pa.types.is_float16(kind) else array.to_pylist()
    assert found == [
        n for n, value in enumerate(exact) if value is not None and value not in allowed
    ]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_bounds_of_times_hold_whatever_the_unit_and_the_zone(unit, zone):
    array = pa.array([0, 1, 2, None, -1], pa.int64()).cast(pa.timestamp(unit, zone))
    start = dt.datetime(1970, 1, 1, tzinfo=UTC if zone else None)
    assert broken(Expectations().column("t", min=start), {"t": array}) == [4]


def test_dates_times_of_day_and_durations_have_bounds():
    data = {
        "day": [dt.date(2020, 1, 1), dt.date(2030, 1, 1)],
        "hour": [dt.time(1), dt.time(23, 0, 0, 1)],
        "took": [dt.timedelta(1), dt.timedelta(-1)],
    }
    expected = (
        Expectations()
        .column("day", max=dt.date(2029, 12, 31))
        .column("hour", max=dt.time(23))
        .column("took", min=dt.timedelta())
    )
    assert [[row.row for row in one.rows] for one in expected.check(data).failures] == [[1]] * 3


@pytest.mark.parametrize(
    ("column", "asked"),
    [
        (["a"], {"min": 0}),
        ([True], {"min": 0}),
        ([dt.date(2020, 1, 1)], {"min": dt.datetime(2020, 1, 1)}),  # noqa: DTZ001
        ([dt.datetime(2020, 1, 1)], {"min": dt.datetime(2020, 1, 1, tzinfo=UTC)}),  # noqa: DTZ001
        ([[1, 2]], {"max": 3}),
        ([1.5], {"values": ["a"]}),
        (["a"], {"values": [1]}),
        ([{"a": 1}], {"values": ["a"]}),
        ([1], {"pattern": "1"}),
        ([1], {"max_length": 3}),
        ([1], {"max_age": DAY}),
        ([None], {"min": 0}),
    ],
)
def test_what_cant_be_compared_fails_and_the_types_are_named(column, asked):
    report = Expectations().column("x", **asked).check({"x": column})
    assert only(report).failed == 0
    assert only(report).why


def test_an_expectation_of_a_missing_column_fails_each_one_by_itself():
    expected = (
        Expectations()
        .column("agee", min=0, nulls=0.5, unique=True)
        .unique("a", "gone")
        .drift({"lost": [1, 2, 3]})
    )
    report = expected.check({"age": [1], "a": [1]})
    assert {one.kind for one in report.failures} == {"present", "min", "nulls", "unique", "drift"}
    assert "Did you mean 'age'" in report.failures[0].why
    assert report.other_columns == ("age",)


def test_a_column_that_neednt_be_there_is_told_to_be_absent():
    report = Expectations().column("a", required=False, min=0).check({"b": [1]})
    assert report.ok
    assert {one.why for one in report.results} == {
        "it isn't, and needn't be", "the column isn't there, and needn't be",
    }  # fmt: skip
    assert not Expectations().column("a", required=False, min=0).check({"a": [-1]})


def test_further_columns_fail_only_where_they_arent_allowed():
    expected = Expectations().column("a", min=0)
    assert expected.check({"a": [1], "b": [1]}).other_columns == ("b",)
    assert only(expected.others(allowed=False).check({"a": [1], "b": [1]})).kind == "columns"


def test_types_are_logical_so_libraries_and_layouts_dont_matter():
    expected = Expectations().column("a", type=pa.string())
    for kind in (pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())):
        assert expected.check(pa.table({"a": pa.array(["x"]).cast(kind)})).ok
    assert only(expected.check({"a": [1]})).why == "it is int64"
    assert Expectations().column("a", type="integer").check({"a": pa.array([1], pa.uint8())}).ok


def test_nan_is_missing_as_null_is():
    data = {"a": pa.array([1.0, math.nan, None, -5.0])}
    expected = Expectations().column("a", min=0, nulls=0.25)
    report = expected.check(data)
    assert [(one.kind, [r.row for r in one.rows]) for one in report.failures] == [
        ("nulls", [1, 2]),
        ("min", [3]),
    ]
    assert expected.column("a", nulls=0.5, min=-5).check(data).ok


def test_a_pattern_matches_the_whole_text_and_cant_escape_its_group():
    assert broken(Expectations().column("a", pattern="a|b"), {"a": ["a", "xb", "b", "a\n"]}) == [
        1,
        3,
    ]
    with pytest.raises(InvalidInput, match="can't be used"):
        Expectations().column("a", pattern="a)|(b")


def test_no_pattern_hangs():
    text = "a" * 50_000 + "!"
    assert not Expectations().column("a", pattern="(a|a|aa)*(a+)+").check({"a": [text]})


def test_lengths_are_letters_bytes_and_items():
    data = {"t": ["é", "ééé"], "b": [b"a", b"aaa"], "l": [[1], [1, 2, 3]]}
    for name in data:
        assert broken(Expectations().column(name, max_length=2), data) == [1]
        assert broken(Expectations().column(name, min_length=2), data) == [0]


@pytest.mark.parametrize(
    ("times", "ok"),
    [
        ([NOON - 2 * DAY, NOON - DAY, None], True),
        ([NOON - DAY - dt.timedelta(microseconds=1)], False),
        ([NOON + DAY], True),
        ([None], False),
    ],
)
def test_the_newest_time_must_be_young_enough(times, ok):
    expected = Expectations().column("t", max_age=DAY)
    array = pa.array(times, pa.timestamp("us", "UTC"))
    report = expected.check({"t": array}, now=NOON)
    assert report.ok is ok
    naive = {"t": array.cast(pa.timestamp("us"))}
    assert expected.check(naive, now=NOON.replace(tzinfo=None)).ok is ok


def test_the_age_of_dates_counts_from_their_first_moment():
    expected = Expectations().column("d", max_age=DAY)
    assert expected.check({"d": [dt.date(2024, 5, 1)]}, now=NOON).ok
    assert not expected.check({"d": [dt.date(2024, 4, 30)]}, now=NOON).ok


def test_rows_are_counted():
    expected = Expectations().rows(min=2, max=3)
    assert [expected.check({"a": range(n)}).ok for n in range(1, 5)] == [False, True, True, False]


@given(
    st.lists(
        st.tuples(st.none() | st.integers(0, 3), st.sampled_from(["a", "b", None, "\0", ""])),
        max_size=30,
    ),
    st.integers(1, 7),
)
def test_every_row_that_repeats_an_earlier_one_is_found_and_no_other(rows, size):
    seen, again = set(), []
    for number, row in enumerate(rows):
        if None not in row:
            again += [number] if row in seen else []
            seen.add(row)
    table = pa.table({
        "a": pa.array([row[0] for row in rows], pa.int32()),
        "b": pa.array([row[1] for row in rows], pa.string()),
    })  # fmt: skip
    report = (
        Expectations()
        .unique("a", "b")
        .check(pa.RecordBatchReader.from_batches(table.schema, table.to_batches(size)), examples=99)
    )
    assert [found.row for one in report.failures for found in one.rows] == again
    assert sum(one.failed for one in report.failures) == len(again)


def test_repetitions_are_found_when_the_rows_dont_fit_into_memory(monkeypatch):
    monkeypatch.setattr("mlkit.data.comparing.row_spool.MOST_BYTES", 1 << 12)
    table = pa.table({"a": [*range(5000), 17, *range(5000, 9000), 17, 4]})
    expected = Expectations().column("a", unique=True).unique("a", "b")
    table = table.append_column("b", pa.array(["x"] * len(table)))
    report = expected.check(iter(table.to_batches(500)))
    assert [[(r.row, r.value) for r in one.rows] for one in report.failures] == [
        [(5000, "17"), (9001, "17"), (9002, "4")],
        [(5000, "17, x"), (9001, "17, x"), (9002, "4, x")],
    ]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([0.0, -0.0]),
        pa.array([[1], [1]]),
        pa.array([{"a": 1}, {"a": 1}]),
        pa.array([b"\xff", b"\xff"]),
        pa.array([2**62, 2**62], pa.timestamp("s")),
        pa.array([Decimal("1.5"), Decimal("1.5")]),
        pa.array([True, True]),
        pa.array(["a", "a"]).dictionary_encode(),
    ],
)
def test_values_of_any_type_can_be_unique(array):
    assert broken(Expectations().unique("a"), {"a": array}) == [1]


def test_a_check_that_is_broken_off_leaves_nothing_behind(monkeypatch, tmp_path):
    monkeypatch.setattr("mlkit.data.comparing.row_spool.MOST_BYTES", 1 << 10)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    opened = []
    original = RowSpool._write
    monkeypatch.setattr(RowSpool, "_write", lambda spool: (original(spool), opened.append(spool)))

    def batches():
        yield from pa.table({"a": range(5000)}).to_batches(100)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Expectations().unique("a").check(batches())
    assert opened[0]._file.closed
    assert list(Path(tmp_path).iterdir()) == []


def test_a_checker_that_is_forgotten_gives_its_file_back(monkeypatch):
    monkeypatch.setattr("mlkit.data.comparing.row_spool.MOST_BYTES", 1 << 10)
    uniqueness = Uniqueness(3)
    for start in range(0, 2000, 100):
        array = pa.arange(start, start + 100)
        uniqueness.update(0, start, [array], array.is_null())
    file = uniqueness._spool._file
    del uniqueness
    gc.collect()
    assert file.closed


def test_drift_is_held_against_the_profile_that_the_expectations_carry():
    before = {"delay": range(1000), "carrier": ["UA", "AA"] * 500}
    expected = Expectations.from_json(Expectations().drift(before, threshold=0.2).to_json())
    assert expected.check(before).ok
    moved = {"delay": range(500, 1500), "carrier": ["UA"] * 1000}
    assert [one.columns for one in expected.check(moved).failures] == [("delay",), ("carrier",)]
    other = {"delay": ["late"] * 9, "carrier": pa.array([None] * 9, pa.string())}
    assert all("can't be compared" in one.why for one in expected.check(other).failures)
    assert len(expected.check(other).failures) == 2


def test_drift_of_common_values_is_seen_beside_many_rare_ones():
    rng = np.random.default_rng(0)

    def column(common):
        rare = np.char.add("r", rng.integers(0, 3000, 50_000).astype(str))
        return {"c": np.where(rng.random(50_000) < 0.55, common, rare).tolist()}

    expected = Expectations().drift(column("A"), threshold=0.1)
    assert not expected.check(column("B")).ok
    assert expected.check(column("A")).ok


def test_numbers_that_became_infinite_drifted():
    expected = Expectations().drift({"x": [1.0, 2.0, 3.0, 4.0]}, threshold=0.1)
    assert not expected.check({"x": [1.0, 2.0, 3.0, 4.0] + [math.inf] * 36}).ok


def test_the_same_rows_in_another_order_never_drift():
    rng = np.random.default_rng(0)
    values = rng.normal(size=50_000)
    before = {"x": values, "t": [f"{value:.3f}" for value in values]}
    order = rng.permutation(len(values))
    shuffled = pa.table(before).take(pa.array(order))
    expected = Expectations().drift(before, threshold=0)
    assert expected.check(iter(shuffled.to_batches(1000))).ok


@given(st.lists(st.text("ab.\n", max_size=4), max_size=6), st.text("ab.|*()?+", max_size=6))
def test_patterns_match_what_pythons_own_do(texts, pattern):
    try:
        whole = re.compile(pattern)
        expected = Expectations().column("t", pattern=pattern)
    except (re.error, InvalidInput, FutureWarning):
        return  # one of the two languages hasn't got it
    report = expected.check({"t": pa.array(texts, pa.string())}, examples=9)
    found = [row.row for one in report.failures for row in one.rows]
    assert found == [n for n, text in enumerate(texts) if not whole.fullmatch(text)]


def test_a_checker_takes_a_stream_batch_by_batch_and_refuses_it_whole_at_the_end():
    expected = Expectations().column("a", min=0)
    assert isinstance(expected, Demands)
    table = pa.table({"a": [1, 2, -3]})
    checker = expected.checker(table.schema)
    for batch in table.to_batches():
        checker.update(batch)
    with pytest.raises(DataRefused, match=r"a >= 0: 1 of 3 rows break it") as refused:
        checker.finish()
    copy = pickle.loads(pickle.dumps(refused.value))
    assert copy.report == refused.value.report == checker.report()
    checker.close()
    checker.close()


def test_a_checker_gives_a_summary_of_what_was_met():
    expected = Expectations().column("a", min=0, unique=True)
    table = pa.table({"a": [1, 2]})
    with expected.checker(table.schema) as checker:
        checker.update(table.to_batches()[0])
        summary = checker.finish()
    assert (summary["ok"], summary["rows"], summary["expectations"]) == (True, 2, 3)
    assert summary["digest"].startswith("sha256:")


def test_a_checker_takes_no_other_columns_and_nothing_after_its_report():
    schema = pa.schema({"a": pa.int64()})
    with Expectations().checker(schema) as checker:
        with pytest.raises(InvalidInput, match="other columns"):
            checker.update(pa.record_batch({"b": [1]}))
        checker.report()
        with pytest.raises(InvalidInput, match="over"):
            checker.update(pa.record_batch({"a": [1]}))
    with pytest.raises(InvalidInput, match="Two columns"):
        Expectations().checker(pa.schema([("a", pa.int64()), ("a", pa.int64())]))


def test_a_column_that_no_dataset_can_hold_is_named_and_nothing_breaks():
    kind = pa.month_day_nano_interval()
    schema = pa.schema({"a": kind})
    with Expectations().column("a", type="int64", min=0).checker(schema) as checker:
        checker.update(pa.record_batch([pa.nulls(2, kind)], schema=schema))
        assert [one.kind for one in checker.report().failures] == ["type", "min"]


def test_an_empty_table_meets_what_is_about_rows():
    table = pa.table({"a": pa.array([], pa.int64())})
    expected = Expectations().column("a", min=0, max=1, values=[1], nulls=0, unique=True)
    assert expected.check(table).ok


def test_a_report_is_shown_without_running_what_names_hold():
    name = "<script>alert(1)</script>"
    report = Expectations().column(name, pattern="<i>").check({name: ["<b>\x1b[31m"]})
    html = report._repr_html_()
    assert "<script" not in html
    assert "<b>" not in html
    assert "\x1b" not in str(report)
    with pytest.raises(DataRefused) as refused:
        Expectations().column("\x1b[31m", min=0).check({"a": [1]}).raise_for_failures()
    assert "\x1b" not in str(refused.value)
    assert "broke 1 of 2 expectations" in repr(report)
    assert report.to_json()["ok"] is False
    assert "Nothing is expected of" in str(Expectations().check({name: [1]}))


def test_what_is_no_table_is_refused():
    for data in (7, "flights:1", []):
        with pytest.raises(InvalidInput):
            Expectations().check(data)
    with pytest.raises(InvalidInput):
        Expectations().check({"a": [1]}, examples=-1)


def test_very_wide_tables_are_checked_column_by_column():
    table = pa.table({f"c{number}": [number] for number in range(2000)})
    expected = Expectations()
    for name in table.column_names:
        expected = expected.column(name, min=1, type="int64")
    assert [one.columns for one in expected.check(table).failures] == [("c0",)]
