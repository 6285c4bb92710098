"""What the values of a column are taken for, whatever their layout."""

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


class Form(Enum):
    """What the values of a column are taken for.

    Example:
        >>> import pyarrow as pa
        >>> Form.of(pa.dictionary(pa.int8(), pa.string()))
        <Form.TEXT: 'text'>
    """

    NUMBER = "number"
    TIME = "time"
    TEXT = "text"
    BYTES = "bytes"
    TRUTH = "truth"
    LIST = "list"
    NOTHING = "nothing"
    OTHER = "other"

    @classmethod
    def of(cls, kind: "pa.DataType") -> "Form":
        """Give the form of an Arrow type."""
        from pyarrow import types

        kind = bare_type(kind)
        checks = (
            (types.is_null, cls.NOTHING),
            (types.is_boolean, cls.TRUTH),
            (types.is_integer, cls.NUMBER),
            (types.is_floating, cls.NUMBER),
            (types.is_decimal, cls.NUMBER),
            (types.is_interval, cls.OTHER),
            (types.is_temporal, cls.TIME),
            (_is_text, cls.TEXT),
            (_is_binary, cls.BYTES),
            (_is_list, cls.LIST),
        )
        return next((form for matches, form in checks if matches(kind)), cls.OTHER)


def plain_array(array: "pa.Array") -> "pa.Array":
    """Give an array without dictionary, runs, views and extension, which fewer functions take.

    Texts and binaries have offsets of 64 bits, half floats become single ones, short
    decimals longer ones.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    while True:
        kind = array.type
        if isinstance(kind, pa.BaseExtensionType):
            array = array.storage
        elif types.is_dictionary(kind):
            array = array.dictionary_decode()
        elif types.is_run_end_encoded(kind):
            array = pc.run_end_decode(array)
        else:
            break
    if _is_text(kind):
        return array.cast(pa.large_string())
    if _is_binary(kind):
        return array.cast(pa.large_binary())
    if types.is_decimal32(kind) or types.is_decimal64(kind):
        return array.cast(pa.decimal128(kind.precision, kind.scale))
    return array.cast(pa.float32()) if types.is_float16(kind) else array


def bare_type(kind: "pa.DataType") -> "pa.DataType":
    """Give a type without dictionary, runs and extension."""
    import pyarrow as pa
    from pyarrow import types

    while True:
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        elif types.is_dictionary(kind) or types.is_run_end_encoded(kind):
            kind = kind.value_type
        else:
            return kind


def _is_text(kind: "pa.DataType") -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_binary(kind: "pa.DataType") -> bool:
    from pyarrow import types

    return bool(
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
        or types.is_fixed_size_binary(kind)
    )


def _is_list(kind: "pa.DataType") -> bool:
    from pyarrow import types

    return bool(
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
        or types.is_map(kind)
    )
