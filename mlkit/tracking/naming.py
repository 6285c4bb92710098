"""What the edits of experiments add up to: facts, and which names mean which experiment.

A run carries the name of the experiment that it was started in, for ever. When an experiment is
renamed, its old names go on to mean it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Self

from attrs import define, field, frozen

from mlkit._core.clock import iso, parse_iso
from mlkit._core.codec import decode_document, encode_document
from mlkit.errors import Corrupt, InvalidInput
from mlkit.tracking.documents import Shapes, require_fields

_KIND = "experiment_edit"
_SHAPES: Shapes = {"at": str, "user": str, "experiment": str}
_MAY: Shapes = {"description": str, "tags": dict, "note": str, "archived": bool, "name": str}


@frozen
class ExperimentEdit:
    """One change of an experiment.

    Attributes:
        experiment: Its name at that time.
        at: When, in nanoseconds since 1970, UTC.
        user: Who made it.
        said: What is new: any of `description`, `tags` (name to text, or to None, which takes the
            tag away), `note`, `archived` and `name`.
    """

    experiment: str
    at: int
    user: str
    said: Mapping[str, Any]

    def encode(self) -> bytes:
        """Give the document."""
        head = {"at": iso(self.at), "user": self.user, "experiment": self.experiment}
        return encode_document(_KIND, {**head, **self.said})

    @classmethod
    def decode(cls, data: bytes, path: str) -> Self:
        """Read an edit.

        Args:
            data: The document.
            path: Where it is, for messages.

        Raises:
            Corrupt: It was damaged, or can't be used.
        """
        fields = decode_document(data, _KIND, path)
        said = {name: fields[name] for name in _MAY if name in fields}
        require_fields(fields, _SHAPES | {name: _MAY[name] for name in said}, path)
        try:
            at = parse_iso(fields["at"])
        except InvalidInput as error:
            message = f"{path} has no usable field 'at': {error}"
            raise Corrupt(message) from None
        if not all(isinstance(text, str | None) for text in said.get("tags", {}).values()):
            message = f"{path} has no usable field 'tags'"
            raise Corrupt(message, hint="It wasn't written by mlkit, or was tampered with")
        return cls(fields["experiment"], at, fields["user"], said)


@define
class Facts:
    """What is known of an experiment.

    Attributes:
        name: What it is called now.
        carried: The names that its runs may carry.
        description: What it is about.
        tags: Name to text.
        notes: Notes in order: `time` in ISO 8601, and `text`.
        archived: Whether it is left out where experiments are listed.
    """

    name: str
    carried: set[str] = field(factory=set)
    description: str = ""
    tags: dict[str, str] = field(factory=dict)
    notes: list[dict[str, str]] = field(factory=list)
    archived: bool = False

    def apply(self, edit: ExperimentEdit) -> None:
        """Take in what an edit says, but for a new name."""
        said = edit.said
        self.description = said.get("description", self.description)
        self.archived = said.get("archived", self.archived)
        for name, text in said.get("tags", {}).items():
            if text is None:
                self.tags.pop(name, None)
            else:
                self.tags[name] = text
        if "note" in said:
            self.notes.append({"time": iso(edit.at), "text": said["note"]})


class Naming:
    """Which experiments the edits know, and which carried names mean them.

    Args:
        edits: All edits, in the order in which they count.

    Example:
        >>> naming = Naming([ExperimentEdit("a", 0, "ann", {"name": "b"})])
        >>> naming.current("a"), naming.current("b"), naming.current("c")
        ('b', 'b', 'c')
        >>> sorted(naming.carried("b"))
        ['a', 'b']
    """

    def __init__(self, edits: Iterable[ExperimentEdit]) -> None:
        self._known: dict[str, Facts] = {}
        for edit in edits:
            facts = self._facts_of(edit.experiment)
            facts.apply(edit)
            new = edit.said.get("name", facts.name)
            if new != facts.name:
                self._rename(facts, new)

    def current(self, carried: str) -> str:
        """Give what the experiment is called now whose runs carry a name."""
        facts = self._known.get(carried)
        return carried if facts is None else facts.name

    def carried(self, name: str) -> frozenset[str]:
        """Give all names that runs of an experiment may carry.

        Args:
            name: What it is called now, or was once.
        """
        facts = self._known.get(name)
        return frozenset([name]) if facts is None else frozenset(facts.carried)

    def facts(self, name: str) -> Facts:
        """Give what is known of an experiment, by any of its names."""
        return self._known.get(name) or Facts(name, {name})

    def names(self) -> set[str]:
        """Give what the experiments are called now of which there are edits."""
        return {facts.name for facts in self._known.values()}

    def archived_names(self) -> frozenset[str]:
        """Give the names that runs of archived experiments may carry."""
        return frozenset(name for name, facts in self._known.items() if facts.archived)

    def _facts_of(self, name: str) -> Facts:
        return self._known.setdefault(name, Facts(name, {name}))

    def _rename(self, facts: Facts, new: str) -> None:
        """Give an experiment another name; with one that has it already it becomes one.

        Nobody is let rename onto a name that is taken, but two may choose one at the same time, or
        in two copies of a store.
        """
        other = self._facts_of(new)
        if other is not facts:
            facts.carried |= other.carried
            facts.description = facts.description or other.description
            facts.tags = other.tags | facts.tags
            facts.notes = sorted([*other.notes, *facts.notes], key=lambda note: note["time"])
            for name in other.carried:
                self._known[name] = facts
        facts.name = new
