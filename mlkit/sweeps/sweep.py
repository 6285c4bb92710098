"""Sweeps: one function tried with many params, one run for each trial."""

import pickle
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from typing import Any

from mlkit.errors import InvalidInput
from mlkit.query.runs import RunTable
from mlkit.sweeps.progress import Progress
from mlkit.sweeps.result import SweepResult
from mlkit.sweeps.samplers import Sampler, SamplerFactory, default_sampler, make_sampler
from mlkit.sweeps.space import space_of
from mlkit.sweeps.trial import (
    Goal,
    Job,
    SweepStore,
    Trial,
    check_arguments,
    name_of,
    run_in_worker,
    untracked,
)


def run_sweep(  # noqa: PLR0913 - the options of a sweep, and the two stores
    func: Callable[..., Any],
    space: Mapping[str, Any],
    *,
    n: int | None = None,
    goal: str = "max auc",
    n_jobs: int = 1,
    seed: int = 0,
    sampler: str | SamplerFactory | None = None,
    experiment: str | None = None,
    name: str | None = None,
    tags: Mapping[str, Any] | None = None,
    progress: bool | None = None,
    store: SweepStore,
    reopen: Callable[[], SweepStore],
) -> SweepResult:
    """Try a function with many params; see `mlkit.sweep`.

    A trial that fails is a run that FAILED, and the others go on. Ctrl-C ends the trial at hand
    and the sweep as KILLED, keeps what is done, and is raised again.

    Args:
        func: Takes params as keywords; returns a mapping of metrics, or the goal's metric alone,
            or logs it. Of one made by `mlkit.track` the function within is called.
        space: Param to a list of choices, or to `uniform`, `log_uniform` or `int_uniform`.
        n: How many trials at most.
        goal: `max` or `min`, and the metric.
        n_jobs: How many trials at once; more than one run in processes of their own through
            joblib, -1 means one for each processor.
        seed: What makes the choice of params repeatable.
        sampler: Its name, or what makes it; by default a grid where all params have countable
            values, else random.
        experiment: Of the runs; by default that of a tracked function, or the function's name.
        name: Of the parent run.
        tags: Of the parent run.
        progress: Whether to show progress; by default on a terminal.
        store: Where the runs go.
        reopen: Opens the same store in another process.

    Raises:
        InvalidInput: The space, the goal or a number can't be used, the function doesn't take
            the params, or every trial failed.
        NotFound: There is no such sampler.
    """
    _check_number("n", n, least=1)
    _check_number("seed", seed)
    _check_number("n_jobs", n_jobs)
    if not n_jobs or (n_jobs != 1 and store.url.startswith("memory:")):
        message = f"n_jobs={n_jobs} can't be used with the store {store.url}"
        raise InvalidInput(
            message, hint="Use n_jobs=1: other processes don't see this one's memory"
        )
    dimensions = space_of(space)
    check_arguments(func, list(dimensions))
    target = Goal.of(goal)
    sampler = default_sampler(dimensions) if sampler is None else sampler
    asked = make_sampler(sampler, dimensions, n=n, seed=seed)
    label = name_of(func)
    group = experiment or str(getattr(func, "__mlkit_experiment__", label))
    with store.start_run(group, name=name or "sweep", tags=tags) as parent:
        parent.log_params(
            goal=goal,
            n=n,
            seed=seed,
            sampler=sampler if isinstance(sampler, str) else type(asked).__name__,
            space={key: repr(dimension) for key, dimension in dimensions.items()},
        )
        job = Job(untracked(func), target, group, label, parent.id)
        total = getattr(asked, "total", n)
        feed = _Feed(asked, n)
        trials: list[Trial] = []
        with (
            Progress(label, target, total=total, show=progress) as line,
            closing(_results(job, feed, n_jobs=n_jobs, store=store, reopen=reopen)) as results,
        ):
            for trial in results:
                trials.append(trial)
                feed.tell(trial, target)
                line.add(trial)
        best_first = _ranked(trials, target)
        _check_any(best_first, target)
        parent.set_tags({"sweep.best": best_first[0].run_id})
    found = [store.run(trial.run_id) for trial in best_first]
    runs = RunTable.of(found, lead=f"metrics.{target.metric}")
    return SweepResult(parent.id, target, tuple(best_first), runs)


class _Feed:
    """Trials as the sampler asks for them; workers may be fed from another thread."""

    def __init__(self, sampler: Sampler, n: int | None) -> None:
        self._sampler = sampler
        self._lock = threading.Lock()
        self._n = n
        self._number = 0

    def __iter__(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        while self._n is None or self._number < self._n:
            with self._lock:
                params = self._sampler.ask()
            if params is None:
                return
            self._number += 1
            yield self._number, params

    def tell(self, trial: Trial, goal: Goal) -> None:
        score = goal.score(trial.value) if trial.value is not None and trial.scored else None
        with self._lock:
            self._sampler.tell(trial.params, score)


def _results(
    job: Job,
    feed: _Feed,
    *,
    n_jobs: int,
    store: SweepStore,
    reopen: Callable[[], SweepStore],
) -> Generator[Trial, None, None]:
    if n_jobs == 1:
        for number, params in feed:
            yield job.run(store, number, params)
        return
    import joblib

    parallel = joblib.Parallel(
        n_jobs=n_jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs"
    )
    one = joblib.delayed(run_in_worker)
    try:
        with closing(parallel(one(reopen, job, *asked) for asked in feed)) as done:
            yield from done
    except pickle.PicklingError as error:
        message = f"{job.label} can't be sent to other processes: {error.__cause__ or error}"
        hint = "Use n_jobs=1, or make what it needs within the function"
        raise InvalidInput(message, hint=hint) from error


def _ranked(trials: list[Trial], goal: Goal) -> list[Trial]:
    """The best first, then those without a value to compare, then those that failed."""

    def place(trial: Trial) -> tuple[int, float, int]:
        if trial.value is not None and trial.scored:
            return 0, -goal.score(trial.value), trial.number
        return 2 if trial.error else 1, 0.0, trial.number

    return sorted(trials, key=place)


def _check_any(trials: list[Trial], goal: Goal) -> None:
    if trials and trials[0].scored:
        return
    if not trials:
        message = "The sampler gave nothing to try"
        raise InvalidInput(message, hint="Look at the space and at n")
    first = trials[0]
    if first.error:
        message = f"All {len(trials)} trials of the sweep failed, the first with {first.error}"
        raise InvalidInput(message, hint=f"store.run({first.run_id!r}).error has the traceback")
    message = f"No trial of the sweep has a {goal.metric} that is a number"
    raise InvalidInput(message, hint=f"Look at store.run({first.run_id!r})")


def _check_number(what: str, value: object, least: int | None = None) -> None:
    if value is None and what == "n":
        return
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or (least is not None and isinstance(value, int) and value < least):
        message = f"{what}={value!r} can't be used"
        rule = "a whole number" if least is None else f"a whole number from {least}"
        raise InvalidInput(message, hint=f"Use {rule}")
