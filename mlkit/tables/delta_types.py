"""The schema of a Delta table: its JSON, and the Arrow types that it stands for.

Source: the Delta transaction log protocol, "Schema Serialization Format".
"""

import json
from typing import TYPE_CHECKING, Any

from mlkit.errors import Corrupt, InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

REFUSED = " ,;{}()\n\t="
"""The characters that Spark refuses in the names of columns."""


def schema_to_json(schema: "pa.Schema") -> str:
    """Give the text that a Delta log keeps of a schema.

    Raises:
        InvalidInput: A column has a type or a name that Delta tables can't have.

    Example:
        >>> import pyarrow as pa
        >>> schema_to_json(pa.schema([("run_id", pa.string())]))[:58]
        '{"type": "struct", "fields": [{"name": "run_id", "type": "'
    """
    return json.dumps(_struct(schema))


def schema_from_json(text: str) -> "pa.Schema":
    """Give the schema that a Delta log keeps.

    Raises:
        Corrupt: It is no schema, or has a type that mlkit's tables don't use.
    """
    import pyarrow as pa

    try:
        fields = json.loads(text)["fields"]
        return pa.schema([_field_from_json(field) for field in fields])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        message = f"The schema of a table can't be understood: {error!r}"
        raise Corrupt(message, hint="store.reindex() makes the tables anew") from error


def _struct(fields: Any) -> dict[str, Any]:
    return {
        "type": "struct",
        "fields": [
            {
                "name": _checked(field.name),
                "type": _to_json(field.type),
                "nullable": field.nullable,
                "metadata": {},
            }
            for field in fields
        ],
    }


def _checked(name: str) -> str:
    if not name or any(char in REFUSED for char in name):
        message = f"{name!r} can't be the name of a column in a Delta table"
        raise InvalidInput(message)
    return name


def _to_json(kind: "pa.DataType") -> Any:
    import pyarrow as pa

    name = {delta: name for name, delta in _plain().items()}.get(kind)
    if name is not None:
        return name
    if pa.types.is_list(kind):
        element = _to_json(kind.value_type)
        return {"type": "array", "elementType": element, "containsNull": True}
    if pa.types.is_map(kind):
        return {
            "type": "map",
            "keyType": _to_json(kind.key_type),
            "valueType": _to_json(kind.item_type),
            "valueContainsNull": True,
        }
    if pa.types.is_struct(kind):
        return _struct(list(kind))
    message = f"A Delta table can't hold the type {kind}"
    raise InvalidInput(message)


def _field_from_json(field: dict[str, Any]) -> "pa.Field":
    import pyarrow as pa

    return pa.field(field["name"], _from_json(field["type"]), nullable=field["nullable"])


def _from_json(kind: Any) -> "pa.DataType":
    import pyarrow as pa

    if isinstance(kind, str):
        return _plain()[kind]
    match kind["type"]:
        case "array":
            return pa.list_(pa.field("element", _from_json(kind["elementType"])))
        case "map":
            return pa.map_(_from_json(kind["keyType"]), _from_json(kind["valueType"]))
        case "struct":
            return pa.struct([_field_from_json(field) for field in kind["fields"]])
        case other:
            raise ValueError(other)


def _plain() -> "dict[str, pa.DataType]":
    import pyarrow as pa

    return {
        "string": pa.string(),
        "long": pa.int64(),
        "short": pa.int16(),
        "double": pa.float64(),
        "boolean": pa.bool_(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }
