"""Looking at runs: ls, show, search."""

import re

import pytest

from mlkit.cli.exits import NO, NOT_FOUND, USAGE
from mlkit.cli.forms import code, machine
from mlkit.cli.runs import run_lines


def renamed(run, run_id):
    run.check()  # what it holds is read before it is called otherwise
    run.id = run_id
    return run


def test_ls_counts_the_runs_of_each_experiment(ask, runs):
    answer = ask("ls", "--json")
    assert answer.code == 0
    assert answer.json == [
        {"experiment": "flights", "runs": 2},
        {"experiment": "weather", "runs": 1},
    ]


def test_ls_lists_the_runs_of_an_experiment_the_newest_first(ask, runs):
    first, second, _ = runs
    answer = ask("ls", "flights", "--json")
    assert [row["id"] for row in answer.json] == [second.id, first.id]
    assert [row["status"] for row in answer.json] == ["FAILED", "FINISHED"]


def test_ls_stops_at_its_limit(ask, runs):
    assert len(ask("ls", "flights", "--limit", 1, "--json").json) == 1


def test_ls_prints_a_table_for_people(ask, runs):
    lines = ask("ls").out.splitlines()
    assert lines[0].split() == ["experiment", "runs"]
    assert lines[2].split() == ["flights", "2"]


def test_a_table_cuts_nothing_off_in_a_pipe(ask, store):
    with store.start_run("flights") as run:
        run.log_params(**{f"param_{n}": "x" * 100 for n in range(20)})
    head, _, line = ask("ls", "flights").out.splitlines()
    assert line.split()[0] == run.id
    assert "params.param_19" in head
    assert line.count("x" * 100) == 20


@pytest.mark.parametrize("arguments", [("ls", "flights"), ("search", "--order-by", "metrics.m7")])
def test_runs_fit_the_width_one_line_each(ask, store, monkeypatch, arguments):
    monkeypatch.setenv("COLUMNS", "110")
    for n in range(3):
        with store.start_run("flights", name="long name " * 10) as run:
            run.log_params(depth=n, seed=1, text="y" * 80)
            run.log_metrics({f"m{k}": n / (k + 1) for k in range(12)})
    lines = ask(*arguments).out.splitlines()
    assert len(lines) == 6
    assert max(map(len, lines)) <= 110
    assert lines[-1].startswith("… and ")
    assert lines[-1].endswith(" more columns; --json has all")


