"""The runs that no other beats."""

import math

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from mlkit.query.pareto import pareto_rows

values = st.one_of(st.none(), st.just(math.nan), st.integers(0, 5).map(float))


def by_hand(rows, modes):
    """Compare each with each."""
    signs = [1 if mode == "min" else -1 for mode in modes.values()]
    costs = {
        place: [sign * value for sign, value in zip(signs, row, strict=True)]
        for place, row in enumerate(rows)
        if all(value is not None and not math.isnan(value) for value in row)
    }

    def beats(one, other):
        return all(a <= b for a, b in zip(one, other, strict=True)) and one != other

    return [
        place
        for place, cost in costs.items()
        if not any(beats(other, cost) for other in costs.values())
    ]


@given(
    st.lists(st.tuples(values, values, values), max_size=30),
    st.tuples(*[st.sampled_from(["max", "min"])] * 3),
)
def test_the_front_is_what_comparing_each_with_each_gives(rows, modes):
    named = dict(zip("abc", modes, strict=True))
    columns = {
        name: pa.chunked_array([pa.array([row[n] for row in rows], pa.float64())])
        for n, name in enumerate("abc")
    }
    assert pareto_rows(columns, named).to_pylist() == by_hand(rows, named)
