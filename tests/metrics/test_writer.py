import io
import math
from decimal import Decimal
from fractions import Fraction
from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.errors import Corrupt, InvalidInput, NewerFormat
from mlkit.metrics import writer as writer_module
from mlkit.metrics.framing import frame, scan
from mlkit.metrics.reader import check_segment, read_segment
from mlkit.metrics.records import Event, Points, encode_event
from mlkit.metrics.writer import SegmentWriter


class File(io.BytesIO):
    """Keeps what was written when it is closed."""

    def close(self):
        self.kept = self.getvalue()


@pytest.fixture
def file():
    return File()


@pytest.fixture
def segment(file):
    ticks = count(1)
    return SegmentWriter(file, lambda: next(ticks), {})


def points_of(file):
    records = read_segment(file.getvalue(), "test.seg")
    return [record for record in records if isinstance(record, Points)]


def values_of(file):
    return [
        (key, points.step, value)
        for points in points_of(file)
        for key, value in zip(points.keys, points.values, strict=True)
    ]


class Tensor:
    """A number as deep-learning libraries hold it."""

    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (0.5, 0.5),
        (3, 3.0),
        (True, 1.0),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7.0),
        (np.bool_(True), 1.0),
        (np.array(0.25), 0.25),
        (np.array([0.25]), 0.25),
        (Tensor(1.5), 1.5),
        (Decimal("0.5"), 0.5),
        (Fraction(1, 4), 0.25),
        (math.inf, math.inf),
        (-math.inf, -math.inf),
    ],
)
def test_every_kind_of_number_is_kept(segment, file, value, kept):
    segment.points({"x": value}, 1)
    segment.points({"x": value}, 2)
    assert values_of(file) == [("x", 1, kept), ("x", 2, kept)]


def test_nan_is_kept(segment, file):
    segment.points({"x": math.nan}, 1)
    assert math.isnan(points_of(file)[0].values[0])


@pytest.mark.parametrize(
    "value", ["0.3", None, [1, 2], 1j, object(), np.array([1.0, 2.0]), 10**400]
)
def test_a_bad_value_names_its_key_and_the_rest_is_kept(segment, file, value):
    for step in (1, 2):
        with pytest.raises(InvalidInput, match="'bad' is"):
            segment.points({"loss": 0.3, "bad": value, "auc": 0.8}, step)
    assert values_of(file) == [
        ("loss", 1, 0.3),
        ("auc", 1, 0.8),
        ("loss", 2, 0.3),
        ("auc", 2, 0.8),
    ]


def test_an_object_that_cant_be_shown_is_named_all_the_same(segment):
    class Rude:
        def __repr__(self):
            raise RuntimeError

    with pytest.raises(InvalidInput, match=r"an object \(Rude\)"):
        segment.points({"x": Rude()}, 1)


def test_a_key_that_is_no_text_is_refused(segment):
    with pytest.raises(InvalidInput, match="3 is"):
        segment.points({3: 0.5}, 1)


def test_what_is_no_mapping_is_refused(segment):
    with pytest.raises(InvalidInput, match="takes a mapping"):
        segment.points([0.5], 1)


@pytest.mark.parametrize(
    ("step", "kept"),
    [
        (0, 0),
        (-5, -5),
        (2**62, 2**62),
        (1.5, 1.5),
        (2.0, 2),
        (True, 1),
        (np.int32(4), 4),
        (np.float64(4.5), 4.5),
        (Tensor(3), 3),
    ],
)
def test_steps_are_ints_or_floats_in_any_order(segment, file, step, kept):
    segment.points({"x": 1.0}, 100)
    segment.points({"x": 2.0}, step)
    segment.points({"x": 3.0}, step)
    assert values_of(file) == [("x", 100, 1.0), ("x", kept, 2.0), ("x", kept, 3.0)]


@pytest.mark.parametrize("step", ["1", math.nan, math.inf, 2**63, object()])
def test_what_is_no_step_is_refused(segment, step):
    with pytest.raises(InvalidInput, match="no finite number"):
        segment.points({"x": 1.0}, step)


def test_without_a_step_each_key_counts_its_own_calls(segment, file):
    segment.points({"a": 1.0, "b": 1.0}, None)
    segment.points({"a": 2.0}, None)
    segment.points({"a": 3.0, "b": 3.0}, None)
    segment.points({"a": 4.0, "b": 4.0}, None)
    assert sorted(values_of(file)) == [
        ("a", 0, 1.0),
        ("a", 1, 2.0),
        ("a", 2, 3.0),
        ("a", 3, 4.0),
        ("b", 0, 1.0),
        ("b", 1, 3.0),
        ("b", 2, 4.0),
    ]


