"""Drift of a million rows and twenty columns, beside scipy's test of the numeric ones alone."""

import numpy as np
import pyarrow as pa
from scipy import stats

from mlkit.quality.drift import drift

ROWS = 1_000_000


def table(seed):
    random = np.random.default_rng(seed)
    numbers = {f"number{n}": random.normal(n, 1, ROWS) for n in range(15)}
    words = {
        f"word{n}": pa.array(random.integers(0, 8 + n, ROWS).astype(str)).dictionary_encode()
        for n in range(5)
    }
    return pa.table({**numbers, **words})


def test_a_million_rows(bench):
    reference, current = table(0), table(1)
    numbers = [name for name in reference.column_names if name.startswith("number")]
    pairs = [(reference[name].to_numpy(), current[name].to_numpy()) for name in numbers]
    timings = bench.side_by_side(
        {
            "mlkit": lambda: drift(reference, current),
            "scipy": lambda: [stats.ks_2samp(*pair, method="asymp") for pair in pairs],
        },
        rounds=3,
    )
    bench.at_most(
        "drift of 1,000,000 rows x 20 columns",
        timings["mlkit"].median,
        "s",
        budget=1.5,
        scipy_ks_of_15=timings["scipy"].median,
    )
