"""The profile of a million rows and twenty columns, beside what pandas and polars describe."""

import time

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from mlkit.data.profiles.profile import profile_batches
from mlkit.data.profiles.shift import shift

ROWS = 1_000_000


@pytest.fixture(scope="module")
def table():
    random = np.random.default_rng(0)
    floats = {
        f"float{n}": random.normal(n, 1, ROWS) if n % 2 else random.gamma(2, 10, ROWS)
        for n in range(12)
    }
    whole = {
        f"int{n}": random.integers(0, most, ROWS) for n, most in enumerate((5, 1e3, 1e6, 1e12))
    }
    texts = {
        f"text{n}": pa.array([f"value-{number}" for number in random.integers(0, most, ROWS)])
        for n, most in enumerate((8, 1e4, 1e7))
    }
    at = pa.array(random.integers(1.6e15, 1.7e15, ROWS)).cast(pa.timestamp("us", "UTC"))
    return pa.table({**floats, **whole, **texts, "at": at})


def test_a_million_rows(bench, table):
    batches = table.to_batches(max_chunksize=1 << 16)
    frame, polar = table.to_pandas(), pl.from_arrow(table)
    timings = bench.side_by_side(
        {
            "mlkit": lambda: profile_batches(table.schema, batches),
            "polars": polar.describe,
        },
        rounds=5,
    )
    began = time.perf_counter()
    frame.describe(include="all")
    pandas = time.perf_counter() - began
    bench.at_most(
        "profile of 1,000,000 rows x 20 columns",
        timings["mlkit"].median,
        "s",
        budget=1.0,
        pandas_describe=pandas,
        polars_describe=timings["polars"].median,
    )


def test_comparing_two_profiles(bench, table):
    halves = [
        profile_batches(part.schema, part.to_batches())
        for part in (table.slice(0, ROWS // 2), table.slice(ROWS // 2))
    ]

    def compare():
        for before, after in zip(*(half.columns for half in halves), strict=True):
            shift(before, after)

    timings = bench.side_by_side({"mlkit": compare}, rounds=3)
    bench.at_most("shifts of 20 columns from their profiles", timings["mlkit"].median * 1e3, "ms")
