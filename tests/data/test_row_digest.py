"""Digests of rows: equal where tables are, the same for ever, and by their written definition."""

import datetime as dt
import struct

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.data.comparing import mixing
from mlkit.data.comparing.mixing import GOLDEN, mix_one
from mlkit.data.comparing.row_digest import row_digests, value_digests
from mlkit.data.identity import identify

MASK = (1 << 64) - 1
NULL = (0x6D6C6B69742D6E75, 0x6C6C2D76616C7565)
START = (0x6D6C6B69742D726F, 0x772D646967657374)
SALTS = (0, 0x6D6C6B69742D7465)
FRACTION = 0x6D6C6B69742D6672
KINDS = [
    (pa.bool_(), st.booleans()),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.float64(), st.floats() | st.integers(-99, 99).map(float)),
    (pa.float32(), st.floats(width=32)),
    (pa.string(), st.text(max_size=20)),
    (pa.binary(), st.binary(max_size=20)),
    (pa.binary(3), st.binary(min_size=3, max_size=3)),
    (pa.date32(), st.dates()),
    (pa.time64("us"), st.times()),
    (pa.timestamp("us", "UTC"), st.datetimes()),
    (pa.duration("us"), st.timedeltas(dt.timedelta(-9999), dt.timedelta(9999))),
    (pa.decimal128(9, 2), st.decimals(-99_999, 99_999, places=2, allow_nan=False)),
    (pa.list_(pa.int64()), st.lists(st.none() | st.integers(0, 3), max_size=3)),
    (pa.list_(pa.string(), 2), st.lists(st.none() | st.text(max_size=2), min_size=2, max_size=2)),
    (
        pa.struct([("a", pa.float64()), ("b", pa.list_(pa.string()))]),
        st.fixed_dictionaries(
            {"a": st.none() | st.floats(), "b": st.none() | st.lists(st.text(max_size=2))}
        ),
    ),
    (pa.map_(pa.string(), pa.int8()), st.lists(st.tuples(st.text(max_size=2), st.just(1)))),
]


@st.composite
def columns(draw, least=0):
    kind, values = draw(st.sampled_from(KINDS))
    return pa.array(draw(st.lists(st.none() | values, min_size=least, max_size=8)), kind)


def lanes(digests):
    return list(zip(digests.first.to_pylist(), digests.second.to_pylist(), strict=True))


def spread(numbers, salt):
    places = enumerate(numbers)
    return sum(mix_one(number + salt + GOLDEN * place) for place, number in places) & MASK


def defined(value, kind, *, alike):
    """The digest of a value as the guide defines it, in plain Python."""
    if value is None:
        return NULL
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        raw = value.encode() if isinstance(value, str) else value
        padded = raw + bytes(-len(raw) % 8)
        words = struct.unpack(f"<{len(padded) // 8}Q", padded)
        return tuple(mix_one(spread(words, salt) + GOLDEN * len(raw)) for salt in SALTS)
    if pa.types.is_list(kind):
        items = [defined(item, kind.value_type, alike=alike) for item in value]
        return tuple(
            mix_one(spread([item[lane] for item in items], SALTS[lane]) + GOLDEN * len(items))
            for lane in (0, 1)
        )
    if pa.types.is_struct(kind):
        return chain([defined(value[f.name], f.type, alike=alike) for f in kind], 0)
    if pa.types.is_floating(kind):
        return defined_float(value, alike=alike)
    return (mix_one(int(value)),) * 2


def defined_float(value, *, alike):
    if value != value:  # noqa: PLR0124 - NaN
        return NULL if alike else (mix_one(0x7FF8 << 48),) * 2
    if alike and abs(value) < 2**53 and value == int(value):
        return (mix_one(int(value)),) * 2
    found = mix_one(struct.unpack("<Q", struct.pack("<d", value))[0])
    return (mix_one(found + FRACTION) if alike else found,) * 2


def chain(values, seed):
    links = [mix_one(start + mix_one(seed)) for start in START]
    for value in values:
        links = [
            mix_one((link + GOLDEN & MASK) ^ one) for link, one in zip(links, value, strict=True)
        ]
    return tuple(links)


PLAIN = [
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.float64(), st.floats() | st.integers(-99, 99).map(float)),
    (pa.string(), st.text(max_size=20)),
    (pa.list_(pa.string()), st.lists(st.none() | st.text(max_size=9), max_size=3)),
    (
        pa.struct([("a", pa.float64()), ("b", pa.int64())]),
        st.fixed_dictionaries({"a": st.floats(), "b": st.none() | st.integers(0, 3)}),
    ),
]


