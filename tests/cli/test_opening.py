"""Which store a command is about, and what happens where there is none."""

import mlkit
from mlkit.cli.exits import FAULT, MISSING, NOT_FOUND, UNREADABLE, USAGE, code_of
from mlkit.errors import ReadOnly


def test_the_store_option_goes_before_the_environment(ask, runs, tmp_path):
    other = mlkit.Store(tmp_path / "other")
    with other.start_run("elsewhere"):
        pass
    found = ask("ls", "--store", tmp_path / "other", "--json")
    assert found.json == [{"experiment": "elsewhere", "runs": 1}]


def test_a_command_never_makes_a_store(ask, tmp_path):
    answer = ask("ls", "--store", tmp_path / "nothing")
    assert answer.code == NOT_FOUND
    assert "There is no mlkit store" in answer.err
    assert not (tmp_path / "nothing").exists()


def test_a_folder_that_is_no_store_is_refused(ask, tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    assert ask("verify", "--store", tmp_path).code == NOT_FOUND


def test_the_default_is_the_store_in_the_working_directory(ask):
    with mlkit.Store().start_run("here"):
        pass
    assert ask("ls", "--json").json == [{"experiment": "here", "runs": 1}]


def test_a_damaged_root_exits_with_unreadable(ask, store, tmp_path):
    (tmp_path / "store" / "mlkit.json").write_text("{}")
    assert ask("ls").code == UNREADABLE


def test_an_unknown_protocol_exits_with_usage(ask):
    assert ask("ls", "--store", "s4://bucket/ml").code == USAGE


def test_an_unknown_option_exits_with_usage(ask):
    assert ask("ls", "--colour").code == USAGE


def test_a_missing_driver_names_its_extra(ask, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gcsfs", None)
    answer = ask("ls", "--store", "gs://bucket/ml")
    assert answer.code == MISSING
    assert "mlkit-lifecycle[gcs]" in answer.err


def test_other_errors_of_a_storage_exit_with_fault():
    assert code_of(ReadOnly("It can only be read")) == FAULT


def test_an_interrupted_command_exits_as_a_shell_expects(ask, store, monkeypatch):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(mlkit.Store, "experiments", property(interrupted))
    assert ask("ls").code == 130
