"""The demo, on a sample of its flights: it runs to its end, and says what the store holds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mlkit

FLIGHTS = Path(__file__).parents[2] / "docs" / "examples" / "flights.py"
SAMPLE = ["--rows", "12000", "--trials", "2"]


def run_flights(*arguments):
    """Run the demo in the current folder, every warning being an error."""
    return subprocess.run(
        [sys.executable, str(FLIGHTS), *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("flights") / "store"


@pytest.fixture(scope="module")
def output(place, hermetic_root):
    done = run_flights("--store", str(place), *SAMPLE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def store(output, place):
    return mlkit.Store(place)


def test_the_sweep_tracks_every_trial(store):
    trials = store.search_runs("status = 'FINISHED' and metrics.auc > 0.5", experiment="flights")
    assert len(trials) >= 2


def test_production_comes_from_the_data_by_its_digest(store, output):
    prod = store.models.get("delay@prod")
    (used,) = (link for link in store.run(prod.run_id).inputs if link["kind"] == "dataset")
    assert used["digest"] == store.dataset(used["ref"]).digest
    assert used["digest"].removeprefix("sha256:")[:12] in output


def test_every_move_of_production_has_the_report_of_its_gate(store):
    history = store.models["delay"].history("prod")
    assert history
    assert all(entry.gate_report for entry in history)


def test_every_flight_of_the_months_after_is_scored(store, output):
    for month in ("April", "August", "December"):
        assert month in output
    assert "fresh process" in output


def test_the_page_is_written_where_the_output_says(place, output):
    page = place.parent / "store.html"
    assert page.name in output
    assert "delay" in page.read_text(encoding="utf-8")


def test_nothing_in_the_store_is_damaged(store):
    assert list(store.verify()) == []


def test_a_second_run_in_the_same_store_does_no_harm(store, place):
    before = len(store.runs)
    done = run_flights("--store", str(place), *SAMPLE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(mlkit.Store(place).runs) > before
    assert len(store.datasets["flights"].versions()) == len(
        {v.digest for v in store.datasets["flights"].versions()}
    )


def test_a_folder_that_is_no_store_is_refused_in_one_line(tmp_path):
    (tmp_path / "letter.txt").write_text("dear reader")
    done = run_flights("--store", str(tmp_path), *SAMPLE)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "no mlkit store" in done.stderr
