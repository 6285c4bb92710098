"""Which rows repeat an earlier one in the columns that make it unique, in bounded memory.

Each row leaves a digest of 128 bits, its number and its values as text. What doesn't fit into
memory goes to one temporary file, apart by the first bits of the digest, so that rows that may be
equal come back together. Equal values always have equal digests, so no repetition is missed; two
different values that aren't made for it are taken for one with a chance of 2**-128.
"""

import weakref
from contextlib import ExitStack
from typing import TYPE_CHECKING

from attrs import frozen

from mlkit.data.comparing.row_digest import row_digests, value_digests
from mlkit.data.comparing.row_spool import RowSpool

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

_PARTS = 256
_LETTERS = 60


@frozen
class Repetitions:
    """The rows that repeat an earlier one.

    Attributes:
        count: How many there are.
        rows: The first of them: their numbers, and what they hold as text.
    """

    count: int
    rows: "tuple[tuple[int, str | None], ...]"


class Uniqueness:
    """Finds repetitions for any number of keys, which share one temporary file.

    Args:
        most: How many rows to tell of a key.
    """

    def __init__(self, most: int) -> None:
        import pyarrow as pa

        self._most = most
        self._opened = ExitStack()
        weakref.finalize(self, self._opened.close)  # for who forgets to close it
        fields = [
            ("first", pa.uint64()), ("second", pa.uint64()), ("key", pa.int32()),
            ("row", pa.int64()), ("text", pa.large_string()),
        ]  # fmt: skip
        self._spool = self._opened.enter_context(RowSpool(pa.schema(fields), _PARTS))

    def update(
        self, key: int, start: int, columns: "Sequence[pa.Array]", lacking: "pa.BooleanArray"
    ) -> None:
        """Take the next rows of a key in.

        Args:
            key: The key's number.
            start: The number of the first row.
            columns: The values of the key's columns.
            lacking: Which rows lack a value; they repeat nothing.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        rows = pa.arange(start, start + len(lacking))
        if lacking.true_count:
            there = pc.invert(lacking)
            rows, columns = rows.filter(there), [column.filter(there) for column in columns]
        if not len(rows):
            return
        digests = row_digests([value_digests(c, alike=True) for c in columns], seed=key)
        numbers = pa.repeat(pa.scalar(key, pa.int32()), len(rows))
        self._spool.add([digests.first, digests.second, numbers, rows, _told(columns)])

    def repetitions(self, keys: int) -> list[Repetitions]:
        """Give the repetitions of each key, once all rows were taken in."""
        import pyarrow as pa
        import pyarrow.compute as pc

        counts = [0] * keys
        kept: list[list[pa.Table]] = [[] for _ in range(keys)]
        for part in self._spool.parts():
            again = _repeating(part)
            for number in again["key"].unique().to_pylist():
                rows = again.filter(pc.equal(again["key"], number))
                counts[number] += len(rows)
                kept[number] = [self._first(pa.concat_tables([*kept[number], rows]))]
        return [
            Repetitions(count, tuple(zip(*_listed(tables), strict=True)) if tables else ())
            for count, tables in zip(counts, kept, strict=True)
        ]

    def close(self) -> None:
        """Give the temporary file back."""
        self._opened.close()

    def _first(self, table: "pa.Table") -> "pa.Table":
        return table.sort_by("row").slice(0, self._most).combine_chunks()


def _listed(tables: "list[pa.Table]") -> "tuple[list[int], list[str | None]]":
    return tables[0]["row"].to_pylist(), tables[0]["text"].to_pylist()


def _repeating(part: "pa.Table") -> "pa.Table":
    """Give the rows of a part that repeat an earlier one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pc.count_distinct(part["first"]).as_py() == len(part):
        return part.slice(0, 0)
    counts = part["first"].value_counts()
    several = counts.field(0).filter(pc.greater(counts.field(1), 1))
    part = part.filter(pc.is_in(part["first"], several))
    order = [(name, "ascending") for name in ("key", "first", "second", "row")]
    part = part.sort_by(order).combine_chunks()
    same = None
    for name in ("key", "first", "second"):
        column = part[name].combine_chunks()
        equal = pc.equal(column.slice(1), column.slice(0, len(column) - 1))
        same = equal if same is None else pc.and_(same, equal)
    return part.filter(pa.concat_arrays([pa.array([False]), same]))


def _told(columns: "Sequence[pa.Array]") -> "pa.Array":
    """Give the values of a key as short texts; null where Arrow has no text for them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = []
    for column in columns:
        try:
            text = column.cast(pa.large_string())
        except pa.ArrowException:  # bytes, lists, structs, times beyond those that it shows
            return pa.nulls(len(column), pa.large_string())
        texts.append(pc.utf8_slice_codeunits(text, 0, _LETTERS))
    comma = pa.scalar(", ", pa.large_string())
    return texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, comma)
