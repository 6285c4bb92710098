"""Student's t distribution against scipy."""

import pytest
from scipy import stats

from mlkit.query.student import half_width, t_quantile


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 29, 100, 1000, 100_000])
@pytest.mark.parametrize("share", [0.75, 0.9, 0.975, 0.995, 0.9995])
def test_quantiles_are_those_of_scipy(share, degrees):
    assert t_quantile(share, degrees) == pytest.approx(stats.t.ppf(share, degrees), rel=1e-9)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
def test_intervals_are_those_of_scipy(confidence):
    values = [0.71, 0.74, 0.69, 0.77, 0.72]
    summary = stats.describe(values)
    low, high = stats.t.interval(
        confidence, len(values) - 1, loc=summary.mean, scale=stats.sem(values)
    )
    half = half_width(summary.variance**0.5, len(values), confidence)
    assert (summary.mean - half, summary.mean + half) == pytest.approx((low, high))
