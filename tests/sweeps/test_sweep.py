"""Sweeps in a real store."""

import functools
import math
import os
import signal
import subprocess
import sys
import textwrap

import pytest

import mlkit
from mlkit.errors import InvalidInput
from mlkit.sweeps.trial import Goal, Job, name_of, run_in_worker


@pytest.fixture
def store(tmp_path):
    return mlkit.Store(tmp_path / "store")


def score(x, scale=1):
    return {"score": -((x - 3) ** 2) * scale, "model": object()}


def children(store, result):
    return store.search_runs(f"parent = '{result.parent_id}'", order_by="started")


def test_each_trial_is_a_child_run_with_its_arguments_and_metrics(store):
    result = store.sweep(score, {"x": [1, 2, 3]}, goal="max score")
    runs = children(store, result)
    assert [run.params for run in runs] == [{"x": x, "scale": 1} for x in (1, 2, 3)]
    assert [run.summary for run in runs] == [{"score": -4.0}, {"score": -1.0}, {"score": 0.0}]
    assert [run.name for run in runs] == ["score 1", "score 2", "score 3"]
    assert {run.status for run in runs} == {"FINISHED"}


def test_the_parent_run_says_what_was_searched(store):
    result = store.sweep(score, {"x": [1, 2, 3]}, goal="max score", n=2, seed=5)
    parent = store.run(result.parent_id)
    assert parent.status == "FINISHED"
    assert parent.params["goal"] == "max score"
    assert parent.params["sampler"] == "grid"
    assert parent.params["space"] == {"x": "Choice(values=(1, 2, 3))"}
    assert parent.tags == {"sweep.best": result.best.id}


def test_the_result_has_the_best_first(store):
    result = store.sweep(score, {"x": [1, 3, 2]}, goal="max score")
    assert result.best_params == {"x": 3}
    assert result.best_value == 0
    assert result.best.summary["score"] == 0
    assert [run.params["x"] for run in result.runs] == [3, 2, 1]
    assert len(result) == 3
    assert result.failed == 0
    assert "best score 0 with {'x': 3}" in repr(result)
    assert "<table" in result._repr_html_()
    assert repr(result.runs).split()[:3] == ["run", "metrics.score", "params.x"]


def test_less_is_better_when_the_goal_says_so(store):
    assert store.sweep(score, {"x": [1, 3]}, goal="min score").best_params == {"x": 1}


def test_the_same_seed_tries_the_same(store):
    space = {"x": mlkit.uniform(0, 6), "scale": mlkit.log_uniform(0.1, 10)}
    one, two = (store.sweep(score, space, n=3, goal="max score", seed=4) for _ in range(2))
    assert one.best_params == two.best_params
    assert len(one) == 3


def test_a_tracked_function_isnt_tracked_twice(store):
    @mlkit.track("parabola", store=store)
    def tracked(x):
        return {"score": x}

    result = store.sweep(tracked, {"x": [1, 2]}, goal="max score")
    assert [(one.name, one.run_count) for one in store.experiments] == [("parabola", 3)]
    assert result.best_params == {"x": 2}


def test_a_trial_that_fails_leaves_the_others_alone(store):
    def fragile(x):
        if x == 2:
            raise ValueError("two is\ntoo many")
        return {"score": x}

    result = store.sweep(fragile, {"x": [1, 2, 3]}, goal="max score")
    assert result.best_params == {"x": 3}
    assert result.failed == 1
    assert result.failures[0].error == "ValueError: two is too many"
    assert ", 1 failed" in repr(result)
    failed = result.runs[-1]
    assert failed.status == "FAILED"
    assert "two is" in failed.error


def test_a_sweep_of_which_all_trials_fail_is_an_error(store):
    def broken(x):
        raise ValueError(f"no {x}")

    with pytest.raises(
        InvalidInput, match=r"All 2 trials .* failed, the first with ValueError: no 1"
    ):
        store.sweep(broken, {"x": [1, 2]}, goal="max score", experiment="broken")
    assert [run.status for run in store.search_runs()] == ["FAILED"] * 3


def test_the_goal_may_be_logged_by_the_function_itself(store):
    def quiet(x):
        mlkit.log_metric("score", x, step=1)

    assert store.sweep(quiet, {"x": [1, 2]}, goal="max score").best_params == {"x": 2}


def test_a_lone_number_is_the_goal(store):
    assert store.sweep(lambda x: -x, {"x": [1, 2]}, goal="max score").best_params == {"x": 1}


@pytest.mark.parametrize(
    ("given", "said"),
    [({"scor": 1}, "Did you mean 'scor'"), ({"other": 1}, "It gave other"), (None, "Return")],
)
def test_a_trial_without_the_goal_fails_with_the_reason(store, given, said):
    with pytest.raises(InvalidInput, match="gave no metric 'score'") as caught:
        store.sweep(lambda x: given and {**given, "x": x}, {"x": [1]}, goal="max score")
    assert said in str(caught.value).replace("x", "") or said in str(caught.value)


def test_nan_is_never_best(store):
    result = store.sweep(lambda x: x, {"x": [math.nan, 1.0]}, goal="max score")
    assert result.best_params == {"x": 1.0}
    assert math.isnan(result.runs[1].summary["score"])


def test_a_sweep_that_gives_only_nan_is_an_error(store):
    with pytest.raises(InvalidInput, match="No trial of the sweep has a score that is a number"):
        store.sweep(lambda x: math.nan * x, {"x": [1.0]}, goal="max score")


