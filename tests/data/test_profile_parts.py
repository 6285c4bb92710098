"""Profiles of parts: joined, kept as JSON, of all types, in bounded memory, from hostile hands."""

import copy
import datetime as dt
import decimal
import json
import threading

import numpy as np
import pyarrow as pa
import pytest
from attrs import asdict, evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit.data.profiles.column_sketch import ColumnSketch
from mlkit.data.profiles.profile import Profile, profile_batches, profile_column
from mlkit.errors import InvalidInput, NotFound

DAY = dt.datetime(2013, 1, 1, tzinfo=dt.UTC)
MOMENTS = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1))  # noqa: DTZ001 - strategies want it so

VALUES = {
    "bool": (pa.bool_(), st.booleans()),
    "int8": (pa.int8(), st.integers(-128, 127)),
    "int64": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "uint64": (pa.uint64(), st.integers(0, 2**64 - 1)),
    "float16": (pa.float16(), st.sampled_from([0.0, 1.5, -2.0])),
    "float32": (pa.float32(), st.floats(width=32)),
    "float64": (pa.float64(), st.floats()),
    "decimal": (pa.decimal128(20, 2), st.decimals(-1000, 1000, places=2)),
    "decimal32": (pa.decimal32(6, 2), st.decimals(-1000, 1000, places=2)),
    "decimal256": (pa.decimal256(60, 2), st.decimals(-1000, 1000, places=2)),
    "string": (pa.string(), st.text(max_size=5)),
    "string_view": (pa.string_view(), st.text(max_size=5)),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["a", "b", "c"])),
    "dictionary of ints": (pa.dictionary(pa.int8(), pa.int64()), st.integers(0, 3)),
    "binary": (pa.binary(), st.binary(max_size=5)),
    "fixed binary": (pa.binary(2), st.binary(min_size=2, max_size=2)),
    "date32": (pa.date32(), st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1))),
    "date64": (pa.date64(), st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1))),
    "time32": (pa.time32("s"), st.times().map(lambda t: t.replace(microsecond=0))),
    "time64": (pa.time64("us"), st.times()),
    "timestamp": (pa.timestamp("us"), MOMENTS),
    "timestamp of a zone": (pa.timestamp("ns", "Europe/Berlin"), MOMENTS),
    "duration": (pa.duration("ms"), st.integers(-(10**9), 10**9)),
    "list": (pa.list_(pa.int8()), st.lists(st.integers(0, 9), max_size=3)),
    "list_view": (pa.list_view(pa.int8()), st.lists(st.integers(0, 9), max_size=3)),
    "fixed list": (pa.list_(pa.int8(), 2), st.lists(st.integers(0, 9), min_size=2, max_size=2)),
    "map": (pa.map_(pa.string(), pa.int8()), st.just([("a", 1)])),
    "struct": (pa.struct([("a", pa.int8())]), st.just({"a": 1})),
    "null": (pa.null(), st.none()),
}


def parts_of(kind, values):
    column = st.lists(st.none() | values, max_size=30)
    return st.lists(column.map(lambda found: pa.array(found, kind)), min_size=1, max_size=4)


def figures(profile):
    """All figures, without those that rounding differs in."""
    found = asdict(profile, filter=lambda field, _: field.name not in {"sketch", "mean", "std"})
    return repr(found)


def near(one, other, profile):
    """Whether two figures agree up to rounding, which the largest number sets."""
    numbers = profile.sketch.numbers
    size = max(abs(float(numbers.low or 0)), abs(float(numbers.high or 0)), 1.0)
    if size > 1e150:  # squares are beyond all floats
        return True
    if one is None or other is None:
        return one is other
    return abs(one - other) <= 1e-6 * size


@pytest.mark.parametrize("kind", VALUES)
def test_the_profile_of_parts_is_that_of_the_whole(kind):
    arrow, values = VALUES[kind]

    @settings(max_examples=40)
    @given(parts_of(arrow, values))
    def holds(parts):
        profiles = [profile_column("x", pa.chunked_array([part])) for part in parts]
        whole = profile_column("x", pa.chunked_array(parts, arrow))
        joined = profiles[0]
        for more in profiles[1:]:
            joined = joined.merge(more)
        assert figures(joined) == figures(whole)
        assert near(joined.mean, whole.mean, whole)
        assert near(joined.std, whole.std, whole)
        assert whole.count == sum(len(part) - part.null_count for part in parts) or kind == "null"
        assert joined.rows == sum(map(len, parts))

    holds()


