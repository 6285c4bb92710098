"""What finding runs and reading their points costs beside MLflow, at sizes that it can bear."""

import pytest

from tests.benchmarks.bench_peers import PeerFailed, Tracker

TRACKERS = [
    Tracker("mlkit_reading", None),
    Tracker("mlflow_reading", "mlflow"),
    Tracker("mlflow_files_reading", "mlflow"),
]
RUNS, HISTORIES, POINTS = 1_000, 100, 1_000


@pytest.fixture(scope="module")
def answers(bench, hermetic_root, tmp_path_factory):
    """Give name to what each tracker that is installed took; ours comes first."""
    print(flush=True)
    found = {}
    for tracker in TRACKERS:
        name = tracker.name.removesuffix("_reading")
        if not tracker.installed:
            bench.note(f"{name}: left out, not installed; `make peers` says why")
            continue
        try:
            folder = tmp_path_factory.mktemp(name)
            found[name] = tracker.ask(folder, "read", RUNS, HISTORIES, POINTS)
        except PeerFailed as failure:
            if tracker.environment is None:
                raise
            bench.note(f"{name}: left out, it failed: {failure}")
    versions = ", ".join(f"{name} {answer['version']}" for name, answer in found.items())
    bench.note(f"side by side, each run written by its tracker: {versions}")
    return found


@pytest.mark.parametrize(
    ("question", "what"),
    [
        ("everything", f"all of {RUNS:,} runs with 25 keys"),
        ("filtered", f"filter + sort of {RUNS:,} runs"),
        ("histories", f"a metric of {HISTORIES:,} runs x {POINTS:,} points"),
    ],
)
def test_reading_beside_the_peers(bench, answers, question, what):
    milliseconds = {name: 1e3 * answer[question] for name, answer in answers.items()}
    bench.at_most(what, milliseconds.pop("mlkit"), "ms", **milliseconds)
