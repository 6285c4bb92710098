"""Which versions have another number in a store than in the one where a run used them.

A run names the versions that it read and made as they were called where it ran, with their
digests. Its folder is copied byte for byte; where a version gets another number in the target,
a document of that store says so, which is written before the runs come. It counts there alone.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import asdict, frozen

from mlkit._core.clock import Clock, now_ns
from mlkit._core.codec import decode_document, encode_document
from mlkit._core.ids import is_uuid7
from mlkit._core.names import parse_reference
from mlkit.errors import Corrupt, InvalidName, NewerFormat, NotFound
from mlkit.objects.verify import Problem
from mlkit.storage.protocol import Storage
from mlkit.tracking.documents import Shapes, require_fields
from mlkit.tracking.edits import id_after

_FOLDER = "renumbered"
_KIND = "renumbering"
_KINDS = frozenset({"dataset", "model"})
_SHAPES: Shapes = {"kind": str, "digest": str, "was": str, "now": str}
_UNREADABLE = (Corrupt, NewerFormat, NotFound)

Named = tuple[str, str, str]
"""A version as a run names it: kind, reference, digest."""


class DamagedRenumberingWarning(UserWarning):
    """What says which numbers versions have is damaged, or of a newer format, and passed over."""


@frozen
class Renumbered:
    """A version that has another number here than where it was used.

    Attributes:
        kind: `dataset` or `model`.
        digest: The digest of its content.
        was: What runs call it, such as `flights:1`.
        now: What it is called here, such as `flights:2`.
    """

    kind: str
    digest: str
    was: str
    now: str

    @property
    def named(self) -> Named:
        """How runs name it."""
        return self.kind, self.was, self.digest


class Renumbering:
    """How what runs name is called in a store.

    Args:
        versions: What was renumbered; where two say of the same, the first one counts.

    Example:
        >>> there = Renumbering([Renumbered("dataset", "sha256:ab", "flights:1", "flights:2")])
        >>> there.links([{"kind": "dataset", "ref": "flights:1", "digest": "sha256:ab"}])
        [{'kind': 'dataset', 'ref': 'flights:2', 'digest': 'sha256:ab'}]
        >>> there.links([{"kind": "dataset", "ref": "flights:1", "digest": "sha256:cd"}])
        [{'kind': 'dataset', 'ref': 'flights:1', 'digest': 'sha256:cd'}]
    """

    def __init__(self, versions: Iterable[Renumbered] = ()) -> None:
        self._now: dict[Named, str] = {}
        for one in versions:
            self._now.setdefault(one.named, one.now)

    @property
    def refs(self) -> Mapping[Named, str]:
        """What runs name to what it is called here."""
        return self._now

    def links(self, links: Sequence[Any]) -> list[Any]:
        """Give links of a run, or of a version, with the references that they have here.

        Args:
            links: Mappings with `kind`, `ref` and `digest`; what else is among them stays.

        Returns:
            The links in their order, each once.
        """
        if not self._now:
            return list(links)
        found: list[Any] = []
        for link in map(self._link, links):
            if link not in found:  # it named one version by the number of each of two stores
                found.append(link)
        return found

    def _link(self, link: Any) -> Any:
        if not isinstance(link, Mapping):
            return link
        named = tuple(str(link.get(name)) for name in ("kind", "ref", "digest"))
        now = self._now.get(named)  # type: ignore[arg-type]  # there are three
        return link if now is None else {**link, "ref": now}


class Renumberings:
    """The documents of a store that say which versions have another number there.

    Usually there are none. Threads may share it.

    Args:
        storage: The store's storage.
        tell: Is told of those that can't be read; by default they are warned of.
        clock: Gives the time.

    Example:
        >>> from mlkit.storage.memory import MemoryStorage
        >>> renumberings = Renumberings(MemoryStorage("renumbering-example"))
        >>> renumberings.write([Renumbered("model", "sha256:ab", "delay:1", "delay:7")])
        >>> renumberings.current().refs
        {('model', 'delay:1', 'sha256:ab'): 'delay:7'}
    """

    def __init__(
        self,
        storage: Storage,
        *,
        tell: Callable[[Problem], object] | None = None,
        clock: Clock = now_ns,
    ) -> None:
        self._storage = storage
        self._tell = tell or _warn
        self._clock = clock
        self._read: dict[str, list[Renumbered]] = {}
        self._newest: tuple[list[str], Renumbering] = ([], Renumbering())

    def current(self) -> Renumbering:
        """Give what they add up to, from one listing; the same object while there is none new."""
        names = self._names()
        known, renumbering = self._newest
        if names != known:
            renumbering = Renumbering(one for name in names for one in self._versions(name))
            self._newest = names, renumbering
        return renumbering

    def write(self, versions: Iterable[Renumbered]) -> None:
        """Say that versions have other numbers here; it must come before the runs that use them.

        Args:
            versions: Which, and only such as `current` doesn't know.

        Raises:
            StorageFault: The storage doesn't take it.
        """
        names = self._names()
        name = id_after(names[-1].removesuffix(".json") if names else "", self._clock())
        document = encode_document(_KIND, {"versions": [asdict(one) for one in versions]})
        self._storage.create(f"{_FOLDER}/{name}.json", document)

    def verify(self) -> Iterator[Problem]:
        """Check the documents, and give what is damaged."""
        for name in self._names():
            try:
                self._decoded(name)
            except (*_UNREADABLE, OSError) as error:
                yield _problem(name, error)

    def _names(self) -> list[str]:
        return sorted(
            name
            for name in self._storage.children(_FOLDER)
            if name.endswith(".json") and is_uuid7(name.removesuffix(".json"))
        )

    def _versions(self, name: str) -> list[Renumbered]:
        """Give what a document says, read once, since none ever changes."""
        if name not in self._read:
            try:
                self._read[name] = self._decoded(name)
            except _UNREADABLE as error:
                self._read[name] = []
                self._tell(_problem(name, error))
        return self._read[name]

    def _decoded(self, name: str) -> list[Renumbered]:
        path = f"{_FOLDER}/{name}"
        document = decode_document(self._storage.read(path), _KIND, path)
        require_fields(document, {"versions": list}, path)
        return [_renumbered(fields, path) for fields in document["versions"]]


def _renumbered(fields: Any, path: str) -> Renumbered:
    """Give what one part of a document says.

    Raises:
        Corrupt: It can't be used.
    """
    known = fields if isinstance(fields, dict) else {}
    require_fields(known, _SHAPES, path)
    one = Renumbered(**{name: known[name] for name in _SHAPES})
    try:
        was, now = parse_reference(one.was), parse_reference(one.now)
    except InvalidName as error:
        message = f"{path} has no usable field: {error}"
        raise Corrupt(message) from None
    if one.kind not in _KINDS or not (was.version and now.version) or was.name != now.name:
        message = f"{path} says of no version which number it has"
        raise Corrupt(message, hint="It wasn't written by mlkit, or was tampered with")
    return one


def _problem(name: str, error: Exception) -> Problem:
    return Problem(f"{_FOLDER}/{name}", str(error), ("which versions the runs of a merge mean",))


def _warn(problem: Problem) -> None:
    message = (
        f"{problem.what}. So runs that were merged or exported may name other versions than those "
        "that they used. Merging or exporting again writes it anew"
    )
    warnings.warn(message, DamagedRenumberingWarning, stacklevel=4)
