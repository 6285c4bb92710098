import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mlkit.metrics.framing import LONGEST, Gap, frame, scan, word_of

payloads = st.lists(
    st.binary(min_size=1, max_size=60).map(lambda body: b"\x01" + body), min_size=1, max_size=6
)


@given(payloads)
def test_frames_come_back_in_order(bodies):
    found = scan(b"".join(map(frame, bodies)))
    assert found.payloads == bodies
    assert found.gaps == []


@given(payloads, st.data())
def test_a_cut_anywhere_loses_only_the_record_that_was_cut(bodies, data):
    whole = b"".join(map(frame, bodies))
    cut = data.draw(st.integers(0, len(whole)))
    found = scan(whole[:cut])
    assert found.payloads == bodies[: len(found.payloads)]
    kept = sum(len(frame(body)) for body in found.payloads)
    assert found.gaps == (
        [Gap(kept, cut - kept, torn=True, after=len(found.payloads))] if cut > kept else []
    )


@given(payloads, payloads, st.data())
def test_a_record_that_was_cut_in_the_middle_loses_none_after_it(before, after, data):
    last = frame(before[-1])
    torn = last[: data.draw(st.integers(1, len(last) - 1))]
    rest = b"".join(map(frame, after))
    assume(not (torn + rest).startswith(last))  # what follows may complete it by chance
    found = scan(b"".join(map(frame, before[:-1])) + torn + rest)
    assert found.payloads == before[:-1] + after
    assert [gap.torn for gap in found.gaps] == [True]


@given(payloads, st.data())
def test_a_flipped_bit_is_never_taken_for_a_cut_nor_for_a_record(bodies, data):
    whole = b"".join(map(frame, bodies)) + frame(b"\x01the last record")
    position = data.draw(st.integers(0, len(whole) - len(frame(b"\x01the last record")) - 1))
    changed = bytearray(whole)
    changed[position] ^= 1 << data.draw(st.integers(0, 7))
    found = scan(bytes(changed))
    assert len(found.payloads) == len(bodies)
    assert [gap.torn for gap in found.gaps] == [False]


def test_a_flipped_bit_in_the_last_record_is_damage_too():
    whole = frame(b"\x01first") + frame(b"\x01second")
    for position in range(len(frame(b"\x01first")), len(whole)):
        for bit in range(8):
            changed = bytearray(whole)
            changed[position] ^= 1 << bit
            assert [gap.torn for gap in scan(bytes(changed)).gaps] == [False]


@given(st.binary(max_size=400))
def test_any_bytes_can_be_scanned(data):
    found = scan(data)
    covered = sum(len(frame(body)) for body in found.payloads)
    assert covered + sum(gap.size for gap in found.gaps) == len(data)


def test_zeros_at_the_end_are_a_cut():
    assert scan(frame(b"\x01x") + bytes(100)).gaps == [Gap(10, 100, torn=True, after=1)]


def test_absurd_lengths_are_no_frames():
    for length in (0, LONGEST):
        header = word_of(length).to_bytes(4, "little") + bytes(4)
        assert scan(header + b"x").payloads == []


@pytest.mark.parametrize("bit", range(32))
def test_the_word_tells_every_flipped_bit(bit):
    from mlkit.metrics.framing import length_of

    for length in (1, 48, 255, 256, 70_000, LONGEST):
        assert length_of(word_of(length)) == length
        assert length_of(word_of(length) ^ 1 << bit) == 0
