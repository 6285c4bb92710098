"""Sketches: what they keep of many values, and that their errors are never above what they say."""

import bisect
import collections

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.data.profiles import frequent_sketch, quantile_sketch
from mlkit.data.profiles.distinct_sketch import SIZE, DistinctSketch
from mlkit.data.profiles.distribution import Distribution
from mlkit.data.profiles.frequent_sketch import FrequentSketch
from mlkit.data.profiles.number_sketch import NumberSketch
from mlkit.data.profiles.ordering import near_order
from mlkit.data.profiles.quantile_sketch import QuantileSketch
from mlkit.data.profiles.value_hashes import hash_bytes, hash_numbers

ROWS = 300_000
RANDOM = np.random.default_rng(7)
NORMAL = RANDOM.normal(size=ROWS)

SHAPES = {
    "normal": NORMAL,
    "sorted": np.sort(NORMAL),
    "reversed": np.sort(NORMAL)[::-1],
    "constant": np.full(ROWS, 3.0),
    "mostly zero": np.where(RANDOM.random(ROWS) < 0.9, 0.0, NORMAL),
    "long tail": np.exp(4 * NORMAL),
    "one outlier": np.append(NORMAL[1:], 1e300),
    "both ends of floats": np.where(NORMAL < 0, -1e308, 1e308) + NORMAL * 1e300,
    "subnormal": NORMAL * 5e-323,
    "from outside in": np.sort(NORMAL)[np.argsort(np.abs(np.arange(ROWS) - ROWS // 2))[::-1]],
    "two by turns": np.sort(NORMAL).reshape(2, -1).T.ravel(),
    "few whole numbers": RANDOM.integers(0, 3000, ROWS),
    "whole numbers": RANDOM.integers(-(2**40), 2**40, ROWS),
    "the largest whole numbers": RANDOM.integers(-(2**63), 2**63 - 1, ROWS),
    "unsigned": RANDOM.integers(0, 2**64, ROWS, dtype=np.uint64),
}


def worst_rank_error(sketch, values):
    """How far the rank of any value is off, by the definition of a rank."""
    ordered = np.sort(values)
    found = Distribution.of(sketch.counted())
    assert found.count == len(values)
    estimated = np.array([0, *found.ranks])
    at = np.searchsorted(np.array(found.values, dtype=values.dtype), ordered, side="right")
    return int(np.max(np.abs(estimated[at] - np.searchsorted(ordered, ordered, side="right"))))


@pytest.mark.parametrize("batch", [1 << 17, 1 << 16, 5000, 1000])
@pytest.mark.parametrize("shape", SHAPES)
def test_no_rank_is_off_by_more_than_the_sketch_says(shape, batch):
    values = np.ascontiguousarray(SHAPES[shape])
    array = pa.array(values)
    sketch = QuantileSketch(str(array.type))
    for start in range(0, ROWS, batch):
        sketch.update(array.slice(start, batch))
    whole = worst_rank_error(sketch, values)
    small = sketch.compressed()
    assert whole <= sketch.error <= ROWS * 0.005
    assert worst_rank_error(small, values) <= small.error <= ROWS * 0.006
    assert len(small.counted()) < 2 * quantile_sketch.SIZE + 64


def test_a_million_numbers_at_once_are_as_near_as_the_docs_say():
    array = pa.array(np.random.default_rng(1).normal(size=1_000_000))
    sketch = QuantileSketch("double")
    for start in range(0, len(array), 1 << 16):
        sketch.update(array.slice(start, 1 << 16))
    assert sketch.compressed().error < 0.002 * len(array)


def test_up_to_two_thousand_numbers_are_all_kept():
    sketch = QuantileSketch("int64")
    for number in range(2047):
        sketch.update(pa.array([number]))
    assert (sketch.error, len(sketch.counted())) == (0, 2047)


@pytest.fixture
def tiny(monkeypatch):
    """Sketches so small that few numbers go through all that many would."""
    for module, name, size in (
        (quantile_sketch, "SIZE", 2),
        (quantile_sketch, "_MOST", 4),
        (frequent_sketch, "SIZE", 3),
    ):
        monkeypatch.setattr(module, name, size)


NUMBERS = st.lists(st.integers(-6, 6), max_size=40)


def tree_of(parts, join):
    """Join parts two by two, as machines that each saw one would."""
    while len(parts) > 1:
        parts = [
            join(*parts[at : at + 2]) if at + 1 < len(parts) else parts[at]
            for at in range(0, len(parts), 2)
        ]
    return parts[0]


def test_ranks_hold_whatever_is_added_and_joined(tiny):
    @given(st.lists(st.lists(NUMBERS, max_size=4), min_size=1, max_size=6))
    def holds(parts):
        sketches = []
        for part in parts:
            sketch = QuantileSketch("int64")
            for batch in part:
                sketch.update(pa.array(batch, pa.int64()))
            sketches.append(sketch)
        joined = tree_of(sketches, QuantileSketch.merge).compressed()
        every = sorted(number for part in parts for batch in part for number in batch)
        found = Distribution.of(joined.counted())
        assert found.count == len(every)
        for number in range(-7, 8):
            rank = round(found.share_up_to(number) * found.count) if every else 0
            assert abs(rank - bisect.bisect_right(every, number)) <= joined.error

    holds()


def test_counted_numbers_are_added_without_an_error(tiny):
    sketch = QuantileSketch("int64")
    sketch.update_counted([4, 9], [5, 1000])
    assert Distribution.of(sketch.counted()).ranks == (5, 1005)


def test_counts_hold_whatever_is_added_and_joined(tiny):
    @given(st.lists(st.lists(NUMBERS, max_size=4), min_size=1, max_size=6))
    def holds(parts):
        sketches = []
        for part in parts:
            sketch = FrequentSketch()
            for batch in part:
                sketch.update(pa.array(batch, pa.int64()).value_counts())
            sketches.append(sketch)
        joined = tree_of(sketches, FrequentSketch.merge)
        true = collections.Counter(n for part in parts for batch in part for n in batch)
        kept = dict(joined.top())
        assert len(kept) <= frequent_sketch.SIZE
        assert joined.missed * (frequent_sketch.SIZE + 1) <= true.total()
        for number in true:
            assert kept.get(number, 0) <= true[number] <= kept.get(number, 0) + joined.missed

    holds()


def test_counts_are_exact_up_to_a_thousand_values():
    sketch = FrequentSketch()
    for _ in range(3):
        sketch.update(pa.array(range(1024)).value_counts())
    assert sketch.missed == 0
    assert sketch.top(2) == [(0, 3), (1, 3)]


@pytest.mark.parametrize("many", [1, 100, SIZE - 1])
def test_few_different_values_are_counted_exactly(many):
    sketch = DistinctSketch()
    for _ in range(3):
        sketch.update(hash_numbers(pa.array(range(many))))
    assert (sketch.count, sketch.exact, sketch.error) == (many, True, 0.0)


@pytest.mark.parametrize("kind", ["consecutive", "random", "texts", "floats", "multiples"])
@pytest.mark.parametrize("many", [5_000, 200_000])
def test_many_different_values_are_counted_within_four_errors(kind, many):
    numbers = {
        "consecutive": lambda: pa.array(range(many)),
        "random": lambda: pa.array(np.random.default_rng(0).integers(0, 2**62, many)),
        "floats": lambda: pa.array(np.arange(many) / 7),
        "multiples": lambda: pa.array(np.arange(many) << 32),
        "texts": lambda: pa.array([f"customer-{n:08}" for n in range(many)], pa.large_string()),
    }[kind]()
    hashes = hash_bytes(numbers) if kind == "texts" else hash_numbers(numbers)
    assert len(hashes.unique()) == many
    sketch = DistinctSketch()
    for _ in range(2):
        for start in range(0, many, 30_000):
            sketch.update(hashes.slice(start, 30_000))
    assert sketch.count == pytest.approx(many, rel=4 * sketch.error)


@given(st.lists(st.lists(st.integers(0, 10**6)), max_size=5))
def test_different_values_of_parts_are_those_of_the_whole(parts):
    def sketch_of(numbers):
        sketch = DistinctSketch()
        sketch.update(hash_numbers(pa.array(numbers, pa.int64())))
        return sketch

    joined = tree_of([sketch_of(part) for part in parts] or [sketch_of([])], DistinctSketch.merge)
    whole = sketch_of([number for part in parts for number in part])
    assert joined.to_json() == whole.to_json()
    assert DistinctSketch.from_json(whole.to_json()).count == whole.count


def test_many_different_values_of_parts_are_those_of_the_whole():
    hashes = hash_numbers(pa.array(range(50_000)))
    parts = [DistinctSketch(), DistinctSketch()]
    for at, part in enumerate(parts):
        part.update(hashes.slice(at * 20_000, 30_000))
    whole = DistinctSketch()
    whole.update(hashes)
    assert parts[0].merge(parts[1]).to_json() == whole.to_json()


@given(st.lists(st.binary(max_size=20)), st.integers(0, 5))
def test_equal_texts_have_equal_hashes_wherever_they_stand(texts, skipped):
    array = pa.array(texts, pa.large_binary())
    hashes = hash_bytes(array).to_pylist()
    alone = [hash_bytes(pa.array([text], pa.large_binary()))[0].as_py() for text in texts]
    assert hashes == alone
    assert len(set(hashes)) == len(set(texts))
    assert hash_bytes(array.slice(skipped)).to_pylist() == hashes[skipped:]


def test_texts_longer_than_a_piece_are_hashed_alike():
    long = b"x" * (1 << 18)
    texts = [b"a", long, b"", long + b"y", b"a" * 100_000, b"a" * 200_000, long, b"b"]
    hashes = hash_bytes(pa.array(texts, pa.large_binary())).to_pylist()
    assert hashes[1] == hashes[6]
    assert len(set(hashes)) == len(set(texts))
    assert [hash_bytes(pa.array([t], pa.large_binary()))[0].as_py() for t in texts] == hashes


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False))
    | st.lists(st.integers(-(2**63), 2**63 - 1)),
    st.integers(1, 40),
)
def test_numbers_in_near_order_are_no_further_off_than_it_says(values, times):
    array = pa.array(
        values * times, pa.float64() if isinstance((values or [0])[0], float) else None
    )
    if array.type == pa.null():
        array = array.cast(pa.int64())
    order, off = near_order(array)
    places = order.to_pylist()
    assert sorted(places) == list(range(len(array)))
    found, right = array.take(order).to_pylist(), sorted(array.to_pylist())
    for place, value in enumerate(found):
        low, high = bisect.bisect_left(right, value), bisect.bisect_right(right, value)
        assert low - off <= place < high + off


