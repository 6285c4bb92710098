"""Promises about segments that are cut, damaged, mixed up or made of garbage."""

import io
import zlib
from itertools import accumulate, count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.errors import Corrupt, NewerFormat
from mlkit.metrics import sums as sums_module
from mlkit.metrics.framing import HEADER, LONGEST, frame, scan, word_of
from mlkit.metrics.reader import check_segment, read_segment
from mlkit.metrics.records import Event, Points, encode_event, encode_keys
from mlkit.metrics.sums import BLOCK, Sums
from mlkit.metrics.writer import SegmentWriter


def written(writer="w"):
    """Give the bytes of a segment with every kind of record."""
    file = io.BytesIO()
    ticks = count(1_700_000_000_000_000_000, 1_000)
    segment = SegmentWriter(file, lambda: next(ticks), {})
    segment.event("segment", {"format": 1, "writer": writer, "owner": {}, "rank": 0})
    segment.event("params", {"values": {"lr": 0.1, "name": "é\udce9"}})
    segment.points({"loss": 0.5, "auc": 0.0}, 1)
    segment.points({"loss": float("nan"), "auc": 0.25}, None)
    segment.points({"loss": -1.5, "auc": 3e300}, 2.5)
    segment.points({"loss": 1.0}, -7)
    segment.event("heartbeat", {})
    segment.points({"loss": 0.0, "auc": 0.0}, 0)
    return file.getvalue()


DATA = written()
OTHER = written("another")
PAYLOADS = scan(DATA).payloads
ENDS = list(accumulate(len(frame(payload)) for payload in PAYLOADS))
BEFORE_THE_LAST = ENDS[-2]
RECORDS = [repr(record) for record in read_segment(DATA, "x")]  # repr, since NaN isn't itself


def read(data):
    return [repr(record) for record in read_segment(data, "x")]


def is_part(some, of):
    """Tell whether some are, in their order, among others."""
    rest = iter(of)
    return all(item in rest for item in some)


def test_the_segment_of_these_tests_has_every_kind_of_record():
    assert {payload[0] for payload in PAYLOADS} == {1, 2, 3, 4}
    assert ENDS[-1] == len(DATA)
    assert len(PAYLOADS) == 10


# Cuts


def test_a_cut_at_any_byte_gives_exactly_the_records_before_it():
    for cut in range(len(DATA) + 1):
        whole = [payload for payload, end in zip(PAYLOADS, ENDS, strict=True) if end <= cut]
        kept = max((end for end in ENDS if end <= cut), default=0)
        found = scan(DATA[:cut])
        assert found.payloads == whole
        assert [(gap.offset, gap.size, gap.torn) for gap in found.gaps] == (
            [(kept, cut - kept, True)] if cut > kept else []
        )
        assert is_part(read(DATA[:cut]), RECORDS)
        assert check_segment(DATA[:cut], "x") == (len(whole), found.gaps)


def test_zeros_after_a_cut_between_two_records_are_a_cut():
    for end in ENDS:
        for size in (1, 7, 8, 9, 4096):
            data = DATA[:end] + bytes(size)
            assert read(data) == read(DATA[:end])
            assert [gap.torn for gap in check_segment(data, "x")[1]] == [True]


def test_records_behind_zeros_are_found():
    data = DATA[: ENDS[0]] + bytes(5_000) + DATA[ENDS[0] :]
    assert read(data) == RECORDS
    assert [gap.size for gap in scan(data).gaps] == [5_000]


# Damage


def test_every_single_bit_that_is_flipped_is_reported_as_damage():
    for position in range(len(DATA)):
        for bit in range(8):
            changed = bytearray(DATA)
            changed[position] ^= 1 << bit
            with pytest.raises(Corrupt, match="was damaged"):
                list(read_segment(changed, "x"))
            whole, (gap,) = check_segment(changed, "x")
            assert (whole, gap.torn) == (len(PAYLOADS) - 1, False)
            assert gap.offset <= position < gap.offset + gap.size


@given(
    st.integers(0, BEFORE_THE_LAST - 1), st.integers(0, 7), st.integers(BEFORE_THE_LAST, 1 << 20)
)
def test_a_flipped_bit_is_reported_although_the_end_is_cut_off(position, bit, cut):
    changed = bytearray(DATA[:cut])
    changed[position] ^= 1 << bit
    with pytest.raises(Corrupt, match="was damaged"):
        list(read_segment(changed, "x"))


