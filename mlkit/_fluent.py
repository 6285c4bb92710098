"""The module-level verbs: each finds the current run or the default store, and delegates."""

import functools
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from mlkit._core.clock import now_ns
from mlkit._core.ids import uuid7
from mlkit.errors import InvalidInput
from mlkit.store import default
from mlkit.store.store import Store
from mlkit.tracking.active import ActiveRun
from mlkit.tracking.context import current_run, require_run
from mlkit.tracking.decorator import Tracked, tracked

if TYPE_CHECKING:
    from os import PathLike
    from typing import SupportsFloat

    from mlkit.data.demands import Demands
    from mlkit.data.version import DatasetVersion
    from mlkit.models.loaded import LoadedModel
    from mlkit.models.package import ModelVersion
    from mlkit.query.expressions import Expression
    from mlkit.query.ordering import OrderBy
    from mlkit.query.runs import RunTable
    from mlkit.sweeps.result import SweepResult
    from mlkit.tracking.reading import Run

P = ParamSpec("P")
R = TypeVar("R")


@overload
def set_store(store: None) -> None: ...


@overload
def set_store(store: "Store | str | PathLike[str]") -> Store: ...


def set_store(store: "Store | str | PathLike[str] | None") -> Store | None:
    """Set the store that the module-level verbs use.

    Args:
        store: A store, or where one is; None goes back to `$MLKIT_STORE`, else `.mlkit`.

    Returns:
        The store.

    Example:
        >>> import mlkit
        >>> mlkit.set_store("memory://fluent-example")
        Store('memory://fluent-example')
    """
    return default.set_store(store)


def get_store() -> Store:
    """Give the store that the module-level verbs use, opened at the first call."""
    return default.get_store()


# Runs


def start_run(
    experiment: str,
    *,
    name: str | None = None,
    tags: Mapping[str, Any] | None = None,
    resume: str | None = None,
    run_id: str | None = None,
    parent_id: str | None = None,
    durable: bool = False,
    capture: bool | None = None,
    store: Store | None = None,
) -> ActiveRun:
    """Start a run and make it the current one; see `Store.start_run`."""
    return (store or get_store()).start_run(
        experiment,
        name=name,
        tags=tags,
        resume=resume,
        run_id=run_id,
        parent_id=parent_id,
        durable=durable,
        capture=capture,
    )


def new_run_id() -> str:
    """Give an id for a run that several processes are going to write, before any has begun it.

    Example:
        >>> import mlkit
        >>> run_id = mlkit.new_run_id()
        >>> store = mlkit.Store("memory://new-run-id-example")
        >>> with store.start_run("flights", run_id=run_id) as run:
        ...     run.log_metric("loss", 0.3)
        >>> run.id == run_id
        True
    """
    return uuid7(now_ns())


def active_run() -> ActiveRun | None:
    """Give the current run, None where there is none."""
    return current_run()


def track(
    experiment: str,
    *,
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    store: Store | None = None,
) -> Callable[[Callable[P, R]], Tracked[P, R]]:
    """Make each call of a function a run.

    Its arguments become params, defaults included; the numbers of the mapping that it returns
    become metrics; an exception makes the run FAILED with its traceback, and is raised again.

    Args:
        experiment: The experiment that the runs belong to.
        name: What to call them; the function's name by default.
        tags: Labels of each.
        store: Where to; the default store of the time of the call by default.

    Example:
        >>> import mlkit
        >>> @mlkit.track("flights", store=mlkit.Store("memory://track-example"))
        ... def train(lr=0.1, depth=6):
        ...     return {"auc": 0.7 + lr / 10}
        >>> train(depth=4)
        {'auc': 0.71}
    """
    if not isinstance(experiment, str):
        raise InvalidInput(
            "mlkit.track takes the name of an experiment", hint="Write @mlkit.track('flights')"
        )

    def decorate(function: Callable[P, R]) -> Tracked[P, R]:
        def start(experiment: str, **options: Any) -> ActiveRun:
            return start_run(experiment, store=store, **options)

        return tracked(function, experiment=experiment, start_run=start, name=name, tags=tags)

    return decorate


def log_params(params: Mapping[str, Any] | None = None, /, **more: Any) -> None:
    """Keep params of the current run; see `ActiveRun.log_params`."""
    require_run("log_params").log_params(params, **more)


def log_metrics(metrics: "Mapping[str, SupportsFloat]", step: float | None = None) -> None:
    """Keep a value of each metric of the current run; see `ActiveRun.log_metrics`."""
    require_run("log_metrics").log_metrics(metrics, step)


def log_metric(key: str, value: "SupportsFloat", step: float | None = None) -> None:
    """Keep a value of one metric of the current run; see `ActiveRun.log_metrics`."""
    require_run("log_metric").log_metric(key, value, step)


def set_tags(tags: Mapping[str, Any] | None = None, /, **more: Any) -> None:
    """Label the current run; see `ActiveRun.set_tags`."""
    require_run("set_tags").set_tags(tags, **more)


def set_goals(goals: Mapping[str, str] | None = None, /, **more: str) -> None:
    """Say which value of a metric of the current run is best; see `ActiveRun.set_goals`."""
    require_run("set_goals").set_goals(goals, **more)


def note(text: str) -> None:
    """Add a note to the current run."""
    require_run("note").note(text)


