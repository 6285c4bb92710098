import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.provenance.screen import Screen


def shown(*writes, everything=True):
    """What is left of writes, as one text."""
    screen = Screen(itertools.count())
    for text in writes:
        screen.write(text)
    return "".join(text for _, text in screen.take(everything=everything))


@given(st.lists(st.text("ab \t\nä", max_size=20), max_size=20))
def test_text_without_sequences_is_kept_as_it_is_however_it_is_cut(writes):
    assert shown(*writes) == "".join(writes)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("a\r\nb\r\n", "a\nb\n"),
        ("1%\r2%\r3%\n", "3%\n"),
        ("1%\r2%\r", "2%"),
        ("\r1%\r2%\n", "2%\n"),
        ("bar\r   \rnext\n", "next\n"),
        ("\x1b[1;31mred\x1b[0m\n", "red\n"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", "link\n"),
        ("\x1b]0;title\x07text\n", "text\n"),
        ("\x1b]never ended\ntext\n", "\ntext\n"),
        ("a\x00b\x07c\x1b7\x1b(B\n", "abc\n"),
        ("wait |\x08/\x08-\n", "wait -\n"),
        ("old\x1b[2Knew\n", "new\n"),
        ("\x1b[Kkept\x1b[K\n", "kept\n"),
        ("old\r\x1b[Knew\n", "new\n"),
        ("old\x1b[1Gnew\n", "new\n"),
        ("old\x1b[8Gand\n", "oldand\n"),
        ("a\nb\n\x1b[2A\x1b[Jc\n", "c\n"),
        ("a\nb\x1b[Fc\x1b[Ed\n", "c\nd\n"),
        ("a\nb\x1b[A\r\x1b[Bc\n", "a\nc\n"),
        ("a\x1b[2J\x1b[?25lb\n", "ab\n"),
        ("a\x1b[1A\rb\n", "b\n"),
        ("\n\n", "\n\n"),
    ],
)
def test_what_a_terminal_would_show_is_kept(written, kept):
    assert shown(written) == kept
    assert shown(*written) == kept  # also when it comes a character at a time


def test_bars_below_each_other_leave_their_last_states():
    writes = []
    for percent in range(0, 101, 2):
        writes += [f"\rtrain {percent}%", "\n", f"\rtest {percent}%", "\x1b[A"]
    assert shown(*writes, "\n\n") == "train 100%\ntest 100%\n"


def test_bars_are_held_while_they_are_redrawn_from_below():
    screen = Screen(itertools.count())
    screen.write("log\n")
    kept = []
    for percent in range(5):
        up = "\r\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2K" if percent else ""
        screen.write(f"{up}one {percent}\ntwo {percent}\nthree {percent}")
        kept += screen.take() if percent else []
    assert [text for _, text in kept] == ["log\n"]
    rest = "".join(text for _, text in screen.take() + screen.take(everything=True))
    assert rest == "one 4\ntwo 4\nthree 4"


def test_only_ended_lines_are_ready():
    assert shown("a\nb", everything=False) == "a\n"


def test_an_unfinished_line_goes_on_after_it_was_taken():
    screen = Screen(itertools.count())
    screen.write("a")
    first = screen.take(everything=True)
    screen.write("b\n")
    assert [text for _, text in first + screen.take()] == ["a", "b\n"]


def test_a_line_without_end_is_cut_and_marked():
    assert shown(*["x" * 1000] * 200) == "x" * 65_536 + " [cut]"
    assert shown("x" * 65_536 + "\n") == "x" * 65_536 + "\n"
    assert shown("x" * 100_000 + "\ny\n") == "x" * 65_536 + " [cut]\ny\n"


def test_lines_beyond_the_height_scroll_out():
    screen = Screen(itertools.count())
    screen.write("".join(f"{number}\n" for number in range(100)))
    out = screen.scrolled()
    assert [text for _, text in out] == [f"{number}\n" for number in range(37)]
    assert len(screen.take()) == 63


def test_an_endless_sequence_is_given_up():
    screen = Screen(itertools.count())
    for _ in range(100):
        screen.write("\x1b]" + "x" * 100)
    assert len(screen._rest) < 300


@given(st.lists(st.text("ab\n\r\x1b[]AKJ012;\x07\x08", max_size=30), max_size=30))
def test_no_sequence_breaks_it(writes):
    screen = Screen(itertools.count())
    for text in writes:
        screen.write(text)
        screen.take()
    screen.take(everything=True)
    screen.write("end\n")
    assert [text for _, text in screen.take(everything=True)][-1].endswith("\n")
