"""Tags and notes as they are kept: text, with secrets masked."""

from collections.abc import Mapping
from typing import Any

from mlkit._core.masking import mask_text, mask_value
from mlkit.errors import InvalidInput


def plain_tags(tags: Mapping[str, Any]) -> dict[str, str]:
    """Give tags as text, with secrets masked.

    Raises:
        InvalidInput: A name is no text.

    Example:
        >>> plain_tags({"owner": "ann", "retries": 3, "api_key": "k-123"})
        {'owner': 'ann', 'retries': '3', 'api_key': '[masked]'}
    """
    check_mapping(tags, "set_tags(owner='ann')")
    return {check_key(key, "tag"): str(mask_value(key, str(value))) for key, value in tags.items()}


def edited_tags(tags: Mapping[str, Any] | None, more: Mapping[str, Any]) -> dict[str, str | None]:
    """Give tags that are set after the fact: text, or None for one to take away.

    Args:
        tags: Name to value.
        more: The same, which wins.

    Raises:
        InvalidInput: A name is no text.

    Example:
        >>> edited_tags({"owner": "ann"}, {"reviewed": None})
        {'owner': 'ann', 'reviewed': None}
    """
    check_mapping(tags or {}, "set_tags(owner='ann')")
    given = {**(tags or {}), **more}
    kept: dict[str, str | None] = {}
    kept |= plain_tags({name: text for name, text in given.items() if text is not None})
    return kept | {check_key(name, "tag"): None for name, text in given.items() if text is None}


def plain_note(text: object, of: str = "run") -> str:
    """Give a note as it is kept, with secrets masked.

    Args:
        text: The note.
        of: What it is of, for the message.

    Raises:
        InvalidInput: It is no text.
    """
    if not isinstance(text, str):
        message = f"A note is text, not {text!r}"
        raise InvalidInput(message, hint=f"Write {of}.note('…')")
    return mask_text(text)


def check_mapping(value: object, example: str) -> None:
    """Raise unless a value is a mapping.

    Raises:
        InvalidInput: It isn't; the example says what to write.
    """
    if not isinstance(value, Mapping):
        message = f"This takes a mapping of names to values, not {value!r}"
        raise InvalidInput(message, hint=f"Write {example}")


def check_key(key: object, what: str) -> str:
    """Give the name of a param or tag back when it is one, with secrets in it masked.

    Raises:
        InvalidInput: It is no text, or empty.
    """
    if isinstance(key, str) and key:
        return mask_text(str(key))
    message = f"{key!r} can't be the name of a {what}"
    raise InvalidInput(message, hint="Use text that isn't empty")
