"""Copying numbered documents into a series: each once, no number twice, none left out."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from attrs import define, field, frozen

from mlkit._core.codec import decode_document, encode_document
from mlkit.errors import AlreadyExists
from mlkit.objects.series import Series
from mlkit.store.copying import Copying

Key = tuple[Any, ...]
"""What tells a document from others, whatever its number is."""

KeyOf = Callable[[Mapping[str, Any]], Key]
"""Gives it for the fields of a document."""


@frozen
class Numbered:
    """A document of a series, as it lies in a store.

    Attributes:
        number: Its number.
        data: Its bytes.
        fields: What it says.
    """

    number: int
    data: bytes
    fields: Mapping[str, Any]


def read_series(series: Series, copying: Copying, what: str = "") -> dict[int, Numbered]:
    """Give the documents of a series that can be read, by their numbers.

    Args:
        series: The series.
        copying: Is told of those that can't.
        what: The name of the thing that its documents are versions of; empty where they are none.
    """
    found = {}
    for number in series.numbers():
        path = series.path(number)
        with copying.naming(path, f"{what}:{number}" if what else ""):
            data = series.storage.read(path)
            fields = decode_document(data, series.kind, path)
            if fields.get("number") != number:
                copying.problem(path, "it was moved or copied here")
                continue
            found[number] = Numbered(number, data, fields)
    return found


@define
class Held:
    """A series of the target, to which documents of another store are added.

    Attributes:
        series: The series.
        copying: Is told of documents that can't be read.
        key_of: Gives what tells a document from others, whatever its number is.
    """

    series: Series
    copying: Copying
    key_of: KeyOf
    _seen: set[int] = field(factory=set, init=False)
    _known: dict[Key, int] = field(factory=dict, init=False)
    _keys: dict[int, Key] = field(factory=dict, init=False)

    def find(self, fields: Mapping[str, Any]) -> int | None:
        """Give the number under which a document is there; None where it isn't."""
        self._look()
        return self._known.get(self.key_of(fields))

    def key(self, number: int) -> Key | None:
        """Give what tells the document of a number from others; None where none is known."""
        return self._keys.get(number)

    def add(self, one: Numbered) -> tuple[int, bool]:
        """Add a document, unless it is there.

        It keeps its number where that is the next one, and takes the next one else.

        Args:
            one: The document.

        Returns:
            The number that it has in the target, and whether it was written now.

        Raises:
            SingleWriterOnly: The target can't refuse a second writer.
        """
        while True:
            known = self.find(one.fields)
            if known is not None:
                return known, False
            self.series.require_writable()
            number = max(self._seen, default=0) + 1
            data = one.data
            if number != one.number:
                data = encode_document(self.series.kind, {**one.fields, "number": number})
            with suppress(AlreadyExists):  # another writer was quicker; perhaps with the same
                self.series.storage.create(self.series.path(number), data)
                self._seen.add(number)
                self._keep(self.key_of(one.fields), number)
                return number, True

    def _look(self) -> None:
        """Read what has come since; of two that are alike the older one counts."""
        for number in self.series.numbers():
            if number in self._seen:
                continue
            self._seen.add(number)
            path = self.series.path(number)
            with self.copying.naming(f"{self.series.storage.url}/{path}"):
                self._keep(self.key_of(self.series.read(number)), number)

    def _keep(self, key: Key, number: int) -> None:
        self._known.setdefault(key, number)
        self._keys[number] = key
