"""Promises of the courier: it tries again, waits as long as bytes move, and never for ever."""

import _thread
import fcntl
import io
import random
import subprocess
import sys
import threading
from itertools import count

import pytest

from mlkit.errors import Corrupt, ReadOnly, StorageFault
from mlkit.storage.faulting import fault
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.protocol import Capabilities
from mlkit.storage.wrapped import WrappedStorage
from mlkit.store.store import Store
from mlkit.tracking import courier as module
from mlkit.tracking.courier import TRIES, Courier, Delivery
from mlkit.tracking.health import TrackingWarning
from mlkit.tracking.outbox import Outbox
from mlkit.tracking.pulse import Pulse

FOLDER = "runs/a"
SEGMENT = f"{FOLDER}/x-1.seg"
MIB = 1 << 20
GUARD = 30
"""Seconds after which a test that waits for another thread has failed."""


class Hooked(WrappedStorage):
    """Calls what it is given before each file is stored."""

    before = staticmethod(lambda path, data: None)

    def write(self, path, data, *, durable=False):
        self.before(path, data)
        super().write(path, data, durable=durable)

    def create(self, path, data, *, durable=True):
        self.before(path, data)
        super().create(path, data, durable=durable)


@pytest.fixture
def storage(tmp_path):
    inner = MemoryStorage(str(tmp_path))
    inner.write("mlkit.json", b"{}")
    return Hooked(inner)


@pytest.fixture
def outbox(storage, tmp_path):
    return Outbox(storage, tmp_path / "outbox")


class Clock:
    """A clock that goes on when it is told to, and a little whenever it is looked at."""

    def __init__(self, step=0.0):
        self.now = 1000.0
        self.step = step

    def __call__(self):
        self.now += self.step
        return self.now


class HeldCondition:
    """Stands for a condition whose waits are over at once, as its clock shows."""

    def __init__(self, clock):
        self.clock = clock
        self.waits = []

    def wait(self, seconds):
        self.waits.append(seconds)
        self.clock.now += seconds


def _pauses(outbox, *, waiting, failures):
    courier = Courier(outbox, patience=1e9, clock=Clock())
    courier._changed = HeldCondition(courier._clock)
    courier._waiting = waiting
    for courier._failed in range(1, failures + 1):
        courier._pause()
    return courier._changed.waits


def _fails(times, error):
    """Gives what fails so often, and counts."""
    numbers = count(1)
    tried = []

    def before(path, _data):
        number = next(numbers)
        tried.append(path)
        if number <= times:
            raise error

    return before, tried


# Trying again


def test_pauses_grow_and_are_spread_and_never_longer_than_their_bound(outbox):
    pauses = _pauses(outbox, waiting=0, failures=30)
    bounds = [min(5.0 * 2**number, 300.0) for number in range(30)]
    assert all(bound / 2 <= pause <= bound for pause, bound in zip(pauses, bounds, strict=True))
    assert len(set(pauses)) == len(pauses)


def test_pauses_are_short_while_somebody_waits_and_long_when_that_is_in_vain(outbox, monkeypatch):
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.5)
    pauses = _pauses(outbox, waiting=1, failures=TRIES)
    assert all(
        bound / 2 <= pause <= bound for pause, bound in zip(pauses, [0.5, 1, 2, 4, 80], strict=True)
    )


def test_whoever_begins_to_wait_ends_a_long_pause(outbox, monkeypatch):
    courier = Courier(outbox, patience=60)
    courier._failed = 10
    paused = threading.Event()
    waited = courier._changed.wait
    monkeypatch.setattr(courier._changed, "wait", lambda seconds: paused.set() or waited(seconds))

    def pause():
        with courier._changed:
            courier._pause()

    pausing = threading.Thread(target=pause)
    pausing.start()
    assert paused.wait(GUARD)
    assert courier.deliver() == Delivery()
    pausing.join(GUARD)
    assert not pausing.is_alive()


def test_the_programs_own_random_numbers_stay_as_they_are(outbox):
    random.seed(7)
    before = random.getstate()
    _pauses(outbox, waiting=0, failures=5)
    outbox.put(SEGMENT, b"x")
    outbox.storage.before, _ = _fails(3, StorageFault("down"))
    assert Courier(outbox, patience=60).deliver() == Delivery()
    assert random.getstate() == before


def test_what_fails_while_somebody_waits_is_tried_again_until_it_is_sent(outbox, storage):
    storage.before, tried = _fails(TRIES - 1, StorageFault("down"))
    outbox.put(SEGMENT, b"x")
    courier = Courier(outbox, patience=60)
    assert courier.deliver(FOLDER) == Delivery()
    assert len(tried) == TRIES
    assert courier.error is None


