"""Identity: equal values have equal digests, whatever their layout; other values have others."""

import datetime as dt
import decimal
import io
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mlkit.data.identity import TableHasher, identify
from mlkit.data.logical import type_text
from mlkit.errors import InvalidInput
from mlkit.schema.frames import to_arrow

INT = pa.int64()
MOMENTS = st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1))  # noqa: DTZ001 - naive on purpose
FLAT = [
    (pa.bool_(), st.booleans()),
    (pa.int8(), st.integers(-128, 127)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (INT, st.integers(-(2**63), 2**63 - 1)),
    (pa.float16(), st.floats(width=16, allow_nan=False)),
    (pa.float32(), st.floats(width=32, allow_nan=False)),
    (pa.float64(), st.floats(allow_nan=False)),
    (pa.string(), st.text(max_size=6)),
    (pa.binary(), st.binary(max_size=6)),
    (pa.binary(3), st.binary(min_size=3, max_size=3)),
    (pa.date32(), st.dates()),
    (pa.time64("us"), st.times()),
    (pa.timestamp("us"), MOMENTS),
    (pa.timestamp("us", "UTC"), MOMENTS),
    (pa.duration("us"), st.timedeltas(dt.timedelta(-9), dt.timedelta(9))),
    (pa.decimal128(9, 2), st.decimals(-99_999, 99_999, places=2, allow_nan=False)),
]
MAYBE = [(kind, st.none() | values) for kind, values in FLAT]


def lists(of, **size):
    kind, values = of
    return (pa.list_(kind), st.none() | st.lists(values, max_size=3, **size))


def structs(of):
    kind, values = of
    fields = {"a": values, "b": st.none() | st.integers(0, 9)}
    return (pa.struct([("a", kind), ("b", INT)]), st.none() | st.fixed_dictionaries(fields))


def maps(of):
    kind, values = of
    pairs = st.lists(st.tuples(st.text(max_size=3), values), max_size=3)
    return (pa.map_(pa.string(), kind), st.none() | pairs)


def fixed_lists(of):
    kind, values = of
    return (pa.list_(kind, 2), st.none() | st.lists(values, min_size=2, max_size=2))


NESTED = [wrap(of) for of in MAYBE for wrap in (lists, structs, maps, fixed_lists)]
DEEP = [lists(structs(MAYBE[7])), structs(lists(MAYBE[3])), maps(lists(MAYBE[0]))]


ALL = [*MAYBE, *NESTED, *DEEP, (pa.null(), st.none())]


def values_of(kind):
    return next(values for other, values in ALL if other == kind)


@st.composite
def columns(draw):
    kind, values = draw(st.sampled_from(ALL))
    return pa.array(draw(st.lists(values, max_size=12)), type=kind)


def digest(array, name="x"):
    return identify(pa.table({name: array})).digest


def relaid(draw, array):
    """Give the array in another layout: other types of the same meaning, cut in other places."""
    kind = array.type
    forms = [array]
    if pa.types.is_string(kind):
        forms += [array.cast(pa.large_string()), array.cast(pa.string_view())]
    elif pa.types.is_binary(kind):
        forms += [array.cast(pa.large_binary()), array.cast(pa.binary_view())]
    elif pa.types.is_list(kind):
        forms += [
            array.cast(pa.large_list(kind.value_type)),
            pa.array(array.to_pylist(), type=pa.list_view(kind.value_type)),
        ]
    elif pa.types.is_timestamp(kind):
        forms.append(array.cast(pa.timestamp("ns", kind.tz)))
    elif pa.types.is_duration(kind):
        forms.append(array.cast(pa.duration("ns")))
    elif pa.types.is_time(kind):
        forms.append(array.cast(pa.time64("ns")))
    elif pa.types.is_decimal(kind):
        forms.append(array.cast(pa.decimal256(50, 2)))
    if pa.types.is_string(kind) or pa.types.is_integer(kind):
        forms += [array.dictionary_encode(), pc.run_end_encode(array)]
    form = draw(st.sampled_from(forms))
    padded = pa.concat_arrays([form, form, form])  # so slices begin within bytes of validity
    cuts = sorted(draw(st.lists(st.integers(0, len(form)), max_size=3)))
    edges = [0, *cuts, len(form)]
    shift = draw(st.sampled_from([0, len(form), 2 * len(form)]))
    pieces = [padded.slice(shift + a, b - a) for a, b in pairwise(edges)]
    return pa.chunked_array(pieces, type=form.type)


@given(st.data())
def test_no_layout_leaves_a_trace(data):
    array = data.draw(columns())
    assert digest(relaid(data.draw, array)) == digest(array)


@given(st.data())
def test_any_changed_value_changes_the_digest(data):
    array = data.draw(columns())
    assume(len(array))
    number = data.draw(st.integers(0, len(array) - 1))
    changed = pa.array([data.draw(values_of(array.type))], type=array.type)
    assume(not same(array[number], changed[0]))
    other = pa.concat_arrays([array[:number], changed, array[number + 1 :]])
    assert digest(other) != digest(array)


def same(left, right):
    return repr(left.as_py()) == repr(right.as_py())


@given(st.data())
def test_one_more_value_changes_the_digest(data):
    array = data.draw(columns())
    more = pa.array([data.draw(values_of(array.type))], type=array.type)
    assert digest(pa.concat_arrays([array, more])) != digest(array)


@given(st.data())
def test_parquet_gives_the_identity_back(data):
    array = data.draw(columns())
    table = pa.table({"x": array})
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=3)
    sink.seek(0)
    assert identify(pq.read_table(sink)) == identify(table)


