"""Finds what is damaged in a store: every object that proves itself is read and checked."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from mlkit._core.codec import decode_document
from mlkit.errors import Corrupt, NewerFormat, NotFound
from mlkit.objects import blobs, packs
from mlkit.objects.chunk_lists import NAME as CHUNK_LIST
from mlkit.objects.proof import proof_of
from mlkit.storage.paths import STORE_DOCUMENT

if TYPE_CHECKING:
    from mlkit.storage.protocol import Storage

_PIECE = 8 << 20
_DOCUMENTS = ("datasets/", "models/", "monitors/")
_SEALED = re.compile(r"monitors/.*-(?P<digits>[0-9a-f]{64})\.parquet")


@frozen
class Problem:
    """Something wrong with an object of a store.

    Attributes:
        path: The object.
        what: What is wrong with it, as a sentence.
        hurts: What can't be read whole because of it, such as `flights:3`.
    """

    path: str
    what: str
    hurts: tuple[str, ...] = ()

    def __str__(self) -> str:
        hurts = f" It hurts {', '.join(self.hurts)}." if self.hurts else ""
        return f"{self.path}: {self.what}.{hurts}"


def verify_objects(
    storage: "Storage", uses: Mapping[str, Sequence[str]] | None = None
) -> Iterator[Problem]:
    """Read all that proves itself, and give what is wrong with it.

    That is every blob, every pack, every numbered document, and what monitors logged. Folders of
    runs and tables prove themselves in other ways, and aren't looked at here.

    Args:
        storage: The store's storage.
        uses: What refers to an object, by the object's path; it makes missing objects known, and
            what a problem hurts.

    Returns:
        The problems, as they are found; none when all is well.

    Example:
        >>> from mlkit.storage.memory import MemoryStorage
        >>> storage = MemoryStorage("verify-example")
        >>> storage.write("blobs/00/" + "0" * 64, b"not what the name says")
        >>> [problem.what for problem in verify_objects(storage)]
        ["its bytes don't match its name"]
    """
    uses = uses or {}
    seen = set()
    for entry in storage.list():
        seen.add(entry.path)
        what = _fault(storage, entry.path)
        if what:
            hurts = tuple(uses.get(entry.path, ())) or _self_hurt(entry.path)
            yield Problem(entry.path, what, hurts)
    for path in sorted(set(uses) - seen):
        yield Problem(path, "it is missing", tuple(uses[path]))


def _fault(storage: "Storage", path: str) -> str:
    try:
        if path.startswith((f"{blobs.ROOT}/", f"{packs.ROOT}/")):
            return _content_fault(storage, path)
        sealed = _SEALED.fullmatch(path) or CHUNK_LIST.fullmatch(path)
        if sealed:
            return _digest_fault(storage, path, sealed["digits"])
        if path == STORE_DOCUMENT or (path.startswith(_DOCUMENTS) and path.endswith(".json")):
            return _document_fault(storage, path)
    except NotFound:
        return "it vanished while the store was read"
    return ""


def _content_fault(storage: "Storage", path: str) -> str:
    root, *folders = path.split("/")
    digits = folders[-1]
    if path != f"{root}/{digits[:2]}/{digits}":
        return "nothing of this name belongs here"
    return _digest_fault(storage, path, digits)


def _digest_fault(storage: "Storage", path: str, digits: str) -> str:
    proof = proof_of(storage, path, digits)
    start = 0
    while piece := storage.read(path, start, start + _PIECE):
        proof.update(piece)
        start += len(piece)
    return "" if proof.holds() else "its bytes don't match its name"


def _document_fault(storage: "Storage", path: str) -> str:
    data = storage.read(path)
    try:
        fields = decode_document(data, _kind(data), path)
    except (Corrupt, NewerFormat) as error:
        return error.message.removeprefix(f"{path} ")
    name = path.rpartition("/")[2].removesuffix(".json")
    if name.isdecimal() and fields.get("number") != int(name):
        return f"it holds document {fields.get('number')!r}: it was moved or copied"
    return ""


def _kind(data: bytes) -> str:
    """Give the kind that a document says it has; its digest is what proves it."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    return str(fields.get("kind", "")) if isinstance(fields, dict) else ""


def _self_hurt(path: str) -> tuple[str, ...]:
    """Give the version that a numbered document is, as a reference."""
    parts = path.split("/")
    if parts[0] in {"datasets", "models"} and len(parts) == 3:  # noqa: PLR2004 - room, name, number
        return (f"{parts[1]}:{parts[2].removesuffix('.json')}",)
    return ()
