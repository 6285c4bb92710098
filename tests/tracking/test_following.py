"""Promises about following: each record once, in order, as it comes, until the run is over."""

import shutil
import subprocess
import sys
import time
import uuid
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit._core.codec import encode_document
from mlkit.errors import Corrupt, InvalidInput, NotFound
from mlkit.metrics.framing import frame
from mlkit.metrics.records import Event
from mlkit.storage.local import LocalStorage
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.protocol import Capabilities
from mlkit.storage.wrapped import LimitedStorage, WrappedStorage
from mlkit.store.root import open_root
from mlkit.store.store import Store
from mlkit.tracking import following
from mlkit.tracking.following import Following, Point

NO_APPEND = Capabilities(exclusive_create=True, append=False)


class Time:
    """Passes only when somebody sleeps; meanwhile the next thing happens.

    Attributes:
        slept: The pauses, in seconds.
    """

    def __init__(self, *happenings):
        self.now = 0.0
        self.slept = []
        self.happenings = list(happenings)

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds
        if self.happenings:
            self.happenings.pop(0)()

    def timer(self):
        return self.now


def follow(store, run_id, *happenings, keys=None, timeout=3600, storage=None, passing=None):
    """Follow a run; between two looks the next of the happenings happens."""
    passing = passing or Time(*happenings)
    return Following(
        run_id,
        storage=storage or store._storage,
        clock=time.time_ns,
        keys=None if keys is None else frozenset(keys),
        timeout=timeout,
        sleep=passing.sleep,
        timer=passing.timer,
    ).records()


def values(records):
    return [record.value for record in records if isinstance(record, Point)]


def shown(record):
    if isinstance(record, Point):
        return record.key, record.step, record.value
    return record.name


@pytest.fixture(params=["appends", "sends"])
def either(request, store, tmp_path):
    if request.param == "appends":
        return store
    open_root(LimitedStorage(LocalStorage(tmp_path / "remote"), NO_APPEND), time.time_ns)
    return Store(tmp_path / "remote")


# What is given


def test_a_run_that_has_ended_is_given_whole(either):
    with either.start_run("flights", tags={"a": 1}) as run:
        run.log_params(lr=0.1)
        run.log_metrics({"loss": 0.3, "auc": 0.8}, step=1)
        run.note("hm")
        run.log_metric("loss", 0.2, step=2.5)
    assert [shown(record) for record in either.run(run.id).follow()] == [
        "params",
        ("loss", 1, 0.3),
        ("auc", 1, 0.8),
        "note",
        ("loss", 2.5, 0.2),
    ]


def test_records_say_when_they_were_written(store):
    before = time.time_ns()
    with store.start_run("flights") as run:
        run.note("hm")
        run.log_metric("loss", 0.3)
    note, point = store.run(run.id).follow()
    assert isinstance(note, Event)
    assert note.body == {"text": "hm"}
    assert before <= note.time <= point.time <= time.time_ns()


def test_a_live_run_is_followed_to_its_end(either):
    run = either.start_run("flights")
    run.log_metric("loss", 0)
    run.flush()

    def log(value):
        run.log_metric("loss", value)
        run.flush()

    happenings = [lambda value=value: log(value) for value in range(1, 5)]
    records = follow(either, run.id, *happenings, run.finish)
    assert values(records) == [0, 1, 2, 3, 4]


def test_only_the_metrics_that_were_named_are_given(store):
    with store.start_run("flights") as run:
        run.log_params(lr=0.1)
        run.log_metrics({"loss": 1, "auc": 2, "f1": 3})
    read = store.run(run.id)
    assert [point.key for point in read.follow("auc")] == ["auc"]
    assert [point.key for point in read.follow(["loss", "f1"])] == ["loss", "f1"]
    assert list(read.follow(["never", "f1"]))


