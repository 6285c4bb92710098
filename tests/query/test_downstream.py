"""Downstream lineage: what came of what, among runs in memory."""

import pytest
from attrs import field, frozen

from mlkit.errors import NotFound
from mlkit.query.downstream import KnownVersions, Made, downstream
from mlkit.query.lineage import Lookups, lineage, of_dataset, of_model

DAY = 86_400 * 10**9


@frozen
class Version:
    ref: str
    digest: str
    created_at: int = DAY
    run_id: str | None = None
    rows: int | None = None
    inputs: list = field(factory=list)
    datasets: list = field(factory=list)


def link(ref, digest="", kind="dataset"):
    return {"kind": kind, "ref": ref, "digest": digest}


class World:
    """Versions and runs, and the questions that can be asked of them."""

    def __init__(self, columns_of, make_run):
        self.columns_of, self.make_run = columns_of, make_run
        self.models, self.datasets, self.runs = {}, {}, {}

    def dataset(self, ref, **fields):
        self.datasets[ref] = Version(ref, f"sha256:{ref}", **fields)

    def model(self, ref, **fields):
        self.models[ref] = Version(ref, f"sha256:{ref}", **fields)

    def run(self, run_id, **fields):
        self.runs[run_id] = self.make_run(id=run_id, **fields)

    def known(self):
        datasets = [Made(*of_dataset(one)) for one in self.datasets.values()]
        return KnownVersions([*datasets, *(Made(*of_model(one)) for one in self.models.values())])

    def lookups(self):
        def find(held):
            def get(ref):
                if ref not in held:
                    raise NotFound(f"There is no {ref!r}")
                return held[ref]

            return get

        return Lookups(model=find(self.models), dataset=find(self.datasets), run=find(self.runs))

    def downstream(self, ref):
        runs = self.columns_of(self.runs.values())
        return downstream(ref, find=self.lookups(), versions=self.known, runs=runs)

    def upstream(self, ref):
        return lineage(ref, find=self.lookups())


@pytest.fixture
def world(columns_of, make_run):
    """Raw flights, of which a run made features, on which a sweep's trial trained a model."""
    world = World(columns_of, make_run)
    world.dataset("flights:1")
    world.dataset("features:1", run_id="r1", rows=9, inputs=[link("flights:1", "sha256:flights:1")])
    world.model("delay:3", run_id="r2", datasets=[link("features:1", "sha256:features:1")])
    world.run("r0", experiment="sweep", status="RUNNING")
    world.run("r1", name="clean", inputs=[link("flights:1", "sha256:flights:1")])
    world.run(
        "r2", name="trial 4", parent_id="r0", inputs=[link("features:1", "sha256:features:1")]
    )
    world.run("r3", experiment="beside", inputs=[link("flights:2", "sha256:flights:2")])
    return world


def edges(graph):
    return {(edge.source, edge.relation, edge.target) for edge in graph.edges}


def test_data_leads_to_the_runs_that_read_it_and_all_that_came_of_them(world):
    graph = world.downstream("flights:1")
    assert graph.text().split("\n") == [
        "dataset flights:1  sha256:flights:1",
        "└─ run r1  clean of flights, FINISHED",
        "   └─ dataset features:1  sha256:features:1  9 rows",
        "      └─ run r2  trial 4 of flights, FINISHED",
        "         └─ model delay:3  sha256:delay:3  saved 1970-01-02 00:00",
    ]
    assert graph.direction == "downstream"
    assert graph.to_json()["direction"] == "downstream"


def test_both_directions_say_the_same_of_what_is_in_both(world):
    down, up = edges(world.downstream("flights:1")), edges(world.upstream("delay:3"))
    assert down == {edge for edge in up if "r0" not in edge[2]}


def test_of_a_run_come_its_parts_and_what_they_made(world):
    refs = [node.ref for node in world.downstream("r0").nodes]
    assert refs == ["r0", "r2", "delay:3"]
    assert [node.ref for node in world.downstream("r1").nodes][:2] == ["r1", "features:1"]


def test_a_run_that_made_what_was_there_already_made_it_too(world):
    output = link("features:1", "sha256:features:1")
    world.run("r4", inputs=[link("raw:1", "sha256:raw:1")], outputs=[output])
    world.dataset("raw:1")
    refs = [node.ref for node in world.downstream("raw:1").nodes]
    assert refs == ["raw:1", "r4", "features:1", "r2", "delay:3"]


def test_versions_made_without_a_run_are_found(world):
    world.dataset("joined:1", inputs=[link("flights:1", "sha256:flights:1"), "features:1"])
    graph = world.downstream("flights:1")
    joined = ("dataset", "joined:1")
    assert (joined, "made from", ("dataset", "flights:1")) in edges(graph)
    assert (joined, "made from", ("dataset", "features:1")) in edges(graph)


def test_the_content_counts_and_not_the_number(world):
    world.run("r5", inputs=[link("flights:7", "sha256:flights:1")])
    world.run("r6", inputs=[link("flights:1", "sha256:another")])
    world.run("r7", inputs=[link("weather:1", "sha256:flights:1")])
    readers = {source for source, relation, _ in edges(world.downstream("flights:1"))}
    assert ("run", "r5") in readers
    assert not {("run", "r6"), ("run", "r7")} & readers


def test_a_reference_without_a_digest_means_its_number(world):
    world.run("r5", inputs=[link("flights:1")])
    assert ("run", "r5") in {node.key for node in world.downstream("flights:1").nodes}


def test_an_output_that_is_missing_is_shown_as_missing(world):
    world.run(
        "r5",
        inputs=[link("flights:1", "sha256:flights:1")],
        outputs=[link("gone:1", "sha256:gone:1"), link("x:1", "sha256:x", kind="stream")],
    )
    problems = {node.ref: node.problem for node in world.downstream("flights:1").nodes}
    assert problems["gone:1"] == problems["x:1"] == "missing"


def test_an_alias_leads_to_what_came_of_the_version_that_holds_it(world):
    world.datasets["flights@gold"] = world.datasets["flights:1"]
    lines = world.downstream("flights@gold").text().split("\n")
    assert lines[:3] == [
        "flights@gold",
        "└─ dataset flights:1  sha256:flights:1",
        "   └─ run r1  clean of flights, FINISHED",
    ]


def test_what_nothing_came_of_is_alone(world):
    assert world.downstream("delay:3").text().count("\n") == 0


def test_a_circle_ends(world):
    world.run("r8", inputs=[link("features:1", "sha256:features:1")])
    world.dataset("features:1", run_id="r8")
    assert [node.ref for node in world.downstream("features:1").nodes] == [
        "features:1",
        "r2",
        "r8",
        "delay:3",
    ]


def test_what_a_hostile_run_names_ends_in_no_error(world):
    world.run("r9", outputs=[link("../..", "sha256:x"), link("", "")])
    assert len(world.downstream("r9").nodes) == 3


def test_what_does_not_exist_is_an_error(world):
    with pytest.raises(NotFound):
        world.downstream("nothing:1")
