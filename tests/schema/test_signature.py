"""A signature lets through what the model took, in its form, and says what is wrong else."""

import builtins
import pickle
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.errors import Corrupt, InvalidInput, MissingExtra, SchemaMismatch
from mlkit.schema.frames import to_arrow
from mlkit.schema.signature import Signature

EXAMPLE = {"distance": [1400.0, 200.5], "hour": [6, 23], "carrier": ["UA", None]}
PANDAS = pd.DataFrame(EXAMPLE)
SIGNATURE = Signature.infer(PANDAS, np.array([0.1, 0.9]))


def said_by(signature, data):
    with pytest.raises(SchemaMismatch) as caught:
        signature.check(data)
    return str(caught.value)


def test_it_is_made_of_an_example_and_the_output_for_it():
    assert str(SIGNATURE) == "distance: float64, hour: int64, carrier: string -> float64"
    assert SIGNATURE.form == "pandas"


def test_an_output_that_is_no_table_is_unknown():
    assert Signature.infer(PANDAS, 7).output is None
    assert str(Signature.infer({"a": [1]})) == "a: int64"


@pytest.mark.parametrize(
    "example",
    [PANDAS, pl.DataFrame(EXAMPLE), pa.table(EXAMPLE), EXAMPLE, to_arrow(EXAMPLE).to_pylist()],
    ids=lambda value: type(value).__name__,
)
def test_the_library_of_the_example_leaves_no_trace_in_the_types(example):
    assert Signature.infer(example).inputs == SIGNATURE.inputs


def test_it_comes_back_from_json_and_pickle():
    assert Signature.from_json(SIGNATURE.to_json()) == SIGNATURE
    assert pickle.loads(pickle.dumps(SIGNATURE)) == SIGNATURE
    without = Signature.infer(PANDAS)
    assert Signature.from_json(without.to_json()) == without


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"form": "pandas", "inputs": 3, "output": None},
        {"form": "sql", "inputs": [], "output": None},
        {"form": "", "inputs": [], "output": None},
        {"form": "pandas", "inputs": [{}], "output": None},
    ],
)
def test_what_is_no_signature_is_corrupt(data):
    with pytest.raises(Corrupt):
        Signature.from_json(data)


def test_a_column_that_no_signature_holds_is_named():
    months = pa.array([pa.MonthDayNano([1, 2, 3])])
    with pytest.raises(InvalidInput, match="'m' can't be in a signature"):
        Signature.infer(pa.table({"m": months}))


def test_data_as_the_model_took_them_are_given_back_themselves():
    assert SIGNATURE.check(PANDAS) is PANDAS


def test_columns_of_a_frame_are_put_in_order():
    checked = SIGNATURE.check(PANDAS[["carrier", "hour", "distance"]])
    pd.testing.assert_frame_equal(checked, PANDAS)


