"""Runs as plain records and as columns, so that queries are tested without a store."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest
from attrs import field, frozen

from mlkit._core.codec import encode_value

SECOND = 1_000_000_000
NOON = 1_767_268_800 * SECOND  # 2026-01-01T12:00:00Z


@frozen
class PlainRun:
    id: str = "run-0"
    experiment: str = "flights"
    name: str | None = None
    status: str = "FINISHED"
    started_at: int = NOON
    ended_at: int | None = NOON + 60 * SECOND
    parent_id: str | None = None
    user: str = "ada"
    deleted_at: int | None = None
    params: dict[str, Any] = field(factory=dict)
    tags: dict[str, Any] = field(factory=dict)
    summary: dict[str, float] = field(factory=dict)
    goals: dict[str, str] = field(factory=dict)
    inputs: list[Any] = field(factory=list)
    outputs: list[Any] = field(factory=list)
    points: dict[str, dict[str, float]] = field(factory=dict)  # metric to part to number


MOMENT = pa.timestamp("us", tz="UTC")
LINK = pa.struct([("kind", pa.string()), ("ref", pa.string()), ("digest", pa.string())])
KINDS = {
    "bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(),
    "text": pa.string(), "json": pa.string(),
}  # fmt: skip
FIXED = {
    "run_id": lambda run: run.id,
    "experiment": lambda run: run.experiment,
    "name": lambda run: run.name,
    "status": lambda run: run.status,
    "started": lambda run: run.started_at // 1000,
    "ended": lambda run: None if run.ended_at is None else run.ended_at // 1000,
    "duration": lambda run: (
        None if run.ended_at is None else (run.ended_at - run.started_at) / SECOND
    ),
    "parent": lambda run: run.parent_id,
    "user": lambda run: run.user,
}
TYPES = {"started": MOMENT, "ended": MOMENT, "duration": pa.float64()}


class PlainColumns:
    """Columns of plain runs, in two chunks; `asked` says what was asked for, in order."""

    def __init__(self, runs):
        self.runs = list(runs)
        self.asked = []

    def __len__(self):
        return len(self.runs)

    def fixed(self, name):
        self.asked.append(name)
        return self._column([FIXED[name](run) for run in self.runs], TYPES.get(name, pa.string()))

    def param(self, key):
        self.asked.append(f"params.{key}")
        pairs = [kind_and_value(value_at(run.params, key)) for run in self.runs]
        return {
            kind: self._column([value if own == kind else None for own, value in pairs], type_)
            for kind, type_ in KINDS.items()
            if any(own == kind for own, _ in pairs)
        }

    def metric(self, key, part):
        self.asked.append(f"{part}(metrics.{key})")
        if part == "last":
            values = [run.summary.get(key) for run in self.runs]
        else:
            values = [run.points.get(key, {}).get(part) for run in self.runs]
        return self._unless_empty(values, pa.float64())

    def tag(self, key):
        self.asked.append(f"tags.{key}")
        return self._unless_empty([run.tags.get(key) for run in self.runs], pa.string())

    def links(self, direction):
        self.asked.append(direction)
        return self._column([getattr(run, direction) for run in self.runs], pa.list_(LINK))

    def current(self, experiment):
        return {"planes": "flights"}.get(experiment, experiment)

    def keys(self, home):
        self.asked.append(home)
        if home == "params":
            return sorted({path for run in self.runs for path in paths_of(run.params)})
        held = "summary" if home == "metrics" else home
        return sorted({key for run in self.runs for key in getattr(run, held)})

    def _unless_empty(self, values, kind):
        return None if all(value is None for value in values) else self._column(values, kind)

    def _column(self, values, kind):
        half = len(values) // 2
        return pa.chunked_array([pa.array(part, kind) for part in (values[:half], values[half:])])


def kind_and_value(value):
    if value is None:
        return None, None
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, int):
        return ("int", value) if -(2**63) <= value < 2**63 else ("json", str(value))
    if isinstance(value, float):
        return "float", value
    return ("text", value) if isinstance(value, str) else ("json", encode_value(value))


def value_at(params, key):
    """The value of a key, or of a path of keys into mappings; the key itself comes first."""
    if key in params or "." not in key:
        return params.get(key)
    parts = key.split(".")
    for count in range(1, len(parts)):
        inner = params.get(".".join(parts[:count]))
        if isinstance(inner, Mapping):
            found = value_at(inner, ".".join(parts[count:]))
            if found is not None:
                return found
    return None


def paths_of(params):
    for key, value in params.items():
        yield key
        if isinstance(value, Mapping):
            yield from (f"{key}.{path}" for path in paths_of(value))


@pytest.fixture(scope="session")
def make_run():
    return PlainRun


@pytest.fixture(scope="session")
def columns_of():
    return PlainColumns