@given(data=st.data(), alike=st.booleans(), seed=st.integers(0, MASK))
def test_digests_are_those_of_the_written_definition(data, alike, seed):
    chosen = data.draw(st.lists(st.sampled_from(PLAIN), min_size=1, max_size=3))
    rows = data.draw(st.lists(st.tuples(*(st.none() | values for _, values in chosen)), max_size=5))
    arrays = [pa.array([row[n] for row in rows], kind) for n, (kind, _) in enumerate(chosen)]
    found = row_digests([value_digests(array, alike=alike) for array in arrays], seed)
    kinds = [kind for kind, _ in chosen]
    assert lanes(found) == [
        chain([defined(v, k, alike=alike) for v, k in zip(row, kinds, strict=True)], seed)
        for row in rows
    ]


@given(columns(least=2))
def test_two_values_have_one_digest_just_where_tables_of_them_are_the_same(column):
    found = lanes(value_digests(column))
    same = [identify(pa.table({"a": column.slice(n, 1)})).digest for n in range(len(column))]
    for digest, whole in zip(found, same, strict=True):
        assert [digest == other for other in found] == [whole == other for other in same]


@given(columns(), st.integers(0, 8), st.booleans())
def test_slices_have_the_digests_of_the_whole(column, start, alike):
    found = value_digests(column.slice(start), alike=alike)
    assert lanes(found) == lanes(value_digests(column, alike=alike))[start:]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array(["a", None, "bb"]), pa.array(["a", None, "bb"]).dictionary_encode()),
        (pa.array(["a", None, "bb"]), pa.array(["a", None, "bb"], pa.string_view())),
        (pa.array([1, None]), pa.array([1, None], pa.int8())),
        (pa.array([1, None]), pa.array([1, None], pa.uint64())),
        (pa.array([1.5, None]), pa.array([1.5, None], pa.float32())),
        (pa.array([9, None], pa.timestamp("s")), pa.array([9 * 10**9, None], pa.timestamp("ns"))),
        (pa.array([[1], None]), pa.array([[1], None], pa.list_view(pa.int8()))),
        (pa.array([None, None]), pa.array([None, None], pa.list_(pa.int8()))),
        (
            pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array(["a", None])),
            pa.array(["a", None, None]),
        ),
    ],
)
def test_layouts_leave_no_trace(one, other):
    assert lanes(value_digests(one)) == lanes(value_digests(other))


@given(st.lists(st.none() | st.integers(-(2**53) + 1, 2**53 - 1), min_size=1))
def test_whole_numbers_and_missing_values_are_alike_as_integers_and_as_floats(values):
    integers = pa.array(values, pa.int64())
    floats = pa.array(pd.Series(values, dtype="float64"), from_pandas=False)  # NaN, not null
    assert lanes(value_digests(integers, alike=True)) == lanes(value_digests(floats, alike=True))


def test_zero_and_minus_zero_differ_just_where_that_matters():
    zeros = pa.array([0.0, -0.0])
    assert len(set(lanes(value_digests(zeros)))) == 2
    assert len(set(lanes(value_digests(zeros, alike=True)))) == 1


@given(st.lists(st.binary(max_size=200), max_size=6), st.integers(1, 5))
def test_long_texts_are_digested_in_bounded_pieces_with_the_same_outcome(texts, most):
    whole = lanes(value_digests(pa.array(texts, pa.binary())))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixing, "_MOST_WORDS", most)
        assert lanes(value_digests(pa.array(texts, pa.binary()))) == whole


def test_the_order_of_values_and_the_seed_make_other_digests():
    one, other = value_digests(pa.array([1])), value_digests(pa.array([2]))
    found = [row_digests([one, other]), row_digests([other, one]), row_digests([one, other], 1)]
    assert len({lanes(digests)[0] for digests in found}) == 3


def test_digests_stay_what_they_are():
    table = {"n": [7, None], "x": [0.5, 2.0], "text": ["a longer text", ""], "list": [[1], []]}
    values = [value_digests(pa.array(column), alike=True) for column in table.values()]
    assert [hex(first) for first, _ in lanes(row_digests(values, 3))] == GOLD


GOLD = ["0xa349dab260846590", "0xb725aeaf30a68ab0"]
