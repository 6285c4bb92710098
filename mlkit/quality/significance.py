"""How likely a difference is by chance: tail probabilities, and their correction for many tests.

They are worked out here rather than taken from scipy, which is no dependency.
"""

import math
from collections.abc import Sequence

_PRECISION = 1e-15
_TINY = 1e-300
_MOST_STEPS = 100_000
_SMALL_LAMBDA = 1.18
_NO_LAMBDA = 0.04  # below it, what is lost of 1 is less than a double can tell


def chi2_tail(statistic: float, degrees: int) -> float:
    """Give the probability that a chi-squared variable exceeds a statistic.

    It is the regularised upper incomplete gamma function Q(degrees / 2, statistic / 2), by its
    series or its continued fraction (Press et al., Numerical Recipes, section 6.2).

    Args:
        statistic: The statistic, from 0.
        degrees: The degrees of freedom, from 1.

    Example:
        >>> round(chi2_tail(3.841, 1), 4)
        0.05
    """
    a, x = degrees / 2, statistic / 2
    if x <= 0:
        return 1.0
    if math.isinf(x):
        return 0.0
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        return max(0.0, 1.0 - scale * _gamma_series(a, x))
    return min(1.0, scale * _gamma_fraction(a, x))


def _gamma_series(a: float, x: float) -> float:
    term = total = 1 / a
    for step in range(1, _MOST_STEPS):
        term *= x / (a + step)
        total += term
        if term < total * _PRECISION:
            break
    return total


def _gamma_fraction(a: float, x: float) -> float:
    """Lentz's way to the continued fraction."""
    b = x + 1 - a
    c, d = 1 / _TINY, 1 / b
    value = d
    for step in range(1, _MOST_STEPS):
        factor = -step * (step - a)
        b += 2
        d = 1 / _off_zero(factor * d + b)
        c = _off_zero(b + factor / c)
        value *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return value


def _off_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def kolmogorov_tail(value: float) -> float:
    """Give the probability that Kolmogorov's limiting variable exceeds a value.

    Args:
        value: The statistic times the root of the effective number of rows.

    Example:
        >>> round(kolmogorov_tail(1.358), 3)
        0.05
    """
    if value < _NO_LAMBDA:
        return 1.0
    if value < _SMALL_LAMBDA:  # where the usual series is slow, its theta-function twin is quick
        odd = [math.exp(-(((2 * k - 1) * math.pi / value) ** 2) / 8) for k in range(1, 5)]
        return min(1.0, 1.0 - math.sqrt(2 * math.pi) / value * math.fsum(odd))
    terms = [(-1) ** (k - 1) * math.exp(-2 * (k * value) ** 2) for k in range(1, 8)]
    return max(0.0, 2 * math.fsum(terms))


def ks_tail(statistic: float, n: int, m: int) -> float:
    """Give the probability of a two-sample Kolmogorov-Smirnov statistic this large by chance.

    The limiting distribution with Stephens's correction for small samples (J. R. Stat. Soc. B 32,
    1970). With ties it errs on the side of chance.

    Args:
        statistic: The largest distance between the two distribution functions.
        n: The rows of one sample.
        m: The rows of the other.

    Example:
        >>> ks_tail(0.5, 100, 100) < 1e-9
        True
    """
    root = math.sqrt(n * m / (n + m))
    return kolmogorov_tail((root + 0.12 + 0.11 / root) * statistic)


def holm(probabilities: Sequence[float | None]) -> list[float | None]:
    """Correct probabilities for their number, so that together they err as rarely as one alone.

    Holm's step-down method (Scand. J. Stat. 6, 1979): it holds however the tests depend on each
    other, as those of the columns of one table do.

    Args:
        probabilities: The probability of each test; None where there was none.

    Example:
        >>> holm([0.01, None, 0.04, 0.03])
        [0.03, None, 0.06, 0.06]
    """
    known = sorted((p, index) for index, p in enumerate(probabilities) if p is not None)
    corrected: list[float | None] = [None] * len(probabilities)
    largest = 0.0
    for rank, (p, index) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        corrected[index] = largest
    return corrected
