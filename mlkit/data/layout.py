"""The same values in another layout: without dictionaries, runs and views, or with them again."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def kept_type(kind: "pa.DataType") -> "pa.DataType":
    """Give the type with which a column is stored: views and runs are undone, at every depth.

    Parquet has neither of them, and pyarrow writes only some of them. Dictionaries of values that
    can't be looked up are undone as well, and those within other types unless they are of texts.

    Example:
        >>> import pyarrow as pa
        >>> kept_type(pa.list_view(pa.string_view()))
        ListType(list<item: large_string>)
    """
    import pyarrow as pa
    from pyarrow import types

    if types.is_run_end_encoded(kind):
        return kept_type(kind.value_type)
    if types.is_dictionary(kind):
        words = kept_type(kind.value_type)
        return pa.dictionary(kind.index_type, words, kind.ordered) if _is_word(words) else words
    if types.is_string_view(kind):
        return pa.large_string()
    if types.is_binary_view(kind):
        return pa.large_binary()
    return _kept_nested(kind)


def _kept_nested(kind: "pa.DataType") -> "pa.DataType":
    import pyarrow as pa
    from pyarrow import types

    if types.is_list_view(kind) or types.is_list(kind):
        return pa.list_(_kept_field(kind.value_field))
    if types.is_large_list_view(kind) or types.is_large_list(kind):
        return pa.large_list(_kept_field(kind.value_field))
    if types.is_fixed_size_list(kind):
        return pa.list_(_kept_field(kind.value_field), kind.list_size)
    if types.is_map(kind):
        return pa.map_(_kept_field(kind.key_field), _kept_field(kind.item_field), kind.keys_sorted)
    if types.is_struct(kind):
        return pa.struct([_kept_field(kind.field(n)) for n in range(kind.num_fields)])
    return kind


def _kept_field(field: "pa.Field") -> "pa.Field":
    from pyarrow import types

    kind = kept_type(field.type)
    if types.is_dictionary(kind) and not _is_bytes(kind.value_type):
        kind = kind.value_type
    return field.with_type(kind)


def _is_word(kind: "pa.DataType") -> bool:
    """Tell whether pyarrow finds a value of a type in others, as dictionaries of it need."""
    import pyarrow as pa
    from pyarrow import types

    if isinstance(kind, pa.BaseExtensionType) or types.is_null(kind) or types.is_float16(kind):
        return False
    return not types.is_nested(kind) and not types.is_dictionary(kind)


def _is_bytes(kind: "pa.DataType") -> bool:
    """Tell of what dictionaries Parquet keeps, within other types too."""
    from pyarrow import types

    large = types.is_large_string(kind) or types.is_large_binary(kind)
    return bool(large or types.is_string(kind) or types.is_binary(kind))


def refusals() -> tuple[type[Exception], ...]:
    """Give the errors with which Arrow refuses values and types; memory that runs out is none."""
    import pyarrow as pa

    return (
        pa.ArrowInvalid,
        pa.ArrowNotImplementedError,
        pa.ArrowTypeError,
        pa.ArrowIndexError,
        pa.ArrowKeyError,
        pa.ArrowCapacityError,
        pa.ArrowSerializationError,
    )


def lay_out(array: "pa.Array", target: "pa.DataType") -> "pa.Array":
    """Give an array's values with another type of the same logical type.

    Args:
        array: The values; may be a slice.
        target: The type; `plain_type` or `kept_type` of the array's, or one that came from it.

    Returns:
        The values; no dictionary in it holds a null, which Parquet can't keep.

    Raises:
        ArrowInvalid: A value can't be had in the type.
        ArrowNotImplementedError: pyarrow doesn't know the way from one type to the other.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    if array.type.equals(target) and not _has_odd_words(array):
        return array
    if isinstance(array, pa.ExtensionArray):
        return lay_out(array.storage, target)
    if isinstance(target, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(target, lay_out(array, target.storage_type))
    if isinstance(array, pa.DictionaryArray):
        return _of_words(array, target)
    if isinstance(array, pa.RunEndEncodedArray):
        return lay_out(pc.run_end_decode(array), target)
    if types.is_dictionary(target):
        coded = lay_out(array, target.value_type).dictionary_encode()
        return _coded(coded.indices, coded.dictionary, target)
    if types.is_nested(array.type) and (_is_miscast(array.type) or _is_miscast(target)):
        return _rebuilt(array, target)
    return array.cast(target)


def _of_words(array: "pa.DictionaryArray", target: "pa.DataType") -> "pa.Array":
    """Lay out a dictionary: its words first, since some layouts have a smaller reach."""
    import pyarrow as pa
    from pyarrow import types

    if not len(array.dictionary):  # what indices there are lie below nulls
        return pa.nulls(len(array), target)
    if not types.is_dictionary(target):
        return lay_out(array.dictionary, target).take(array.indices)
    words = lay_out(array.dictionary, target.value_type)
    if words.null_count:
        return lay_out(words.take(array.indices), target)
    return _coded(array.indices, words, target)


def _coded(indices: "pa.Array", words: "pa.Array", target: "pa.DictionaryType") -> "pa.Array":
    import pyarrow as pa

    indices = indices.cast(target.index_type)
    return pa.DictionaryArray.from_arrays(indices, words, ordered=target.ordered)


def _has_odd_words(array: "pa.Array") -> bool:
    """Tell whether a dictionary within an array has a null among its words, or an index to none.

    Indices lie below nulls, too; over one without a word, pyarrow's writer ends the process.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return _has_odd_words(array.storage)
    if isinstance(array, pa.DictionaryArray):
        ends = pc.min_max(array.indices).as_py()
        lost = ends["min"] is not None and not 0 <= ends["min"] <= ends["max"] < len(
            array.dictionary
        )
        return lost or bool(array.dictionary.null_count)
    if not types.is_nested(kind) or not any(map(types.is_dictionary, _parts(kind))):
        return False
    if types.is_struct(kind):
        return any(_has_odd_words(array.field(number)) for number in range(kind.num_fields))
    if types.is_map(kind):
        return _has_odd_words(array.keys) or _has_odd_words(array.items)
    return _has_odd_words(array.values)


def _is_miscast(kind: "pa.DataType") -> bool:
    """Tell whether pyarrow 26 casts a nested type wrongly, or not at all.

    It takes slices of lists with views for the whole, loses lengths of lists of nulls, and makes no
    dictionaries.
    """
    import pyarrow as pa
    from pyarrow import types

    return any(
        isinstance(part, pa.BaseExtensionType)
        or types.is_list_view(part)
        or types.is_large_list_view(part)
        or types.is_null(part)
        or types.is_dictionary(part)
        or types.is_run_end_encoded(part)
        for part in _parts(kind)
    )


def _parts(kind: "pa.DataType") -> Iterator["pa.DataType"]:
    """Give a type and all types within it."""
    import pyarrow as pa

    yield kind
    if isinstance(kind, pa.BaseExtensionType):
        yield from _parts(kind.storage_type)
        return
    for number in range(kind.num_fields):
        yield from _parts(kind.field(number).type)


def _rebuilt(array: "pa.Array", target: "pa.DataType") -> "pa.Array":
    """Lay an array out level by level, so that nothing nested is cast."""
    import pyarrow as pa
    from pyarrow import types

    mask = array.is_null()
    if types.is_struct(array.type):
        fields = [target.field(number) for number in range(target.num_fields)]
        children = [
            lay_out(child, field.type) for child, field in zip(array.flatten(), fields, strict=True)
        ]
        return pa.StructArray.from_arrays(children, fields=fields, mask=mask)
    if types.is_fixed_size_list(array.type):
        size = target.list_size
        values = array.values.slice(array.offset * size, len(array) * size)
        values = lay_out(values, target.value_type)
        return pa.FixedSizeListArray.from_arrays(values, type=target, mask=mask)
    return _lists(_pairs(array) if types.is_map(array.type) else array, target, mask)


def _pairs(array: "pa.MapArray") -> "pa.ListArray":
    """Give maps as lists of pairs, on the same memory."""
    import pyarrow as pa

    entries = pa.StructArray.from_arrays([array.keys, array.items], ["key", "value"])
    buffers = array.buffers()[:2]
    return pa.ListArray.from_buffers(
        pa.list_(entries.type), len(array), buffers, array.null_count, array.offset, [entries]
    )


def _lists(array: "pa.Array", target: "pa.DataType", mask: "pa.Array") -> "pa.Array":
    """Give the lists as plain lists, or as maps if they are lists of pairs."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    large = types.is_large_list(target)
    lengths = pc.fill_null(pc.list_value_length(array).cast(pa.int64()), 0)
    edges = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(lengths)])
    offsets = edges.cast(pa.int64() if large else pa.int32())
    values = array.flatten()
    if types.is_map(target):
        keys, items = values.flatten()
        keys, items = lay_out(keys, target.key_type), lay_out(items, target.item_type)
        return pa.MapArray.from_arrays(offsets, keys, items, type=target, mask=mask)
    kind = pa.LargeListArray if large else pa.ListArray
    values = lay_out(values, target.value_type)
    return kind.from_arrays(offsets, values, type=target, mask=mask)
