"""Promises about the order and the types in which the points of a run are given."""

import heapq
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.metrics import columns as columns_module
from mlkit.metrics.batches import iter_points
from mlkit.metrics.columns import PointColumns
from mlkit.metrics.reader import read_segment
from mlkit.metrics.records import Points
from mlkit.metrics.segments import by_writer
from mlkit.metrics.writer import SegmentWriter


@pytest.fixture(scope="module", autouse=True)
def few_are_many():
    """Let a metric be large from a few points on, so that small and large ones are mixed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns_module, "_LARGE", 5)
        yield


def segment(*logged):
    """Give a segment of calls: the time, the values, and perhaps the step."""
    file, now = io.BytesIO(), []
    writer = SegmentWriter(file, lambda: now[-1], {})
    for number, (time, values, *step) in enumerate(logged):
        now.append(time)
        writer.points(values, *(step or [number]))
    return file.getvalue()


def columns_of(*writers, only=None):
    """Give the columns of writers, of which each has a list of segments."""
    columns = PointColumns(only)
    for number, segments in enumerate(writers):
        for data in segments:
            batches = iter_points(lambda start, end, data=data: data[start:end], len(data), "x")
            columns.add(batches, writer=number)
    return columns


def values_of(columns, key="loss"):
    return columns.table(key).column("value").to_pylist()


def test_points_of_several_writers_are_merged_by_time():
    one = segment((10, {"loss": 1}), (30, {"loss": 3}))
    other = segment((20, {"loss": 2}), (40, {"loss": 4}))
    assert values_of(columns_of([one], [other])) == [1, 2, 3, 4]


def test_points_of_one_time_stay_in_the_order_of_their_writers():
    one = segment((10, {"loss": 1}), (10, {"loss": 2}))
    other = segment((10, {"loss": 3}), (10, {"loss": 4}))
    assert values_of(columns_of([one], [other])) == [1, 2, 3, 4]


def test_a_clock_that_is_set_back_changes_nothing_in_the_order_of_its_writer():
    one = segment((10, {"loss": 1}), (50, {"loss": 2}), (20, {"loss": 3}), (60, {"loss": 4}))
    assert values_of(columns_of([one])) == [1, 2, 3, 4]
    other = segment((15, {"loss": 10}), (55, {"loss": 20}))
    found = columns_of([one], [other])
    assert values_of(found) == [1, 10, 2, 3, 20, 4]
    times = found.table("loss").column("time").cast("int64").to_pylist()
    assert times == [10, 15, 50, 20, 55, 60]  # as they were told


def test_segments_of_a_writer_count_in_their_order_whatever_their_times():
    first, second = segment((50, {"loss": 1})), segment((10, {"loss": 2}))
    assert values_of(columns_of([first, second])) == [1, 2]
    assert by_writer(["a-10.seg", "b-1.seg", "a-9.seg", "end.json", "odd.seg"]) == [
        ["a-9.seg", "a-10.seg"],
        ["b-1.seg"],
        ["odd.seg"],
    ]


def test_points_of_a_metric_that_is_logged_alone_and_with_others_stay_in_order():
    calls = [
        (time, {"loss": time} if time % 3 else {"loss": time, "auc": 0}) for time in range(1, 400)
    ]
    first, second = segment(*calls[:200]), segment(*calls[200:])
    assert values_of(columns_of([first, second])) == list(range(1, 400))
    assert values_of(columns_of([first, second], only="loss")) == list(range(1, 400))


def test_steps_are_floats_where_some_step_is_no_integer():
    whole = segment((10, {"a": 1, "b": 1}, 7), (20, {"a": 1}, -(1 << 62)))
    broken = segment((30, {"a": 2}, 1.5), (40, {"b": 2}, 8))
    found = columns_of([whole, broken])
    assert found.table("a").column("step").to_pylist() == [7.0, float(-(1 << 62)), 1.5]
    assert found.table("b").column("step").to_pylist() == [7, 8]
    assert str(found.table("b").schema.field("step").type) == "int64"
    apart = columns_of([whole], [broken])
    assert apart.table("a").equals(found.table("a"))
    assert str(apart.table_of_all().schema.field("step").type) == "double"


def test_steps_too_large_for_a_float_are_rounded_as_python_does():
    large = (1 << 53) + 1
    found = columns_of(
        [segment((1, {"a": 1}, large), (2, {"b": 2}, 0.5))], [segment((3, {"a": 2}))]
    )
    assert found.table("a").column("step").to_pylist() == [large, 0]
    assert found.table_of_all().column("step").to_pylist() == [float(large), 0.0, 0.5]


def test_a_metric_without_points_has_an_empty_table():
    empty = columns_of([segment((1, {"a": 1}))]).table("none")
    assert (empty.num_rows, str(empty.schema.field("step").type)) == (0, "int64")
    assert columns_of().table_of_all().column_names == ["key", "step", "time", "value"]
    assert columns_of().keys == []


def test_only_the_metric_that_is_asked_for_is_gathered():
    found = columns_of([segment((1, {"a": 1, "b": 2}), (2, {"b": 3}))], only="b")
    assert found.keys == ["b"]
    assert values_of(found, "b") == [2, 3]


keys = st.sampled_from(["a", "b", "c"])
logged = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.dictionaries(keys, st.floats(allow_nan=False), min_size=1),
        st.integers(-3, 3) | st.sampled_from([0.5, 1.5]),
    ),
    max_size=12,
)


@given(st.lists(st.lists(logged, min_size=1, max_size=3), max_size=3))
def test_any_points_come_as_merging_the_writers_one_by_one_gives_them(writers):
    found = columns_of(*[[segment(*calls) for calls in segments] for segments in writers])
    expected = {}
    for key in "abc":
        streams = [
            [
                (record.time, record.step, record.values[record.keys.index(key)])
                for calls in segments
                for record in read_segment(segment(*calls), "x")
                if isinstance(record, Points) and key in record.keys
            ]
            for segments in writers
        ]
        expected[key] = list(heapq.merge(*streams, key=lambda point: point[0]))
    everything = found.table_of_all().to_pydict()
    assert everything["key"] == [key for key, points in expected.items() for _ in points]
    for key, points in expected.items():
        table = found.table(key)
        assert table.column("time").cast("int64").to_pylist() == [time for time, _, _ in points]
        assert table.column("step").to_pylist() == [step for _, step, _ in points]
        assert table.column("value").to_pylist() == [value for _, _, value in points]
        whole = all(isinstance(step, int) for _, step, _ in points)
        assert str(table.schema.field("step").type) == ("int64" if whole else "double")
    values = [value for points in expected.values() for _, _, value in points]
    assert everything["value"] == values


@pytest.mark.parametrize("only", [None, "b"])
def test_a_hundred_thousand_points_come_back_in_order(only):
    calls = [(time, {"abc"[time % 3]: time, "d": -time}, time) for time in range(50_000)]
    found = columns_of([segment(*calls)], only=only)
    table = found.table("b")
    assert table.column("value").to_pylist() == list(range(1, 50_000, 3))
    assert table.column("step").to_pylist() == list(range(1, 50_000, 3))


def test_columns_without_points_lie_where_arrow_can_read_them():
    table = PointColumns().table("loss")
    for column in table.columns:
        for chunk in column.chunks:
            assert all(buffer is None or buffer.address % 8 == 0 for buffer in chunk.buffers())
