"""Remarks: what is said of an immutable version after the fact, each in a document of its own."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mlkit._core import shapes
from mlkit._core.clock import Clock, iso, now_ns, parse_iso
from mlkit._core.ids import token
from mlkit._core.tags import edited_tags, plain_note
from mlkit.errors import Corrupt, InvalidInput, MlkitError, NewerFormat, NotFound
from mlkit.objects.series import Series

if TYPE_CHECKING:
    from mlkit.storage.protocol import Storage

KIND = "remark"
FOLDER = "remarks"
_MICROSECOND = 1000  # nanoseconds; times are written as exactly as that
_LAST = parse_iso("9999-12-31T23:59:59.999999Z")


@frozen(kw_only=True)
class Remark:
    """Something that was said of a version after the fact.

    Attributes:
        number: Its place among the remarks on the version, from 1.
        at: When, in nanoseconds since 1970, UTC; later than all that its writer could see.
        user: Who said it.
        tags: Tag to its new text; None takes the tag away.
        note: A note that was added; None where none was.
        writer: What no other remark has.
        digest: The digest of the version.
    """

    number: int
    at: int
    user: str
    tags: Mapping[str, str | None] = field(factory=dict)
    note: str | None = None
    writer: str = field(default="", repr=False)
    digest: str = field(default="", repr=False)

    @classmethod
    def from_document(cls, path: str, document: Mapping[str, Any]) -> "Remark":
        """Give the remark of a document.

        Args:
            path: Where it lies, for the message.
            document: Its fields.

        Raises:
            Corrupt: A field is missing or isn't what it must be.
        """
        try:
            tags = shapes.mapping(document, "tags", object)
            return cls(
                number=shapes.required(document, "number", int),
                at=parse_iso(shapes.required(document, "at", str)),
                user=shapes.required(document, "user", str),
                tags={name: shapes.optional(tags, name, str) for name in tags},
                note=shapes.optional(document, "note", str),
                writer=shapes.required(document, "writer", str),
                digest=shapes.required(document, "digest", str),
            )
        except (shapes.Misshapen, InvalidInput) as error:
            raise Corrupt(f"{path} lacks what it must hold: {error}") from error


def remark_series(
    storage: "Storage", version: str, number: int, *, single_writer: bool = False
) -> Series:
    """Give the documents of the remarks on a version.

    Args:
        storage: The store's storage.
        version: The folder of the dataset or model, such as `datasets/flights`.
        number: The version's number.
        single_writer: The caller promises to be the only writer.
    """
    folder = f"{version}/{FOLDER}/{number}"
    return Series(storage, folder, KIND, single_writer=single_writer)


@frozen
class Remarks:
    """The remarks on one version.

    Any number of threads, processes and machines may add some at once: none is lost, and none
    ever changes. Of a tag the last one counts, in the order of their times; a remark is always
    later than those that its writer could see, whatever the clocks say. So the order is the same
    in every store that the remarks are copied to.

    Args:
        series: Their documents.
        digest: The digest of the version.
        clock: Gives the present time.
        user: Who says something.

    Example:
        >>> from mlkit.storage.memory import MemoryStorage
        >>> series = remark_series(MemoryStorage("remarks-example"), "datasets/flights", 3)
        >>> remarks = Remarks(series, "sha256:ab", user="ann")
        >>> remarks.add(tags={"owner": "ml", "draft": "yes"}).number
        1
        >>> remarks.add(tags={"draft": None}, note="checked by hand").number
        2
        >>> remarks.tags({"source": "s3"})
        {'source': 's3', 'owner': 'ml'}
        >>> [remark.note for remark in remarks.all()]
        [None, 'checked by hand']
    """

    series: Series
    digest: str
    clock: Clock = field(default=now_ns, kw_only=True, repr=False)
    user: str = field(default="", kw_only=True)

    def all(self) -> list[Remark]:
        """Give them in the order in which they count.

        Raises:
            Corrupt: One is damaged, or belongs to another version.
        """
        found = [self._read(number) for number in self.series.numbers()]
        return sorted(found, key=lambda one: (one.at, one.writer))

    def tags(self, before: Mapping[str, str]) -> dict[str, str]:
        """Give the tags that a version has by now.

        Args:
            before: Those that it was made with.
        """
        tags = dict(before)
        for remark in self.all():
            for name, text in remark.tags.items():
                if text is None:
                    tags.pop(name, None)
                else:
                    tags[name] = text
        return tags

    def add(
        self, *, tags: Mapping[str, str | None] | None = None, note: str | None = None
    ) -> Remark:
        """Add a remark.

        Args:
            tags: Tag to its new text; None takes the tag away.
            note: A note.

        Raises:
            ReadOnly: The storage only reads.
            SingleWriterOnly: The storage can't refuse a second writer.
        """
        times: dict[int, int] = {}  # of a lost race only what came since is read

        def make(number: int) -> dict[str, Any]:
            for before in range(1, number):
                if before not in times:
                    times[before] = self._time(before)
            now = self.clock() // _MICROSECOND * _MICROSECOND
            later = max(times.values(), default=0) + _MICROSECOND
            at = min(max(now, later), _LAST)
            return {
                "digest": self.digest,
                "at": iso(at),
                "user": self.user,
                "tags": dict(tags or {}),
                "note": note,
            }

        return self._read(self.series.append(make, token=token()))

    def faults(self) -> Iterator[tuple[str, MlkitError]]:
        """Give the documents that can't be understood: the path of each, and why."""
        for number in self.series.numbers():
            try:
                self._read(number)
            except (Corrupt, NewerFormat, NotFound) as error:
                yield self.series.path(number), error

    def _read(self, number: int) -> Remark:
        path = self.series.path(number)
        remark = Remark.from_document(path, self.series.read(number))
        if remark.digest != self.digest:
            raise Corrupt(f"{path} is about another version: it was moved or copied")
        return remark

    def _time(self, number: int) -> int:
        try:
            return self._read(number).at
        except (Corrupt, NewerFormat, NotFound):  # who reads is told, and who writes goes on
            return 0


