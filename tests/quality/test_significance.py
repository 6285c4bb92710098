import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from mlkit.quality.significance import chi2_tail, holm, kolmogorov_tail, ks_tail


@given(st.floats(0, 5000), st.integers(1, 4000))
def test_chi_squared_tails_equal_those_of_scipy(statistic, degrees):
    assert chi2_tail(statistic, degrees) == pytest.approx(
        stats.chi2.sf(statistic, degrees), rel=1e-9, abs=1e-12
    )


def test_a_chi_squared_beyond_all_bounds_is_never_chance():
    assert chi2_tail(math.inf, 3) == 0.0


@given(st.floats(0, 8))
def test_kolmogorov_tails_equal_those_of_scipy(value):
    assert kolmogorov_tail(value) == pytest.approx(special.kolmogorov(value), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("n", "m", "d"), [(1000, 1000, 0.05), (200, 5000, 0.1), (50, 60, 0.3)])
def test_ks_tails_are_near_the_exact_ones(n, m, d):
    exact = stats.distributions.kstwo.sf(d, round(n * m / (n + m)))
    assert ks_tail(d, n, m) == pytest.approx(exact, rel=0.1)


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=20))
def test_holm_never_lowers_a_probability_and_keeps_their_order(probabilities):
    corrected = holm(probabilities)
    pairs = [(p, c) for p, c in zip(probabilities, corrected, strict=True) if p is not None]
    assert all(p <= c <= 1 for p, c in pairs)
    assert [c for _, c in sorted(pairs)] == sorted(c for _, c in pairs)
    assert all((p is None) == (c is None) for p, c in zip(probabilities, corrected, strict=True))


def test_holm_multiplies_by_the_tests_that_are_left():
    assert holm([0.01, 0.02, 0.5]) == [0.03, 0.04, 0.5]
