"""Rows that were added, removed and changed, against what a plain definition says of them."""

import tempfile
from collections import Counter, defaultdict

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.data.comparing import lowest_rows, row_spool
from mlkit.data.comparing.diff import diff
from mlkit.data.comparing.lowest_rows import LowestRows
from mlkit.data.comparing.row_diff import Columns, row_diff
from mlkit.data.comparing.row_source import RowSource
from mlkit.data.comparing.value_text import python_value
from mlkit.errors import Corrupt, InvalidInput, StorageFault

SCHEMA = pa.schema([("k", pa.int64()), ("x", pa.float64()), ("t", pa.string())])
NAMES = tuple(SCHEMA.names)
NAN = float("nan")
ROWS = st.tuples(
    st.none() | st.integers(0, 4),
    st.sampled_from([None, 0.0, -0.0, NAN, 1.5]),
    st.sampled_from([None, "", "a", "b"]),
)
TABLES = st.lists(ROWS, max_size=12)


def table(rows):
    return pa.table([list(column) for column in zip(*rows, strict=True)] or [[]] * 3, SCHEMA)


def marks(row):
    return tuple(map(repr, row))  # so NaN is NaN, and 0.0 isn't -0.0


def source(rows, size=3, seen=None):
    """The rows in small batches, which remembers what is read of them."""
    whole = table(rows)

    def read(columns):
        if seen is not None:
            seen.append(tuple(columns))
        yield from whole.select(columns).to_batches(max_chunksize=size)

    return RowSource("", "", len(rows), SCHEMA, read)


def columns_of(old, new, key):
    same = tuple(
        name
        for n, name in enumerate(NAMES)
        if [marks(row)[n] for row in old] == [marks(row)[n] for row in new]
    )
    return Columns(key, same, tuple(name for name in NAMES if name not in same))


def found(old, new, key=(), keep=None):
    return row_diff(source(old), source(new, 2), columns_of(old, new, key), keep)


def by_key(old, new, key):
    """Added, removed and changed rows, as they are defined."""
    places = [NAMES.index(name) for name in key]
    sides = []
    for rows in (old, new):
        groups = defaultdict(list)
        for row in rows:
            groups[tuple(marks(row)[place] for place in places)].append(row)
        sides.append(groups)
    added, removed, changed = Counter(), Counter(), Counter()
    for value in {**sides[0], **sides[1]}:
        before, after = sides[0].get(value, []), sides[1].get(value, [])
        if len(before) == len(after) == 1 and "None" not in value:
            if marks(before[0]) != marks(after[0]):
                changed[marks(before[0]), marks(after[0])] += 1
            continue
        left, right = Counter(map(marks, before)), Counter(map(marks, after))
        added += right - left
        removed += left - right
    return added, removed, changed


def taken(rows, numbers):
    return Counter(marks(rows[number]) for number in numbers.to_pylist())


def check(old, new, key):
    result = found(old, new, key)
    if key:
        added, removed, changed = by_key(old, new, key)
    else:
        left, right = Counter(map(marks, old)), Counter(map(marks, new))
        added, removed, changed = right - left, left - right, Counter()
    assert taken(new, result.added_rows) == added
    assert taken(old, result.removed_rows) == removed
    pairs = zip(*(rows.to_pylist() for rows in result.changed_rows), strict=True)
    assert Counter((marks(old[a]), marks(new[b])) for a, b in pairs) == changed
    counts = (result.added, result.removed, result.changed)
    assert counts == (added.total(), removed.total(), changed.total())
    told = {name: count for name, count in result.values.items() if count}
    assert told == {
        name: count
        for n, name in enumerate(NAMES)
        if (count := sum(c for (a, b), c in changed.items() if a[n] != b[n]))
    }


@given(TABLES, TABLES)
def test_rows_by_content_are_those_of_the_definition(old, new):
    check(old, new, ())


@given(TABLES, TABLES, st.sampled_from([("k",), ("t", "k"), NAMES]))
def test_rows_by_key_are_those_of_the_definition(old, new, key):
    check(old, new, key)


