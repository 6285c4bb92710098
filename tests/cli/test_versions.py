"""Looking at datasets and models."""

import pytest

import mlkit
from mlkit.cli.exits import NOT_FOUND, USAGE
from mlkit.cli.forms import verdict


@pytest.fixture
def flights(store):
    """Two versions of a dataset, the second made by a run."""
    first = store.log_dataset("flights", {"delay": [1.0, 2.0]})
    with store.start_run("flights") as run:
        second = run.log_dataset("flights", {"delay": [1.0, 2.0, 3.0]})
    return [first, second, run]


@pytest.fixture
def delay(store):
    """Two versions of a model; the gate of `prod` has let one pass and refused the other."""
    sklearn = pytest.importorskip("sklearn.linear_model")
    X, y = [[0.0], [1.0]], [0, 1]
    trained_on = store.log_dataset("flights", {"delay": [1.0, 2.0]})
    with store.start_run("flights") as run:
        run.use_dataset(trained_on)
        fitted = sklearn.LogisticRegression().fit(X, y)
        first = run.log_model(fitted, "delay", metrics={"auc": 0.8}, input_example=X)
        second = run.log_model(
            sklearn.LogisticRegression(C=2).fit(X, y), "delay", metrics={"auc": 0.6}
        )
    gate = mlkit.Gate([mlkit.at_least("auc", 0.7)])
    store.models["delay"].promote(first.number, "prod", gate=gate, reason="first")
    with pytest.raises(mlkit.errors.GateRefused):
        store.models["delay"].promote(second.number, "prod", gate=gate, reason="second")
    return [first, second, run]


def test_data_lists_the_datasets(ask, flights):
    (row,) = ask("data", "--json").json
    assert row["dataset"] == "flights"
    assert row["versions"] == 2
    assert row["latest"] == "flights:2"


def test_data_lists_the_versions_of_a_dataset(ask, flights):
    rows = ask("data", "flights", "--json").json
    assert [row["ref"] for row in rows] == ["flights:1", "flights:2"]
    assert [row["rows"] for row in rows] == [2, 3]
    assert [row["run_id"] for row in rows] == [None, flights[2].id]


def test_data_prints_digests_as_references_take_them(ask, store, flights):
    line = ask("data", "flights").out.splitlines()[2]
    digest = next(word for word in line.split() if len(word) == 12)
    assert store.dataset(f"flights#{digest}").number == 1


def test_data_of_an_unknown_name_suggests_a_near_one(ask, flights):
    answer = ask("data", "fligths")
    assert answer.code == NOT_FOUND
    assert "'flights'" in answer.err


def test_data_refuses_what_can_be_no_name(ask, store):
    assert ask("data", "../flights").code == USAGE


def test_a_run_shows_what_it_made(ask, flights):
    _, second, run = flights
    assert ask("show", run.id, "--json").json["outputs"] == [
        f"flights:2#{second.digest.removeprefix('sha256:')[:12]}"
    ]


def test_models_lists_the_models_with_their_aliases(ask, delay):
    (row,) = ask("models", "--json").json
    assert row["model"] == "delay"
    assert row["versions"] == 2
    assert row["aliases"] == {"prod": 1}


def test_models_lists_the_versions_of_a_model(ask, delay):
    rows = ask("models", "delay", "--json").json
    assert [row["ref"] for row in rows] == ["delay:1", "delay:2"]
    assert [row["aliases"] for row in rows] == [["prod"], []]
    assert [row["metrics"] for row in rows] == [{"auc": 0.8}, {"auc": 0.6}]
    assert {row["run_id"] for row in rows} == {delay[2].id}


def test_models_tells_what_a_version_was_trained_on(ask, store, delay):
    digest = store.dataset("flights:1").digest
    (link,) = ask("models", "delay", "--json").json[0]["datasets"]
    assert link == {"kind": "dataset", "ref": "flights:1", "digest": digest}
    out = ask("models", "delay").out
    assert "flights:1" in out
    assert "{" not in out


def test_models_shows_how_an_alias_moved_and_what_was_refused(ask, store, delay):
    store.models["delay"].promote(2, "prod", reason="third")
    store.models["delay"].rollback("prod", reason="fourth")
    rows = ask("models", "delay", "--history", "prod", "--json").json
    assert [(row["action"], row["version"], row["holder"], row["reason"]) for row in rows] == [
        ("promote", 1, 1, "first"),
        ("refused", 2, 1, "second"),
        ("promote", 2, 2, "third"),
        ("rollback", 1, 1, "fourth"),
    ]
    assert [row["gate"] and row["gate"]["passed"] for row in rows] == [True, False, None, None]


def test_a_history_says_for_people_what_the_gates_said(ask, delay):
    out = ask("models", "delay", "--history", "prod").out
    assert "passed" in out
    assert "refused (auc >= 0.7: 0.6 < 0.7)" in out


def test_an_alias_that_was_only_refused_has_a_history(ask, store, delay):
    gate = mlkit.Gate([mlkit.at_least("auc", 0.9)])
    with pytest.raises(mlkit.errors.GateRefused):
        store.models["delay"].promote(1, "gold", gate=gate)
    (row,) = ask("models", "delay", "--history", "gold", "--json").json
    assert (row["action"], row["version"], row["holder"]) == ("refused", 1, None)


