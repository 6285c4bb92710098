"""Types of columns: one for all layouts that mean the same, their JSON, and what fits into what.

Arrow has several layouts for one thing (texts with short and long offsets, lists, decimals). A
signature keeps one of them, so that it doesn't depend on the library that made the example.
"""

from typing import TYPE_CHECKING, Any

from mlkit.errors import Corrupt

if TYPE_CHECKING:
    import pyarrow as pa

_SIMPLE = {
    "null": "null",
    "bool": "bool_",
    **{name: name for name in ("int8", "int16", "int32", "int64")},
    **{name: name for name in ("uint8", "uint16", "uint32", "uint64")},
    **{name: name for name in ("float16", "float32", "float64")},
    **{name: name for name in ("string", "binary", "date32")},
}
_WIDEST_DECIMAL128 = 38
_DEEPEST = 64


def plain(kind: "pa.DataType") -> "pa.DataType":
    """Give the layout that stands for all layouts of a type.

    Example:
        >>> import pyarrow as pa
        >>> plain(pa.large_list(pa.string_view()))
        ListType(list<item: string>)
    """
    import pyarrow as pa
    from pyarrow import types

    if isinstance(kind, pa.BaseExtensionType):
        return plain(kind.storage_type)
    if types.is_run_end_encoded(kind):
        return plain(kind.value_type)
    if types.is_dictionary(kind):
        return pa.dictionary(pa.int32(), plain(kind.value_type), ordered=kind.ordered)
    if types.is_fixed_size_list(kind):
        return pa.list_(plain(kind.value_type), kind.list_size)
    if types.is_map(kind):
        return pa.map_(plain(kind.key_type), plain(kind.item_type))
    if _is_list(kind):
        return pa.list_(plain(kind.value_type))
    if types.is_struct(kind):
        return pa.struct([pa.field(field.name, plain(field.type)) for field in kind])
    return _plain_leaf(kind)


def _plain_leaf(kind: "pa.DataType") -> "pa.DataType":
    import pyarrow as pa
    from pyarrow import types

    if is_text(kind):
        return pa.string()
    if types.is_large_binary(kind) or types.is_binary_view(kind):
        return pa.binary()
    if types.is_date(kind):
        return pa.date32()
    if types.is_decimal(kind):
        make = pa.decimal128 if kind.precision <= _WIDEST_DECIMAL128 else pa.decimal256
        return make(kind.precision, kind.scale)
    return kind


def type_name(kind: "pa.DataType") -> str:
    """Give the name of a type for messages.

    Example:
        >>> import pyarrow as pa
        >>> type_name(pa.float64()), type_name(pa.dictionary(pa.int8(), pa.large_string()))
        ('float64', 'category of string')
    """
    from pyarrow import types

    kind = plain(kind)
    if types.is_dictionary(kind):
        return f"category of {type_name(kind.value_type)}"
    text = {"halffloat": "float16", "float": "float32", "double": "float64"}.get(str(kind))
    return text or str(kind).replace("[day]", "")


def type_to_json(kind: "pa.DataType") -> Any:
    """Give a type as JSON: a word, or an object whose first key says what it is.

    Raises:
        ValueError: The type has no JSON, such as an interval of months.

    Example:
        >>> import pyarrow as pa
        >>> type_to_json(pa.int64()), type_to_json(pa.list_(pa.timestamp("us", "UTC")))
        ('int64', {'list': {'timestamp': 'us', 'zone': 'UTC'}})
    """
    from pyarrow import types

    kind = plain(kind)
    if types.is_dictionary(kind):
        return {"dictionary": type_to_json(kind.value_type), "ordered": kind.ordered}
    if types.is_fixed_size_list(kind):
        return {"list": type_to_json(kind.value_type), "size": kind.list_size}
    if types.is_map(kind):
        return {"map": [type_to_json(kind.key_type), type_to_json(kind.item_type)]}
    if types.is_list(kind):
        return {"list": type_to_json(kind.value_type)}
    if types.is_struct(kind):
        return {"struct": [{"name": f.name, "type": type_to_json(f.type)} for f in kind]}
    if types.is_timestamp(kind):
        return {"timestamp": kind.unit, "zone": kind.tz}
    if types.is_duration(kind) or types.is_time(kind):
        return {"duration" if types.is_duration(kind) else "time": kind.unit}
    return _leaf_to_json(kind)


def _leaf_to_json(kind: "pa.DataType") -> Any:
    import pyarrow as pa
    from pyarrow import types

    if types.is_decimal(kind):
        return {"decimal": [kind.precision, kind.scale]}
    if types.is_fixed_size_binary(kind):
        return {"binary": kind.byte_width}
    for name, maker in _SIMPLE.items():
        if kind.equals(getattr(pa, maker)()):
            return name
    message = f"the type {kind} can't be kept in a signature"
    raise ValueError(message)