@given(st.lists(st.lists(st.floats(-1e6, 1e6)), min_size=1, max_size=4))
def test_numbers_of_parts_are_those_of_the_whole(parts):
    def sketch_of(numbers):
        sketch = NumberSketch("double")
        sketch.update(pa.array(numbers, pa.float64()))
        return sketch

    joined = tree_of([sketch_of(part) for part in parts], NumberSketch.merge)
    whole = sketch_of([number for part in parts for number in part])
    for figure in ("count", "low", "high", "zeros", "negatives"):
        assert getattr(joined, figure) == getattr(whole, figure)
    assert joined.distribution() == whole.distribution()
    if whole.count:
        numbers = np.concatenate([np.array(part) for part in parts])
        assert joined.mean == pytest.approx(numbers.mean(), abs=1e-6)
        assert joined.std == pytest.approx(numbers.std(), abs=1e-3)


def test_numbers_that_get_many_keep_those_that_were_counted():
    few, many = NumberSketch("int64"), NumberSketch("int64")
    few.update(pa.array([7] * 5000 + [8]))
    many.update(pa.array(range(3000)))
    for joined in (few.merge(many), many.merge(few)):
        places = joined.distribution()
        assert (joined.low, joined.high, places.count) == (0, 2999, 8001)
        share = (5000 + 8) / 8001
        assert places.share_up_to(7) == pytest.approx(share, abs=2 * places.error / 8001)