@pytest.mark.parametrize(
    "options",
    [
        {"goal": "score"},
        {"goal": "most score"},
        {"goal": "max "},
        {"goal": None},
        {"n": 0},
        {"n": 1.5},
        {"n": True},
        {"seed": "a"},
        {"n_jobs": 0},
        {"n_jobs": "2"},
        {"space": {"y": [1]}},
        {"space": {"x": [1], "scal": [1]}},
        {"space": {"scale": [1]}},
        {"space": {"x": 1}},
        {"func": 5},
        {"sampler": "random"},
    ],
)
def test_bad_input_is_refused_before_anything_is_written(store, options):
    options = {"func": score, "space": {"x": [1]}, "goal": "max score"} | options
    with pytest.raises(InvalidInput):
        store.sweep(**options)
    assert len(store.search_runs()) == 0


def test_a_misspelt_param_is_suggested(store):
    with pytest.raises(InvalidInput, match="Did you mean 'scale'"):
        store.sweep(score, {"x": [1], "scal": [1]}, goal="max score")


def test_functions_without_a_signature_are_tried_as_they_are(store):
    result = store.sweep(dict, {"score": [1, 2]}, goal="max score", experiment="e")
    assert result.best_params == {"score": 2}


def test_a_sampler_that_gives_nothing_is_an_error(store):
    class Empty:
        def __init__(self, space, *, n, seed):
            pass

        def ask(self):
            return None

    with pytest.raises(InvalidInput, match="The sampler gave nothing to try"):
        store.sweep(score, {"x": [1]}, goal="max score", sampler=Empty)


def test_a_sampler_learns_the_score_of_each_trial_larger_being_better(store):
    told = []

    class Curious:
        def __init__(self, space, *, n, seed):
            pass

        def ask(self):
            return {"x": [2, -1, math.nan][len(told)]}

        def tell(self, params, score):
            told.append(score)

    def root(x):
        return {"score": math.sqrt(x)}

    result = store.sweep(root, {"x": [1]}, n=3, goal="min score", sampler=Curious)
    assert told == [-math.sqrt(2), None, None]
    assert [trial.number for trial in result.trials] == [1, 3, 2]


def test_an_interruption_keeps_what_is_done_and_is_raised_again(store):
    def stopped(x):
        if x == 2:
            raise KeyboardInterrupt
        return x

    with pytest.raises(KeyboardInterrupt):
        store.sweep(stopped, {"x": [1, 2, 3]}, goal="max score")
    runs = store.search_runs(order_by="started")
    assert [run.status for run in runs] == ["KILLED", "FINISHED", "KILLED"]
    assert mlkit.active_run() is None


def test_functions_are_named_for_people():
    assert name_of(score) == "score"
    assert name_of(functools.partial(score, 1)) == "score"
    assert name_of(lambda: 1) == "sweep"
    assert Goal.of(" min  val/loss ") == Goal("min", "val/loss")


def test_trials_run_in_several_processes(store):
    def where(x):
        return {"score": x, "pid": os.getpid()}

    result = store.sweep(where, {"x": list(range(6))}, goal="max score", n_jobs=2)
    assert result.best_params == {"x": 5}
    assert os.getpid() not in {run.summary["pid"] for run in result.runs}
    assert len(children(store, result)) == 6
    assert {run.status for run in result.runs} == {"FINISHED"}


def test_in_several_processes_a_trial_may_fail_too(store):
    def fragile(x):
        if x == 2:
            raise ValueError("no")
        return x

    result = store.sweep(fragile, {"x": [1, 2, 3]}, goal="max score", n_jobs=2)
    assert result.best_params == {"x": 3}
    assert result.failed == 1


def test_what_cant_be_sent_to_processes_is_refused(store, tmp_path):
    with (tmp_path / "open").open("w") as held:

        def closed_over(x):
            return held.fileno() * x

        with pytest.raises(InvalidInput, match="can't be sent to other processes"):
            store.sweep(closed_over, {"x": [1, 2]}, goal="max score", n_jobs=2)


def test_a_worker_opens_the_store_for_itself(store):
    opened = []

    def reopen():
        opened.append(mlkit.Store(store.url))
        return opened[0]

    job = Job(score, Goal("max", "score"), "e", "score", parent_id="p")
    trial = run_in_worker(reopen, job, 1, {"x": 3})
    assert trial.value == 0
    assert opened[0].run(trial.run_id).parent_id == "p"


def test_a_worker_that_dies_ends_the_sweep_with_what_is_done(store):
    def deadly(x):
        if x == 3:
            os._exit(1)
        return x

    with pytest.raises(Exception, match="worker"):
        store.sweep(deadly, {"x": [1, 2, 3]}, goal="max score", n_jobs=2)
    assert store.search_runs("parent is null")[0].status == "FAILED"


def test_processes_need_a_store_that_they_can_open():
    memory = mlkit.Store("memory://sweep-processes")
    with pytest.raises(InvalidInput, match="other processes don't see this one's memory"):
        memory.sweep(score, {"x": [1]}, goal="max score", n_jobs=2)


def test_ctrl_c_stops_processes_and_keeps_what_is_done(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys, threading
            import mlkit

            def train(x):
                if x > 1:
                    threading.Event().wait()
                return x

            store = mlkit.Store(sys.argv[1])
            store.sweep(train, {"x": [0, 1, 2, 3]}, goal="max score", n_jobs=2, progress=True)
            """
        )
    )
    with subprocess.Popen(
        [sys.executable, script, tmp_path / "store"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        for line in process.stderr:
            if line.startswith("train: 2"):
                os.killpg(process.pid, signal.SIGINT)
                break
        rest = process.stderr.read()
    assert process.returncode != 0
    assert "KeyboardInterrupt" in rest
    assert "Interrupted; 2 trials are kept" in rest
    store = mlkit.Store(tmp_path / "store")
    assert len(store.search_runs("parent is not null and status = 'FINISHED'")) == 2
    assert store.search_runs("parent is null")[0].status == "KILLED"
