import asyncio
import enum
import subprocess
import sys
import threading

import numpy as np
import pytest

import mlkit
from mlkit.errors import InvalidInput, NoActiveRun, NotFound, RunFinished
from mlkit.store.store import Store
from mlkit.tracking.context import current_run


@pytest.fixture(params=["local", "memory", "sent"])
def any_store(request, tmp_path, monkeypatch):
    """A store on a disk, in memory, and one that can't append so that everything is sent."""
    if request.param == "local":
        return Store(tmp_path / "store")
    if request.param == "memory":
        return Store(f"memory://{tmp_path.name}")
    from mlkit.storage.memory import MemoryStorage
    from mlkit.storage.protocol import Capabilities

    limited = Capabilities(exclusive_create=True, append=False)
    monkeypatch.setattr(MemoryStorage, "capabilities", limited)
    return Store(f"memory://{tmp_path.name}-sent")


def test_what_was_logged_is_read_back(any_store):
    with any_store.start_run("flights", name="first", tags={"team": "ml"}) as run:
        run.log_params({"depth": 6}, lr=0.1)
        run.log_metrics({"loss": 0.5, "auc": 0.7}, step=1)
        run.log_metric("loss", 0.3, step=2)
        run.set_tags(owner="ann")
        run.note("looks good")
    read = any_store.run(run.id)
    assert (read.experiment, read.name, read.status) == ("flights", "first", "FINISHED")
    assert read.params == {"depth": 6, "lr": 0.1}
    assert read.tags == {"team": "ml", "owner": "ann"}
    assert [note["text"] for note in read.notes] == ["looks good"]
    assert read.summary == {"loss": 0.3, "auc": 0.7}
    assert read.metrics("loss").select(["step", "value"]).to_pydict() == {
        "step": [1, 2],
        "value": [0.5, 0.3],
    }
    assert read.metrics().column("key").to_pylist() == ["auc", "loss", "loss"]
    assert read.started_at < read.ended_at
    assert list(read.verify()) == []
    assert list(any_store.verify()) == []


def test_params_keep_their_types(store):
    class Colour(enum.Enum):
        RED = "red"

    params = {
        "float": 1.0,
        "int": 1,
        "bool": True,
        "none": None,
        "text": "1",
        "nested": {"layers": [64, {"act": "relu"}], "nan": float("inf")},
        "dollar": {"$float": "nan"},
    }
    with store.start_run("types") as run:
        run.log_params(params)
        run.log_params(
            np32=np.float32(0.5), np64=np.int64(3), colour=Colour.RED, pair=(1, 2), kinds={"b", "a"}
        )
        run.log_params(other=object)
    read = store.run(run.id).params
    for key, value in params.items():
        assert read[key] == value
        assert type(read[key]) is type(value)
    assert read["np32"] == 0.5
    assert read["np64"] == 3
    assert type(read["np64"]) is int
    assert (read["colour"], read["pair"], read["kinds"]) == ("red", [1, 2], ["a", "b"])
    assert read["other"] == "<class 'object'>"


def test_a_param_logged_again_keeps_its_history_and_the_last_value(store):
    with store.start_run("again") as run:
        run.log_params(lr=0.1, depth=6)
        run.log_params(lr={"base": 0.2})
    read = store.run(run.id)
    assert read.params == {"lr": {"base": 0.2}, "depth": 6}
    history = read.recorded.param("lr")
    assert [entry["value"] for entry in history] == [0.1, {"base": 0.2}]
    assert history[0]["time"] <= history[1]["time"]
    assert read.recorded.param("other") == []


def test_what_is_no_text_is_named(store):
    with pytest.raises(InvalidInput, match="None can't be the id"):
        store.run(None)
    with store.start_run("bad") as run:
        with pytest.raises(InvalidInput, match="A note is text, not 5"):
            run.note(5)
        with pytest.raises(InvalidInput, match="'' is no name"):
            run.log_metrics({"": 1, "x": 2})
    assert store.run(run.id).summary == {"x": 2.0}
    assert run.id in repr(run)
    assert run.id in repr(store.run(run.id))


def test_flushing_a_store_that_appends_has_nothing_to_do(store):
    with store.start_run("flush") as run:
        for step in range(5):
            run.log_metric("x", step)
            run.flush()
    assert len(store.run(run.id)._segments) == 1


