"""Tables of runs."""

import math
import sys

import pyarrow as pa
import pytest

from mlkit.errors import InvalidInput, MissingExtra, NotFound
from mlkit.query.runs import RunTable


@pytest.fixture
def runs(make_run):
    return RunTable.of(
        [
            make_run(
                id="018f0000-1",
                name="one",
                params={"depth": 4, "lr": 0.1, "opt": "adam", "on": True},
                summary={"auc": 0.7, "loss": math.nan},
                tags={"owner": "ml"},
            ),
            make_run(
                id="018f0000-2",
                params={"depth": 6, "lr": 1, "opt": 3},
                summary={"auc": 0.9},
                parent_id="p",
            ),
            make_run(id="018f0000-3", status="RUNNING", ended_at=None, experiment="weather"),
        ]
    )


def test_a_table_is_a_sequence_of_runs(runs):
    assert len(runs) == 3
    assert runs[-1].id == "018f0000-3"
    assert [run.id for run in runs] == ["018f0000-1", "018f0000-2", "018f0000-3"]
    assert runs[0] in runs


def test_a_slice_is_a_table(runs):
    part = runs[1:]
    assert isinstance(part, RunTable)
    assert [run.id for run in part] == ["018f0000-2", "018f0000-3"]


def test_arrow_has_a_row_for_each_run_and_a_column_for_each_key(runs):
    table = runs.to_arrow()
    assert table.column_names == [
        *("run_id", "experiment", "name", "status", "started", "ended", "duration", "parent"),
        *("params.depth", "params.lr", "params.on", "params.opt"),
        *("metrics.auc", "metrics.loss", "tags.owner"),
    ]
    assert table.schema.field("started").type == pa.timestamp("us", tz="UTC")
    assert table["duration"].to_pylist() == [60.0, 60.0, None]
    assert table["ended"].null_count == 1
    assert table["started"][0].as_py().isoformat() == "2026-01-01T12:00:00+00:00"
    assert table["parent"].to_pylist() == [None, "p", None]


def test_a_key_has_the_type_of_its_values_where_runs_agree(runs):
    table = runs.to_arrow()
    kinds = {name: str(table.schema.field(name).type) for name in table.column_names}
    assert kinds["params.depth"] == "int64"
    assert kinds["params.lr"] == "double"
    assert kinds["params.on"] == "bool"
    assert kinds["params.opt"] == "string"
    assert table["params.depth"].to_pylist() == [4, 6, None]


@pytest.mark.parametrize(
    ("values", "kind", "held"),
    [
        ([1, 2.5], "double", [1.0, 2.5]),
        ([2**53 + 1, 2.5], "string", ["9007199254740993", "2.5"]),
        ([2**53 + 1, 5], "int64", [2**53 + 1, 5]),
        ([2**63, 5], "string", ["9223372036854775808", "5"]),
        ([True, 1], "string", ["true", "1"]),
        (["4", 4], "string", ["4", "4"]),
        ([[1, 2], {"a": None}], "string", ["[1, 2]", '{"a": null}']),
        (["\ud800", "b"], "string", ["\\ud800", "b"]),
    ],
)
def test_a_key_whose_types_differ_is_text(make_run, values, kind, held):
    table = RunTable.of([make_run(params={"x": value}) for value in values]).to_arrow()
    assert str(table.schema.field("params.x").type) == kind
    assert table["params.x"].to_pylist() == held


def test_nan_stays_nan_in_arrow_and_nothing_is_null(runs):
    loss = runs.to_arrow()["metrics.loss"]
    assert loss.null_count == 2
    assert math.isnan(loss[0].as_py())


def test_pandas_keeps_ints_and_bools_that_some_runs_lack(runs):
    frame = runs.to_pandas()
    assert str(frame["params.depth"].dtype) == "Int64"
    assert str(frame["params.on"].dtype) == "boolean"
    assert frame["params.depth"].iloc[0] == 4
    assert str(runs[:2].to_pandas()["params.depth"].dtype) == "int64"


def test_polars_has_the_same_columns(runs):
    assert runs.to_polars().columns == runs.to_arrow().column_names


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_missing_library_is_named(runs, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=library):
        getattr(runs, f"to_{library}")()


def test_the_best_run_has_the_largest_or_smallest_last_value(runs):
    assert runs.best("auc").id == "018f0000-2"
    assert runs.best("auc", mode="min").id == "018f0000-1"


def test_nan_is_never_best(runs):
    with pytest.raises(NotFound, match="None of 3 runs has a value of metric 'loss'"):
        runs.best("loss")


