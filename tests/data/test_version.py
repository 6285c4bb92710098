"""Versions: their values and files are read as they were, checked, and only as far as needed."""

import sys
import uuid

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlkit.errors import Corrupt, InvalidInput, MissingExtra, NotFound
from mlkit.objects.blobs import object_path
from mlkit.storage.memory import MemoryStorage
from mlkit.testing import FaultyStorage

TABLE = pa.table(
    {
        "b": [True, None, False],
        "c": pa.array(["u", None, "u"]).dictionary_encode(),
        "e": pa.array([7, 8, 7]).dictionary_encode().cast(pa.dictionary(pa.int8(), pa.int64())),
        "d": pa.array([0, 1, None], pa.date32()).cast(pa.date64()),
        "l": [[1], None, []],
        "m": pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        "n": pa.nulls(3),
        "h": pa.array([1.5, None, 2.5], pa.float16()),
        "s": pa.array(["a", None, ""], pa.large_string()),
        "t": pa.array([1, None, 3], pa.timestamp("s", "Europe/Berlin")),
        "x": pa.array([1, None, 3], pa.duration("ns")),
        "z": pa.array([b"abc", None, b"def"], pa.binary(3)),
        "o": [{"p": 1, "q": "r"}, None, {"p": None, "q": ""}],
        "w": pa.array([1, None, 3], pa.time32("s")),
    }
)


@pytest.fixture
def version(datasets):
    return datasets.log("x", TABLE)


