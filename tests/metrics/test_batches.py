"""Promises about segments read as columns: what is found is what reading by record finds."""

import io
from itertools import chain, count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit.errors import Corrupt, MlkitError, NewerFormat
from mlkit.metrics import batches as batches_module
from mlkit.metrics.batches import PointBatch, iter_points
from mlkit.metrics.framing import HEADER, LARGEST, LONGEST, frame, scan, word_of
from mlkit.metrics.reader import read_segment
from mlkit.metrics.records import Event, Points, encode_event, encode_keys, points_struct
from mlkit.metrics.writer import SegmentWriter

SMALL = 600
"""Bytes of the largest record of these tests; pieces have twice as many."""


@pytest.fixture(scope="module", autouse=True)
def small_pieces():
    """Let pieces and stretches be small, so that segments of some kilobytes have many."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"LARGEST": SMALL, "_FAR": 3, "_FEW": 4, "_MANY": 16}.items():
            patch.setattr(batches_module, name, value)
        yield


def written(calls, *, start=1_700_000_000_000_000_000, writer="w"):
    """Give a segment of calls: a mapping with a step is points, a text an event, a number zeros."""
    file = io.BytesIO()
    ticks = count(start, 1_000)
    segment = SegmentWriter(file, lambda: next(ticks), {})
    segment.event("segment", {"format": 1, "writer": writer, "owner": {}, "rank": 0})
    for call in calls:
        if isinstance(call, str):
            segment.event("note", {"text": call})
        else:
            segment.points(*call)
    return file.getvalue()


def expanded(found):
    """Give batches and events as records: those of points by their places, then the events."""
    found = list(found)
    events = [record for record in found if isinstance(record, Event)]
    points = []
    for batch in found:
        if isinstance(batch, PointBatch):
            values = [batch.values(index) for index in range(len(batch.keys))]
            rows = zip(*values, strict=True) if values else [()] * len(batch)
            columns = zip(batch.places, batch.steps(), batch.times(), rows, strict=True)
            points += [(place, Points(batch.keys, *rest)) for place, *rest in columns]
    points.sort(key=lambda pair: pair[0])
    return [repr(record) for record in (*(one for _, one in points), *events)]


def by_batch(data, damaged="raise"):
    """Give the records that going through a segment in batches finds, or its error."""
    batches = iter_points(lambda start, end: data[start:end], len(data), "x", damaged=damaged)
    try:
        return expanded(batches)
    except MlkitError as error:
        return error


def by_record(data):
    """Give the same by reading the segment record by record."""
    try:
        records = list(read_segment(data, "x"))
    except MlkitError as error:
        return error
    points = [record for record in records if isinstance(record, Points)]
    events = [record for record in records if isinstance(record, Event)]
    return [repr(record) for record in (*points, *events)]


def outcome(found):
    return f"{type(found).__name__}: {found}" if isinstance(found, MlkitError) else found


def same(data):
    """Check that both ways find the same in a segment."""
    found, expected = by_batch(data), by_record(data)
    if isinstance(expected, MlkitError):  # of two faults, each way may come to another one first
        assert isinstance(found, MlkitError)
    else:
        assert found == expected
    return found


CALLS = [
    ({"loss": 0.5, "auc": 0.0}, 1),
    "first",
    *(({"loss": step / 7, "auc": float("nan")}, step) for step in range(60)),
    *(({"loss": step / 7}, step + 0.5) for step in range(3)),
    *(chain.from_iterable([({"a": 1.0 * step}, step), ({"b": -step}, -step)] for step in range(9))),
    "second",
    ({"loss": 1.0}, 2),
]
DATA = written(CALLS)
OTHER = written(
    [
        call if isinstance(call, str) else ({f"{key}2": call[0][key] for key in call[0]}, call[1])
        for call in CALLS
    ],
    writer="another",
    start=1,
)
RECORDS = by_record(DATA)
PAYLOADS = scan(DATA).payloads
LAST = frame(PAYLOADS[-1])
KEYS_OF_ALL = b"".join(frame(payload) for payload in PAYLOADS if payload[0] == 2)


def test_the_segment_of_these_tests_has_every_kind_of_record_and_many_pieces_and_stretches():
    assert {payload[0] for payload in PAYLOADS} == {1, 2, 3, 4}
    assert len(DATA) > 6 * SMALL
    assert max(map(len, PAYLOADS)) + HEADER.size < SMALL
    assert len(RECORDS) == len(CALLS) + 1
    assert by_batch(DATA) == RECORDS
    batches = list(iter_points(lambda start, end: DATA[start:end], len(DATA), "x"))
    lengths = [len(one) for one in batches if isinstance(getattr(one, "places", None), range)]
    assert max(lengths) > 10
    assert sum(lengths) > 40


names = st.lists(st.sampled_from(["loss", "auc", "a/b", "é", "x" * 20]), unique=True, max_size=4)
numbers = st.floats() | st.integers(-(1 << 60), 1 << 60)
steps = st.none() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(-9, 9)
calls = st.tuples(names, numbers, steps).map(
    lambda call: (dict.fromkeys(call[0], call[1]), call[2])
)
blocks = st.tuples(st.lists(calls | st.text(max_size=9), max_size=4), st.integers(1, 200))


def made(blocks):
    """Give a segment of calls that come so and so often, one after another."""
    return written(chain.from_iterable(calls * times for calls, times in blocks))


@given(st.lists(blocks, max_size=4))
@settings(deadline=None)
def test_any_segment_gives_the_records_that_reading_it_by_record_gives(blocks):
    assert isinstance(same(made(blocks)), list)


@given(st.lists(blocks, max_size=3), st.data())
@settings(deadline=None)
def test_any_segment_that_is_cut_or_changed_gives_the_same_or_the_same_error(blocks, data):
    whole = made(blocks)
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    assert isinstance(same(cut), list)
    changed = bytearray(whole)
    changed[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert outcome(same(bytes(changed))) == outcome(by_record(bytes(changed)))


def test_metrics_whose_records_are_of_one_size_are_told_apart():
    calls = [({"a": step}, step) for step in range(9)] + [({"b": step}, step) for step in range(9)]
    assert len(same(written(calls * 3 + calls[5:12] * 3))) == 1 + 3 * 18 + 3 * 7


# Cuts and damage


def test_a_cut_at_any_byte_gives_the_records_before_it():
    for cut in range(len(DATA) + 1):
        assert isinstance(same(DATA[:cut]), list)


def test_each_bit_that_is_flipped_is_reported_with_the_same_words():
    for position in range(len(DATA)):
        changed = bytearray(DATA)
        changed[position] ^= 1 << position % 8
        error = by_batch(bytes(changed))
        assert isinstance(error, Corrupt)
        assert outcome(error) == outcome(by_record(bytes(changed)))


offsets = st.integers(0, len(DATA))


@given(offsets, st.binary(max_size=40), st.integers(0, 60))
def test_bytes_that_were_put_in_taken_out_or_replaced_give_the_same(at, extra, size):
    same(DATA[:at] + extra + DATA[at + size :])


@given(offsets, st.integers(1, 1_500), offsets)
def test_a_block_that_comes_twice_gives_the_same(start, size, at):
    same(DATA[:at] + DATA[start : start + size] + DATA[at:])


@given(offsets, offsets)
def test_spliced_segments_give_the_same(end, start):
    same(DATA[:end] + OTHER[start:])


@given(offsets, st.integers(1, 6 * SMALL), st.booleans())
def test_zeros_of_any_length_give_the_same(at, size, behind):
    same(DATA[:at] + bytes(size) + (DATA[at:] if behind else b""))


@given(st.binary(max_size=400), offsets)
def test_garbage_gives_the_same(garbage, at):
    same(DATA[:at] + garbage)


@pytest.mark.parametrize("length", [0, 1, 255, 500, 65_536, 1 << 20, LONGEST])
@pytest.mark.parametrize("times", [1, 40, 400])
def test_headers_with_absurd_lengths_give_the_same(length, times):
    garbage = HEADER.pack(word_of(length), 7) * times
    same(DATA + garbage)
    same(garbage + DATA)
    same(DATA[:-3] + garbage + OTHER[200:])


@pytest.mark.parametrize(
    "payload",
    [
        b"\x01[]",
        b'\x01{"event": "note", "time": 5.0}',
        b"\x02",
        b"\x03",
        b"\x03\0\0\0\1\0\0\0" + bytes(16),
        encode_keys(0, ["other"]),
        points_struct(7).pack(3, 0, 0, 0, *range(7)),
        points_struct(7).pack(3, 99, 0, 0, *range(7)),
    ],
)
def test_what_is_no_record_of_its_kind_is_reported_with_the_same_words(payload):
    for data in (KEYS_OF_ALL + frame(payload), DATA + frame(payload) + LAST):
        assert isinstance(by_batch(data), Corrupt)
        assert outcome(by_batch(data)) == outcome(by_record(data))


def test_a_segment_of_a_newer_format_asks_for_an_upgrade():
    data = frame(encode_event("segment", 1, {"format": 2, "writer": "w"}))
    assert isinstance(by_batch(data), NewerFormat)
    assert isinstance(by_batch(data, damaged="skip"), NewerFormat)


def test_records_of_later_versions_are_skipped_and_have_a_place():
    data = DATA + frame(b"\x1fwhatever") + LAST
    batches = list(iter_points(lambda *of: data[slice(*of)], len(data), "x"))
    places = [place for one in batches if isinstance(one, PointBatch) for place in one.places]
    assert max(places) == len(PAYLOADS) + 1
    assert by_batch(data) == by_record(data)


def test_lists_of_keys_that_no_writer_makes_give_the_same():
    keys = frame(encode_keys(3, ("a", "a"))) + frame(encode_keys(4, ()))
    twice = b"".join(frame(points_struct(2).pack(3, 3, n, n, n, -n)) for n in range(100))
    none = frame(points_struct(0, float_step=True).pack(4, 4, 0.5, 1)) * 100
    odd = frame(b"\x03\1\2\3" + points_struct(2).pack(3, 3, 9, 9, 1, 2)[4:]) * 3
    assert len(same(keys + twice + none + odd + twice)) == 303


# On purpose


def test_what_is_left_behind_any_flipped_bit_is_given_on_purpose():
    lost = set()
    for position in range(len(DATA)):
        changed = bytearray(DATA)
        changed[position] ^= 1 << position % 8
        found = by_batch(bytes(changed), damaged="skip")
        rest = iter(RECORDS)
        assert all(record in rest for record in found)
        lost.add(len(RECORDS) - len(found))
    assert 1 in lost  # a record
    assert 61 in lost  # the names of many


def test_damage_at_many_places_costs_only_what_it_hit():
    changed = bytearray(DATA)
    for position in range(len(DATA) // 2, len(DATA), 500):
        changed[position] ^= 1
    found = by_batch(bytes(changed), damaged="skip")
    assert len(RECORDS) - 12 < len(found) < len(RECORDS)


@given(offsets, st.binary(max_size=40), st.integers(0, 200))
def test_nothing_that_was_not_written_is_ever_given(at, extra, size):
    changed = DATA[:at] + extra + DATA[at + size :]
    assert set(by_batch(changed, damaged="skip")) <= set(RECORDS)
    joined = DATA[:at] + extra + OTHER
    assert set(by_batch(joined, damaged="skip")) <= {*RECORDS, *by_record(OTHER)}


def test_of_two_segments_in_one_both_are_given_on_purpose():
    found = by_batch(DATA + OTHER, damaged="skip")
    heads = [one for one in by_record(OTHER) if "name='segment'" in one]
    assert sorted(found) == sorted([*RECORDS, *(set(by_record(OTHER)) - set(heads))])


# Pieces


class Watched:
    """Bytes that are read in parts, which are kept in mind."""

    def __init__(self, data):
        self.data = data
        self.asked = []

    def read(self, start, end):
        self.asked.append(end - start)
        return self.data[start:end]


@pytest.mark.parametrize("garbage", [b"", bytes(50_000), HEADER.pack(word_of(90_119), 7) * 6_000])
def test_pieces_are_small_and_nothing_is_read_more_than_twice(garbage):
    data = DATA + garbage + DATA[60:]
    watched = Watched(data)
    for _ in iter_points(watched.read, len(data), "x", damaged="skip"):
        pass
    assert max(watched.asked) == 2 * SMALL
    assert sum(watched.asked) <= 2 * len(data) + 2 * SMALL


def test_a_segment_that_became_shorter_since_it_was_listed_ends_where_it_ends():
    watched = Watched(DATA[:-20])
    assert expanded(iter_points(watched.read, 10 * len(DATA), "x")) == by_record(DATA[:-20])


def test_a_segment_that_has_grown_since_it_was_listed_ends_where_it_did():
    watched = Watched(DATA)
    size = len(DATA) - 20
    assert expanded(iter_points(watched.read, size, "x")) == by_record(DATA[:size])


def test_the_largest_records_are_found_in_pieces_of_their_real_size(monkeypatch):
    monkeypatch.setattr(batches_module, "LARGEST", LARGEST)
    large = frame(b"\x1f" + bytes(LONGEST - 1))
    data = DATA + large + LAST + large[:-1] + LAST + large * 2 + LAST
    watched = Watched(data)
    found = expanded(iter_points(watched.read, len(data), "x"))
    assert found == by_record(data)
    assert max(watched.asked) == 2 * LARGEST
