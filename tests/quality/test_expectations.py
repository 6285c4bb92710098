"""Expectations are values: changed by making others, equal when equal, and kept as text."""

import datetime as dt
import json
import pickle
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.errors import InvalidInput, NotFound
from mlkit.quality.column_expectation import ColumnExpectation
from mlkit.quality.expectations import Expectations

UTC = dt.UTC
NEW_YEAR = dt.datetime.fromisoformat("2024-01-01")
BOUNDS = (
    st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.decimals(allow_nan=False, allow_infinity=False).filter(lambda d: abs(d.adjusted()) < 900)
    | st.dates()
    | st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1))  # noqa: DTZ001
    | st.datetimes(timezones=st.just(UTC))
    | st.times()
    | st.timedeltas()
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
COLUMNS = st.fixed_dictionaries(
    {"name": NAMES},
    optional={
        "required": st.booleans(),
        "type": st.sampled_from(["int64", "string", "number"]),
        "nulls": st.floats(0, 1),
        "min": BOUNDS,
        "values": st.lists(BOUNDS | NAMES | st.binary() | st.booleans(), min_size=1, max_size=4),
        "pattern": st.sampled_from(["a+", "[a-z]", r"\d"]),
        "max_length": st.integers(0, 10),
        "unique": st.booleans(),
        "max_age": st.timedeltas(dt.timedelta(0)),
        "why": st.dictionaries(st.just("min"), NAMES),
    },
)
EXPECTATIONS = st.builds(
    Expectations,
    columns=st.lists(COLUMNS, max_size=3, unique_by=lambda one: one["name"]).map(
        lambda columns: [ColumnExpectation(**one) for one in columns]
    ),
    keys=st.lists(st.lists(NAMES, min_size=2, max_size=3, unique=True), max_size=2),
    min_rows=st.none() | st.integers(0, 5),
    max_rows=st.none() | st.integers(5, 9),
    others_allowed=st.booleans(),
    unmapped=st.lists(NAMES, max_size=2),
)


@given(EXPECTATIONS)
def test_expectations_come_back_from_their_text_equal_and_whole(expected):
    copy = Expectations.from_json(expected.to_json())
    assert copy == expected
    assert hash(copy) == hash(expected)
    assert copy.to_json() == expected.to_json()
    assert pickle.loads(pickle.dumps(expected)) == expected
    assert str(copy) == str(expected)


def test_values_of_other_types_are_other_expectations():
    one = Expectations().column("a", values=[1])
    assert one != Expectations().column("a", values=[True])
    assert one != Expectations().column("a", values=[1, 2])
    assert Expectations().column("a", values=[2, 1]) == Expectations().column("a", values=[1, 2])


def test_the_reasons_and_what_wasnt_taken_over_are_no_part_of_equality():
    column = ColumnExpectation(name="a", min=0, why={"min": "seen"})
    assert Expectations(columns=[column], unmapped=["x"]) == Expectations().column("a", min=0)


def test_what_isnt_named_stays_as_it_was():
    expected = Expectations().column("a", min=0, max=9).column("b", nulls=0)
    changed = expected.column("a", max=5)
    assert (changed["a"].min, changed["a"].max, changed["b"].nulls) == (0, 5, 0)
    assert expected["a"].max == 9


def test_a_changed_expectation_loses_its_reason_and_the_others_keep_theirs():
    inferred = Expectations.infer({"a": range(200)}).drop("a", "unique")
    changed = inferred.column("a", nulls=0.5)
    assert "nulls" not in changed["a"].why
    assert changed["a"].why["type"] == inferred["a"].why["type"]


def test_a_column_is_dropped_whole_or_in_parts():
    expected = (
        Expectations()
        .column("a", min=0, unique=True)
        .column("b")
        .unique("a", "b")
        .drift({"a": [1]})
    )
    assert expected.drop("a", "min", "unique")["a"].unique is False
    assert expected.drop("a", "min")["a"].min is None
    assert expected.drop("a", "drift").baselines == ()
    gone = expected.drop("a")
    assert ([one.name for one in gone.columns], gone.keys, gone.baselines) == (["b"], (), ())
    with pytest.raises(NotFound, match="column 'c'"):
        expected.drop("c")
    with pytest.raises(InvalidInput, match="Did you mean 'min'"):
        expected.drop("a", "mn")


def test_scalars_of_numpy_and_pandas_become_pythons_own():
    moment = pd.Timestamp("2024-05-01 12:00", tz="Europe/Berlin")
    expected = (
        Expectations().column("a", min=np.int32(3), max=np.float64(4.5)).column("t", min=moment)
    )
    assert (type(expected["a"].min), type(expected["a"].max)) == (int, float)
    assert expected["t"].min == dt.datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert type(expected["t"].min) is dt.datetime


@pytest.mark.parametrize(
    ("given_as", "kept"),
    [
        (np.datetime64("2024-01-01"), dt.date(2024, 1, 1)),
        (np.datetime64("2024-01-01T00:00:00.000001000", "ns"), NEW_YEAR.replace(microsecond=1)),
        (np.datetime64("2024-01-01T00", "h"), NEW_YEAR),
        (np.timedelta64(5000, "ns"), dt.timedelta(microseconds=5)),
        (np.timedelta64(2, "D"), dt.timedelta(2)),
        (pd.Timestamp("2024-01-01"), NEW_YEAR),
        (pd.Timedelta(5, "us"), dt.timedelta(microseconds=5)),
        (pa.scalar(NEW_YEAR, pa.timestamp("ns", "UTC")), NEW_YEAR.replace(tzinfo=UTC)),
        (pa.scalar(5), 5),
    ],
)
def test_times_of_libraries_become_pythons_own_and_are_never_rounded(given_as, kept):
    found = Expectations().column("a", min=given_as)["a"].min
    assert (found, type(found)) == (kept, type(kept))


