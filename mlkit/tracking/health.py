"""The one seam where faults of tracking are caught: warned once, counted, never raised.

Training doesn't die of a full disk. With `strict=True` it may, since then faults are raised.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from attrs import define

from mlkit.errors import Corrupt, StorageFault


class TrackingWarning(UserWarning):
    """Something that was logged isn't in the store yet, or was dropped; said once a run."""


@define
class Health:
    """What became of the calls of a run on this process.

    Attributes:
        strict: Whether a fault is raised instead of counted.
        faults: How many times the storage failed.
        spooled: How many files went to the outbox on this machine.
        kept: How many records went there because the store didn't take them.
        dropped: How many records and files were lost because the outbox failed as well.
        last_fault: What the newest fault said.
    """

    strict: bool = False
    faults: int = 0
    spooled: int = 0
    kept: int = 0
    dropped: int = 0
    last_fault: str = ""

    def fault(self, error: Exception, where: str) -> None:
        """Count a fault; the first is warned about.

        Args:
            error: What went wrong.
            where: What becomes of the data, as the end of a sentence.

        Raises:
            StorageFault: The run is strict.
        """
        self.faults += 1
        self.last_fault = str(error)
        if self.strict:
            message = f"Tracking failed: {error}"
            raise StorageFault(message, hint="strict=True raises instead of spooling") from error
        if self.faults == 1:
            message = (
                f"The store doesn't take what this run logs: {error}. Training goes on; {where}"
            )
            with suppress(ValueError, OSError):  # a daemon's standard error may be closed
                warnings.warn(message, TrackingWarning, stacklevel=2)

    @contextmanager
    def guarded(self, where: str) -> Iterator[None]:
        """Count what the block fails to keep as dropped instead of raising, unless in a strict run.

        Args:
            where: What becomes of the data, as the end of a sentence.

        Raises:
            StorageFault: The run is strict.
        """
        try:
            yield
        except (OSError, Corrupt) as error:
            self.dropped += 1
            self.fault(error, where)

    def to_json(self) -> dict[str, int | str]:
        """Give the counts as plain values."""
        return {
            "faults": self.faults,
            "spooled": self.spooled,
            "kept": self.kept,
            "dropped": self.dropped,
            "last_fault": self.last_fault,
        }
