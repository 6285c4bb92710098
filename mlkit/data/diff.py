"""What changed from one version to another."""

from typing import TYPE_CHECKING

from attrs import frozen

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

    def _repr_html_(self) -> str:
        from mlkit.display.page import fragment
        from mlkit.display.table import html_table

        rows = [("rows", " -> ".join(map(_count, self.rows)))] if self.rows != (None, None) else []
        lists = [(what, ", ".join(names)) for what, names in self._lists()]
        caption = f"{self.before} -> {self.after}"
        return fragment(html_table(("what", "which"), [*rows, *lists], caption=caption))

    def __str__(self) -> str:
        lines = [f"{self.before} -> {self.after}"]
        if self.rows[0] != self.rows[1]:
            lines.append(f"  rows: {_count(self.rows[0])} -> {_count(self.rows[1])}")
        for what, names in self._lists():
            more = f", and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
            lines.append(f"  {what}: {', '.join(names[:_SHOWN])}{more}")
        if self.columns_moved:
            lines.append("  columns in another order")
        return "\n".join(lines if len(lines) > 1 else [f"{lines[0]}: nothing changed"])


def diff(before: "DatasetVersion", after: "DatasetVersion") -> DatasetDiff:
    """Give what changed from one version to another, without reading their values.

    Two tables are compared by the digests of their columns, everything else by its files.
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
    return DatasetDiff(
        before=before.ref,
        after=after.ref,
        rows=(before.rows, after.rows),
        columns_added=tuple(name for name in new if name not in old),
        columns_removed=tuple(name for name in old if name not in new),
        columns_retyped=retyped,
        columns_changed=tuple(name for name in touched if name not in retyped),
        columns_moved=[name for name in old if name in new] != both,
    )


def _differ(old: FileEntry, new: FileEntry) -> bool:
    return (old.size, old.digest, old.source) != (new.size, new.digest, new.source)


def _count(rows: int | None) -> str:
    return "none" if rows is None else f"{rows:,}"