def test_a_run_that_has_ended_with_other_metrics_says_that_it_lacks_what_is_followed(store):
    with store.start_run("flights") as run:
        run.log_metrics({"loss": 1, "auc": 2})
    for key, said in (("lss", "Did you mean 'loss'"), ("x", "It has auc, loss")):
        with pytest.raises(NotFound, match=said):
            list(store.run(run.id).follow(key))


def test_a_run_without_any_metric_ends_without_an_error(store):
    with store.start_run("flights") as run:
        run.log_params(lr=0.1)
    assert list(store.run(run.id).follow("loss")) == []


def test_a_metric_that_comes_later_is_waited_for_and_a_slip_is_not(store):
    run = store.start_run("flights")
    run.log_metric("loss", 1)
    later = (lambda: run.log_metric("auc", 2), run.finish)
    assert values(follow(store, run.id, *later, keys=["auc"])) == [2]
    run = store.start_run("flights")
    run.log_metric("loss", 1)
    with pytest.raises(NotFound, match="Did you mean 'loss'"):
        list(follow(store, run.id, keys=["losss"]))
    run.finish()


@pytest.mark.parametrize("timeout", ["x", -1, True, float("nan"), [1]])
def test_a_timeout_that_is_no_number_of_seconds_is_refused_at_once(store, timeout):
    with store.start_run("flights") as run:
        pass
    with pytest.raises(InvalidInput, match="no number of seconds"):
        store.run(run.id).follow("loss", timeout=timeout)


@pytest.mark.parametrize("wrong", [3, "", [], [1], b"loss", {"a": 1}.values()])
def test_what_names_no_metric_is_refused_at_once(store, wrong):
    with store.start_run("flights") as run:
        pass
    with pytest.raises(InvalidInput, match="names no metric"):
        store.run(run.id).follow(wrong)


def test_a_resumed_run_is_followed_to_its_second_end(either):
    with either.start_run("flights") as run:
        run.log_metric("loss", 1)
    again = either.start_run("flights", resume=run.id)
    again.log_metric("loss", 2)
    again.flush()

    def more():
        again.log_metric("loss", 3)
        again.finish()

    assert values(follow(either, run.id, more)) == [1, 2, 3]


def test_several_writers_are_each_given_in_their_order(store):
    run = store.start_run("flights")
    members = [store.runs.join(run._earlier.head) for _ in range(3)]
    happenings = []
    for step in range(4):
        happenings += [
            lambda member=member, number=number, step=step: member.log_metric(f"m{number}", step)
            for number, member in enumerate(members)
        ]
    happenings += [member.finish for member in members]
    found = list(follow(store, run.id, *happenings, run.finish))
    for number in range(3):
        assert [one.value for one in found if shown(one)[0] == f"m{number}"] == [0, 1, 2, 3]
    assert len(values(found)) == 12


def test_segments_of_one_writer_are_given_by_their_numbers(store):
    run = store.start_run("flights")
    for number in range(12):
        run.log_metric("loss", number)
        run._journal.roll()
    run.finish()
    assert values(store.run(run.id).follow()) == list(range(12))


def test_a_segment_is_read_to_its_end_before_the_next_one(store):
    """Also when the listing showed the first as it was before its last record."""
    run = store.start_run("flights")
    run.log_metric("loss", 1)

    class Between(WrappedStorage):
        """Lists a segment, and goes on with the rest after more was written."""

        logged = False

        def list(self, prefix=""):
            found = list(super().list(prefix))
            if not Between.logged:
                Between.logged = True
                run.log_metric("loss", 2)
                run._journal.roll()
                run.log_metric("loss", 3)
                old = {entry.path: entry for entry in found}
                found = [old.get(entry.path, entry) for entry in super().list(prefix)]
            return iter(found)

    assert values(follow(store, run.id, run.finish, storage=Between(store._storage))) == [1, 2, 3]


# What it costs


