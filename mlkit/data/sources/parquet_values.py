"""Values that Parquet can't hold though their types say so, found before they are written.

Arrow's writer ends the whole process over one, where pages are cut by content.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_LONGEST = (1 << 31) - 16


def check_values(table: "pa.Table") -> None:
    """Raise where a value of a table has no place in Parquet; of most types none is looked at.

    Args:
        table: The rows.

    Raises:
        ArrowInvalid: A moment in seconds is none in milliseconds, or a text is longer than 2 GiB.

    Example:
        >>> import pyarrow as pa
        >>> check_values(pa.table({"t": pa.array([1], pa.timestamp("s"))}))
    """
    import pyarrow as pa

    for name, column in zip(table.column_names, table.columns, strict=True):
        if not any(map(_is_doubtful, _kinds(column.type))):
            continue
        for chunk in column.chunks:
            for leaf in _leaves(chunk):
                try:
                    _check(leaf)
                except pa.ArrowInvalid as error:
                    raise pa.ArrowInvalid(f"column {name!r}: {error}") from error


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
