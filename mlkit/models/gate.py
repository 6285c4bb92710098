"""What a gate is to the registry: something that looks at a candidate and says yes or no."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mlkit.models.loaded import LoadedModel
    from mlkit.models.package import ModelVersion


class GateVerdict(Protocol):
    """What a gate found."""

    @property
    def passed(self) -> bool:
        """Whether the candidate may hold the alias."""
        ...

    @property
    def failures(self) -> Sequence[str]:
        """What the candidate failed, each with its figures; nothing when it passed."""
        ...

    def to_json(self) -> Mapping[str, Any]:
        """Give the report as JSON, to be kept with the alias."""
        ...


class GateCheck(Protocol):
    """Decides whether a version may hold an alias."""

    def evaluate(
        self,
        candidate: "ModelVersion",
        holder: "ModelVersion | None",
        load: "Callable[[ModelVersion], LoadedModel]",
    ) -> GateVerdict:
        """Look at a candidate.

        Args:
            candidate: The version that is to hold the alias.
            holder: The version that holds it now.
            load: Gives the model of a version.

        Returns:
            The report.
        """
        ...
