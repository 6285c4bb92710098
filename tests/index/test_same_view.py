"""Promise: folded, unfolded and live runs give the same view, whatever was done to them."""

import shutil
import tempfile
import warnings
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from mlkit.store.store import Store

KEYS = st.sampled_from(["lr", "Lr", "a b", "m", "m.x", "m.x.y", "é", "\udc80"])
VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**66), 2**66),
    st.floats(),
    st.text(st.characters(codec=None), max_size=4),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["x", "y", "x.y"]), st.integers() | st.text(), max_size=2),
)
PARAMS = st.dictionaries(KEYS, VALUES, max_size=3)
STEPS = st.integers(-5, 5) | st.just(2**53) | st.sampled_from([0.5, 2.0, -1.5])
POINTS = st.lists(st.tuples(KEYS, STEPS, st.floats()), max_size=6)
WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=4)


class StoreMachine(RuleBasedStateMachine):
    """A store that runs come to and change in, and what two indexes of it say.

    One has seen all that happened, the other one opens the store anew.
    """

    ended = Bundle("ended")
    alive = Bundle("alive")

    def __init__(self, told):
        super().__init__()
        self.told = told
        self.root = Path(tempfile.mkdtemp(dir=Path.cwd()))
        self.store = Store(self.root / "store")
        self.runs = {}

    @rule(target=alive, params=PARAMS, points=POINTS, goals=st.sampled_from([{}, {"lr": "min"}]))
    def start(self, params, points, goals):
        run = self.store.start_run("e" if len(params) % 2 else "f", name=None)
        run.log_params(params)
        self.runs[run.id] = run
        self._log(run, points)
        if goals:
            run.set_goals(goals)
        return run.id

    @rule(run_id=alive, points=POINTS)
    def log(self, run_id, points):
        self._log(self.runs[run_id], points)

    @rule(target=ended, run_id=consumes(alive), status=st.sampled_from(["FINISHED", "FAILED"]))
    def end(self, run_id, status):
        self.runs[run_id].finish(status)
        return run_id

    @rule(target=ended, params=PARAMS, points=POINTS, count=st.integers(1, 4))
    def start_and_end(self, params, points, count):
        made = []
        for _ in range(count):
            with self.store.start_run("g") as run:
                run.log_params(params)
                self._log(run, points)
                run.set_tags(t=str(len(points)))
            made.append(run.id)
        return multiple(*made)

    @rule(target=alive, run_id=consumes(ended), points=POINTS)
    def resume(self, run_id, points):
        experiment = self.store.run(run_id).experiment
        self.runs[run_id] = self.store.start_run(experiment, resume=run_id)
        self._log(self.runs[run_id], points)
        return run_id

    @rule(run_id=ended, tag=WORDS, text=WORDS)
    def tag(self, run_id, tag, text):
        self.store.run(run_id).set_tags({tag: text})

    @rule(run_id=ended, name=WORDS.filter(str.strip))
    def rename(self, run_id, name):
        self.store.run(run_id).rename(name)

    @rule(run_id=ended)
    def delete(self, run_id):
        self.store.run(run_id).delete()

    @rule(run_id=ended)
    def restore(self, run_id):
        self.store.run(run_id).restore()

    @rule(run_id=consumes(ended))
    def remove_folder(self, run_id):
        shutil.rmtree(self.root / "store" / "runs" / run_id)

    @rule()
    def fold(self):
        self.store._index.folding().fold()

    @rule()
    def fold_elsewhere(self):
        Store(self.root / "store")._index.folding().fold()

    @rule()
    def compact(self):
        self.store._index.compact()

    @rule()
    def reindex(self):
        self.store._index.reindex()

    @rule()
    def remove_tables(self):
        for name in ("runs", "metrics", "summaries"):
            shutil.rmtree(self.root / "store/tables" / name, ignore_errors=True)

    @invariant()
    def tables_and_folders_say_the_same(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fresh = Store(self.root / "store")._index
            right = self.told(fresh.see(tables=False))
            assert self.told(fresh.see()) == right
            assert self.told(self.store._index.see()) == right

    def _log(self, run, points):
        for key, step, value in points:
            run.log_metric(key, value, step=step)

    def teardown(self):
        for run in self.runs.values():
            run.finish()
        shutil.rmtree(self.root)


def test_tables_and_folders_say_the_same_whatever_happens(told):
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        lambda: StoreMachine(told),
        settings=settings(
            max_examples=15, stateful_step_count=15, suppress_health_check=list(HealthCheck)
        ),
    )
