"""Values that Parquet can't hold though their types say so, found before they are written.

Arrow's writer ends the whole process over one, where pages are cut by content.
"""

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from mlkit.data.layout import refusals
from mlkit.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

_LONGEST = (1 << 31) - 16
_WIDE = 32  # bits of an index, which count more words than a row group has


def check_values(table: "pa.Table") -> None:
    """Raise where a value of a table has no place in Parquet; of most types none is looked at.

    Args:
        table: The rows.

    Raises:
        InvalidInput: A moment in seconds is none in milliseconds, a text is longer than 2 GiB, or
            the dictionaries of a column have more words together than its index can count. The
            message names the column.

    Example:
        >>> import pyarrow as pa
        >>> check_values(pa.table({"t": pa.array([1], pa.timestamp("s"))}))
    """
    for name, column in zip(table.column_names, table.columns, strict=True):
        try:
            _check_words(column)
            if any(map(_is_doubtful, _kinds(column.type))):
                for leaf in chain.from_iterable(map(_leaves, column.chunks)):
                    _check(leaf)
        except refusals() as error:
            raise unfit(f"column {name!r}: {error}") from error


def unfit(why: str) -> InvalidInput:
    """Give the error for a table that can't be written.

    Args:
        why: The reason, with the name of the column.
    """
    return InvalidInput(
        f"The table can't be kept as Parquet: {why}", hint="Cast the column to a plain type first"
    )


def _check_words(column: "pa.ChunkedArray") -> None:
    """Raise where the words of all chunks have no place in the one dictionary that is read."""
    from pyarrow import types

    narrow = any(
        types.is_dictionary(kind) and kind.index_type.bit_width < _WIDE
        for kind in _kinds(column.type)
    )
    if narrow and column.num_chunks > 1:
        column.combine_chunks()


def _check(leaf: "pa.Array") -> None:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    kind = leaf.type
    if not _is_doubtful(kind):
        return
    if types.is_timestamp(kind):
        leaf.cast(pa.timestamp("ms", kind.tz))
    elif (pc.max(pc.binary_length(leaf)).as_py() or 0) > _LONGEST:
        raise pa.ArrowInvalid("a value is longer than 2 GiB")


def _is_doubtful(kind: "pa.DataType") -> bool:
    from pyarrow import types

    if types.is_timestamp(kind):
        return bool(kind.unit == "s")
    return bool(types.is_large_string(kind) or types.is_large_binary(kind))


def _kinds(kind: "pa.DataType") -> Iterator["pa.DataType"]:
    """Give a type and those that it is made of."""
    import pyarrow as pa
    from pyarrow import types

    yield kind
    if isinstance(kind, pa.BaseExtensionType):
        yield from _kinds(kind.storage_type)
    elif types.is_dictionary(kind):
        yield from _kinds(kind.value_type)
    else:
        for number in range(kind.num_fields):
            yield from _kinds(kind.field(number).type)


def _leaves(array: "pa.Array") -> Iterator["pa.Array"]:
    """Give the values that are written of an array; of a struct that is null they are, too."""
    import pyarrow as pa
    from pyarrow import types

    kind = array.type
    if not len(array):
        return
    if isinstance(kind, pa.BaseExtensionType):
        yield from _leaves(array.storage)
    elif types.is_dictionary(kind):
        yield from _leaves(array.dictionary_decode())
    elif types.is_struct(kind):
        for number in range(kind.num_fields):
            yield from _leaves(array.field(number))
    elif types.is_map(kind):
        first, last = array.offsets[0].as_py(), array.offsets[-1].as_py()
        for entries in (array.keys, array.items):
            yield from _leaves(entries.slice(first, last - first))
    elif types.is_nested(kind):
        yield from _leaves(array.flatten())
    else:
        yield array
