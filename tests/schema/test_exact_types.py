"""Values of Python keep what they are: whole numbers to 64 bits, times to the nanosecond."""

import datetime as dt
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mlkit.errors import InvalidInput
from mlkit.schema.frames import to_arrow, to_column

MOMENT = pd.Timestamp("2024-01-01 00:00:00.123456789")
SPAN = pd.Timedelta(1, "ns")
FAR = datetime(9999, 12, 31)  # noqa: DTZ001 - without a time zone, as the others


def ticks(column):
    kind = column.type
    return column.cast(pa.int64()).to_pylist(), getattr(kind, "unit", None)


@pytest.mark.parametrize(
    "hold",
    [
        lambda values: {"at": values},
        lambda values: [{"at": value} for value in values],
        lambda values: [[value] for value in values],
        lambda values: pd.DataFrame({"at": pd.Series(values, dtype=object)}),
        lambda values: {"at": np.array(values, dtype=object)},
        lambda values: {"at": pd.Series(values)},
    ],
    ids=["columns", "records", "rows", "objects of pandas", "objects of numpy", "pandas"],
)
@pytest.mark.parametrize("value", [MOMENT, SPAN, MOMENT.tz_localize("Europe/Paris")])
def test_times_of_pandas_keep_their_nanoseconds_whatever_holds_them(hold, value):
    column = to_arrow(hold([value, None])).column(0)
    assert ticks(column) == ([value.value, None], "ns")


def test_times_in_nested_values_keep_their_nanoseconds():
    column = to_column([[{"at": MOMENT, "day": FAR}], None, []], "x")
    item = column.type.value_type
    assert item.field("at").type == pa.timestamp("ns")
    assert item.field("day").type == pa.timestamp("us")
    assert column.to_pylist() == [[{"at": MOMENT, "day": FAR}], None, []]


def test_a_frame_and_its_columns_as_lists_have_the_same_types():
    at = pd.to_datetime(["2024-01-01", None]).astype("datetime64[ns]")
    frame = pd.DataFrame({"at": at, "span": at - at})
    lists = {name: [None if pd.isna(v) else v for v in column] for name, column in frame.items()}
    assert to_arrow(lists).equals(to_arrow(frame))


def test_times_that_nanoseconds_do_not_reach_are_kept_without_or_refused():
    round_time = MOMENT.floor("s")
    assert to_column([round_time, FAR], "at").to_pylist() == [round_time, FAR]
    assert to_column([pd.Timedelta(0, "ns"), timedelta(200_000)], "d").type == pa.duration("us")
    with pytest.raises(InvalidInput, match="'at'"):
        to_column([MOMENT, FAR], "at")


def test_times_of_different_zones_are_the_moments_that_they_are():
    east = dt.timezone(dt.timedelta(hours=5))
    times = [datetime(2020, 1, 1, 5, tzinfo=east), datetime(2020, 1, 1, tzinfo=dt.UTC)]
    column = to_column(times, "at")
    assert column[0] == column[1]


@pytest.mark.parametrize("hold", [list, lambda values: pd.Series(values, dtype=object)])
def test_whole_numbers_of_64_bits_without_a_sign_are_kept(hold):
    column = to_column(hold([2**64 - 1, 0, None]), "n")
    assert (column.type, column.to_pylist()) == (pa.uint64(), [2**64 - 1, 0, None])


@pytest.mark.parametrize(
    "values", [[2**64], [2**64 - 1, -1], [2**64 - 1, 1.5], [1.5, 2**63], [2**63, True], [[2**63]]]
)
def test_whole_numbers_that_would_lose_something_are_refused(values):
    with pytest.raises(InvalidInput, match="'n'"):
        to_column(values, "n")


def test_a_sparse_column_says_how_to_make_it_dense():
    frame = pd.DataFrame({"s": pd.arrays.SparseArray([0.0, 1.0])})
    with pytest.raises(InvalidInput, match=r"'s' is sparse.*to_dense\(\)"):
        to_arrow(frame)
