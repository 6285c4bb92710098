"""Student's t distribution: the quantile that confidence intervals of means are made of.

Source: W. S. Gosset, 1908; the distribution function is the regularized incomplete beta function,
whose continued fraction is DLMF 8.17.22, evaluated by the modified Lentz method.
"""

import math

_TINY = 1e-300
_EXACT = 1e-15
_STEPS = 500


def half_width(std: float, count: int, confidence: float) -> float:
    """Give how far a confidence interval of a mean reaches to each side.

    Args:
        std: The standard deviation of the sample, with one degree of freedom taken.
        count: The sample's size, at least 2.
        confidence: The share of such intervals that hold the true mean, such as 0.95.

    Example:
        >>> round(half_width(1.0, 5, 0.95), 4)
        1.2417
    """
    return t_quantile((1 + confidence) / 2, count - 1) * std / math.sqrt(count)


def t_quantile(share: float, degrees: int) -> float:
    """Give the value below which a share of Student's t distribution lies.

    Args:
        share: Between 0.5 and 1, both left out.
        degrees: The degrees of freedom, from 1.

    Example:
        >>> round(t_quantile(0.975, 4), 4)
        2.7764
    """
    low, high = 0.0, 1.0
    while _below(high, degrees) < share:
        low, high = high, 2 * high
    for _ in range(200):  # halves the interval to the last digit
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _below(middle, degrees) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _below(value: float, degrees: int) -> float:
    """Give the share below a value that isn't negative."""
    return 1 - _beta(degrees / (degrees + value * value), degrees / 2, 0.5) / 2


def _beta(x: float, a: float, b: float) -> float:
    """Give the regularized incomplete beta function."""
    if x in (0.0, 1.0):
        return x
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on one side only
        return 1 - _beta(1 - x, b, a)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(scale + a * math.log(x) + b * math.log1p(-x)) / a
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _away(1 + term * d)
            c = _away(1 + term / c)
            result *= c * d
        if abs(c * d - 1) < _EXACT:
            break
    return front * result


def _away(value: float) -> float:
    """Keep a divisor away from zero."""
    return value if abs(value) > _TINY else _TINY