class Remarked:
    """A version of which something can be said after the fact; a part of it.

    The version stays as it is. Each remark is a document of its own beside it, with who made it
    and when.
    """

    __slots__ = ()

    _remarks: Remarks | None
    _made_with: Mapping[str, str]

    @property
    def ref(self) -> str:
        """The reference, such as `flights:3`."""
        raise NotImplementedError

    @property
    def tags(self) -> dict[str, str]:
        """The tags: those that it was made with, and what was said since; read anew each time.

        Raises:
            Corrupt: A remark is damaged.
        """
        if self._remarks is None:
            return dict(self._made_with)
        return self._remarks.tags(self._made_with)

    @property
    def notes(self) -> list[dict[str, str]]:
        """Notes in order: `time` in ISO 8601, `user`, and `text`; read anew each time.

        Raises:
            Corrupt: A remark is damaged.
        """
        return [
            {"time": iso(one.at), "user": one.user, "text": one.note}
            for one in (() if self._remarks is None else self._remarks.all())
            if one.note is not None
        ]

    def set_tags(self, tags: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Label the version anew; values are kept as text, and None takes a tag away.

        Args:
            tags: Name to value.
            more: The same as keywords.

        Raises:
            InvalidInput: A name is no text.
            ReadOnly: The store only reads.
            SingleWriterOnly: The storage can't refuse a second writer.

        Example:
            >>> import mlkit
            >>> store = mlkit.Store("memory://remarked-example")
            >>> version = store.log_dataset("flights", {"delay": [3.5, 1.0]})
            >>> version.set_tags(owner="ml", rows=2)
            >>> version.set_tags(rows=None)
            >>> store.dataset("flights:1").tags
            {'owner': 'ml'}
        """
        given = edited_tags(tags, more)
        if given:
            self._writable().add(tags=given)

    def note(self, text: str) -> None:
        """Add a note to the version.

        Raises:
            InvalidInput: It is no text.
            ReadOnly: The store only reads.
            SingleWriterOnly: The storage can't refuse a second writer.

        Example:
            >>> import mlkit
            >>> version = mlkit.Store("memory://note-example").log_dataset("flights", {"a": [1]})
            >>> version.note("the airport's own figures")
            >>> [note["text"] for note in version.notes]
            ["the airport's own figures"]
        """
        self._writable().add(note=plain_note(text, "version"))

    def _writable(self) -> Remarks:
        if self._remarks is None:
            message = f"{self.ref} wasn't given by a store, so nothing can be said of it"
            raise InvalidInput(message, hint="Take it from store.dataset(…)")
        return self._remarks
