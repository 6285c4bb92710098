"""Types of values in JSON: the one that holds those of two parts of a file."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


_DIGITS = 76  # as many as a decimal has


class MixedError(ValueError):
    """Values of different kinds stand in one place; the message says in which."""


def plainer(field: "pa.Field") -> "pa.Field":
    """Give a field of which texts stay texts, since JSON has no times, at any depth."""
    return field.with_type(_plainer(field.type))


def _plainer(kind: "pa.DataType") -> "pa.DataType":
    import pyarrow as pa
    from pyarrow import types

    if types.is_timestamp(kind):
        return pa.string()
    if types.is_list(kind):
        return pa.list_(plainer(kind.value_field))
    if types.is_struct(kind):
        return pa.struct([plainer(kind.field(number)) for number in range(kind.num_fields)])
    return kind


def joined(one: "pa.DataType", other: "pa.DataType", place: str = "") -> "pa.DataType":
    """Give the type that holds the values of two types.

    Args:
        one: The type so far.
        other: That of more values.
        place: Where the values stand, for the message.

    Raises:
        MixedError: No type holds both, such as texts and numbers.

    Example:
        >>> import pyarrow as pa
        >>> joined(pa.list_(pa.null()), pa.list_(pa.int64()))
        ListType(list<item: int64>)
    """
    import pyarrow as pa
    from pyarrow import types

    if one.equals(other) or types.is_null(other):
        return one
    if types.is_null(one):
        return other
    numbers = [pa.int64(), pa.uint64(), too_large(), pa.float64()]
    if one in numbers and other in numbers:
        return max(one, other, key=numbers.index)
    if types.is_list(one) and types.is_list(other):
        inner = joined(one.value_type, other.value_type, f"{place}[]")
        return pa.list_(one.value_field.with_type(inner))
    if types.is_struct(one) and types.is_struct(other):
        return _joined_structs(one, other, place)
    raise MixedError(f"{place!r} changes from {_word(one)} to {_word(other)}")


def too_large() -> "pa.DataType":
    """Give what stands for the type of whole numbers of more than 64 bits, which can't be kept."""
    import pyarrow as pa

    return pa.decimal256(_DIGITS)


def place_of_too_large(kind: "pa.DataType", place: str = "") -> str:
    """Say where whole numbers are too large, nothing where none are.

    Args:
        kind: The type of all rows.
        place: Where its values stand.

    Example:
        >>> import pyarrow as pa
        >>> place_of_too_large(pa.struct({"a": pa.list_(too_large())}))
        'a[]'
    """
    from pyarrow import types

    if kind.equals(too_large()):
        return place
    if types.is_list(kind):
        return place_of_too_large(kind.value_type, f"{place}[]")
    if types.is_struct(kind):
        fields = [kind.field(number) for number in range(kind.num_fields)]
        places = (
            place_of_too_large(field.type, f"{place}.{field.name}" if place else field.name)
            for field in fields
        )
        return next(filter(None, places), "")
    return ""


def readable(kind: "pa.DataType") -> "pa.DataType":
    """Give a type that Arrow's JSON reads: it miscounts nulls in lists of nothing else.

    Example:
        >>> import pyarrow as pa
        >>> readable(pa.list_(pa.null()))
        ListType(list<item: int64>)
    """
    import pyarrow as pa
    from pyarrow import types

    if types.is_list(kind):
        inner = kind.value_type
        return pa.list_(pa.int64() if types.is_null(inner) else readable(inner))
    if types.is_struct(kind):
        fields = [kind.field(number) for number in range(kind.num_fields)]
        return pa.struct([field.with_type(readable(field.type)) for field in fields])
    return kind


def as_read(array: "pa.Array", kind: "pa.DataType") -> "pa.Array":
    """Give an array of the type that `readable` gave the type that it was given.

    Args:
        array: The values, no slice of others.
        kind: The type.
    """
    import pyarrow as pa
    from pyarrow import types

    if array.type.equals(kind):
        return array
    if types.is_null(kind):
        return pa.nulls(len(array))
    if types.is_list(kind):
        items = as_read(array.values, kind.value_type)
        return pa.ListArray.from_arrays(array.offsets, items, type=kind, mask=array.is_null())
    fields = [kind.field(number) for number in range(kind.num_fields)]
    parts = [as_read(array.field(number), field.type) for number, field in enumerate(fields)]
    return pa.StructArray.from_arrays(parts, fields=fields, mask=array.is_null())


def _joined_structs(one: "pa.DataType", other: "pa.DataType", place: str) -> "pa.DataType":
    import pyarrow as pa

    fields = {one.field(number).name: one.field(number) for number in range(one.num_fields)}
    for number in range(other.num_fields):
        field = other.field(number)
        held = fields.get(field.name, field)
        inner = f"{place}.{field.name}" if place else field.name
        fields[field.name] = held.with_type(joined(held.type, field.type, inner))
    return pa.struct(list(fields.values()))


def _word(kind: "pa.DataType") -> str:
    """Give the word that Arrow has for a type when it reads JSON."""
    from pyarrow import types

    words = (
        (types.is_string, "string"),
        (types.is_boolean, "boolean"),
        (types.is_list, "array"),
        (types.is_struct, "object"),
    )
    return next((word for matches, word in words if matches(kind)), "number")
