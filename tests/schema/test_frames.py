"""Tables of every library become the same Arrow table, or say what is wrong with them."""

import subprocess
import sys
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mlkit.errors import InvalidInput
from mlkit.schema.frames import form_of, is_table, to_arrow, to_column

COLUMNS = {"a": [1, 2], "b": ["x", None]}
TABLE = pa.table(COLUMNS)


class Streaming:
    def __arrow_c_stream__(self, requested_schema=None):
        return TABLE.__arrow_c_stream__(requested_schema)


class Version:
    def to_arrow(self):
        return TABLE


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (pd.DataFrame(COLUMNS), "pandas"),
        (pl.DataFrame(COLUMNS), "polars"),
        (pl.LazyFrame(COLUMNS), "polars"),
        (TABLE, "arrow"),
        (TABLE.to_batches()[0], "arrow"),
        (TABLE.to_reader(), "arrow"),
        (COLUMNS, "columns"),
        ([{"a": 1, "b": "x"}, {"a": 2}], "records"),
        (Streaming(), "stream"),
        (Version(), "stream"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_kind_of_table_becomes_the_same_arrow_table(data, form):
    assert form_of(data) == form
    assert is_table(data)
    assert to_arrow(data).to_pydict() == COLUMNS


@pytest.mark.parametrize(
    ("data", "form", "columns"),
    [
        (np.array([[1, 2], [3, 4]]), "array", {"0": [1, 3], "1": [2, 4]}),
        (np.array([1, 2]), "vector", {"0": [1, 2]}),
        (np.array([1, 2], dtype=">i4"), "vector", {"0": [1, 2]}),
        ([[1, "x"], [2, "y"]], "rows", {"0": [1, 2], "1": ["x", "y"]}),
        ([1, 2], "list", {"0": [1, 2]}),
        (pd.Series([1, 2], name="y"), "column", {"y": [1, 2]}),
        (pd.Series([1, 2]), "column", {"0": [1, 2]}),
        (pl.Series([1, 2]), "column", {"0": [1, 2]}),
        (pa.array([1, 2]), "column", {"0": [1, 2]}),
    ],
)
def test_arrays_and_lists_have_columns_named_by_their_position(data, form, columns):
    assert form_of(data) == form
    assert to_arrow(data).to_pydict() == columns


def test_the_index_of_a_pandas_frame_is_left_out():
    frame = pd.DataFrame({"a": [1]}, index=pd.Index(["row"], name="index"))
    assert to_arrow(frame).column_names == ["a"]


def test_missing_values_of_pandas_are_null():
    assert to_arrow(pd.DataFrame({"a": [1.5, float("nan")]}))["a"].null_count == 1


def test_the_metadata_of_the_library_is_left_out():
    table = TABLE.replace_schema_metadata({"pandas": "{}"})
    frame = pl.DataFrame({"c": pl.Series(["q"], dtype=pl.Categorical)})
    assert to_arrow(table).schema.metadata is None
    assert to_arrow(frame).schema.field("c").metadata is None


def test_a_frame_without_rows_keeps_its_columns():
    assert to_arrow(pd.DataFrame({"a": np.array([], dtype="f8")})).schema == pa.schema(
        [("a", pa.float64())]
    )


def test_labels_that_are_numbers_become_text():
    assert to_arrow(pd.DataFrame([[1, 2]])).column_names == ["0", "1"]


def test_categories_stay_coded():
    frame = pd.DataFrame({"c": pd.Series(["a", "b", "a"], dtype="category")})
    assert pa.types.is_dictionary(to_arrow(frame).schema.field("c").type)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "'a'"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "1 and '1'"),
        (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "several levels"),
        (pa.Table.from_arrays([pa.array([1])] * 2, names=["a", "a"]), "'a'"),
        (pd.DataFrame({"m": [1, "a"]}, dtype=object), "'m' mixes values of types int, str"),
        ({"m": [1, "a", 2.5, b"b", None]}, "types int, str, float, …"),
        ({"m": ["a", b"b"]}, "'m' mixes values of types str, bytes"),
        ({"m": [date(2020, 1, 1), datetime(2020, 1, 1, 3)]}, "types date, datetime"),  # noqa: DTZ001 - a naive time is what is tried
        ({"m": [True, 1]}, "bool, int"),
        ({"o": [object()]}, "of type object in column 'o'"),
        ({"o": [2**70]}, "column 'o'"),
        ({"o": ["\ud800"]}, "column 'o'"),
        ({"o": np.array([1j])}, "column 'o'"),
        ({"o": np.array([[1]])}, "'o' is an array of 2 dimensions"),
        (pl.DataFrame({"o": [object()]}), "'o' holds Python objects"),
        ({"a": [1], "b": [1, 2]}, "'a' has 1 rows, and 'b' has 2"),
        ({"a": 1}, "'a' is one value of type int"),
        ({"a": "text"}, "'a' is one value of type str"),
        ([[1, 2], [3]], "Row 1 has 1 values, and row 0 has 2"),
        ({}, "without columns"),
        (pd.DataFrame(), "without columns"),
        ([], "An empty list is no table"),
        (np.zeros((2, 2, 2)), "shape (2, 2, 2)"),
        (np.zeros(2, dtype=[("a", "i4")]), "array[name]"),
        (7, "A int is no table"),
        ("text", "A str is no table"),
    ],
)
def test_what_is_no_table_says_why(data, said):
    with pytest.raises(InvalidInput) as caught:
        to_arrow(data)
    assert said in str(caught.value)


