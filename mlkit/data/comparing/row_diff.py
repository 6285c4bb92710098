"""Rows that were added, removed and changed from one table to another, in bounded memory.

Rows are matched by the digests of a key, or of all their values. What doesn't have to be read
isn't: columns that are equal stand in the same order on both sides, so that rows can be matched by
their number.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import field, frozen

from mlkit.data.comparing.lowest_rows import LowestRows
from mlkit.data.comparing.mixing import chained, word
from mlkit.data.comparing.row_digest import Digests, row_digests, value_digests
from mlkit.data.comparing.row_match import FIXED, Matched, match, spool_schema
from mlkit.data.comparing.row_spool import RowSpool, parts_for
from mlkit.storage.parallel import each

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit.data.comparing.row_source import RowSource

_THREADS = 2
_LANE = 8
_NO_KEY = 1


@frozen
class RowDiff:
    """What became of the rows.

    Attributes:
        added: How many rows only the newer side has.
        removed: How many rows only the older side has.
        changed: How many rows with one key differ in other values; 0 where there is no key.
        values: Of each column that was compared by key, in how many rows it differs.
        null_keys: How many rows have a null in their key, on both sides.
        shared_keys: How many rows have a key that another row of their side or several of the
            other side have, too.
        added_rows: The numbers of the first rows that were added, ascending.
        removed_rows: Likewise of those that were removed.
        changed_rows: The numbers of the first rows that changed, on both sides, by the newer one.
    """

    added: int
    removed: int
    changed: int
    values: Mapping[str, int]
    null_keys: tuple[int, int]
    shared_keys: tuple[int, int]
    added_rows: "pa.Array" = field(repr=False)
    removed_rows: "pa.Array" = field(repr=False)
    changed_rows: tuple["pa.Array", "pa.Array"] = field(repr=False)


@frozen
class Columns:
    """The columns of two tables by what is known of them; those of one type in both.

    Attributes:
        key: Those that tell which row is which; none to go by all values.
        same: Those whose digests say that they are equal, row by row.
        changed: The others.
    """

    key: tuple[str, ...]
    same: tuple[str, ...]
    changed: tuple[str, ...]

    @property
    def others(self) -> tuple[str, ...]:
        """All but the key."""
        return tuple(name for name in (*self.same, *self.changed) if name not in self.key)


def row_diff(
    before: "RowSource", after: "RowSource", columns: Columns, keep: int | None
) -> RowDiff:
    """Match the rows of two tables.

    Rows with a null in their key, and rows whose key isn't theirs alone, are matched by all their
    values; so equal ones are the same, and the others count as added and removed.

    Args:
        before: The older side.
        after: The newer side.
        columns: The columns to go by.
        keep: The numbers of so many rows are kept, of each kind; None for all.

    Raises:
        Corrupt: What was stored is damaged.
        StorageFault: There is no space for rows that memory doesn't hold.
    """
    if before.rows == after.rows and not columns.changed:  # nothing has to be read
        return _Totals((), keep).diff(None)
    if not columns.key:
        if columns.same:
            found = _by_place(before, after, columns.changed, keep)
            if found is not None:
                return found
        return _matched(before, after, (), columns.others, keep)
    if set(columns.key) <= set(columns.same):  # so rows have kept their places
        found = _matched(before, after, columns.key, columns.changed, keep)
        if found.null_keys == found.shared_keys == (0, 0):
            return found
    return _matched(before, after, columns.key, columns.others, keep)


def _matched(
    before: "RowSource",
    after: "RowSource",
    key: Sequence[str],
    others: Sequence[str],
    keep: int | None,
) -> RowDiff:
    """Match all rows by a key, or by all values where there is none."""
    compared = len(others) if key else 0
    parts = parts_for(max(before.rows, after.rows), _LANE * (FIXED + compared))
    schema = spool_schema(compared)
    totals = _Totals(others if key else (), keep)
    with RowSpool(schema, parts) as old, RowSpool(schema, parts) as new:
        nulls = [
            _digested(source, key, others, spool) for source, spool in ((before, old), (after, new))
        ]
        for older, newer in zip(old.parts(), new.parts(), strict=True):
            totals.take(match(older, newer))
    return totals.diff((nulls[0], nulls[1]) if key else None)


def _digested(
    source: "RowSource", key: Sequence[str], others: Sequence[str], spool: RowSpool
) -> int:
    """Put the digests of all rows into a spool, and give how many have a null in their key."""
    width = len(key)

    def digest(numbered: tuple[int, "pa.RecordBatch"]) -> tuple[int, list["pa.Array"]]:
        start, batch = numbered
        values = [value_digests(array) for array in batch.columns]
        rows = _row_numbers(start, len(batch))
        if not width:
            whole = row_digests(values)
            return 0, [whole.first, whole.second, rows]
        nulls, keys = _keys(values[:width], values[width:])
        return nulls, [keys.first, keys.second, rows, *(one.first for one in values[width:])]

    total = 0
    batches = _numbered(source.read([*key, *others]))
    for nulls, columns in each(digest, batches, threads=_THREADS):
        total += nulls
        spool.add(columns)
    return total


def _keys(key: Sequence[Digests], others: Sequence[Digests]) -> tuple[int, Digests]:
    """Give how many rows have a null in their key, and what to match each row by.

    The last bit says that it isn't a key, but all that the row is.
    """
    import pyarrow.compute as pc

    found = row_digests(key)
    second = pc.bit_wise_and(found.second, word(~_NO_KEY))
    missing = key[0].missing()
    for one in key[1:]:
        missing = pc.or_(missing, one.missing())
    if not missing.true_count:
        return 0, Digests(found.first, second)
    whole = found
    for one in others:
        whole = Digests(chained(whole.first, one.first), chained(whole.second, one.second))
    marked = pc.bit_wise_or(whole.second, word(_NO_KEY))
    return missing.true_count, Digests(
        pc.if_else(missing, whole.first, found.first), pc.if_else(missing, marked, second)
    )


def _by_place(
    before: "RowSource", after: "RowSource", changed: Sequence[str], keep: int | None
) -> RowDiff | None:
    """Match rows by their number, where some columns are equal; None where that doesn't tell all.

    Where rows of one number are equal, they are out. If none of the values that are left on one
    side is on the other, no rows can be equal, whatever the columns hold that weren't read.
    """
    totals = _Totals((), keep)
    schema = spool_schema(0)
    parts = parts_for(max(before.rows, after.rows), _LANE * FIXED)

    def unlike(pair: tuple[int, "pa.RecordBatch", "pa.RecordBatch"]) -> list[list["pa.Array"]]:
        import pyarrow.compute as pc

        start, *batches = pair
        sides = [row_digests([value_digests(array) for array in b.columns]) for b in batches]
        mask = pc.or_(
            pc.not_equal(sides[0].first, sides[1].first),
            pc.not_equal(sides[0].second, sides[1].second),
        )
        rows = _row_numbers(start, len(mask)).filter(mask)
        kept = [side.filtered(mask) for side in sides]
        return [[side.first, side.second, rows] for side in kept]

    with RowSpool(schema, parts) as old, RowSpool(schema, parts) as new:
        count = 0
        batches = _side_by_side(before.read(list(changed)), after.read(list(changed)))
        for left, right in each(unlike, batches, threads=_THREADS):
            count += len(left[2])
            old.add(left)
            new.add(right)
        for older, newer in zip(old.parts(), new.parts(), strict=True):
            totals.take(match(older, newer))
    found = totals.diff(None)
    return found if found.added == count else None


def _row_numbers(start: int, rows: int) -> "pa.Array":
    import pyarrow as pa

    return pa.arange(start, start + rows)


def _numbered(batches: Iterable["pa.RecordBatch"]) -> Iterator[tuple[int, "pa.RecordBatch"]]:
    """Give each batch with the number of its first row."""
    start = 0
    for batch in batches:
        yield start, batch
        start += len(batch)


def _side_by_side(
    left: Iterator["pa.RecordBatch"], right: Iterator["pa.RecordBatch"]
) -> Iterator[tuple[int, "pa.RecordBatch", "pa.RecordBatch"]]:
    """Give batches of two sides that hold the same numbers of rows, with that of the first."""
    start = 0
    one = other = None
    while True:
        one = one if one is not None and len(one) else next(left, None)
        other = other if other is not None and len(other) else next(right, None)
        if one is None or other is None:
            return
        rows = min(len(one), len(other))
        if rows:
            yield start, one.slice(0, rows), other.slice(0, rows)
        start += rows
        one, other = one.slice(rows), other.slice(rows)


class _Totals:
    """What was found in all parts so far.

    Args:
        names: The columns that are compared.
        keep: The numbers of so many rows are kept.
    """

    def __init__(self, names: Sequence[str], keep: int | None) -> None:
        self._names = names
        self._values = [0] * len(names)
        self._shared = [0, 0]
        self._added = LowestRows(keep, 1)
        self._removed = LowestRows(keep, 1)
        self._changed = LowestRows(keep, 2)

    def take(self, matched: Matched) -> None:
        """Count one part."""
        import pyarrow.compute as pc

        self._values = [a + b for a, b in zip(self._values, matched.values, strict=True)]
        for side, lanes in enumerate(matched.shared):
            keyed = pc.equal(pc.bit_wise_and(lanes, word(_NO_KEY)), word(0))
            self._shared[side] += keyed.true_count
        self._added.take(matched.added)
        self._removed.take(matched.removed)
        self._changed.take(*reversed(matched.changed))

    def diff(self, null_keys: tuple[int, int] | None) -> RowDiff:
        """Give all that was found; without a key, none can be null or shared."""
        (added,), (removed,) = self._added.rows(), self._removed.rows()
        newer, older = self._changed.rows()
        return RowDiff(
            added=self._added.count,
            removed=self._removed.count,
            changed=self._changed.count,
            values=dict(zip(self._names, self._values, strict=True)),
            null_keys=null_keys or (0, 0),
            shared_keys=(0, 0) if null_keys is None else (self._shared[0], self._shared[1]),
            added_rows=added,
            removed_rows=removed,
            changed_rows=(older, newer),
        )
