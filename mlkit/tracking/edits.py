"""Edits: what is said of a run after the fact, each in a document of its own.

An edit has a name that nobody else gives, so folders of two stores can be copied together: the
run then has the edits of both, in the order of their names, which is that of their times.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve, field, frozen

from mlkit._core.clock import iso, parse_iso
from mlkit._core.codec import decode_document, encode_document
from mlkit._core.ids import uuid7
from mlkit._core.masking import mask_text
from mlkit.errors import Corrupt, InvalidInput
from mlkit.storage.protocol import Storage
from mlkit.tracking.documents import Shapes, require_fields, require_own
from mlkit.tracking.state import RunState

_UUID7 = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_EDIT = re.compile(rf"edit-({_UUID7})\.json")
_KIND = "run_edit"
_SHAPES: Shapes = {"id": str, "at": str, "user": str}
_MAY: Shapes = {"tags": dict, "note": str, "name": str, "deleted": bool}
_MILLISECOND = 1_000_000


@frozen
class Edit:
    """One change of a run after the fact.

    Attributes:
        run_id: The run.
        at: When, in nanoseconds since 1970, UTC.
        user: Who made it.
        tags: Tag to its new text; None takes the tag away.
        note: A note that is added.
        name: The run's new name.
        deleted: Whether it counts as deleted from then on; None where that stays as it was.
    """

    run_id: str
    at: int
    user: str
    tags: Mapping[str, str | None] = field(factory=dict)
    note: str | None = None
    name: str | None = None
    deleted: bool | None = None

    def encode(self) -> bytes:
        """Give the document."""
        said = {"note": self.note, "name": self.name, "deleted": self.deleted}
        fields: dict[str, Any] = {name: said[name] for name in said if said[name] is not None}
        if self.tags:
            fields["tags"] = dict(self.tags)
        head = {"id": self.run_id, "at": iso(self.at), "user": self.user}
        return encode_document(_KIND, head | fields)

    @classmethod
    def read(cls, storage: Storage, path: str) -> "Edit":
        """Read an edit.

        Args:
            storage: Where it is.
            path: Its path.

        Raises:
            Corrupt: It was damaged, or can't be used.
        """
        fields = decode_document(storage.read(path), _KIND, path)
        given = {name: shape for name, shape in _MAY.items() if name in fields}
        require_fields(fields, _SHAPES | given, path)
        require_own(fields, path)
        tags = fields.get("tags", {})
        if not all(isinstance(text, str | None) for text in tags.values()):
            message = f"{path} has no usable field 'tags'"
            raise Corrupt(message, hint="It wasn't written by mlkit, or was tampered with")
        try:
            at = parse_iso(fields["at"])
        except InvalidInput as error:
            message = f"{path} has no usable field 'at': {error}"
            raise Corrupt(message) from None
        return cls(
            run_id=fields["id"],
            at=at,
            user=fields["user"],
            tags=tags,
            note=fields.get("note"),
            name=fields.get("name"),
            deleted=fields.get("deleted"),
        )


def edits(names: Iterable[str]) -> list[str]:
    """Give the edits among the files of a run, in the order in which they count.

    Example:
        >>> edits(["run.json", "edit-018bcfe5-687b-774f-8000-000000000000.json", "edit-2.json"])
        ['edit-018bcfe5-687b-774f-8000-000000000000.json']
    """
    return sorted(name for name in names if _EDIT.fullmatch(name))


def next_edit(names: Iterable[str], now: int) -> str:
    """Give the name of an edit that counts after those that are there, whatever the clocks say.

    Args:
        names: The files of the run.
        now: The present time, in nanoseconds since 1970, UTC.
    """
    known = edits(names)
    return f"edit-{id_after(known[-1][len('edit-') : -len('.json')] if known else '', now)}.json"


def id_after(last: str, now: int) -> str:
    """Give a new id that sorts after another, also where the other's clock was ahead.

    Args:
        last: A UUID of version 7; empty where there is none.
        now: The present time, in nanoseconds since 1970, UTC.

    Example:
        >>> ahead = uuid7(1_900_000_000_000_000_000)
        >>> id_after(ahead, 1_700_000_000_000_000_000) > ahead
        True
    """
    new = uuid7(now)
    if new > last:
        return new
    return uuid7((int(last[:8] + last[9:13], 16) + 1) * _MILLISECOND)


def edited(state: RunState, made: Iterable[Edit]) -> RunState:
    """Give what a run has said with what was said of it later.

    Args:
        state: What its records add up to; it stays as it is.
        made: The edits, in order.
    """
    tags, notes = dict(state.tags), list(state.notes)
    for edit in made:
        for name, text in edit.tags.items():
            if text is None:
                tags.pop(name, None)
            else:
                tags[name] = text
        if edit.note is not None:
            notes.append({"time": iso(edit.at), "text": edit.note})
    return evolve(state, tags=tags, notes=notes)


def plain_name(name: object, what: str) -> str:
    """Give a new name as it is kept, with secrets masked.

    Args:
        name: The name.
        what: What it is to name, for the message: a run, or an experiment.

    Raises:
        InvalidInput: It is no text, or empty.
    """
    if not isinstance(name, str) or not name.strip():
        message = f"{name!r} can't be the name of {what}"
        raise InvalidInput(message, hint="Use text that isn't empty")
    return mask_text(name)