class TestTables:
    def test_types_and_values_come_back_exactly(self, version):
        back = version.to_arrow()
        assert back.schema == TABLE.schema
        assert back.to_pylist() == TABLE.to_pylist()
        assert version.schema == TABLE.schema

    def test_columns_come_in_the_order_that_was_asked_for(self, version):
        assert version.to_arrow(["t", "b"]).equals(TABLE.select(["t", "b"]))

    def test_only_the_wanted_columns_are_read(self, memory, open_datasets):
        big = pa.table({name: [name * 3 + str(n) for n in range(300_000)] for name in "abcdefgh"})
        open_datasets(memory).log("big", big)
        packed = sum(entry.size for entry in memory.list("packs"))

        class Counting(FaultyStorage):
            seen = 0

            def read(self, path, start=0, end=None):
                data = super().read(path, start, end)
                Counting.seen += len(data) * path.startswith("packs/")
                return data

        assert open_datasets(Counting(memory)).get("big").to_arrow(["d"]).num_rows == 300_000
        assert 0 < Counting.seen < packed

    def test_batches_have_the_rows_in_order(self, datasets):
        version = datasets.log("n", pa.table({"n": list(range(10)), "m": list(range(10))}))
        batches = list(version.batches(["n"], rows=4))
        assert [batch.num_rows for batch in batches] == [4, 4, 2]
        assert pa.Table.from_batches(batches)["n"].to_pylist() == list(range(10))

    def test_batches_have_the_exact_types(self, version):
        assert [batch.schema for batch in version.batches(rows=2)] == [TABLE.schema] * 2

    @pytest.mark.parametrize("read", ["to_arrow", "to_pandas", "to_polars"])
    def test_an_unknown_column_is_answered_with_a_near_one(self, datasets, read):
        version = datasets.log("f", {"carrier": ["UA"], "delay": [1]})
        with pytest.raises(InvalidInput, match="Did you mean 'carrier'"):
            getattr(version, read)(["carier"])
        with pytest.raises(InvalidInput, match="There are: carrier, delay"):
            getattr(version, read)(["zzz"])

    def test_columns_as_a_text_or_twice_are_refused(self, version):
        with pytest.raises(InvalidInput, match=r"Write a list of names: \['b'\]"):
            version.to_arrow("b")
        with pytest.raises(InvalidInput, match="twice"):
            version.to_arrow(["b", "b"])

    def test_batches_without_rows_are_refused(self, version):
        with pytest.raises(InvalidInput, match="can't have 0 rows"):
            next(version.batches(rows=0))

    def test_polars_gets_the_values(self, datasets):
        frame = pl.DataFrame({"a": [1, None], "s": ["x", None], "l": [[1], []]})
        assert datasets.log("p", frame).to_polars().equals(frame)

    def test_pandas_gets_integers_with_nulls_as_it_has_them(self, datasets):
        version = datasets.log("p", {"i": [1, None]})
        assert str(version.to_pandas()["i"].dtype) == "float64"

    @pytest.mark.parametrize(
        ("kind", "value", "dtype"),
        [
            (pa.int64(), 2**53 + 1, "Int64"),
            (pa.int64(), -(2**53) - 1, "Int64"),
            (pa.uint64(), 2**64 - 1, "UInt64"),
        ],
    )
    def test_pandas_never_rounds_an_integer(self, datasets, kind, value, dtype):
        version = datasets.log("p", pa.table({"i": pa.array([value, None], kind)}))
        frame = version.to_pandas()
        assert str(frame["i"].dtype) == dtype
        assert frame["i"][0] == value

    def test_pandas_gets_a_column_of_nulls(self, datasets):
        version = datasets.log("p", pa.table({"i": pa.nulls(2, pa.int64())}))
        assert version.to_pandas()["i"].isna().all()

    @pytest.mark.parametrize("library", ["pandas", "polars"])
    def test_a_library_that_is_missing_is_named(self, version, monkeypatch, library):
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(MissingExtra, match=f"pip install {library}"):
            getattr(version, f"to_{library}")()

    def test_views_and_runs_come_back_plain(self, datasets):
        table = pa.table(
            {
                "v": pa.array(["a", None], pa.string_view()),
                "r": pa.RunEndEncodedArray.from_arrays([2], ["a"]),
                "l": pa.array([[1], None], pa.list_view(pa.int64())),
            }
        )
        version = datasets.log("x", table)
        assert version.to_arrow().to_pydict() == table.to_pydict()
        assert version.schema.field("v").type == pa.large_string()

    def test_categories_come_back_whole_and_in_their_order(self, datasets):
        kind = pd.CategoricalDtype(["low", "unused", "mid", "high"], ordered=True)
        frame = pd.DataFrame({"c": pd.Categorical(["high"] * 200_000 + ["low", None], dtype=kind)})
        back = datasets.log("c", frame).to_pandas()["c"]
        assert back.dtype == kind
        assert back.max() == "high"
        assert back.isna().sum() == 1

    def test_too_many_categories_are_those_of_the_rows(self, datasets):
        values = [str(number) for number in range(10_001)]
        column = pa.DictionaryArray.from_arrays(pa.array([10_000, None, 0]), values)
        back = datasets.log("c", pa.table({"c": column})).to_arrow()["c"]
        assert back.to_pylist() == ["10000", None, "0"]
        assert back.type == column.type

    @pytest.mark.parametrize("note", [b"nonsense", b"!"])
    def test_categories_that_cannot_be_read_are_corrupt(self, datasets, note):
        from attrs import evolve

        from mlkit.data.parquet import encode_schema

        version = datasets.log("c", pa.table({"c": pa.array(["a"]).dictionary_encode()}))
        [field] = version.schema
        damaged = field.with_metadata({b"mlkit.categories": note})
        with pytest.raises(Corrupt, match="categories of column 'c'"):
            evolve(version, schema=encode_schema(pa.schema([damaged]))).to_arrow()

    def test_a_value_that_is_no_category_is_corrupt(self, datasets):
        from attrs import evolve

        from mlkit.data.parquet import encode_schema

        one = datasets.log("c", pa.table({"c": pa.array(["a"]).dictionary_encode()}))
        other = datasets.log("c", pa.table({"c": pa.array(["b"]).dictionary_encode()}))
        with pytest.raises(Corrupt, match="none of its categories"):
            evolve(one, schema=encode_schema(other.schema)).to_arrow()

    @pytest.mark.parametrize("what", ["to_arrow", "to_pandas", "schema", "profile", "batches"])
    def test_a_folder_is_no_table(self, datasets, folder, what):
        version = datasets.log("images", folder)
        with pytest.raises(InvalidInput, match="images:1 is a folder, not a table"):
            read_any(version, what)