@given(st.lists(columns(), min_size=1, max_size=3), st.integers(1, 5))
def test_batches_have_the_identity_of_their_table(arrays, rows):
    length = min(len(array) for array in arrays)
    table = pa.table({str(number): array[:length] for number, array in enumerate(arrays)})
    hasher = TableHasher(table.schema)
    for batch in table.to_batches(max_chunksize=rows):
        hasher.update(batch)
    assert hasher.identity(length) == identify(table)


TABLE = pa.table({"a": [1, 2, 3], "b": ["x", None, "z"], "c": [1.5, None, 2.5]})


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.rename_columns(["a", "b", "d"]),
        lambda t: t.select(["b", "a", "c"]),
        lambda t: t.take([1, 0, 2]),
        lambda t: t.slice(0, 2),
        lambda t: t.set_column(0, "a", t["a"].cast(pa.int32())),
        lambda t: t.append_column("e", t["a"]),
        lambda t: t.slice(0, 0),
    ],
    ids=["renamed", "reordered", "rows moved", "fewer rows", "retyped", "one more", "no rows"],
)
def test_names_types_and_orders_are_a_part(change):
    assert identify(change(TABLE)).digest != identify(TABLE).digest


def test_each_column_has_a_digest_of_its_own():
    changed = TABLE.set_column(2, "c", pa.array([1.5, None, 9.0]))
    before, after = identify(TABLE).columns, identify(changed).columns
    assert [name for name in before if before[name] != after[name]] == ["c"]


def test_values_that_run_together_are_not_the_same():
    assert digest(pa.array(["ab", "c"])) != digest(pa.array(["a", "bc"]))
    assert digest(pa.array([[1], [2]])) != digest(pa.array([[1, 2], []]))


def test_null_is_neither_zero_nor_empty():
    assert digest(pa.array([None, 1])) != digest(pa.array([0, 1]))
    assert digest(pa.array([None, "a"])) != digest(pa.array(["", "a"]))
    assert digest(pa.array([None, [1]])) != digest(pa.array([[], [1]]))


def test_what_lies_under_a_null_leaves_no_trace():
    mask = pa.array([False, True, False])
    plain = pc.if_else(mask, pa.scalar(None, INT), pa.array([1, 7, 3]))
    raw = pa.Array.from_buffers(
        INT, 3, [pa.py_buffer(b"\x05"), pa.array([1, 99, 3]).buffers()[1]], null_count=1
    )
    assert raw.to_pylist() == plain.to_pylist()
    assert digest(raw) == digest(plain)


def test_every_nan_is_the_same_but_not_null():
    kinds = pa.array([0x7FF8000000000000, 0xFFF8000000000001 - 2**64], type=INT)
    nans = pa.Array.from_buffers(pa.float64(), 2, kinds.buffers())
    assert digest(nans) == digest(pa.array([float("nan"), float("nan")]))
    assert digest(nans) != digest(pa.array([None, None], type=pa.float64()))