class Counted(WrappedStorage):
    """Notes which bytes are read."""

    def __init__(self, inner):
        super().__init__(inner)
        self.spans = []

    def read(self, path, start=0, end=None):
        data = super().read(path, start, end)
        if path.endswith(".seg"):
            self.spans.append((start, start + len(data)))
        return data


def test_of_what_was_read_nothing_is_read_again(store):
    run = store.start_run("flights")
    run.log_metric("loss", 0)
    counted = Counted(store._storage)
    happenings = [lambda: None, lambda: run.log_metric("loss", 1), lambda: None, run.finish]
    assert values(follow(store, run.id, *happenings, storage=counted)) == [0, 1]
    size = store.run(run.id)._files[f"{run._journal.writer}-1.seg"]
    starts = [start for start, _ in counted.spans]
    assert starts == [0, *(end for _, end in counted.spans[:-1])]
    assert counted.spans[-1][1] == size


@given(piece=st.integers(1, 200))
def test_a_large_segment_is_read_piece_by_piece_wherever_they_are_cut(piece):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "_PIECE", piece)
        store = _filled()
        (run,) = store.runs
        assert values(run.follow()) == [float(number) for number in range(20)]
        assert [one.body["text"] for one in run.follow() if isinstance(one, Event)] == ["x" * 500]


_STORES = {}


def _filled():
    if "one" not in _STORES:
        store = _STORES["one"] = Store(f"memory://{uuid.uuid4()}")
        with store.start_run("flights") as run:
            for number in range(20):
                run.log_metric("loss", number)
                if number == 10:
                    run.note("x" * 500)
    return _STORES["one"]


def test_pauses_grow_to_two_seconds_and_are_short_again_after_news(store):
    run = store.start_run("flights")
    passing = Time(*[lambda: None] * 15, lambda: run.log_metric("loss", 1), run.finish)
    assert values(follow(store, run.id, passing=passing)) == [1]
    assert passing.slept[0] == 0.05
    assert passing.slept[:16] == sorted(passing.slept[:16])
    assert max(passing.slept) == passing.slept[15] == 2
    assert passing.slept[16] == 0.05


def test_it_ends_when_nothing_new_has_come_for_the_timeout(store):
    run = store.start_run("flights")
    run.log_metric("loss", 1)
    passing = Time(run.heartbeat, lambda: run.log_metric("loss", 2))
    assert values(follow(store, run.id, passing=passing, timeout=10)) == [1, 2]
    assert passing.now == pytest.approx(10 + sum(passing.slept[:2]))
    assert store.run(run.id).status == "RUNNING"
    assert values(follow(store, run.id, timeout=0)) == [1, 2]
    run.finish()


def test_what_the_reader_does_between_two_records_doesnt_count_as_silence(store):
    run = store.start_run("flights")
    run.log_metric("loss", 1)
    passing = Time(lambda: run.log_metric("loss", 2), run.finish)
    found = []
    for record in follow(store, run.id, passing=passing, timeout=10):
        found.append(record.value)
        passing.now += 1000
    assert found == [1, 2]


# Cuts, damage, death


def segment_of(store, run):
    return store._storage.local_path(f"runs/{run.id}/{run._journal.writer}-1.seg")


def test_a_record_that_is_half_there_is_waited_for_at_every_cut(store):
    run = store.start_run("flights")
    run.log_metric("loss", 1)
    place = segment_of(store, run)
    before = place.read_bytes()
    run.log_metric("loss", 2)
    run.log_metric("loss", 3)
    whole = place.read_bytes()
    place.write_bytes(before)

    def grow(cut):
        place.write_bytes(whole[:cut])

    cuts = [lambda cut=cut: grow(cut) for cut in range(len(before), len(whole) + 1)]
    assert values(follow(store, run.id, *cuts, run.finish)) == [1, 2, 3]


