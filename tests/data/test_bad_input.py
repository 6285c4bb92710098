"""Bad input: each kind has an error that says what to do, makes no version, and leaves no trace."""

import datetime as dt
import decimal
import functools
import gzip
import json
import uuid

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from mlkit.errors import InvalidInput


def refused(datasets, data, match):
    """Hand data over, which must be refused with a hint and without a trace."""
    with pytest.raises(InvalidInput, match=match) as caught:
        datasets.log("x", data)
    assert caught.value.hint
    assert datasets.names() == []
    left = [entry.path for entry in datasets.storage.list()]
    assert all(
        path.startswith("packs/") for path in left
    )  # which nothing refers to, so gc frees it
    return caught.value


NAIVE = dt.datetime(2020, 1, 1)  # noqa: DTZ001 - without a time zone on purpose
NESTED = functools.reduce(lambda kind, _: pa.list_(kind), range(70), pa.int64())


class TestColumns:
    @pytest.mark.parametrize(
        ("data", "match"),
        [
            ({"odd": [1, "a"]}, "'odd' mixes values of types int, str"),
            ({"odd": [True, 1]}, "'odd' mixes"),
            ({"odd": [1 + 2j]}, "complex in column 'odd'"),
            ({"odd": [object()]}, "object in column 'odd'"),
            ({"odd": [dt.date(2020, 1, 1), dt.datetime(2020, 1, 1, 5)]}, "'odd' mixes"),  # noqa: DTZ001
            ({"odd": ["\ud800"]}, "'odd'"),
            ({"odd": [2**70]}, "'odd'"),
            ({"odd": "abc"}, "'odd' is one value of type str"),
            ({"odd": 1}, "'odd' is one value of type int"),
            ({"a": [1, 2], "odd": [1]}, "'a' has 2 rows, and 'odd' has 1"),
            ([{"odd": 1}, {"odd": "x"}], "'odd' mixes"),
            ([{"odd": {"b": 1}}, {"odd": {"b": "x"}}], "'odd'"),
            ([[1, 2], [3]], "Row 1 has 1 values"),
            ({"odd": [2**64 - 1, -1]}, "'odd'"),
            ({"odd": [NAIVE, NAIVE.replace(tzinfo=dt.UTC)]}, "'odd' mixes times that have a time"),
            ([{"odd": NAIVE.replace(tzinfo=dt.UTC)}, {"odd": NAIVE}], "'odd' mixes times"),
            ({"odd": [[{"t": NAIVE}], [{"t": NAIVE.replace(tzinfo=dt.UTC)}]]}, "'odd' mixes times"),
        ],
    )
    def test_values_without_a_common_type_name_their_column(self, datasets, data, match):
        refused(datasets, data, match)

    @pytest.mark.parametrize(
        ("data", "match"),
        [
            ({}, "without columns"),
            ([{}], "without columns"),
            (pd.DataFrame(index=[1, 2]), "without columns"),
            (pl.DataFrame(), "without columns"),
            (np.zeros((3, 0)), "without columns"),
            (pd.DataFrame({None: [1]}), "None instead of a name"),
            (pd.DataFrame([[1, 2]], columns=["a", "a"]), "the name 'a'"),
            ({"a\ud800": [1]}, "UTF-8 doesn't have"),
            ({"a\0b": [1]}, "null character"),
            (pa.table({"a\0b": [1]}), "null character"),
            (pl.DataFrame({"a\0b": [1]}), "null character"),
            (pl.LazyFrame({"a\0b": [1]}), "null character"),
            (pa.table({"odd": pa.array([{"a\0b": 1}])}), "'odd' has a field"),
            (
                pa.table(
                    {
                        "odd": pa.StructArray.from_arrays(
                            [pa.array([1]), pa.array([2])], names=["a", "a"]
                        )
                    }
                ),
                "'odd' has two fields of the name 'a'",
            ),
        ],
    )
    def test_names_that_say_nothing_are_refused(self, datasets, data, match):
        refused(datasets, data, match)

    @pytest.mark.parametrize(
        ("kind", "match"),
        [
            (pa.month_day_nano_interval(), "'odd': the type month_day_nano_interval"),
            (pa.struct([]), "'odd': the type struct<>"),
            (pa.sparse_union([pa.field("a", pa.int64())]), "'odd': the type sparse_union"),
            (NESTED, "'odd' is nested more than 60 levels deep"),
            (pa.list_(pa.struct([pa.field("a", pa.struct([]))])), "'odd': the type struct<>"),
        ],
        ids=["interval", "empty struct", "union", "deep", "empty struct within"],
    )
    def test_types_that_cannot_be_kept_are_refused_before_a_row_is_read(
        self, datasets, kind, match
    ):
        def batches():
            raise AssertionError("a row was read")
            yield

        schema = pa.schema({"ok": pa.int64(), "odd": kind})
        refused(datasets, pa.RecordBatchReader.from_batches(schema, batches()), match)

    def test_names_that_differ_by_case_or_unicode_form_are_columns_of_their_own(self, datasets):
        columns = {"a": [1], "A": [2], "é": [3], "e\u0301": [4]}
        assert datasets.log("x", columns).to_arrow().to_pydict() == columns


