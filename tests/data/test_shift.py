"""Shifts: how far a column moved, told from two profiles alone."""

import collections
import datetime as dt
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.data.profiles.column_profile import ColumnProfile
from mlkit.data.profiles.profile import profile_column
from mlkit.data.profiles.shift import shift


def profiled(values, kind=None):
    return profile_column("x", pa.chunked_array([pa.array(values, kind)]))


def moved(before, after, kind=None):
    return shift(profiled(before, kind), profiled(after, kind))


def ecdf_gap(left, right):
    """The Kolmogorov-Smirnov distance by its definition."""
    left, right = np.sort(left), np.sort(right)
    every = np.concatenate([left, right])
    shares = [np.searchsorted(side, every, side="right") / len(side) for side in (left, right)]
    return np.max(np.abs(shares[0] - shares[1]))


@given(st.lists(st.integers(-5, 5), min_size=1), st.lists(st.integers(-5, 5), min_size=1))
def test_few_numbers_have_the_exact_distance(before, after):
    found = moved(before, after)
    assert found.measure == "ks"
    assert found.error == 0
    assert found.distance == pytest.approx(ecdf_gap(before, after))


@pytest.mark.parametrize("offset", [0.0, 0.05, 0.5, 20.0])
def test_many_numbers_have_a_distance_within_its_error(offset):
    random = np.random.default_rng(0)
    before, after = random.normal(size=150_000), random.normal(offset, 1, 90_000)
    found = moved(before, after)
    assert abs(found.distance - ecdf_gap(before, after)) <= found.error <= 0.01


@given(st.lists(st.sampled_from("abcd"), min_size=1), st.lists(st.sampled_from("abcd"), min_size=1))
def test_texts_have_the_total_variation(before, after):
    found = moved(before, after)
    parts = [abs(before.count(x) / len(before) - after.count(x) / len(after)) for x in "abcd"]
    assert found.measure == "tv"
    assert found.distance == pytest.approx(sum(parts) / 2)
    assert moved(after, before).distance == pytest.approx(found.distance)


def test_the_value_whose_share_changed_most_is_named():
    found = moved(["UA", "UA", "AA", "B6"], ["UA", "B6", "B6", "B6"])
    assert str(found) == "x moved by 0.50 of 1 (total variation); B6 25.0 % -> 75.0 %"


def test_the_same_values_did_not_move():
    assert moved([1.0, 2.0], [2.0, 1.0]).distance == 0
    assert moved(["a", None], ["a", None]).distance == 0
    assert str(moved([1], [1])) == "x moved by 0.00 of 1 (Kolmogorov-Smirnov)"


def test_values_with_nothing_in_common_moved_by_one():
    assert moved([1, 2], [3, 4]).distance == 1
    assert moved(["a"], ["b"]).distance == 1
    assert moved([True], [False]).distance == 1


def test_nulls_and_nan_are_told_beside():
    found = moved([1.0, 2.0, None, float("nan")], [1.0, 2.0], pa.float64())
    assert (found.distance, found.nulls) == (0, (0.5, 0.0))
    assert "nulls 50.0 % -> 0 %" in found.sentence


@pytest.mark.parametrize("values", [[1, 2], ["a"], [True], [b"x"], [dt.date(2013, 1, 1)]])
def test_a_column_that_lost_or_got_all_its_values_moved_by_one(values):
    kind = pa.array(values).type
    lost, got = moved(values, [None], kind), moved([None], values, kind)
    assert (lost.distance, got.distance) == (1, 1)
    assert "no values any more" in lost.sentence
    assert "no values before" in got.sentence
    assert moved([None], [], kind) is None


def test_many_texts_are_compared_by_their_lengths():
    before = [f"{n}" for n in range(10_000, 40_000)]
    after = [f"id-{n}" for n in range(10_000, 40_000)]
    found = moved(before, after)
    assert (found.of, found.measure, found.distance) == ("lengths", "ks", 1.0)
    assert found.sentence.startswith("the lengths of x moved")