def read_any(version, what):
    value = getattr(version, what)
    return list(value()) if what == "batches" else value()


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
        st.sampled_from([*TABLE.column_names]),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 3),
)
def test_any_table_is_the_same_version_after_reading_it(open_datasets, names, rows):
    table = pa.table({name: TABLE[column][:rows] for name, column in names.items()})
    datasets = open_datasets(MemoryStorage(f"any-table-{uuid.uuid4()}"))
    version = datasets.log("any", table)
    assert datasets.log("any", version.to_arrow()) == version
    assert version.to_arrow().to_pylist() == table.to_pylist()


class TestFiles:
    def test_a_table_is_one_parquet_file(self, version):
        assert [entry.path for entry in version.files()] == ["data.parquet"]
        with version.open() as stream:
            assert pd.read_parquet(stream)["b"].tolist() == [True, None, False]

    def test_a_file_that_is_not_there_is_answered_with_a_near_one(self, datasets, folder):
        version = datasets.log("images", folder)
        with pytest.raises(NotFound, match=r"Did you mean 'cats/tom\.png'"):
            version.open("cats/tom.jpg")
        with pytest.raises(NotFound, match="It has 4 files"):
            version.open()

    def test_versions_are_equal_by_what_they_are(self, datasets, version):
        assert datasets.get("x") == version
        assert "sha256" in repr(version)

    def test_a_damaged_pack_is_noticed(self, version, memory):
        path = next(memory.list("packs")).path
        data = bytearray(memory.read(path))
        data[10] ^= 1
        memory.write(path, bytes(data))
        for read in (version.to_arrow, lambda: list(version.batches())):
            with pytest.raises(Corrupt, match=path):
                read()

    def test_a_missing_pack_is_not_found(self, version, memory):
        path = next(memory.list("packs")).path
        memory.delete(path)
        for read in (version.to_arrow, lambda: list(version.batches())):
            with pytest.raises(NotFound, match=path):
                read()

    def test_a_missing_manifest_is_not_found(self, version, memory, open_datasets):
        [digest] = version.manifest
        memory.delete(object_path("blobs", digest))
        with pytest.raises(NotFound):
            open_datasets(memory).get("x").files()

    def test_a_file_that_is_no_parquet_is_corrupt(self, datasets, memory, tmp_path):
        from attrs import evolve

        (tmp_path / "data.parquet.txt").write_bytes(b"no parquet")
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "data.parquet").write_bytes(b"no parquet")
        version = evolve(
            datasets.log("x", TABLE), manifest=datasets.log("f", tmp_path / "in").manifest
        )
        for read in (version.to_arrow, lambda: list(version.batches())):
            with pytest.raises(Corrupt, match="can't be read"):
                read()


class TestNotebook:
    def test_a_version_is_shown_with_its_columns_escaped(self, datasets):
        shown = datasets.log("x", {"a<b": [1]}, description="<i>mine</i>")._repr_html_()
        assert "a&lt;b" in shown
        assert "&lt;i&gt;mine" in shown
        assert "x:1" in shown

    def test_a_folder_is_shown_without_columns(self, datasets, folder):
        shown = datasets.log("images", folder)._repr_html_()
        assert "images:1" in shown
        assert "<th" not in shown.partition('class="mlk"')[2]


def test_a_version_says_in_short_what_it_is(datasets, folder):
    table = datasets.log("t", {"a": list(range(1500))})
    said = f"<DatasetVersion t:1: table, 1,500 rows, sha256:{table.digest[7:15]}…>"
    assert repr(table) == said
    assert "table, 1 row, " in repr(datasets.log("one", {"a": [1]}))
    assert repr(datasets.log("f", folder)).startswith("<DatasetVersion f:1: folder, 2.5 MB, ")
    kept = datasets.reference("r", str(folder))
    assert repr(kept).startswith(f"<DatasetVersion r:1: reference to {kept.url}, ")


def test_datasets_say_in_short_what_they_hold(datasets):
    assert repr(datasets) == "<Datasets: none>"
    datasets.log("t", {"a": [1]})
    assert repr(datasets) == "<Datasets: t>"
    assert repr(datasets["t"]) == "<Dataset t: version 1>"
    datasets.log("t", {"a": [2]})
    assert repr(datasets["t"]) == "<Dataset t: version 2>"
