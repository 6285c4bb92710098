"""Promises about thousands of short runs that many processes write to one store at once."""

import multiprocessing

from mlkit.store.store import Store

PROCESSES = 8
RUNS = 250


def log_runs(url, process):
    store = Store(url)
    ids = []
    for number in range(RUNS):
        with store.start_run(f"e{number % 5}") as run:
            run.log_params(process=process, number=number)
            for step in range(3):
                run.log_metric("loss", process * 1_000_000 + number * 10 + step, step=step)
        ids.append(run.id)
    return ids


def test_two_thousand_short_runs_of_eight_processes_are_all_there(tmp_path):
    url = str(tmp_path / "s")
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        ids = pool.starmap(log_runs, [(url, process) for process in range(PROCESSES)], chunksize=1)
    store = Store(url)
    runs = {run.id: run for run in store.runs}
    assert len(runs) == len(store.runs) == PROCESSES * RUNS
    assert set(runs) == {run_id for own in ids for run_id in own}
    for process, own in enumerate(ids):
        for number, run_id in enumerate(own):
            run = runs[run_id]
            base = float(process * 1_000_000 + number * 10)
            assert (run.status, run.experiment) == ("FINISHED", f"e{number % 5}")
            assert run.params == {"process": process, "number": number}
            points = run.metrics("loss")
            assert points.column("step").to_pylist() == [0, 1, 2]
            assert points.column("value").to_pylist() == [base, base + 1, base + 2]
    counts = {one.name: one.run_count for one in store.experiments}
    assert counts == {f"e{number}": PROCESSES * RUNS // 5 for number in range(5)}
    for run_id in list(runs)[::50]:
        assert list(runs[run_id].verify()) == []
        assert list(store.runs.verify(run_id)) == []
