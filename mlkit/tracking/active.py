"""A run that is being written: every `log_*` verb, and its end."""

import os
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, SupportsFloat

from mlkit._core.clock import iso
from mlkit._core.codec import encode_document, encode_value
from mlkit._core.hashing import digest_bytes
from mlkit._core.masking import mask_text
from mlkit.errors import AlreadyExists, InvalidInput
from mlkit.metrics.records import Event
from mlkit.objects.blobs import ROOT, object_path
from mlkit.provenance.capture import Capture
from mlkit.tracking import content
from mlkit.tracking.context import current_run, set_current
from mlkit.tracking.health import Health
from mlkit.tracking.journal import Journal
from mlkit.tracking.params import plain_params, plain_tags
from mlkit.tracking.surroundings import Earlier, Surroundings, link_to

if TYPE_CHECKING:
    from mlkit.data.version import DatasetVersion
    from mlkit.models.package import ModelVersion

ENDINGS = ("FINISHED", "FAILED", "KILLED")


class ActiveRun:
    """A run that is being written. `Store.start_run` makes one; it is a context manager.

    Threads may share it. A process that is forked off may log to it too; the run ends when the
    process that started it says so.

    Attributes:
        id: The run's id, which sorts by its start.
        experiment: The experiment that it belongs to.
        name: Its name, if it has one.
        parent_id: The run within which it was started, if there was one.
        store_id: The id of the store that it is written to.
        outer: The run that was current when this one was started, and is again after it.
        health: What became of calls that the storage didn't take.

    Example:
        >>> import mlkit
        >>> with mlkit.Store("memory://active-example").start_run("flights") as run:
        ...     run.log_params(lr=0.1, depth=6)
        ...     run.log_metrics({"loss": 0.3, "auc": 0.8}, step=1)
        >>> run.summary
        {'loss': 0.3, 'auc': 0.8}
    """

    def __init__(self, earlier: Earlier, around: Surroundings, *, capture: Capture) -> None:
        head = earlier.head
        self.id: str = head["id"]
        self.experiment: str = head["experiment"]
        self.name: str | None = head["name"]
        self.parent_id: str | None = head["parent_id"]
        self.store_id = around.store_id
        self.health = Health(strict=around.strict)
        self._around = around
        self._capture = capture
        self._owner_pid = os.getpid()
        self._earlier = earlier
        self._state = earlier.state
        self._folder = f"runs/{self.id}"
        self._journal = Journal(
            self._folder,
            storage=around.storage,
            outbox=around.outbox,
            clock=around.clock,
            health=self.health,
        )
        self._points = self._journal.points
        self.outer = current_run()
        self._ending = threading.Lock()
        self._status: str | None = None

    # Params, metrics, tags, notes

    def log_params(self, params: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Keep params: what the run was given. Types are kept; a later value of a name wins.

        Args:
            params: Name to value; nested mappings and lists are fine.
            more: The same as keywords.

        Raises:
            InvalidInput: A name is no text.
            RunFinished: The run is over.
        """
        self._event("params", {"values": plain_params(params or {}) | plain_params(more)})

    def log_metrics(self, metrics: Mapping[str, SupportsFloat], step: float | None = None) -> None:
        """Keep a value of each metric. What this returned from survives `kill -9`.

        Args:
            metrics: Name to number: floats, ints, bools, numpy scalars, tensors of one element;
                NaN and infinities are kept.
            step: Any int or float, in any order, also twice; without one each metric counts its
                own calls from 0.

        Raises:
            InvalidInput: A value is no number; the others of the call are kept.
            RunFinished: The run is over.
        """
        self._points(metrics, step)

    def log_metric(self, key: str, value: SupportsFloat, step: float | None = None) -> None:
        """Keep a value of one metric; see `log_metrics`."""
        self._points({key: value}, step)

    def set_tags(self, tags: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Label the run; values are kept as text, and a later value of a name wins."""
        self._event("tags", {"values": plain_tags(tags or {}) | plain_tags(more)})

    def note(self, text: str) -> None:
        """Add a note to the run."""
        self._event("note", {"text": mask_text(text)})

    @property
    def summary(self) -> dict[str, float]:
        """The last value of each metric that this process has logged."""
        return {**self._state.summary, **self._journal.summary()}

    # Artifacts

    def log_artifact(self, path: str | Path, name: str | None = None) -> None:
        """Keep a file, or every file below a folder.

        Args:
            path: The file or folder.
            name: What to call it; its own name by default. A `/` in it makes folders.

        Raises:
            NotFound: There is nothing at the path.
            InvalidInput: The name can't be kept, or a link leads out of the folder.
        """
        for item in content.files_of(Path(path), name):
            self._keep(item, "file")

    def log_text(self, text: str, name: str) -> None:
        """Keep text as a file in UTF-8."""
        self._keep(content.Content(name, text.encode("utf-8", "surrogatepass")), "text")

    def log_dict(self, values: Mapping[str, Any], name: str) -> None:
        """Keep a mapping as a JSON file.

        Raises:
            InvalidInput: It holds what JSON can't.
        """
        name = name if name.endswith(".json") else f"{name}.json"
        self._keep(content.Content(name, encode_value(dict(values)).encode()), "dict")

    def log_table(self, data: Any, name: str) -> None:
        """Keep a table as a Parquet file; see `mlkit.Store.log_dataset` for versions of data.

        Args:
            data: A pandas or polars frame, an Arrow table, a dict of columns, a list of dicts.
            name: The artifact's name.
        """
        self._keep(content.table(data, name), "table")

    def log_figure(self, fig: Any, name: str) -> None:
        """Keep a figure of matplotlib (PNG by default) or of plotly or Altair (HTML)."""
        self._keep(content.figure(fig, name), "figure")

    def log_image(self, img: Any, name: str) -> None:
        """Keep a picture: a PIL image, encoded bytes, or a path."""
        self._keep(content.image(img, name), "image")

    # Datasets and models

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

    def log_dataset(self, name: str, data: Any, *, description: str = "") -> "DatasetVersion":
        """Make data a version of a dataset, as an output of the run; see `Store.log_dataset`."""
        version = self._around.datasets().log(
            name, data, run_id=self.id, inputs=self._inputs(), description=description
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

    # Life

    def flush(self) -> None:
        """Send what waits on this machine to a store that can't be appended to."""
        with self._journal.sending:  # a second sender must not pass by what the first has locked
            if not self.appends:
                self._journal.roll()
            with self.health.guarded("what waits is sent by the next flush, or by store.sync()"):
                self._around.outbox.send(self._folder)
                self._around.outbox.send(ROOT)

    def resumed(self, owner: Mapping[str, Any]) -> None:
        """Record that another process goes on with the run."""
        self._event("resumed", {"owner": dict(owner), "writer": self._journal.writer})

    def heartbeat(self) -> None:
        """Say that the run still lives; a background thread does it twice a minute."""
        if self._status is None:
            self._event("heartbeat", {})

    def finish(self, status: str = "FINISHED", *, error: str = "") -> None:
        """End the run. A second call does nothing.

        Args:
            status: `FINISHED`, `FAILED` or `KILLED`.
            error: The traceback, of a run that failed.

        Raises:
            InvalidInput: It is another status.
        """
        if status not in ENDINGS:
            message = f"{status!r} is no status that a run can end with"
            raise InvalidInput(message, hint=f"Use one of {', '.join(ENDINGS)}")
        if not self._ending.acquire(blocking=False):  # it ends once, whoever asks
            return
        if current_run() is self:
            set_current(self.outer)
        if os.getpid() != self._owner_pid:  # a forked child leaves the end to its parent
            self._status = status
            self._journal.close()
            return
        try:
            if error and not self.finished:
                self._event("error", {"traceback": mask_text(error)})
            self._end(status)
        except BaseException:  # an interrupt, or a fault of a strict run: it may be asked again
            self._ending.release()
            raise

    @property
    def appends(self) -> bool:
        """Whether what is logged goes straight to the store, so that nothing has to be sent."""
        return self._journal.appends

    @property
    def finished(self) -> bool:
        """Whether the run is over."""
        return self._status is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        status = status_of(error)
        text = "".join(traceback.format_exception(error)) if status != "FINISHED" else ""
        self.finish(status, error=text)

    def __repr__(self) -> str:
        return f"<ActiveRun {self.name or self.id} of {self.experiment!r}>"

    def _event(self, name: str, body: Mapping[str, Any]) -> None:
        self._journal.event(name, body)
        self._state.apply(Event(name, self._around.clock(), body))

    def _inputs(self) -> list[dict[str, Any]]:
        return [link for link in self._state.inputs if link["kind"] == "dataset"]

    def _keep(self, item: content.Content, kind: str) -> None:
        """Keep one artifact: its content first, then the event that names it."""
        name = content.check_artifact_name(item.name)
        try:
            digest = self._around.blobs.put(item.data)
        except OSError as error:
            self.health.fault(error, f"what it keeps waits in {self._around.outbox.folder}")
            digest = self._spool(item)
        size = len(item.data) if isinstance(item.data, bytes) else item.data.stat().st_size
        self._event("artifact", {"name": name, "digest": digest, "size": size, "type": kind})

    def _spool(self, item: content.Content) -> str:
        data = item.data if isinstance(item.data, bytes) else item.data.read_bytes()
        digest = digest_bytes(data)
        with self.health.guarded("it is lost"):
            self._around.outbox.put(object_path(ROOT, digest), data)
            self.health.spooled += 1
        return digest

    def _end(self, status: str) -> None:
        """Write the end: what was captured, what waits, then the document that ends the run."""
        captured = self._capture.result()
        if captured and captured != self._state.provenance:
            self._event("provenance", {"values": captured})
        self._status = status
        self._journal.close()
        self._state.summary = self.summary
        spooled = bool(self.health.spooled) or not self.appends
        if spooled:
            self.flush()
        self._write_end(status, after=self._folder if spooled else None)

    def _write_end(self, status: str, *, after: str | None) -> None:
        """Write the document that ends the run, but never before what it covers.

        Args:
            status: How it ended.
            after: The folder of the outbox whose content must come before it.
        """
        data = encode_document(
            "run_end",
            {
                "id": self.id,
                "writer": self._journal.writer,
                "status": status,
                "ended_at": iso(self._around.clock()),
                "segments": {**self._earlier.segments, **self._journal.segments},
                "health": self.health.to_json(),
                **self._state.to_json(),
            },
        )
        number = self._earlier.endings + 1
        if after is not None and any(self._around.outbox.waiting(after)):
            self._spool_end(number, data)
            return
        while True:
            try:
                self._around.storage.create(self._end_path(number), data, durable=False)
            except AlreadyExists:  # another owner of the run was quicker
                number += 1
            except OSError as error:
                self.health.fault(error, f"its end waits in {self._around.outbox.folder}")
                self._spool_end(number, data)
                return
            else:
                return

    def _spool_end(self, number: int, data: bytes) -> None:
        with self.health.guarded("its end is lost"):
            self._around.outbox.put(self._end_path(number), data)
            self.health.spooled += 1

    def _end_path(self, number: int) -> str:
        return f"{self._folder}/end{f'-{number}' if number > 1 else ''}.json"


def status_of(error: BaseException | None) -> str:
    """Give the status of a run whose block ended with this exception, or with none."""
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return "FINISHED"
    return "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