def test_types_are_named_as_datasets_name_them():
    for kind in (pa.int8(), pa.list_(pa.timestamp("ms", "UTC")), pa.decimal128(5, 2), pa.uuid()):
        named = Expectations().column("a", type=kind)["a"].type
        assert Expectations().column("a", type=named)["a"].type == named
    with pytest.raises(InvalidInput, match="Did you mean"):
        Expectations().column("a", type="int46")


@pytest.mark.parametrize(
    "asked",
    [
        {"nulls": 1.5},
        {"nulls": float("nan")},
        {"min": 2, "max": 1},
        {"min": 2, "max": dt.date(2020, 1, 1)},
        {"min": float("nan")},
        {"min": "a"},
        {"min": True},
        {"min": object()},
        {"min": Decimal("1e999999999")},
        {"min": dt.time(1, tzinfo=UTC)},
        {"min": dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=5)))},
        {"values": []},
        {"values": "abc"},
        {"values": 3},
        {"values": [None]},
        {"values": ["\ud800"]},
        {"pattern": "("},
        {"pattern": "(?=a)"},
        {"pattern": "\ud800"},
        {"pattern": 3},
        {"pattern": "a" * 20_000},
        {"min_length": 3, "max_length": 2},
        {"min_length": 1.5},
        {"max_length": -1},
        {"max_age": 3},
        {"max_age": dt.timedelta(-1)},
        {"min_length": -1},
        {"nulls": "x"},
        {"unique": "x"},
        {"required": 1},
        {"type": 5},
        {"type": "zz"},
        {"type": "int"},
        {"pattern": r"\Qa"},
        {"min": pd.Timestamp(1)},
        {"max": np.datetime64(1, "ns")},
        {"values": [np.timedelta64(5, "ns")]},
        {"min": pd.Timedelta(1, "ns")},
        {"min": pd.NaT},
        {"min": pa.scalar(2**60, pa.timestamp("s"))},
    ],
)
def test_what_cant_be_expected_is_refused_when_it_is_written(asked):
    with pytest.raises(InvalidInput):
        Expectations().column("a", **asked)


def test_tables_of_expectations_that_make_no_sense_are_refused():
    column = ColumnExpectation(name="a")
    with pytest.raises(InvalidInput, match="named twice"):
        Expectations(columns=[column, column])
    for call in (
        lambda: Expectations().unique(),
        lambda: Expectations().unique("a", "a"),
        lambda: Expectations().rows(min=3, max=2),
        lambda: Expectations().rows(min=-1),
        lambda: Expectations().column(3),
        lambda: Expectations().others(allowed="x"),
        lambda: Expectations().drift({"a": [1]}, threshold="x"),
        lambda: Expectations().check({"a": [1]}, examples="x"),
        lambda: Expectations().check({"a": [1]}, now=5),
        lambda: Expectations().drift({"a": [1]}, threshold=2),
        lambda: Expectations().drift({"a": [1]}, columns=["b"]),
        lambda: Expectations().drift({"a": [1]}, columns="a"),
        lambda: Expectations().drift({"a": [{"b": 1}]}, columns=["a"]),
    ):
        with pytest.raises(InvalidInput):
            call()


GOOD = json.loads(
    Expectations().column("a", min=0, values=[dt.date(2020, 1, 1)]).drift({"a": [1, 2]}).to_json()
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.data())
def test_hostile_text_gives_an_error_that_says_so_or_expectations(data):
    """Replace any part of a good document by anything."""
    document = json.loads(json.dumps(GOOD))
    part = document
    while True:
        key = data.draw(
            st.sampled_from(sorted(part) if isinstance(part, dict) else range(len(part)))
        )
        inner = part[key]
        if not (isinstance(inner, dict | list) and inner and data.draw(st.booleans())):
            break
        part = inner
    part[key] = data.draw(JSON)
    try:
        found = Expectations.from_json(json.dumps(document))
    except InvalidInput:
        return
    assert Expectations.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{", "[" * 100_000, '{"expectations": 2}', '{"expectations": 1}', b"\xff",
     '{"expectations": 1e999}', None, 7],
)  # fmt: skip
def test_text_that_holds_no_expectations_is_refused(text):
    with pytest.raises(InvalidInput):
        Expectations.from_json(text)


def test_a_field_that_this_version_doesnt_know_is_refused_and_not_dropped():
    for change in ({"more": 1}, {"columns": [{"name": "a", "shape": 3}]}):
        with pytest.raises(InvalidInput, match="nothing to expect"):
            Expectations.from_json(json.dumps({**GOOD, **change}))


def test_expectations_are_shown_without_running_what_names_hold():
    name = "<script>alert(1)</script>"
    expected = Expectations(unmapped=["<i>x</i>"]).column(name, values=["<b>\x1b[31m"])
    html = expected._repr_html_()
    assert "<script" not in html
    assert "<b>" not in html
    assert "<i>" not in html
    assert "\x1b" not in str(expected)
    assert repr(expected) == "<Expectations of 1 columns: 2>"


def test_tensorflow_metadata_is_loaded_on_use_only():
    code = (
        "import sys, mlkit.quality.expectations\n"
        "heavy = ('tensorflow', 'google.protobuf', 'pyarrow', 'numpy', 'pandas')\n"
        "sys.exit(any(name.startswith(heavy) for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
