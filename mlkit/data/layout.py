"""The same values in another layout: without dictionaries, runs and views, or with them again."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def kept_type(kind: "pa.DataType") -> "pa.DataType":
    """Give the type with which a column is stored: views and runs are undone, at every depth.

    Parquet has neither of them, and pyarrow writes only some of them.

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
        return pa.dictionary(kind.index_type, kept_type(kind.value_type), kind.ordered)
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
    return field.with_type(kept_type(field.type))


def lay_out(array: "pa.Array", target: "pa.DataType") -> "pa.Array":
    """Give an array's values with another type of the same logical type.

    Args:
        array: The values; may be a slice.
        target: The type; `plain_type` or `kept_type` of the array's, or one that came from it.

    Raises:
        ArrowInvalid: A value can't be had in the type.
        ArrowNotImplementedError: pyarrow doesn't know the way from one type to the other.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    if array.type.equals(target):
        return array
    if isinstance(array, pa.ExtensionArray):
        return lay_out(array.storage, target)
    if isinstance(array, pa.DictionaryArray):
        kind = target.value_type if types.is_dictionary(target) else target
        words = lay_out(array.dictionary, kind)  # first, since some layouts have a smaller reach
        return lay_out(
            pa.DictionaryArray.from_arrays(array.indices, words).dictionary_decode(), target
        )
    if isinstance(array, pa.RunEndEncodedArray):
        return lay_out(pc.run_end_decode(array), target)
    if types.is_dictionary(target):
        return lay_out(array, target.value_type).dictionary_encode().cast(target)
    return _rebuilt(array, target) if _has_views(array.type) else array.cast(target)


def _has_views(kind: "pa.DataType") -> bool:
    """Tell whether there are lists with views in a type, whose slices pyarrow 26 casts wrongly."""
    from pyarrow import types

    if types.is_list_view(kind) or types.is_large_list_view(kind):
        return True
    return any(_has_views(kind.field(number).type) for number in range(kind.num_fields))


def _rebuilt(array: "pa.Array", target: "pa.DataType") -> "pa.Array":
    """Lay an array out level by level, so that no lists with views are cast."""
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
    if types.is_map(array.type):
        pairs = pa.struct([("key", array.type.key_type), ("value", array.type.item_type)])
        array = array.cast(pa.list_(pairs))
    return _lists(array, target, mask)


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