def written_large():
    file = io.BytesIO()
    ticks = count(1)
    segment = SegmentWriter(file, lambda: next(ticks), {})
    for step in range(300):
        segment.points({f"layer{number}": step / 7 for number in range(20)}, step)
        segment.event("note", {"text": "long " * step})
    return file.getvalue()


LARGE = written_large()


@given(st.integers(0, len(LARGE) - 1), st.integers(0, 7))
def test_a_flipped_bit_of_a_large_segment_is_reported(position, bit):
    changed = bytearray(LARGE)
    changed[position] ^= 1 << bit
    with pytest.raises(Corrupt, match="was damaged"):
        list(read_segment(changed, "x"))
    assert [gap.torn for gap in check_segment(changed, "x")[1]] == [False]


offsets = st.integers(0, len(DATA))


def never_other_data(changed, originals=RECORDS):
    """Check that a changed segment gives nothing that wasn't written, and says what it lacks."""
    whole, gaps = scan(changed).payloads, scan(changed).gaps
    assert sum(map(len, map(frame, whole))) + sum(gap.size for gap in gaps) == len(changed)
    try:
        given_ = read(changed)
        checked = check_segment(changed, "x")
    except Corrupt:
        return []
    assert is_part(given_, originals)
    assert checked == (len(whole), gaps)
    return given_


@given(offsets, st.binary(min_size=1, max_size=40))
def test_bytes_that_were_put_in_change_no_record(at, extra):
    changed = DATA[:at] + extra + DATA[at:]
    never_other_data(changed)
    if at in ENDS or at == 0:
        assert scan(changed).payloads == PAYLOADS


@given(offsets, st.integers(1, 60))
def test_bytes_that_were_taken_out_change_no_record(at, size):
    never_other_data(DATA[:at] + DATA[at + size :])


@given(offsets, st.integers(1, 60), st.binary(min_size=1, max_size=60))
def test_bytes_that_were_replaced_change_no_record(at, size, other):
    never_other_data(DATA[:at] + other + DATA[at + size :])


@given(offsets, st.integers(1, 200), offsets)
def test_a_block_that_comes_twice_makes_no_new_record(start, size, at):
    """A whole record that was written twice can't be told from one that was logged twice."""
    changed = DATA[:at] + DATA[start : start + size] + DATA[at:]
    assert set(scan(changed).payloads) <= set(PAYLOADS)
    try:
        given_ = set(read(changed))
    except Corrupt:
        return
    assert given_ <= set(RECORDS)


def test_a_segment_behind_another_is_reported():
    with pytest.raises(Corrupt, match=r"Record 10 of x .*another segment begins there"):
        list(read_segment(DATA + OTHER, "x"))
    with pytest.raises(Corrupt, match="another segment begins there"):
        check_segment(DATA + DATA, "x")


def test_a_list_of_keys_that_would_rename_points_is_reported():
    keys = frame(encode_keys(0, ("loss", "auc"))) + frame(encode_keys(0, ("other", "names")))
    with pytest.raises(Corrupt, match=r"Record 1 of x .*comes twice"):
        list(read_segment(keys, "x"))


@given(offsets, offsets)
def test_spliced_segments_give_only_what_was_written_or_are_reported(end, start):
    changed = DATA[:end] + OTHER[start:]
    assert set(scan(changed).payloads) <= {*PAYLOADS, *scan(OTHER).payloads}
    try:
        given_ = read(changed)
    except Corrupt:
        return
    assert set(given_) <= {*RECORDS, *read(OTHER)}


# Garbage


@pytest.mark.parametrize("length", [0, 1, 255, 256, 65_535, 65_536, 1 << 20, LONGEST])
@pytest.mark.parametrize("after", [b"", b"\x01", b"\x01{}"])
def test_a_header_with_an_absurd_length_costs_no_record(length, after):
    header = HEADER.pack(word_of(length), 0)
    assert scan(DATA + header + after).payloads == PAYLOADS
    assert scan(header + after + DATA).payloads == PAYLOADS


