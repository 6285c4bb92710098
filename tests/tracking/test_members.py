"""Promises about several processes that write one run: pools, ranks, hosts."""

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading

import joblib
import pytest

import mlkit
from mlkit.errors import InvalidInput, NotFound
from mlkit.store.store import Store
from mlkit.tracking.ranks import rank


def _work(run, number):
    run.log_metrics({"x": number}, step=number)
    return os.getpid()


def _values(run):
    return sorted(run.metrics("x").column("value").to_pylist())


def test_workers_of_loky_write_the_run_that_they_are_handed(store):
    with store.start_run("loky") as run:
        jobs = (joblib.delayed(_work)(run, number) for number in range(40))
        pids = joblib.Parallel(n_jobs=2, backend="loky")(jobs)
    read = store.run(run.id)
    assert _values(read) == list(range(40))
    assert read.status == "FINISHED"
    assert os.getpid() not in pids
    assert len([name for name in read._files if name.endswith(".seg")]) <= len(set(pids))
    assert list(read.verify()) == []


@pytest.mark.parametrize("how", ["spawn", "fork"])
def test_processes_of_a_pool_write_the_run_that_they_are_handed(tmp_path, how):
    program = f"""
import multiprocessing, sys, mlkit
from mlkit.store.store import Store
def work(run, number):
    run.log_metrics({{"x": number}}, step=number)
if __name__ == "__main__":
    with Store(sys.argv[1]).start_run("pool") as run:
        with multiprocessing.get_context({how!r}).Pool(2) as pool:
            pool.starmap(work, [(run, number) for number in range(40)])
"""
    script = tmp_path / "script.py"
    script.write_text(program)
    subprocess.run([sys.executable, script, tmp_path / "s"], check=True)
    (run,) = Store(tmp_path / "s").runs
    assert _values(run) == list(range(40))
    assert run.status == "FINISHED"


class Loader:
    """Hands out items from workers that live as long as an epoch, as torch's DataLoader does."""

    def __init__(self, run):
        self.run = run

    def epoch(self, context, numbers):
        queue = context.Queue()
        workers = [
            context.Process(target=self.feed, args=(queue, numbers[at::2])) for at in range(2)
        ]
        for worker in workers:
            worker.start()
        found = [queue.get(timeout=60) for _ in numbers]
        for worker in workers:
            worker.join()
        return found

    def feed(self, queue, numbers):
        for number in numbers:
            self.run.log_metrics({"x": number}, step=number)
            queue.put(number)


def test_workers_that_come_and_go_with_each_epoch_lose_nothing(store):
    context = multiprocessing.get_context("fork" if sys.version_info < (3, 12) else "spawn")
    with store.start_run("loader") as run:
        for epoch in range(3):
            Loader(run).epoch(context, range(epoch * 10, epoch * 10 + 10))
            run.log_metric("epoch", epoch)
    read = store.run(run.id)
    assert _values(read) == list(range(30))
    assert read.summary["epoch"] == 2.0


def test_in_its_own_process_a_pickled_run_is_the_same_run(store):
    with store.start_run("same") as run:
        assert pickle.loads(pickle.dumps(run)) is run
        assert copy.deepcopy({"run": run})["run"] is run


def test_what_lives_in_the_memory_of_a_process_cannot_be_handed_to_another():
    with (
        mlkit.Store("memory://members").start_run("memory") as run,
        pytest.raises(InvalidInput, match="lives in one process"),
    ):
        pickle.dumps(run)


def test_a_member_never_ends_the_run(store):
    run = store.start_run("owned")
    member = store.runs.join(run._earlier.head)
    member.log_metric("x", 1)
    member.finish("FAILED", error="only here")
    assert member.finished
    assert store.run(run.id).status == "RUNNING"
    run.log_metric("x", 2)
    run.finish()
    read = store.run(run.id)
    assert (read.status, _values(read)) == ("FINISHED", [1.0, 2.0])
    assert read.error == "only here"


RANK = """
import os, sys, mlkit
with mlkit.start_run("ddp", run_id=sys.argv[1], tags={"by": os.environ["RANK"]}) as run:
    for step in range(50):
        run.log_metrics({"loss": int(os.environ["RANK"])}, step=step)
    run.log_params({f"rank{os.environ['RANK']}": True})
"""


