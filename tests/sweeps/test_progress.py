"""Progress on terminals and elsewhere."""

import io

import pytest

from mlkit.sweeps.progress import Progress
from mlkit.sweeps.trial import Goal, Trial


class Terminal(io.StringIO):
    def isatty(self):
        return True


TRIALS = [
    Trial(1, "a", {}, 0.5),
    Trial(2, "b", {}, error="ValueError: no"),
    Trial(3, "c", {}, 0.25),
    Trial(4, "d", {}, float("nan")),
]


def shown(stream, goal="min loss", **options):
    with Progress("train", Goal.of(goal), stream=stream, **options) as line:
        for trial in TRIALS:
            line.add(trial)
    return stream.getvalue()


def test_a_terminal_has_one_line_that_is_written_over():
    text = shown(Terminal(), total=4)
    assert text.count("\n") == 1
    assert text.endswith("\rtrain: 4 of 4 trials, 1 failed, best loss 0.25\n")


def test_the_best_is_the_largest_where_more_is_better():
    assert "best loss 0.5\n" in shown(Terminal(), goal="max loss")


def test_elsewhere_nothing_is_shown():
    assert shown(io.StringIO()) == ""


def test_elsewhere_a_line_for_each_trial_when_asked():
    assert shown(io.StringIO(), show=True).split("\n") == [
        "train: 1 trials, best loss 0.5",
        "train: 2 trials, 1 failed, best loss 0.5",
        "train: 3 trials, 1 failed, best loss 0.25",
        "train: 4 trials, 1 failed, best loss 0.25",
        "",
    ]


def test_a_terminal_is_left_alone_when_told_so():
    assert shown(Terminal(), show=False) == ""


def test_an_interruption_says_what_is_kept():
    stream = Terminal()
    line = Progress("train", Goal.of("max auc"), stream=stream)
    line.add(TRIALS[0])
    with pytest.raises(KeyboardInterrupt), line:
        raise KeyboardInterrupt
    assert stream.getvalue().endswith("\nInterrupted; 1 trials are kept\n")


def test_another_error_is_told_by_itself():
    stream = Terminal()
    with (
        pytest.raises(ValueError, match="no"),
        Progress("train", Goal.of("max auc"), stream=stream),
    ):
        raise ValueError("no")
    assert "Interrupted" not in stream.getvalue()
