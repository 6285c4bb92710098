"""Progress: one line on a terminal, a line for each stage elsewhere when asked, else nothing."""

import io

import pytest

from mlkit.display.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_without_a_terminal_nothing_is_shown_unasked():
    stream = io.StringIO()
    with Progress("gc", stream=stream) as progress:
        progress.stage("reading", total=1)
        progress.add()
    assert stream.getvalue() == ""


def test_asked_for_elsewhere_each_stage_is_a_line_when_it_is_done():
    stream = io.StringIO()
    with Progress("gc", stream=stream, show=True) as progress:
        progress.stage("reading", total=2)
        progress.add()
        progress.stage("removing")
        progress.add(size=1500)
        progress.add(size=500)
    assert stream.getvalue() == "gc: reading, 1 of 2\ngc: removing, 2, 2.0 kB\n"


def test_on_a_terminal_one_line_is_written_over_ten_times_a_second_at_most():
    stream, now = Terminal(), [0.0]
    with Progress("gc", stream=stream, timer=lambda: now[0]) as progress:
        progress.stage("reading", total=200)
        for step in range(200):
            now[0] = step / 1000
            progress.add()
    shown = stream.getvalue()
    assert shown.count("\r") == 3  # at the start, after 0.1 s, at the end
    assert shown.endswith("gc: reading, 200 of 200\n")
    assert shown.count("\n") == 1


def test_an_interrupt_says_that_it_goes_on_from_here():
    stream = io.StringIO()

    def work():
        with Progress("gc", stream=stream, show=True) as progress:
            progress.stage("reading")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert stream.getvalue().endswith("Interrupted; doing it again goes on from here\n")


def test_what_it_shows_can_not_act_on_a_terminal():
    stream = io.StringIO()
    with Progress("gc", stream=stream, show=True) as progress:
        progress.stage("\x1b[31m")
    assert "\x1b" not in stream.getvalue()
