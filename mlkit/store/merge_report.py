"""What was copied from one store to another."""

from collections.abc import Iterable

from attrs import field, frozen

from mlkit.display.formats import show_bytes
from mlkit.display.page import fragment
from mlkit.display.table import html_table
from mlkit.display.text import text_table
from mlkit.objects.verify import Problem

_COLUMNS = ("what", "copied", "size", "there already")
_SHOWN = 20


@frozen
class Copied:
    """What was copied of one kind.

    Attributes:
        kind: Such as `runs`, `blobs` or `versions of datasets`.
        objects: How many were copied.
        bytes: How many bytes they had.
        there: How many were there already.
    """

    kind: str
    objects: int = 0
    bytes: int = 0
    there: int = 0


@frozen
class MergeReport:
    """What was copied from one store to another.

    Attributes:
        source: Where from.
        target: Where to.
        parts: What was copied and what was there already, by kind.
        renumbered: Versions that got another number in the target: old reference, new reference.
        problems: What was damaged, missing or no part of a store, and so wasn't copied.
    """

    source: str
    target: str
    parts: tuple[Copied, ...] = field(repr=False)
    renumbered: tuple[tuple[str, str], ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def objects(self) -> int:
        """How many things were copied, of all kinds."""
        return sum(part.objects for part in self.parts)

    @property
    def bytes(self) -> int:
        """How many bytes were copied."""
        return sum(part.bytes for part in self.parts)

    @property
    def is_complete(self) -> bool:
        """Whether all that was to be copied is in the target now."""
        return not self.problems

    def __repr__(self) -> str:
        rows = self._rows()
        lines = [text_table(_COLUMNS, rows)] if rows else []
        return "\n".join([*lines, self._total(), *self.notes()])

    def _repr_html_(self) -> str:
        told = " ".join([self._total(), *self.notes()])
        return fragment(html_table(_COLUMNS, self._rows(), caption=told))

    def notes(self) -> list[str]:
        """Give, as sentences, what got another number and what wasn't copied."""
        moved = [f"{old} is {new} here." for old, new in self.renumbered]
        return [*_first(moved), *_first([f"Not copied: {one}" for one in self.problems])]

    def _rows(self) -> list[tuple[str, int, str, int]]:
        return [
            (part.kind, part.objects, show_bytes(part.bytes), part.there)
            for part in self.parts
            if part.objects or part.there
        ]

    def _total(self) -> str:
        if not self.objects:
            return f"Nothing was copied from {self.source} to {self.target}."
        return f"{show_bytes(self.bytes)} were copied from {self.source} to {self.target}."


def _first(lines: Iterable[str]) -> list[str]:
    known = list(lines)
    more = len(known) - _SHOWN
    return [*known[:_SHOWN], f"… and {more:,} more."] if more > 0 else known
