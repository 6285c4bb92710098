"""What changed from one version to another."""

from typing import TYPE_CHECKING

from attrs import frozen

from mlkit.data.row_diff import RowDiff, row_diff
from mlkit.objects.manifest import FileEntry

if TYPE_CHECKING:
    from mlkit.data.version import DatasetVersion

_SHOWN = 6


@frozen
class DatasetDiff:
    """What changed from one version to another; columns for tables, files for the rest.

    Attributes:
        before: The reference of the older side.
        after: The reference of the newer side.
        rows: The number of rows on each side; None where a side is no table.
        rows_added: Of two tables, the rows that only the newer side has, by the columns that both
            have with one type, and in whatever order; None where rows weren't matched.
        rows_removed: Likewise the rows that only the older side has.
        rows_unmatched: Why rows weren't matched, where they weren't.
        columns_added: Columns that only the newer side has.
        columns_removed: Columns that only the older side has.
        columns_retyped: Columns of both whose type differs.
        columns_changed: Columns of both with one type whose values differ.
        columns_moved: Whether the columns of both stand in another order.
        files_added: Files that only the newer side has.
        files_removed: Files that only the older side has.
        files_changed: Files of both whose content differs.
    """

    before: str
    after: str
    rows: tuple[int | None, int | None] = (None, None)
    rows_added: int | None = None
    rows_removed: int | None = None
    rows_unmatched: str = ""
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()
    columns_retyped: tuple[str, ...] = ()
    columns_changed: tuple[str, ...] = ()
    columns_moved: bool = False
    files_added: tuple[str, ...] = ()
    files_removed: tuple[str, ...] = ()
    files_changed: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether nothing changed."""
        return self.rows[0] == self.rows[1] and not self.columns_moved and not self._lists()

    def _lists(self) -> list[tuple[str, tuple[str, ...]]]:
        lists = [
            ("columns added", self.columns_added),
            ("columns removed", self.columns_removed),
            ("columns retyped", self.columns_retyped),
            ("columns changed", self.columns_changed),
            ("files added", self.files_added),
            ("files removed", self.files_removed),
            ("files changed", self.files_changed),
        ]
        return [(what, names) for what, names in lists if names]

    def _rows(self) -> str:
        counts = f"{_count(self.rows[0])} -> {_count(self.rows[1])}"
        if self.rows_unmatched:
            return f"{counts} (not matched: {self.rows_unmatched})"
        if self.rows_added is None or self.rows_removed is None:
            return counts
        if self.rows_added == self.rows_removed == 0:
            return f"{counts} (the same in another order)" if self.columns_changed else counts
        whole = not (self.columns_added or self.columns_removed or self.columns_retyped)
        by = "" if whole else " by the columns of both"
        return f"{counts} (+{self.rows_added:,}, -{self.rows_removed:,}{by})"

    def _repr_html_(self) -> str:
        from mlkit.display.page import fragment
        from mlkit.display.table import html_table

        rows = [("rows", self._rows())] if self.rows != (None, None) else []
        lists = [(what, ", ".join(names)) for what, names in self._lists()]
        caption = f"{self.before} -> {self.after}"
        return fragment(html_table(("what", "which"), [*rows, *lists], caption=caption))

    def __str__(self) -> str:
        lines = [f"{self.before} -> {self.after}"]
        if self.rows[0] != self.rows[1] or self.columns_changed:
            lines.append(f"  rows: {self._rows()}")
        for what, names in self._lists():
            more = f", and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
            lines.append(f"  {what}: {', '.join(names[:_SHOWN])}{more}")
        if self.columns_moved:
            lines.append("  columns in another order")
        return "\n".join(lines if len(lines) > 1 else [f"{lines[0]}: nothing changed"])


def diff(before: "DatasetVersion", after: "DatasetVersion") -> DatasetDiff:
    """Give what changed from one version to another.

    Two tables are compared by the digests of their columns, everything else by its files. Values
    are read only to match the rows of two tables that differ, of up to 20 million values each.

    Raises:
        Corrupt: Values had to be read and are damaged.
    """
    if before.kind == after.kind == "table":
        return _diff_tables(before, after)
    old = {entry.path: entry for entry in before.files()}
    new = {entry.path: entry for entry in after.files()}
    return DatasetDiff(
        before=before.ref,
        after=after.ref,
        rows=(before.rows, after.rows),
        files_added=tuple(path for path in new if path not in old),
        files_removed=tuple(path for path in old if path not in new),
        files_changed=tuple(path for path in new if path in old and _differ(old[path], new[path])),
    )


def _diff_tables(before: "DatasetVersion", after: "DatasetVersion") -> DatasetDiff:
    old, new = before.columns, after.columns
    both = [name for name in new if name in old]
    touched = [name for name in both if old[name] != new[name]]
    retyped = tuple(name for name in touched if before.types[name] != after.types[name])
    changed = tuple(name for name in touched if name not in retyped)
    rows = RowDiff(0, 0)
    if changed or before.rows != after.rows:
        rows = row_diff(before, after, [name for name in both if name not in retyped])
    return DatasetDiff(
        before=before.ref,
        after=after.ref,
        rows=(before.rows, after.rows),
        rows_added=rows.added,
        rows_removed=rows.removed,
        rows_unmatched=rows.why,
        columns_added=tuple(name for name in new if name not in old),
        columns_removed=tuple(name for name in old if name not in new),
        columns_retyped=retyped,
        columns_changed=changed,
        columns_moved=[name for name in old if name in new] != both,
    )


def _differ(old: FileEntry, new: FileEntry) -> bool:
    return (old.size, old.digest, old.source) != (new.size, new.digest, new.source)


def _count(rows: int | None) -> str:
    return "none" if rows is None else f"{rows:,}"
