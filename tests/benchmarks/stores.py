"""Stores of many runs that are made in a moment: each run's files are written as mlkit writes them.

The documents and segments come from mlkit's own encoders, but nothing is started, captured or
waited for, so a hundred thousand runs take seconds and not minutes.
"""

import itertools
import random
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from attrs import field, frozen

from mlkit._core.clock import iso
from mlkit._core.codec import encode_document
from mlkit._core.ids import token, uuid7
from mlkit.metrics.writer import SegmentWriter
from mlkit.store.store import Store
from mlkit.tracking.documents import told_by_end

FIRST = 1_790_000_000_000_000_000
"""When the first run started."""
APART = 60_000_000_000
"""So many nanoseconds lie between two starts."""
OWNER = {"host": "bench 00000000", "pid": 1, "process_start": "1"}
HEALTH = {"faults": 0, "spooled": 0, "kept": 0, "dropped": 0, "last_fault": ""}


@frozen
class RunShape:
    """What each run of a store has.

    Attributes:
        params: How many params, named `p0` and so on: texts, floats and ints in turns.
        metrics: Names of its metrics, whose values are between 0 and 1.
        steps: How many points each metric has; with 0 there is no segment, only what a run says
            at its end.
    """

    params: int = 15
    metrics: tuple[str, ...] = field(default=tuple(f"m{number}" for number in range(10)))
    steps: int = 0

    def file(self, store: Store, runs: int, *, seed: int = 0) -> list[str]:
        """Write so many finished runs into a store on this machine, and give their ids."""
        chance = random.Random(seed)
        folder = Path(store.url, "runs")
        folder.mkdir(exist_ok=True)
        ids = []
        for number in range(runs):
            started = FIRST + number * APART
            run_id = uuid7(started, chance.randbytes)
            place = folder / run_id
            place.mkdir()
            for name, data in self.files(run_id, started, chance).items():
                (place / name).write_bytes(data)
            ids.append(run_id)
        return ids

    def files(self, run_id: str, started: int, chance: random.Random) -> Mapping[str, bytes]:
        """Give the files of one run, in the order in which a run writes them."""
        head = {
            "id": run_id,
            "experiment": "bench",
            "name": None,
            "parent_id": None,
            "tags": {},
            "started_at": iso(started),
            "user": "bench",
            "owner": OWNER,
            "appends": True,
        }
        params = {f"p{number}": _param(number, chance) for number in range(self.params)}
        summary = {name: chance.random() for name in self.metrics}
        files, records, writer = {}, {}, token()
        if self.steps:
            name = f"{writer}-1.seg"
            files[name], records[name] = self._segment(writer, started, params, summary)
        end = {
            "id": run_id,
            "run": told_by_end(head),
            "writer": writer,
            "status": "FINISHED",
            "ended_at": iso(started + APART),
            "segments": {name: len(data) for name, data in files.items()},
            "records": records,
            "overhead": 0.001,
            "health": HEALTH,
            "params": params,
            "tags": {},
            "notes": [],
            "summary": summary,
            "steps": dict.fromkeys(summary, max(self.steps - 1, 0)),
            "artifacts": {},
            "inputs": [],
            "outputs": [],
            "provenance": {},
            "sources": {},
            "goals": {},
            "error": "",
        }
        begun = {"run.json": encode_document("run", head)}
        return begun | files | {"end.json": encode_document("run_end", end)}

    def _segment(
        self, writer: str, started: int, params: Mapping[str, object], summary: Mapping[str, float]
    ) -> tuple[bytes, int]:
        """Give a segment, whose metrics reach what they have at the end, and count its records."""
        ticks = itertools.count(started, 1_000_000)
        file = BytesIO()
        segment = SegmentWriter(file, lambda: next(ticks), {})
        segment.event("segment", {"format": 1, "writer": writer, "owner": OWNER, "rank": 0})
        if params:
            segment.event("params", {"values": params})
        for step in range(self.steps):
            missing = self.steps - 1 - step
            segment.points({name: last + missing for name, last in summary.items()}, step)
        return file.getvalue(), segment.records


def _param(number: int, chance: random.Random) -> object:
    """Give a param, of a type that goes with its number."""
    if number % 3 == 2:
        return chance.randrange(10)
    return chance.random() if number % 3 else chance.choice(("sgd", "adam", "lion"))