def test_a_run_that_is_listed_can_be_shown_by_what_is_listed(ask, store, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for _ in range(3):
        with store.start_run("flights"), store.start_run("inner"):
            pass
    for line in ask("ls", "flights").out.splitlines()[2:5]:
        beginning = line.split()[0]
        assert 13 <= len(beginning) < 36
        assert ask("show", beginning).code == 0


@pytest.mark.parametrize(("other", "shown"), [("b" * 22, 15), ("a" * 21 + "b", 36)])
def test_an_id_is_shortened_so_far_that_no_other_run_begins_like_it(store, other, shown):
    with store.start_run("flights") as run:
        pass
    run = renamed(store.run(run.id), "01a20a83-4dc6-" + "a" * 22)
    lines = run_lines([run], ids=[run.id, "01a20a83-4dc6-" + other], width=110).splitlines()
    assert lines[2].split()[0] == run.id[:shown]


def test_what_differs_between_runs_comes_before_what_does_not(ask, store):
    for n in range(2):
        with store.start_run("flights") as run:
            run.log_params(same=1, depth=n)
            run.log_metrics({"auc": n / 2, "rows": 3})
    head = ask("ls", "flights").out.splitlines()[0].split()
    told = ["metrics.auc", "params.depth", "duration", "metrics.rows", "params.same"]
    assert head == ["run", "status", "started", *told]


def test_the_key_that_runs_are_ordered_by_leads(ask, runs):
    head = ask("search", "--order-by", "-params.depth").out.splitlines()[0].split()
    assert head[:5] == ["run", "experiment", "name", "status", "started"]
    assert head[5] == "params.depth"


def test_a_limit_says_how_many_runs_it_left_out(ask, runs):
    answer = ask("ls", "flights", "--limit", 1)
    assert len(answer.out.splitlines()) == 3
    assert answer.err == "… and 1 more run; --limit shows more\n"
    assert ask("search", "--limit", 1).err.startswith("… and 2 more runs")


@pytest.mark.parametrize("arguments", [("ls", "flights"), ("search",)])
def test_a_limit_is_at_least_one(ask, runs, arguments):
    assert ask(*arguments, "--limit", 0).code == USAGE


def test_an_empty_store_says_so_on_stderr(ask, store):
    answer = ask("ls")
    assert (answer.code, answer.out) == (0, "")
    assert "no runs yet" in answer.err


@pytest.mark.parametrize("arguments", [("ls",), ("search", "--experiment")])
def test_an_unknown_experiment_exits_with_not_found_and_suggests_a_near_one(ask, runs, arguments):
    answer = ask(*arguments, "fligths")
    assert (answer.code, answer.out) == (NOT_FOUND, "")
    assert "Did you mean 'flights'?" in answer.err


def test_search_without_a_match_is_an_empty_list_for_scripts(ask, runs):
    answer = ask("search", "metrics.auc > 2", "--experiment", "flights", "--json")
    assert (answer.code, answer.json, answer.err) == (NO, [], "")


def test_show_gives_what_the_run_logged(ask, runs):
    shown = ask("show", runs[0].id, "--json").json
    assert shown["params"] == {"depth": 6, "lr": 0.1}
    assert shown["metrics"] == {"auc": 0.8}
    assert shown["tags"] == {"owner": "ml"}
    assert shown["notes"] == ["went well"]
    assert list(shown["artifacts"]) == ["report.txt"]


def test_show_takes_the_beginning_of_an_id(ask, runs):
    beginning = runs[0].id[:-2]
    assert ask("show", beginning, "--json").json["id"] == runs[0].id


def test_show_prints_the_traceback_of_a_run_that_failed(ask, runs):
    assert "ZeroDivisionError" in ask("show", runs[1].id).out


def test_show_tells_people_times_and_sizes_with_their_units(ask, runs):
    shown = dict(line.split(None, 1) for line in ask("show", runs[0].id).out.splitlines())
    assert shown["duration"].split()[-1] in {"ms", "s"}
    assert shown["artifacts"] == "report.txt = 6 B"
    assert re.search(r"memory = [0-9.]+ [kMGT]i?B", ask("show", runs[0].id).out)


def test_a_diff_is_told_by_its_length_and_is_whole_in_json():
    assert code({"diff": "-a"}) == {"diff": "1 line; --json has them"}


def test_code_without_changes_has_no_diff():
    assert code({"commit": "30da7bd", "remote": ""}) == {"commit": "30da7bd"}


def test_a_machine_that_does_not_tell_its_memory_is_shown_without():
    assert machine({"cpus": 2}) == {"cpus": 2}


def test_show_of_an_unknown_run_exits_with_not_found(ask, runs):
    answer = ask("show", "0123456789")
    assert answer.code == NOT_FOUND
    assert answer.err.startswith("mlkit: There is no run '0123456789'")


def test_search_lists_what_matches(ask, runs):
    found = ask("search", "metrics.auc > 0.7 and params.depth in (4, 6)", "--json")
    assert [row["name"] for row in found.json] == ["first"]


def test_search_orders_as_asked(ask, runs):
    found = ask("search", "--experiment", "flights", "--order-by", "metrics.auc", "--json")
    assert [row["name"] for row in found.json] == ["second", "first"]


def test_search_without_a_match_exits_with_no(ask, runs):
    answer = ask("search", "metrics.auc > 2")
    assert answer.code == NO
    assert answer.err == "No run matches.\n"


def test_search_points_at_the_fault_of_a_filter(ask, runs):
    answer = ask("search", "metrics.auc >> 1")
    assert answer.code == USAGE
    assert answer.err.startswith("mlkit: ")
    assert "^" in answer.err


def test_json_is_strict_where_a_metric_is_not_a_number(ask, runs):
    assert ask("ls", "weather", "--json").json[0]["metrics"] == {"rain": "nan"}


@pytest.mark.parametrize("arguments", [("ls", "{}"), ("search", "experiment = '{}'")])
def test_what_a_store_holds_cannot_steer_the_terminal(ask, store, arguments):
    with store.start_run("plain", name="\x1b[31mred\x9b\u202e[bold]"):
        pass
    out = ask(*(argument.format("plain") for argument in arguments)).out
    assert r"\x1b[31mred\x9b\u202e[bold]" in out
    assert "\x1b" not in out


@pytest.fixture
def many(store):
    for n in range(25):
        with store.start_run("flights") as run:
            run.log_params(depth=n % 2, n=n)
    return store


@pytest.mark.parametrize("arguments", [("ls", "flights"), ("search",)])
def test_json_has_all_runs_unless_a_limit_is_given(ask, many, arguments):
    assert len(ask(*arguments, "--json").json) == 25
    assert len(ask(*arguments, "--json", "--limit", 20).json) == 20
    answer = ask(*arguments)
    assert len(answer.out.splitlines()) == 22
    assert answer.err == "… and 5 more runs; --limit shows more\n"


def test_runs_are_ordered_by_several_keys(ask, many):
    order = ("--order-by", "-params.depth", "--order-by", "params.n")
    found = [row["params"] for row in ask("search", *order, "--json").json]
    assert [one["n"] for one in found] == [*range(1, 25, 2), *range(0, 25, 2)]
    assert ask("search", *order).out.split()[3] == "params.depth"


def test_runs_of_several_experiments_are_searched(ask, runs):
    asked = ("--experiment", "flights", "--experiment", "weather")
    assert len(ask("search", *asked, "--json").json) == 3
    assert "Did you mean 'weather'" in ask("search", "--experiment", "waether").err


def test_a_renamed_experiment_is_called_by_its_present_name(ask, store, runs):
    store.experiments["flights"].rename("delays")
    for arguments in (("ls", "flights"), ("search", "experiment = 'flights'")):
        assert {row["experiment"] for row in ask(*arguments, "--json").json} == {"delays"}
    assert ask("show", runs[0].id, "--json").json["experiment"] == "delays"


def test_deleted_runs_are_listed_when_they_are_asked_for_and_shown_as_such(ask, store, runs):
    store.run(runs[0].id).delete()
    for arguments in (("ls",), ("ls", "flights"), ("search",)):
        assert [row["id"] for row in ask(*arguments, "--deleted", "--json").json] == [runs[0].id]
    assert ask("ls", "weather", "--deleted", "--json").json == []
    assert ask("ls", "weather", "--deleted").err == "No run is deleted.\n"
    shown = ask("show", runs[0].id)
    assert "deleted at" in shown.out
    assert "restore() undoes it" in shown.err
    assert ask("show", runs[0].id, "--json").json["deleted_at"]
    assert ask("show", runs[1].id, "--json").json["deleted_at"] is None


def test_an_experiment_without_runs_that_are_shown_is_no_unknown_one(ask, store, runs):
    store.experiments["weather"].describe("rain")
    store.run(runs[2].id).delete()
    answer = ask("ls", "weather", "--json")
    assert (answer.code, answer.json) == (0, [])
    assert ask("ls", "weather").err == "There are no runs of it.\n"


def test_archived_experiments_are_listed_when_they_are_asked_for(ask, store, runs):
    assert ask("ls", "--archived").err == "No experiment is archived.\n"
    store.experiments["weather"].archive()
    assert [row["experiment"] for row in ask("ls", "--json").json] == ["flights"]
    assert [row["experiment"] for row in ask("ls", "--archived", "--json").json] == ["weather"]
    assert ask("ls", "flights", "--archived").code == USAGE


def test_advice_on_an_unknown_run_is_for_the_shell(ask, runs):
    assert ask("show", "nosuch").err == (
        "mlkit: There is no run 'nosuch' among 3. mlkit search lists them, the newest first\n"
    )