@given(TABLES, st.data(), st.sampled_from([(), ("k",), ("t",)]))
def test_so_are_those_of_tables_with_columns_in_common(old, data, key):
    changed = data.draw(st.lists(ROWS, min_size=len(old), max_size=len(old)))
    kept = data.draw(st.sets(st.integers(0, 2), min_size=1))
    rows = zip(old, changed, strict=True)
    new = [tuple(a[n] if n in kept else b[n] for n in range(3)) for a, b in rows]
    if columns_of(old, new, key).changed:
        check(old, new, key)


@given(TABLES, TABLES, st.sampled_from([(), ("k",)]))
def test_so_are_those_of_tables_that_memory_doesnt_hold(old, new, key):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_spool, "MOST_BYTES", 64)
        patch.setattr(row_spool, "_PART_BYTES", 32)
        check(old, new, key)


@given(TABLES, TABLES, st.integers(0, 3))
def test_the_first_rows_are_kept(old, new, keep):
    some, every = found(old, new, ("k",), keep), found(old, new, ("k",))
    assert some.added == every.added
    assert some.added_rows.equals(every.added_rows.slice(0, keep))
    assert every.added_rows.to_pylist() == sorted(every.added_rows.to_pylist())
    for kept, rows in zip(some.changed_rows, every.changed_rows, strict=True):
        assert kept.equals(rows.slice(0, keep))


def test_keys_that_are_null_or_shared_are_told():
    old = [(1, 0.0, "a"), (1, 0.0, "b"), (None, 0.0, "a"), (None, 0.0, "a"), (2, 0.0, "a")]
    new = [(1, 0.0, "a"), (None, 0.0, "a"), (2, 1.5, "a")]
    result = found(old, new, ("k",))
    assert (result.added, result.removed, result.changed) == (0, 2, 1)
    assert result.null_keys == (2, 1)
    assert result.shared_keys == (2, 1)


OLD = [(n, 0.0, "a") for n in range(9)]


@pytest.mark.parametrize(
    ("new", "key", "read"),
    [
        ([(n, 1.5, "a") for n in range(9)], (), {("x",)}),
        ([(n, 1.5, "a") for n in range(9)], ("k",), {("k", "x")}),
        ([*OLD[1:], (9, 1.5, "a")], ("k",), {("k", "t", "x")}),
    ],
)
def test_equal_columns_arent_read(new, key, read):
    seen = []
    row_diff(source(OLD, seen=seen), source(new, seen=seen), columns_of(OLD, new, key), 0)
    assert {tuple(sorted(columns)) for columns in seen} == read


def test_equal_columns_are_read_where_rows_may_have_changed_places():
    old = [(0, 0.0, "a"), (0, 1.5, "a")]
    seen = []
    new = old[::-1]
    result = row_diff(source(old, seen=seen), source(new, seen=seen), columns_of(old, new, ()), 0)
    assert (result.added, result.removed) == (0, 0)
    assert {len(columns) for columns in seen} == {1, 3}


def test_nothing_is_left_in_temporary_folders(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(row_spool, "MOST_BYTES", 64)
    monkeypatch.setattr(row_spool, "_PART_BYTES", 32)
    there = []

    def batches(columns):
        for batch in table(OLD * 9).select(columns).to_batches(max_chunksize=3):
            yield batch
            there.extend(tmp_path.iterdir())
        raise KeyboardInterrupt

    stopped = RowSource("", "", 81, SCHEMA, batches)
    with pytest.raises(KeyboardInterrupt):
        row_diff(source(OLD * 9), stopped, Columns((), (), NAMES), 0)
    assert not there
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_a_fault_that_says_where_to_look(monkeypatch):
    monkeypatch.setattr(row_spool, "MOST_BYTES", 64)
    monkeypatch.setattr(row_spool, "_PART_BYTES", 32)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: open("/dev/full", "r+b"))  # noqa: SIM115, PTH123
    with pytest.raises(StorageFault, match="TMPDIR"):
        found(OLD * 999, OLD[:1], ())


