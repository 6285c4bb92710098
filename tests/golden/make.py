"""Makes the golden store of the present format: run once for each format, then committed.

A later mlkit must open it and read the same. To make it anew (only for a new format):
python tests/golden/make.py tests/golden/format-2
That of format-1 was made before there were tables, and format-1-tables when they came.
"""

import contextlib
import functools
import operator
import sys

import mlkit
from mlkit.provenance import capture
from mlkit.store import rooms
from mlkit.tracking import beginning, editing, experiments, journal, runs


def make(url):
    """Fill a store with one of everything that the format has."""
    store = mlkit.Store(url)
    store.log_dataset("flights", {"carrier": ["UA", "AA", None], "delay": [3.5, None, -2.0]})
    store.log_dataset("flights", {"carrier": ["UA", "AA", "DL"], "delay": [3.5, 1.0, -2.0]})
    with store.new_dataset("notes") as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "a.txt").write_text("first\n")
        (folder / "b.bin").write_bytes(bytes(range(256)))
    with store.start_run("flights", name="golden", tags={"team": "ml"}) as run:
        run.use_dataset("flights:2")
        run.log_params(lr=0.1, depth=6, layers=[64, {"act": "relu"}], best=float("inf"))
        for step in range(5):
            run.log_metrics({"loss": 1 / (step + 1), "auc": 0.5 + step / 10}, step=step)
        run.log_metric("loss", float("nan"), step=5.5)
        run.log_metric("counted", 1)
        run.note("kept for ever")
        run.log_text("hello", "texts/hello.txt")
        model = functools.partial(operator.mul, 2)
        run.log_model(model, "double", metrics={"auc": 0.9})
        run.log_model(model, "double", metrics={"auc": 0.8})
    with contextlib.suppress(ValueError), store.start_run("flights", name="failed"):
        _fail()
    store.models["double"].promote(1, "prod", reason="the first")
    gate = mlkit.Gate([mlkit.at_least("auc", 0.85)])
    with contextlib.suppress(mlkit.errors.GateRefused):
        store.models["double"].promote(2, "prod", gate=gate, reason="too weak")
    monitor = store.monitor("double@prod")
    monitor.log({"x": [1.0, 2.0]}, [0.2, 0.7], ids=["a", "b"], timestamp="2026-01-31")
    monitor.log_truth(["a", "b"], [False, True])
    monitor.check(start="2026-01-01", end="2026-02-01")
    _organize(store)


def _organize(store):
    """Say something of what is there, fold it, and say more."""
    with store.start_run("scratch", name="aimed") as run:
        run.set_goals(loss="min")
        run.log_params(depth="deep")  # which is a number in another run
        for step in range(3):
            run.log_metric("loss", 1 / (step + 1), step=step)
    failed = store.search_runs("name = 'failed'")[0]
    failed.set_tags(owner="ann", team="ml")
    failed.note("afterwards")
    scratch = store.experiments["scratch"]
    scratch.describe("what was tried first")
    scratch.rename("trials/first")
    with store.start_run("scratch", name="gone") as gone:
        pass
    store.run(gone.id).delete()
    store.compact()
    store.run(run.id).rename("well aimed")


def _fail():
    raise ValueError("as it should")


if __name__ == "__main__":
    # What a golden store says of its maker's machine is made up.
    capture.look = lambda _: {"code": {"commit": "0" * 40}, "packages": {"numpy": "2.0.0"}}
    for room in (beginning, journal, runs):
        room.identity = lambda: {"host": "golden", "pid": 1, "process_start": "1"}
    for room in (beginning, rooms, editing, experiments):
        room.user = lambda: "ann"
    make(sys.argv[1])
