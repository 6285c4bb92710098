"""Where a table is cut into row groups: by what its rows hold, and not by their number.

So rows that come or go in the middle change the row group that they are in, and those after it
stay as they are, byte for byte. A row ends a group when a value of it says so: that of the first
column whose values hardly repeat, so that columns which are added don't matter. Where all repeat, a
mix of several says it.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from mlkit.data.profiles.value_hashes import hash_bytes

if TYPE_CHECKING:
    import pyarrow as pa

_LEAST = 1 << 16
_MOST = 1 << 19
_BYTES = 32 << 20
_MIXED = 6
_LETTERS = 16
_SAMPLE = 1 << 13
_FACTOR = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: Knuth, TAOCP 3, 6.4


def row_groups(batches: Iterable["pa.RecordBatch"], schema: "pa.Schema") -> Iterator["pa.Table"]:
    """Give batches of any size as row groups, wherever the batches were cut.

    A group has 65,536 to 524,288 rows, fewer where rows are wide: 32 MiB at most.

    Args:
        batches: The rows; each has the schema already.
        schema: The columns.
    """
    import pyarrow as pa

    sample, batches = _peek(batches)
    if not sample:
        return
    least = _least(sample)
    telling = _telling(sample)
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        begin = 0
        while begin < len(batch):
            end, ends = _end(batch, begin, rows, size, (least, telling))
            piece = batch.slice(begin, end - begin)
            held.append(piece)
            rows += len(piece)
            size += _bytes(batch) * len(piece) // len(batch)
            begin = end
            if ends:
                yield pa.Table.from_batches(held, schema)
                held, rows, size = [], 0, 0
    if held:
        yield pa.Table.from_batches(held, schema)


def _peek(
    batches: Iterable["pa.RecordBatch"],
) -> tuple["pa.Table | None", Iterator["pa.RecordBatch"]]:
    """Give the first rows, as many wherever the batches were cut, and all batches."""
    import pyarrow as pa

    coming = iter(batches)
    first: list[pa.RecordBatch] = []
    while sum(map(len, first)) < _SAMPLE:
        batch = next(coming, None)
        if batch is None:
            break
        first.append(batch)
    sample = pa.Table.from_batches(first).slice(0, _SAMPLE) if first else None
    return sample if sample is not None and sample.num_rows else None, chain(first, coming)


def _telling(sample: "pa.Table") -> list[int]:
    """Give the columns whose values say where groups end."""
    simple = [
        (number, words)
        for number, column in enumerate(sample.columns)
        if _is_simple(column.type) and (words := _words(column.combine_chunks())) is not None
    ]
    unlike = [(number, words) for number, words in simple if _hardly_repeats(words)]
    for number, words in unlike:
        if not _counts_rows(words):
            return [number]
    return [number for number, _ in unlike[:1] or simple[:_MIXED]]


def _hardly_repeats(words: "pa.Array") -> bool:
    import pyarrow.compute as pc

    return bool(pc.count_distinct(words).as_py() * 4 > len(words))


def _counts_rows(words: "pa.Array") -> bool:
    """Tell whether values rise by equal steps: most get another number where rows come or go."""
    import pyarrow.compute as pc

    steps = pc.subtract(words[1:], words[:-1])
    return bool(pc.count_distinct(steps).as_py() * 4 <= len(words))


def _end(
    batch: "pa.RecordBatch", begin: int, rows: int, size: int, rule: tuple[int, list[int]]
) -> tuple[int, bool]:
    """Give the row before which the group must be looked at again, and whether it ends there."""
    import pyarrow.compute as pc

    least, telling = rule

    width = max(1, _bytes(batch) // len(batch))
    most = min(begin + _MOST - rows, begin + max(1, (_BYTES - size) // width))
    first = max(begin, begin + least - rows)
    last = min(most, len(batch))
    if first < last:  # rows that are wider than those before may fill the group at once
        window = batch.slice(first, last - first)
        ends = pc.equal(pc.bit_wise_and(_mixed(window.select(telling)), least - 1), 0)
        found = pc.index(ends, value=True).as_py()
        if found >= 0:
            return first + found + 1, True
    return (most, True) if most <= len(batch) else (len(batch), False)


def _least(sample: "pa.Table") -> int:
    """Give the least rows of a group, a power of two: fewer where rows are wide."""
    width = max(1, int(sample.nbytes) // sample.num_rows)
    fitting = max(1, _BYTES // (4 * width))
    return int(min(_LEAST, 1 << (fitting.bit_length() - 1)))


def _bytes(batch: "pa.RecordBatch") -> int:
    return int(batch.nbytes)


def _mixed(batch: "pa.RecordBatch") -> "pa.Array":
    """Give a number for each row, mixed from its values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    factor = pa.scalar(_FACTOR, pa.uint64())
    mixed = pa.repeat(pa.scalar(1, pa.uint64()), len(batch))
    for word in (_words(column) for column in batch.columns):
        if word is None:
            continue
        mixed = pc.multiply(pc.add(mixed, word), factor)
        mixed = pc.bit_wise_xor(mixed, pc.shift_right(mixed, pa.scalar(29, pa.uint64())))
    return pc.shift_right(pc.multiply(mixed, factor), pa.scalar(32, pa.uint64()))


def _is_simple(kind: "pa.DataType") -> bool:
    """Tell of what types `_words` has something, so that others aren't put together in vain."""
    from pyarrow import types

    return bool(
        types.is_primitive(kind)
        or types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_binary(kind)
    )


def _words(array: "pa.Array") -> "pa.Array | None":
    """Give something of each value as a whole number; None of a type that has nothing simple."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    kind = array.type
    if types.is_dictionary(kind):
        return None
    if types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind):
        start = pc.binary_slice(pc.fill_null(array, "").cast(pa.large_binary()), 0, _LETTERS)
        words = hash_bytes(start.cast(pa.large_binary()))
    elif types.is_primitive(kind) and kind.bit_width in {16, 32, 64} and not types.is_null(kind):
        words = array.view(getattr(pa, f"uint{kind.bit_width}")())
    else:
        return None
    return pc.fill_null(words, 0).cast(pa.uint64())
