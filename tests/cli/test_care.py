"""Checking a store, sending what waits, and writing the page."""

import json

import pytest

import mlkit
from mlkit.cli.exits import FAULT, NO, UNREADABLE, USAGE
from mlkit.cli.output import Output, printable, text_of
from mlkit.errors import Corrupt


def test_verify_of_a_sound_store_finds_nothing(ask, runs):
    answer = ask("verify")
    assert (answer.code, answer.out) == (0, "")
    assert "nothing is damaged" in answer.err
    assert ask("verify", "--json").json == []


def test_verify_of_a_damaged_store_lists_the_damage(ask, store, runs, tmp_path):
    blob = next(path for path in (tmp_path / "store" / "blobs").rglob("*") if path.is_file())
    blob.chmod(0o600)
    blob.write_bytes(b"other")
    answer = ask("verify", "--json")
    assert answer.code == NO
    assert any(blob.name in problem["path"] for problem in answer.json)


def test_sync_says_when_nothing_waits(ask, store):
    assert ask("sync").out == "Nothing was waiting.\n"


def test_sync_sends_what_waits(ask, store, hermetic):
    place = hermetic / "spool" / store.id / "runs"
    place.mkdir(parents=True)
    (place / "stray").write_bytes(b"kept")
    assert ask("sync", "--json").json == {"sent": 1}


def test_sync_counts_for_people(ask, store, hermetic):
    place = hermetic / "spool" / store.id / "runs"
    place.mkdir(parents=True)
    (place / "stray").write_bytes(b"kept")
    assert ask("sync").out == f"1 file was sent to {store.url}.\n"


def test_report_writes_one_page(ask, runs, tmp_path):
    page = tmp_path / "store.html"
    answer = ask("report", page)
    assert answer.code == 0
    assert str(page) in answer.out
    assert "flights" in page.read_text(encoding="utf-8")


def test_report_tells_scripts_where_the_page_is(ask, store, tmp_path):
    assert ask("report", tmp_path / "a.html", "--json").json == {"path": str(tmp_path / "a.html")}


def test_report_makes_no_folder_that_its_page_would_be_in(ask, store, tmp_path):
    answer = ask("report", tmp_path / "nope" / "x.html")
    assert answer.code == USAGE
    assert "There is no folder" in answer.err
    assert not (tmp_path / "nope").exists()


def test_report_to_a_folder_says_what_its_page_is_called(ask, store, tmp_path):
    for _ in range(2):
        told = ask("report", tmp_path / "site", "--json").json
        assert told == {"path": str(tmp_path / "site" / "index.html")}


def test_report_says_what_keeps_it_from_writing(ask, store, tmp_path):
    (tmp_path / "x.html" / "index.html").mkdir(parents=True)
    answer = ask("report", tmp_path / "x.html")
    assert answer.code == FAULT
    assert "x.html' can't be written: " in answer.err


def test_report_leaves_what_the_store_says_as_it_is(ask, store, tmp_path, monkeypatch):
    def damaged(self, path):
        raise Corrupt("The store is damaged")

    monkeypatch.setattr(mlkit.Store, "report", damaged)
    assert ask("report", tmp_path / "x.html").code == UNREADABLE


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "True"),
        (0.1 + 0.2, "0.3"),
        ({"a": 1, "b": [1.5, "x"]}, "a=1, b=1.5, x"),
        ("tab\there", r"tab\there"),
    ],
)
def test_a_value_is_text_on_one_line(value, text):
    assert text_of(value) == text


def test_text_keeps_letters_of_every_script():
    assert printable("Zürich 東京") == "Zürich 東京"


def test_fields_are_listed_below_each_other(capsys):
    Output(as_json=False).fields({"params": {"a": 1, "b": 2}, "notes": ["x", "y"], "none": None})
    words = capsys.readouterr().out.split()
    assert words == ["params", "a", "=", "1", "b", "=", "2", "notes", "x", "y"]


def test_json_holds_lists_of_mappings(capsys):
    Output(as_json=True).document({"all": [{"auc": float("inf")}], "dots": (1, 2)})
    assert json.loads(capsys.readouterr().out) == {"all": [{"auc": "inf"}], "dots": [1, 2]}


def test_a_terminal_gets_a_table_of_its_width(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    Output(as_json=False).table([{"note": "x" * 100}], {"note": text_of}, empty="")
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 60


def test_the_package_knows_its_version(ask):
    assert mlkit.__version__ in ask("--version").out


def test_compact_folds_every_run_and_anew_makes_the_tables_again(ask, store, runs):
    count = len(store.runs.ids())
    assert ask("compact", "--json").json == {"runs": count, "removed": 0, "files": 3}
    assert ask("compact").out == "0 runs were folded; the tables have 3 files.\n"
    assert ask("compact", "--anew", "--json").json["runs"] == count
