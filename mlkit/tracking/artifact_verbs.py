"""The verbs by which a run keeps artifacts."""

import os
from collections.abc import Mapping
from typing import Any

from mlkit._core.codec import encode_value
from mlkit.tracking import content
from mlkit.tracking.artifacts import Artifacts
from mlkit.tracking.keeping import Keeper
from mlkit.tracking.overhead import Overhead
from mlkit.tracking.state import RunState
from mlkit.tracking.surroundings import Surroundings


class ArtifactVerbs:
    """What a run that is being written can do with artifacts; a part of `ActiveRun`."""

    id: str
    _around: Surroundings
    _keeper: Keeper
    _overhead: Overhead
    _state: RunState

    def log_artifact(
        self, data: str | os.PathLike[str] | bytes | bytearray | memoryview, name: str | None = None
    ) -> None:
        """Keep a file, every file below a folder, or bytes; they may change when this returns.

        Args:
            data: The path of a file or folder, or the bytes themselves.
            name: What to call it; a path's own name by default. A `/` in it makes folders.

        Raises:
            NotFound: There is nothing at the path.
            InvalidInput: The name can't be kept, bytes have none, or something in the folder can't
                be kept, such as a link that leads out of it; nothing of it was.
        """
        with self._overhead:
            for item in content.contents(data, name):
                self._keep(item, "file")

    def artifacts(self) -> Artifacts:
        """Give what the run has kept so far, by name; see `mlkit.Run.artifacts`."""
        return Artifacts.of(self._state.artifacts, run_id=self.id, blobs=self._around.blobs)

    def log_text(self, text: str, name: str) -> None:
        """Keep text as a file in UTF-8."""
        with self._overhead:
            self._keep(content.Content(name, text.encode("utf-8", "surrogatepass")), "text")

    def log_dict(self, values: Mapping[str, Any], name: str) -> None:
        """Keep a mapping as a JSON file.

        Raises:
            InvalidInput: It holds what JSON can't.
        """
        name = name if name.endswith(".json") else f"{name}.json"
        with self._overhead:
            self._keep(content.Content(name, encode_value(dict(values)).encode()), "dict")

    def log_table(self, data: Any, name: str) -> None:
        """Keep a table as a Parquet file; see `mlkit.Store.log_dataset` for versions of data.

        Args:
            data: A pandas or polars frame, an Arrow table, a dict of columns, a list of dicts.
            name: The artifact's name.
        """
        with self._overhead:
            self._keep(content.table(data, name), "table")

    def log_figure(self, fig: Any, name: str) -> None:
        """Keep a figure of matplotlib (PNG by default) or of plotly or Altair (HTML)."""
        with self._overhead:
            self._keep(content.figure(fig, name), "figure")

    def log_image(self, img: Any, name: str) -> None:
        """Keep a picture: a PIL image, encoded bytes, or a path."""
        with self._overhead:
            self._keep(content.image(img, name), "image")

    def _event(self, name: str, body: Mapping[str, Any]) -> None:
        """Write an event; the run does."""
        raise NotImplementedError

    def _keep(self, item: content.Content, kind: str) -> None:
        """Keep one artifact: its content first, then the event that names it."""
        name = content.check_artifact_name(item.name)
        digest, size = self._keeper.keep(item.data)
        self._event("artifact", {"name": name, "digest": digest, "size": size, "type": kind})
        if not self._around.storage.capabilities.append:
            self._around.courier.ask()
