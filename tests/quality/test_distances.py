import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from scipy.spatial import distance

from mlkit.errors import InvalidInput
from mlkit.quality import distances
from mlkit.quality.distances import (
    bin_counts,
    chi_squared,
    cramers_v,
    jensen_shannon,
    psi,
    quantile_edges,
    separation,
)

NUMBERS = st.one_of(
    st.integers(-5, 5).map(float),
    st.floats(-1e6, 1e6).map(lambda value: round(value, 3)),
)
SAMPLES = hnp.arrays(np.float64, st.integers(1, 60), elements=NUMBERS).map(np.sort)
COUNTS = hnp.arrays(np.int64, 6, elements=st.integers(0, 1000)).filter(lambda counts: counts.any())


def ks_of_scipy(left, right):
    """The statistic; scipy warns about its p-value, which isn't looked at here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return stats.ks_2samp(left, right, method="asymp").statistic


@given(SAMPLES, SAMPLES)
def test_ks_and_wasserstein_equal_those_of_scipy(left, right):
    found = separation(left, right)
    assert found.ks == pytest.approx(ks_of_scipy(left, right))
    assert found.wasserstein == pytest.approx(
        stats.wasserstein_distance(left, right), rel=1e-9, abs=1e-9
    )


def test_large_samples_are_walked_through_in_blocks():
    rng = np.random.default_rng(0)
    left = np.sort(rng.normal(size=100_000))
    right = np.sort(rng.normal(0.1, 2, size=70_001))
    found = separation(left, right)
    assert found.ks == pytest.approx(ks_of_scipy(left, right))
    assert found.wasserstein == pytest.approx(stats.wasserstein_distance(left, right))


@given(SAMPLES)
def test_a_sample_is_at_no_distance_from_itself(sample):
    found = separation(sample, sample)
    assert (found.ks, found.wasserstein) == (0.0, 0.0)


def test_infinite_numbers_count_as_values_but_not_as_distances():
    found = separation(np.array([-math.inf, 0.0, 1.0]), np.array([1.0, 2.0, math.inf]))
    assert found.ks == pytest.approx(2 / 3)
    assert found.wasserstein == 1.0


def test_without_finite_numbers_there_is_no_wasserstein():
    found = separation(np.array([math.inf]), np.array([1.0]))
    assert found.ks == 1.0
    assert found.wasserstein is None


@given(COUNTS, COUNTS)
def test_jensen_shannon_equals_that_of_scipy(left, right):
    expected = distance.jensenshannon(left, right, base=2)
    assert jensen_shannon(left, right) == pytest.approx(float(np.nan_to_num(expected)), abs=1e-7)


@given(COUNTS, COUNTS)
def test_chi_squared_and_cramers_v_equal_those_of_scipy(left, right):
    table = np.stack([left, right])
    table = table[:, table.sum(axis=0) > 0]
    statistic, degrees = chi_squared(left, right)
    expected = stats.chi2_contingency(table, correction=False)
    assert statistic == pytest.approx(expected.statistic, abs=1e-9)
    assert degrees == expected.dof
    if degrees:
        association = stats.contingency.association(table, method="cramer")
        assert cramers_v(statistic, table.sum()) == pytest.approx(association, abs=1e-9)


def test_a_side_without_rows_is_refused():
    with pytest.raises(InvalidInput, match="without rows"):
        chi_squared(np.array([0, 0]), np.array([1, 2]))


@given(COUNTS, COUNTS)
def test_the_stability_index_is_what_its_formula_says(left, right):
    p = [max(count / left.sum(), 1e-4) for count in left]
    q = [max(count / right.sum(), 1e-4) for count in right]
    expected = sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))
    assert psi(left, right) == pytest.approx(expected, abs=1e-12)


def test_bins_hold_equal_shares_of_the_reference():
    reference = np.sort(np.random.default_rng(0).normal(size=1000))
    assert bin_counts(reference, quantile_edges(reference, 10)).tolist() == [100] * 10


def test_a_value_that_fills_bins_is_told_from_what_is_below_it():
    reference, current = np.zeros(10), np.full(10, -1.0)
    edges = quantile_edges(reference, 10)
    assert psi(bin_counts(reference, edges), bin_counts(current, edges)) > 10


@given(SAMPLES, SAMPLES)
def test_every_value_is_in_one_bin(left, right):
    assert bin_counts(right, quantile_edges(left, 10)).sum() == len(right)


def test_finite_numbers_are_given_back_as_they_are():
    sample = np.array([1.0, 2.0])
    assert distances.finite_part(sample) is sample
