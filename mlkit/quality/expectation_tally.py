"""Counts of what broke an expectation so far, while the batches of a table go by."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mlkit._core.clock import iso
from mlkit.data.profiles.ticks import Ticks
from mlkit.display.formats import show_share, show_span
from mlkit.errors import InvalidInput
from mlkit.quality.expectation_report import ExpectationResult, FailedRow
from mlkit.quality.expectation_tests import Breaks, missing, texts
from mlkit.quality.expectation_values import axis

if TYPE_CHECKING:
    import pyarrow as pa

_SECOND = 10**9
_MICROSECOND = timedelta(microseconds=1)


class RowTally:
    """Counts the rows that break one expectation of a column, and keeps the first of them.

    Args:
        sentence: What is expected.
        kind: What kind of expectation it is.
        column: The column.
        breaks: What tells which values break it; None where missing ones do.
        share: The share that may break it.
        most: How many rows to keep.
    """

    def __init__(
        self,
        sentence: str,
        kind: str,
        column: str,
        *,
        breaks: Breaks | None,
        share: float = 0.0,
        most: int,
    ) -> None:
        self._sentence, self._kind, self._column = sentence, kind, column
        self._breaks, self._share, self._most = breaks, share, most
        self._checked = self._failed = 0
        self._rows: list[FailedRow] = []

    def update(self, array: "pa.Array", lacking: "pa.BooleanArray") -> None:
        """Look at the next values.

        Args:
            array: The values, in the layout of `plain_type`.
            lacking: Which of them are missing.
        """
        import pyarrow.compute as pc

        start = self._checked
        self._checked += len(array)
        if self._breaks is None:
            broken = lacking
        else:
            broken = self._breaks(array)
            if lacking.true_count:
                broken = pc.and_not(broken, lacking)
        count = broken.true_count
        self._failed += count
        if count and len(self._rows) < self._most:
            places = pc.indices_nonzero(broken).slice(0, self._most - len(self._rows))
            told = zip(places.to_pylist(), texts(array.take(places)), strict=True)
            self._rows += [FailedRow(start + place, text) for place, text in told]

    def result(self) -> ExpectationResult:
        """Give what became of the expectation."""
        share = self._failed / self._checked if self._checked else 0.0
        what = "are missing" if self._breaks is None else "break it"
        why = f"{self._failed:,} of {self._checked:,} rows {what} ({show_share(share)})"
        return ExpectationResult(
            expectation=self._sentence,
            kind=self._kind,
            columns=(self._column,),
            ok=share <= self._share,
            checked=self._checked,
            failed=self._failed,
            rows=tuple(self._rows),
            why=why if self._failed else "",
        )


class NewestTally:
    """Finds the newest time of a column.

    Args:
        sentence: What is expected.
        column: The column.
        ticks: How it counts time.
        oldest: The time that the newest must reach, in nanoseconds since 1970, UTC.
    """

    def __init__(self, sentence: str, column: str, ticks: Ticks, oldest: int) -> None:
        self._sentence, self._column, self._ticks, self._oldest = sentence, column, ticks, oldest
        self._newest: int | None = None
        self._checked = 0

    def update(self, array: "pa.Array", lacking: "pa.BooleanArray") -> None:  # noqa: ARG002 - times
        """Look at the next values; see `RowTally.update`."""
        import pyarrow.compute as pc

        self._checked += len(array)
        newest = pc.max(axis(array)).as_py()
        if newest is not None:
            self._newest = newest if self._newest is None else max(self._newest, newest)

    def result(self) -> ExpectationResult:
        """Give what became of the expectation."""
        reached, why = False, "there is no time in it"
        if self._newest is not None:
            newest = self._newest * self._ticks.nanoseconds
            reached = newest >= self._oldest
            late = (self._oldest - newest) / _SECOND
            why = f"the newest is {self._ticks.moment(self._newest)}"
            if not reached:
                why += f", {show_span(late)} before {iso(self._oldest)}"
        return ExpectationResult(
            expectation=self._sentence,
            kind="max_age",
            columns=(self._column,),
            ok=reached,
            checked=self._checked,
            why=why,
        )


Tally = RowTally | NewestTally


def look(tallies: list[Tally], array: "pa.Array") -> None:
    """Have the tallies of one column look at its next values.

    Args:
        tallies: Those of the column.
        array: The values, in the layout of `plain_type`.
    """
    lacking = missing(array)
    for tally in tallies:
        tally.update(array, lacking)


def nanoseconds_of(now: datetime) -> int:
    """Give a time in nanoseconds since 1970; one without a zone is in UTC.

    Raises:
        InvalidInput: It is no time.
    """
    if not isinstance(now, datetime):
        raise InvalidInput(f"now={now!r} is no time", hint="Give a datetime.datetime")
    if now.tzinfo is None:
        now = now.replace(tzinfo=UTC)
    return (now - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND * 1000
