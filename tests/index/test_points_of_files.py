import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from mlkit.index.points import metrics_schema
from mlkit.index.series import _in_time


def rows(points):
    return pa.table(
        {
            "run_id": [run_id for run_id, _ in points],
            "key": ["loss"] * len(points),
            "step": [0] * len(points),
            "float_step": [None] * len(points),
            "time": [time // 1000 for _, time in points],
            "nanos": [time % 1000 for _, time in points],
            "value": [float(time) for _, time in points],
        },
        schema=metrics_schema(),
    )


def found(parts):
    table = _in_time([metrics_schema().empty_table(), *map(rows, parts)])
    return list(zip(table["run_id"].to_pylist(), map(int, table["value"].to_pylist()), strict=True))


points = st.tuples(st.sampled_from("abc"), st.integers(0, 3000))


@given(st.lists(st.lists(points, max_size=5).map(sorted), max_size=4))
def test_the_points_of_each_run_come_by_time_whatever_files_have_them(parts):
    of_all = found(parts)
    for run_id in "abc":
        times = [time for other, time in of_all if other == run_id]
        assert times == sorted(time for part in parts for other, time in part if other == run_id)


def test_in_a_file_the_points_of_a_run_stay_in_the_order_in_which_they_were_logged():
    set_back = [("a", 5), ("a", 9), ("a", 2), ("a", 7)]
    assert found([set_back, [("b", 1)]]) == [*set_back, ("b", 1)]
