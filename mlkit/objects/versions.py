"""A dataset or a model: a name with its numbered versions, and the aliases that move on them."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar

from attrs import field, frozen

from mlkit._core.names import Reference, parse_reference
from mlkit.errors import Corrupt, InvalidInput, MlkitError, NewerFormat, NotFound
from mlkit.objects.aliases import AliasEntry, Aliases
from mlkit.objects.remarks import FOLDER, Remarks, remark_series
from mlkit.objects.series import Series


class Version(Protocol):
    """What any version is known by."""

    @property
    def name(self) -> str:
        """The dataset or model."""

    @property
    def number(self) -> int:
        """Its number, from 1."""

    @property
    def ref(self) -> str:
        """Such as `flights:3`."""

    @property
    def digest(self) -> str:
        """The digest of its content."""


V = TypeVar("V", bound=Version)


@frozen(repr=False)
class Versions(Generic[V]):
    """The versions of one name, and its aliases.

    Attributes:
        name: The name.
    """

    name: str
    _series: Series = field(repr=False)
    _aliases: Aliases = field(repr=False)

    def __repr__(self) -> str:
        facts = [f"version {number}" for number in self.numbers()[-1:]]
        try:
            facts += [f"{alias} is {number}" for alias, number in self.aliases().items()]
        except Corrupt:
            facts.append("an alias is damaged")
        return f"<{type(self).__name__} {self.name}: {', '.join(facts) or 'no version'}>"

    # Versions

    def numbers(self) -> list[int]:
        """Give the numbers of the versions, rising."""
        return self._series.numbers()

    def versions(self) -> list[V]:
        """Give all versions, the oldest first."""
        return [self[number] for number in self.numbers()]

    @property
    def latest(self) -> V:
        """The newest version.

        Raises:
            NotFound: There is none.
        """
        number = self._series.latest()
        if number is None:
            raise NotFound(f"The {self._what} {self.name!r} has no version")
        return self[number]

    def __getitem__(self, number: int) -> V:
        """Give the version of a number."""
        if isinstance(number, bool) or not isinstance(number, int):
            raise InvalidInput(
                f"{number!r} is no number of a version", hint="Use a whole number from 1"
            )
        try:
            document = self._series.read(number)
        except NotFound:
            numbers = self.numbers()
            raise NotFound(
                f"The {self._what} {self.name!r} has no version {number}",
                hint=f"It has {numbers[0]} to {numbers[-1]}" if numbers else "",
            ) from None
        return self._version(document)

    def __len__(self) -> int:
        return len(self.numbers())

    def __iter__(self) -> Iterator[V]:
        return iter(self.versions())

    def resolve(self, wanted: Reference) -> V:
        """Give the version that a parsed reference to this name means.

        Raises:
            NotFound: There is no such version or alias.
            InvalidInput: The digits are the beginning of several digests.
        """
        if wanted.version is not None:
            return self[wanted.version]
        if wanted.digest is not None:
            return self[self._of_digest(wanted.digest)]
        return self.latest if wanted.alias is None else self.alias(wanted.alias)

    def faults(self) -> Iterator[tuple[str, MlkitError]]:
        """Give what can't be understood of aliases and remarks: the path of each, and why."""
        yield from self._aliases.faults()
        of = self._aliases
        said = set(of.storage.children(f"{of.root}/{of.name}/{FOLDER}"))
        for number in self.numbers():
            if f"{number}/" in said:
                with suppress(Corrupt, NewerFormat, NotFound):  # of the version, told elsewhere
                    yield from self._remarks(number, self[number].digest).faults()

    # Aliases

    def aliases(self) -> dict[str, int]:
        """Give the aliases, each with the version that holds it."""
        held = {alias: self._aliases.holder(alias) for alias in self._aliases.names()}
        return {alias: version for alias, version in held.items() if version is not None}

    def alias(self, alias: str) -> V:
        """Give the version that holds an alias.

        Raises:
            NotFound: There is no such alias; near ones are suggested.
        """
        return self[self._aliases.require(alias)]

    def history(self, alias: str) -> list[AliasEntry]:
        """Give all moves of an alias, the oldest first.

        Raises:
            NotFound: There is no such alias; near ones are suggested.
        """
        return self._aliases.history(alias)

    def rollback(self, alias: str, *, reason: str = "", run_id: str | None = None) -> AliasEntry:
        """Give an alias back to the version that held it before.

        It works like undo: doing it again goes further back, never forth to a version that was
        rolled back. The history keeps every step.

        Args:
            alias: The alias.
            reason: Why; kept in the history.
            run_id: The run that does it.

        Returns:
            The entry that was added to the alias's history.

        Raises:
            NotFound: There is no such alias.
            InvalidInput: There is nothing to go back to.
            SingleWriterOnly: The storage can't refuse a second writer.
        """
        return self._aliases.rollback(alias, reason=reason, run_id=run_id)

    @property
    def _what(self) -> str:
        return self._aliases.what

    def _remarks(self, number: int, digest: str) -> Remarks:
        """Give what is said of a version after the fact."""
        of = self._aliases
        series = remark_series(
            of.storage, f"{of.root}/{of.name}", number, single_writer=of.single_writer
        )
        return Remarks(series, digest, clock=of.clock, user=of.user)

    def _version(self, document: Mapping[str, Any]) -> V:
        """Give the version that a document describes."""
        raise NotImplementedError

    def _digest(self, number: int) -> str:
        """Give the digest of a version."""
        return self[number].digest

    def _of_digest(self, digits: str) -> int:
        """Give the newest version whose digest begins with these digits."""
        found: dict[str, int] = {}
        for number in self.numbers():
            digest = self._digest(number)
            if (
                digest.startswith(f"sha256:{digits}")
                and self._series.read(
                    number  # what is remembered may be of another past
                ).get("digest")
                == digest
            ):
                found[digest] = number
        if not found:
            raise NotFound(f"The {self._what} {self.name!r} has no version of digest {digits}")
        if len(found) > 1:
            numbers = ", ".join(map(str, sorted(found.values())))
            raise InvalidInput(
                f"'{self.name}#{digits}' means versions {numbers}", hint="Write more digits"
            )
        return next(iter(found.values()))

    def _meant(self, version: "int | str | V") -> V:
        """Give the version that is to be promoted, as it is stored."""
        if isinstance(version, str):
            wanted = parse_reference(version, self._what)
            self._require_own(wanted.name, repr(version))
            return self.resolve(wanted)
        if isinstance(version, int):
            return self[version]
        name, number, ref = (getattr(version, one, None) for one in ("name", "number", "ref"))
        if not (isinstance(name, str) and isinstance(number, int)):
            return self[version]  # type: ignore[index]  # it says what is wrong
        self._require_own(name, str(ref))
        return self[number]

    def _require_own(self, name: str, shown: str) -> None:
        if name != self.name:
            raise InvalidInput(
                f"{shown} is of another {self._what} than {self.name!r}",
                hint=f"Promote it in {self._aliases.root}[{name!r}]",
            )
