"""Logical types: what the types of all libraries and layouts of a column come down to."""

import json
from typing import TYPE_CHECKING, Any, cast

from mlkit.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa


def type_text(kind: "pa.DataType") -> str:
    """Give the logical type as text: what the types of all libraries and encodings come down to.

    Raises:
        InvalidInput: The type has no identity.

    Example:
        >>> import pyarrow as pa
        >>> type_text(pa.dictionary(pa.int8(), pa.large_string()))
        'string'
        >>> type_text(pa.list_(pa.timestamp("ms", "UTC")))
        'list<timestamp[UTC]>'
    """
    from pyarrow import types

    if isinstance(kind, _extension()):
        inner = ", ".join(filter(None, (type_text(kind.storage_type), _parameters(kind))))
        return f"{kind.extension_name}<{inner}>"
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return type_text(kind.value_type)
    if types.is_fixed_size_list(kind):
        return f"list[{kind.list_size}]<{type_text(kind.value_type)}>"
    if types.is_map(kind):
        return f"map<{type_text(kind.key_type)}, {type_text(kind.item_type)}>"
    if _is_list(kind):
        return f"list<{type_text(kind.value_type)}>"
    if types.is_struct(kind) and kind.num_fields:
        fields = [kind.field(number) for number in range(kind.num_fields)]
        return f"struct<{', '.join(f'{json.dumps(f.name)}: {type_text(f.type)}' for f in fields)}>"
    return _leaf_text(kind)


def _parameters(kind: Any) -> str:
    """Give the parameters of an extension type as JSON: nothing where it has none."""
    import pyarrow as pa

    if isinstance(kind, pa.ExtensionType):  # one that is made in Python, whose bytes say all
        said = kind.__arrow_ext_serialize__().decode("utf-8", "surrogateescape")
        return json.dumps(said) if said else ""
    names = {
        pa.FixedShapeTensorType: ("dim_names", "permutation", "shape"),
        pa.OpaqueType: ("type_name", "vendor_name"),
    }.get(type(kind), ())
    said = {name: value for name in names if (value := getattr(kind, name)) is not None}
    return json.dumps(said, separators=(",", ":")) if said else ""


def _leaf_text(kind: "pa.DataType") -> str:
    from pyarrow import types

    if types.is_timestamp(kind):
        return f"timestamp[{kind.tz}]" if kind.tz else "timestamp"
    if types.is_decimal(kind):
        return f"decimal[{kind.scale}]"
    if types.is_fixed_size_binary(kind):
        return f"binary[{kind.byte_width}]"
    names = {
        "string": _is_text,
        "binary": _is_bytes,
        "date": types.is_date,
        "time": types.is_time,
        "duration": types.is_duration,
        "float16": types.is_float16,
    }
    for name, matches in names.items():
        if matches(kind):
            return name
    plain = types.is_null(kind) or types.is_boolean(kind) or types.is_primitive(kind)
    if plain and not types.is_interval(kind):
        return {"float": "float32", "double": "float64"}.get(str(kind), str(kind))
    raise InvalidInput(
        f"the type {kind} can't be kept in a dataset",
        hint="Cast the column to a plain type, a list or a struct first",
    )


def plain_type(kind: "pa.DataType") -> "pa.DataType":
    """Give the one layout that stands for all layouts of a logical type; units of time remain.

    Example:
        >>> import pyarrow as pa
        >>> plain_type(pa.list_view(pa.string_view()))
        LargeListType(large_list<item: large_string>)
    """
    import pyarrow as pa
    from pyarrow import types

    if isinstance(kind, _extension()):
        return plain_type(kind.storage_type)
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    if types.is_fixed_size_list(kind):
        return pa.list_(plain_type(kind.value_type), kind.list_size)
    if types.is_map(kind):
        pair = [("key", plain_type(kind.key_type)), ("value", plain_type(kind.item_type))]
        return pa.list_(pa.struct(pair))
    if _is_list(kind):
        return pa.large_list(plain_type(kind.value_type))
    if types.is_struct(kind):
        fields = [kind.field(number) for number in range(kind.num_fields)]
        return pa.struct([pa.field(f.name, plain_type(f.type)) for f in fields])
    return _plain_leaf(kind)


def _plain_leaf(kind: "pa.DataType") -> "pa.DataType":
    import pyarrow as pa
    from pyarrow import types

    if types.is_decimal(kind):
        return pa.decimal256(76, kind.scale)
    layouts = (
        (_is_text, pa.large_string()),
        (_is_bytes, pa.large_binary()),
        (types.is_date, pa.date32()),
        (types.is_time, pa.time64("ns")),
        (types.is_float16, pa.float32()),
    )
    return next((layout for matches, layout in layouts if matches(kind)), kind)


def _extension() -> type[Any]:
    import pyarrow as pa

    return cast("type[Any]", pa.BaseExtensionType)


def _is_list(kind: "pa.DataType") -> bool:
    from pyarrow import types

    return bool(
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
    )


def _is_text(kind: "pa.DataType") -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_bytes(kind: "pa.DataType") -> bool:
    from pyarrow import types

    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))
