"""Merging and exporting from the shell."""

import mlkit
from mlkit.cli.exits import NO, NOT_FOUND, USAGE
from mlkit.objects.blobs import object_path


def test_merge_takes_over_another_store(ask, store, runs, tmp_path):
    team = mlkit.Store(tmp_path / "team")
    answer = ask("merge", store.url, "--store", team.url)
    assert answer.code == 0
    assert f"were copied from {store.url} to {team.url}." in answer.out
    assert len(team.runs) == len(runs)
    again = ask("merge", store.url, "--store", team.url, "--json").json
    assert (again["objects"], again["complete"], again["problems"]) == (0, True, [])


def test_merge_makes_no_store_where_there_is_none(ask, store, tmp_path):
    answer = ask("merge", tmp_path / "nothing")
    assert answer.code == NOT_FOUND
    assert not (tmp_path / "nothing").exists()


def test_merge_says_which_version_got_another_number(ask, store, tmp_path):
    team = mlkit.Store(tmp_path / "team")
    for side in (store, team):
        side.log_dataset("flights", {"a": [side.id]})
    told = ask("merge", team.url, "--json").json
    assert told["renumbered"] == [{"there": "flights:1", "here": "flights:2"}]


def test_merge_of_a_damaged_store_says_so_by_its_exit_code(ask, store, runs, tmp_path):
    digest = store.run(runs[0].id).artifact("report.txt").digest
    store._storage.write(object_path("blobs", digest), b"damage")
    team = mlkit.Store(tmp_path / "team")
    answer = ask("merge", store.url, "--store", team.url)
    assert answer.code == NO
    assert "Not copied: blobs/" in answer.out
    assert len(team.runs) == len(runs)


def test_export_writes_runs_to_a_store_of_their_own(ask, store, runs, tmp_path):
    answer = ask("export", runs[0].id, runs[1].id, "--to", tmp_path / "out", "--json").json
    assert answer["complete"]
    out = mlkit.Store(tmp_path / "out")
    assert out.runs.ids() == [runs[0].id, runs[1].id]
    assert out.run(runs[0].id).artifact("report.txt").text() == "report"


def test_export_needs_runs_and_a_place(ask, store, runs, tmp_path):
    assert ask("export", runs[0].id).code == USAGE
    assert ask("export", "--to", tmp_path / "out").code == USAGE
    assert ask("export", "nobody", "--to", tmp_path / "out").code == NOT_FOUND
    assert not (tmp_path / "out").exists()