def test_zeros_that_a_disk_shows_before_the_bytes_are_waited_out(store):
    run = store.start_run("flights")
    run.log_metric("loss", 1)
    place = segment_of(store, run)
    before = place.read_bytes()
    run.log_metric("loss", 2)
    whole = place.read_bytes()
    place.write_bytes(before + bytes(len(whole) - len(before)))
    found = follow(store, run.id, lambda: place.write_bytes(whole), run.finish)
    assert values(found) == [1, 2]


def test_bytes_that_come_in_the_wrong_order_are_looked_at_twice(store):
    run = store.start_run("flights")
    run.log_metric("loss", 1)
    place = segment_of(store, run)
    before = place.read_bytes()
    run.log_metric("loss", 2)
    whole = place.read_bytes()
    place.write_bytes(before + bytes(12) + whole[len(before) + 12 :])
    found = follow(store, run.id, lambda: place.write_bytes(whole), run.finish)
    assert values(found) == [1, 2]


def test_damage_raises_and_is_named(store):
    run = store.start_run("flights")
    run.log_metric("loss", 1)
    place = segment_of(store, run)
    data = bytearray(place.read_bytes())
    data[-1] ^= 1
    place.write_bytes(data)
    with pytest.raises(Corrupt, match=place.name):
        list(follow(store, run.id))
    place.write_bytes(bytes(data) + frame(b"\x7fnew"))
    with pytest.raises(Corrupt, match=place.name):
        list(follow(store, run.id))
    run.finish()


@pytest.fixture
def small(monkeypatch):
    """Pieces, and a largest record, that a test fills quickly."""
    monkeypatch.setattr(following, "_PIECE", 64)
    monkeypatch.setattr(following, "_LARGEST", 512)


def test_zeros_that_are_longer_than_any_record_are_gone_past(store, small):
    run = store.start_run("flights")
    run.log_metric("loss", 1)
    place = segment_of(store, run)
    before = place.read_bytes()
    run.log_metric("loss", 2)
    place.write_bytes(before + bytes(3000) + place.read_bytes()[len(before) :])
    assert values(follow(store, run.id, run.finish)) == [1, 2]


def test_damage_that_is_longer_than_any_record_is_named(store, small):
    run = store.start_run("flights")
    run.log_metric("loss", 1)
    place = segment_of(store, run)
    place.write_bytes(place.read_bytes() + b"\xff" * 3000)
    with pytest.raises(Corrupt, match=place.name):
        list(follow(store, run.id))
    run.finish()


def test_a_run_that_has_ended_and_lacks_records_is_told_after_a_while(store):
    with store.start_run("flights") as run:
        run.log_metric("loss", 1)
    place = segment_of(store, run)
    data = place.read_bytes()
    place.write_bytes(data[:-9])
    passing = Time()
    with pytest.raises(Corrupt, match="isn't whole"):
        list(follow(store, run.id, passing=passing))
    assert passing.now >= 60
    found = follow(store, run.id, lambda: None, lambda: place.write_bytes(data))
    assert values(found) == [1]


PROGRAM = """
import os, sys, mlkit
store = mlkit.Store(sys.argv[1], eval(sys.argv[2]))
run = store.start_run("followed", capture=False)
print(run.id, flush=True)
for line in sys.stdin:
    if line == "die\\n":
        os._exit(1)
    if line == "end\\n":
        break
    number = int(line)
    run.log_metrics({"loss": number, "auc": -number}, step=number)
    run.log_params({f"p{number}": number})
    run.flush()
    print("logged", flush=True)
run.finish()
print("finished", flush=True)
"""


