"""Columns of any type, nested at random: what is logged is read back, by rows and filters too."""

import itertools

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlkit.data.identity import identify
from mlkit.data.layout import kept_type

NULLS = pa.null()
NUMBERS = itertools.count()
LEAVES = [
    (NULLS, st.none()),
    (pa.bool_(), st.booleans()),
    (pa.int8(), st.integers(-128, 127)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.float16(), st.floats(width=16)),
    (pa.float64(), st.floats()),
    (pa.string(), st.text(max_size=4)),
    (pa.large_string(), st.text(max_size=4)),
    (pa.string_view(), st.text(max_size=20)),
    (pa.binary(), st.binary(max_size=4)),
    (pa.binary(2), st.binary(min_size=2, max_size=2)),
    (pa.date32(), st.dates()),
    (pa.date64(), st.dates()),
    (pa.time32("ms"), st.integers(0, 86_399_999)),
    (pa.time64("us"), st.times()),
    (pa.timestamp("s", "UTC"), st.integers(-(10**9), 10**9)),
    (pa.timestamp("ns"), st.integers(-(2**63) + 1, 2**63 - 1)),
    (pa.duration("us"), st.integers(-(10**9), 10**9)),
    (pa.decimal128(12, 3), st.decimals(-999, 999, places=3)),
    (pa.decimal256(50, 2), st.decimals(-999, 999, places=2)),
]
INDICES = [pa.int8(), pa.uint16(), pa.int32()]
WORD_TYPES = [pa.string(), pa.large_string(), pa.binary(), pa.int64(), pa.float64()]
WORDS_OF = {pa.int64(): st.integers(0, 3), pa.float64(): st.floats(0, 3, width=16)}


def dictionaries():
    """Give dictionaries of few words."""

    def of(index, kind):
        texts = st.text(max_size=2) if kind != pa.binary() else st.binary(max_size=2)
        return (pa.dictionary(index, kind), WORDS_OF.get(kind, texts))

    return st.builds(of, st.sampled_from(INDICES), st.sampled_from(WORD_TYPES))


def wrapped(inner):
    """Give types around others, with their values."""
    lists = st.sampled_from([pa.list_, pa.large_list, pa.list_view, pa.large_list_view])

    def listed(make, of):
        return (make(of[0]), st.lists(st.none() | of[1], max_size=3))

    def sized(size, of):
        values = st.lists(st.none() | of[1], min_size=size, max_size=size)
        return (pa.list_(of[0], size), values)

    def structured(parts):
        names = [f"f{number}" for number in range(len(parts))]
        kind = pa.struct([(name, of[0]) for name, of in zip(names, parts, strict=True)])
        values = {name: st.none() | of[1] for name, of in zip(names, parts, strict=True)}
        return (kind, st.fixed_dictionaries(values))

    def mapped(of):
        pairs = st.tuples(st.text(max_size=2), st.none() | of[1])
        return (pa.map_(pa.string(), of[0]), st.lists(pairs, max_size=2))

    return st.one_of(
        st.builds(listed, lists, inner),
        st.builds(sized, st.integers(1, 3), inner),
        st.builds(structured, st.lists(inner, min_size=1, max_size=3)),
        st.builds(mapped, inner),
    )


TYPES = st.recursive(st.sampled_from(LEAVES) | dictionaries(), wrapped, max_leaves=5)


@st.composite
def columns(draw):
    """Draw a column of any type, cut anywhere."""
    kind, values = draw(TYPES)
    rows = draw(st.lists(st.none() | values, max_size=12))
    array = pa.array(rows, kind)
    begin = draw(st.integers(0, len(rows)))
    cut = draw(st.integers(begin, len(rows)))
    return pa.chunked_array([array.slice(begin, cut - begin), array.slice(cut)], array.type)


def shown(column):
    """Give values as text, in which a NaN is as another; moments that Python lacks as they are."""
    return [str(value) for chunk in column.chunks for value in chunk]


@given(column=columns(), streamed=st.booleans(), rows=st.integers(1, 5))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_columns_of_any_type_are_read_back_as_they_were(datasets, column, streamed, rows):
    table = pa.table({"i": pa.array(range(len(column)), pa.int32()), "c": column})
    name = f"x{next(NUMBERS)}"  # a version of the same values, though of another layout, stays
    version = datasets.log(name, table.to_reader() if streamed else table)
    back = version.to_arrow()
    back.validate(full=True)
    assert back.schema.field("c").type == kept_type(column.type)
    assert identify(back).digest == version.digest == identify(table).digest
    assert shown(back["c"]) == shown(column)
    cut = [pa.chunked_array([batch.column("c")]) for batch in version.batches(rows=rows)]
    assert [text for piece in cut for text in shown(piece)] == shown(column)
    later = version.to_arrow(filters=[("i", ">=", 3)])
    later.validate(full=True)
    assert shown(later["c"]) == shown(column.slice(3))
