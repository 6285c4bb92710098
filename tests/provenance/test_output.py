import os
import signal
import threading

import pytest

from mlkit.provenance import output
from mlkit.provenance.output import ALL_KEPT, KEPT_PER_TAKE, Chunk, OutputLog

KEY = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEow+/\n" * 20 + "-----END RSA PRIVATE KEY-----\n"


@pytest.fixture
def log():
    return OutputLog()


def test_lines_come_in_the_order_in_which_they_ended(log):
    log.feed("stdout", "a\nb")
    log.feed("stderr", "warning\n")
    log.feed("stdout", "c\n")
    assert log.take() == [
        Chunk("stdout", "a\n"),
        Chunk("stderr", "warning\n"),
        Chunk("stdout", "bc\n"),
    ]
    assert log.take() == []


def test_ten_thousand_updates_of_a_bar_leave_the_last(log):
    for number in range(10_001):
        log.feed("stderr", f"\r{number}/10000")
    assert log.take() == []
    log.feed("stderr", "\n")
    assert log.take() == [Chunk("stderr", "10000/10000\n")]


def test_an_unfinished_line_is_only_given_with_everything(log):
    log.feed("stdout", "half")
    assert log.take() == []
    assert log.take(everything=True) == [Chunk("stdout", "half")]


def test_the_first_mebibyte_is_kept_whole(log):
    text = "".join(f"line {number}\n" for number in range(50_000))
    log.feed("stdout", text)
    assert "".join(chunk.text for chunk in log.take()) == text


def test_after_that_each_take_gives_the_last_lines_and_counts_the_others(log):
    line = "x" * 63 + "\n"
    log.feed("stdout", line * (ALL_KEPT // 64))
    assert sum(len(chunk.text) for chunk in log.take()) == ALL_KEPT
    log.feed("stdout", line * 1000)
    log.feed("stderr", "end\n")
    first, second = log.take()
    assert first == Chunk("stdout", line * 63, 1000 - 63)
    assert len(first.text) + len(second.text) <= KEPT_PER_TAKE
    assert second == Chunk("stderr", "end\n")
    log.feed("stdout", line)
    assert log.take() == [Chunk("stdout", line)]


def test_a_line_that_is_too_long_for_a_take_is_counted(log):
    log.feed("stdout", "y\n" * (ALL_KEPT // 2))
    log.take()
    log.feed("stdout", "x" * 10_000 + "\n")
    assert log.take() == [Chunk("stdout", "", 1)]


def test_memory_stays_bounded_without_a_take(log):
    for _ in range(300):
        log.feed("stdout", ("x" * 99 + "\n") * 500)
        log.feed("stderr", "endless" * 1000)
    waiting = sum(len(text) for _, text in log._queue)
    kept = sum(len(text) for _, _, text in [*log._ready, *log._tail])
    assert waiting < 200_000
    assert kept <= ALL_KEPT + KEPT_PER_TAKE


def test_small_writes_are_folded_by_and_by(log):
    for _ in range(10_000):
        log.feed("stdout", "")
    assert len(log._queue) < 5000


def test_secrets_are_masked(log):
    log.feed("stdout", "connecting to postgres://me:hunter2@host/db\n")
    assert log.take() == [Chunk("stdout", "connecting to postgres://[masked]@host/db\n")]


def test_a_private_key_is_masked(log):
    log.feed("stdout", f"a\n{KEY}b\n")
    assert log.take() == [Chunk("stdout", "a\n[masked]\nb\n")]


def test_a_private_key_is_masked_across_takes_and_between_other_lines(log):
    begin, middle, end = KEY[:50], KEY[50:120], KEY[120:]
    kept = []
    for part in (begin, middle, end + "after\n"):
        log.feed("stdout", part)
        log.feed("stderr", "warning\n")
        kept += log.take()
    assert "".join(chunk.text for chunk in kept if chunk.stream == "stdout") == "[masked]\nafter\n"
    assert "MIIE" not in str(kept)


def test_a_private_key_whose_beginning_was_left_out_is_masked(log):
    log.feed("stdout", "y\n" * (ALL_KEPT // 2))
    log.take()
    log.feed("stdout", "-----BEGIN PRIVATE KEY-----\n" + "MIIEow+/\n" * 1000)
    assert "MIIE" not in str(log.take())


def test_a_key_that_is_only_mentioned_hides_nothing_else(log):
    log.feed("stdout", "It must begin with -----BEGIN PRIVATE KEY-----\nepoch 1: 0.3\nepoch 2\n")
    assert log.take() == [
        Chunk("stdout", "It must begin with [masked]\nepoch 1: 0.3\nepoch 2\n"),
    ]


def test_text_that_is_no_unicode_is_kept_readable(log):
    log.feed("stdout", "half \ud800\n")
    assert log.take() == [Chunk("stdout", "half \\ud800\n")]


def test_what_threads_write_is_all_kept(log):
    def write(name):
        for number in range(2000):
            log.feed(name, f"{number}\n")

    threads = [threading.Thread(target=write, args=(name,)) for name in ("stdout", "stderr")]
    for thread in threads:
        thread.start()
    taken = []
    while any(thread.is_alive() for thread in threads):
        taken += log.take()
    for thread in threads:
        thread.join()
    taken += log.take()
    for name in ("stdout", "stderr"):
        text = "".join(chunk.text for chunk in taken if chunk.stream == name)
        assert text == "".join(f"{number}\n" for number in range(2000))


def test_who_writes_and_takes_within_a_take_waits_for_nothing(log, monkeypatch):
    """As a signal handler does that interrupts a take."""
    monkeypatch.setattr(output, "_PATIENCE", 0.01)
    inner = []

    def interrupted(text):
        log.feed("stdout", "x" * 100_000 + "\n")
        inner.append(log.take())
        return text

    monkeypatch.setattr(output, "mask_text", interrupted)
    log.feed("stdout", "a\n")
    assert log.take() == [Chunk("stdout", "a\n")]
    assert inner == [[]]
    monkeypatch.undo()
    assert len(log.take()[0].text) > 50_000


def test_a_forked_child_begins_with_nothing_and_isnt_stuck(log):
    log.feed("stdout", "of the parent\n")
    log._lock.acquire()  # as another thread may have at the moment of the fork
    child = os.fork()
    if not child:
        signal.alarm(30)
        log.feed("stdout", "x" * 100_000)
        log.feed("stdout", "\nof the child\n")
        os._exit(0 if log.take()[0].text.endswith("[cut]\nof the child\n") else 1)
    log._lock.release()
    assert os.waitpid(child, 0)[1] == 0
    assert log.take() == [Chunk("stdout", "of the parent\n")]


def test_a_write_of_more_than_is_ever_kept_is_cut_before_it_is_folded():
    log = OutputLog()
    log.feed("stdout", "x\n" * 4_000_000)
    chunks = log.take(everything=True)
    kept = sum(chunk.text.count("\n") for chunk in chunks)
    left_out = sum(chunk.left_out for chunk in chunks)
    assert sum(len(chunk.text) for chunk in chunks) < 1_100_000
    assert abs(kept + left_out - 4_000_000) <= 2


def test_a_cursor_that_is_sent_far_down_makes_no_lines():
    log = OutputLog()
    log.feed("stdout", "top\x1b[9999B" * 50)
    assert sum(chunk.text.count("\n") for chunk in log.take(everything=True)) <= 51