kinds = st.sampled_from([bytes((kind,)) for kind in (1, 2, 3, 4, 5, 31, 200)])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["event", "time", "format", "values", "$float"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


def json_payload(value):
    from mlkit._core.codec import encode_value

    return b"\x01" + encode_value(value).encode("utf-8", "surrogatepass")


payloads = (
    st.builds(bytes.__add__, kinds, st.binary(max_size=60))
    | json_values.map(json_payload)
    | st.builds(encode_keys, st.integers(0, 3), json_values)
    | st.builds(
        encode_event,
        st.sampled_from(["segment", "params", "note"]),
        st.integers(),
        st.fixed_dictionaries({"format": json_values}),
    )
)


@given(st.lists(payloads, max_size=6))
def test_records_that_make_no_sense_are_reported_or_are_records(bodies):
    data = b"".join(map(frame, bodies))
    try:
        records = list(read_segment(data, "x"))
    except (Corrupt, NewerFormat):
        return
    for record in records:
        if isinstance(record, Event):
            assert type(record.name) is str
        else:
            assert all(type(key) is str for key in record.keys)
            assert len(record.keys) == len(record.values)
        assert -(1 << 63) <= record.time < 1 << 63


@pytest.mark.parametrize(
    "payload",
    [
        b'\x01{"event": 3, "time": 5}',
        b'\x01{"event": "note", "time": "now"}',
        b'\x01{"event": "note", "time": 5.0}',
        b'\x01{"event": "note", "time": 99999999999999999999999999}',
        b'\x01{"event": "segment", "time": 5, "format": "one"}',
        b"\x01" + b"[" * 100_000,
        b"\x01\xff\xff",
        b'\x02\0\0\0\0\0\0\0{"loss": 1}',
        b'\x02\0\0\0\0\0\0\0"loss"',
        b"\x02\0\0\0\0\0\0\0[1]",
        b"\x02\0\0\0\0\0\0\0[[]]",
        b"\x02",
        b"\x03",
        b"\x04\0\0\0\0\0\0\0",
    ],
)
def test_what_is_no_record_of_its_kind_is_reported(payload):
    with pytest.raises(Corrupt, match="Record 0 of x can't be read"):
        list(read_segment(frame(payload), "x"))


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_read_or_reported(data, behind):
    try:
        records = list(read_segment(DATA + data if behind else data, "x"))
    except (Corrupt, NewerFormat):
        return
    assert all(isinstance(record, Event | Points) for record in records)


# Cost


@given(st.binary(min_size=1, max_size=300), st.integers(1, 40), st.data())
def test_the_sum_of_a_stretch_is_its_crc(piece, times, data):
    whole = piece * times
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, len(whole)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sums_module, "BLOCK", 16)
        sums = Sums(memoryview(whole))
        for _ in range(2):
            assert sums.of(start, stop) == zlib.crc32(whole[start:stop])
            assert sums.of(0, stop) == zlib.crc32(whole[:stop])


class Meter:
    """Counts the bytes that CRCs went through."""

    def __init__(self):
        self.read = 0

    def crc32(self, data, before=0):
        self.read += len(data)
        return zlib.crc32(data, before)


def cost_of(garbage, monkeypatch):
    meter = Meter()
    monkeypatch.setattr(sums_module, "zlib", meter)
    found = scan(garbage)
    assert found.payloads == []
    assert sum(gap.size for gap in found.gaps) == len(garbage)
    return meter.read


def right_words(size, length):
    """Give garbage in which every other word is right, and declares many bytes."""
    return HEADER.pack(word_of(length), 7) * (size // HEADER.size)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_garbage_that_looks_like_many_long_records_costs_in_proportion_to_its_size(
    share, monkeypatch
):
    small, large = (
        cost_of(right_words(size, int(size * share) & ~0xFF | 7), monkeypatch)
        for size in (100_000, 400_000)
    )
    assert 0 < large <= 6 * small
    assert large <= 400_000 / HEADER.size * 2 * BLOCK + 400_000


def test_a_record_behind_garbage_that_looks_like_records_is_found():
    body = b"\x01" + b"long" * 50_000
    garbage = right_words(100_000, 90_119)
    found = scan(garbage + frame(body) + DATA)
    assert found.payloads == [body, *PAYLOADS]
    assert [gap.size for gap in found.gaps] == [len(garbage)]
