"""What changed from one version to another."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mlkit.data.comparing.diff_display import diff_html, diff_text
from mlkit.data.comparing.file_diff import file_diff
from mlkit.data.comparing.row_diff import Columns, RowDiff, row_diff
from mlkit.data.comparing.row_source import RowSource
from mlkit.data.profiles.shift import Shift, shift
from mlkit.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit.data.version import DatasetVersion

_KEPT = 10_000
_LIMIT = 1000
_NO_COLUMN = "no column is in both"


@frozen
class DatasetDiff:
    """What changed from one version to another; columns and rows for tables, files for the rest.

    Columns and files are known at once. Rows are matched when they are first asked for, which reads
    both tables unless they are equal.

    Attributes:
        before: The reference of the older side.
        after: The reference of the newer side.
        rows: The number of rows on each side; None where a side is no table.
        key: The columns that tell which row is which; none where rows go by all their values.
        columns_added: Columns that only the newer side has.
        columns_removed: Columns that only the older side has.
        columns_retyped: Columns of both whose type differs.
        columns_changed: Columns of both with one type whose values differ.
        columns_moved: Whether the columns of both stand in another order.
        files_added: Files that only the newer side has, without renamed ones.
        files_removed: Files that only the older side has, without renamed ones.
        files_changed: Files of both whose content differs.
        files_renamed: Files whose content is under another path on the newer side: both paths.
    """

    before: str
    after: str
    rows: tuple[int | None, int | None] = (None, None)
    key: tuple[str, ...] = ()
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()
    columns_retyped: tuple[str, ...] = ()
    columns_changed: tuple[str, ...] = ()
    columns_moved: bool = False
    files_added: tuple[str, ...] = ()
    files_removed: tuple[str, ...] = ()
    files_changed: tuple[str, ...] = ()
    files_renamed: tuple[tuple[str, str], ...] = ()
    _columns: Columns | None = field(default=None, repr=False)
    _versions: tuple["DatasetVersion", "DatasetVersion"] = field(repr=False, eq=False, kw_only=True)

    @property
    def same(self) -> bool:
        """Whether nothing changed."""
        return self.rows[0] == self.rows[1] and not self.columns_moved and not self.lists()

    def lists(self) -> list[tuple[str, tuple[str, ...]]]:
        """Give what changed of columns and files, each list with what it is of."""
        renamed = tuple(f"{old} -> {new}" for old, new in self.files_renamed)
        lists = [
            ("columns added", self.columns_added),
            ("columns removed", self.columns_removed),
            ("columns retyped", self.columns_retyped),
            ("columns changed", self.columns_changed),
            ("files added", self.files_added),
            ("files removed", self.files_removed),
            ("files changed", self.files_changed),
            ("files renamed", renamed),
        ]
        return [(what, names) for what, names in lists if names]

    @property
    def rows_unmatched(self) -> str:
        """Why rows can't be matched; empty where they can."""
        if self._columns is None:
            return "not both are tables"
        return "" if self._columns.others or self.key else _NO_COLUMN

    @property
    def rows_added(self) -> int | None:
        """How many rows only the newer side has; None where rows can't be matched.

        Rows are compared by the columns that both have with one type, and in whatever order; equal
        rows count each. With a key, those count whose key only the newer side has, and those
        without a key of their own that no row on the older side is equal to.
        """
        return None if self.rows_unmatched else self._rows.added

    @property
    def rows_removed(self) -> int | None:
        """How many rows only the older side has; see `rows_added`."""
        return None if self.rows_unmatched else self._rows.removed

    @property
    def rows_changed(self) -> int | None:
        """How many rows differ in another value than their key; None without a key."""
        return None if self.rows_unmatched or not self.key else self._rows.changed

    @property
    def values_changed(self) -> Mapping[str, int]:
        """In how many rows with one key each column differs, where it does; empty without a key."""
        if self.rows_unmatched:
            return {}
        return {name: count for name, count in self._rows.values.items() if count}

    @property
    def null_keys(self) -> tuple[int, int]:
        """How many rows of each side have a null in their key; they go by all their values."""
        return (0, 0) if self.rows_unmatched else self._rows.null_keys

    @property
    def shared_keys(self) -> tuple[int, int]:
        """How many rows of each side share their key; they go by all their values."""
        return (0, 0) if self.rows_unmatched else self._rows.shared_keys

    def added(self, limit: int | None = _LIMIT) -> "pa.Table":
        """Give the rows that only the newer side has, in its order, with all its columns.

        Args:
            limit: The most rows; the first ones. None for all.

        Raises:
            InvalidInput: Rows can't be matched, or the limit is negative.
            Corrupt: What was stored is damaged.
        """
        return self._of_side(1, self._found(limit).added_rows, limit)

    def removed(self, limit: int | None = _LIMIT) -> "pa.Table":
        """Give the rows that only the older side has, with all its columns; see `added`."""
        return self._of_side(0, self._found(limit).removed_rows, limit)

    def changed(self, limit: int | None = _LIMIT) -> "pa.Table":
        """Give the rows that changed, by their key: what their values were, and what they are.

        Args:
            limit: The most rows; the first ones of the newer side. None for all.

        Returns:
            The key, and for each column in which any row differs `<column>.before` and
            `<column>.after`, in the order of the newer side.

        Raises:
            InvalidInput: There is no key, rows can't be matched, or the limit is negative.
            Corrupt: What was stored is damaged.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self.key:
            raise InvalidInput(
                "Without a key no row is known to be another one that changed",
                hint="Name the columns that tell which row is which: diff(other, key=[...])",
            )
        older, newer = (rows.slice(0, limit) for rows in self._found(limit).changed_rows)
        names = list(self.values_changed)
        sources = self._sources
        after = sources[1].rows_at(newer, [*self.key, *names])
        order = pc.sort_indices(older)
        before = sources[0].rows_at(older.take(order), names) if names else after.select([])
        before = before.take(pc.sort_indices(order))
        columns: dict[str, pa.ChunkedArray] = {name: after.column(name) for name in self.key}
        for name in names:
            columns[_free(f"{name}.before", columns)] = before.column(name)
            columns[_free(f"{name}.after", columns)] = after.column(name)
        return pa.table(columns)

    @cached_property
    def shifts(self) -> Mapping[str, Shift]:
        """How far the values of each changed column moved as a whole; reads both tables once.

        Columns whose distributions can't be compared are left out.

        Raises:
            Corrupt: What was stored is damaged.
        """
        if not self.columns_changed:
            return {}
        old, new = (version.profile for version in self._versions)
        found = {name: shift(old[name], new[name]) for name in self.columns_changed}
        return {name: moved for name, moved in found.items() if moved is not None}

    @cached_property
    def _rows(self) -> RowDiff:
        return self._match(_KEPT)

    @property
    def _sources(self) -> list[RowSource]:
        return [RowSource.of(version) for version in self._versions]

    def _match(self, keep: int | None) -> RowDiff:
        before, after = self._sources
        return row_diff(before, after, self._columns or Columns((), (), ()), keep)

    def _found(self, limit: int | None) -> RowDiff:
        """Match rows, anew if more of their numbers are wanted than were kept."""
        if self.rows_unmatched:
            raise InvalidInput(f"The rows can't be matched: {self.rows_unmatched}")
        is_number = isinstance(limit, int) and not isinstance(limit, bool)
        if limit is not None and not is_number:
            raise InvalidInput(f"limit={limit!r} is no number of rows", hint="Use None for all")
        if limit is not None and limit < 0:
            raise InvalidInput(
                f"limit={limit} is negative", hint="Leave it out, or use None for all"
            )
        found = self._rows
        most = max(found.added, found.removed, found.changed)
        if most <= _KEPT or (limit is not None and limit <= _KEPT):
            return found
        return self._match(limit)

    def _of_side(self, side: int, numbers: "pa.Array", limit: int | None) -> "pa.Table":
        source = self._sources[side]
        return source.rows_at(numbers.slice(0, limit), source.schema.names)

    def _repr_html_(self) -> str:
        return diff_html(self)

    def __str__(self) -> str:
        return diff_text(self)


def diff(
    before: "DatasetVersion", after: "DatasetVersion", key: str | Sequence[str] | None = None
) -> DatasetDiff:
    """Give what changed from one version to another.

    Two tables are compared by the digests of their columns, everything else by its files.

    Args:
        before: The older side.
        after: The newer side.
        key: Of two tables, the columns that tell which row is which; rows go by all their values
            without it.

    Raises:
        InvalidInput: A column of the key isn't in both with one type, or not both are tables, or
            one is no version.
        Corrupt: What was stored is damaged.
    """
    if not hasattr(after, "listing"):
        raise InvalidInput(
            f"{after!r:.80} is no version of a dataset",
            hint='Give one, such as store.dataset("flights:2"); log a frame first',
        )
    if before.kind == after.kind == "table":
        return _diff_tables(before, after, key)
    if key is not None:
        other = before if before.kind != "table" else after
        raise InvalidInput(
            f"{other.ref} is a {other.kind}, and only rows of tables have a key",
            hint="Leave out key= to compare files",
        )
    files = file_diff(before.listing, after.listing)
    return DatasetDiff(
        before=before.ref,
        after=after.ref,
        rows=(before.rows, after.rows),
        files_added=files.added,
        files_removed=files.removed,
        files_changed=files.changed,
        files_renamed=files.renamed,
        versions=(before, after),
    )


def _diff_tables(
    before: "DatasetVersion", after: "DatasetVersion", key: str | Sequence[str] | None
) -> DatasetDiff:
    old, new = before.columns, after.columns
    both = [name for name in new if name in old]
    touched = [name for name in both if old[name] != new[name]]
    retyped = tuple(name for name in touched if before.types[name] != after.types[name])
    changed = tuple(name for name in touched if name not in retyped)
    names = _checked_key(before, after, key, retyped)
    same = tuple(name for name in both if name not in touched)
    return DatasetDiff(
        before=before.ref,
        after=after.ref,
        rows=(before.rows, after.rows),
        key=names,
        columns_added=tuple(name for name in new if name not in old),
        columns_removed=tuple(name for name in old if name not in new),
        columns_retyped=retyped,
        columns_changed=changed,
        columns_moved=[name for name in old if name in new] != both,
        columns=Columns(names, same, changed),
        versions=(before, after),
    )


def _checked_key(
    before: "DatasetVersion",
    after: "DatasetVersion",
    key: str | Sequence[str] | None,
    retyped: tuple[str, ...],
) -> tuple[str, ...]:
    if key is None:
        return ()
    names: tuple[Any, ...] = ()
    for version in (before, after):
        names = RowSource.of(version).chosen("key", key)
    for name in names:
        if name in retyped:
            raise InvalidInput(
                f"key: {name!r} is {before.types[name]} in {before.ref}, and "
                f"{after.types[name]} in {after.ref}",
                hint="Use a key that has one type in both",
            )
    return names


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """Give a name that isn't taken."""
    while name in taken:
        name = f"{name}_"
    return name
