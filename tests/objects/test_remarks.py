"""Remarks: what is said of a version is never lost, and of a tag the last one counts everywhere."""

import itertools
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit._core.codec import encode_document
from mlkit.errors import Corrupt, ReadOnly, SingleWriterOnly, StorageFault
from mlkit.objects.remarks import KIND, Remarks, remark_series
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.protocol import Capabilities
from mlkit.storage.readonly import ReadOnlyStorage
from mlkit.testing import Fault, FaultyStorage

NOON = 1_700_000_000_000_000_000
_numbers = itertools.count()


def on(storage, clock=lambda: NOON, **options):
    """Give what is said of a version of flights."""
    series = remark_series(storage, "datasets/flights", 3, **options)
    return Remarks(series, "sha256:ab", clock=clock, user="ann")


@pytest.fixture
def remarks(storage):
    return on(storage)


def test_what_was_said_by_whom_and_when_is_kept(remarks):
    kept = remarks.add(tags={"owner": "ml"}, note="first")
    assert remarks.all() == [kept]
    assert (kept.number, kept.at, kept.user) == (1, NOON, "ann")
    assert (kept.tags, kept.note, kept.digest) == ({"owner": "ml"}, "first", "sha256:ab")


def test_of_a_tag_the_last_one_counts_and_none_takes_it_away(remarks):
    remarks.add(tags={"owner": "ml", "stage": "raw"})
    remarks.add(tags={"owner": "ann", "unknown": None})
    remarks.add(tags={"stage": None})
    assert remarks.tags({"stage": "new", "source": "s3"}) == {"source": "s3", "owner": "ann"}


def test_a_remark_is_later_than_those_that_its_writer_could_see_whatever_the_clocks_say(storage):
    times = iter([NOON, NOON, NOON - 10**15, NOON - 1])
    remarks = on(storage, clock=lambda: next(times))
    for number in range(4):
        remarks.add(tags={"number": str(number)})
    assert [one.number for one in remarks.all()] == [1, 2, 3, 4]
    assert remarks.tags({}) == {"number": "3"}


def test_a_clock_at_the_end_of_time_stops_nobody(storage):
    data = {
        "number": 1,
        "writer": "w",
        "digest": "sha256:ab",
        "at": "9999-12-31T23:59:59.999999Z",
        "user": "",
        "tags": {},
        "note": None,
    }
    storage.create("datasets/flights/remarks/3/1.json", encode_document(KIND, data))
    on(storage).add(tags={"owner": "ml"})
    assert on(storage).tags({}) == {"owner": "ml"}


def test_of_writers_at_once_none_is_lost(storage):
    def say(number):
        on(storage).add(tags={f"tag {number}": "x"}, note=f"note {number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(say, range(40)))
    found = on(storage).all()
    assert sorted(one.number for one in found) == list(range(1, 41))
    assert {one.note for one in found} == {f"note {number}" for number in range(40)}
    assert len({one.at for one in found}) == 40
    assert len(on(storage).tags({})) == 40


def test_versions_are_apart(storage):
    on(storage).add(note="third")
    other = Remarks(remark_series(storage, "datasets/flights", 4), "sha256:cd")
    assert other.all() == []
    assert other.tags({"a": "b"}) == {"a": "b"}


def test_a_remark_on_another_version_is_corrupt(storage):
    on(storage).add(note="third")
    data = storage.read("datasets/flights/remarks/3/1.json")
    storage.create("datasets/flights/remarks/4/1.json", data)
    other = Remarks(remark_series(storage, "datasets/flights", 4), "sha256:cd")
    with pytest.raises(Corrupt, match=r"remarks/4/1.json is about another version"):
        other.all()
    assert [path for path, _ in other.faults()] == ["datasets/flights/remarks/4/1.json"]


def test_a_damaged_remark_is_named_and_keeps_nobody_from_adding_one(storage, flip):
    remarks = on(storage)
    remarks.add(note="first")
    remarks.add(note="second")
    flip(storage, "datasets/flights/remarks/3/2.json", 300)
    assert remarks.add(note="third").number == 3
    with pytest.raises(Corrupt, match=r"remarks/3/2.json"):
        remarks.all()
    assert [path for path, _ in remarks.faults()] == ["datasets/flights/remarks/3/2.json"]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("at", "yesterday"),
        ("at", 3),
        ("user", None),
        ("tags", []),
        ("tags", {"a": 1}),
        ("tags", {"a": ["b"]}),
        ("note", 3),
        ("writer", 7),
        ("digest", None),
    ],
)
def test_what_makes_no_sense_is_corrupt(storage, name, wrong):
    whole = {
        "number": 1,
        "writer": "w",
        "digest": "sha256:ab",
        "at": "2026-01-31T00:00:00.000000Z",
        "user": "ann",
        "tags": {"a": None},
        "note": None,
    }
    data = encode_document(KIND, {**whole, name: wrong})
    storage.create("datasets/flights/remarks/3/1.json", data)
    with pytest.raises(Corrupt, match="lacks what it must hold"):
        on(storage).all()


@pytest.mark.parametrize("how", ["before", "after"])
def test_an_error_means_that_it_can_be_said_again(storage, how):
    watched = FaultyStorage(storage)
    on(watched).add(note="first")
    creates = [place for place, (verb, _) in enumerate(watched.operations, 1) if verb == "create"]
    failing = FaultyStorage(MemoryStorage(f"remarks-{next(_numbers)}"), Fault(creates[0], how))
    with pytest.raises(StorageFault):
        on(failing).add(note="first")
    on(failing).add(note="second")
    notes = [one.note for one in on(failing).all()]
    assert notes == (["second"] if how == "before" else ["first", "second"])


def test_what_only_reads_or_refuses_no_second_writer_says_so(storage):
    with pytest.raises(ReadOnly):
        on(ReadOnlyStorage(storage)).add(note="x")
    careless = FaultyStorage(
        storage, capabilities=Capabilities(exclusive_create=False, append=True)
    )
    with pytest.raises(SingleWriterOnly):
        on(careless).add(note="x")
    assert on(careless, single_writer=True).add(note="x").number == 1


@given(
    moves=st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from([None, "x", "y"]), st.integers(-5, 5)),
        max_size=12,
    ),
    seed=st.integers(0, 100),
)
def test_the_order_is_the_same_wherever_and_in_which_order_remarks_were_copied(moves, seed):
    source = MemoryStorage(f"remarks-{next(_numbers)}")
    now = NOON
    for tag, text, step in moves:
        now += step * 10**9
        on(source, clock=lambda now=now: now).add(tags={tag: text})
    series = remark_series(source, "datasets/flights", 3)
    documents = [series.read(number) for number in series.numbers()]
    random.Random(seed).shuffle(documents)
    target = MemoryStorage(f"remarks-{next(_numbers)}")
    for number, fields in enumerate(documents, 1):
        body = {**fields, "number": number}
        target.create(f"datasets/flights/remarks/3/{number}.json", encode_document(KIND, body))
    assert on(target).tags({}) == on(source).tags({})
    expected = {tag: text for tag, text, _ in moves}
    assert on(source).tags({}) == {tag: text for tag, text in expected.items() if text}