def test_bad_names_and_values_are_refused_and_harm_nothing(store):
    deep = {}
    deep["self"] = deep
    with store.start_run("bad") as run:
        with pytest.raises(InvalidInput, match="name of a param"):
            run.log_params({3: 1})
        with pytest.raises(InvalidInput, match=r"Write log_params\(lr=0\.1\)"):
            run.log_params("lr")
        with pytest.raises(InvalidInput, match="Write set_tags"):
            run.set_tags(["owner"])
        with pytest.raises(InvalidInput, match="name of a tag"):
            run.set_tags({"": 1})
        with pytest.raises(InvalidInput, match="nested too deeply"):
            run.log_params(deep=deep)
        with pytest.raises(InvalidInput, match="'auc' is 'high'"):
            run.log_metrics({"auc": "high", "loss": 0.1})
        run.log_params(good=1)
    read = store.run(run.id)
    assert (read.params, read.summary, read.status) == ({"good": 1}, {"loss": 0.1}, "FINISHED")
    with pytest.raises(InvalidInput, match="name of an experiment"):
        store.start_run(" ")


def test_secrets_are_masked_before_they_are_written(store, tmp_path):
    secret = "ghp_" + "a1B2" * 9
    with store.start_run("secret", tags={"token": "hunter22"}) as run:
        run.log_params(password="hunter22", url="postgres://me:hunter22@host/db", note=secret)
        run.log_params({f"with {secret}": 1, "pin": {"credentials": {"value": 12345678901}}})
        run.note(f"used {secret}")
        run.set_tags(api_key="hunter22")
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"hunter22" not in written
    assert b"12345678901" not in written
    assert secret.encode() not in written


def test_an_exception_makes_the_run_failed_with_its_traceback(store):
    with pytest.raises(ZeroDivisionError), store.start_run("fails") as run:
        1 / 0  # noqa: B018 - it is to fail
    read = store.run(run.id)
    assert read.status == "FAILED"
    assert "ZeroDivisionError" in read.error


@pytest.mark.parametrize(
    ("error", "status"),
    [(KeyboardInterrupt(), "KILLED"), (SystemExit(0), "FINISHED"), (SystemExit(3), "FAILED")],
)
def test_an_interrupt_and_an_exit_have_their_own_status(store, error, status):
    with pytest.raises(type(error)), store.start_run("ends") as run:
        raise error
    assert store.run(run.id).status == status


def test_a_run_without_with_ends_at_finish(store):
    run = store.start_run("plain")
    assert current_run() is run
    run.log_metric("x", 1)
    assert store.run(run.id).status == "RUNNING"
    assert store.run(run.id).summary == {"x": 1.0}
    assert store.run(run.id).ended_at is None
    run.finish()
    run.finish("FAILED")
    assert current_run() is None
    assert store.run(run.id).status == "FINISHED"


def test_a_finished_run_takes_no_more(store):
    with store.start_run("over") as run:
        pass
    for log in (lambda: run.log_metric("x", 1), lambda: run.note("x")):
        with pytest.raises(RunFinished, match=run.id):
            log()
    with pytest.raises(InvalidInput, match="no status"):
        run.finish("DONE")


def test_a_run_within_a_run_is_its_child(store):
    with store.start_run("outer") as outer:
        with store.start_run("inner") as inner:
            assert current_run() is inner
        assert current_run() is outer
        assert outer.parent_id is None
    assert store.run(inner.id).parent_id == outer.id
    with store.start_run("later", parent_id=outer.id) as later:
        pass
    assert store.run(later.id).parent_id == outer.id


def test_two_tasks_of_a_loop_have_a_run_each(store):
    async def work(value):
        with store.start_run("async") as run:
            for _ in range(5):
                await asyncio.sleep(0)
                mlkit.log_metric("x", value)
        return run.id

    async def both():
        return await asyncio.gather(work(1), work(2))

    first, second = asyncio.run(both())
    assert store.run(first).metrics("x").column("value").to_pylist() == [1.0] * 5
    assert store.run(second).metrics("x").column("value").to_pylist() == [2.0] * 5
    assert store.run(second).parent_id is None


def test_threads_share_a_run_and_lose_nothing(store):
    with store.start_run("threads") as run:

        def work(number):
            for step in range(500):
                run.log_metrics({f"x{number % 4}": step, "shared": number}, step=step)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    read = store.run(run.id)
    assert read.metrics("shared").num_rows == 4000
    assert read.metrics("x1").num_rows == 1000
    assert len([name for name in read._files if name.endswith(".seg")]) == 1