class TestPandas:
    @pytest.mark.parametrize(
        ("column", "match"),
        [
            (pd.period_range("2020", periods=2, freq="M"), "'odd' holds periods"),
            (pd.interval_range(0, 2), "'odd' holds intervals"),
            (pd.arrays.SparseArray([0, 1]), "'odd'"),
            (pd.Series([1, "a"], dtype=object), "'odd' mixes"),
            (pd.Series([{"a": 1}, [1]], dtype=object), "'odd' mixes"),
            (pd.Series([1 + 2j, 0]), "'odd'"),
        ],
        ids=["period", "interval", "sparse", "mixed", "mixed nested", "complex"],
    )
    def test_columns_that_only_pandas_has_are_named(self, datasets, column, match):
        refused(datasets, pd.DataFrame({"ok": [1, 2], "odd": column}), match)

    def test_names_of_several_levels_are_refused(self, datasets):
        columns = pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")])
        refused(datasets, pd.DataFrame([[1, 2]], columns=columns), "several levels")

    def test_an_index_is_left_out_also_one_of_several_levels(self, datasets):
        index = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["k", "n"])
        frame = pd.DataFrame({"x": [1, 2]}, index=index)
        assert datasets.log("x", frame).to_arrow().to_pydict() == {"x": [1, 2]}

    def test_what_is_missing_is_null_and_nothing_else(self, datasets):
        frame = pd.DataFrame(
            {
                "f": [1.5, float("nan")],
                "t": [pd.Timestamp("2020"), pd.NaT],
                "o": pd.Series([None, "x"], dtype=object),
                "n": pd.array([1, pd.NA], dtype="Int64"),
            }
        )
        back = datasets.log("x", frame).to_arrow()
        assert [column.null_count for column in back.columns] == [1, 1, 1, 1]


class TestPolars:
    @pytest.mark.parametrize(
        ("series", "match"),
        [
            (pl.Series("odd", [object()], dtype=pl.Object), "'odd' holds Python objects"),
            (pl.Series("odd", [1], dtype=pl.Int128), "'odd' holds Int128"),
        ],
    )
    @pytest.mark.parametrize("lazy", [False, True])
    def test_columns_that_arrow_has_no_type_for_are_named(self, datasets, series, match, lazy):
        frame = series.to_frame()
        refused(datasets, frame.lazy() if lazy else frame, match)

    def test_categories_and_decimals_are_kept(self, datasets):
        frame = pl.DataFrame(
            {
                "enum": pl.Series(["a", "b"], dtype=pl.Enum(["b", "a", "z"])),
                "cat": pl.Series(["a", "b"], dtype=pl.Categorical),
                "dec": [decimal.Decimal("1.50"), None],
                "array": pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int64, 2)),
            }
        )
        first = datasets.log("x", frame)
        assert first.to_arrow().to_pylist() == frame.to_dicts()
        assert datasets.log("x", frame.lazy()) == first
        assert first.to_pandas()["enum"].cat.categories.tolist() == ["b", "a", "z"]

    def test_nan_is_a_value_and_no_null(self, datasets):
        back = datasets.log("x", pl.DataFrame({"x": [1.0, float("nan"), None]})).to_arrow()
        assert back["x"].null_count == 1

    def test_an_error_of_a_query_stays_what_it_is(self, datasets):
        frame = pl.LazyFrame({"a": ["x"]}).with_columns(pl.col("a").cast(pl.Int64))
        with pytest.raises(pl.exceptions.InvalidOperationError):
            datasets.log("x", frame)
        assert datasets.names() == []


