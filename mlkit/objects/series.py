"""Numbered documents, `<folder>/1.json`, `2.json` …, that any number of writers add to at once."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mlkit._core.codec import decode_document, encode_document
from mlkit.errors import AlreadyExists, Corrupt, SingleWriterOnly
from mlkit.storage.faulting import read_only
from mlkit.storage.readonly import ReadOnlyStorage

if TYPE_CHECKING:
    from mlkit.storage.protocol import Storage

_FILE = re.compile(r"([1-9][0-9]{0,17})\.json")


@frozen
class Series:
    """The documents of one folder, numbered from 1 without gaps; none ever changes.

    A document is created exclusively, so of several writers of a number one wins, and the others
    take the next. Threads, processes and machines may append at once.

    Args:
        storage: Where they lie.
        folder: The folder that holds nothing else than these files (and further folders).
        kind: The kind of its documents.
        single_writer: The caller promises to be the only writer, so that a storage which can't
            refuse a second one may be written to.

    Example:
        >>> from mlkit.storage.memory import MemoryStorage
        >>> series = Series(MemoryStorage("series-example"), "notes", "note")
        >>> series.append(lambda number: {"text": f"note {number}"}, token="me")
        1
        >>> series.read(1)["text"]
        'note 1'
    """

    storage: "Storage" = field()
    folder: str = field()
    kind: str = field()
    single_writer: bool = field(default=False, kw_only=True)

    def path(self, number: int) -> str:
        """Give the place of a document."""
        return f"{self.folder}/{number}.json"

    def numbers(self) -> list[int]:
        """Give the numbers that exist, rising; empty where the folder doesn't exist."""
        found = (_FILE.fullmatch(name) for name in self.storage.children(self.folder))
        return sorted(int(match[1]) for match in found if match)

    def latest(self) -> int | None:
        """Give the highest number, None where there is no document."""
        return max(self.numbers(), default=None)

    def read(self, number: int) -> dict[str, Any]:
        """Give the fields of a document, with its `number` and its `writer`.

        Raises:
            NotFound: There is no document of this number.
            Corrupt: The document is damaged, or is another one's copy.
            NewerFormat: A newer mlkit wrote it.
        """
        path = self.path(number)
        body = decode_document(self.storage.read(path), self.kind, path)
        if body.get("number") != number:
            message = f"{path} holds document {body.get('number')!r}: it was moved or copied"
            raise Corrupt(message)
        return body

    def require_writable(self) -> None:
        """Raise unless a second writer of a number would be refused.

        Raises:
            ReadOnly: The storage only reads.
            SingleWriterOnly: The storage can't refuse one, and the caller hasn't promised to be
                the only writer.
        """
        if isinstance(self.storage, ReadOnlyStorage):
            raise read_only(self.storage.url, self.folder)
        if not (self.storage.capabilities.exclusive_create or self.single_writer):
            message = (
                f"The storage {self.storage.url} can't refuse a second writer of a name, so two "
                "writers could overwrite each other's versions"
            )
            raise SingleWriterOnly(
                message,
                hint="Open the store with single_writer=True if nobody else writes to it",
            )

    def create(self, number: int, body: Mapping[str, Any], *, token: str) -> bool:
        """Write the document of a number, unless there is one.

        Args:
            number: The number, which must be the latest's next.
            body: The fields; `number` and `writer` are added.
            token: What no other writer has, so that a lost reply isn't taken for a conflict.

        Returns:
            Whether the document of this number is now this one; False when it is another's.

        Raises:
            SingleWriterOnly: See `require_writable`.
        """
        self.require_writable()
        data = encode_document(self.kind, {"number": number, "writer": token, **body})
        try:
            self.storage.create(self.path(number), data)
        except AlreadyExists:
            return False
        return True

    def append(self, make: Callable[[int], Mapping[str, Any]], *, token: str) -> int:
        """Write the next document; on a conflict, the one after it, until it succeeds.

        Args:
            make: Gives the fields for a number. It is called again, with the next number, when
                another writer was quicker; it may raise to give up.
            token: What no other writer has, so that a lost reply isn't taken for a conflict.

        Returns:
            The number that was written.

        Raises:
            SingleWriterOnly: See `require_writable`.
        """
        self.require_writable()
        number = (self.latest() or 0) + 1
        while not self.create(number, make(number), token=token):
            number = max(number, self.latest() or 0) + 1
        return number