@pytest.fixture
def versions(datasets):
    old = {"id": [1, 2, 3], "price": [1.0, 2.0, NAN], "tags": [["a"], [], None], "gone": [1, 1, 1]}
    new = {"id": [4, 3, 1], "price": [4.0, NAN, 1.5], "tags": [[], None, ["b"]], "new": [0, 0, 0]}
    return datasets.log("t", old), datasets.log("t", new)


def test_the_rows_themselves_are_given(versions):
    told = versions[0].diff(versions[1], key="id")
    assert (told.rows_added, told.rows_removed, told.rows_changed) == (1, 1, 1)
    assert told.added().to_pylist() == [{"id": 4, "price": 4.0, "tags": [], "new": 0}]
    assert told.removed().to_pylist() == [{"id": 2, "price": 2.0, "tags": [], "gone": 1}]
    assert told.changed().to_pylist() == [
        {
            "id": 1,
            "price.before": 1.0,
            "price.after": 1.5,
            "tags.before": ["a"],
            "tags.after": ["b"],
        }
    ]
    assert told.values_changed == {"price": 1, "tags": 1}


def test_rows_without_a_key_are_given_too(versions):
    told = versions[0].diff(versions[1])
    assert told.added().column("id").to_pylist() == [4, 1]
    assert told.removed(limit=1).column("id").to_pylist() == [1]
    assert told.rows_changed is None
    with pytest.raises(InvalidInput, match="key="):
        told.changed()


def test_more_rows_than_are_kept_are_given_in_their_order(datasets, monkeypatch):
    monkeypatch.setattr("mlkit.data.comparing.diff._KEPT", 2)
    order = [7, 3, 5, 1, 2, 9, 8, 0, 4, 6]
    old = datasets.log("t", {"id": list(range(10)), "n": [0] * 10, "n.before": [0] * 10})
    new = datasets.log("t", {"id": order, "n": order, "n.before": [0] * 10})
    told = old.diff(new, key=["id"])
    assert told.changed(limit=1).to_pydict() == {"id": [7], "n.before": [0], "n.after": [7]}
    every = [n for n in order if n]
    assert told.changed(None).column("n.after").to_pylist() == every
    assert told.changed(limit=5).column("id").to_pylist() == every[:5]
    assert told.changed(limit=0).num_rows == 0


def test_a_column_named_as_a_result_would_be_keeps_its_name(datasets):
    old = datasets.log("t", {"n.before": [1], "n": [1]})
    told = old.diff(datasets.log("t", {"n.before": [1], "n": [2]}), key="n.before")
    assert told.changed().to_pydict() == {"n.before": [1], "n.before_": [1], "n.after": [2]}


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("idd", "Did you mean 'id'"),
        (["id", "id"], "twice"),
        ([], "no column"),
        ("gone", "no column 'gone' in t:2"),
    ],
)
def test_a_key_that_cant_be_is_refused_before_anything_is_read(versions, key, why):
    with pytest.raises(InvalidInput, match=why):
        versions[0].diff(versions[1], key=key)


def test_a_key_of_two_types_is_refused(datasets):
    old, new = datasets.log("t", {"id": [1]}), datasets.log("t", {"id": ["1"]})
    with pytest.raises(InvalidInput, match="int64 in t:1, and string in t:2"):
        diff(old, new, key="id")


def test_files_have_no_key(datasets, folder, versions):
    with pytest.raises(InvalidInput, match="f:1 is a folder"):
        versions[0].diff(datasets.log("f", folder), key="id")


def test_a_negative_limit_is_refused(versions):
    with pytest.raises(InvalidInput, match="limit=-1"):
        versions[0].diff(versions[1]).added(-1)


def test_rows_of_a_table_and_a_folder_cant_be_given(datasets, folder, versions):
    with pytest.raises(InvalidInput, match="not both are tables"):
        versions[0].diff(datasets.log("f", folder)).added()


def test_damage_is_found_when_rows_are_read(datasets, memory, versions):
    told = versions[0].diff(versions[1])
    for entry in list(memory.list("packs")):
        memory.delete(entry.path)
    assert told.columns_changed == ("id", "price", "tags")
    with pytest.raises((Corrupt, KeyError)):
        str(told)