class TestNumpy:
    @pytest.mark.parametrize(
        ("array", "match"),
        [
            (np.zeros((2, 2), dtype=complex), "complex128 in column '0'"),
            (np.zeros(2, dtype=np.longdouble), "column '0'"),
            (np.array([1, "a"], dtype=object), "'0' mixes"),
            (np.zeros(2, dtype="V4"), "column '0'"),
            (np.array(["2020-01"], dtype="M8[M]"), "column '0'"),
            (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\)"),
            (np.array(3), r"shape \(\)"),
            (np.zeros(2, dtype=[("a", "i4"), ("odd", "f8", (3,))]), "'odd' is an array of 2"),
            (np.zeros(2, dtype=[("odd", [("a", "i4")])]), "'odd'"),
            (np.zeros((2, 2), dtype=[("odd", "i4")]), "'odd' is an array of 2"),
        ],
    )
    def test_arrays_that_are_no_table_are_refused(self, datasets, array, match):
        refused(datasets, array, match)

    def test_masked_values_are_null(self, datasets):
        array = np.ma.masked_array([[1, 2], [3, 4]], mask=[[True, False], [False, False]])
        back = datasets.log("x", array).to_arrow()
        assert back.to_pydict() == {"0": [None, 3], "1": [2, 4]}


class TestStreams:
    @pytest.mark.parametrize("data", [iter([]), iter([1, 2]), (n for n in "ab"), iter([{"a": 1}])])
    def test_a_stream_of_anything_else_is_refused(self, datasets, data):
        refused(datasets, data, r"not a pyarrow\.RecordBatch")

    @pytest.mark.parametrize(
        ("second", "match"),
        [
            ({"b": [1]}, "of part 1, 'a' is missing"),
            ({"a": ["x"]}, "of part 1, 'a' is string, and was int64"),
            ({"a": [1], "b": [1]}, "of part 1, 'b' is new"),
        ],
    )
    def test_parts_whose_columns_change_are_named(self, datasets, second, match):
        refused(datasets, [pa.record_batch({"a": [1]}), pa.record_batch(second)], match)

    def test_a_stream_of_arrow_that_is_no_table_is_refused(self, datasets):
        class Stream:
            def __arrow_c_stream__(self, requested_schema=None):
                return pa.chunked_array([[1, 2]]).__arrow_c_stream__(requested_schema)

        refused(datasets, Stream(), "Stream gives no Arrow table")

    def test_parts_of_pandas_that_change_their_types_are_named(self, datasets):
        parts = (pd.DataFrame({"a": values}) for values in ([1], [1.5]))
        refused(datasets, parts, "'a' is double, and was int64")

    @pytest.mark.parametrize("error", [LookupError("my own"), KeyboardInterrupt()])
    def test_what_a_stream_raises_in_the_middle_stays_what_it_is(self, datasets, error):
        def batches():
            for _ in range(100):
                yield pa.record_batch({"a": list(range(1000))})
            raise error

        with pytest.raises(type(error)):
            datasets.log("x", batches())
        assert datasets.names() == []
        assert datasets.log("x", {"a": [1]}).number == 1

    def test_a_stream_of_nothing_with_a_schema_is_a_table_without_rows(self, datasets):
        reader = pa.RecordBatchReader.from_batches(pa.schema({"a": pa.int64()}), [])
        assert datasets.log("x", reader).rows == 0


@pytest.mark.parametrize("data", [None, 7, object(), b"bytes", {1, 2}, [], "", "flights:3"])
def test_what_is_no_data_is_refused(datasets, data):
    with pytest.raises(InvalidInput):
        datasets.log("x", data)
    assert list(datasets.storage.list()) == []