@pytest.mark.parametrize(
    "data",
    [
        pl.DataFrame(EXAMPLE),
        pl.LazyFrame(EXAMPLE),
        pa.table(EXAMPLE),
        pa.table(EXAMPLE).to_reader(),
        dict(reversed(EXAMPLE.items())),
        to_arrow(EXAMPLE).to_pylist(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_frames_of_other_libraries_become_what_the_model_took(data):
    pd.testing.assert_frame_equal(SIGNATURE.check(data), PANDAS)


def test_polars_arrow_columns_and_records_are_given_to_models_that_took_them():
    for example in (
        pl.DataFrame(EXAMPLE),
        pa.table(EXAMPLE),
        EXAMPLE,
        to_arrow(EXAMPLE).to_pylist(),
    ):
        signature = Signature.infer(example)
        assert type(signature.check(PANDAS)) is type(example)
        assert to_arrow(signature.check(PANDAS)).to_pydict() == EXAMPLE
        assert signature.check(example) is example


def test_columns_of_every_kind_of_frame_are_put_in_order_and_cast():
    shuffled = {"b": [1, 2], "a": ["x", "y"]}
    for make in (pl.DataFrame, pa.table, dict):
        signature = Signature.infer(make({"a": ["p", "q"], "b": [0.5, 1.5]}))
        checked = signature.check(make(shuffled))
        assert to_arrow(checked).column_names == ["a", "b"]
        if make is not dict:
            assert to_arrow(checked).schema.field("b").type == pa.float64()


def test_whole_numbers_stand_for_floats():
    checked = SIGNATURE.check(PANDAS.assign(distance=[1, 2]))
    assert checked.distance.dtype == np.float64


def test_narrower_and_wider_integers_stand_for_each_other_when_the_values_fit():
    small = Signature.infer(pd.DataFrame({"n": np.array([1], dtype="i1")}))
    assert small.check(pd.DataFrame({"n": [100]})).n.dtype == np.int8
    said = said_by(small, pd.DataFrame({"n": [1000]}))
    assert "'n' is int64 with values beyond it, the model took int8" in said


def test_integers_with_gaps_that_pandas_stores_as_floats_fit_integers():
    gaps = pd.DataFrame({"distance": [1.0, 2.0], "hour": [1.0, np.nan], "carrier": ["a", "b"]})
    assert SIGNATURE.check(gaps) is not None
    nullable = gaps.assign(hour=pd.array([1, None], dtype="Int32"))
    assert SIGNATURE.check(nullable).hour.isna().sum() == 1


@pytest.mark.parametrize("hours", [[1.0, 2.0], [1.0, np.nan]])
def test_floats_that_are_whole_stand_for_integers_with_and_without_gaps(hours):
    checked = SIGNATURE.check(PANDAS.assign(hour=hours))
    assert checked.hour.dtype == (np.int64 if hours[1] == 2.0 else np.float64)
    polars = Signature.infer(pl.DataFrame({"hour": [1]})).check(pl.DataFrame({"hour": hours}))
    assert polars["hour"].to_list() == [1, 2 if hours[1] == 2.0 else None]
    matrix = Signature.infer(np.array([[1], [2]]))
    checked = matrix.check(np.array(hours).reshape(-1, 1))
    assert checked.dtype == (np.int64 if hours[1] == 2.0 else np.float64)
    said_by(matrix, np.array([[0.5], hours[1:]]))
    said_by(matrix, np.array([[np.inf], hours[1:]]))


def test_floats_for_integers_are_refused_with_the_fix():
    said = said_by(SIGNATURE, PANDAS.assign(hour=[0.5, 2.0]))
    assert "'hour' is float64, the model took int64" in said
    assert "X['hour'] = X['hour'].astype('int64')" in said
    said_by(SIGNATURE, PANDAS.assign(hour=[0.5, np.nan]))


def test_missing_values_may_stand_anywhere():
    nothing = pd.DataFrame({"distance": [None], "hour": [np.nan], "carrier": [np.nan]})
    assert SIGNATURE.check(nothing).distance.dtype == np.float64


def test_a_column_without_values_in_the_example_takes_anything():
    signature = Signature.infer(pd.DataFrame({"a": [None], "b": [1]}))
    assert signature.check(pd.DataFrame({"b": [1], "a": ["x"]})).columns.to_list() == ["a", "b"]
    assert signature.check({"a": [1.5], "b": [1]}).a.to_list() == [1.5]


def test_texts_stand_for_categories_and_the_reverse():
    category = pd.DataFrame({"c": pd.Series(["x", "y"], dtype="category")})
    text = pd.DataFrame({"c": ["x", "y"]})
    assert isinstance(Signature.infer(category).check(text).c.dtype, pd.CategoricalDtype)
    assert not isinstance(Signature.infer(text).check(category).c.dtype, pd.CategoricalDtype)
    assert Signature.infer(category).check(category) is category
    ordered = category.astype(pd.CategoricalDtype(["y", "x"], ordered=True))
    assert list(Signature.infer(category).check(ordered).c) == ["x", "y"]
    polars = pl.DataFrame({"c": pl.Series(["x", "y"], dtype=pl.Categorical)})
    assert Signature.infer(polars).check(pl.DataFrame(text)).schema["c"] == pl.Categorical


def test_times_keep_the_unit_of_the_data():
    signature = Signature.infer(pd.DataFrame({"t": np.array(["2013-01-01"], dtype="M8[s]")}))
    data = pd.DataFrame({"t": np.array(["2013-01-01"], dtype="M8[ns]")})
    assert signature.check(data).t.dtype == data.t.dtype


def test_labels_of_a_frame_that_are_numbers_stay_numbers():
    signature = Signature.infer(pd.DataFrame([[1.0, 2.0]]))
    assert signature.check(pd.DataFrame([[1, 2]])).columns.to_list() == [0, 1]


def test_missing_columns_are_named():
    said = said_by(SIGNATURE, PANDAS[["hour"]])
    assert "the columns 'distance', 'carrier' are missing" in said
    assert "Add 'distance', 'carrier'" in said


@pytest.mark.parametrize(
    ("data", "fix"),
    [
        (PANDAS.assign(x=1), "X = X.drop(columns=['x'])"),
        (pl.DataFrame({**EXAMPLE, "x": [1, 2]}), "X = X.drop(['x'])"),
        (pa.table({**EXAMPLE, "x": [1, 2]}), "X = X.drop_columns(['x'])"),
        ({**EXAMPLE, "x": [1, 2]}, "Leave out 'x'"),
    ],
)
def test_extra_columns_are_named_with_the_fix(data, fix):
    said = said_by(SIGNATURE, data)
    assert "the column 'x' is not in the signature" in said
    assert fix in said


def test_very_many_extra_columns_are_counted():
    said = said_by(SIGNATURE, PANDAS.assign(**{f"x{n}": 1 for n in range(20)}))
    assert "'x7' and 12 more" in said


@pytest.mark.parametrize(
    ("make", "fix"),
    [
        (pd.DataFrame, "X = X.rename(columns={'distence': 'distance'})"),
        (pl.DataFrame, "X = X.rename({'distence': 'distance'})"),
        (pa.table, "X = X.rename_columns({'distence': 'distance'})"),
        (dict, "rename 'distence' to 'distance'"),
    ],
)
def test_a_misspelt_column_gets_its_name_suggested(make, fix):
    data = {"distence": [1.0], "hour": [1], "carrier": ["UA"]}
    said = said_by(SIGNATURE, make(data))
    assert "Did you mean: rename 'distence' to 'distance'" in said
    assert fix in said


def test_capitals_and_signs_make_no_other_name():
    signature = Signature.infer(pd.DataFrame({"age": [1], "pages": [1], "day_of_week": [1]}))
    said = said_by(signature, pd.DataFrame({"Pages": [1], "Age": [1], "Day of Week": [1]}))
    meant = {"Age": "age", "Pages": "pages", "Day of Week": "day_of_week"}
    assert f"X = X.rename(columns={meant})" in said
    assert "drop" not in said


def test_many_names_that_were_meant_are_counted():
    names = [f"column {letter}" for letter in "abcdefghij"]
    signature = Signature.infer(pd.DataFrame({name: [1] for name in names}))
    said = said_by(signature, pd.DataFrame({name.upper(): [1] for name in names}))
    assert "'COLUMN H' to 'column h' and 2 more; X = X.rename(" in said


def test_an_output_of_one_column_without_a_name_is_its_type():
    assert str(Signature.infer([[1]], [True])) == "0: int64 -> bool"
    assert str(Signature.infer([[1]], {"late": [True]})) == "0: int64 -> late: bool"


@pytest.mark.parametrize(
    ("example", "data", "fix"),
    [
        ({"a": [1.5]}, {"a": ["1.5"]}, "X['a'] = pd.to_numeric(X['a'])"),
        ({"a": [True]}, {"a": [1]}, "X['a'] = X['a'].astype('bool')"),
        ({"a": ["x"]}, {"a": [1]}, "X['a'] = X['a'].astype('string')"),
        ({"a": pd.Categorical(["x"])}, {"a": [1]}, "X['a'] = X['a'].astype('category')"),
        ({"a": pd.to_datetime(["2013-01-01"])}, {"a": ["x"]}, "pd.to_datetime(X['a'])"),
        ({"a": pd.to_datetime(["2013-01-01"], utc=True)}, {"a": [1]}, "(X['a'], utc=True)"),
        ({"a": pd.to_timedelta(["1s"])}, {"a": [1]}, "Turn 'a' into duration"),
    ],
)
def test_retyped_columns_of_pandas_get_the_fix(example, data, fix):
    assert fix in said_by(Signature.infer(pd.DataFrame(example)), pd.DataFrame(data))


def test_retyped_columns_of_other_libraries_get_the_fix():
    signature = Signature.infer({"a": np.array([1], "u2"), "b": ["x"], "c": [[1]]})
    said = said_by(signature, pl.DataFrame({"a": ["q"], "b": [1], "c": [2]}))
    assert "pl.col('a').cast(pl.UInt16)" in said
    assert "pl.col('b').cast(pl.String)" in said
    assert "Turn 'c' into list" in said
    assert "Turn 'a' into uint16" in said_by(signature, {"a": ["q"], "b": ["x"], "c": [[1]]})


def test_very_many_retyped_columns_are_counted():
    signature = Signature.infer(pd.DataFrame({f"c{n}": [1] for n in range(20)}))
    assert "12 more columns are of other types" in said_by(
        signature, pd.DataFrame({f"c{n}": ["x"] for n in range(20)})
    )


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(InvalidInput, match="Two columns have the name 'a'"):
        SIGNATURE.check(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_what_is_no_table_is_refused():
    with pytest.raises(InvalidInput, match="is no table"):
        SIGNATURE.check(7)


def test_arrays_are_taken_by_a_model_that_took_arrays():
    signature = Signature.infer(np.array([[1.0, 2.0], [3.0, 4.0]]))
    data = np.array([[5.0, 6.0]])
    assert signature.check(data) is data
    assert signature.check(np.array([[5, 6]])).dtype == np.float64
    np.testing.assert_array_equal(signature.check([[5.0, 6.0]]), data)
    np.testing.assert_array_equal(signature.check({"0": [5.0], "1": [6.0]}), data)
    assert Signature.infer([[1.0, 2.0]]).check(data) == [[5.0, 6.0]]
    rows = [[5.0, 6.0]]
    assert Signature.infer(rows).check(rows) is rows


def test_arrays_of_objects_are_checked_column_by_column():
    data = np.array([[1, "a"], [2, "b"]], dtype=object)
    assert Signature.infer(data).check(data) is data
    assert Signature.infer(np.array([["a"]])).check(np.array([["b"]], dtype=object)) is not None
    texts = np.array([["abc"]])
    assert Signature.infer(texts).check(texts) is texts


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (np.zeros((1, 3)), "takes an array of 2 columns, and the input has 3"),
        (np.zeros(2), "X = X.reshape(1, -1)"),
        (PANDAS, "X = X.to_numpy()"),
        (np.array([["a", "b"]]), "X = X.astype('float64')"),
    ],
)
def test_arrays_that_do_not_fit_say_why(data, said):
    assert said in said_by(Signature.infer(np.array([[1.0, 2.0]])), data)


def test_arrays_wider_than_the_signature_are_refused():
    signature = Signature.infer(np.zeros((1, 2), dtype="f4"))
    assert "'0' is float64, the model took float32" in said_by(signature, np.zeros((1, 2)))


def test_longer_floats_than_arrow_has_say_so():
    with pytest.raises(InvalidInput, match="column '0'"):
        Signature.infer(np.zeros((1, 2))).check(np.zeros((1, 2), dtype=np.longdouble))


def test_arrays_are_refused_by_a_model_that_took_names():
    assert "pd.DataFrame(X, columns=['distance', 'hour', 'carrier'])" in said_by(
        SIGNATURE, np.zeros((1, 3))
    )
    wide = Signature.infer(pd.DataFrame({f"c{n}": [1] for n in range(20)}))
    assert "'c7', …" in said_by(wide, [[1] * 20])


def test_single_columns_are_taken_in_every_form_by_a_model_that_took_one():
    texts = ["good", "bad"]
    assert Signature.infer(texts).check(texts) is texts
    assert Signature.infer(texts).check(np.array(texts)) == texts
    assert Signature.infer(texts).check(pa.array(texts)) == texts
    assert Signature.infer(np.array(texts)).check(texts).tolist() == texts
    series = pd.Series(texts, name="text")
    assert Signature.infer(series).check(series) is series
    assert "'0' is int64, the model took string" in said_by(Signature.infer(series), [1])
    assert "X = X[name]" in said_by(Signature.infer(texts), PANDAS)


def test_a_library_that_the_model_needs_and_is_gone_is_named(monkeypatch):
    signature = Signature.infer(pl.DataFrame(EXAMPLE))
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name == "polars":
            raise ImportError("No module named 'polars'")
        return real(name, *args, **kwargs)

    monkeypatch.setitem(sys.modules, "polars", None)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtra, match="pip install polars"):
        signature.check(EXAMPLE)


@given(
    st.lists(
        st.tuples(st.floats(width=32), st.integers(-(2**31), 2**31), st.text("abc", max_size=3)),
        min_size=1,
    )
)
def test_checking_changes_no_value(rows):
    frame = pd.DataFrame(rows, columns=["x", "n", "t"])
    signature = Signature.infer(frame)
    shuffled = frame[["t", "x", "n"]]
    pd.testing.assert_frame_equal(signature.check(shuffled), frame)
    assert to_arrow(signature.check(pl.DataFrame(shuffled))).num_rows == len(frame)
