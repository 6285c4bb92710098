"""Fields of documents that were read: each of the type that it must have, or none at all.

The digest of a document proves that it is whole, and not that a writer of sense made it.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")


class Misshapen(ValueError):
    """A field is missing or of another type; the message says which."""


def required(fields: Any, name: str, kind: type[T]) -> T:
    """Give a field that must be there.

    Args:
        fields: The mapping that must hold it.
        name: The field.
        kind: Its type; whole numbers stand for floats, and truth values for no number.

    Raises:
        Misshapen: It is missing, or of another type.

    Example:
        >>> required({"size": 3}, "size", int)
        3
    """
    if not isinstance(fields, Mapping):
        raise Misshapen(f"{_shown(fields)} is no mapping with {name!r}")
    if name not in fields:
        raise Misshapen(f"{name!r} is missing")
    return _of(fields[name], kind, name)


def optional(fields: Any, name: str, kind: type[T]) -> T | None:
    """Give a field that may be missing or null; see `required`."""
    if isinstance(fields, Mapping) and fields.get(name) is None:
        return None
    return required(fields, name, kind)


def items(fields: Any, name: str, kind: type[T]) -> tuple[T, ...]:
    """Give a field that is a list of values of a type; see `required`."""
    return tuple(_of(item, kind, name) for item in required(fields, name, list))


def mapping(fields: Any, name: str, kind: type[T]) -> dict[str, T]:
    """Give a field that is a mapping of names to values of a type; see `required`.

    Example:
        >>> mapping({"metrics": {"auc": 1}}, "metrics", float)
        {'auc': 1.0}
    """
    found = required(fields, name, dict)
    return {key: _of(value, kind, f"{name}.{key}") for key, value in found.items()}


def _of(value: Any, kind: type[T], name: str) -> T:
    if kind is float and type(value) is int:
        try:
            return float(value)  # type: ignore[return-value]  # kind is float
        except OverflowError:
            raise Misshapen(f"{name!r} is beyond all floats") from None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise Misshapen(f"{name!r} is {_shown(value)}, no {kind.__name__}")
    return value


def _shown(value: Any) -> str:
    return repr(value)[:80]
