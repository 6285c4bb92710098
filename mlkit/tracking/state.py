"""What the events of a run add up to; the writer and the reader fold them by the same rules."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from attrs import define, field

from mlkit._core.clock import iso
from mlkit.metrics.records import Event, Points

LOAD = "system/"
"""How the names of metrics begin that tell the load of a machine."""


@define
class RunState:
    """The newest of everything a run has said.

    Attributes:
        params: Name to value, types kept; of a name that was logged again the last one.
        tags: Name to text.
        notes: Notes in order, each with its time.
        summary: Metric name to its last value; the load of machines is no result, and left out.
        steps: Metric name to the step of that value.
        artifacts: Name to `digest`, `size` and `type`; of a name kept again the last one.
        inputs: What the run read: `kind` (dataset or model), `ref` (`flights:3`), `digest`.
        outputs: What it made, alike.
        provenance: Code, packages, machine and job.
        sources: Path to `digest` and `size` of each source file that git doesn't keep.
        goals: Metric name to `max` or `min`; which value of it is the best.
        error: The traceback of a run that failed.
        owner: The process that resumed the run; empty while its first one owns it.
        resumer: The writer that resumed it last; empty if none did.
        newest: The time of the newest record, in nanoseconds since 1970, UTC; 0 without one.
    """

    params: dict[str, Any] = field(factory=dict)
    tags: dict[str, str] = field(factory=dict)
    notes: list[dict[str, Any]] = field(factory=list)
    summary: dict[str, float] = field(factory=dict)
    steps: dict[str, float] = field(factory=dict)
    artifacts: dict[str, dict[str, Any]] = field(factory=dict)
    inputs: list[dict[str, Any]] = field(factory=list)
    outputs: list[dict[str, Any]] = field(factory=list)
    provenance: dict[str, Any] = field(factory=dict)
    sources: dict[str, dict[str, Any]] = field(factory=dict)
    goals: dict[str, str] = field(factory=dict)
    error: str = ""
    owner: dict[str, Any] = field(factory=dict)
    resumer: str = ""
    newest: int = 0

    def apply(self, record: Event | Points) -> None:  # noqa: C901 - one case for each event
        """Take in one record. Records must come in the order of their times."""
        self.newest = max(self.newest, record.time)
        if isinstance(record, Points):
            self._apply_points(record)
            return
        body = record.body
        match record.name:
            case "params":
                self.params.update(body["values"])
            case "tags":
                self.tags.update(body["values"])
            case "goals":
                self.goals.update(body["values"])
            case "note":
                self.notes.append({"time": iso(record.time), "text": body["text"]})
            case "artifact":
                self.artifacts[body["name"]] = _without(body, "name")
            case "input" | "output":
                self._connect(self.inputs if record.name == "input" else self.outputs, body)
            case "provenance":
                self.provenance.update(body["values"])
            case "source":
                self.sources[body["path"]] = _without(body, "path")
            case "error":
                self.error = body["traceback"]
            case "resumed":
                self.owner, self.resumer = dict(body["owner"]), body["writer"]

    def take(self, key: str, step: float, value: float) -> None:
        """Take in the newest point of a metric."""
        self.steps[key] = step
        if not key.startswith(LOAD):
            self.summary[key] = value

    def to_json(self) -> dict[str, Any]:
        """Give the state as plain values, for the document that ends a run."""
        return {name: getattr(self, name) for name in _KEPT}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "RunState":
        """Give the state that `to_json` wrote; fields of later versions are left out."""
        return cls(**{name: fields[name] for name in _KEPT if name in fields})

    def _apply_points(self, record: Points) -> None:
        if _has_load(record.keys):
            for key, value in zip(record.keys, record.values, strict=True):
                self.take(key, record.step, value)
        else:  # of millions of points nearly all
            self.summary.update(zip(record.keys, record.values, strict=True))
            self.steps.update(dict.fromkeys(record.keys, record.step))

    @staticmethod
    def _connect(links: list[dict[str, Any]], link: Mapping[str, Any]) -> None:
        if link not in links:
            links.append(dict(link))


_KEPT = (
    "params",
    "tags",
    "notes",
    "summary",
    "steps",
    "artifacts",
    "inputs",
    "outputs",
    "provenance",
    "sources",
    "goals",
    "error",
)


@lru_cache(maxsize=4096)
def _has_load(keys: tuple[str, ...]) -> bool:
    return any(key.startswith(LOAD) for key in keys)


def _without(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}