@pytest.mark.parametrize("kind", VALUES)
def test_a_profile_is_the_same_after_it_was_kept_as_json(kind):
    arrow, values = VALUES[kind]

    @settings(max_examples=40)
    @given(parts_of(arrow, values))
    def holds(parts):
        table = pa.table([pa.chunked_array(parts)], names=["x"])
        whole = profile_batches(table.schema, table.to_batches())
        read = Profile.from_json(json.loads(json.dumps(whole.to_json(), allow_nan=False)))
        assert repr(read.columns) == repr(whole.columns)
        assert read.to_json() == whole.to_json()
        assert str(read) == str(whole)
        assert read["x"].merge(whole["x"]).rows == 2 * whole.rows

    holds()


def large(seed=0, rows=200_000):
    random = np.random.default_rng(seed)
    names = pa.array([f"name-{n}" for n in random.zipf(1.3, rows) % 10**6])
    return pa.table(
        {
            "number": random.normal(size=rows),
            "count": random.poisson(5, rows),
            "name": names,
            "at": pa.array(random.integers(0, 10**15, rows)).cast(pa.timestamp("us", "UTC")),
            "flag": pa.array(random.random(rows) < 0.1, mask=random.random(rows) < 0.2),
        }
    )


@pytest.fixture(scope="module")
def table():
    return large()


@pytest.fixture(scope="module")
def profile(table):
    return profile_batches(table.schema, table.to_batches(max_chunksize=10_000))


def test_the_same_batches_give_the_same_profile(table, profile):
    again = profile_batches(table.schema, table.to_batches(max_chunksize=10_000))
    assert again.to_json() == profile.to_json()
    assert again == profile


def test_large_columns_are_as_near_as_they_say(table, profile):
    values = np.sort(table["number"].to_numpy())
    for share, mark in profile["number"].quantiles.items():
        rank = np.searchsorted(values, mark) / len(values)
        assert abs(rank - share) <= profile["number"].errors["quantiles"] + 1e-5
    for start, end, count in profile["number"].histogram:
        true = np.count_nonzero((values >= start) & (values <= end))
        assert abs(count - true) <= 2 * profile["number"].errors["quantiles"] * len(values) + 1
    true = table["name"].value_counts()
    counts = dict(
        zip(true.field("values").to_pylist(), true.field("counts").to_pylist(), strict=True)
    )
    name = profile["name"]
    assert name.distinct == pytest.approx(len(counts), rel=4 * name.errors["distinct"])
    assert [value for value, _ in name.top] == sorted(counts, key=lambda one: -counts[one])[:5]
    for value, count in name.top:
        assert counts[value] - name.errors["top"] * len(table) <= count <= counts[value]
    assert profile["count"].errors == {}
    assert profile["count"].quantiles[0.5] == np.quantile(table["count"].to_numpy(), 0.5)


def test_large_parts_are_joined_within_their_errors(table, profile):
    others = large(1)
    more = profile_batches(others.schema, others.to_batches())
    joined = profile.merge(more)
    values = np.sort(np.append(table["number"].to_numpy(), others["number"].to_numpy()))
    assert joined.rows == 400_000
    assert joined["number"].mean == pytest.approx(values.mean())
    assert joined["number"].std == pytest.approx(values.std())
    for share, mark in joined["number"].quantiles.items():
        rank = np.searchsorted(values, mark) / len(values)
        assert abs(rank - share) <= joined["number"].errors["quantiles"] + 1e-5


def test_a_large_profile_is_kept_in_little_room(profile):
    assert len(json.dumps(profile.to_json())) < 40_000 * len(profile.columns)


