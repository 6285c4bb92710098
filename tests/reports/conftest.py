from types import SimpleNamespace

import pytest

from mlkit._core.clock import parse_iso
from mlkit.monitoring.monitor_report import MonitorReport
from mlkit.quality.drift import drift
from mlkit.quality.gates import Gate, at_least, no_worse
from mlkit.reports.overview import ModelOverview, Overview

MONTHS = [f"2013-{month:02d}-01" for month in range(1, 13)]
SECOND = 1_000_000_000


@pytest.fixture
def run():
    """Makes a run."""

    def make(number, *, params=None, name=None, experiment="flights", data=(), **summary):
        status = summary.pop("status", "FINISHED")
        return SimpleNamespace(
            id=f"018f2c3a-{number:04d}-7abc-8000-0123456789ab",
            experiment=experiment,
            name=name,
            status=status,
            started_at=number * SECOND,
            ended_at=(number + 7) * SECOND,
            parent_id=None,
            params=params or {},
            tags={},
            summary=summary,
            inputs=[{"kind": "dataset", "ref": ref, "digest": "sha256:00"} for ref in data],
            outputs=[],
        )

    return make


@pytest.fixture
def check():
    """Makes a monitor's report of a month."""

    def make(month, version=1, *, auc=0.7, moved=0, **given):
        values = list(range(100))
        shifted = drift(
            {"temp": values, "wind": values}, {"temp": [v + moved for v in values], "wind": values}
        )
        known = {
            "model": "delay",
            "version": version,
            "start": parse_iso(MONTHS[month - 1]),
            "end": parse_iso(MONTHS[month]),
            "checked_at": month,
            "rows": 100,
            "truths": 90,
            "performance": {} if auc is None else {"auc": auc, "log_loss": 0.5},
            "baseline": {"auc": 0.8},
            "drift": shifted,
        }
        return MonitorReport(**{**known, **given})

    return make


def version(number, **metrics):
    return SimpleNamespace(
        name="delay",
        number=number,
        digest="sha256:" + f"{number:02d}" * 32,
        created_at=number * SECOND,
        size=number * 1000,
        metrics=metrics,
        datasets=[{"kind": "dataset", "ref": "flights:1", "digest": "sha256:" + "ab" * 32}],
        run_id="018f2c3a-0001-7abc-8000-0123456789ab",
    )


def move(number, alias="prod", replaced=None, gate_report=None, **given):
    known = {
        "at": number * SECOND,
        "user": "ann",
        "reason": f"reason {number}",
        "action": "promote",
    }
    return SimpleNamespace(
        alias=alias,
        version=number,
        replaced=replaced,
        gate_report=gate_report,
        **{**known, **given},
    )


@pytest.fixture
def model(check):
    """A model with two versions, a refusal, and a few months of life."""
    one, two, three = version(1, auc=0.8), version(2, auc=0.79), version(3, auc=0.81)
    refused = Gate([at_least("auc", 0.9)]).evaluate(two, one, load=None)
    passed = Gate([no_worse("auc")]).evaluate(three, one, load=None)
    return ModelOverview(
        name="delay",
        versions=[one, two, three],
        aliases={"prod": 3},
        moves=[
            move(1),
            move(2, replaced=1, gate_report=refused.to_json(), action="refused"),
            move(3, replaced=1, gate_report=passed.to_json()),
            move(1, replaced=3, action="rollback", at=4 * SECOND),
            move(3, replaced=1, at=5 * SECOND),
        ],
        checks=[check(1), check(2, moved=200), check(3, 3)],
        decisions=[
            {
                "trigger": "retrain",
                "fired": fired,
                "ref": "delay:1",
                "window": "2013-01-01 to 2013-02-01",
                "reasons": [{"condition": "auc lost 0.02", "met": fired, "why": "0.7 against 0.8"}],
            }
            for fired in (True, False)
        ],
        lineage={"prod": "model delay:3\n└─ dataset flights:1"},
    )


@pytest.fixture
def overview(model, run):
    """A store with a bit of everything."""
    flights = SimpleNamespace(
        ref="flights:1",
        kind="table",
        rows=1000,
        size=12345,
        digest="sha256:" + "cd" * 32,
        created_at=0,
        run_id=None,
    )
    return Overview(
        url="s3://team/ml",
        made_at=0,
        title="Flights",
        runs=[run(n, auc=n / 10, params={"depth": n, "seed": 0}) for n in range(1, 4)],
        datasets=[flights],
        models=[model],
    )
