"""Which rows of two tables belong together, by their digests.

Each side comes as columns of a fixed meaning: `first` and `second`, the digest that rows are
matched by, `row`, their number, and then the digests of values to compare, if any. What occurs once
on either side is matched by that. Of rows whose digest occurs more than once, those with equal
values to compare are matched, one with one; the rest have no partner.
"""

from typing import TYPE_CHECKING

from attrs import frozen

from mlkit.data.comparing.mixing import chained

if TYPE_CHECKING:
    import pyarrow as pa

FIXED = 3
"""How many columns come before those to compare."""


@frozen
class Matched:
    """What became of the rows of one part.

    Attributes:
        added: The numbers of the rows that only the newer side has.
        removed: The numbers of those that only the older side has.
        changed: The numbers of those on both sides that differ, older and newer.
        values: Of each column to compare, how many rows differ in it.
        shared: The second lanes of the rows that weren't alone with their digest, older and newer.
    """

    added: "pa.Array"
    removed: "pa.Array"
    changed: tuple["pa.Array", "pa.Array"]
    values: tuple[int, ...]
    shared: tuple["pa.Array", "pa.Array"]


def spool_schema(compared: int) -> "pa.Schema":
    """Give the columns of a side, with those of so many values to compare."""
    import pyarrow as pa

    fields = [("first", pa.uint64()), ("second", pa.uint64()), ("row", pa.int64())]
    return pa.schema([*fields, *((f"value {n}", pa.uint64()) for n in range(compared))])


def match(old: "pa.Table", new: "pa.Table") -> Matched:
    """Match the rows of two sides, of which all with one digest are here."""
    import pyarrow as pa
    import pyarrow.compute as pc

    sides = [_columns(old), _columns(new)]
    repeated = pa.concat_arrays([_repeated(side[0]) for side in sides])
    if not len(repeated):
        return _match_single(sides[0], sides[1])
    masks = [pc.is_in(side[0], repeated) for side in sides]
    several = [[c.filter(mask) for c in side] for side, mask in zip(sides, masks, strict=True)]
    lone = [
        [c.filter(pc.invert(mask)) for c in side] for side, mask in zip(sides, masks, strict=True)
    ]
    single = _match_single(lone[0], lone[1])
    rest = _match_single(*(_numbered(side) for side in several))
    return Matched(
        added=pa.concat_arrays([single.added, rest.added]),
        removed=pa.concat_arrays([single.removed, rest.removed]),
        changed=single.changed,
        values=single.values,
        shared=(several[0][1], several[1][1]),
    )


def _columns(table: "pa.Table") -> list["pa.Array"]:
    """Give the columns, each of one piece."""
    return [
        column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        for column in table.columns
    ]


def _repeated(digests: "pa.Array") -> "pa.Array":
    """Give the digests that occur more than once."""
    import pyarrow.compute as pc

    if pc.count_distinct(digests).as_py() == len(digests):
        return digests.slice(0, 0)
    counts = digests.value_counts()
    return counts.field(0).filter(pc.greater(counts.field(1), 1))


def _match_single(old: list["pa.Array"], new: list["pa.Array"]) -> Matched:
    """Match rows whose digests are there once on each side."""
    import pyarrow as pa
    import pyarrow.compute as pc

    where = pc.index_in(old[0], new[0])
    same = pc.equal(old[1], new[1].take(where)).fill_null(False)  # noqa: FBT003 - pyarrow's own
    removed = old[2].filter(pc.invert(same))
    if not same.false_count:
        pairs, partner = old, where
    else:
        pairs, partner = [column.filter(same) for column in old], where.filter(same)
    added = new[2].slice(0, 0)
    if len(partner) < len(new[2]):
        there = pc.inverse_permutation(partner, max_index=len(new[2]) - 1).is_valid()
        added = new[2].filter(pc.invert(there))
    differ = pa.repeat(pa.scalar(False), len(partner))  # noqa: FBT003
    values = []
    for before, after in zip(pairs[FIXED:], new[FIXED:], strict=True):
        unlike = pc.not_equal(before, after.take(partner))
        values.append(unlike.true_count)
        differ = pc.or_(differ, unlike)
    changed = (pairs[2].filter(differ), new[2].take(partner.filter(differ)))
    nothing = old[1].slice(0, 0)
    return Matched(added, removed, changed, tuple(values), (nothing, nothing))


def _numbered(side: list["pa.Array"]) -> list["pa.Array"]:
    """Make digests of all that a row is, and tell equal ones apart by their number among these."""
    import pyarrow as pa
    import pyarrow.compute as pc

    first, second, rows, *values = side
    for value in values:
        first, second = chained(first, value), chained(second, value)
    table = pa.table({"first": first, "second": second, "row": rows})
    order = pc.sort_indices(table, [(name, "ascending") for name in table.column_names])
    first, second, rows = (column.combine_chunks() for column in table.take(order).columns)
    if not len(rows):
        return [first, second, rows]
    starts = pc.or_(_differs(first), _differs(second))
    run = pc.subtract(pc.cumulative_sum(starts.cast(pa.int64())), 1)
    place = pc.subtract(
        pa.arange(0, len(rows)), pc.indices_nonzero(starts).cast(pa.int64()).take(run)
    ).cast(pa.uint64())
    return [chained(first, place), chained(second, place), rows]


def _differs(numbers: "pa.Array") -> "pa.Array":
    """Tell of each number whether it is another one than that before it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    later = pc.not_equal(numbers.slice(1), numbers.slice(0, len(numbers) - 1))
    return pa.concat_arrays([pa.array([True]), later])
