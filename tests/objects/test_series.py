"""Series: numbered documents without gaps, however many write at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mlkit._core.ids import token
from mlkit.errors import Corrupt, NotFound, ReadOnly, SingleWriterOnly, StorageFault
from mlkit.objects.series import Series
from mlkit.storage.protocol import Capabilities
from mlkit.storage.readonly import ReadOnlyStorage
from mlkit.testing import Fault, FaultyStorage


@pytest.fixture
def series(storage):
    return Series(storage, "things/one", "thing")


def test_an_empty_series_has_no_latest(series):
    assert series.numbers() == []
    assert series.latest() is None


def test_numbers_begin_at_one_and_have_no_gaps(series):
    assert [series.append(lambda n: {"n": n}, token=token()) for _ in range(12)] == list(
        range(1, 13)
    )
    assert series.numbers() == list(range(1, 13))
    assert series.latest() == 12


def test_a_document_knows_its_number_and_writer(series):
    series.append(lambda n: {"text": f"number {n}"}, token="me")
    assert series.read(1) == {"number": 1, "writer": "me", "text": "number 1"}


def test_what_is_no_number_is_left_out(series, storage):
    series.append(lambda n: {}, token="me")
    for name in ("0.json", "01.json", "x.json", "2.txt", "aliases/prod/2.json"):
        storage.write(f"things/one/{name}", b"{}")
    assert series.numbers() == [1]


def test_what_only_reads_says_so(storage):
    series = Series(ReadOnlyStorage(storage), "things/one", "thing", single_writer=True)
    with pytest.raises(ReadOnly, match="it only reads"):
        series.append(lambda n: {}, token="me")


def test_a_number_that_does_not_exist_is_not_found(series):
    with pytest.raises(NotFound):
        series.read(7)


def test_writers_at_once_get_different_numbers_without_gaps(series):
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: series.append(lambda n: {}, token=token()), range(40)))
    assert sorted(got) == list(range(1, 41))
    writers = {series.read(number)["writer"] for number in got}
    assert len(writers) == 40


def test_a_lost_race_takes_the_next_number(series):
    def make(number):
        if number == 1:
            series.create(1, {}, token="other")
        return {"made": number}

    assert series.append(make, token="me") == 2
    assert series.read(1)["writer"] == "other"


def test_a_number_that_is_taken_is_not_created(series):
    assert series.create(1, {}, token="me")
    assert not series.create(1, {}, token="other")


def test_what_makes_the_fields_may_give_up(series):
    def give_up(number):
        raise LookupError

    with pytest.raises(LookupError):
        series.append(give_up, token="me")
    assert series.numbers() == []


def test_a_lost_reply_can_be_tried_again_without_a_second_document(storage):
    faulty = Series(FaultyStorage(storage, Fault(1, "after")), "things/one", "thing")
    with pytest.raises(StorageFault):
        faulty.create(1, {"a": 1}, token="me")
    assert faulty.create(1, {"a": 1}, token="me")
    assert faulty.numbers() == [1]


def test_a_storage_that_cannot_refuse_needs_a_single_writer(storage):
    weak = FaultyStorage(storage, capabilities=Capabilities(exclusive_create=False, append=False))
    for write in (
        lambda series: series.append(lambda n: {}, token="me"),
        lambda series: series.create(1, {}, token="me"),
    ):
        with pytest.raises(SingleWriterOnly, match="single_writer=True"):
            write(Series(weak, "things/one", "thing"))
    promised = Series(weak, "things/one", "thing", single_writer=True)
    assert promised.append(lambda n: {}, token="me") == 1


def test_a_document_that_was_copied_to_another_number_is_noticed(series, storage):
    series.append(lambda n: {}, token="me")
    storage.write(series.path(2), storage.read(series.path(1)))
    with pytest.raises(Corrupt, match="moved or copied"):
        series.read(2)


def test_a_flipped_bit_is_noticed(series, storage, flip):
    series.append(lambda n: {"text": "hello"}, token="me")
    flip(storage, series.path(1), 300)
    with pytest.raises(Corrupt, match=r"things/one/1\.json"):
        series.read(1)


def test_a_listing_that_lags_behind_still_leads_to_the_next_number(storage, monkeypatch):
    series = Series(storage, "things/one", "thing")
    for _ in range(3):
        series.append(lambda n: {}, token=token())
    monkeypatch.setattr(type(series), "numbers", lambda self: [1])
    assert series.append(lambda n: {}, token=token()) == 4
