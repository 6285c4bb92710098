"""How a run begins: the document that says what it is."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from mlkit._core.clock import iso
from mlkit._core.masking import mask_text
from mlkit._core.tags import plain_tags
from mlkit.provenance.environment import user
from mlkit.tracking.context import current_run
from mlkit.tracking.liveness import identity
from mlkit.tracking.surroundings import Surroundings


@frozen
class Beginning:
    """What a start says of the run.

    Attributes:
        experiment: The group of runs that it belongs to.
        name: What to call it.
        tags: Labels.
        parent_id: The run that it is part of; the current run of the store by default.
    """

    experiment: str
    name: str | None
    tags: Mapping[str, Any]
    parent_id: str | None

    def head(self, run_id: str, around: Surroundings) -> dict[str, Any]:
        """Give the fields of `run.json`.

        Args:
            run_id: The run's id.
            around: The store that it belongs to.
        """
        outer, parent_id = current_run(), self.parent_id
        if outer is not None and not outer.finished and outer.store_id == around.store_id:
            parent_id = parent_id or outer.id
        return {
            "id": run_id,
            "experiment": mask_text(self.experiment),
            "name": mask_text(self.name) if self.name is not None else None,
            "parent_id": parent_id,
            "tags": plain_tags(self.tags),
            "started_at": iso(around.clock()),
            "user": user(),
            "owner": identity(),
            "appends": around.storage.capabilities.append,
        }
