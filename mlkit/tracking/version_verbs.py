"""The verbs by which a run uses and makes versions of datasets and models."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlkit.tracking.overhead import Overhead
from mlkit.tracking.state import RunState
from mlkit.tracking.surroundings import Surroundings, link_to

if TYPE_CHECKING:
    from mlkit.data.demands import Demands
    from mlkit.data.version import DatasetVersion
    from mlkit.models.package import ModelVersion


class VersionVerbs:
    """What a run that is being written can do with versions; a part of `ActiveRun`."""

    id: str
    _around: Surroundings
    _overhead: Overhead
    _state: RunState

    def use_dataset(self, dataset: "str | DatasetVersion") -> "DatasetVersion":
        """Read a dataset's version and record it as an input of the run.

        Args:
            dataset: A reference such as `flights:3`, or a version.

        Raises:
            NotFound: There is no such version.
        """
        version = self._around.datasets().get(dataset) if isinstance(dataset, str) else dataset
        self._event("input", link_to("dataset", version))
        return version

    def log_dataset(
        self,
        name: str,
        data: Any,
        *,
        description: str = "",
        tags: Mapping[str, Any] | None = None,
        expect: "Demands | None" = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> "DatasetVersion":
        """Make data a version of a dataset, as an output of the run; see `Store.log_dataset`."""
        with self._overhead:
            version = self._around.datasets().log(
                name,
                data,
                run_id=self.id,
                inputs=self._inputs(),
                description=description,
                tags=tags,
                expect=expect,
                storage_options=storage_options,
            )
            self._event("output", link_to("dataset", version))
        return version

    def log_model(
        self,
        model: Any,
        name: str,
        *,
        input_example: Any = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> "ModelVersion":
        """Make an object the next version of a model, as an output of the run.

        Args:
            model: The object.
            name: The model's name.
            input_example: A few rows of input, from which the signature is taken.
            metrics: What is known of its quality, which gates look at. By default the last values
                that the run has logged so far, so log them before the model.
            tags: Labels of the version.

        Raises:
            InvalidName: The name can't be kept.
            InvalidInput: The object can't be stored, or fails on the example.
        """
        with self._overhead:
            version = self._around.models().save(
                name,
                model,
                input_example=input_example,
                metrics=self.summary if metrics is None else metrics,
                run_id=self.id,
                datasets=self._inputs(),
                tags=tags,
            )
            self._event("output", link_to("model", version))
        return version

    @property
    def summary(self) -> dict[str, float]:
        """The last value of each metric; the run knows."""
        raise NotImplementedError

    def _event(self, name: str, body: Mapping[str, Any]) -> None:
        """Write an event; the run does."""
        raise NotImplementedError

    def _inputs(self) -> list[dict[str, Any]]:
        read = [link for link in self._state.inputs if link["kind"] == "dataset"]
        return self._around.renumberings.current().links(read) if read else []
