"""The decorator that makes a function's call a run."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from mlkit.errors import InvalidInput
from mlkit.tracking.active import ActiveRun

P = ParamSpec("P")
R = TypeVar("R")

StartRun = Callable[..., ActiveRun]


class Tracked(Protocol[P, R]):
    """A function whose calls are runs.

    Attributes:
        __wrapped__: The function itself, which tracks nothing.
        __mlkit_experiment__: The experiment that its runs belong to.
    """

    __wrapped__: Callable[P, R]
    __mlkit_experiment__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function within a run."""
        ...


def tracked(
    function: Callable[P, R],
    *,
    experiment: str,
    start_run: StartRun,
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Tracked[P, R]:
    """Give a function whose every call is a run; see `mlkit.track`."""
    signature = inspect.signature(function)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        message = f"{function.__name__} is a generator, whose call runs nothing yet"
        raise InvalidInput(message, hint="Write 'with mlkit.start_run(…)' inside it instead")

    def start(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> ActiveRun:
        params = arguments_of(signature, args, kwargs)
        run = start_run(experiment, name=name or function.__name__, tags=tags)
        run.log_params(params)
        return run

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        with start(args, kwargs) as run:
            result = function(*args, **kwargs)
            log_result(run, result)
            return result

    @functools.wraps(function)
    async def call_async(*args: P.args, **kwargs: P.kwargs) -> Any:
        with start(args, kwargs) as run:
            result = await cast("Any", function(*args, **kwargs))
            log_result(run, result)
            return result

    is_async = inspect.iscoroutinefunction(function)
    wrapper = cast("Tracked[P, R]", call_async if is_async else call)
    wrapper.__mlkit_experiment__ = experiment
    return wrapper


def arguments_of(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Give the arguments of a call by their names, defaults and `**` ones included.

    Args:
        signature: The function's signature.
        args: Arguments by position.
        kwargs: Arguments by name.

    Raises:
        TypeError: The function can't be called with these.
    """
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    named: dict[str, Any] = {}
    for key, value in bound.arguments.items():
        if signature.parameters[key].kind is inspect.Parameter.VAR_KEYWORD:
            named.update(value)
        elif key not in {"self", "cls"}:
            named[key] = summarised(value)
    return named


def summarised(value: Any) -> Any:
    """Give a param's value; of data, which is no param, what it is and how large."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"{type(value).__name__} {' x '.join(map(str, shape))}"
    return value


def log_result(run: ActiveRun, result: object) -> None:
    """Log what a function returned as metrics, when it is a mapping of names to numbers.

    Values that are no numbers are left out: a function may return its model beside its metrics.
    """
    if not isinstance(result, Mapping):
        return
    metrics = {key: value for key, value in result.items() if isinstance(key, str)}
    try:
        run.log_metrics(metrics)
    except InvalidInput:  # what is a number was logged, the rest is the caller's
        return