def test_a_stream_that_is_no_table_says_so():
    class Column:
        def __arrow_c_stream__(self, requested_schema=None):
            return pa.chunked_array([[1, 2]]).__arrow_c_stream__(requested_schema)

    with pytest.raises(InvalidInput, match="A Column gives no Arrow table"):
        to_arrow(Column())


def test_a_sparse_matrix_says_how_to_make_it_dense():
    from scipy.sparse import csr_matrix

    with pytest.raises(InvalidInput, match=r"\.toarray\(\)"):
        to_arrow(csr_matrix([[1, 0]]))


def test_numbers_of_different_exactness_are_no_mixture():
    assert to_column([Decimal("1.5"), 1], "d").to_pylist() == [Decimal("1.5"), Decimal("1.0")]
    assert to_column([b"x", None], "b").type == pa.binary()
    assert to_column([date(2020, 1, 1)], "d").type == pa.date32()
    assert to_column(np.array(["2020-01-01"], dtype="M8[D]"), "d").type == pa.date32()


def test_an_array_of_one_column_is_given_back_as_it_is():
    array = pa.array([1])
    assert to_column(array, "a") is array


@pytest.mark.parametrize("data", [7, "text", [], [1, 2], {}, {"a": 1}, np.zeros(2), pa.array([1])])
def test_single_values_and_columns_are_no_tables(data):
    assert not is_table(data)


def test_no_library_is_imported_that_the_caller_has_not():
    code = (
        "import sys; from mlkit.schema.frames import is_table, to_arrow\n"
        "assert is_table([{'a': 1}])\n"
        "assert not {'pyarrow', 'pandas', 'polars', 'numpy'} & set(sys.modules)\n"
        "to_arrow([{'a': 1}])\n"
        "assert 'polars' not in sys.modules\n"  # pyarrow itself looks for pandas
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_reference_is_told_how_to_be_read():
    with pytest.raises(InvalidInput, match=r"read by store\.dataset\('customers:1'\)"):
        to_arrow("customers:1")
    with pytest.raises(InvalidInput) as caught:
        to_arrow("no reference, but a sentence")
    assert "store.dataset" not in str(caught.value)


@pytest.mark.parametrize("label", [None, np.nan, pd.NA, pd.NaT], ids=repr)
def test_a_column_without_a_name_is_refused(label):
    with pytest.raises(InvalidInput, match="instead of a name"):
        to_arrow(pd.DataFrame([[1, 2]], columns=pd.Index([label, "a"], dtype=object)))
    with pytest.raises(InvalidInput, match="instead of a name"):
        to_arrow([{label: 1}])


def test_columns_named_like_missing_values_are_kept():
    assert to_arrow({"nan": [1], "None": [2], "NaT": [3]}).column_names == ["nan", "None", "NaT"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pl.Int128, 1),
        (pl.List(pl.Int128), [1]),
        (pl.Struct({"x": pl.List(pl.Int128)}), {"x": [1]}),
    ],
    ids=str,
)
def test_a_type_of_polars_that_arrow_lacks_is_refused(kind, value):
    frame = pl.DataFrame({"fine": [1], "wide": [value]}, schema_overrides={"wide": kind})
    with pytest.raises(InvalidInput, match="'wide' holds Int128, which Arrow has no type for"):
        to_arrow(frame)
