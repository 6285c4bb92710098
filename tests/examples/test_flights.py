"""The demo, on a sample of its flights: it runs to its end, and says what the store holds."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import mlkit

FLIGHTS = Path(__file__).parents[2] / "docs" / "examples" / "flights.py"
SAMPLE = ["--rows", "12000", "--trials", "2", "--last", "5"]


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
    page = place.with_name("page.html")
    done = run_flights("--store", str(place), "--page", str(page), *SAMPLE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def store(output, place):
    return mlkit.Store(place)


def test_the_sweep_tracks_every_trial(store):
    assert len(store.search_runs("name like 'train _' and metrics.auc > 0.5")) == 2


def test_production_comes_from_the_data_by_its_digest(store, output):
    prod = store.model("delay@prod")
    (used,) = (link for link in store.run(prod.run_id).inputs if link["kind"] == "dataset")
    assert used["digest"] == store.dataset(used["ref"]).digest
    assert f"dataset {used['ref']}  {used['digest'][:19]}" in output


def test_every_move_of_production_has_the_report_of_its_gate(store):
    history = store.models["delay"].history("prod")
    assert history
    assert all(entry.gate_report["passed"] for entry in history)


def test_all_flights_of_a_month_are_scored_by_another_process(store, output):
    reports = store.monitor("delay@prod").history()
    assert [report.window[:10] for report in reports] == ["2013-04-01", "2013-05-01"]
    for month, report in zip(("April", "May"), reports, strict=True):
        assert f"{month:<10} {report.rows:>7,}  {report.ref}" in output
        assert 0 < report.truths < report.rows
        assert report.performance["auc"] > 0.5
        assert report.drift.drifted


def test_the_trigger_says_why_it_fired_or_not(store):
    decisions = store.monitor("delay@prod").decisions()
    assert len(decisions) == 2
    assert all(decision["reasons"][0]["why"] for decision in decisions)


def test_the_page_is_written_where_the_output_says(place, output):
    page = place.with_name("page.html")
    assert str(page) in output
    assert "delay in production" in page.read_text(encoding="utf-8")


def test_nothing_in_the_store_is_damaged(store):
    assert list(store.verify()) == []


def test_a_second_run_in_the_same_store_does_no_harm(store, place):
    datasets, versions = store.datasets["flights"].versions(), len(store.models["delay"])
    done = run_flights("--store", str(place), *SAMPLE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert store.datasets["flights"].versions()[0] == datasets[0]
    assert len(store.models["delay"]) > versions
    assert list(store.verify()) == []


def test_a_folder_that_is_no_store_is_refused_in_one_line(tmp_path):
    (tmp_path / "letter.txt").write_text("dear reader")
    done = run_flights("--store", str(tmp_path), *SAMPLE)
    assert done.returncode == 1
    assert "is no mlkit store" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupted_run_says_where_its_work_is(tmp_path):
    store = tmp_path / "store"
    command = [sys.executable, str(FLIGHTS), "--store", str(store), *SAMPLE]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        for line in demo.stdout:
            if line.startswith("  flights:1"):
                break
        demo.send_signal(signal.SIGINT)
        _, error = demo.communicate()
    assert demo.returncode == 1
    assert f"until now is in {store}" in error
    assert "Traceback" not in error
    assert mlkit.Store(store).dataset("flights:1").rows > 0
