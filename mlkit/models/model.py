"""One model: its versions, and the aliases that move between them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mlkit._core.names import check_alias
from mlkit.errors import GateRefused
from mlkit.models.gate import GateCheck, GateVerdict
from mlkit.models.package import ModelVersion
from mlkit.models.refusals import Refusal, Refusals
from mlkit.objects.aliases import AliasEntry
from mlkit.objects.versions import Versions

if TYPE_CHECKING:
    from mlkit.models.loaded import LoadedModel


@frozen(repr=False)
class Model(Versions[ModelVersion]):
    """A model's name with its versions and aliases.

    Attributes:
        name: The name.
    """

    _load: "Callable[[ModelVersion], LoadedModel]" = field(repr=False)

    def refusals(self) -> list[Refusal]:
        """Give the promotions that gates refused, the oldest first, with their reports."""
        return Refusals(self._aliases).all()

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
        candidate = self._meant(version)
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

    def _version(self, document: Mapping[str, Any]) -> ModelVersion:
        return ModelVersion.from_document(self.name, document)

    def _refused(
        self,
        candidate: ModelVersion,
        alias: str,
        holder: int | None,
        report: GateVerdict,
        reason: str,
        run_id: str | None,
    ) -> GateRefused:
        Refusals(self._aliases).add(
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