def test_after_some_tries_who_waits_is_told_what_is_left_and_why(outbox, storage):
    storage.before, _ = _fails(10**9, StorageFault("the network is down"))
    outbox.put(SEGMENT, b"xyz")
    outbox.put("blobs/aa/aa", b"weights")
    outbox.put("runs/b/y-1.seg", b"another's")
    delivery = Courier(outbox, patience=1e9).deliver(FOLDER)
    assert (delivery.left, delivery.size) == (["blobs/aa/aa", SEGMENT], 10)
    assert str(delivery.error) == "the network is down"


@pytest.mark.parametrize(
    "error",
    [
        ReadOnly("no permission"),
        Corrupt("another document"),
        fault(OSError("The provided token has expired"), "s3://b", "a", writing=True),
        fault(PermissionError(13, "Forbidden"), "s3://b", "a", writing=True),
    ],
    ids=["read only", "corrupt", "expired", "forbidden"],
)
def test_what_stays_until_somebody_acts_is_not_tried_in_vain(outbox, storage, error):
    storage.before, tried = _fails(10**9, error)
    outbox.put(f"{FOLDER}/run.json", b"xyz")
    delivery = Courier(outbox, patience=1e9).deliver(FOLDER)
    assert delivery.error is error
    assert len(tried) == 1


def test_a_store_that_may_not_even_be_read_is_not_tried_in_vain(outbox, storage, monkeypatch):
    asked = []

    def stat(_path):
        asked.append(1)
        refused = PermissionError(13, "Forbidden")
        raise fault(refused, "s3://b", "a", writing=False) from refused

    monkeypatch.setattr(storage, "stat", stat)
    monkeypatch.setattr(storage, "read", stat)
    outbox.put(SEGMENT, b"x")
    delivery = Courier(outbox, patience=1e9).deliver()
    assert "renew the credentials" in str(delivery.error)
    assert len(asked) == 2  # one try, which asks once more for the reason


def test_what_clashes_of_another_run_is_no_fault_of_the_one_that_asks(outbox, storage):
    storage.create("runs/b/run.json", b"another")
    outbox.put("runs/b/run.json", b"mine")
    outbox.put(SEGMENT, b"x")
    courier = Courier(outbox, patience=60)
    assert courier.deliver(FOLDER) == Delivery()
    assert courier.deliver("runs/b").left == ["runs/b/run.json"]


# Waiting


def test_a_store_that_never_answers_is_left_when_patience_ends(outbox, storage, monkeypatch):
    monkeypatch.setattr(module, "_LOOK", 0.001)
    go_on = threading.Event()
    storage.before = lambda path, data: go_on.wait(GUARD)
    outbox.put(SEGMENT, b"xyz")
    clock = Clock(step=1)
    delivery = Courier(outbox, patience=60, clock=clock).deliver(FOLDER)
    go_on.set()
    assert (delivery.left, delivery.size) == ([SEGMENT], 3)
    assert str(delivery.error) == "nothing that was sent has arrived for 60 seconds"
    assert clock.now < 1000 + 60 + 20


def test_while_bytes_move_patience_does_not_end(outbox, storage, monkeypatch):
    monkeypatch.setattr(module, "_LOOK", 0.001)
    clock = Clock()
    looked = threading.Event()

    def slowly(_path, data):
        taken = io.BytesIO()
        while piece := data.read(MIB):
            taken.write(piece)
            clock.now += 50  # the network takes a piece in less than the patience
            looked.wait(0.002)
        data.read = taken.read
        taken.seek(0)

    storage.before = slowly
    outbox.put("blobs/aa/aa", bytes(64 * MIB))
    courier = Courier(outbox, patience=60, clock=clock)
    assert courier.deliver() == Delivery()
    assert clock.now >= 1000 + 64 * 50
    assert storage.stat("blobs/aa/aa").size == 64 * MIB


@pytest.mark.parametrize(("seconds", "left"), [(100, 0), (200, 1)])
def test_a_piece_that_a_driver_has_taken_whole_gets_the_time_of_a_slow_line(
    outbox, storage, monkeypatch, seconds, left
):
    monkeypatch.setattr(module, "_LOOK", 0.001)
    clock = Clock()
    seen, go_on = threading.Event(), threading.Event()

    def in_one_piece(_path, data):
        body = data.read()
        data.read = io.BytesIO(body).read
        clock.now += seconds  # 16 MiB at 0.2 MiB/s take 75 seconds, and 60 more are waited for
        seen.set()
        if left:
            go_on.wait(GUARD)

    storage.before = in_one_piece
    outbox.put("blobs/aa/aa", bytes(16 * MIB))
    assert len(Courier(outbox, patience=60, clock=clock).deliver().left) == left
    assert seen.is_set()
    go_on.set()


