"""Measures things side by side in one run, and holds them to their budgets.

`make bench` runs the files named bench_*.py here; `make test` doesn't. A figure is compared with
its peers in the same minute on the same machine, since machines and minutes differ.
"""

import statistics
import time

import pytest
from attrs import field, frozen


@frozen
class Timing:
    """How long one call took, in seconds.

    Attributes:
        calls: The time of a call in each round.
    """

    calls: tuple[float, ...]

    @property
    def best(self):
        """The least disturbed round."""
        return min(self.calls)

    @property
    def median(self):
        """The round in the middle."""
        return statistics.median(self.calls)


@frozen
class Figure:
    """Something measured, beside its budget and its peers, all in one unit."""

    what: str
    value: float
    unit: str
    budget: float | None
    most: bool
    peers: dict = field(factory=dict)

    @property
    def kept(self):
        """Whether the budget was kept."""
        if self.budget is None:
            return True
        return self.value <= self.budget if self.most else self.value >= self.budget

    def line(self):
        """Give the figure as one line of the summary."""
        sign = "at most" if self.most else "at least"
        budget = f"{sign} {self.budget:,.6g}" if self.budget is not None else ""
        peers = "  ".join(f"{name} {number(value)}" for name, value in self.peers.items())
        verdict = "" if self.kept else "MISSED"
        value = number(self.value)
        return f"{self.what:<48} {value:>12} {self.unit:<9} {budget:<18} {peers} {verdict}"


@frozen
class Note:
    """Something to know about the figures around it."""

    text: str

    def line(self):
        """Give the note as one line of the summary."""
        return self.text


def number(value):
    """Give four digits of a small number, and all before the point of a large one."""
    return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


class Bench:
    """Measures, and collects figures for the summary."""

    def __init__(self):
        self.figures = []

    def side_by_side(self, subjects, *, rounds=7, number=1):
        """Time several functions in turns, so that a disturbance hits all of them alike.

        Args:
            subjects: Name to function without arguments.
            rounds: How often each gets its turn.
            number: How many calls a turn has.

        Returns:
            Name to Timing of one call.
        """
        calls = {name: [] for name in subjects}
        for _ in range(rounds):
            for name, function in subjects.items():
                began = time.perf_counter()
                for _ in range(number):
                    function()
                calls[name].append((time.perf_counter() - began) / number)
        return {name: Timing(tuple(times)) for name, times in calls.items()}

    def each_call(self, function, *, number):
        """Time every single call, for percentiles; the clock itself costs about 0.05 us of each.

        Returns:
            The sorted times in seconds.
        """
        clock = time.perf_counter_ns
        times = []
        for _ in range(number):
            began = clock()
            function()
            times.append(clock() - began)
        return sorted(nanoseconds / 1e9 for nanoseconds in times)

    def at_most(self, what, value, unit, *, budget=None, **peers):
        """Record a figure that should be small, and fail the test when it is over its budget."""
        self._record(Figure(what, value, unit, budget, most=True, peers=peers))

    def at_least(self, what, value, unit, *, budget=None, **peers):
        """Record a figure that should be large, and fail the test when it is below its budget."""
        self._record(Figure(what, value, unit, budget, most=False, peers=peers))

    def note(self, text):
        """Put a line between the figures, such as what couldn't be measured and why."""
        self.figures.append(Note(text))

    def _record(self, figure):
        self.figures.append(figure)
        if not figure.kept:
            pytest.fail(figure.line(), pytrace=False)


_bench = Bench()


@pytest.fixture(scope="session")
def bench():
    """Give what measures."""
    return _bench


def pytest_terminal_summary(terminalreporter):
    """List all figures at the end."""
    if _bench.figures:
        terminalreporter.section("figures")
        for figure in _bench.figures:
            terminalreporter.write_line(figure.line())
