"""One model: its versions, and the aliases that move between them."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mlkit._core.names import Reference, check_alias, parse_reference
from mlkit.errors import Corrupt, GateRefused, InvalidInput, NotFound
from mlkit.models.aliases import AliasEntry, Aliases, Refusal
from mlkit.models.gate import GateCheck, GateVerdict
from mlkit.models.package import ModelVersion
from mlkit.objects.series import Series

if TYPE_CHECKING:
    from mlkit.models.loaded import LoadedModel


@frozen
class Model:
    """A model's name with its versions and aliases.

    Attributes:
        name: The name.
    """

    name: str
    _series: Series = field(repr=False)
    _aliases: Aliases = field(repr=False)
    _load: "Callable[[ModelVersion], LoadedModel]" = field(repr=False)

    def __repr__(self) -> str:
        facts = [f"version {number}" for number in self.numbers()[-1:]]
        try:
            facts += [f"{alias} is {number}" for alias, number in self.aliases().items()]
        except Corrupt:
            facts.append("an alias is damaged")
        return f"<Model {self.name}: {', '.join(facts) or 'no version'}>"

    # Versions

    def numbers(self) -> list[int]:
        """Give the numbers of the versions, rising."""
        return self._series.numbers()

    def versions(self) -> list[ModelVersion]:
        """Give all versions, the oldest first."""
        return [self[number] for number in self.numbers()]

    @property
    def latest(self) -> ModelVersion:
        """The newest version.

        Raises:
            NotFound: There is none.
        """
        number = self._series.latest()
        if number is None:
            raise NotFound(f"The model {self.name!r} has no version")
        return self[number]

    def __getitem__(self, number: int) -> ModelVersion:
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
                f"The model {self.name!r} has no version {number}",
                hint=f"It has {numbers[0]} to {numbers[-1]}" if numbers else "",
            ) from None
        return ModelVersion.from_document(self.name, document)

    def __len__(self) -> int:
        return len(self.numbers())

    def __iter__(self) -> Iterator[ModelVersion]:
        return iter(self.versions())

    # Aliases

    def aliases(self) -> dict[str, int]:
        """Give the aliases, each with the version that holds it."""
        held = {alias: self._aliases.holder(alias) for alias in self._aliases.names()}
        return {alias: version for alias, version in held.items() if version is not None}

    def alias(self, alias: str) -> ModelVersion:
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

    def refusals(self) -> list[Refusal]:
        """Give the promotions that gates refused, the oldest first, with their reports."""
        return self._aliases.refusals()

    def promote(
        self,
        version: "int | str | ModelVersion",
        alias: str,
        *,
        gate: GateCheck | None = None,
        reason: str = "",
        run_id: str | None = None,
    ) -> AliasEntry:
        """Let a version hold an alias, if the gate lets it.

        Args:
            version: The version: its number, itself, or a reference to it.
            alias: The alias, such as `prod`; it is made if there is none.
            gate: What must be passed. It compares with the version that holds the alias at the
                very moment of the move; if others move it meanwhile, the gate is asked again.
            reason: Why; kept in the history.
            run_id: The run that does it.

        Returns:
            The entry that was added to the alias's history.

        Raises:
            InvalidName: The alias can't be: `latest`, a number, or a name of another shape.
            NotFound: There is no such version.
            GateRefused: The gate wasn't passed. The alias stays, the report is in `.report`, and
                kept among `refusals()`.
            SingleWriterOnly: The storage can't refuse a second writer.
        """
        check_alias(alias)
        candidate = self._version(version)
        self._series.require_writable()

        def decide(holder: int | None) -> Mapping[str, Any] | None:
            if gate is None:
                return None
            current = None if holder is None else self[holder]
            report = gate.evaluate(candidate, current, self._load)
            if not report.passed:
                raise self._refused(candidate, alias, holder, report, reason, run_id)
            return dict(report.to_json())

        return self._aliases.promote(alias, candidate.number, decide, reason=reason, run_id=run_id)

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
        """
        return self._aliases.rollback(alias, reason=reason, run_id=run_id)

    def _version(self, version: "int | str | ModelVersion") -> ModelVersion:
        if isinstance(version, ModelVersion):
            if version.name != self.name:
                raise InvalidInput(
                    f"{version.ref} is a version of another model than {self.name!r}",
                    hint=f"Promote it in models[{version.name!r}]",
                )
            return self[version.number]
        if not isinstance(version, str):
            return self[version]
        wanted = parse_reference(version, "model")
        if wanted.name != self.name:
            raise InvalidInput(
                f"{version!r} means a version of another model than {self.name!r}",
                hint=f"Promote it in models[{wanted.name!r}]",
            )
        return self.resolve(wanted)

    def resolve(self, wanted: Reference) -> ModelVersion:
        """Give the version that a parsed reference to this model means.

        Raises:
            NotFound: There is no such version or alias.
            InvalidInput: The digits are the beginning of several digests.
        """
        if wanted.version is not None:
            return self[wanted.version]
        if wanted.digest is not None:
            return self._by_digest(wanted.digest)
        return self.latest if wanted.alias is None else self.alias(wanted.alias)

    def _by_digest(self, digits: str) -> ModelVersion:
        """Give the newest version whose digest begins with these digits."""
        found: dict[str, ModelVersion] = {}
        for version in self.versions():
            if version.digest.startswith(f"sha256:{digits}"):
                found[version.digest] = version
        if not found:
            raise NotFound(f"The model {self.name!r} has no version of digest {digits}")
        if len(found) > 1:
            numbers = ", ".join(str(version.number) for version in found.values())
            raise InvalidInput(
                f"'{self.name}#{digits}' means versions {numbers}", hint="Write more digits"
            )
        return next(iter(found.values()))

    def _refused(
        self,
        candidate: ModelVersion,
        alias: str,
        holder: int | None,
        report: GateVerdict,
        reason: str,
        run_id: str | None,
    ) -> GateRefused:
        self._aliases.refuse(
            alias,
            candidate.number,
            holder,
            dict(report.to_json()),
            reason=reason,
            run_id=run_id,
        )
        why = "; ".join(report.failures)
        stays = f"it stays with {self.name}:{holder}" if holder is not None else "nobody holds it"
        return GateRefused(
            f"The gate refused {candidate.ref} as {alias!r} ({why}); {stays}",
            hint="Each condition is in the error's .report, which refusals() keeps",
            report=report,
        )