def _start_rank(url, run_id, number, variable="RANK"):
    return subprocess.Popen(
        [sys.executable, "-c", RANK.replace("RANK", variable), run_id],
        env={**os.environ, "MLKIT_STORE": str(url), variable: str(number)},
    )


@pytest.mark.parametrize("variable", ["RANK", "SLURM_PROCID", "LOCAL_RANK"])
@pytest.mark.parametrize("last", [0, 2])
def test_ranks_write_one_run_by_its_id_whoever_is_first_or_last(tmp_path, last, variable):
    run_id = mlkit.new_run_id()
    url = tmp_path / "s"
    Store(url)
    for number in [*(number for number in range(3) if number != last), last]:
        assert _start_rank(url, run_id, number, variable).wait() == 0
    run = Store(url).run(run_id)
    assert run.status == "FINISHED"
    assert run.metrics("loss").num_rows == 150
    assert run.tags == {"by": "0"}
    assert run.params == {"rank0": True, "rank1": True, "rank2": True}
    ranks = {event.body["rank"] for event in run.recorded.events if event.name == "segment"}
    assert ranks == {0, 1, 2}
    assert list(run.verify()) == []


def test_ranks_that_write_at_once_lose_nothing(tmp_path):
    run_id = mlkit.new_run_id()
    ranks = [_start_rank(tmp_path / "s", run_id, number) for number in range(4)]
    assert [process.wait() for process in ranks] == [0] * 4
    run = Store(tmp_path / "s").run(run_id)
    assert run.metrics("loss").num_rows == 200
    assert len(list(Store(tmp_path / "s").runs)) == 1


def test_a_run_whose_rank_0_never_came_says_so(store, monkeypatch):
    run_id = mlkit.new_run_id()
    monkeypatch.setenv("RANK", "1")
    with store.start_run("ddp", run_id=run_id) as run:
        run.log_metric("x", 1)
    with pytest.raises(NotFound, match=r"has no beginning.*rank 0"):
        store.run(run_id)
    assert any("run.json" in problem.path for problem in store.runs.verify(run_id))


def test_the_rank_is_what_the_launcher_says():
    assert rank({}) == 0
    assert rank({"RANK": "2", "LOCAL_RANK": "0"}) == 2
    assert rank({"OMPI_COMM_WORLD_RANK": "3"}) == 3
    assert rank({"RANK": "", "PMI_RANK": "1"}) == 1
    assert rank({"RANK": "none"}) == 0


def test_a_process_forked_while_others_log_can_log_and_end(tmp_path):
    program = """
import os, sys, threading
import mlkit
run = mlkit.Store(sys.argv[1]).start_run("forks", capture=True)
stop = threading.Event()
def work(number):
    step = 0
    while not stop.is_set():
        run.log_metrics({f"t{number}": step}, step=step)
        print("busy")
        step += 1
threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
for thread in threads:
    thread.start()
for number in range(20):
    pid = os.fork()
    if pid == 0:
        run.log_metric("x", number)
        print("child")
        run.flush()
        run.finish()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join()
run.finish()
"""
    subprocess.run(
        [sys.executable, "-c", program, tmp_path / "s"],
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=120,
    )
    (run,) = Store(tmp_path / "s").runs
    assert _values(run) == list(range(20))
    assert list(run.verify()) == []


def test_a_child_may_end_although_a_thread_of_its_parent_was_just_ending_the_run(store):
    run = store.start_run("ending")
    run._ending.acquire()  # as a thread that is within finish() at the fork
    pid = os.fork()
    if pid == 0:
        run.log_metric("x", 1)
        run.finish()
        os._exit(0 if run.finished else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    run._ending.release()
    run.finish()
    assert _values(store.run(run.id)) == [1.0]


def test_tasks_gathered_in_one_loop_and_threads_keep_their_runs_apart(store):
    done = {}

    def work(number):
        with store.start_run(f"e{number}") as run:
            for step in range(20):
                mlkit.log_metric("x", number, step=step)
            done[number] = run.id

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, run_id in done.items():
        assert set(_values(store.run(run_id))) == {float(number)}
