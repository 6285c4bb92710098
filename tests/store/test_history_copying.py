"""What became of versions is copied with them: no alias moves, and no remark is lost."""

import pytest
from attrs import evolve

import mlkit
from mlkit._core.codec import decode_document, encode_document
from mlkit.store.merge import merge
from mlkit.testing import Fault, FaultyStorage
from mlkit.testing.faults import Kill


@pytest.fixture
def team(tmp_path):
    """The store that gets."""
    return mlkit.Store(tmp_path / "team")


@pytest.fixture
def said(store):
    """A store with two versions of a dataset, an alias that moved, tags and notes."""
    for number in (1, 2):
        store.log_dataset("flights", {"a": [number]})
    flights = store.datasets["flights"]
    flights.promote(1, "gold", reason="first")
    flights.promote(2, "gold", reason="better")
    flights[1].set_tags(owner="ml", stage="raw")
    flights[1].note("by hand")
    flights[2].set_tags(owner="ann")
    return store


def bodies(store, root="datasets"):
    return {one.path: store._storage.read(one.path) for one in store._storage.list(root)}


def written(storage):
    return [path for verb, path in storage.operations if verb in {"write", "create", "delete"}]


def counts(report, kind):
    return next(((one.objects, one.there) for one in report.parts if one.kind == kind), (0, 0))


def test_all_of_it_comes_to_an_empty_store_byte_for_byte(said, team):
    report = team.merge(said)
    assert report.is_complete, report
    assert bodies(team) == bodies(said)
    assert team.datasets["flights"].history("gold") == said.datasets["flights"].history("gold")
    assert team.dataset("flights@gold").tags == {"owner": "ann"}
    assert (counts(report, "remarks"), counts(report, "moves of aliases")) == ((3, 0), (2, 0))
    assert list(team.verify()) == []


def test_a_second_merge_writes_nothing(said, team):
    team.merge(said)
    watched = FaultyStorage(team._storage)
    report = merge(said._parts, evolve(team._parts, storage=watched))
    assert written(watched) == []
    assert counts(report, "remarks") == (0, 3)


def test_an_alias_that_is_here_is_never_moved(said, team):
    team.merge(said)
    said.log_dataset("flights", {"a": [3]})
    said.datasets["flights"].promote(3, "gold")
    assert team.merge(said).is_complete
    assert team.datasets["flights"].numbers() == [1, 2, 3]
    assert team.datasets["flights"].aliases() == {"gold": 2}


def test_a_dataset_with_versions_of_its_own_keeps_its_aliases_and_gets_none(said, team):
    team.log_dataset("flights", {"a": [99]})
    team.datasets["flights"].promote(1, "silver")
    assert team.merge(said).renumbered == (("flights:1", "flights:2"), ("flights:2", "flights:3"))
    assert team.datasets["flights"].aliases() == {"silver": 1}


def test_equal_contents_under_equal_numbers_have_the_same_aliases(said, team):
    team.log_dataset("flights", {"a": [1]})  # by another, at another time
    team.merge(said)
    assert team.datasets["flights"].aliases() == {"gold": 2}


def test_an_alias_that_differs_by_case_only_stays_behind(said, team):
    team.merge(said)
    said.datasets["flights"].promote(1, "Silver")
    team.datasets["flights"].promote(1, "silver")
    report = team.merge(said)
    assert "by case only" in repr(report)
    assert team.datasets["flights"].aliases() == {"gold": 2, "silver": 1}


def test_what_was_said_follows_the_number_of_its_version(said, team):
    team.log_dataset("flights", {"a": [99]})
    team.dataset("flights:1").set_tags(owner="team")
    team.merge(said)
    assert [team.dataset(f"flights:{number}").tags for number in (1, 2, 3)] == [
        {"owner": "team"},
        {"owner": "ml", "stage": "raw"},
        {"owner": "ann"},
    ]
    assert [note["text"] for note in team.dataset("flights:2").notes] == ["by hand"]
    assert list(team.verify()) == []
    assert team.merge(said).objects == 0


def test_remarks_of_both_sides_come_together_and_the_later_counts_on_both(said, team):
    team.merge(said)
    said.dataset("flights:1").set_tags(owner="said", here="1")
    team.dataset("flights:1").set_tags(owner="team", there="2")
    said.dataset("flights:1").note("there")
    team.dataset("flights:1").note("here")
    for _ in range(2):
        team.merge(said)
        said.merge(team)
    expected = {"owner": "team", "stage": "raw", "here": "1", "there": "2"}
    assert team.dataset("flights:1").tags == said.dataset("flights:1").tags == expected
    assert team.dataset("flights:1").notes == said.dataset("flights:1").notes
    assert [one["text"] for one in team.dataset("flights:1").notes] == ["by hand", "there", "here"]
    for side in (said, team):
        numbers = side.datasets["flights"]._remarks(1, "").series.numbers()
        assert numbers == list(range(1, 7))
        assert list(side.verify()) == []


