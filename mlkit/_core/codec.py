"""JSON that keeps types, and documents: JSON files that carry their format, kind and digest.

A document is one JSON object in UTF-8, a line for each field. `format` and `kind` come first,
`sha256` comes last: the digest of every byte before it. So a document proves itself, and a
flipped bit anywhere in it is found.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from mlkit.errors import Corrupt, InvalidInput, NewerFormat

FORMAT = 1
"""The newest format of documents that this version writes and reads."""

_ENVELOPE = ("format", "kind", "sha256")
_FLOAT = "$float"
_NAMES = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def encode_value(value: Any) -> str:
    """Give the JSON text of a value, in which every type that JSON has survives.

    Floats that JSON lacks are tagged, `{"$float": "nan"}`; keys of the caller's own that begin
    with `$` get another `$` before it.

    Args:
        value: None, bool, int, float, str, and lists, tuples and mappings of them.

    Returns:
        One line of strict JSON.

    Raises:
        InvalidInput: A part is of another type, or refers to itself.

    Example:
        >>> encode_value({"lr": 0.1, "depth": 6, "best": float("inf")})
        '{"lr": 0.1, "depth": 6, "best": {"$float": "inf"}}'
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        if '"$' not in text:
            return text
    except TypeError as error:
        message = f"A value can't be kept as JSON: {error}"
        raise InvalidInput(
            message, hint="Use None, bool, int, float, str, and lists and dicts of them"
        ) from None
    except RecursionError:
        message = "A value is nested too deeply to be kept as JSON"
        raise InvalidInput(message) from None
    except ValueError as error:
        if "Circular" in str(error):
            message = "A value refers to itself, so it can't be kept as JSON"
            raise InvalidInput(message) from None
    return json.dumps(_tag(value), ensure_ascii=False, allow_nan=False)


def decode_value(text: str | bytes) -> Any:
    """Give the value of a JSON text that `encode_value` wrote.

    Raises:
        ValueError: The text is no JSON.

    Example:
        >>> decode_value('{"best": {"$float": "inf"}, "lr": 1.0}')
        {'best': inf, 'lr': 1.0}
    """
    tagged = ('"$' in text) if isinstance(text, str) else (b'"$' in text)
    try:
        return json.loads(text, object_hook=_untag if tagged else None)
    except RecursionError:
        message = "nested too deeply"
        raise ValueError(message) from None


def encode_document(kind: str, body: Mapping[str, Any]) -> bytes:
    """Give the bytes of a document.

    Args:
        kind: What the document is, such as `run` or `model_version`.
        body: Its fields; `format`, `kind` and `sha256` are added here.

    Returns:
        The bytes to store.

    Raises:
        InvalidInput: A field can't be kept as JSON, or has a reserved name.

    Example:
        >>> print(encode_document("note", {"text": "first try"}).decode()[:46])
        {"format": 1,
         "kind": "note",
         "text": "first
    """
    taken = [key for key in _ENVELOPE if key in body]
    if taken:
        message = f"The field {taken[0]!r} of a document is reserved"
        raise InvalidInput(message)
    fields = {"format": FORMAT, "kind": kind, **body}
    lines = [f"{encode_value(key)}: {encode_value(value)}" for key, value in fields.items()]
    text = "{" + ",\n ".join(lines)
    try:
        prefix = text.encode()
    except UnicodeEncodeError:  # lone surrogates, as file names may have: escaped, JSON has them
        prefix = _escaped(text)
    return prefix + _seal(prefix)


def decode_document(data: bytes, kind: str, where: str) -> dict[str, Any]:
    """Give the fields of a document, after checking that it is whole.

    Args:
        data: The bytes that were stored.
        kind: What the document must be.
        where: Its path, for messages.

    Returns:
        The fields without `format`, `kind` and `sha256`.

    Raises:
        Corrupt: The bytes aren't what was written, or are another kind of document.
        NewerFormat: A newer mlkit wrote it.
    """
    cut = len(data) - len(_seal(b""))
    if cut <= 0 or data[cut:] != _seal(data[:cut]):
        what = "doesn't match its own digest: it was damaged or edited" if data else "is empty"
        message = f"{where} {what}"
        raise Corrupt(message, hint="store.verify() lists all damage")
    try:
        fields = decode_value(data)
    except ValueError as error:
        message = f"{where} is no JSON: {error}"
        raise Corrupt(message) from None
    written, found = fields.get("format"), fields.get("kind")
    if not isinstance(written, int) or not isinstance(found, str):
        message = f"{where} doesn't say what it is: {written!r}, {found!r}"
        raise Corrupt(message)
    if written > FORMAT:
        message = f"{where} has format {written}, this mlkit reads up to {FORMAT}"
        raise NewerFormat(message, hint="Upgrade with: pip install -U mlkit-lifecycle")
    if found != kind:
        message = f"{where} holds a document of kind {found!r}, not {kind!r}"
        raise Corrupt(message)
    return {key: value for key, value in fields.items() if key not in _ENVELOPE}


def _seal(prefix: bytes) -> bytes:
    return b',\n "sha256": "' + hashlib.sha256(prefix).hexdigest().encode() + b'"}\n'


def _escaped(text: str) -> bytes:
    """Encode text that has lone surrogates by the escapes that JSON has for them."""
    return "".join(
        f"\\u{ord(char):04x}" if 0xD800 <= ord(char) <= 0xDFFF else char  # noqa: PLR2004 - the surrogates
        for char in text
    ).encode()


def _tag(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: str(float(value))}
    if isinstance(value, Mapping):
        return {
            f"${key}" if isinstance(key, str) and key.startswith("$") else key: _tag(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_tag(item) for item in value]
    return value


def _untag(fields: dict[str, Any]) -> Any:
    if len(fields) == 1 and isinstance(name := fields.get(_FLOAT), str) and name in _NAMES:
        return _NAMES[name]
    return {
        key[1:] if key.startswith("$$") else key: value  # a tag that is unknown stays as it is
        for key, value in fields.items()
    }
