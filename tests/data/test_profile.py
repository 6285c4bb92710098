"""Profiles: what a table holds, equal to what the libraries compute."""

import datetime as dt
import decimal

import numpy as np
import pyarrow as pa
import pytest

from mlkit.data.profiles.profile import profile_column


def profiled(values, kind=None):
    return profile_column("x", pa.chunked_array([pa.array(values, kind)]))


def test_numbers_agree_with_numpy():
    values = np.random.default_rng(0).normal(size=5000)
    found = profiled(values)
    assert (found.count, found.nulls) == (5000, 0)
    assert found.distinct == pytest.approx(5000, rel=5 * found.errors["distinct"])
    assert (found.min, found.max) == (values.min(), values.max())
    assert found.mean == pytest.approx(values.mean())
    assert found.std == pytest.approx(values.std())
    for share, mark in found.quantiles.items():
        assert mark == pytest.approx(np.quantile(values, share), abs=0.02)


def test_nulls_are_counted_and_left_out():
    found = profiled([1, None, 3, 3])
    assert (found.count, found.nulls, found.distinct) == (3, 1, 2)
    assert (found.min, found.max) == (1, 3)


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.string(), pa.bool_(), pa.date32()])
def test_a_column_of_nulls_has_no_figures(kind):
    found = profiled([None, None], kind)
    assert (found.count, found.nulls, found.distinct) == (0, 2, 0)
    assert (found.min, found.max, found.mean, found.std) == (None,) * 4
    assert (dict(found.quantiles), found.top) == ({}, ())


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
)
def test_texts_have_their_commonest_values(kind):
    found = profiled(["b", "a", "b", None, "c"], kind)
    assert found.type == "string"
    assert found.top == (("b", 2), ("a", 1), ("c", 1))
    assert (found.min, found.max, found.distinct) == ("a", "c", 3)


def test_truths_have_their_share():
    found = profiled([True, True, False, None])
    assert found.mean == pytest.approx(2 / 3)
    assert found.top == ((True, 2), (False, 1))


def test_times_have_their_range():
    moments = [dt.datetime(2013, 1, 1, tzinfo=dt.UTC), None, dt.datetime(2013, 6, 1, tzinfo=dt.UTC)]
    found = profiled(moments)
    assert (found.min, found.max) == (moments[0], moments[2])
    assert found.distinct == 2


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (pa.timestamp("ns"), 10**18 + 1, "2001-09-09 01:46:40.000000001"),
        (pa.duration("ns"), 10**9 + 1, "1000000001 ns"),
        (pa.time64("ns"), 1, "00:00:00.000000001"),
    ],
)
def test_times_finer_than_python_has_are_given_as_text(kind, value, text):
    assert profiled([0, value], kind).max == text


@pytest.mark.parametrize(
    ("kind", "value", "exact"),
    [
        (pa.timestamp("ns"), 10**18, dt.datetime(2001, 9, 9, 1, 46, 40)),  # noqa: DTZ001 - it has no zone
        (pa.duration("ns"), 10**9, dt.timedelta(seconds=1)),
        (pa.time64("ns"), 10**9, dt.time(0, 0, 1)),
    ],
)
def test_times_that_python_has_are_its_own(kind, value, exact):
    found = profiled([value], kind)
    assert type(found.max) is type(exact)
    assert found.max == exact


def test_durations_and_dates_have_their_range():
    assert profiled([dt.timedelta(1), dt.timedelta(2)]).max == dt.timedelta(2)
    assert profiled([dt.date(2013, 1, 1)]).min == dt.date(2013, 1, 1)


def test_decimals_and_half_floats_are_numbers():
    assert profiled([decimal.Decimal("1.5"), decimal.Decimal("2.5")]).mean == 2.0
    assert profiled([1.5, 2.5], pa.float16()).mean == 2.0


@pytest.mark.parametrize(
    ("values", "distinct"),
    [([[1], None], None), ([{"a": 1}, None], None), ([b"x", None], 1)],
    ids=["list", "struct", "bytes"],
)
def test_other_types_are_counted(values, distinct):
    found = profiled(values)
    assert (found.count, found.nulls, found.distinct) == (1, 1, distinct)


def test_a_version_has_a_profile(datasets):
    version = datasets.log("f", {"carrier": ["UA", "UA", None], "delay": [1.0, 2.0, 3.0]})
    assert version.profile.rows == 3
    assert version.profile["carrier"].top == (("UA", 2),)
    assert version.profile is version.profile
    lines = str(version.profile).splitlines()
    assert lines[0] == "3 rows"
    assert lines[1].split()[:3] == ["column", "type", "nulls"]
    assert lines[3].split()[:4] == ["carrier", "string", "1", "1"]


def test_a_column_that_is_not_there_is_a_key_error(datasets):
    with pytest.raises(KeyError):
        datasets.log("f", {"a": [1]}).profile["b"]


def test_a_notebook_shows_it_with_its_texts_escaped(datasets):
    shown = datasets.log("f", {"a<b": ["<script>"]}).profile._repr_html_()
    assert "a&lt;b" in shown
    assert "<script>" not in shown