def test_what_is_said_after_a_merge_counts_though_a_clock_was_ahead(said, team):
    ahead = evolve(said.datasets, clock=lambda: 2_000_000_000_000_000_000)
    ahead["flights"][1].set_tags(owner="future")
    team.merge(said)
    team.dataset("flights:1").set_tags(owner="now")
    assert team.dataset("flights:1").tags["owner"] == "now"
    said.merge(team)
    assert said.dataset("flights:1").tags["owner"] == "now"


@pytest.mark.parametrize("at", range(1, 12))
def test_who_dies_in_a_merge_leaves_nothing_half_and_the_next_one_finishes(said, team, at):
    team.log_dataset("flights", {"a": [1]})
    watched = FaultyStorage(team._storage)
    writes = 0

    class Dying(FaultyStorage):
        def create(self, path, data, *, durable=True):
            nonlocal writes
            writes += 1
            if writes == at:
                raise Kill(path)
            super().create(path, data, durable=durable)

    try:
        merge(said._parts, evolve(team._parts, storage=Dying(watched)))
    except Kill:
        assert set(team.datasets["flights"].aliases().values()) <= {2}
    assert list(team.verify()) == []
    team.merge(said)
    assert team.datasets["flights"].history("gold") == said.datasets["flights"].history("gold")
    assert [one.tags for one in team.datasets["flights"]] == [
        one.tags for one in said.datasets["flights"]
    ]


def test_an_error_on_the_way_is_no_loss(said, team):
    watched = FaultyStorage(team._storage)
    merge(said._parts, evolve(team._parts, storage=watched))
    for path, data in bodies(said).items():
        assert team._storage.read(path) == data
    failing = FaultyStorage(team._storage, Fault(1, "before"))
    with pytest.raises(mlkit.errors.StorageFault):
        merge(said._parts, evolve(team._parts, storage=failing))
    assert team.merge(said).objects == 0


def test_a_damaged_remark_is_named_and_the_rest_comes(said, team):
    path = "datasets/flights/remarks/1/1.json"
    said._storage.write(path, b"{}")
    report = team.merge(said)
    assert [one.path for one in report.problems] == [path]
    assert [note["text"] for note in team.dataset("flights:1").notes] == ["by hand"]
    assert team.dataset("flights:2").tags == {"owner": "ann"}


def test_remarks_of_a_hostile_store_that_make_no_sense_stay_behind(said, team):
    whole = said._storage.read("datasets/flights/remarks/1/1.json")
    fields = decode_document(whole, "remark", "")
    for number, wrong in enumerate(({"digest": "sha256:else"}, {"tags": 3}, {"at": 7}), 3):
        body = {**fields, "number": number, "writer": f"w{number}", **wrong}
        said._storage.create(
            f"datasets/flights/remarks/1/{number}.json", encode_document("remark", body)
        )
    report = team.merge(said)
    assert {one.path for one in report.problems} == {
        f"datasets/flights/remarks/1/{number}.json" for number in (3, 4, 5)
    }
    assert team.dataset("flights:1").tags == {"owner": "ml", "stage": "raw"}
    assert list(team.verify()) == []


def test_an_export_takes_along_what_was_said_of_the_versions_that_it_takes(said, tmp_path):
    with said.start_run("train") as run:
        run.use_dataset("flights:2")
    report = said.export(run.id, tmp_path / "out")
    assert report.is_complete, report
    out = mlkit.Store(tmp_path / "out")
    assert out.run(run.id).inputs[0]["ref"] == "flights:1"
    assert out.dataset("flights:1").tags == {"owner": "ann"}
    assert out.datasets["flights"].aliases() == {}  # they name numbers of the other store
    assert list(out.verify()) == []


def test_an_export_of_all_versions_takes_the_aliases_along(said, tmp_path):
    with said.start_run("train") as run:
        run.use_dataset("flights:1")
        run.use_dataset("flights:2")
    said.export(run.id, tmp_path / "out")
    assert mlkit.Store(tmp_path / "out").dataset("flights@gold").ref == "flights:2"


def test_gc_takes_nothing_for_an_alias_or_a_remark_and_removes_none(said, age):
    before = bodies(said)
    age(30)
    said.gc()
    assert bodies(said) == before
    said._storage.write("datasets/flights/remarks/1/1.json", b"{}")
    said._storage.write("datasets/flights/aliases/gold/1.json", b"{}")
    said.gc()  # neither refers to anything, so nobody needs to know what they said
    assert {one.path for one in said.verify()} == {
        "datasets/flights/remarks/1/1.json",
        "datasets/flights/aliases/gold/1.json",
    }
    assert said.dataset("flights:1").to_arrow().to_pydict() == {"a": [1]}


def test_verify_finds_every_flipped_bit(said):
    paths = [path for path in bodies(said) if path.count("/") > 2]
    assert len(paths) == 5
    for path in paths:
        whole = said._storage.read(path)
        for place in range(0, len(whole) * 8, 97):
            data = bytearray(whole)
            data[place // 8] ^= 1 << place % 8
            said._storage.write(path, bytes(data))
            assert path in {one.path for one in said.verify()}, place
        said._storage.write(path, whole)
    assert list(said.verify()) == []
