"""Promise: statistics never exclude a value that is there."""

import json
import math
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlkit.tables.statistics import INDEXED, may_hold, statistics

LAST = "\U0010ffff"
TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.text(
        st.sampled_from(["a", "ÿ", LAST, "\ud7ff", "\ue000", "\x00"]), min_size=60, max_size=70
    ),
    st.builds(str.__mul__, st.sampled_from(["a", LAST, "é"]), st.integers(0, 200)),
)


def of(values, kind):
    found = statistics(pa.table({"c": pa.array(values, kind, from_pandas=False)}))
    again = json.loads(json.dumps(found))
    assert again == found
    assert found["numRecords"] == len(values)
    return found


def known(values):
    return [value for value in values if value is not None]


def extremes(found):
    return found["minValues"].get("c"), found["maxValues"].get("c")


@given(st.lists(st.none() | TEXTS, max_size=6))
@example(["a" * 64 + LAST + "b", ""])
@example(["a" * 64 + LAST, ""])
@example([LAST * 70])
def test_every_text_is_between_the_extremes(texts):
    found = of(texts, pa.string())
    assert found["nullCount"] == {"c": texts.count(None)}
    low, high = extremes(found)
    for text in known(texts):
        assert may_hold(found, "c", text, text)
        assert low.encode() <= text.encode() <= high.encode()
        assert low <= text <= high


@given(TEXTS, TEXTS, TEXTS)
def test_a_range_that_a_text_lies_in_is_looked_into(text, one, other):
    low, high = sorted([one, other])
    if low <= text <= high:
        assert may_hold(of([text], pa.string()), "c", low, high)


def test_long_texts_are_cut():
    low, high = extremes(of(["a" * 10_000, "b" * 10_000], pa.string()))
    assert (len(low), len(high)) == (64, 65)


@given(st.lists(st.none() | st.floats(), max_size=6))
@example([math.nan])
@example([math.nan, 1.0])
@example([math.inf, 1.0])
@example([-math.inf, None])
@example([-0.0, 0.0])
def test_every_number_is_between_the_extremes_or_there_are_none(numbers):
    found = of(numbers, pa.float64())
    low, high = extremes(found)
    there = known(numbers)
    if low is None:
        assert high is None
        assert not there or not all(map(math.isfinite, there))
    else:
        assert all(low <= number <= high for number in there)
        assert all(map(math.isfinite, (low, high)))


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=6))
def test_every_whole_number_is_between_the_extremes(numbers):
    low, high = extremes(of(numbers, pa.int64()))
    for number in known(numbers):
        assert low <= number <= high


MOMENTS = st.integers(-(2**63) // 1000, (2**63 - 1) // 1000)


@given(st.lists(st.none() | MOMENTS, max_size=6))
@example([0])
@example([1, -1])
@example([999_999])
@example([(2**63 - 1) // 1000])
def test_every_time_is_between_the_extremes_which_are_in_milliseconds(micros):
    low, high = extremes(of(micros, pa.timestamp("us", tz="UTC")))
    for one in known(micros):
        assert moment(low) <= one <= moment(high)
    if known(micros):
        assert moment(high) - moment(low) <= max(known(micros)) - min(known(micros)) + 2000


def moment(text):
    parsed = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    since = parsed - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


@pytest.mark.parametrize("kind", [pa.bool_(), pa.map_(pa.string(), pa.string()), pa.string()])
def test_what_has_no_order_or_no_values_has_no_extremes(kind):
    found = of([None, None], kind)
    assert extremes(found) == (None, None)
    assert may_hold(found, "c", "a", "b")


def test_only_the_first_columns_have_statistics():
    found = statistics(pa.table({f"c{number}": [number] for number in range(INDEXED + 5)}))
    assert len(found["minValues"]) == len(found["nullCount"]) == INDEXED
    assert may_hold(found, f"c{INDEXED}", "a", "a")


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=20), TEXTS)
def test_row_groups_that_may_hold_a_text_are_not_passed_over(pairs, other):
    from mlkit.storage.memory import MemoryStorage
    from mlkit.tables.delta_table import DeltaTable

    ordered = sorted(pairs)
    rows = pa.table({"key": [key for key, _ in ordered], "run_id": [run for _, run in ordered]})
    table = DeltaTable(MemoryStorage("statistics-groups"), "t", clock=lambda: 0, group_rows=3)
    file = table.file(table.write(rows))
    for key, run in [*ordered, (other, other)]:
        for column, text in (("key", key), ("run_id", run)):
            groups = file.groups_with(column, text, text)
            held = file.read([column], groups=groups).column(column).to_pylist()
            assert held.count(text) == rows.column(column).to_pylist().count(text)
