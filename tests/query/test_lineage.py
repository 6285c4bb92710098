"""Lineage: graphs of what came from what."""

import pytest
from attrs import field, frozen

from mlkit.errors import Corrupt, InvalidName, NotFound
from mlkit.query.lineage import Lookups, lineage

DAY = 86_400 * 10**9


@frozen
class Version:
    ref: str
    digest: str = ""
    created_at: int = DAY
    run_id: str | None = None
    rows: int | None = None
    inputs: list = field(factory=list)
    datasets: list = field(factory=list)


def link(ref, digest="", kind="dataset"):
    return {"kind": kind, "ref": ref, "digest": digest}


@pytest.fixture
def world(make_run):
    """A model of a sweep's trial, that read features, that a run made from raw flights."""
    models = {"delay:3": Version("delay:3", "sha256:m", run_id="r2", datasets=[link("features:1")])}
    models["delay@prod"] = models["delay"] = models["delay:3"]
    datasets = {
        "features:1": Version("features:1", "sha256:" + "f" * 64, run_id="r1", rows=80_789),
        "flights:1": Version("flights:1", "sha256:" + "a" * 64),
    }
    datasets["flights"] = datasets["flights:1"]
    runs = {
        "r1": make_run(id="r1", name="clean", inputs=[link("flights:1")]),
        "r2": make_run(id="r2", name="trial 4", parent_id="r0", inputs=[link("features:1")]),
        "r0": make_run(id="r0", experiment="sweep", status="RUNNING"),
    }

    class World:
        def __init__(self):
            self.models, self.datasets, self.runs = models, datasets, runs

        def find(self, held, what):
            def get(ref):
                if ref not in held:
                    hint = "Did you mean 'delay'?" if ref == "dely" else ""
                    raise NotFound(f"There is no {what} {ref!r}", hint=hint)
                if isinstance(held[ref], Exception):
                    raise held[ref]
                return held[ref]

            return get

        def lineage(self, ref, kind=None):
            lookups = Lookups(
                model=self.find(models, "model"),
                dataset=self.find(datasets, "dataset"),
                run=self.find(runs, "run"),
            )
            return lineage(ref, find=lookups, kind=kind)

    return World()


def test_an_alias_leads_back_to_the_digest_of_the_data(world):
    assert world.lineage("delay@prod").text().split("\n") == [
        "delay@prod",
        "└─ model delay:3  sha256:m  saved 1970-01-02 00:00",
        "   └─ run r2  trial 4 of flights, FINISHED",
        "      ├─ dataset features:1  sha256:ffffffffffff…  80,789 rows",
        "      │  └─ run r1  clean of flights, FINISHED",
        "      │     └─ dataset flights:1  sha256:aaaaaaaaaaaa…",
        "      └─ part of run r0  a run of sweep, RUNNING",
    ]


def test_the_graph_has_an_edge_for_each_step(world):
    graph = world.lineage("delay:3").to_json()
    assert graph["root"] == ["model", "delay:3"]
    assert graph["edges"] == [
        [["model", "delay:3"], "made by", ["run", "r2"]],
        [["model", "delay:3"], "trained on", ["dataset", "features:1"]],
        [["run", "r2"], "read", ["dataset", "features:1"]],
        [["run", "r2"], "part of", ["run", "r0"]],
        [["dataset", "features:1"], "made by", ["run", "r1"]],
        [["run", "r1"], "read", ["dataset", "flights:1"]],
    ]
    assert {node["ref"]: node["digest"] for node in graph["nodes"]}["flights:1"].endswith("a" * 64)


def test_a_name_alone_means_the_newest_version_without_an_alias(world):
    assert world.lineage("delay").root.ref == "delay:3"


def test_datasets_and_runs_have_lineage_too(world):
    assert world.lineage("flights").text() == "dataset flights:1  sha256:aaaaaaaaaaaa…"
    assert world.lineage("r1").root.kind == "run"
    assert world.lineage("r1", kind="run").root.kind == "run"


def test_a_kind_says_which_of_two_equal_names_is_meant(world):
    world.datasets["delay"] = Version("delay:9")
    assert world.lineage("delay", kind="dataset").root.ref == "delay:9"


def test_what_doesnt_exist_is_an_error_with_a_suggestion(world):
    with pytest.raises(NotFound, match=r"no model, dataset or run 'dely'. Did you mean 'delay'"):
        world.lineage("dely")
    with pytest.raises(NotFound, match=r"no run 'r9'. Look at"):
        world.lineage("r9", kind="run")


def test_a_version_that_doesnt_exist_is_told_by_what_knows_the_versions(world):
    with pytest.raises(NotFound, match="There is no dataset 'flights:7'"):
        world.lineage("flights:7")


@pytest.mark.parametrize("held", ["datasets", "runs"])
def test_what_is_missing_on_the_way_is_shown_as_missing(world, held):
    getattr(world, held).clear()
    text = world.lineage("delay:3").text()
    assert "(missing)" in text


def test_a_reference_that_is_none_on_the_way_is_missing(world):
    world.datasets["features:1"] = InvalidName("no reference")
    assert "dataset features:1  (missing)" in world.lineage("delay:3").text()


def test_what_is_damaged_on_the_way_says_so(world):
    world.runs["r1"] = Corrupt("runs/r1/run.json doesn't match its own digest")
    text = world.lineage("delay:3").text()
    assert "run r1  (unreadable: runs/r1/run.json doesn't match its own digest)" in text


def test_another_content_than_what_was_recorded_is_pointed_out(world, make_run):
    world.runs["r1"] = make_run(id="r1", inputs=[link("flights:1", "sha256:other")])
    assert "(not the content that was recorded)" in world.lineage("r1").text()


def test_a_link_of_an_unknown_kind_is_shown(world, make_run):
    world.runs["r1"] = make_run(id="r1", inputs=[link("x:1", kind="stream")])
    assert "of a kind that this version doesn't know" in world.lineage("r1").text()


def test_a_bare_reference_is_a_dataset(world, make_run):
    world.runs["r1"] = make_run(id="r1", inputs=["flights:1"])
    assert "dataset flights:1" in world.lineage("r1").text()


def test_a_circle_ends(world, make_run):
    world.runs["r1"] = make_run(id="r1", inputs=[link("features:1"), link("features:1")])
    assert world.lineage("features:1").text().split("\n") == [
        "dataset features:1  sha256:ffffffffffff…  80,789 rows",
        "└─ run r1  a run of flights, FINISHED",
        "   └─ dataset features:1  sha256:ffffffffffff…  80,789 rows  (see above)",
    ]


def test_a_chain_of_any_length_is_followed(world, make_run):
    for n in range(1, 1500):
        world.runs[f"q{n}"] = make_run(id=f"q{n}", inputs=[link(f"d:{n}")])
        world.datasets[f"d:{n}"] = Version(f"d:{n}", run_id=f"q{n + 1}")
    found = world.lineage("d:1")
    assert len(found.nodes) == 2998
    assert found.text().count("\n") == 2997


def test_a_dataset_made_from_others_shows_them(world):
    world.datasets["joined:1"] = Version("joined:1", inputs=[link("flights:1")])
    assert world.lineage("joined:1").edges[0].relation == "made from"


def test_notebooks_show_the_tree_escaped(world, make_run):
    world.runs["r1"] = make_run(id="r1", name="<script>")
    found = world.lineage("r1")
    assert "<pre>" in found._repr_html_()
    assert "<script>" not in found._repr_html_()
    assert repr(found) == found.text()
