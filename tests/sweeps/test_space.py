"""Search spaces and what they refuse."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.errors import InvalidInput
from mlkit.sweeps.space import (
    choice,
    int_uniform,
    log_uniform,
    space_of,
    uniform,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(FINITE, FINITE, st.integers())
def test_floats_are_drawn_within_their_bounds(one, other, seed):
    low, high = sorted((one, other))
    if low < high and math.isfinite(high - low):
        assert low <= uniform(low, high).draw(random.Random(seed)) <= high


@given(st.floats(1e-300, 1e300), st.floats(1e-300, 1e300), st.integers())
def test_logarithmic_floats_are_drawn_within_their_bounds(one, other, seed):
    low, high = sorted((one, other))
    if low < high:
        assert low <= log_uniform(low, high).draw(random.Random(seed)) <= high


def test_orders_of_magnitude_are_equally_likely():
    rng = random.Random(1)
    drawn = [log_uniform(1e-4, 1.0).draw(rng) for _ in range(2000)]
    assert 800 < sum(value < 1e-2 for value in drawn) < 1200


def test_whole_numbers_include_both_bounds():
    rng = random.Random(1)
    drawn = {int_uniform(2, 4).draw(rng) for _ in range(100)}
    assert drawn == {2, 3, 4}


def test_a_choice_gives_its_values_as_they_are():
    values = choice([None, "sqrt", 0.5])
    assert [values.at(index) for index in range(values.count)] == [None, "sqrt", 0.5]
    assert values.draw(random.Random(0)) in {None, "sqrt", 0.5}


@pytest.mark.parametrize("dimension", [uniform(0, 1), log_uniform(1, 2)])
def test_floats_arent_counted(dimension):
    assert dimension.count is None
    with pytest.raises(InvalidInput, match="no value number 3"):
        dimension.at(3)


@pytest.mark.parametrize("make", [uniform, log_uniform, int_uniform])
@pytest.mark.parametrize(
    "bounds", [(2, 1), (1, 1), (math.nan, 1), (0, math.inf), ("a", 1), (1, None), (False, True)]
)
def test_bad_bounds_are_refused(make, bounds):
    with pytest.raises(InvalidInput, match=make.__name__):
        make(*bounds)


def test_a_logarithm_needs_bounds_above_zero():
    with pytest.raises(InvalidInput, match="above 0"):
        log_uniform(0, 1)


def test_whole_numbers_need_whole_bounds():
    with pytest.raises(InvalidInput, match="whole numbers"):
        int_uniform(1, 2.5)


@pytest.mark.parametrize("values", ["abc", 5, {1, 2}, []])
def test_a_choice_needs_a_list_that_isnt_empty(values):
    with pytest.raises(InvalidInput):
        choice(values)


def test_lists_and_ranges_in_a_space_are_choices():
    space = space_of({"depth": [4, 6], "leaves": range(3), "lr": uniform(0, 1)})
    assert space["depth"] == choice([4, 6])
    assert space["leaves"].count == 3
    assert space["lr"] == uniform(0, 1)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({}, "maps the names"),
        ([("x", [1])], "maps the names"),
        ({"x": []}, "The param 'x' has no values"),
        ({"x": 5}, r"Write \[5\]"),
        ({"x": (0, 1)}, r"Write \[0, 1\] for a choice, or uniform"),
        ({5: [1]}, "5 is no name of a param"),
    ],
)
def test_a_space_that_says_nothing_of_a_param_is_refused(written, said):
    with pytest.raises(InvalidInput, match=said):
        space_of(written)
