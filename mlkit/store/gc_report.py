"""What collecting garbage has freed, or would free."""

from attrs import field, frozen

from mlkit.display.formats import show_bytes, show_span
from mlkit.display.page import fragment
from mlkit.display.table import html_table
from mlkit.display.text import text_table

_COLUMNS = ("what", "objects", "size")
_SECOND = 1_000_000_000


@frozen
class Freed:
    """What was freed of one kind.

    Attributes:
        kind: `deleted runs`, `blobs`, `packs`, `temporary files` or `table files`.
        objects: How many objects.
        bytes: How many bytes they had.
    """

    kind: str
    objects: int = 0
    bytes: int = 0


@frozen
class GcReport:
    """What collecting garbage has freed; with `dry_run`, what it would free.

    Attributes:
        freed: What was freed, by kind.
        dry_run: Whether nothing was removed.
        grace: The grace that was kept to, in nanoseconds.
        runs: The ids of the deleted runs whose folders were removed.
        young: How many objects nothing refers to, but which are younger than the grace.
        unknown: How many of these have no known age, so that they are never removed.
    """

    freed: tuple[Freed, ...]
    dry_run: bool
    grace: int
    runs: tuple[str, ...] = field(default=(), repr=False)
    young: int = 0
    unknown: int = 0

    @property
    def objects(self) -> int:
        """How many objects were freed, of all kinds."""
        return sum(one.objects for one in self.freed)

    @property
    def bytes(self) -> int:
        """How many bytes were freed, of all kinds."""
        return sum(one.bytes for one in self.freed)

    def __repr__(self) -> str:
        if not self.objects:
            return "\n".join([self._total(), *self.notes()])
        return "\n".join([text_table(_COLUMNS, self._rows()), self._total(), *self.notes()])

    def _repr_html_(self) -> str:
        told = " ".join([self._total(), *self.notes()])
        return fragment(html_table(_COLUMNS, self._rows(), caption=told))

    def notes(self) -> list[str]:
        """Give, as sentences, what was left alone."""
        told = []
        if self.young:
            grace = show_span(self.grace / _SECOND)
            objects = _count(self.young, "object")
            told.append(f"{objects} that nothing refers to are younger than {grace}, and stay.")
        if self.unknown:
            told.append(
                f"Of {self.unknown:,} of them the storage doesn't say how old they are, so they"
                " count as young."
            )
        return told

    def _rows(self) -> list[tuple[str, int, str]]:
        return [(one.kind, one.objects, show_bytes(one.bytes)) for one in self.freed if one.objects]

    def _total(self) -> str:
        if not self.objects:
            return "There is no garbage."
        verb = "would be freed" if self.dry_run else "were freed"
        return f"{_count(self.objects, 'object')}, {show_bytes(self.bytes)}, {verb}."


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