def test_no_values_make_no_points(segment, file):
    segment.points({}, 1)
    segment.points({}, None)
    assert points_of(file) == []


def test_many_different_lists_of_keys_need_no_more_memory_than_their_keys(
    segment, file, monkeypatch
):
    monkeypatch.setattr(writer_module, "KEYSETS", 2)
    for step, keys in enumerate([("a",), ("b",), ("a", "b"), ("b", "a"), ("a", "b", "c")]):
        segment.points(dict.fromkeys(keys, 1.0), step)
    assert len(values_of(file)) == 9
    assert set(segment._keysets) == {("a",), ("b",), ("c",)}


def test_the_last_values_are_those_logged_last(segment):
    segment.points({"a": 1.0, "b": 1.0}, 9)
    segment.points({"b": 5.0}, 1)
    last = {key: (step, value) for key, (_, step, value) in segment.last().items()}
    assert last == {"a": (9, 1.0), "b": (1, 5.0)}
    assert segment.records == 4  # two lists of keys, and two records of points


def test_a_write_that_is_cut_short_is_a_fault():
    class Full(io.BytesIO):
        room = 10**6

        def write(self, data):
            return super().write(data[: self.room])

    file = Full()
    segment = SegmentWriter(file, lambda: 1, {})
    segment.points({"x": 1.0}, 1)
    file.room = 5
    with pytest.raises(OSError, match="cut short"):
        segment.points({"x": 2.0}, 2)
    with pytest.raises(OSError, match="cut short"):
        segment.event("note", {"text": "x"})
    file.room = 10**6
    segment.points({"x": 3.0}, 3)
    assert values_of(file) == [("x", 1, 1.0), ("x", 3, 3.0)]


def test_an_event_comes_back(segment, file):
    segment.event("params", {"values": {"lr": 0.1, "name": "caf\udce9"}})
    assert list(read_segment(file.getvalue(), "x")) == [
        Event("params", 1, {"values": {"lr": 0.1, "name": "caf\udce9"}})
    ]


def test_an_event_larger_than_a_record_is_refused(segment, file):
    with pytest.raises(InvalidInput, match="too many for one record"):
        segment.event("note", {"text": "x" * (1 << 24)})
    assert file.getvalue() == b""


def test_a_damaged_segment_raises_and_a_cut_one_does_not(segment, file):
    for step in range(5):
        segment.points({"x": 1.0}, step)
    data = file.getvalue()
    assert len(list(read_segment(data[:-3], "x"))) == 4
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 1
    with pytest.raises(Corrupt, match=r"x.seg was damaged"):
        list(read_segment(bytes(damaged), "x.seg"))
    whole, (gap,) = check_segment(bytes(damaged), "x.seg")
    assert (whole, gap.torn) == (5, False)  # of a list of keys and five points
    assert check_segment(data, "x.seg") == (6, [])


@pytest.mark.parametrize(
    "payload",
    [b"\x01{", b"\x01[]", b"\x01{}", b"\x03\0\0\0\1\0\0\0", b"\x02\0\0\0\0\0\0\0nonsense"],
)
def test_a_record_that_lies_about_its_kind_is_reported(payload):
    with pytest.raises(Corrupt, match=r"Record 0 of x\.seg"):
        list(read_segment(frame(payload), "x.seg"))


def test_a_segment_of_a_newer_format_asks_for_an_upgrade():
    data = frame(encode_event("segment", 1, {"format": 2, "writer": "w"}))
    with pytest.raises(NewerFormat, match=r"x\.seg has format 2"):
        list(read_segment(data, "x.seg"))


def test_records_of_later_versions_are_skipped():
    data = frame(b"\x1fwhatever") + frame(encode_event("note", 5, {"text": "x"}))
    assert list(read_segment(data, "x")) == [Event("note", 5, {"text": "x"})]
    assert len(scan(data).payloads) == 2


@given(
    st.lists(
        st.tuples(
            st.dictionaries(
                st.text(min_size=1, max_size=3), st.floats(allow_nan=False), max_size=3
            ),
            st.none() | st.integers(-100, 100) | st.floats(-10, 10),
        ),
        max_size=20,
    )
)
def test_any_calls_come_back_point_for_point(calls):
    file = io.BytesIO()
    segment = SegmentWriter(file, lambda: 0, {})
    counters = {}
    expected = []
    for values, step in calls:
        segment.points(values, step)
        for key, value in values.items():
            at = step
            if step is None:
                at = counters.get(key, 0)
                counters[key] = at + 1
            expected.append((key, at, value))
    assert sorted(values_of(file)) == sorted(expected)
