"""Aliases of datasets, tags and notes of versions: they move, and the versions stay as they are."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlkit.data.version import DatasetVersion
from mlkit.errors import Corrupt, InvalidInput, InvalidName, NotFound, ReadOnly, SingleWriterOnly
from mlkit.objects.series import Series
from mlkit.storage.protocol import Capabilities
from mlkit.storage.readonly import ReadOnlyStorage
from mlkit.testing import FaultyStorage


@pytest.fixture
def flights(datasets):
    """Gives a dataset of three versions."""
    for number in range(3):
        datasets.log("flights", {"a": [number]})
    return datasets["flights"]


def test_an_alias_means_the_version_that_it_was_given_to_last(flights, datasets):
    entry = flights.promote(1, "gold", reason="checked by hand", run_id="a-run")
    assert (entry.version, entry.replaced, entry.user) == (1, None, "ann")
    assert (entry.reason, entry.run_id, entry.gate_report) == ("checked by hand", "a-run", None)
    assert flights.promote(3, "gold").replaced == 1
    assert datasets.get("flights@gold").ref == "flights:3"
    assert flights.alias("gold") == flights[3]
    assert flights.aliases() == {"gold": 3}
    assert repr(flights) == "<Dataset flights: version 3, gold is 3>"


def test_rollback_goes_back_step_by_step_and_the_history_keeps_all(flights):
    for number in (1, 2, 3):
        flights.promote(number, "gold")
    assert flights.rollback("gold", reason="a wrong unit").version == 2
    assert flights.rollback("gold").version == 1
    with pytest.raises(InvalidInput, match="no version before flights:1"):
        flights.rollback("gold")
    assert [one.version for one in flights.history("gold")] == [1, 2, 3, 2, 1]
    assert flights.history("gold")[3].reason == "a wrong unit"


def test_a_version_is_promoted_by_number_itself_or_reference(flights):
    flights.promote(1, "gold")
    digits = flights[2].digest[7:19]
    for version, number in [
        (flights[2], 2),
        ("flights:3", 3),
        ("flights", 3),
        ("flights@gold", 3),
        (f"flights#{digits}", 2),
    ]:
        assert flights.promote(version, "gold").version == number


def test_versions_of_other_datasets_are_refused(flights, datasets):
    other = datasets.log("other", {"a": [1]})
    for version in (other, "other:1"):
        with pytest.raises(InvalidInput, match=r"another dataset than 'flights'.*datasets\['oth"):
            flights.promote(version, "gold")
    assert flights.aliases() == {}


@pytest.mark.parametrize("version", [9, 0, "flights:9"])
def test_versions_that_do_not_exist_are_not_promoted(flights, version):
    with pytest.raises(NotFound, match="It has 1 to 3"):
        flights.promote(version, "gold")
    assert flights.aliases() == {}


@pytest.mark.parametrize("version", [True, 1.5, None])
def test_what_is_no_version_is_not_promoted(flights, version):
    with pytest.raises(InvalidInput, match="no number of a version"):
        flights.promote(version, "gold")


@pytest.mark.parametrize("alias", ["latest", "7", "a/b", "..", ""])
def test_aliases_that_cannot_be_are_refused(flights, alias):
    with pytest.raises(InvalidName):
        flights.promote(1, alias)
    assert flights.aliases() == {}


def test_aliases_that_differ_by_case_only_are_refused(flights):
    flights.promote(1, "gold")
    with pytest.raises(InvalidName, match="differs from 'gold' by case only"):
        flights.promote(1, "Gold")


def test_an_unknown_alias_suggests_a_near_one(flights, datasets):
    with pytest.raises(NotFound, match=r"The dataset 'flights' has no alias 'gold'. It has none"):
        datasets.get("flights@gold")
    flights.promote(1, "gold")
    with pytest.raises(NotFound, match="Did you mean 'gold'"):
        datasets.get("flights@godl")
    for ask in (flights.history, flights.rollback):
        with pytest.raises(NotFound, match="has no alias 'silver'"):
            ask("silver")


def test_those_who_move_an_alias_at_once_leave_a_history_without_gaps(flights, storage, datasets):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: flights.promote(n % 3 + 1, "gold"), range(32)))
    history = flights.history("gold")
    assert [one.number for one in history] == list(range(1, 33))
    assert [one.replaced for one in history[1:]] == [one.version for one in history[:-1]]
    assert flights.aliases() == {"gold": history[-1].version}


def test_what_lies_below_a_dataset_is_no_version_of_it(flights, datasets):
    flights.promote(1, "gold")
    flights[1].note("checked")
    assert datasets["flights"].numbers() == [1, 2, 3]
    assert datasets.log("flights", {"a": [9]}).ref == "flights:4"
    assert datasets.names() == ["flights"]


def test_a_damaged_alias_leaves_the_versions_readable(flights, datasets, memory):
    flights.promote(1, "gold")
    path = "datasets/flights/aliases/gold/1.json"
    memory.write(path, memory.read(path).replace(b'"version": 1', b'"version": 2'))
    with pytest.raises(Corrupt):
        datasets.get("flights@gold")
    assert repr(flights) == "<Dataset flights: version 3, an alias is damaged>"
    assert datasets.get("flights:1").to_arrow().to_pydict() == {"a": [0]}
    problems = []
    list(datasets.uses(problems.append))
    assert [(one.path, one.hurts) for one in problems] == [(path, ())]


def test_secrets_are_masked_before_they_are_written(flights, memory):
    flights.promote(1, "gold", reason="as in https://hunter2@host/report")
    flights[1].set_tags(api_key="hunter2", url="https://hunter2@host")
    flights[1].note("see https://hunter2@host")
    assert flights.history("gold")[0].reason == "as in https://[masked]@host/report"
    assert flights[1].tags == {"api_key": "[masked]", "url": "https://[masked]@host"}
    written = [memory.read(one.path) for one in memory.list("datasets/flights")]
    assert not any(b"hunter2" in data for data in written)


def test_tags_and_notes_change_nothing_of_the_version(flights, datasets, memory):
    before, version = memory.read("datasets/flights/2.json"), flights[2]
    version.set_tags({"owner": "ml", "rows": 1}, stage="raw")
    version.set_tags(stage=None)
    version.note("first")
    version.note("second")
    assert memory.read("datasets/flights/2.json") == before
    again = datasets.get("flights:2")
    assert again == version
    assert again.tags == version.tags == {"owner": "ml", "rows": "1"}
    assert [(one["user"], one["text"]) for one in again.notes] == [
        ("ann", "first"),
        ("ann", "second"),
    ]
    assert [one["time"] for one in again.notes] == sorted({one["time"] for one in again.notes})
    assert flights[1].tags == {}


def test_tags_that_say_nothing_write_nothing(flights, memory):
    flights[1].set_tags()
    flights[1].set_tags({})
    assert list(memory.list("datasets/flights/remarks")) == []


@pytest.mark.parametrize(
    "say",
    [
        lambda version: version.set_tags({3: "a"}),
        lambda version: version.set_tags({"": "a"}),
        lambda version: version.set_tags("owner"),
        lambda version: version.note(7),
    ],
)
def test_what_is_no_tag_or_note_is_refused_and_nothing_is_written(flights, memory, say):
    with pytest.raises(InvalidInput):
        say(flights[1])
    assert list(memory.list("datasets/flights/remarks")) == []


def test_a_damaged_remark_leaves_the_version_readable(flights, datasets, memory):
    flights[1].note("first")
    memory.write("datasets/flights/remarks/1/1.json", b"{}")
    version = datasets.get("flights:1")
    assert version.to_arrow().to_pydict() == {"a": [0]}
    assert "flights:1" in version._repr_html_()
    for ask in (lambda: version.tags, lambda: version.notes):
        with pytest.raises(Corrupt, match=r"remarks/1/1.json"):
            ask()
    version.note("second")
    problems = []
    list(datasets.uses(problems.append))
    assert [(one.path, one.hurts) for one in problems] == [
        ("datasets/flights/remarks/1/1.json", ())
    ]


def test_versions_with_remarks_pickle(flights):
    flights[1].set_tags(owner="ml")
    assert pickle.loads(pickle.dumps(flights[1].notes)) == []
    assert pickle.loads(pickle.dumps(flights.promote(1, "gold"))).version == 1


def test_what_only_reads_or_refuses_no_second_writer_says_so(flights, memory, open_datasets):
    closed = open_datasets(ReadOnlyStorage(memory))["flights"]
    careless = FaultyStorage(memory, capabilities=Capabilities(exclusive_create=False, append=True))
    shared = open_datasets(careless)["flights"]
    acts = (
        lambda dataset: dataset.promote(1, "gold"),
        lambda dataset: dataset[1].set_tags(a="b"),
        lambda dataset: dataset[1].note("x"),
    )
    for dataset, error in ((closed, ReadOnly), (shared, SingleWriterOnly)):
        for act in acts:
            with pytest.raises(error):
                act(dataset)
    alone = open_datasets(careless, single_writer=True)["flights"]
    assert alone.promote(1, "gold").version == 1


def test_without_a_store_relations_are_not_known(flights):
    for ask in (lambda: flights[1].parents, flights[1].children, flights[1].used_by):
        with pytest.raises(InvalidInput, match="flights:1 wasn't given by a store"):
            ask()


def test_a_version_that_nothing_gave_can_be_looked_at_and_not_remarked_on(flights, memory):
    series = Series(memory, "datasets/flights", "dataset_version")
    alone = DatasetVersion.from_document("flights", series.read(1), None)
    assert (alone.tags, alone.notes) == ({}, [])
    with pytest.raises(InvalidInput, match="flights:1 wasn't given by a store"):
        alone.set_tags(a="b")


def test_tags_of_the_document_are_there_until_another_is_set(flights, memory):
    series = Series(memory, "datasets/flights", "dataset_version")
    body = {
        **series.read(1),
        "tags": {"owner": "ml", "stage": "raw"},
        "digest": "sha256:" + "a" * 64,
    }
    series.append(lambda _: {k: body[k] for k in body if k not in {"number", "writer"}}, token="w")
    version = flights[4]
    version.set_tags(stage=None)
    assert flights[4].tags == {"owner": "ml"}


def test_tags_that_are_given_with_a_content_that_is_there_are_kept_too(datasets, memory):
    datasets.log("flights", {"a": [1]}, tags={"owner": "ml"})
    assert list(memory.list("datasets/flights/remarks")) == []
    for _ in range(2):
        version = datasets.log("flights", {"a": [1]}, tags={"owner": "ann", "api_key": "hunter2"})
        assert version.ref == "flights:1"
        assert version.tags == {"owner": "ann", "api_key": "[masked]"}
    assert [one.path for one in memory.list("datasets/flights/remarks")] == [
        "datasets/flights/remarks/1/1.json"
    ]


@pytest.mark.parametrize("reason", [None, 5, b"x"])
def test_a_reason_is_a_text_and_what_isnt_moves_nothing(flights, reason):
    with pytest.raises(InvalidInput, match="reason="):
        flights.promote(1, "gold", reason=reason)
    assert flights.aliases() == {}