def test_the_ends_are_exact_whatever_was_left_out():
    values = np.random.default_rng(3).permutation(np.arange(200_000))
    sketch = NumberSketch("int64")
    sketch.update(pa.array(values))
    places = sketch.compressed().distribution()
    assert (places.quantile(0.0), places.quantile(1.0), places.count) == (0, 199_999, 200_000)


def test_sums_of_whole_numbers_do_not_run_over():
    sketch = NumberSketch("int64")
    sketch.update(pa.array([2**62] * 8))
    assert sketch.mean == 2.0**62
    assert sketch.std == 0.0


def test_a_mean_beyond_all_floats_is_none():
    sketch = NumberSketch("double")
    sketch.update(pa.array([1.7e308] * 4))
    assert sketch.std is None or sketch.std >= 0
    assert sketch.mean is None or sketch.mean == pytest.approx(1.7e308)
    assert sketch.high == 1.7e308


@given(st.lists(st.integers(-50, 50), min_size=1), st.integers(1, 25))
def test_bins_hold_every_value_once(values, most):
    bins = Distribution.of((value, 1) for value in values).bins(most)
    assert sum(count for _, _, count in bins) == len(values)
    assert len(bins) <= most
    for start, end, count in bins:
        assert count == sum(start <= value < end for value in values)


@given(st.lists(st.integers(0, 9), min_size=1), st.lists(st.integers(0, 9), min_size=1))
def test_the_distance_is_that_of_kolmogorov_and_smirnov(left, right):
    sides = [Distribution.of((value, 1) for value in side) for side in (left, right)]
    shares = [[np.mean(np.array(side) <= mark) for mark in range(10)] for side in (left, right)]
    expected = np.max(np.abs(np.subtract(*shares)))
    assert sides[0].distance(sides[1]) == pytest.approx(expected)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1), st.floats(0, 1))
def test_quantiles_of_known_values_are_those_of_numpy(values, share):
    found = Distribution.of((value, 1) for value in values).quantile(share)
    assert found == pytest.approx(np.quantile(values, share), abs=1e-5)