def test_verbs_without_a_run_say_what_to_write():
    with pytest.raises(NoActiveRun, match=r"with mlkit\.start_run\('experiment'\)"):
        mlkit.log_metrics({"x": 1})


def test_an_unknown_run_metric_or_artifact_is_named_with_what_is_near(store):
    with store.start_run("near") as run:
        run.log_metric("loss", 1)
        run.log_text("x", "notes.txt")
    with pytest.raises(NotFound, match="Did you mean 'loss'"):
        store.run(run.id).metrics("los")
    with pytest.raises(NotFound, match=r"Did you mean 'notes\.txt'"):
        store.run(run.id).artifact("note.txt")
    with pytest.raises(NotFound, match="no run 'nothing'"):
        store.run("nothing")
    with pytest.raises(NotFound):
        store.run("01a20a5d-ef15-727c-a58d-b7d70efe8161")


def test_a_run_is_found_by_the_beginning_of_its_id(store):
    with store.start_run("a") as first:
        pass
    assert store.run(first.id[:8]).id == first.id
    with store.start_run("b"):
        pass
    with pytest.raises(InvalidInput, match="2 runs begin with"):
        store.run(first.id[:2])


def test_a_run_without_points_has_an_empty_table(store):
    with store.start_run("empty") as run:
        run.log_params(a=1)
    assert store.run(run.id).metrics().num_rows == 0
    assert store.run(run.id).metrics().column_names == ["key", "step", "time", "value"]


def test_runs_are_listed_in_the_order_of_their_start(store):
    ids = []
    for number in range(5):
        with store.start_run("many") as run:
            run.log_params(number=number)
        ids.append(run.id)
    assert store.runs.ids() == ids
    assert [run.params["number"] for run in store.runs] == list(range(5))
    assert len(store.runs) == 5


def test_strangers_among_the_runs_are_passed_over(store, tmp_path):
    with store.start_run("a") as run:
        pass
    (tmp_path / "store" / "runs" / "not-a-run").mkdir()
    (tmp_path / "store" / "runs" / "not-a-run" / "run.json").write_text("{}")
    half = "01a20a5d-ef15-727c-a58d-b7d70efe8161"
    (tmp_path / "store" / "runs" / half).mkdir()
    (tmp_path / "store" / "runs" / half / "x-1.seg").write_bytes(b"")
    assert [found.id for found in store.runs] == [run.id]


def test_a_run_left_open_is_finished_when_the_interpreter_exits(tmp_path):
    program = """
import sys, mlkit
run = mlkit.Store(sys.argv[1]).start_run("left")
child = mlkit.Store(sys.argv[1]).start_run("child")
run.log_metric("x", 1)
print(run.id)
if len(sys.argv) > 2:
    raise ValueError("the end")
"""
    for extra, status in (([], "FINISHED"), (["raise"], "FAILED")):
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "s"), *extra],
            capture_output=True,
            text=True,
            check=False,
        )
        store = Store(tmp_path / "s")
        read = store.run(done.stdout.strip())
        assert read.status == status, done.stderr
        assert ("the end" in read.error) == (status == "FAILED")
    assert {run.status for run in store.runs if run.experiment == "child"} == {"FINISHED", "FAILED"}


def test_a_decorated_function_is_a_run_each_call(store):
    @mlkit.track("flights", store=store)
    def train(frame, lr=0.1, *, depth=6, **more):
        mlkit.log_metric("inside", 1)
        return {"auc": 0.8, "model": object()}

    result = train(np.zeros((10, 3)), depth=4, extra="x")
    assert result["auc"] == 0.8
    run = store.search_runs()[0]
    assert (run.experiment, run.name) == ("flights", "train")
    assert run.params == {"frame": "ndarray 10 x 3", "lr": 0.1, "depth": 4, "extra": "x"}
    assert run.summary == {"inside": 1.0, "auc": 0.8}
    assert len(store.runs) == 1
    with pytest.raises(NoActiveRun):
        train.__wrapped__(1)


def test_a_decorated_method_tracks_its_arguments_not_its_self(store):
    class Trainer:
        @mlkit.track("flights", store=store)
        def fit(self, lr):
            raise ValueError(lr)

    with pytest.raises(ValueError, match=r"0\.5"):
        Trainer().fit(0.5)
    run = store.search_runs()[0]
    assert (run.params, run.status) == ({"lr": 0.5}, "FAILED")


def test_track_without_an_experiment_says_what_to_write():
    with pytest.raises(InvalidInput, match=r"@mlkit\.track\('flights'\)"):
        mlkit.track(lambda: None)