def test_what_was_forgotten_of_texts_is_in_the_error():
    random = np.random.default_rng(0)
    rare = random.integers(0, 10**9, 60_000).astype(str)
    sides = [np.where(random.random(60_000) < share, "common", rare) for share in (0.9, 0.7)]
    found = moved(*(side.tolist() for side in sides))
    assert (found.of, found.measure) == ("values", "tv")
    assert abs(found.distance - 0.3) <= found.error


def test_lists_and_binaries_are_compared_by_their_lengths():
    assert moved([[1], [2]], [[1, 2], [3, 4]]).distance == 1
    assert moved([b"a"], [b"b"]).distance == 0


def test_times_of_other_units_are_compared_as_times():
    seconds = profiled([0, 10], pa.timestamp("s"))
    nanoseconds = profiled([0, 10 * 10**9], pa.timestamp("ns"))
    found = shift(seconds, nanoseconds)
    assert found.distance == 0
    later = shift(seconds, profiled([20 * 10**9, 30 * 10**9], pa.timestamp("ns")))
    assert later.distance == 1
    assert "median 1970-01-01 00:00:05 -> 1970-01-01 00:00:25" in later.sentence


@pytest.mark.parametrize(
    ("before", "after"), [([1], ["a"]), ([{"a": 1}], [{"a": 2}]), ([None], [None]), ([], [])]
)
def test_what_can_not_be_compared_has_no_shift(before, after):
    assert moved(before, after) is None


def test_infinite_numbers_lie_beyond_all_others():
    most, least = float("inf"), -float("inf")
    few, many = [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0, *[most] * 36]
    assert moved(few, many).distance == moved(few, many).least == pytest.approx(0.9)
    assert moved([most, least], [most, least]).distance == 0
    assert moved([most], [least]).distance == 1
    assert moved([1.0, most], [1.0, least]).distance == 0.5


def test_signs_of_infinite_numbers_that_are_not_known_are_in_the_error():
    most, least = float("inf"), -float("inf")
    found = moved([most] * 9 + [least], [most] + [least] * 9)
    assert found.distance + found.error >= 0.8
    assert found.least == 0


def test_moments_durations_and_times_of_day_are_not_compared():
    sides = [profiled([0], kind) for kind in (pa.timestamp("s"), pa.duration("s"), pa.time64("ns"))]
    assert [shift(before, after) is None for before in sides for after in sides] == [
        before is not after for before in sides for after in sides
    ]
    assert shift(sides[0], profiled([0], pa.date32())).distance == 0


@pytest.mark.parametrize(
    ("share", "moved_share"), [(0.6, 0.6), (0.55, 0.2), (0.9, 0.3), (0.6, 0.0)]
)
def test_the_least_shift_is_below_the_true_one_and_sees_common_values_that_moved(
    share, moved_share
):
    random = np.random.default_rng(0)

    def column(part):
        at = random.random(60_000)
        rare = np.char.add("r", random.integers(0, 5000, 60_000).astype(str))
        return np.where(at < share - part, "A", np.where(at < share, "B", rare)).tolist()

    before, after = column(0), column(moved_share)
    counts = [collections.Counter(side) for side in (before, after)]
    true = sum(abs(counts[0][v] - counts[1][v]) for v in counts[0] | counts[1]) / 120_000
    found = moved(before, after)
    assert found.of == "values"
    assert moved_share - 0.03 <= found.least <= true <= found.distance + found.error


def test_numbers_of_other_widths_are_compared():
    assert shift(profiled([1, 2], pa.int8()), profiled([1.0, 2.0], pa.float64())).distance == 0


def test_stored_profiles_are_compared_as_fresh_ones():
    random = np.random.default_rng(0)
    sides = [profiled(random.normal(mean, 1, 20_000)) for mean in (0, 1)]
    stored = [ColumnProfile.from_json(json.loads(json.dumps(side.to_json()))) for side in sides]
    assert shift(*stored) == shift(*sides)
    assert json.loads(json.dumps(shift(*stored).to_json()))["measure"] == "ks"


def test_a_hostile_name_stays_on_its_line():
    column = pa.chunked_array([["a\x1b[31m", "b"]])
    found = shift(profile_column("x\x1b[2J", column), profile_column("x\x1b[2J", column.slice(1)))
    assert "\x1b" not in found.sentence
