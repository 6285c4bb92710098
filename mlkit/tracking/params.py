"""Params and tags as they are kept: plain typed values, with secrets masked."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from mlkit._core.masking import mask_value
from mlkit.errors import InvalidInput

_DEEPEST = 32


def plain_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Give params as JSON has them, with secrets masked.

    Bools, ints, floats, text and None keep their types, in nested mappings and lists too; numpy
    scalars become what they hold, enums their value. Of anything else the text is kept, as
    `str` gives it.

    Args:
        params: Name to value.

    Raises:
        InvalidInput: A name is no text, or a value is nested in itself.

    Example:
        >>> plain_params({"lr": 0.1, "layers": (64, 32), "api_key": "k-123"})
        {'lr': 0.1, 'layers': [64, 32], 'api_key': '[masked]'}
    """
    check_mapping(params, "log_params(lr=0.1)")
    return {
        check_key(key, "param"): mask_value(key, _plain(value, key, 0))
        for key, value in params.items()
    }


def plain_tags(tags: Mapping[str, Any]) -> dict[str, str]:
    """Give tags as text, with secrets masked.

    Raises:
        InvalidInput: A name is no text.
    """
    check_mapping(tags, "set_tags(owner='ann')")
    return {check_key(key, "tag"): str(mask_value(key, str(value))) for key, value in tags.items()}


def check_mapping(value: object, example: str) -> None:
    """Raise unless a value is a mapping.

    Raises:
        InvalidInput: It isn't; the example says what to write.
    """
    if not isinstance(value, Mapping):
        message = f"This takes a mapping of names to values, not {value!r}"
        raise InvalidInput(message, hint=f"Write {example}")


def check_key(key: object, what: str) -> str:
    """Give the name of a param or tag back when it is one.

    Raises:
        InvalidInput: It is no text, or empty.
    """
    if isinstance(key, str) and key:
        return str(key)
    message = f"{key!r} can't be the name of a {what}"
    raise InvalidInput(message, hint="Use text that isn't empty")


def _plain(value: Any, key: str, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _plain(value.value, key, depth)
    for kind in (int, float, str):  # subclasses too, such as numpy.float64, become the plain type
        if isinstance(value, kind):
            return kind(value)
    if depth > _DEEPEST:
        message = f"The param {key!r} is nested too deeply"
        raise InvalidInput(message, hint=f"Keep at most {_DEEPEST} levels, or log it as a file")
    if isinstance(value, Mapping):
        return {str(name): _plain(item, key, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, key, depth + 1) for item in value]
    if isinstance(value, set | frozenset):
        return [_plain(item, key, depth + 1) for item in sorted(value, key=str)]
    if callable(getattr(value, "item", None)) and getattr(value, "shape", None) == ():
        return _plain(value.item(), key, depth + 1)
    return str(value)