def log_artifact(
    data: "str | PathLike[str] | bytes | bytearray | memoryview", name: str | None = None
) -> None:
    """Keep a file, a folder or bytes of the current run; see `ActiveRun.log_artifact`."""
    require_run("log_artifact").log_artifact(data, name)


def log_text(text: str, name: str) -> None:
    """Keep text of the current run as a file."""
    require_run("log_text").log_text(text, name)


def log_dict(values: Mapping[str, Any], name: str) -> None:
    """Keep a mapping of the current run as a JSON file."""
    require_run("log_dict").log_dict(values, name)


def log_table(data: Any, name: str) -> None:
    """Keep a table of the current run as a Parquet file."""
    require_run("log_table").log_table(data, name)


def log_figure(fig: Any, name: str) -> None:
    """Keep a figure of the current run; see `ActiveRun.log_figure`."""
    require_run("log_figure").log_figure(fig, name)


def log_image(img: Any, name: str) -> None:
    """Keep a picture of the current run; see `ActiveRun.log_image`."""
    require_run("log_image").log_image(img, name)


def use_dataset(dataset: "str | DatasetVersion") -> "DatasetVersion":
    """Read a dataset's version as an input of the current run; see `ActiveRun.use_dataset`."""
    return require_run("use_dataset").use_dataset(dataset)


def log_dataset(
    name: str,
    data: Any,
    *,
    description: str = "",
    tags: Mapping[str, Any] | None = None,
    expect: "Demands | None" = None,
    storage_options: Mapping[str, Any] | None = None,
) -> "DatasetVersion":
    """Make data a version, as an output of the current run; see `ActiveRun.log_dataset`."""
    return require_run("log_dataset").log_dataset(
        name,
        data,
        description=description,
        tags=tags,
        expect=expect,
        storage_options=storage_options,
    )


def log_model(
    model: Any,
    name: str,
    *,
    input_example: Any = None,
    metrics: Mapping[str, float] | None = None,
    tags: Mapping[str, str] | None = None,
) -> "ModelVersion":
    """Make an object a model's version, of the current run; see `ActiveRun.log_model`."""
    return require_run("log_model").log_model(
        model, name, input_example=input_example, metrics=metrics, tags=tags
    )


# The store


def search_runs(
    filter: "str | Expression" = "",  # noqa: A002 - the field's word for it
    *,
    experiment: str | Collection[str] | None = None,
    order_by: "OrderBy" = "-started",
    limit: int | None = None,
    deleted: bool = False,
    store: Store | None = None,
) -> "RunTable[Run]":
    """Give the runs that a filter keeps; see `Store.search_runs`."""
    return (store or get_store()).search_runs(
        filter, experiment=experiment, order_by=order_by, limit=limit, deleted=deleted
    )


def load_model(
    reference: str, *, trusted: bool | None = None, store: Store | None = None
) -> "LoadedModel":
    """Load a model's version; see `Store.load_model`."""
    return (store or get_store()).load_model(reference, trusted=trusted)


def dataset(
    name: str,
    *,
    description: str = "",
    tags: Mapping[str, Any] | None = None,
    expect: "Demands | None" = None,
    store: Store | None = None,
) -> "Callable[[Callable[P, Any]], Callable[P, DatasetVersion]]":
    """Make what a function returns a version of a dataset.

    Versions among its arguments become the lineage of the new one; within a run the version is an
    output of the run.

    Args:
        name: The dataset's name.
        description: What a reader should know of its versions.
        tags: More to say of them, by name.
        expect: What the data must meet, such as `mlkit.Expectations`; else nothing is made.
        store: Where to; the default store of the time of the call by default.

    Returns:
        A decorator; the function that it makes gives the version.

    Example:
        >>> import mlkit
        >>> @mlkit.dataset("squares", store=mlkit.Store("memory://dataset-example"))
        ... def squares(count):
        ...     return {"square": [number**2 for number in range(count)]}
        >>> squares(3).ref
        'squares:1'
    """
    if not isinstance(name, str):
        raise InvalidInput(
            f"{name!r} is no name of a dataset", hint="Write @mlkit.dataset('features')"
        )

    def decorate(function: Callable[P, Any]) -> "Callable[P, DatasetVersion]":
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> "DatasetVersion":
            return (store or get_store()).make_dataset(
                name, function, args, kwargs, description=description, tags=tags, expect=expect
            )

        return call

    return decorate


def sweep(  # noqa: PLR0913 - the options of Store.sweep, and the store
    func: Callable[..., Any],
    space: Mapping[str, Any],
    *,
    n: int | None = None,
    goal: str = "max auc",
    n_jobs: int = 1,
    seed: int = 0,
    sampler: str | None = None,
    experiment: str | None = None,
    progress: bool | None = None,
    store: Store | None = None,
) -> "SweepResult":
    """Run a function over a search space; each trial is a run; see `Store.sweep`.

    In processes of their own, trials find the sweep's store as their default one.
    """
    from mlkit.sweeps.sweep import run_sweep

    chosen = store or get_store()
    return run_sweep(
        func,
        space,
        n=n,
        goal=goal,
        n_jobs=n_jobs,
        seed=seed,
        sampler=sampler,
        experiment=experiment,
        progress=progress,
        store=chosen,
        reopen=lambda: set_store(chosen),
    )
