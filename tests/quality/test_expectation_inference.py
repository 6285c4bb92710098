"""What is inferred is met by what it was inferred from, has slack, and says why."""

import datetime as dt
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import dataset

from mlkit.errors import InvalidInput
from mlkit.quality.expectations import Expectations

MOMENTS = st.datetimes()
KINDS = [
    (pa.bool_(), st.booleans()),
    (pa.int8(), st.integers(-128, 127)),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.float16(), st.floats(width=16)),
    (pa.float32(), st.floats(width=32)),
    (pa.float64(), st.floats()),
    (pa.string(), st.text(max_size=6)),
    (pa.string(), st.sampled_from(["UA", "AA"])),
    (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["UA", "AA"])),
    (pa.string(), st.integers(190, 210).map(lambda n: "x" * n)),
    (pa.binary(), st.binary(max_size=6)),
    (pa.date32(), st.dates()),
    (pa.time64("us"), st.times()),
    (pa.timestamp("us"), MOMENTS),
    (pa.timestamp("ns"), st.integers(-(2**63) + 1, 2**63 - 1)),
    (pa.timestamp("s", "Europe/Berlin"), st.integers(-(2**33), 2**33)),
    (pa.duration("us"), st.timedeltas(dt.timedelta(-(10**6)), dt.timedelta(10**6))),
    (pa.duration("ns"), st.integers(-(2**63) + 1, 2**63 - 1)),
    (pa.decimal128(38, 2), st.decimals(-(10**35), 10**35, places=2)),
    (pa.list_(pa.int64()), st.lists(st.integers(0, 9), max_size=3)),
    (pa.struct([("a", pa.int64())]), st.fixed_dictionaries({"a": st.integers(0, 9)})),
    (pa.null(), st.none()),
]


@st.composite
def tables(draw):
    rows = draw(st.sampled_from([0, 1, 99, 100, 150]))
    columns = {}
    for number in range(draw(st.integers(1, 3))):
        kind, values = draw(st.sampled_from(KINDS))
        pool = draw(st.lists(values, min_size=1, max_size=8))
        missing = draw(st.booleans())
        picks = draw(st.randoms(use_true_random=False))
        chosen = [picks.choice([None, *pool] if missing else pool) for _ in range(rows)]
        columns[f"c{number}"] = pa.array(chosen, kind)
    return pa.table(columns)


@settings(max_examples=150)
@given(tables())
def test_the_data_that_expectations_were_inferred_from_meet_them(table):
    expected = Expectations.infer(table)
    report = expected.check(table)
    present = {"min_rows"} if not len(table) else set()
    assert {one.kind for one in report.failures} == present, str(report)
    assert Expectations.from_json(expected.to_json()) == expected


@pytest.mark.parametrize("seed", range(8))
def test_large_columns_of_many_values_meet_what_was_inferred_from_them(seed):
    rng = np.random.default_rng(seed)
    rows = 20_000
    frame = pd.DataFrame({
        "normal": rng.normal(size=rows) * 10.0 ** rng.integers(-300, 300),
        "heavy": rng.standard_cauchy(rows),
        "far": 1e15 + rng.random(rows),
        "id": rng.permutation(rows),
        "near_id": np.append(np.arange(rows - 1), 0),
        "text": [f"{value:x}" for value in rng.integers(0, 2**60, rows)],
        "few": rng.choice(["a", "b", "c"], rows),
        "gaps": np.where(rng.random(rows) < 0.3, np.nan, rng.random(rows)),
    })  # fmt: skip
    expected = Expectations.infer(frame)
    assert expected.check(frame).ok
    assert expected["id"].unique
    assert not expected["near_id"].unique
    assert expected == expected.column("few", values=["a", "b", "c"])
    assert 0.59 <= expected["gaps"].nulls <= 0.64


def test_each_inferred_expectation_says_why():
    data = {
        "delay": [float(n % 50) for n in range(200)],
        "carrier": ["UA", "AA"] * 100,
        "note": [f"note {n}" for n in range(200)],
        "at": [dt.datetime(2013, 1, 1) + dt.timedelta(hours=n) for n in range(200)],  # noqa: DTZ001
    }
    expected = Expectations.infer(data)
    for column in expected.columns:
        assert set(column.kinds()) == set(column.why)
    assert (expected["delay"].min, expected["delay"].max) == (0.0, 73.5)
    assert expected["delay"].why["max"] == "seen from 0 to 49; half of that more on each side"
    assert expected["note"].unique
    assert expected["at"].max is None


def test_of_few_rows_nothing_but_types_is_inferred():
    expected = Expectations.infer({"a": range(99), "b": ["x"] * 99})
    assert [list(column.kinds()) for column in expected.columns] == [["type"], ["type"]]


def test_a_value_that_came_once_makes_no_set_of_allowed_values():
    expected = Expectations.infer({"a": ["x"] * 500 + ["y"]})
    assert "values" not in expected["a"].kinds()


def test_ids_may_go_on():
    expected = Expectations.infer({"id": range(1000)})
    assert expected["id"].unique
    assert expected.check({"id": range(5000, 9000)}).ok


def test_infinite_numbers_give_no_range():
    expected = Expectations.infer({"a": [math.inf, 1.0] * 100})
    assert (expected["a"].min, expected["a"].max) == (None, None)


def test_what_can_be_read_once_gets_no_uniqueness_that_nobody_proved():
    table = pa.table({"id": range(500)})
    assert Expectations.infer(table)["id"].unique
    assert not Expectations.infer(table.to_reader())["id"].unique
    assert not Expectations.infer(iter(table.to_batches()))["id"].unique


class Once:
    """Gives its rows once: then none, or an error."""

    def __init__(self, table, *, fails):
        self.reader, self.fails = table.to_reader(), fails

    def __arrow_c_stream__(self, requested_schema=None):
        if self.fails and self.reader is None:
            raise pa.ArrowInvalid("It was read")
        reader = self.reader
        if self.fails:
            self.reader = None
        return reader.__arrow_c_stream__(requested_schema)


def test_a_stream_that_is_used_up_proves_no_uniqueness():
    numbers = np.arange(20_000)
    numbers[-500:] = numbers[:500]
    table = pa.table({"id": numbers})
    for fails in (False, True):
        assert not Expectations.infer(Once(table, fails=fails))["id"].unique
    scanner = dataset.Scanner.from_batches(table.to_reader())
    assert not Expectations.infer(scanner)["id"].unique


def test_data_like_those_that_were_seen_meet_the_expectations():
    rng = np.random.default_rng(1)

    def draw():
        return {
            "x": rng.normal(size=5000),
            "n": rng.poisson(3, 5000),
            "c": rng.choice(["a", "b"], 5000),
        }

    expected = Expectations.infer(draw())
    assert all(expected.check(draw()).ok for _ in range(50))


def test_what_is_no_table_gives_no_expectations():
    with pytest.raises(InvalidInput):
        Expectations.infer(7)


def test_a_column_may_have_an_empty_name_as_datasets_allow():
    table = pa.table({"": range(200)})
    assert Expectations.infer(table).check(table).ok
