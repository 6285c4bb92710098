"""What a run recorded unasked, and what it said more than once: the events of its segments."""

from collections.abc import Iterable
from typing import Any

from mlkit._core.clock import iso
from mlkit.metrics.records import Event
from mlkit.provenance.random_state import restore_generators


class Recorded:
    r"""The events of a run, from the first to the last.

    Args:
        events: The events, in the order of their times.

    Example:
        >>> import mlkit
        >>> store = mlkit.Store("memory://recorded-example")
        >>> with store.start_run("flights", capture=True) as active:
        ...     print("epoch 1")
        ...     active.log_params(lr=0.1)
        ...     active.log_params(lr=0.01)
        epoch 1
        >>> recorded = store.run(active.id).recorded
        >>> recorded.output()
        'epoch 1\n'
        >>> [entry["value"] for entry in recorded.param("lr")]
        [0.1, 0.01]
    """

    def __init__(self, events: Iterable[Event]) -> None:
        self.events = tuple(events)

    def output(self, stream: str | None = None) -> str:
        """Give what the run's processes wrote to their standard output and error.

        Args:
            stream: `stdout` or `stderr`; both, in the order in which they came, by default.

        Returns:
            Text; progress bars as they stood last, and a line that says how many were left out
            where they were too many.
        """
        pieces = []
        for event in self._named("printed"):
            if stream is None or event.body["stream"] == stream:
                left_out = event.body.get("left_out", 0)
                pieces.append(f"[{left_out:,} lines left out]\n" * bool(left_out))
                pieces.append(event.body["text"])
        return "".join(pieces)

    def param(self, key: str) -> list[dict[str, Any]]:
        """Give every value that a param has had: `time` in ISO 8601 and `value`, the last last."""
        return [
            {"time": iso(event.time), "value": event.body["values"][key]}
            for event in self._named("params")
            if key in event.body["values"]
        ]

    @property
    def cells(self) -> list[str]:
        """The sources of the notebook cells that had been executed, in order."""
        return [cell["source"] for event in self._named("cells") for cell in event.body["cells"]]

    @property
    def generators(self) -> dict[str, Any]:
        """Where the generators of random numbers stood at the start, by library."""
        found = self._named("generators")
        return dict(found[0].body["states"]) if found else {}

    def restore_generators(self) -> None:
        """Set the generators of this process to where those of the run stood at its start.

        Raises:
            InvalidInput: What was recorded is no state of these generators.
        """
        restore_generators(self.generators)

    def _named(self, name: str) -> list[Event]:
        return [event for event in self.events if event.name == name]
