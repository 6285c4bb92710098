"""The documents of a run: which there are, and what each must hold to be used."""

from collections.abc import Mapping
from typing import Any

from mlkit._core.codec import decode_document
from mlkit.errors import Corrupt, NotFound
from mlkit.storage.protocol import Storage

BEGINNING = "run.json"
"""The document that begins a run."""

Shapes = dict[str, type | tuple[type, ...]]

_TEXT_OR_NONE = (str, type(None))
_BEGINNING: Shapes = {
    "experiment": str,
    "name": _TEXT_OR_NONE,
    "parent_id": _TEXT_OR_NONE,
    "tags": dict,
    "started_at": str,
    "user": str,
    "owner": dict,
    "appends": bool,
}
_END: Shapes = {
    "writer": str,
    "status": str,
    "ended_at": str,
    "segments": dict,
    "params": dict,
    "tags": dict,
    "notes": list,
    "summary": dict,
    "artifacts": dict,
    "inputs": list,
    "outputs": list,
}
_LATER: Shapes = {  # that not every writer of the format wrote
    "goals": dict,
    "health": dict,
    "overhead": float,
    "provenance": dict,
    "records": dict,
    "run": dict,
    "sources": dict,
    "steps": dict,
}


def told_by_end(head: Mapping[str, Any]) -> dict[str, Any]:
    """Give what the end of a run repeats of its beginning, so that one document tells all."""
    return {field: head.get(field) for field in _BEGINNING}


def read_beginning(storage: Storage, folder: str) -> dict[str, Any]:
    """Give what the document says that began a run.

    Args:
        storage: Where the run is.
        folder: Its folder.

    Raises:
        Corrupt: It was damaged, or can't be used.
        NotFound: There is none.
    """
    path = f"{folder}/{BEGINNING}"
    try:
        data = storage.read(path)
    except NotFound as error:
        message = f"Run {folder.rpartition('/')[2]} isn't there: {path} was removed, or never came"
        raise NotFound(message, hint="store.search_runs() lists those that are there") from error
    document = decode_document(data, "run", path)
    require_fields(document, {"id": str, **_BEGINNING}, path)
    require_own(document, path)
    return document


def read_end(storage: Storage, folder: str, name: str) -> dict[str, Any]:
    """Give what a document says that ended a run.

    Args:
        storage: Where the run is.
        folder: Its folder.
        name: The document's name, such as `end-2.json`.

    Raises:
        Corrupt: It was damaged, or can't be used.
    """
    path = f"{folder}/{name}"
    document = decode_document(storage.read(path), "run_end", path)
    require_own(document, path)
    later = {field: shape for field, shape in _LATER.items() if field in document}
    require_fields(document, _END | later, path)
    if "run" in document:
        require_fields(document["run"], _BEGINNING, f"{path}, in 'run',")
    return document


def require_fields(fields: dict[str, Any], shapes: Shapes, where: str) -> None:
    """Raise unless a document has each of these fields, of its type.

    Args:
        fields: What the document holds.
        shapes: Field to the type, or the types, that it must have.
        where: The document's path, for the message.

    Raises:
        Corrupt: It hasn't; the message names the field.
    """
    for field, shape in shapes.items():
        if not isinstance(fields.get(field), shape):
            message = f"{where} has no usable field {field!r}"
            raise Corrupt(message, hint="It wasn't written by mlkit, or was tampered with")


def require_own(document: Mapping[str, Any], path: str) -> None:
    """Raise unless a document is of the run in whose folder it lies.

    Args:
        document: What it holds.
        path: Where it is: `runs/<run id>/<name>`.

    Raises:
        Corrupt: It is of another run.
    """
    if document.get("id") != path.split("/")[-2]:
        message = f"{path} belongs to run {document.get('id')!r}: it was moved or copied"
        raise Corrupt(message, hint="Remove it, or restore the folder from a copy")