def test_a_value_that_is_common_among_many_numbers_is_found():
    values = np.random.default_rng(0).normal(size=100_000)
    values[::4] = -999.0
    found = profile_column("x", pa.chunked_array([values]))
    (value, count), *others = found.top
    assert (value, others) == (-999.0, [])
    assert abs(count - 25_000) <= found.errors["top"] * 100_000


def test_memory_does_not_grow_with_the_rows():
    schema = pa.schema({"x": pa.float64(), "id": pa.string()})
    random = np.random.default_rng(0)

    def batches(count):
        for _ in range(count):
            numbers = random.normal(size=20_000)
            yield pa.record_batch([numbers, [f"{n:.9f}" for n in numbers]], schema=schema)

    def held(count):
        profile = profile_batches(schema, batches(count))
        assert profile.rows == count * 20_000
        columns = profile.columns
        return sum(len(json.dumps(column.to_json())) for column in columns)

    sizes = []
    before = pa.total_allocated_bytes()
    for count in (2, 40):
        sketch = ColumnSketch("x", pa.float64())
        for batch in batches(count):
            sketch.update(batch.column(0))
        del batch
        sizes.append(pa.total_allocated_bytes() - before)
        del sketch
    assert sizes[1] < sizes[0] + 500_000
    assert held(40) < held(2) + 40_000


def test_values_that_are_no_numbers_are_counted_apart():
    values = [float("nan"), None, float("inf"), -float("inf"), 0.0, -0.0, -1.0, 3.0]
    found = profile_column("x", pa.chunked_array([values]))
    assert (found.nan, found.infinite, found.zeros, found.negatives) == (1, 2, 2, 1)
    assert (found.min, found.max) == (-float("inf"), float("inf"))
    assert (found.count, found.nulls, found.distinct) == (7, 1, 5)
    assert found.mean == 0.5


def test_decimals_keep_all_their_digits():
    values = [decimal.Decimal("1.0000000000000000001"), decimal.Decimal("1.0000000000000000002")]
    found = profile_column("x", pa.chunked_array([values]))
    assert (found.min, found.max, found.distinct) == (*values, 2)


def test_long_texts_are_told_apart_and_shown_by_their_beginning():
    texts = ["x" * 300 + "a", "x" * 300 + "b", "y"]
    found = profile_column("x", pa.chunked_array([texts]))
    assert found.distinct == 3
    assert found.top == (("x" * 200, 2), ("y", 1))
    assert (found.lengths.min, found.lengths.max) == (1, 301)
    assert found.min == "x" * 200


def test_lengths_are_letters_bytes_and_items():
    for values, ends in (["é", "ab"], (1, 2)), ([b"\xc3\xa9", b""], (0, 2)), ([[1, 2], []], (0, 2)):
        found = profile_column("x", pa.chunked_array([values]))
        assert (found.lengths.min, found.lengths.max) == ends


def test_runs_and_extensions_are_taken_for_what_they_hold():
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([3, 5], pa.int32()), pa.array(["a", None]))
    found = profile_column("x", pa.chunked_array([runs]))
    assert (found.count, found.nulls, found.top) == (3, 2, (("a", 3),))
    ids = pa.array([bytes(16), bytes(15) + b"x", None], pa.uuid())
    found = profile_column("x", pa.chunked_array([ids]))
    assert (found.count, found.nulls, found.distinct, found.lengths.max) == (2, 1, 2, 16)


def test_a_dictionary_that_holds_a_null_counts_as_null():
    column = pa.DictionaryArray.from_arrays([0, 1, 0, None], ["a", None])
    found = profile_column("x", pa.chunked_array([column]))
    assert (found.count, found.nulls, found.distinct) == (2, 2, 1)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.timestamp("s"), 2**60),
        (pa.timestamp("us", "No/Where"), 0),
        (pa.duration("s"), 2**61),
        (pa.timestamp("s", "UTC"), -(2**60)),
        (pa.date32(), 2**31 - 1),
        (pa.time64("ns"), 1),
    ],
)
def test_times_that_python_cannot_hold_are_given_as_text(kind, value):
    width = pa.int32() if kind == pa.date32() else pa.int64()
    column = pa.array([value], width).view(kind)
    found = profile_column("x", pa.chunked_array([column]))
    assert isinstance(found.max, str)
    assert found.max
    assert found.distinct == 1