def test_the_arrival_of_small_documents_is_progress(outbox, storage, monkeypatch):
    monkeypatch.setattr(module, "_LOOK", 0.001)
    clock = Clock()
    looked = threading.Event()

    def slowly(_path, _data):
        clock.now += 50
        looked.wait(0.002)

    storage.before = slowly
    for number in range(20):
        outbox.put(f"runs/{number}/run.json", b"{}")
    assert Courier(outbox, patience=60, clock=clock).deliver() == Delivery()


def test_threads_that_wait_at_once_each_get_their_own(outbox, storage):
    storage.before, _ = _fails(TRIES - 1, StorageFault("down"))
    courier = Courier(outbox, patience=60)
    deliveries = []

    def deliver(number):
        for part in range(5):
            outbox.put(f"runs/{number}/x-{part}.seg", b"x")
            deliveries.append(courier.deliver(f"runs/{number}"))

    threads = [threading.Thread(target=deliver, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert deliveries == [Delivery()] * 40
    assert len(list(storage.list("runs"))) == 40


def test_what_another_process_is_sending_is_waited_for(outbox, storage, monkeypatch):
    monkeypatch.setattr(module, "_BUSY_PAUSE", 0.001)
    outbox.put(SEGMENT, b"x")
    outbox.put(f"{FOLDER}/end.json", b"x")
    other = (outbox.folder / SEGMENT).open("rb")
    fcntl.flock(other, fcntl.LOCK_EX)
    asked = threading.Semaphore(0)
    stat = storage.stat
    monkeypatch.setattr(storage, "stat", lambda path: asked.release() or stat(path))

    def send():
        for _ in range(3):
            asked.acquire()
        other.close()

    sending = threading.Thread(target=send)
    sending.start()
    assert Courier(outbox, patience=60).deliver(FOLDER) == Delivery()
    sending.join()
    assert [entry.path for entry in storage.list("runs")] == [f"{FOLDER}/end.json", SEGMENT]


@pytest.mark.parametrize("own", [True, False])
def test_what_another_process_sends_for_ever_holds_up_only_what_comes_after_it(
    outbox, storage, monkeypatch, own
):
    monkeypatch.setattr(module, "_BUSY_PAUSE", 0.001)
    monkeypatch.setattr(module, "_LOOK", 0.001)
    clock = Clock(step=1)
    outbox.put(SEGMENT, b"x")
    outbox.put(f"{FOLDER}/end.json", b"x")
    outbox.put("runs/b/end.json", b"x")
    with (outbox.folder / SEGMENT).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        delivery = Courier(outbox, patience=60, clock=clock).deliver(FOLDER if own else "runs/b")
    assert delivery.left == ([SEGMENT, f"{FOLDER}/end.json"] if own else [])
    assert (delivery.error is None) is not own


def test_what_a_living_process_appends_to_is_not_counted_as_left(outbox):
    with outbox.open_append(SEGMENT) as file:
        file.write(b"x")
        assert Courier(outbox, patience=60).deliver(FOLDER) == Delivery()
    assert outbox.waiting() == [SEGMENT]


def test_on_a_terminal_the_way_is_shown(outbox, storage, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(module, "_QUIET", -1.0)
    monkeypatch.setattr(sys, "stderr", Terminal())
    outbox.put("blobs/aa/aa", bytes(3 * MIB))
    Courier(outbox, patience=60).deliver()
    assert sys.stderr.getvalue().endswith("\rmlkit: sent 3.0 of 3.0 MiB\n")


# The thread


def test_an_idle_thread_ends_and_another_begins_when_there_is_something(outbox, monkeypatch):
    monkeypatch.setattr(module, "_IDLE", 0.0)
    courier = Courier(outbox, patience=60)
    for _ in range(3):
        outbox.put(SEGMENT, b"x")
        courier.ask()
        thread = courier._thread
        if thread is not None:
            thread.join(GUARD)
            assert not thread.is_alive()
        assert courier._thread is None
        assert outbox.waiting() == []


@pytest.fixture
def no_threads(monkeypatch):
    """As while the interpreter exits, where no thread can begin."""

    def refuse(_thread):
        raise RuntimeError("can't start new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)


def test_where_no_thread_can_begin_what_waits_is_sent_at_once(outbox, no_threads):
    outbox.put(SEGMENT, b"x")
    courier = Courier(outbox, patience=60)
    assert courier.deliver(FOLDER) == Delivery()
    outbox.put(SEGMENT, b"x")
    courier.ask()
    assert outbox.waiting() == []


def test_where_no_thread_can_begin_a_fault_is_not_waited_for(outbox, storage, no_threads):
    storage.before, tried = _fails(10**9, StorageFault("down"))
    outbox.put(SEGMENT, b"x")
    delivery = Courier(outbox, patience=1e9).deliver(FOLDER)
    assert (delivery.left, str(delivery.error)) == ([SEGMENT], "down")
    assert len(tried) == 1


def test_a_thread_that_began_before_the_interpreter_exits_is_waited_for_with_patience(
    outbox, storage, monkeypatch
):
    monkeypatch.setattr(module, "_LOOK", 0.001)
    go_on = threading.Event()
    storage.before = lambda path, data: go_on.wait(GUARD)
    outbox.put(SEGMENT, b"x")
    courier = Courier(outbox, patience=60, clock=Clock(step=1))
    courier.begin()
    monkeypatch.setattr(threading.Thread, "start", None)
    assert courier.deliver(FOLDER).left == [SEGMENT]
    go_on.set()


def test_a_store_that_was_not_reached_before_the_exit_is_not_waited_for_again(
    outbox, storage, monkeypatch
):
    monkeypatch.setattr(module, "_LOOK", 0.001)
    clock = Clock(step=1)
    go_on = threading.Event()
    storage.before = lambda path, data: go_on.wait(GUARD)
    courier = Courier(outbox, patience=60, clock=clock)
    courier.begin()
    courier.reach()  # nothing waits, so nothing is asked
    outbox.put(SEGMENT, b"x")
    courier.reach()
    reached = clock.now
    assert "arrived" in str(courier.deliver(FOLDER).error)
    assert clock.now < reached + 20
    go_on.set()


@pytest.mark.parametrize("why", ["it was tried in vain", "it is a parent's"])
def test_at_the_exit_a_store_is_not_reached_again_when(outbox, storage, monkeypatch, why):
    monkeypatch.setattr(module, "_IDLE", 0.0)
    courier = Courier(outbox, patience=60)
    with courier._changed:  # so that the thread is seen before it ends
        courier.begin()
        thread = courier._thread
    thread.join(GUARD)
    outbox.put(SEGMENT, b"x")
    storage.before, tried = _fails(10**9, ReadOnly("no permission"))
    if why == "it was tried in vain":
        assert courier.deliver().left == [SEGMENT]
    else:
        courier.renew()  # as in a child that was forked off
    before = len(tried)
    courier.reach()
    assert len(tried) == before


LEFT_OPEN = """
import sys
from concurrent.futures import ThreadPoolExecutor
from mlkit.storage.local import LocalStorage
from mlkit.storage.protocol import Capabilities
from mlkit.store import rooms

class Remote(LocalStorage):  # a driver that looks up its host in a pool of threads
    capabilities = Capabilities(exclusive_create=True, append=False)
    pool, connection = ThreadPoolExecutor(1), None
    def stat(self, path):
        self.connection = self.connection or self.pool.submit(str, "connected").result()
        return super().stat(path)

rooms.open_storage = lambda place, options: Remote(place)
from mlkit.store.store import Store
store = Store(sys.argv[1])
run = store.start_run("left open")
run.log_metric("x", 1)
store._storage.connection = None
print(run.id)
"""


def test_a_run_that_is_left_open_is_sent_by_a_driver_that_needs_a_pool_of_threads(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LEFT_OPEN, tmp_path],
        capture_output=True,
        text=True,
        check=True,
        timeout=4 * GUARD,
    )
    assert done.stderr == ""
    read = Store(tmp_path).run(done.stdout.strip())
    assert (read.status, read.summary) == ("FINISHED", {"x": 1.0})


FORK = """
import os, sys, threading
from pathlib import Path
from mlkit.storage.local import LocalStorage
from mlkit.tracking.courier import Courier
from mlkit.tracking.outbox import Outbox
parent, hung, go_on = os.getpid(), threading.Event(), threading.Event()

class Hanging(LocalStorage):
    def write(self, path, data, *, durable=False):
        if os.getpid() == parent:
            hung.set()
            go_on.wait()
        super().write(path, data, durable=durable)

storage = Hanging(sys.argv[1] + "/store")
storage.create("mlkit.json", b"{}")
outbox = Outbox(storage, Path(sys.argv[1], "outbox"))
courier = Courier(outbox, patience=30)
outbox.put("runs/a/x-1.seg", b"x")
courier.ask()
hung.wait()
pid = os.fork()
if pid == 0:
    outbox.put("runs/b/x-1.seg", b"x")
    left = courier.deliver("runs/b").left
    os._exit(len(left))
print(os.waitpid(pid, 0)[1])
go_on.set()
print(courier.deliver().left)
"""


def test_a_forked_child_has_a_courier_of_its_own_though_its_parents_hangs(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK, tmp_path],
        capture_output=True,
        text=True,
        check=True,
        timeout=4 * GUARD,
    )
    assert done.stdout.split() == ["0", "[]"]
    names = [path.name for path in (tmp_path / "store" / "runs").rglob("*.seg")]
    assert names == ["x-1.seg"] * 2


# Runs


@pytest.fixture
def remote(tmp_path, monkeypatch):
    """A store that can't append, whose storage calls a hook before each file."""
    monkeypatch.setattr(
        MemoryStorage, "capabilities", Capabilities(exclusive_create=True, append=False)
    )
    store = Store(f"memory://{tmp_path.name}")
    hooked = Hooked(store._outbox.storage)
    store._outbox.__init__(hooked, store._outbox.folder)
    store.hooked = hooked
    return store


def test_a_store_that_hangs_does_not_stop_the_heartbeats_of_others(remote, tmp_path, monkeypatch):
    hung, go_on = threading.Event(), threading.Event()
    remote.hooked.before = lambda path, data: hung.set() or go_on.wait(GUARD)
    now = [0]
    pulse = Pulse(lambda: now[0] * 10**9)
    monkeypatch.setattr(Pulse, "_run", lambda self: None)
    hanging, other = remote.start_run("hangs"), Store(tmp_path / "other").start_run("other")
    for run in (hanging, other):
        run.log_metric("x", 1)
        pulse.watch(run)
    for now[0] in range(0, 200, 5):
        pulse.beat()
    assert hung.wait(GUARD)
    read = Store(tmp_path / "other").run(other.id)
    beats = [
        record
        for name in read._segments
        for record in read._records(name)
        if getattr(record, "name", "") == "heartbeat"
    ]
    assert len(beats) >= 6
    go_on.set()
    other.finish()
    hanging.finish()


def test_an_interrupted_end_leaves_everything_and_can_be_had_again(remote):
    run = remote.start_run("interrupted")
    run.log_metric("x", 1)
    run.log_text("kept", "a.txt")
    go_on = threading.Event()
    interrupted = []

    def interrupt(_path, _data):
        if remote._courier._waiting and not interrupted:
            interrupted.append(1)
            _thread.interrupt_main()
            go_on.wait(GUARD)

    remote.hooked.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        run.finish()
    assert not run.ended
    assert remote._outbox.waiting()[-1].endswith("end.json")
    go_on.set()
    run.finish()
    read = Store(remote.url).run(run.id)
    assert (read.status, read.summary) == ("FINISHED", {"x": 1.0})
    assert read.metrics("x").num_rows == 1
    assert list(read.verify()) == []


def test_expired_credentials_cost_one_try_and_one_warning_that_says_to_renew_them(remote):
    expired = fault(OSError("ExpiredToken: it has expired"), "s3://b", "a", writing=True)
    remote.hooked.before, tried = _fails(10**9, expired)
    run = remote.start_run("expired")
    run.log_metric("x", 1)
    with pytest.warns(TrackingWarning, match="Renew the credentials") as caught:
        run.finish()
    assert len(caught) == 1
    assert len(tried) == 1
    remote.hooked.before = lambda path, data: None
    assert remote.sync() == 3
    assert Store(remote.url).run(run.id).status == "FINISHED"


def test_over_a_day_few_objects_are_sent_and_nothing_waits_for_long(remote, monkeypatch):
    monkeypatch.setattr(Pulse, "_run", lambda self: None)
    now = [0.0]
    pulse = Pulse(lambda: int(now[0] * 1e9))
    run = remote.start_run("a day")
    pulse.watch(run)
    monkeypatch.setattr(remote._courier, "ask", lambda: None)
    state = random.getstate()
    rolled, hourly, oldest, longest = 0, [0] * 24, None, 0.0
    while now[0] < 24 * 3600 - 5:
        now[0] += 5
        run.log_metric("x", now[0])
        oldest = now[0] if oldest is None else oldest
        pulse.beat()
        if len(run._journal.segments) > rolled:
            rolled = len(run._journal.segments)
            hourly[int(now[0] // 3600)] += 1
            oldest = None
        longest = max(longest, now[0] - oldest if oldest is not None else 0)
    assert max(hourly) < 30
    assert 24 * 12 <= rolled <= 24 * 12 + 12
    assert longest <= 300 + 5
    assert random.getstate() == state
    monkeypatch.undo()
    run.finish()
