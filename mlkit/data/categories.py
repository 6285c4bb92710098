"""The categories of a column: all of them, in their order, also those that no row has.

Parquet keeps the values of rows only. So the list stands in the metadata of the column's field,
from where a dictionary is made again as it was.
"""

import base64
from typing import TYPE_CHECKING

from mlkit.data.layout import lay_out
from mlkit.errors import Corrupt

if TYPE_CHECKING:
    import pyarrow as pa

_KEY = b"mlkit.categories"
_MOST = 10_000


def with_categories(field: "pa.Field", column: "pa.ChunkedArray") -> "pa.Field":
    """Give the field with its column's categories noted, if it has some and not too many.

    Args:
        field: How the column is kept.
        column: The column as it was handed over.
    """
    import pyarrow as pa
    from pyarrow import types

    if not types.is_dictionary(field.type) or not column.num_chunks:
        return field
    try:
        values = column.unify_dictionaries().chunk(0).dictionary.drop_null()
    except pa.ArrowInvalid:  # more of them than the type of the column can count
        return field
    if len(values) > _MOST:
        return field
    batch = pa.record_batch({"categories": lay_out(values, field.type.value_type)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    note = {_KEY: base64.b64encode(sink.getvalue())}
    return field.with_metadata({**(field.metadata or {}), **note})


def categorized(array: "pa.Array", field: "pa.Field") -> "pa.Array":
    """Give an array the type of its field, and the categories that are noted there.

    Raises:
        Corrupt: The note can't be read, or lacks a value of the array.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    note = (field.metadata or {}).get(_KEY)
    if note is None:
        return lay_out(array, field.type)
    try:
        with pa.ipc.open_stream(pa.py_buffer(base64.b64decode(note, validate=True))) as reader:
            values = reader.read_next_batch().column(0)
    except (ValueError, OSError, StopIteration) as error:
        raise Corrupt(f"The categories of column {field.name!r} can't be read: {error}") from error
    plain = lay_out(array, values.type)
    places = pc.index_in(plain, value_set=values, skip_nulls=True).cast(field.type.index_type)
    if places.null_count != plain.null_count:
        raise Corrupt(f"Column {field.name!r} holds a value that is none of its categories")
    return pa.DictionaryArray.from_arrays(places, values, ordered=field.type.ordered)