def test_pandas_polars_arrow_and_parquet_agree(tmp_path):
    frame = pd.DataFrame(
        {
            "i": [1, 2, 3],
            "f": [1.5, float("nan"), 3.0],
            "s": ["a", None, "c"],
            "b": [True, False, True],
            "t": pd.to_datetime(["2013-01-01", None, "2013-01-03"]),
            "z": pd.to_datetime(["2013-01-01", "2013-01-02", None]).tz_localize("UTC"),
            "c": pd.Categorical(["u", "v", "u"]),
            "d": pd.to_timedelta([1, 2, 3], unit="s"),
        }
    )
    table = to_arrow(frame)
    other = pl.from_arrow(table).with_columns(pl.col("t").cast(pl.Datetime("ms")))
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=2)
    assert identify(to_arrow(other)) == identify(table)
    assert identify(pq.read_table(tmp_path / "t.parquet")) == identify(table)
    assert identify(to_arrow(frame.astype({"t": "datetime64[ns]"}))) == identify(table)


def test_every_row_counts_however_many_there_are():
    many = pa.array(range(300_000))
    changed = pa.concat_arrays([many[:299_999], pa.array([0])])
    assert digest(many) != digest(changed)


def test_large_tables_are_hashed_on_several_threads_with_the_same_result(monkeypatch):
    table = pa.table({name: pa.array(range(200_000)) for name in "abc"})
    used = []

    class Watched(ThreadPoolExecutor):
        def submit(self, *args):
            used.append(args)
            return super().submit(*args)

    monkeypatch.setattr("mlkit.data.identity.Pool", Watched)
    hasher = TableHasher(table.schema)
    for batch in table.to_batches(max_chunksize=70_000):
        hasher.update(batch)
    assert identify(table) == hasher.identity(200_000)
    assert len(used) == 3


def union():
    return pa.UnionArray.from_dense(
        pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([1], pa.int8())]
    )


@pytest.mark.parametrize(
    "array",
    [
        union(),
        pa.array([pa.MonthDayNano([1, 2, 3])]),
        pa.array([{}], type=pa.struct([])),
        pa.array([[None]], type=pa.list_(pa.month_day_nano_interval())),
    ],
    ids=["union", "interval", "empty struct", "list of intervals"],
)
def test_a_type_without_identity_is_named_with_its_column(array):
    with pytest.raises(InvalidInput, match=r"Column 'odd': the type .* can't be kept"):
        identify(pa.table({"odd": array}))


def test_nested_encodings_leave_no_trace():
    runs = pa.RunEndEncodedArray.from_arrays([1, 3], ["a", None])
    lists = pa.ListArray.from_arrays([0, 1, 3], runs)
    assert digest(lists) == digest(pa.array([["a"], [None, None]]))
    assert digest(lists.slice(1)) == digest(pa.array([[None, None]], pa.list_(pa.string())))


def test_an_array_that_cannot_be_undone_is_named_with_its_column():
    lost = pa.DictionaryArray.from_arrays(pa.array([5]), pa.array(["a"]), safe=False)
    with pytest.raises(InvalidInput, match=r"Column 'odd' of type .* can't be identified"):
        identify(pa.table({"odd": lost}))


def test_a_date_with_a_time_of_day_is_refused():
    odd = pa.array([1], pa.int64()).cast(pa.date64())
    with pytest.raises(InvalidInput, match=r"Column 'odd'"):
        identify(pa.table({"odd": odd}))


def test_extension_types_are_their_storage_and_their_name():
    raw = pa.array([b"0" * 16])
    ids = raw.cast(pa.binary(16)).cast(pa.uuid())
    assert type_text(ids.type) == "arrow.uuid<binary[16]>"
    assert digest(ids) != digest(raw.cast(pa.binary(16)))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (pa.float16(), "float16"),
        (pa.float64(), "float64"),
        (pa.null(), "null"),
        (pa.date64(), "date"),
        (pa.time32("s"), "time"),
        (pa.duration("s"), "duration"),
        (pa.timestamp("s"), "timestamp"),
        (pa.decimal256(40, 3), "decimal[3]"),
        (pa.binary_view(), "binary"),
        (pa.list_(pa.int8(), 2), "list[2]<int8>"),
        (pa.map_(pa.string(), INT), "map<string, int64>"),
        (pa.struct([("a", pa.bool_())]), 'struct<"a": bool>'),
    ],
)
def test_logical_types_have_names(kind, text):
    assert type_text(kind) == text


def test_decimals_of_other_precision_are_the_same():
    values = [decimal.Decimal("1.25"), None]
    assert digest(pa.array(values, pa.decimal128(5, 2))) == digest(
        pa.array(values, pa.decimal128(38, 2))
    )