class TestFiles:
    @pytest.fixture
    def write(self, tmp_path):
        def write(name, data):
            (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
            return tmp_path / name

        return write

    def test_a_file_that_does_not_exist_is_named(self, datasets, tmp_path):
        with pytest.raises(InvalidInput, match="There is no file or folder"):
            datasets.log("x", tmp_path / "missing.csv")

    @pytest.mark.parametrize(
        "name", ["t.parquet", "t.feather", "t.arrow", "t.csv", "t.jsonl", "t.csv.gz", "t.json.zst"]
    )
    def test_a_file_that_is_not_what_its_name_says_is_named(self, datasets, write, name):
        refused(datasets, write(name, b"a,b\n1,2,3\n\xff\xfe\x00"), name)

    @pytest.mark.parametrize("name", ["t.parquet", "t.feather", "t.csv", "t.jsonl", "t.csv.gz"])
    def test_an_empty_file_is_named(self, datasets, write, name):
        refused(datasets, write(name, b""), name)

    @pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.arrows", "t.csv.gz", "t.jsonl.gz"])
    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
    def test_a_file_that_is_cut_is_named(self, datasets, write, tmp_path, name, share):
        rows = np.random.default_rng(0).integers(0, 1 << 40, 20_000).tolist()
        table = pa.table({"n": rows})
        if name == "t.parquet":
            pq.write_table(table, tmp_path / name)
        elif name == "t.csv.gz":
            write(name, gzip.compress("n\n{}".format("\n".join(map(str, rows))).encode()))
        elif name == "t.jsonl.gz":
            write(name, gzip.compress("\n".join(f'{{"n":{row}}}' for row in rows).encode()))
        else:
            open_it = pa.ipc.new_file if name == "t.arrow" else pa.ipc.new_stream
            with open_it(str(tmp_path / name), table.schema) as writer:
                writer.write_table(table, max_chunksize=1000)
        whole = (tmp_path / name).read_bytes()
        refused(datasets, write(name, whole[: int(len(whole) * share)]), name)

    def test_a_parquet_file_that_is_damaged_inside_is_named(self, datasets, write, tmp_path):
        table = pa.table({"n": list(range(10_000))})
        pq.write_table(table, tmp_path / "t.parquet", compression="zstd")
        data = bytearray((tmp_path / "t.parquet").read_bytes())
        data[4:6000] = b"\xff" * 5996
        refused(datasets, write("t.parquet", bytes(data)), r"t\.parquet")

    def test_a_file_that_changes_while_it_is_read_is_named(self, datasets, tmp_path):
        from mlkit.data.sources.given import given

        path = tmp_path / "t.csv"
        path.write_text("a\n1\n")
        with given(path) as stream:
            path.write_text("a\n1\n2\n")
            with pytest.raises(InvalidInput, match="changed while it was read"):
                list(stream.batches)

    def test_a_file_name_that_cannot_be_kept_is_refused(self, datasets, write):
        with pytest.raises(InvalidInput, match="can't be kept"):
            datasets.log("x", write("a\nb", b""))


class TestCsv:
    @pytest.fixture
    def write(self, tmp_path):
        def write(data, name="t.csv"):
            (tmp_path / name).write_bytes(data)
            return tmp_path / name

        return write

    @pytest.mark.parametrize(
        ("data", "match"),
        [
            (b"a,b\n1,2\n3\n", "Expected 2 columns, got 1"),
            (b"a,b\n1,2,3\n", "Expected 2 columns, got 3"),
            (b"a,b\n1,\xff\n", "Column 'b' of .* isn't UTF-8"),
            (b"a,\xff\n1,2\n", "names of the columns of .* aren't UTF-8"),
            ("a,b\nä,2\n".encode("latin-1"), "Column 'a' of .* isn't UTF-8"),
            ("a,b\n1,2\n".encode("utf-16"), "can't be read as CSV"),
            (b"a,a\n1,2\n", "the name 'a'"),
            (b"a;b\n1;2\n", r"parted by ';'. Read it with pandas\.read_csv"),
            (b"\n\n", "is empty"),
        ],
    )
    def test_what_is_wrong_with_a_file_is_told(self, datasets, write, data, match):
        refused(datasets, write(data), match)

    @pytest.mark.parametrize("last", [b"1\n", b"1,2,3\n", b"1,\xff\n"])
    def test_it_is_found_in_the_last_row_of_a_large_file_too(self, datasets, write, last):
        refused(datasets, write(b"a,b\n" + b"1,x\n" * 2_000_000 + last), r"t\.csv")

    def test_a_tab_in_a_csv_file_and_a_comma_in_a_tsv_file_are_told(self, datasets, write):
        refused(datasets, write(b"a\tb\n1\t2\n"), "parted by")
        refused(datasets, write(b"a,b\n1,2\n", "t.tsv"), "parted by ','")


class TestJson:
    @pytest.fixture
    def write(self, tmp_path):
        def write(data, name="t.jsonl"):
            (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
            return tmp_path / name

        return write

    @pytest.mark.parametrize(
        ("data", "match"),
        [
            ('{"a":1}\n{"a":"x"}\n', "'a' changes from number to string in row 2"),
            ('{"a":{"b":[1]}}\n{"a":{"b":["x"]}}\n', r"'a\.b\[\]' changes from number"),
            (
                '{"a":true}\n{"a":1}',
                "'a' changes from boolean to number in a row after the first 1",
            ),
            ('{"a":1,"a":2}', "was specified twice, in row 1"),
            ('{"a":1}\n[1]', "row 2 is no object"),
            ('{"a":1}\n{"a":', "in row 2"),
            ("null\n", "row 1 is no object"),
            ('{"a":1}\n\n \t null\n', "row 2 is no object"),
            ('{"a":1} {"a":2}', "1 lines hold 2 objects"),
            ('{\n"a":1}\n', "2 lines hold 1 objects"),
            (b'{"a":"\xff"}', "isn't UTF-8"),
            ("{}", "no row with a value"),
            ("\n \n", "no row with a value"),
        ],
    )
    def test_what_is_wrong_with_a_row_is_told(self, datasets, write, data, match):
        refused(datasets, write(data), match)

    def test_rows_of_one_kind_after_many_of_another_are_told(self, datasets, write):
        rows = "\n".join(['{"a": {"b": 1}}'] * 400_000 + ['{"a": {"b": "x"}}'])
        refused(datasets, write(rows), r"'a\.b' changes from number to string in a row after")

    def test_the_row_is_counted_from_the_beginning_of_the_file(self, datasets, write):
        rows = "\n".join(['{"a": 1}'] * 600_000 + ['{"a": 1}', '{"a": "x"}', ""])
        refused(datasets, write(rows), "in row 600,002")

    @pytest.mark.parametrize("depth", [70, 10_000, 300_000])
    @pytest.mark.parametrize("name", ["t.jsonl", "t.json"])
    @pytest.mark.parametrize("mark", ["[]", "{}"])
    def test_a_bomb_of_brackets_is_refused(self, datasets, write, depth, name, mark):
        inner = {"[]": ("[" * depth, "]" * depth), "{}": ('{"a":' * depth, "}" * depth)}[mark]
        row = f'{{"a":{inner[0]}1{inner[1]}}}'
        refused(datasets, write(f"[{row}]" if name == "t.json" else row, name), "nested")

    def test_a_bomb_that_hides_its_brackets_in_texts_is_refused(self, datasets, write):
        row = '{"a":' + '["]\\"",' * 300_000 + "1" + "]" * 300_000 + "}"
        refused(datasets, write(row), "nested")

    def test_brackets_in_texts_are_no_depth(self, datasets, write):
        row = json.dumps({"a": '["\\' * 1000})
        assert datasets.log("x", write(row)).to_arrow().to_pylist() == [json.loads(row)]

    @pytest.mark.parametrize(
        "data", ['[{"a":1},]', '[{"a":1}', '[{"a":1}] x', '[{"a":1} {"a":2}]', '[{"a":1},2]']
    )
    def test_a_list_that_is_none_is_refused(self, datasets, write, data):
        refused(datasets, write(data, "t.json"), "can't be read as JSON")


def test_a_uuid_and_what_else_arrow_names_are_kept(datasets):
    values = [uuid.UUID(int=1), None]
    assert datasets.log("x", pd.DataFrame({"u": values})).to_arrow()["u"].to_pylist() == values
