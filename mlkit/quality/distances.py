"""How far apart two samples are: measures on sorted numbers and on counts."""

import math
from typing import TYPE_CHECKING

from attrs import frozen

from mlkit._core.extras import require
from mlkit.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Counts = npt.NDArray[np.int64]

FLOOR = 1e-4
"""The share that an empty bin counts as in the population stability index, which has none for 0."""

_BLOCK = 1 << 16  # small enough for the caches, and for memory that needn't be mapped anew


@frozen
class Separation:
    """How far apart two sorted samples of numbers are.

    Attributes:
        ks: The Kolmogorov-Smirnov statistic: the largest distance of the distribution functions.
        wasserstein: The area between them, in the unit of the numbers; infinite numbers are left
            out of it. None where nothing finite is left on a side.
    """

    ks: float
    wasserstein: float | None


def separation(reference: "Floats", current: "Floats") -> Separation:
    """Give the distances of two samples that are sorted, not empty, and without NaN.

    Two sorted runs merge in one pass, and the distribution functions step along it block by block,
    so this costs little next to the sorting. The differences are whole numbers, hence exact.

    Example:
        >>> import numpy as np
        >>> separation(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
        Separation(ks=0.5, wasserstein=1.0)
    """
    np = require("numpy", extra="stats")
    n, m = len(reference), len(current)
    values = np.concatenate([reference, current])
    order = np.argsort(values, kind="stable")
    ramp = np.arange(1, min(_BLOCK, n + m) + 1, dtype=np.int64) * n
    seen, widest, area = 0, 0, 0.0
    for start in range(0, n + m - 1, _BLOCK):
        places = order[start : start + _BLOCK + 1]
        with np.errstate(invalid="ignore"):  # infinity less infinity
            steps = np.diff(values[places])
        # seen / n - (position - seen) / m, times n * m
        gaps = np.cumsum(places[:-1] < n, dtype=np.int64)
        here = int(gaps[-1])
        gaps *= n + m
        gaps -= ramp[: len(gaps)]
        gaps += seen * (n + m) - start * n
        seen += here
        np.abs(gaps, out=gaps)
        area += _area(gaps, steps)
        gaps *= steps > 0
        widest = max(widest, int(gaps.max()))
    ks = widest / (n * m)
    finite = finite_part(reference), finite_part(current)
    if finite[0] is reference and finite[1] is current:
        return Separation(ks, area / (n * m))
    if not (len(finite[0]) and len(finite[1])):
        return Separation(ks, None)
    return Separation(ks, separation(*finite).wasserstein)


def _area(gaps: "Counts", steps: "Floats") -> float:
    """The sum of the products; not `dot`, whose threads would fight with ours."""
    np = require("numpy", extra="stats")
    with np.errstate(invalid="ignore"):
        return float((gaps * steps).sum())


def finite_part(ordered: "Floats") -> "Floats":
    """Give the finite ones of sorted numbers; the very same array when all are."""
    np = require("numpy", extra="stats")
    if not len(ordered) or (math.isfinite(ordered[0]) and math.isfinite(ordered[-1])):
        return ordered  # what is infinite would be at the ends
    finite: Floats = ordered[np.isfinite(ordered)]
    return finite


def quantile_edges(reference: "Floats", bins: int) -> "Floats":
    """Give the edges between bins that hold equal shares of a sorted sample.

    A bin reaches from above one edge to the next edge, that included. A value that fills whole bins
    by itself gets one of its own, so that what is added right below it can be told from it.

    Args:
        reference: The sample, sorted.
        bins: The number of bins.

    Example:
        >>> import numpy as np
        >>> quantile_edges(np.arange(1.0, 11.0), 5).tolist()
        [2.0, 4.0, 6.0, 8.0]
    """
    np = require("numpy", extra="stats")
    places = -(-np.arange(1, bins) * len(reference) // bins) - 1
    edges, repeats = np.unique(reference[places], return_counts=True)
    below = np.nextafter(edges[repeats > 1], -np.inf)
    joined: Floats = np.union1d(edges, below)
    return joined


def bin_counts(values: "Floats", edges: "Floats") -> "Counts":
    """Give how many of the sorted values are in each bin, one bin more than there are edges."""
    np = require("numpy", extra="stats")
    places = np.searchsorted(values, edges, side="right")
    counts: Counts = np.diff(places, prepend=0, append=len(values))
    return counts


def psi(reference: "Counts", current: "Counts") -> float:
    """Give the population stability index of two samples counted in the same bins.

    The sum of (q - p) ln(q / p) over the bins, where p and q are the shares, each at least `FLOOR`.
    Customary reading in credit scoring (Siddiqi, Credit Risk Scorecards, 2006): below 0.1 stable,
    from about 0.2 changed.

    Example:
        >>> import numpy as np
        >>> round(psi(np.array([50, 50]), np.array([80, 20])), 4)
        0.4159
    """
    np = require("numpy", extra="stats")
    p = np.maximum(reference / reference.sum(), FLOOR)
    q = np.maximum(current / current.sum(), FLOOR)
    return float(np.sum((q - p) * np.log(q / p)))


def jensen_shannon(reference: "Counts", current: "Counts") -> float:
    """Give the Jensen-Shannon distance, base 2: from 0 (equal) to 1 (nothing in common).

    Example:
        >>> import numpy as np
        >>> jensen_shannon(np.array([1, 0]), np.array([0, 1]))
        1.0
    """
    np = require("numpy", extra="stats")
    p, q = reference / reference.sum(), current / current.sum()
    middle = (p + q) / 2
    halves = [
        np.sum(share[share > 0] * np.log2(share[share > 0] / middle[share > 0])) for share in (p, q)
    ]
    return math.sqrt(max(0.0, float(halves[0] + halves[1]) / 2))


def chi_squared(reference: "Counts", current: "Counts") -> tuple[float, int]:
    """Give Pearson's statistic of two samples counted in the same bins, without correction.

    Returns:
        The statistic, and the degrees of freedom: one less than the bins that hold anything.

    Example:
        >>> import numpy as np
        >>> chi_squared(np.array([10, 20]), np.array([20, 10]))
        (6.666666666666667, 1)
    """
    np = require("numpy", extra="stats")
    table = np.stack([reference, current]).astype(np.float64)
    table = table[:, table.sum(axis=0) > 0]
    sides, bins, total = table.sum(axis=1), table.sum(axis=0), table.sum()
    if not sides.all():
        raise InvalidInput("A side without rows can't be compared")
    expected = np.outer(sides, bins) / total
    return float(np.sum((table - expected) ** 2 / expected)), len(bins) - 1


def cramers_v(statistic: float, rows: int) -> float:
    """Give Cramér's V of a comparison of two samples: chi-squared without the number of rows.

    Args:
        statistic: Pearson's statistic.
        rows: The rows of both samples.

    Example:
        >>> cramers_v(25.0, 100)
        0.5
    """
    return math.sqrt(statistic / rows)
