"""Promises about threads that log while a run is rolled, sent or finished by another."""

import asyncio
import copy
import gc
import os
import subprocess
import sys
import threading
import weakref

import pytest

import mlkit
from mlkit.errors import Corrupt, InvalidInput, RunFinished, StorageFault
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.protocol import Capabilities
from mlkit.store.store import Store
from mlkit.tracking.health import TrackingWarning
from mlkit.tracking.members import live
from mlkit.tracking.outbox import Outbox

sent_only = pytest.mark.usefixtures("sent")


@pytest.fixture
def sent(tmp_path, monkeypatch):
    """A store that can't append, so that segments are rolled and sent."""
    limited = Capabilities(exclusive_create=True, append=False)
    monkeypatch.setattr(MemoryStorage, "capabilities", limited)
    return Store(f"memory://{tmp_path.name}-sent")


def log_in_threads(run, count):
    """Log from several threads until the run is finished; gives how many calls returned in each."""
    returned = [0] * count
    faults = []

    def work(number):
        try:
            while True:
                run.log_metrics({f"x{number}": returned[number]}, step=returned[number])
                returned[number] += 1
        except RunFinished:
            pass
        except Exception as error:  # noqa: BLE001 - none other may come
            faults.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    while min(returned) < 50:
        pass
    return threads, returned, faults


def check_all_there(store, run, returned):
    read = store.run(run.id)
    assert read.status == "FINISHED"
    for number, count in enumerate(returned):
        points = read.metrics(f"x{number}").to_pydict()["step"]
        assert points == list(range(count))
        assert read.summary[f"x{number}"] == count - 1
    assert list(read.verify()) == []


@pytest.mark.parametrize("attempt", range(8))
def test_finishing_while_threads_log_keeps_every_call_that_returned(tmp_path, attempt):
    store = Store(tmp_path / "s")
    run = store.start_run("threads")
    threads, returned, faults = log_in_threads(run, 3)
    run.finish()
    for thread in threads:
        thread.join()
    assert faults == []
    check_all_there(store, run, returned)


def test_flushing_while_threads_log_loses_and_doubles_nothing(sent):
    run = sent.start_run("threads")
    threads, returned, faults = log_in_threads(run, 3)
    for _ in range(60):
        run.flush()
    run.finish()
    for thread in threads:
        thread.join()
    assert faults == []
    assert run.health.faults == 0
    check_all_there(sent, run, returned)


def test_finishing_waits_for_what_another_thread_is_sending(sent, monkeypatch):
    run = sent.start_run("waits")
    for step in range(100):
        run.log_metric("x", step, step=step)
    entered, go_on = threading.Event(), threading.Event()
    write = MemoryStorage.write

    def slow(self, path, data, **options):
        entered.set()
        go_on.wait(30)
        write(self, path, data, **options)

    monkeypatch.setattr(MemoryStorage, "write", slow)
    sender = threading.Thread(target=run.flush)
    sender.start()
    entered.wait(30)
    finisher = threading.Thread(target=run.finish)
    finisher.start()
    go_on.set()
    sender.join()
    finisher.join()
    assert sent.run(run.id).metrics("x").num_rows == 100
    assert sent.sync() == 0


def test_an_end_is_never_there_before_what_it_covers(sent, monkeypatch):
    run = sent.start_run("order")
    run.log_metric("x", 1)
    run.flush()
    run.log_metric("x", 2)

    def dead(*_args, **_options):
        raise StorageFault("Network is unreachable")

    with monkeypatch.context() as network:
        network.setattr(MemoryStorage, "write", dead)
        with pytest.warns(TrackingWarning):
            run.finish()
    assert sent.run(run.id).status == "RUNNING"
    assert sent.sync() == 2
    assert sent.run(run.id).status == "FINISHED"
    assert sent.run(run.id).metrics("x").num_rows == 2