def type_from_json(data: Any, depth: int = 0) -> "pa.DataType":
    """Give the type of what `type_to_json` gave.

    Args:
        data: The JSON.
        depth: How deep it is nested in another type.

    Raises:
        Corrupt: It is no type.

    Example:
        >>> type_from_json({"dictionary": "string", "ordered": False})
        DictionaryType(dictionary<values=string, indices=int32, ordered=0>)
    """
    import pyarrow as pa

    if depth > _DEEPEST:
        raise Corrupt("The type of a column is nested too deeply")
    try:
        if isinstance(data, str):
            return getattr(pa, _SIMPLE[data])()
        return _from_object(data, depth + 1)
    except Corrupt:
        raise
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, StopIteration) as error:
        raise Corrupt(f"{str(data)[:80]} is no type of a column") from error


def _from_object(data: dict[str, Any], depth: int) -> "pa.DataType":
    import pyarrow as pa

    what, value = next(iter(data.items()))
    if what == "dictionary":
        inner = type_from_json(value, depth)
        return pa.dictionary(pa.int32(), inner, ordered=bool(data["ordered"]))
    if what == "list":
        return pa.list_(type_from_json(value, depth), int(data.get("size", -1)))
    if what == "map":
        key, item = value
        return pa.map_(type_from_json(key, depth), type_from_json(item, depth))
    if what == "struct":
        fields = [(field["name"], type_from_json(field["type"], depth)) for field in value]
        return pa.struct(fields)
    if what == "decimal":
        precision, scale = value
        make = pa.decimal128 if precision <= _WIDEST_DECIMAL128 else pa.decimal256
        return make(precision, scale)
    if what == "time":
        return pa.time32(value) if value in {"s", "ms"} else pa.time64(value)
    makers = {
        "timestamp": lambda: pa.timestamp(value, data.get("zone")),
        "duration": lambda: pa.duration(value),
        "binary": lambda: pa.binary(int(value)),
    }
    return makers[what]()


def fits(expected: "pa.DataType", given: "pa.DataType") -> bool:
    """Tell whether every value of a type can stand where another is expected.

    Texts fit categories and the reverse; integers and bools fit floats; numbers fit wider ones;
    units of time don't matter, having a time zone does. A type without values (null) fits anything,
    and anything fits it.

    Args:
        expected: The type in the signature.
        given: The type of the data.

    Example:
        >>> import pyarrow as pa
        >>> fits(pa.float64(), pa.int64()), fits(pa.int64(), pa.float64())
        (True, False)
    """
    from pyarrow import types

    if given.equals(expected):
        return True
    expected, given = _uncoded(plain(expected)), _uncoded(plain(given))
    if types.is_null(expected) or types.is_null(given) or given.equals(expected):
        return True
    if types.is_floating(expected):
        if types.is_floating(given):
            return bool(given.bit_width <= expected.bit_width)
        return bool(types.is_integer(given) or types.is_boolean(given))
    if types.is_integer(expected):
        return bool(types.is_boolean(given) or _fits_integer(expected, given))
    if types.is_timestamp(expected) and types.is_timestamp(given):
        return (expected.tz is None) == (given.tz is None)
    if types.is_decimal(expected) and types.is_decimal(given):
        whole = expected.precision - expected.scale
        return bool(given.scale <= expected.scale and given.precision - given.scale <= whole)
    return _fits_nested(expected, given)


def _fits_integer(expected: "pa.DataType", given: "pa.DataType") -> bool:
    from pyarrow import types

    if not types.is_integer(given):
        return False
    signs = types.is_signed_integer(expected), types.is_signed_integer(given)
    if signs[0] == signs[1]:
        return bool(given.bit_width <= expected.bit_width)
    return bool(signs[0] and given.bit_width < expected.bit_width)


def _fits_nested(expected: "pa.DataType", given: "pa.DataType") -> bool:
    from pyarrow import types

    for same in (types.is_duration, types.is_time):
        if same(expected) and same(given):
            return True
    if types.is_list(expected) and (types.is_list(given) or types.is_fixed_size_list(given)):
        return fits(expected.value_type, given.value_type)
    if types.is_struct(expected) and types.is_struct(given):
        names = [field.name for field in expected]
        return names == [field.name for field in given] and all(
            fits(expected.field(name).type, given.field(name).type) for name in names
        )
    return False


def nan_as_null(values: Any) -> Any:
    """Give floats with null for every NaN, which is how numpy and pandas say that one is missing.

    Args:
        values: An array; of other types it is given back as it is.
    """
    import pyarrow.compute as pc
    from pyarrow import types

    if not types.is_floating(values.type):
        return values
    return pc.if_else(pc.is_nan(values), None, values)


def is_text(kind: "pa.DataType") -> bool:
    """Tell whether a type is text, in whatever layout."""
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _uncoded(kind: "pa.DataType") -> "pa.DataType":
    from pyarrow import types

    return kind.value_type if types.is_dictionary(kind) else kind


def _is_list(kind: "pa.DataType") -> bool:
    from pyarrow import types

    return bool(
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
    )
