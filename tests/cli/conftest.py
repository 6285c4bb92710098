"""A store with a little of everything, and the commands that look into it."""

import json
from contextlib import suppress

import pytest
from attrs import frozen
from click.testing import CliRunner

import mlkit
from mlkit.cli.commands import cli


@frozen
class Answer:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def ask():
    """Give the function that runs a command with its arguments."""

    def run(*arguments):
        result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty store, which commands find without being told."""
    monkeypatch.setenv("MLKIT_STORE", str(tmp_path / "store"))
    return mlkit.Store()


@pytest.fixture
def runs(store):
    """Two runs of an experiment, one of them failed, and one of another."""
    with store.start_run("flights", name="first", tags={"owner": "ml"}, capture=True) as first:
        first.log_params(depth=6, lr=0.1)
        first.log_metrics({"auc": 0.8})
        first.note("went well")
        first.log_text("report", "report.txt")
    with suppress(ZeroDivisionError), store.start_run("flights", name="second") as second:
        second.log_params(depth=4)
        second.log_metrics({"auc": 0.6})
        1 / 0  # noqa: B018 - the run fails here
    with store.start_run("weather") as other:
        other.log_metric("rain", float("nan"))
    return [first, second, other]
