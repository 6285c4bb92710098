import contextlib
import gc
import io
import logging
import os
import signal
import sys
import threading
import warnings

import pytest
from _pytest.capture import CaptureIO

from mlkit.provenance.tap import OutputTap


@pytest.fixture
def told():
    return []


@pytest.fixture
def tap(told):
    tap = OutputTap(lambda *told_now: told.append(told_now))
    yield tap
    tap.close()


@pytest.fixture
def replaced(monkeypatch):
    """Puts a stream in the place of stdout; in the test, since pytest sets its own before that."""

    def replaced(stream=None, name="stdout"):
        monkeypatch.setattr(sys, name, io.StringIO() if stream is None else stream)
        return getattr(sys, name)

    return replaced


def text_of(told, stream="stdout"):
    return "".join(text for name, text in told if name == stream)


class Plain:
    """A stream of Python, as notebooks have."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def getvalue(self):
        return self.text


class Wrapper(io.TextIOWrapper):
    def getvalue(self):
        self.flush()
        return self.buffer.getvalue().decode()


@pytest.mark.parametrize(
    "make", [io.StringIO, lambda: Wrapper(io.BytesIO()), CaptureIO, Plain], ids=str
)
def test_what_is_printed_and_written_is_told_and_still_written(make, tap, told, monkeypatch):
    stream = make()
    monkeypatch.setattr(sys, "stdout", stream)
    tap.open()
    print("a", 1)
    sys.stdout.writelines(["b\n", "c\n"])
    assert sys.stdout.write("d\n") == 2
    tap.close()
    print("after")
    assert text_of(told) == "a 1\nb\nc\nd\n"
    assert stream.getvalue() == "a 1\nb\nc\nd\nafter\n"


def test_the_streams_of_the_test_runner_are_tapped(tap, told, capsys):
    tap.open()
    print("out")
    print("err", file=sys.stderr)
    assert text_of(told) == "out\n"
    assert text_of(told, "stderr") == "err\n"
    assert capsys.readouterr() == ("out\n", "err\n")


def test_a_handler_that_holds_the_stream_is_tapped(tap, told, replaced):
    replaced()
    handler = logging.StreamHandler(sys.stdout)
    tap.open()
    handler.emit(logging.makeLogRecord({"msg": "epoch 1"}))
    assert text_of(told) == "epoch 1\n"


def test_closing_leaves_the_stream_as_it_was(tap, replaced):
    out = replaced()
    before = out.write
    tap.open()
    tap.close()
    assert "write" not in vars(out)
    assert out.write == before


def test_a_write_of_the_streams_own_is_put_back(tap, replaced, told):
    out = replaced()
    own = []
    out.write = own.append
    tap.open()
    print("a", end="")
    tap.close()
    print("b", end="")
    assert own == ["a", "", "b", ""]
    assert text_of(told) == "a"


def test_the_last_of_several_users_closes(tap, told, replaced):
    replaced()
    tap.open()
    tap.open()
    tap.close()
    print("a", end="")
    assert tap.is_open
    tap.close()
    tap.close()
    print("b", end="")
    assert not tap.is_open
    assert text_of(told) == "a"


def test_somebody_who_built_on_the_tap_is_left_alone(tap, told, replaced):
    out = replaced()
    tap.open()
    ours, theirs = out.write, []

    def write(text):
        theirs.append(text)
        return ours(text)

    out.write = write
    tap.close()
    assert out.write is write
    print("a", end="")
    tap.open()
    print("b", end="")
    assert theirs == ["a", "", "b", ""]
    assert text_of(told) == "b"  # once, though there are two of ours now
    assert out.getvalue() == "ab"


def test_a_tap_that_was_taken_off_can_be_put_on_again(tap, told, replaced):
    out = replaced()
    before = out.write
    tap.open()
    out.write = before
    print("a", end="")
    tap.refresh()
    tap.refresh()
    print("b", end="")
    assert text_of(told) == "b"
    tap.close()
    print("c", end="")
    assert text_of(told) == "b"
    assert out.getvalue() == "abc"
    assert out.write == before


def test_a_tap_over_a_tap_tells_once_and_comes_off_whole(tap, told, replaced):
    out = replaced()
    tap.open()
    ours = out.write
    out.write = lambda text: ours(text)  # noqa: PLW0108 - as somebody who builds on it does
    tap.refresh()
    print("a", end="")
    assert text_of(told) == "a"
    out.write = ours
    tap.close()
    assert "write" not in vars(out)


def test_a_closed_tap_is_not_put_on_again(tap, told, replaced):
    out = replaced()
    tap.open()
    tap.close()
    tap.refresh()
    assert "write" not in vars(out)


def test_taps_put_on_cell_by_cell_do_not_pile_up(tap, replaced):
    """As IPython has it: what it found at the begin of a cell it sets back at the end."""
    out = replaced()
    tap.open()
    for _ in range(10):
        found = out.write
        out.write = lambda text, found=found: found(text)
        tap.refresh()
        out.write = found
    gc.collect()
    assert len(tap._ours) == 2  # stdout and stderr


def test_a_fault_of_who_is_told_reaches_nobody(replaced):
    out = replaced()

    def fails(stream, text):
        raise RuntimeError(text)

    tap = OutputTap(fails)
    tap.open()
    print("a")
    tap.close()
    assert out.getvalue() == "a\n"


def test_an_interrupt_while_telling_is_not_swallowed(replaced):
    replaced()

    def interrupted(stream, text):
        raise KeyboardInterrupt

    tap = OutputTap(interrupted)
    tap.open()
    with pytest.raises(KeyboardInterrupt):
        print("a")
    tap.close()


def test_what_is_printed_while_telling_is_printed_but_not_told(replaced):
    out = replaced()
    told = []

    def prints(stream, text):
        told.append(text)
        print("the disk is full", file=sys.stderr)
        print("really")

    err = replaced(name="stderr")
    tap = OutputTap(prints)
    tap.open()
    sys.stdout.write("a\n")
    tap.close()
    assert told == ["a\n"]
    assert out.getvalue() == "a\nreally\n"
    assert err.getvalue() == "the disk is full\n"


def test_what_another_thread_prints_while_telling_is_told(replaced):
    replaced()
    told = []

    def prints_elsewhere(stream, text):
        told.append(text)
        if text == "a":
            thread = threading.Thread(target=sys.stdout.write, args=("b",))
            thread.start()
            thread.join()

    tap = OutputTap(prints_elsewhere)
    tap.open()
    sys.stdout.write("a")
    tap.close()
    assert told == ["a", "b"]


def test_what_the_stream_refuses_is_raised_and_not_told(tap, told, monkeypatch):
    class Broken(io.StringIO):
        def write(self, text):
            raise BrokenPipeError(text)

    monkeypatch.setattr(sys, "stdout", Broken())
    tap.open()
    with pytest.raises(BrokenPipeError):
        sys.stdout.write("a")
    with pytest.raises(TypeError, match="argument"):
        sys.stderr.write()
    assert told == []


def test_what_is_no_text_is_passed_on_but_not_told(tap, told, monkeypatch):
    raw = io.BytesIO()
    holder = type("Raw", (), {"write": lambda _self, data: raw.write(data)})()
    monkeypatch.setattr(sys, "stdout", holder)
    tap.open()
    assert holder.write(b"bytes") == 5
    assert told == []


def test_streams_that_refuse_or_are_missing_are_left_alone(tap, monkeypatch):
    class Slotted:
        __slots__ = ("text",)

        def write(self, text):
            self.text = text

    monkeypatch.setattr(sys, "stdout", Slotted())
    monkeypatch.setattr(sys, "stderr", None)
    tap.open()
    sys.stdout.write("a")
    tap.close()
    assert sys.stdout.text == "a"


def test_one_stream_for_both_is_told_once(tap, told, replaced, monkeypatch):
    out = replaced()
    monkeypatch.setattr(sys, "stderr", out)
    tap.open()
    print("a", end="", file=sys.stderr)
    assert text_of(told) == "a"
    assert text_of(told, "stderr") == ""


def test_redirected_output_is_not_told_and_what_follows_is(tap, told, replaced):
    replaced()
    tap.open()
    with contextlib.redirect_stdout(io.StringIO()) as elsewhere:
        print("redirected", end="")
    print("back", end="")
    assert elsewhere.getvalue() == "redirected"
    assert text_of(told) == "back"


def test_a_stream_that_is_gone_stops_no_closing(tap, monkeypatch):
    class Moody:
        gone = False

        def __getattribute__(self, name):
            if name == "write" and type(self).gone:
                raise ValueError("closed")
            return super().__getattribute__(name)

        def write(self, text):
            """As streams have."""

    monkeypatch.setattr(sys, "stdout", Moody())
    tap.open()
    Moody.gone = True
    tap.close()
    assert not tap.is_open


def test_a_forked_child_still_writes_and_can_close(tap, told, replaced):
    out = replaced()
    tap.open()
    taken, leave = threading.Event(), threading.Event()

    def hold():  # the lock, at the moment of the fork
        with tap._lock:
            taken.set()
            leave.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads is the point
        child = os.fork()
    if not child:
        signal.alarm(30)
        print("child", end="")
        tap.close()
        os._exit(0 if (out.getvalue(), text_of(told)) == ("child", "child") else 1)
    leave.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
    assert told == []
