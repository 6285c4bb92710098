"""Search: filter, order and limit over runs."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, TypeVar

from mlkit._core.clock import Clock, now_ns
from mlkit.errors import InvalidInput
from mlkit.index.arrays import array_of
from mlkit.index.row import storable
from mlkit.index.run_index import Seen
from mlkit.query.fields import RunLike
from mlkit.query.filter import Filter
from mlkit.query.mistakes import with_keys
from mlkit.query.ordering import OrderBy, order_rows
from mlkit.query.parser import Keys
from mlkit.query.runs import RunTable

if TYPE_CHECKING:
    import pyarrow as pa

R = TypeVar("R", bound=RunLike)


def search(
    seen: Seen,
    open_run: Callable[[str], R],
    wanted: Any = "",
    *,
    experiments: Collection[str] | None = None,
    hidden: Collection[str] = (),
    deleted: bool = False,
    order_by: OrderBy = "-started",
    limit: int | None = None,
    clock: Clock = now_ns,
) -> RunTable[R]:
    """Give the runs that a filter means.

    Args:
        seen: The runs to look at.
        open_run: Gives a run by its id.
        wanted: A filter such as `metrics.auc > 0.8 and params.depth in (4, 6)`, or an expression
            such as `mlkit.metric("auc") > 0.8`; empty means all.
        experiments: Only runs of these experiments, by their present names; with a `/` at the end,
            of all beneath one.
        hidden: No runs of these experiments, unless some are named, or the filter asks for the
            field `experiment`.
        deleted: Those that were deleted, instead of all others.
        order_by: A field, `-` before it to descend, or several; the newest first by default.
        limit: At most so many runs.
        clock: Gives the present, which times such as `-7d` count from.

    Returns:
        The table of what was found.

    Raises:
        FilterSyntax: The filter or an order can't be read; or nothing holds for it, and something
            in it looks like a mistake.
        InvalidInput: The limit is no whole number from 0.
    """
    import pyarrow.compute as pc

    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        message = f"limit={limit!r} is no number of runs"
        raise InvalidInput(message, hint="Use a whole number from 0, or None for all")
    now = clock()

    def rows(keys: Keys | None) -> "pa.Array":
        found, names_experiment = _found(seen, wanted, now, keys)
        unwanted = () if names_experiment else hidden
        mask = _among(seen, experiments, unwanted, deleted=deleted)
        if found is not None:
            mask = pc.and_(mask, found)
        places = pc.indices_nonzero(mask).cast("uint64")
        return order_rows(seen.view, places, order_by, keys=keys, limit=limit)

    return RunTable(seen, with_keys(seen.view, rows), open_run)


def _found(
    seen: Seen, wanted: Any, now: int, keys: Keys | None
) -> "tuple[pa.BooleanArray | None, bool]":
    """Tell of each run whether a filter finds it, and whether that asks for experiments."""
    if isinstance(wanted, str) and not wanted.strip():
        return None, False
    kept = Filter.of(wanted, now=now, keys=keys)
    return kept.found(seen.view), any(field.name == "experiment" for field in kept.fields())


def _among(
    seen: Seen, experiments: Collection[str] | None, hidden: Collection[str], *, deleted: bool
) -> "pa.Array":
    """Tell of each run whether it is looked at."""
    import pyarrow as pa
    import pyarrow.compute as pc

    seen.view.load(fixed=("deleted", "experiment", "started"))
    gone = seen.view.fixed("deleted")
    mask = gone if deleted else pc.invert(gone)
    if experiments is not None:
        names = seen.view.fixed("experiment")
        asked = sorted(map(storable, experiments))
        within = pc.is_in(names, value_set=array_of(asked, pa.string()))
        for above in (one for one in asked if one.endswith("/")):
            within = pc.or_(within, pc.starts_with(names, above))
        mask = pc.and_(mask, within)
    elif hidden:
        unwanted = array_of(sorted(map(storable, hidden)), pa.string())
        mask = pc.and_not(mask, pc.is_in(seen.view.fixed("experiment"), value_set=unwanted))
    return mask
