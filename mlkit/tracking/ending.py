"""How a run ends: the document that says so, never before what it covers."""

import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from attrs import field, frozen

from mlkit._core.clock import iso
from mlkit._core.codec import encode_document
from mlkit.display.formats import show_bytes
from mlkit.errors import AlreadyExists
from mlkit.tracking.courier import Delivery
from mlkit.tracking.documents import told_by_end
from mlkit.tracking.health import Health, TrackingWarning
from mlkit.tracking.outbox import require_store
from mlkit.tracking.state import RunState
from mlkit.tracking.surroundings import Surroundings

ENDINGS = ("FINISHED", "FAILED", "KILLED")


@frozen
class Ending:
    """What the document that ends a run says.

    Attributes:
        run_id: The run.
        writer: Who ends it.
        status: One of `ENDINGS`.
        state: What its records add up to.
        segments: Which segments those are, with their sizes.
        records: How many records each has.
        overhead: Seconds that the calls of this process took.
        head: What the run began with, repeated so that a reader of its end needs no more.
    """

    run_id: str
    writer: str
    status: str
    state: RunState
    segments: Mapping[str, int]
    records: Mapping[str, int]
    overhead: float
    head: Mapping[str, Any]
    health: Health = field(repr=False)

    def write(self, around: Surroundings, *, number: int, waits: bool, durable: bool) -> None:
        """Write the document, or leave it where what it covers still waits.

        Args:
            around: The store that it goes to.
            number: Which end of the run it is, from 1.
            waits: Whether some of what it covers isn't in the store yet.
            durable: Whether it must survive a power cut.
        """
        data = self._encoded(iso(around.clock()))
        if waits:
            self._spool(around, number, data, durable=durable)
            return
        while True:
            try:
                require_store(around.storage)
                around.storage.create(self._path(number), data, durable=durable)
            except AlreadyExists:  # another owner of the run was quicker
                number += 1
            except OSError as error:
                self.health.fault(error, f"its end waits in {around.outbox.folder}")
                self._spool(around, number, data, durable=durable)
                return
            else:
                return

    def _encoded(self, ended_at: str) -> bytes:
        return encode_document(
            "run_end",
            {
                "id": self.run_id,
                "run": told_by_end(self.head),
                "writer": self.writer,
                "status": self.status,
                "ended_at": ended_at,
                "segments": dict(self.segments),
                "records": dict(self.records),
                "overhead": self.overhead,
                "health": self.health.to_json(),
                **self.state.to_json(),
            },
        )

    def _spool(self, around: Surroundings, number: int, data: bytes, *, durable: bool) -> None:
        with self.health.guarded("its end is lost"):
            around.outbox.put(self._path(number), data, durable=durable)
            self.health.spooled += 1

    def _path(self, number: int) -> str:
        return f"runs/{self.run_id}/end{f'-{number}' if number > 1 else ''}.json"


def say_what_stays(run_id: str, delivery: Delivery, around: Surroundings) -> None:
    """Warn about what the store hasn't taken at the end of a run, where it is and who sends it."""
    if not delivery.left:
        return
    count = "1 file" if len(delivery.left) == 1 else f"{len(delivery.left)} files"
    why = f" ({delivery.error})" if delivery.error else ""
    message = (
        f"{count} of run {run_id} ({show_bytes(delivery.size)}) couldn't be sent to "
        f"{around.storage.url}{why} and stay in {around.outbox.folder}. The next run on this "
        f"machine sends them, and so does: mlkit sync --store {around.storage.url}"
    )
    with suppress(ValueError, OSError):  # a daemon's standard error may be closed
        warnings.warn(message, TrackingWarning, stacklevel=2)


def status_of(error: BaseException | None) -> str:
    """Give the status of a run whose block ended with this exception, or with none."""
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return "FINISHED"
    return "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
