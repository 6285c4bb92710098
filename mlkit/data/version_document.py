"""The document of a version of a dataset, field by field."""

from collections.abc import Mapping
from typing import Any

from mlkit._core import shapes
from mlkit._core.clock import parse_iso
from mlkit._core.hashing import hex_of

_KINDS = ("table", "folder", "file", "reference")
_COLUMN = ("name", "type", "digest")


def version_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields of a version, each of the type that it must have.

    Raises:
        Misshapen: One is missing or of another type.
        InvalidInput: A time is none.
        Corrupt: A digest is none.
    """
    kind = shapes.required(document, "content", str)
    if kind not in _KINDS:
        raise shapes.Misshapen(f"{kind!r} is no kind of a dataset")
    is_table = kind == "table"
    listed = shapes.items(document, "columns", dict) if is_table else ()
    columns = [tuple(shapes.required(c, key, str) for key in _COLUMN) for c in listed]
    fields: dict[str, Any] = {
        "number": shapes.required(document, "number", int),
        "digest": shapes.required(document, "digest", str),
        "kind": kind,
        "size": shapes.required(document, "size", int),
        "created_at": parse_iso(shapes.required(document, "created_at", str)),
        "rows": shapes.required(document, "rows", int) if is_table else None,
        "columns": {column[0]: column[2] for column in columns},
        "types": {column[0]: column[1] for column in columns},
        "inputs": shapes.items(document, "inputs", object) if document.get("inputs") else (),
        "manifest": shapes.items(document, "manifest", str),
        "starts": shapes.items(document, "starts", str) if document.get("starts") else (),
        "schema": shapes.required(document, "schema", str) if is_table else "",
        "run_id": shapes.optional(document, "run_id", str),
        "description": shapes.optional(document, "description", str) or "",
        "user": shapes.optional(document, "user", str) or "",
        "url": shapes.optional(document, "url", str),
        "demanded": shapes.optional(document, "demanded", dict),
        "made_with": shapes.mapping(document, "tags", str) if document.get("tags") else {},
    }
    for digest in (fields["digest"], *fields["manifest"]):
        hex_of(digest)
    if fields["starts"] and len(fields["starts"]) != len(fields["manifest"]):
        raise shapes.Misshapen("'starts' doesn't name a path for each part of the manifest")
    return fields