def test_a_history_of_an_unknown_alias_exits_with_not_found(ask, delay):
    answer = ask("models", "delay", "--history", "prd")
    assert answer.code == NOT_FOUND
    assert "'prod'" in answer.err


@pytest.mark.parametrize(
    "report", [{}, {"conditions": []}, {"conditions": ["x"]}, {"conditions": 3}]
)
def test_a_report_whose_conditions_say_nothing_is_told_in_a_word(report):
    assert verdict(report) == "refused"


def test_models_needs_a_name_for_a_history(ask, store):
    assert ask("models", "--history", "prod").code == USAGE


def test_models_of_an_unknown_name_exits_with_not_found(ask, delay):
    assert ask("models", "relay").code == NOT_FOUND


@pytest.mark.parametrize("mark", [":1", "@prod", "#digest"])
def test_models_shows_one_version_in_full(ask, delay, mark):
    mark = mark.replace("digest", delay[0].digest.removeprefix("sha256:")[:12])
    shown = ask("models", f"delay{mark}", "--json").json
    assert (shown["ref"], shown["aliases"]) == ("delay:1", ["prod"])
    assert shown["metrics"] == {"auc": 0.8}
    assert shown["run_id"] == delay[2].id
    assert "scikit-learn" in shown["environment"]
    assert shown["signature"]["inputs"]
    assert {"digest", "size"} == set(next(iter(shown["files"].values())))


def test_a_model_version_is_told_to_people_without_braces(ask, delay):
    out = ask("models", "delay:1").out
    assert "flights:1" in out
    assert "float64" in out
    assert "{" not in out


def test_data_shows_one_version_in_full(ask, store, flights):
    store.make_dataset("means", lambda _: {"mean": [1.5]}, (flights[0],), {}, description="of them")
    shown = ask("data", "means:1", "--json").json
    assert (shown["ref"], shown["rows"], shown["columns"]) == ("means:1", 1, {"mean": "float64"})
    assert shown["inputs"][0]["ref"] == "flights:1"
    assert shown["description"] == "of them"
    assert "flights:1" in ask("data", "means@latest").out


@pytest.mark.parametrize("arguments", [("data", "flights:9"), ("models", "delay@gold")])
def test_a_version_that_is_not_there_exits_with_not_found(ask, flights, delay, arguments):
    assert ask(*arguments).code == NOT_FOUND


def test_lineage_is_the_tree_that_the_store_gives(ask, store, delay):
    assert ask("lineage", "delay@prod").out == store.lineage("delay@prod").text() + "\n"


def test_lineage_gives_nodes_and_edges_to_scripts(ask, delay):
    found = ask("lineage", "delay:1", "--json").json
    assert (found["nodes"][0]["kind"], found["nodes"][0]["ref"]) == ("model", "delay:1")
    assert {
        "source": {"kind": "model", "ref": "delay:1"},
        "relation": "made by",
        "target": {"kind": "run", "ref": delay[2].id},
    } in found["edges"]


@pytest.mark.parametrize("command", ["data", "models"])
def test_a_store_without_versions_says_so(ask, store, command):
    answer = ask(command)
    assert (answer.code, answer.out) == (0, "")
    assert answer.err.startswith("There are no")


def test_data_shows_aliases_tags_and_notes(ask, store, flights):
    store.datasets["flights"].promote(1, "gold", reason="by hand")
    flights[0].set_tags(owner="ml")
    flights[0].note("the first")
    (row,) = ask("data", "--json").json
    assert row["aliases"] == {"gold": 1}
    assert [one["aliases"] for one in ask("data", "flights", "--json").json] == [["gold"], []]
    assert "gold" in ask("data", "flights").out
    shown = ask("data", "flights@gold", "--json").json
    assert (shown["ref"], shown["tags"], shown["notes"]) == (
        "flights:1",
        {"owner": "ml"},
        ["the first"],
    )


def test_data_shows_how_an_alias_has_moved(ask, store, flights):
    for number in (1, 2):
        store.datasets["flights"].promote(number, "gold", reason=f"number {number}")
    store.datasets["flights"].rollback("gold")
    moves = ask("data", "flights", "--history", "gold", "--json").json
    assert [(one["action"], one["version"], one["reason"]) for one in moves] == [
        ("promote", 1, "number 1"),
        ("promote", 2, "number 2"),
        ("rollback", 1, ""),
    ]
    assert "rollback" in ask("data", "flights", "--history", "gold").out
    assert ask("data", "flights", "--history", "silver").code == NOT_FOUND
    assert ask("data", "--history", "gold").code == USAGE


def test_lineage_goes_downstream_when_it_is_asked_to(ask, store, flights):
    with store.start_run("late") as run:
        run.use_dataset("flights:1")
    nodes = ask("lineage", "flights:1", "--downstream", "--json").json["nodes"]
    assert [node["ref"] for node in nodes] == ["flights:1", run.id]
    assert run.id in ask("lineage", "flights:1", "--downstream").out
    assert run.id not in ask("lineage", "flights:1").out
