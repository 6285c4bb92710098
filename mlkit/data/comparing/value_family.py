"""Which columns can hold equal values at all, whatever library and layout they came from."""

from typing import TYPE_CHECKING

from mlkit.data.logical import plain_type

if TYPE_CHECKING:
    import pyarrow as pa


def are_comparable(left: "pa.DataType", right: "pa.DataType") -> bool:
    """Tell whether values of two types are equal where they say the same.

    Whole numbers are, as integers and as floats; fractions as floats of two widths aren't, since
    0.1 of 32 bits isn't that of 64. Nor are decimals of two scales, texts and numbers, or days and
    moments.

    Example:
        >>> import pyarrow as pa
        >>> are_comparable(pa.int8(), pa.float64()), are_comparable(pa.int64(), pa.string())
        (True, False)
    """
    return _agree(plain_type(left), plain_type(right))


def _agree(left: "pa.DataType", right: "pa.DataType") -> bool:
    """Tell the same of types that `plain_type` gave."""
    from pyarrow import types

    if types.is_null(left) or types.is_null(right):
        return True
    if types.is_struct(left) and types.is_struct(right):
        fields = [[kind.field(n).type for n in range(kind.num_fields)] for kind in (left, right)]
        return len(fields[0]) == len(fields[1]) and all(map(_agree, *fields))
    if _is_list(left) and _is_list(right):
        return _agree(left.value_type, right.value_type)
    if types.is_floating(left) and types.is_floating(right):
        return bool(left.bit_width == right.bit_width)
    return _family(left) == _family(right)


def _family(kind: "pa.DataType") -> str:
    from pyarrow import types

    names = {
        "number": lambda one: (
            types.is_integer(one) or types.is_floating(one) or types.is_boolean(one)
        ),
        "bytes": lambda one: (
            types.is_large_string(one)
            or types.is_large_binary(one)
            or types.is_fixed_size_binary(one)
        ),
        "timestamp": types.is_timestamp,
        "duration": types.is_duration,
    }
    return next((name for name, matches in names.items() if matches(kind)), str(kind))


def _is_list(kind: "pa.DataType") -> bool:
    from pyarrow import types

    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))
