"""What a terminal would show of a text: progress bars redrawn in place leave their last state."""

import re
from collections.abc import Iterator

_LONGEST = 65_536  # characters of a line
_CUT = " [cut]"
_TALLEST = 64  # lines that a cursor can go back to
_LONGEST_SEQUENCE = 256
_ODD = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SEQUENCE = re.compile(
    r"\x1b\[(?P<number>[0-9]{0,4})[0-9;:?<=>]*[ -/]*(?P<order>[@-~])"  # cursor, colours, erasing
    r"|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # titles and links
    r"|\x1b[ -/]*[0-Z\\^-~]"
    r"|(?P<back>\x08+)"
    r"|[\x00-\x07\x0b\x0c\x0e-\x1f\x7f]"
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-9;:?<=>]*[ -/]*|\][^\x07\x1b\n]*\x1b?|[ -/]*)\Z")

Line = tuple[int, str]
"""When a line was ended, as a number that grows, and its text with its newline."""


class Screen:
    r"""The lines of one stream as a terminal would show them.

    A carriage return lets what follows replace the line; a cursor that goes up writes over lines
    that are still held. Colours, titles and other sequences leave nothing. No line is longer than
    65,536 characters; a longer one is cut and marked.

    Args:
        stamps: Numbers lines in the order in which they end; screens that share it can be merged.

    Example:
        >>> from itertools import count
        >>> screen = Screen(count())
        >>> screen.write("10%\r50%\r100%\n\x1b[31mdone\x1b[0m\nmore")
        >>> screen.take()
        [(0, '100%\n'), (1, 'done\n')]
    """

    def __init__(self, stamps: Iterator[int]) -> None:
        self._stamps = stamps
        self._left: list[Line] = []  # what has scrolled out
        self._rows = [""]
        self._ended = [-1]  # the stamp of each row
        self._cursor = 0
        self._at_start = True  # what is written next replaces the row
        self._reach = 0  # how far above the last row the cursor was since the last take
        self._rest = ""  # the beginning of a sequence

    def write(self, text: str) -> None:
        """Take what was written to the stream."""
        if self._rest:
            text, self._rest = self._rest + text, ""
        if _ODD.search(text) is None:
            self._lines(text)
            return
        unfinished = _UNFINISHED.search(text, max(0, len(text) - _LONGEST_SEQUENCE))
        if unfinished is not None:
            self._rest = unfinished[0]
            text = text[: unfinished.start()]
        done = 0
        for match in _SEQUENCE.finditer(text):
            self._lines(text[done : match.start()])
            self._obey(match)
            done = match.end()
        self._lines(text[done:])

    def scrolled(self) -> list[Line]:
        """Give the lines that no cursor can go back to any more."""
        left, self._left = self._left, []
        return left

    def take(self, *, everything: bool = False) -> list[Line]:
        """Give the lines above the cursor that nothing is likely to change.

        Args:
            everything: The others too, with the one that isn't ended, which then has no newline.
        """
        # Bars that are redrawn by going up stand above the cursor between two redrawings.
        still = max(0, min(self._cursor, len(self._rows) - 1 - self._reach))
        count = len(self._rows) if everything else still
        lines = self.scrolled()
        lines += [self._line(row) for row in range(count) if self._rows[row] or self._is_ended(row)]
        del self._rows[:count], self._ended[:count]
        self._cursor -= count
        self._reach = 0
        if not self._rows:
            self._rows, self._ended, self._cursor = [""], [-1], 0
        return lines

    def _is_ended(self, row: int) -> bool:
        return self._ended[row] >= 0

    def _line(self, row: int) -> Line:
        text = self._rows[row]
        if len(text) > _LONGEST:
            text = text[:_LONGEST] + _CUT
        if self._is_ended(row) or row < len(self._rows) - 1:
            text += "\n"
        return self._ended[row] if self._is_ended(row) else next(self._stamps), text

    def _lines(self, text: str) -> None:
        """Write text whose only controls are tabs, newlines and carriage returns."""
        first, *others = text.split("\n")
        self._put(first)
        for line in others:
            self._down()
            self._put(line)

    def _put(self, piece: str) -> None:
        shown = piece.rstrip("\r")
        if shown:
            _, turned, last = shown.rpartition("\r")
            row = self._rows[self._cursor]
            if turned or self._at_start:
                row = last
            elif len(row) <= _LONGEST:
                row += last
            self._rows[self._cursor] = row[: _LONGEST + 1]  # the one more says that it was cut
            self._at_start = False
        if len(shown) < len(piece):
            self._at_start = True

    def _down(self) -> None:
        self._ended[self._cursor] = next(self._stamps)
        self._cursor += 1
        self._at_start = True
        if self._cursor == len(self._rows):
            self._rows.append("")
            self._ended.append(-1)
        if len(self._rows) > _TALLEST and self._cursor:
            self._left.append(self._line(0))
            del self._rows[0], self._ended[0]
            self._cursor -= 1

    def _up(self, number: int) -> None:
        self._cursor = max(0, self._cursor - number)
        self._reach = max(self._reach, len(self._rows) - 1 - self._cursor)

    def _obey(self, match: re.Match[str]) -> None:
        if match["back"]:
            row = self._rows[self._cursor]
            self._rows[self._cursor] = row[: -len(match["back"])]
            return
        order, number = match["order"], int(match["number"] or 0)
        if order in ("A", "F"):
            self._up(max(1, number))
        elif order in ("B", "E"):
            below = len(self._rows) - 1 - self._cursor  # a terminal stops at its bottom too
            for _ in range(min(max(1, number), max(1, below))):
                self._down()
        elif order == "K" and (self._at_start or number):
            self._rows[self._cursor] = ""
        elif order == "J" and not number:
            del self._rows[self._cursor + 1 :], self._ended[self._cursor + 1 :]
            if self._at_start:
                self._rows[self._cursor] = ""
        if order in ("E", "F") or (order == "G" and number <= 1):
            self._at_start = True