class Child:
    """A process that logs when it is told to."""

    def __init__(self, url, options=None):
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(url), repr(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.run_id = self.hear()

    def hear(self):
        return self.process.stdout.readline().strip()

    def tell(self, what):
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return self.hear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def test_another_process_is_followed_to_its_end(store):
    with Child(store.url) as child:
        steps = [lambda number=number: child.tell(number) for number in range(20)]
        found = list(follow(store, child.run_id, *steps, lambda: child.tell("end")))
    assert [one.value for one in found if shown(one)[0] == "loss"] == list(range(20))
    assert [one.value for one in found if shown(one)[0] == "auc"] == [-n for n in range(20)]
    assert len([one for one in found if shown(one) == "params"]) == 20


def test_it_ends_with_a_process_that_dies(store):
    with Child(store.url) as child:

        def die():
            child.tell("die")
            child.process.wait()

        assert values(follow(store, child.run_id, lambda: child.tell(1), die)) == [1, -1]
    assert store.run(child.run_id).status == "LOST"


# Runs that are deleted meanwhile


@pytest.mark.parametrize("keys", [None, ["loss"]])
def test_a_run_that_is_deleted_meanwhile_is_told_after_what_was_there(store, keys):
    run = store.start_run("flights")
    run.log_metric("loss", 1)
    found = []

    def more_and_delete():
        run.log_metric("loss", 2)
        store.run(run.id).delete()

    records = (record.value for record in follow(store, run.id, more_and_delete, keys=keys))
    with pytest.raises(NotFound, match=r"was deleted by .* while it was followed"):
        found.extend(records)
    assert found == [1, 2]
    assert values(follow(store, run.id, run.finish)) == [1, 2]  # who asks for it gets it


def test_other_edits_change_nothing(store):
    run = store.start_run("flights")
    run.log_metric("loss", 1)
    note = lambda: store.run(run.id).note("hm")  # noqa: E731 - as the other happenings
    assert values(follow(store, run.id, note, run.finish)) == [1]


def test_a_run_whose_folder_is_removed_meanwhile_is_told(store):
    run = store.start_run("flights")
    run.log_metric("loss", 1)
    remove = lambda: shutil.rmtree(f"{store.url}/runs/{run.id}")  # noqa: E731 - as the others
    with pytest.raises(NotFound, match="was removed while it was followed"):
        list(follow(store, run.id, remove))
    run._journal.close()
    run._status = "KILLED"
    run._over.set()


def test_a_run_that_isnt_there_cant_be_followed():
    storage = MemoryStorage(str(uuid.uuid4()))
    storage.write("mlkit.json", encode_document("store", {}))
    with pytest.raises(NotFound):
        list(Following("x", storage=storage, clock=time.time_ns).records())


# Object stores


@pytest.mark.loopback
@pytest.mark.filterwarnings("ignore::DeprecationWarning:moto|botocore|aiobotocore|werkzeug")
def test_another_process_is_followed_over_an_object_store():
    server_of = pytest.importorskip("moto.server", reason="NOT TESTED HERE: S3; no moto")
    s3fs = pytest.importorskip("s3fs", reason="NOT TESTED HERE: S3; no s3fs")
    server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        options = {
            "key": "AKIAEXAMPLE",
            "secret": "very-secret",
            "endpoint_url": f"http://{host}:{port}",
            "client_kwargs": {"region_name": "us-east-1"},
            "config_kwargs": {"s3": {"addressing_style": "path"}},
        }
        s3fs.S3FileSystem(**options).call_s3("create_bucket", Bucket="bucket")
        store = Store("s3://bucket/followed", options)
        with Child(store.url, options) as child:
            numbers = count(1)
            child.tell(0)  # its beginning is sent with it
            steps = [lambda: child.tell(next(numbers))] * 4
            counted = Counted(store._storage)
            found = list(
                follow(store, child.run_id, *steps, lambda: child.tell("end"), storage=counted)
            )
        assert [one.value for one in found if shown(one)[0] == "loss"] == [0, 1, 2, 3, 4]
        assert len(counted.spans) <= 2 * len([start for start, _ in counted.spans if start == 0])
        assert values(store.run(child.run_id).follow("auc")) == [0, -1, -2, -3, -4]
    finally:
        server.stop()