def test_a_finished_run_that_lacks_a_segment_says_so_instead_of_giving_half(tmp_path):
    store = Store(tmp_path / "s")
    with store.start_run("half") as run:
        run.log_metric("x", 1)
    (segment,) = (tmp_path / "s").rglob("*.seg")
    segment.rename(tmp_path / "elsewhere.seg")
    with pytest.raises(Corrupt, match=r"isn't whole.*store\.sync\(\)"):
        store.run(run.id).metrics("x")
    assert store.run(run.id).summary == {"x": 1.0}


def test_after_a_fault_that_passed_finish_sends_what_waits(tmp_path, monkeypatch):
    from mlkit.storage.local import LocalStorage

    def full(*_args, **_options):
        raise StorageFault("No space left on device")

    store = Store(tmp_path / "s")
    with monkeypatch.context() as disk:
        disk.setattr(LocalStorage, "write", full)
        disk.setattr(LocalStorage, "create", full)
        with pytest.warns(TrackingWarning):
            run = store.start_run("passing")
        run.log_text("hello", "t.txt")
    run.log_metric("x", 1)
    run.finish()
    assert store.run(run.id).artifact("t.txt").text() == "hello"
    assert store.run(run.id).status == "FINISHED"
    assert store.sync() == 0


FORKING = """
import os, sys, mlkit
run = mlkit.Store(sys.argv[1]).start_run("fork")
run.log_metric("loss", 1, step=0)
run.log_params(p="parent before")
pid = os.fork()
if pid == 0:
    run.log_metric("loss", 2, step=1)
    run.log_params(p="child")
    os._exit(0)
os.waitpid(pid, 0)
run.log_metric("loss", 3, step=2)
run.log_params(p="parent after")
run.note("once")
run.finish()
print(run.id)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_the_newest_values_win_whichever_process_logged_them(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FORKING, tmp_path / "s"], capture_output=True, text=True, check=True
    )
    run = Store(tmp_path / "s").run(done.stdout.strip())
    assert run.summary == {"loss": 3.0}
    assert run.params == {"p": "parent after"}
    assert [note["text"] for note in run.notes] == ["once"]


def test_a_run_that_two_processes_own_has_ended_when_the_last_has(tmp_path):
    store = Store(tmp_path / "s")
    first = store.start_run("two")
    first.note("one")
    second = store.start_run("two", resume=first.id)
    first.note("two")
    first.finish()
    assert store.run(first.id).status == "RUNNING"
    second.note("three")
    second.finish("FAILED", error="boom")
    run = store.run(first.id)
    assert (run.status, run.error) == ("FAILED", "boom")
    assert [note["text"] for note in run.notes] == ["one", "two", "three"]
    assert list(run.verify()) == []


def test_the_first_owner_may_end_after_the_second(tmp_path):
    store = Store(tmp_path / "s")
    first = store.start_run("two")
    second = store.start_run("two", resume=first.id)
    second.finish()
    first.log_metric("x", 1)
    first.finish()
    assert store.run(first.id).status == "FINISHED"
    assert store.run(first.id).summary == {"x": 1.0}


def test_an_end_that_was_interrupted_can_be_had_again(tmp_path, monkeypatch):
    store = Store(tmp_path / "s")
    run = store.start_run("interrupted")
    run.log_metric("x", 1)

    class Interrupted:
        def end(self):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "recorder", Interrupted())
        with pytest.raises(KeyboardInterrupt):
            run.finish()
    run.finish("KILLED", error="Ctrl-C")
    read = store.run(run.id)
    assert (read.status, read.error, read.summary) == ("KILLED", "Ctrl-C", {"x": 1.0})


def test_a_file_that_cant_be_closed_costs_a_warning_and_no_exception(tmp_path, monkeypatch):
    store = Store(tmp_path / "s")
    run = store.start_run("closing")
    run.log_metric("x", 1)
    segment = run._journal._segment

    def quota():
        segment.file.close()
        raise OSError(122, "Disk quota exceeded")

    monkeypatch.setattr(segment, "close", quota)
    with pytest.warns(TrackingWarning, match="quota"):
        run.finish()
    assert store.run(run.id).status == "FINISHED"
    assert store.run(run.id).summary == {"x": 1.0}


def test_what_waits_and_clashes_never_stops_the_training(sent):
    run = sent.start_run("clash")
    run.log_metric("x", 1)
    run.flush()
    run._around.outbox.put(f"runs/{run.id}/run.json", b"another head")
    with pytest.warns(TrackingWarning, match="isn't the one that waits"):
        run.finish()


def test_finishing_twice_at_once_ends_once(tmp_path):
    store = Store(tmp_path / "s")
    for _ in range(20):
        run = store.start_run("twice")
        threads = [threading.Thread(target=run.finish) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert run.health.faults == 0
        folder = tmp_path / "s" / "runs" / run.id
        assert [path.name for path in folder.glob("end*.json")] == ["end.json"]


def test_a_run_finished_elsewhere_is_no_longer_the_current_one(tmp_path):
    store = Store(tmp_path / "s")
    outer = store.start_run("outer")
    inner = store.start_run("inner")
    thread = threading.Thread(target=inner.finish)
    thread.start()
    thread.join()
    assert mlkit.active_run() is outer
    outer.finish()
    assert mlkit.active_run() is None


def test_one_damaged_run_is_left_out_of_a_search_with_a_warning(tmp_path):
    store = Store(tmp_path / "s")
    ids = []
    for number in range(4):
        with store.start_run("many") as run:
            run.log_metric("x", number)
        ids.append(run.id)
    end = tmp_path / "s" / "runs" / ids[1] / "end.json"
    end.write_bytes(end.read_bytes().replace(b"FINISHED", b"finished"))
    with pytest.warns(UserWarning, match=f"1 run can't be read.*{ids[1]}"):
        found = store.search_runs("metrics.x >= 0")
    assert [run.id for run in found] == [ids[3], ids[2], ids[0]]
    with pytest.raises(Corrupt):
        store.run(ids[1]).summary  # noqa: B018 - asking is the point


def test_a_document_of_an_impossible_shape_is_damage(tmp_path):
    from mlkit._core.codec import encode_document

    store = Store(tmp_path / "s")
    with store.start_run("odd") as run:
        pass
    folder = tmp_path / "s" / "runs" / run.id
    (folder / "end.json").write_bytes(encode_document("run_end", {"segments": 5}))
    with pytest.raises(Corrupt, match=r"end\.json"):
        store.run(run.id).status  # noqa: B018 - asking is the point
    assert list(store.runs.verify(run.id))


def test_an_async_function_is_tracked_while_it_runs(tmp_path):
    store = Store(tmp_path / "s")

    @mlkit.track("async", store=store)
    async def train(lr):
        await asyncio.sleep(0)
        mlkit.log_metric("inside", lr)
        return {"auc": 0.8}

    assert asyncio.run(train(0.5)) == {"auc": 0.8}
    run = store.search_runs()[0]
    assert (run.params, run.summary) == ({"lr": 0.5}, {"inside": 0.5, "auc": 0.8})


def test_a_generator_cant_be_tracked():
    with pytest.raises(InvalidInput, match="generator"):

        @mlkit.track("generator")
        def steps():
            yield 1


def test_senders_and_writers_of_one_outbox_lose_nothing(tmp_path):
    storage = MemoryStorage(tmp_path.name)
    storage.write("mlkit.json", b"{}")
    outbox = Outbox(storage, tmp_path / "outbox")
    stop = threading.Event()
    faults = []

    def send():
        while not stop.is_set():
            try:
                outbox.send()
            except Exception as error:  # noqa: BLE001 - none may come
                faults.append(error)

    senders = [threading.Thread(target=send) for _ in range(3)]
    for sender in senders:
        sender.start()
    for number in range(300):
        with outbox.open_append(f"runs/a/w-{number}.seg") as file:
            file.write(b"one")
            file.write(b"two")
        outbox.put(f"runs/b/{number}.json", b"whole")
    stop.set()
    for sender in senders:
        sender.join()
    outbox.send()
    assert faults == []
    assert {storage.read(f"runs/a/w-{number}.seg") for number in range(300)} == {b"onetwo"}
    assert {storage.read(f"runs/b/{number}.json") for number in range(300)} == {b"whole"}
    assert list(outbox.waiting()) == []


class Troubled:
    """A number whose own code fails, as one does that must be fetched first."""

    def __init__(self, error):
        self.error = error

    def __float__(self):
        raise self.error


@pytest.mark.parametrize("error", [TimeoutError("late"), RuntimeError("no grad"), OSError(5, "io")])
def test_a_value_whose_own_code_fails_is_named_and_is_no_fault_of_the_store(tmp_path, error):
    store = Store(tmp_path / "s")
    with store.start_run("values") as run:
        for value in (Troubled(error), [Troubled(error)]):
            with pytest.raises(InvalidInput, match="'lazy' is"):
                run.log_metrics({"loss": 0.5, "lazy": value}, step=1)
    assert run.health.faults == 0
    assert store.run(run.id).metrics("loss").num_rows == 2


def test_a_value_that_takes_long_keeps_no_other_thread_waiting(tmp_path):
    fetching, fetched = threading.Event(), threading.Event()

    class Slow:
        def __float__(self):
            fetching.set()
            fetched.wait(60)
            return 1.0

    store = Store(tmp_path / "s")
    run = store.start_run("slow")
    thread = threading.Thread(target=run.log_metrics, args=({"slow": Slow()},))
    thread.start()
    fetching.wait(60)
    run.log_metric("quick", 2.0)
    assert store.run(run.id).summary == {"quick": 2.0}
    fetched.set()
    thread.join()
    run.finish()
    assert store.run(run.id).summary == {"quick": 2.0, "slow": 1.0}


def test_an_end_that_is_asked_for_again_keeps_its_first_status(sent, monkeypatch):
    run = sent.start_run("interrupted")
    run.log_metric("x", 1)
    deliver = run._around.courier.deliver

    def interrupted(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(run._around.courier, "deliver", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.finish()
    monkeypatch.setattr(run._around.courier, "deliver", deliver)
    run.finish("KILLED")
    assert sent.run(run.id).status == "FINISHED"
    assert len([name for name in sent.run(run.id)._files if name.startswith("end")]) == 1


def test_runs_that_overlap_are_let_go(tmp_path):
    store = Store(tmp_path / "s")
    kept = []
    run = store.start_run("first")
    for _ in range(20):
        following = store.start_run("next")
        run.finish()
        kept.append(weakref.ref(run))
        run = following
    run.finish()
    gc.collect()
    assert sum(reference() is not None for reference in kept) <= 2


def test_a_step_that_is_too_large_to_count_on_from_starts_the_count_anew(tmp_path):
    store = Store(tmp_path / "s")
    with store.start_run("steps") as run:
        run.log_metrics({"a": 1}, step=1e300)
        run.log_metrics({"b": 1}, step=2**63 - 1)
    with store.start_run("steps", resume=run.id) as run:
        run.log_metrics({"a": 2})
        run.log_metrics({"b": 2})
    assert store.run(run.id).metrics("b").column("step").to_pylist() == [2**63 - 1, 0]


def test_a_finished_run_is_not_revived_by_a_copy(tmp_path):
    with Store(tmp_path / "s").start_run("copied") as run:
        pass
    assert copy.deepcopy(run) is run


def test_a_run_whose_store_is_not_there_is_not_written_elsewhere(tmp_path):
    run = Store(tmp_path / "s").start_run("gone")
    join, (reopen, _, head) = run.__reduce__()
    live.clear()
    with pytest.raises(StorageFault, match="another store"):
        join(reopen, "another id", head)
    run.finish()


def test_a_worker_lets_go_of_runs_that_have_ended(tmp_path):
    run = Store(tmp_path / "s").start_run("long")
    member = Store(tmp_path / "s").runs.join(run._earlier.head)
    member.log_metric("x", 1)
    member.heartbeat()
    assert not member.finished
    run.finish()
    member.heartbeat()
    assert member.finished
