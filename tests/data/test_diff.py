"""Diffs: what changed from one version to another."""

import pyarrow as pa
import pytest

from mlkit.errors import InvalidInput

OLD = {"a": [1, 2], "b": ["x", "y"], "c": [1.0, 2.0], "gone": [0, 0]}
NEW = {"c": [1.0, 2.5], "a": [1, 2], "b": [7, 8], "new": [1, 1]}


@pytest.fixture
def tables(datasets):
    return datasets.log("t", OLD), datasets.log("t", NEW)


def test_columns_are_told_apart(tables):
    found = tables[0].diff(tables[1])
    assert found.columns_added == ("new",)
    assert found.columns_removed == ("gone",)
    assert found.columns_retyped == ("b",)
    assert found.columns_changed == ("c",)
    assert found.columns_moved
    assert found.rows == (2, 2)
    assert not found.same


def test_the_other_way_round_is_the_opposite(tables):
    found = tables[1].diff(tables[0])
    assert (found.columns_added, found.columns_removed) == (("gone",), ("new",))


def test_it_says_so_in_words(tables):
    assert str(tables[0].diff(tables[1])).splitlines() == [
        "t:1 -> t:2",
        "  rows: 2 -> 2 (+1, -1 by the columns of both)",
        "  columns added: new",
        "  columns removed: gone",
        "  columns retyped: b",
        "  columns changed: c",
        "  columns in another order",
    ]


def test_rows_are_counted(datasets):
    old, new = datasets.log("t", {"a": list(range(1500))}), datasets.log("t", {"a": [1]})
    found = old.diff(new)
    assert found.rows == (1500, 1)
    assert "rows: 1,500 -> 1" in str(found)


def test_a_version_and_itself_are_the_same(datasets, folder):
    for version in (datasets.log("t", OLD), datasets.log("f", folder)):
        found = version.diff(version)
        assert found.same
        assert str(found).endswith("nothing changed")


def test_another_layout_is_no_change(datasets):
    plain = pa.table({"a": ["x", "y"]})
    coded = pa.table({"a": pa.array(["x", "y"]).dictionary_encode()})
    assert datasets.log("p", plain).diff(datasets.log("q", coded)).same


def test_files_are_told_apart(datasets, folder):
    old = datasets.log("images", folder)
    (folder / "a.txt").write_bytes(b"other")
    (folder / "cats" / "tom.png").unlink()
    for number in range(8):
        (folder / f"new{number}").write_bytes(b"")
    found = old.diff(datasets.log("images", folder))
    assert found.files_changed == ("a.txt",)
    assert found.files_removed == ("cats/tom.png",)
    assert len(found.files_added) == 8
    assert "and 2 more" in str(found)


def test_a_table_and_a_folder_differ_by_their_files(datasets, folder):
    found = datasets.log("t", OLD).diff(datasets.log("f", folder))
    assert found.files_removed == ("data.parquet",)
    assert found.rows == (2, None)
    assert "rows: 2 -> none" in str(found)


def test_a_notebook_shows_it(tables, datasets, folder):
    shown = tables[0].diff(tables[1])._repr_html_()
    assert "columns retyped" in shown
    assert "t:1 -&gt; t:2" in shown
    version = datasets.log("f", folder)
    assert "rows" not in version.diff(version)._repr_html_().partition('class="mlk"')[2]


def test_rows_are_matched_by_content(datasets):
    table = pa.table({"n": range(1000), "text": [f"row {n % 9}" for n in range(1000)]})
    old = datasets.log("t", table)
    edited = table.slice(10).to_pydict()
    edited["text"][5] = "edited"
    found = old.diff(datasets.log("t", edited))
    assert (found.rows_added, found.rows_removed) == (1, 11)
    assert "rows: 1,000 -> 990 (+1, -11)" in str(found)
    assert "1,000 -&gt; 990 (+1, -11)" in found._repr_html_()


def test_equal_rows_count_each_and_so_do_nulls_and_nan(datasets):
    nan = float("nan")
    old = datasets.log("t", {"a": [1, 1, 1, None], "x": [nan, nan, nan, 0.5]})
    new = datasets.log("t", {"a": [None, 1, None], "x": [0.5, nan, 0.5]})
    found = old.diff(new)
    assert (found.rows_added, found.rows_removed) == (1, 2)


def test_another_order_is_told(datasets):
    found = datasets.log("t", {"a": [1, 2]}).diff(datasets.log("t", {"a": [2, 1]}))
    assert (found.rows_added, found.rows_removed) == (0, 0)
    assert "rows: 2 -> 2 (the same in another order)" in str(found)
    assert not found.same


def test_another_layout_doesnt_keep_rows_from_being_matched(datasets):
    plain = pa.table({"a": ["x", "y"]})
    coded = pa.table({"a": pa.array(["y", "z", "z"]).dictionary_encode()})
    found = datasets.log("p", plain).diff(datasets.log("q", coded))
    assert (found.rows_added, found.rows_removed) == (2, 1)


def test_rows_of_empty_tables_are_matched(datasets):
    empty = datasets.log("t", pa.table({"a": pa.array([], pa.int64())}))
    found = empty.diff(datasets.log("t", {"a": [1, 1]}))
    assert (found.rows_added, found.rows_removed) == (2, 0)


def test_rows_that_arent_matched_say_why(datasets):
    found = datasets.log("t", {"a": [1]}).diff(datasets.log("t", {"b": [1, 2]}))
    assert (found.rows_added, found.rows_removed) == (None, None)
    assert "(not matched: no column is in both)" in str(found)


def test_tables_of_other_columns_only_are_told_without_reading(datasets, memory):
    old = datasets.log("t", {"a": [1], "b": [1]})
    new = datasets.log("t", {"a": [1], "c": [1]})
    packs = list(memory.list("packs"))
    assert packs
    for entry in packs:
        memory.delete(entry.path)
    assert old.diff(new).rows_added == 0


def test_what_is_no_version_no_key_and_no_limit_is_refused(tables):
    old, new = tables
    for other in (None, new.ref, {"a": [1]}):
        with pytest.raises(InvalidInput, match="no version of a dataset"):
            old.diff(other)
    with pytest.raises(InvalidInput, match="key=5 is no name of a column"):
        old.diff(new, key=5)
    for limit in ("x", 1.5, True, -1):
        with pytest.raises(InvalidInput, match="limit="):
            old.diff(new).added(limit)
    with pytest.raises(InvalidInput, match="no profile"):
        old.profile.merge(5)