def test_a_table_without_columns_or_rows_has_a_profile():
    assert profile_batches(pa.schema({}), []).columns == ()
    empty = profile_batches(pa.schema({"x": pa.int8()}), [])
    assert (empty.rows, empty["x"].count, empty["x"].distinct) == (0, 0, 0)
    assert Profile.from_json(empty.to_json()) == empty


def test_a_type_that_no_dataset_can_hold_is_named_with_its_column():
    with pytest.raises(InvalidInput, match="'span'"):
        profile_batches(pa.schema({"span": pa.month_day_nano_interval()}), [])


def test_text_that_is_no_text_is_named_with_its_column():
    broken = pa.array([b"\xff\xff"]).view(pa.string())
    batch = pa.record_batch({"name": broken})
    with pytest.raises(InvalidInput, match="'name'"):
        profile_batches(batch.schema, [batch])


def test_batches_of_other_columns_are_refused():
    with pytest.raises(InvalidInput, match="other columns"):
        profile_batches(pa.schema({"x": pa.int8()}), [pa.record_batch({"y": [1]})])


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_pass_that_is_broken_off_leaves_no_thread_behind(table, error):
    def batches():
        yield from table.to_batches(max_chunksize=50_000)
        raise error

    with pytest.raises(error):
        profile_batches(table.schema, batches())
    assert not [one for one in threading.enumerate() if one.name.startswith("mlkit-profile")]


def test_profiles_of_other_columns_or_types_are_not_joined(profile):
    one = profile_batches(pa.schema({"x": pa.int8()}), [])
    other = profile_batches(pa.schema({"x": pa.string()}), [])
    with pytest.raises(InvalidInput, match="other columns"):
        profile.merge(one)
    with pytest.raises(InvalidInput, match="int8 here and string there"):
        one.merge(other)


def test_a_column_that_is_not_there_is_told_with_what_is_near(profile):
    with pytest.raises(NotFound, match="number"):
        profile["numbr"]


def test_a_profile_of_another_format_is_refused():
    with pytest.raises(InvalidInput, match="format 2"):
        Profile.from_json({"profile": 2, "rows": 0, "columns": []})


def places_in(data, path=()):
    yield path
    if isinstance(data, dict):
        for key in data:
            yield from places_in(data[key], (*path, key))
    elif isinstance(data, list):
        for at in range(len(data)):
            yield from places_in(data[at], (*path, at))


def replaced(data, path, value):
    if not path:
        return value
    found = copy.deepcopy(data)
    inner = found
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return found


HOSTILE = [
    None, True, -1, 0, 3, 2**63, 2**64, 10**400, 1.5, 1e300, float("nan"), float("inf"), "", "x",
    "timestamp[", "duration", "decimal[2]", "AAAA", "AAAAAAAAAAA=", "<script>", "1_0", "٣", [],
    [[1, 1]], [["x", 1]], {}, {"0": "AAAAAAAA8H8="},
]  # fmt: skip


def test_hostile_profiles_are_refused_or_shown(profile):
    small = large(rows=60)
    columns = {
        **{name: small[name] for name in small.column_names},
        "decimal": pa.array([decimal.Decimal("1.5")] * 60),
        "infinite": pa.array([1.0, float("inf")] * 30),
    }
    few = pa.table(columns)
    document = profile_batches(few.schema, few.to_batches()).to_json()
    documents = [document, evolve(profile, columns=profile.columns[:1]).to_json()]
    taken = 0
    for whole in documents:
        paths = [path for path in places_in(whole) if len(path) < 6 or path[-1] in {0, 1}]
        for path in paths[:: max(1, len(paths) // 60)]:
            for value in HOSTILE:
                try:
                    read = Profile.from_json(replaced(whole, path, value))
                    read.merge(read)
                except InvalidInput:
                    continue
                taken += 1
                assert "<script>" not in read._repr_html_()
                assert str(read)
                Profile.from_json(read.to_json())
    assert taken