def test_the_shift_of_each_changed_column_is_told(datasets):
    old = datasets.log("t", {"same": list(range(100)), "moved": list(range(100))})
    new = datasets.log("t", {"same": list(range(100)), "moved": list(range(50, 150))})
    shifts = old.diff(new).shifts
    assert list(shifts) == ["moved"]
    assert shifts["moved"].distance == pytest.approx(0.5, abs=0.02)
    assert old.diff(old).shifts == {}


def test_hostile_names_and_values_stay_text(datasets):
    bad = "<script>alert(1)</script>\x1b[31m"
    old = datasets.log("t", {"id": [1, 2], bad: [bad, "b"]})
    told = old.diff(datasets.log("t", {"id": [1, 3], bad: ["a", "c"]}), key="id")
    shown = told._repr_html_()
    assert "<script" not in shown
    assert "\x1b" not in shown
    assert "\x1b" not in str(told)
    assert "&lt;script&gt;" in shown


def test_text_and_html_tell_what_the_key_didnt(datasets):
    old = datasets.log("t", {"id": [1, 1, None], "n": [1, 2, 3]})
    told = old.diff(datasets.log("t", {"id": [1, 1, None], "n": [1, 2, 4]}), key="id")
    for text in (str(told), told._repr_html_()):
        assert "have a null in the key" in text
        assert "share their key" in text
    assert "(+1, -1, 0 changed)" in str(told)


def test_times_that_python_has_no_type_for_are_shown(datasets):
    def at(moment):
        return pa.table({"id": [1], "at": pa.array([moment], pa.timestamp("ns"))})

    told = datasets.log("t", at(1)).diff(datasets.log("t", at(2)), key="id")
    assert "1970-01-01 00:00:00.000000002" in told._repr_html_()


@given(st.lists(st.lists(st.integers(0, 99), max_size=5)), st.none() | st.integers(0, 4))
def test_the_lowest_of_all_numbers_are_kept_whatever_their_order(pieces, keep):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lowest_rows, "_SLACK", 0)
        lowest = LowestRows(keep, 2)
        for piece in pieces:
            numbers = pa.array(piece, pa.int64())
            lowest.take(numbers, pc.negate(numbers))
    every = sorted(number for piece in pieces for number in piece)
    first, second = (column.to_pylist() for column in lowest.rows())
    assert lowest.count == len(every)
    assert first == every[:keep] == [-number for number in second]


@given(TABLES, st.data())
def test_rows_are_given_by_their_numbers(rows, data):
    numbers = sorted(data.draw(st.sets(st.sampled_from(range(len(rows))))) if rows else [])
    found = source(rows).rows_at(pa.array(numbers, pa.int64()), ["t", "k"])
    assert found.to_pylist() == [{"t": rows[n][2], "k": rows[n][0]} for n in numbers]


def test_reading_ends_with_the_last_row_that_is_wanted():
    given_out = []

    def read(columns):
        for batch in table(OLD).select(columns).to_batches(max_chunksize=2):
            given_out.append(len(batch))
            yield batch

    RowSource("", "", 9, SCHEMA, read).rows_at(pa.array([1, 2]), ["k"])
    assert sum(given_out) == 4


@pytest.mark.parametrize(
    ("scalar", "shown"),
    [
        (pa.scalar(5, pa.duration("ns")), "5 ns"),
        (pa.scalar(2**62, pa.timestamp("us")), "<value out of range: 4611686018427387904>"),
        (pa.scalar(None, pa.timestamp("ns")), None),
        (pa.scalar([1]), [1]),
    ],
)
def test_values_are_shown_that_python_has_no_type_for(scalar, shown):
    assert python_value(scalar) == shown


def test_a_wide_table_says_what_it_leaves_out(datasets):
    names = [f"c{number}" for number in range(99)]
    old = datasets.log("t", {"id": [1], **{name: [1] for name in names}})
    told = old.diff(datasets.log("t", {"id": [1], **{name: [2] for name in names}}), key="id")
    assert "and 149 more columns" in told._repr_html_()
    assert "and 49 more" in told._repr_html_()
    assert "and 93 more" in str(told)
