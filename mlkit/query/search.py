"""Search: filter, order and limit over runs."""

from collections.abc import Iterable
from typing import TypeVar

from mlkit._core.clock import Clock, now_ns
from mlkit.errors import FilterSyntax, InvalidInput
from mlkit.query.fields import RunLike
from mlkit.query.filter import Filter, known_paths
from mlkit.query.ordering import OrderBy, ordered
from mlkit.query.parser import Keys
from mlkit.query.runs import RunTable

R = TypeVar("R", bound=RunLike)


def search(
    runs: Iterable[R],
    filter: str = "",  # noqa: A002 - what callers write
    *,
    experiment: str | None = None,
    order_by: OrderBy = "-started",
    limit: int | None = None,
    clock: Clock = now_ns,
) -> RunTable[R]:
    """Give the runs that a filter means.

    Args:
        runs: The runs to look at.
        filter: Such as `metrics.auc > 0.8 and params.depth in (4, 6)`; empty means all.
        experiment: Only runs of this experiment.
        order_by: A field, `-` before it to descend, or several; the newest first by default.
        limit: At most so many runs.
        clock: Gives the present, which times such as `-7d` count from.

    Returns:
        The table of what was found.

    Raises:
        FilterSyntax: The filter or an order can't be read, or names a key that no run has and
            that looks like a slip of one that runs have.
        InvalidInput: The limit is no whole number from 0.
    """
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        message = f"limit={limit!r} is no number of runs"
        raise InvalidInput(message, hint="Use a whole number from 0, or None for all")
    if not isinstance(filter, str):
        message = f"A filter is text, not {type(filter).__name__}"
        raise InvalidInput(message, hint="Write one such as 'metrics.auc > 0.8'")
    looked = [run for run in runs if experiment is None or run.experiment == experiment]
    try:
        found = _found(looked, filter, order_by, now=clock())
    except FilterSyntax:  # once more, to suggest from the keys that runs have
        found = _found(looked, filter, order_by, now=clock(), keys=known_paths(looked))
    return RunTable(found[:limit])


def _found(
    runs: list[R], text: str, order_by: OrderBy, *, now: int, keys: Keys | None = None
) -> list[R]:
    found = runs
    if text.strip():
        wanted = Filter.of(text, now=now, keys=keys)
        found = [run for run in runs if wanted.matches(run)]
        if not found:
            wanted.check_keys(runs)
    return ordered(found, order_by, keys)
