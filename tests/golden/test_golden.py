"""Promise: format 1 stays readable. The store in format-1 was made once and is never changed."""

import math
import os
import shutil
from pathlib import Path

import pytest

import mlkit

HERE = Path(__file__).parent


@pytest.fixture(params=sorted(path.name for path in HERE.glob("format-*")))
def golden(request, tmp_path):
    shutil.copytree(HERE / request.param, tmp_path / "golden")
    (tmp_path / "golden" / "mlkit.json").chmod(0o600)
    return mlkit.Store(tmp_path / "golden", trusted=True)


def test_there_is_a_golden_store():
    assert (HERE / "format-1" / "mlkit.json").exists()


def test_nothing_in_it_is_damaged(golden):
    assert list(golden.verify()) == []


def test_its_runs_are_read(golden):
    run = golden.search_runs("name = 'golden'")[0]
    assert (run.experiment, run.status) == ("flights", "FINISHED")
    assert run.params == {
        "lr": 0.1,
        "depth": 6,
        "layers": [64, {"act": "relu"}],
        "best": math.inf,
    }
    assert run.tags == {"team": "ml"}
    assert [note["text"] for note in run.notes] == ["kept for ever"]
    loss = run.metrics("loss").to_pydict()
    assert loss["step"] == [0, 1, 2, 3, 4, 5.5]
    assert loss["value"][:5] == [1.0, 1 / 2, 1 / 3, 1 / 4, 1 / 5]
    assert math.isnan(loss["value"][5])
    assert run.summary["auc"] == 0.9
    assert run.artifact("texts/hello.txt").text() == "hello"
    assert [link["ref"] for link in run.inputs + run.outputs] == [
        "flights:2",
        "double:1",
        "double:2",
    ]
    failed = golden.search_runs("status = 'FAILED'")[0]
    assert "ValueError: as it should" in failed.error


def test_its_datasets_are_read(golden, tmp_path):
    assert golden.dataset("flights:1").to_arrow().to_pydict() == {
        "carrier": ["UA", "AA", None],
        "delay": [3.5, None, -2.0],
    }
    assert golden.dataset("flights").number == 2
    golden.dataset("notes").checkout(tmp_path / "out")
    assert (tmp_path / "out/deep/a.txt").read_text() == "first\n"
    assert (tmp_path / "out/b.bin").read_bytes() == bytes(range(256))


def test_the_identity_of_its_tables_is_what_this_version_computes(golden):
    again = golden.log_dataset("flights", {"carrier": ["UA", "AA", None], "delay": [3.5, None, -2]})
    assert again.ref == "flights:1"


def test_its_models_are_loaded(golden):
    assert golden.load_model("double@prod").model(21) == 42
    assert golden.models["double"].aliases() == {"prod": 1}
    assert [entry.reason for entry in golden.models["double"].history("prod")] == ["the first"]
    (refusal,) = golden.models["double"].refusals()
    assert (refusal.version, refusal.reason) == (2, "too weak")


def test_its_monitor_is_read(golden):
    (report,) = golden.monitor("double@prod").history()
    assert report.performance["auc"] == 1.0
    again = golden.monitor("double@prod").check(start="2026-01-01", end="2026-02-01", record=False)
    assert again.performance == report.performance


def test_it_can_be_read_where_nothing_can_be_written(golden):
    assert os.fspath(golden.url)
    found = {run.name for run in golden.search_runs()}
    assert {"golden", "failed"} <= found


@pytest.fixture
def organized(tmp_path):
    shutil.copytree(HERE / "format-1-tables", tmp_path / "organized")
    return mlkit.Store(tmp_path / "organized", trusted=True)


def test_what_was_said_of_its_runs_afterwards_is_read(organized):
    failed = organized.search_runs("name = 'failed'")[0]
    assert failed.tags == {"owner": "ann", "team": "ml"}
    assert [note["text"] for note in failed.notes] == ["afterwards"]
    aimed = organized.search_runs("name = 'well aimed'")[0]
    assert aimed.goals == {"loss": "min"}
    assert [run.name for run in organized.search_runs(deleted=True)] == ["gone"]


def test_its_experiments_are_read(organized):
    (trials,) = (one for one in organized.experiments if one.name == "trials/first")
    assert trials.description == "what was tried first"
    assert len(organized.search_runs(experiment="scratch")) == 1


def test_its_tables_are_read_as_its_folders_are(organized):
    folded = organized._index.see()
    read = organized._index.see(tables=False)
    assert len(folded.series.live) == 1  # the one that was renamed since
    assert len(read.series.live) == 4
    for name in ("params.depth", "max(metrics.loss)", "best(metrics.loss)", "metrics.auc"):
        found = organized.search_runs(f"{name} is not null")
        assert {run.name for run in found} <= {"golden", "well aimed"}
        assert len(found)
    points = organized.search_runs("metrics.loss > 0 or metrics.loss = nan").metrics("loss")
    assert points.num_rows == 6 + 3