def test_the_best_of_an_unknown_metric_suggests_near_ones(runs):
    with pytest.raises(NotFound, match="Did you mean 'auc'"):
        runs.best("aucc")


def test_a_mode_that_isnt_known_is_refused(runs):
    with pytest.raises(InvalidInput, match="mode='best'"):
        runs.best("auc", mode="best")


def test_text_shows_what_differs_and_fits_the_terminal(runs, monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    text = repr(runs)
    assert max(map(len, text.split("\n"))) <= 70
    assert "018f0000-1" in text
    assert "metrics.auc" in text
    assert "more columns" in text


def test_a_wide_terminal_shows_everything(runs, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    assert "tags.owner" in repr(runs)
    assert "more columns" not in repr(runs)


def test_at_least_the_ids_are_shown_in_a_tiny_terminal(runs, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1")
    assert repr(runs).startswith("run\n")


def test_a_long_table_says_how_many_runs_it_leaves_out(make_run):
    table = RunTable.of([make_run(id=f"run-{n:05}") for n in range(1234)])
    assert "… and 1,214 more runs" in repr(table)
    assert "1,214" in table._repr_html_()


def test_an_empty_table_says_so():
    assert repr(RunTable.of([])) == "No runs"
    assert RunTable.of([]).to_arrow().num_rows == 0
    assert "<table" in RunTable.of([])._repr_html_()


def test_html_escapes_what_runs_say(make_run):
    html = RunTable.of([make_run(name="<script>", params={"<b>": "<i>"})])._repr_html_()
    assert "<script>" not in html
    assert "<i>" not in html
    assert "&lt;script&gt;" in html


def test_ids_are_shown_to_the_millisecond_and_as_far_as_they_differ(make_run):
    apart = RunTable.of([make_run(id="01a20a83-4dc6-7000"), make_run(id="01a20a83-4dc7-7000")])
    assert "01a20a83-4dc6 " in repr(apart)
    near = RunTable.of([make_run(id="01a20a83-4dc6-7000"), make_run(id="01a20a83-4dc6-7100")])
    assert "01a20a83-4dc6-70 " in repr(near)
    assert "01a20a83-4dc6-70<" in near._repr_html_()


def test_what_leads_is_shown_first_and_then_the_params_that_vary(make_run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    runs = [
        make_run(id=str(n), params={"x": n, "fixed": 1}, summary={"acc": n / 7, "loss": 1.0})
        for n in range(3)
    ]
    table = RunTable.of(runs, lead="metrics.loss")
    head = ["run", "metrics.loss", "params.x", "status", "metrics.acc"]
    assert repr(table).split()[:5] == head
    assert repr(table[:2]).split()[:5] == head
    assert repr(RunTable.of(runs, lead="metrics.none")).split()[:2] == ["run", "params.x"]


def test_one_that_is_left_out_is_singular(make_run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    table = RunTable.of([make_run(id=f"run-{n:05}", params={"x": n}) for n in range(21)])
    assert repr(table).endswith("… and 1 more run")
    monkeypatch.setenv("COLUMNS", str(len(repr(table).split("\n")[1]) - 1))
    assert repr(table).endswith("… and 1 more column; .to_pandas() has all")
    assert repr(table[:7].compare()).endswith("… and 1 more run")


def test_a_comparison_has_only_what_differs(make_run):
    one = make_run(id="a", name="one", params={"lr": 1, "depth": 4}, tags={"owner": "ml"})
    two = make_run(id="b", params={"lr": 1.0, "depth": 4}, inputs=[{"ref": "flights:1"}])
    comparison = RunTable.of([one, two]).compare()
    assert comparison.values == {
        "params.lr": (1, 1.0),
        "tags.owner": ("ml", None),
        "inputs": (None, "flights:1"),
    }
    assert comparison.labels == ("one", "b")
    assert len(comparison) == 3
    assert comparison.to_arrow()["tags.owner"].to_pylist() == ["ml", None]
    assert "tags.owner" in repr(comparison)
    assert "tags.owner" in comparison._repr_html_()


def test_a_comparison_of_equal_runs_says_that_nothing_differs(make_run):
    comparison = RunTable.of([make_run(id="a"), make_run(id="b")]).compare()
    assert not comparison
    assert repr(comparison) == "Nothing differs between 2 runs"
    assert "Nothing differs" in comparison._repr_html_()


def test_a_comparison_of_many_runs_shows_the_first(make_run):
    table = RunTable.of([make_run(id=f"r{n}", params={"n": n}) for n in range(9)])
    assert "… and 3 more runs" in repr(table.compare())
