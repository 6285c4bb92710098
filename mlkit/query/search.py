"""Search: filter, order and limit over runs."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, TypeVar

from mlkit._core.clock import Clock, now_ns
from mlkit.errors import FilterSyntax, InvalidInput
from mlkit.index.row import storable
from mlkit.index.run_index import Seen
from mlkit.query.fields import RunLike
from mlkit.query.filter import Filter
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
    experiment: str | None = None,
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
        experiment: Only runs of this experiment, by its present name; with a `/` at the end, of
            all beneath it.
        hidden: No runs of these experiments, unless one is named.
        deleted: Those that were deleted, instead of all others.
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
    among = _among(seen, experiment, hidden, deleted=deleted)
    now = clock()
    try:
        rows = _found(seen, among, wanted, order_by, now=now, limit=limit)
    except FilterSyntax:  # once more, to suggest from the keys that runs have
        keys = {home: seen.view.keys(home) for home in ("metrics", "params", "tags")}
        rows = _found(seen, among, wanted, order_by, now=now, limit=limit, keys=keys)
    return RunTable(seen, rows, open_run)


def _among(
    seen: Seen, experiment: str | None, hidden: Collection[str], *, deleted: bool
) -> "pa.Array":
    """Tell of each run whether it is looked at."""
    import pyarrow as pa
    import pyarrow.compute as pc

    seen.view.load(fixed=("deleted", "experiment", "started"))
    gone = seen.view.fixed("deleted")
    mask = gone if deleted else pc.invert(gone)
    if experiment is not None:
        experiment = storable(experiment)
        names = seen.view.fixed("experiment")
        beneath = experiment.endswith("/")
        within = pc.starts_with(names, experiment) if beneath else pc.equal(names, experiment)
        mask = pc.and_(mask, within)
    elif hidden:
        unwanted = pa.array(sorted(map(storable, hidden)), pa.string())
        mask = pc.and_not(mask, pc.is_in(seen.view.fixed("experiment"), value_set=unwanted))
    return mask


def _found(
    seen: Seen,
    among: "pa.Array",
    wanted: Any,
    order_by: OrderBy,
    *,
    now: int,
    limit: int | None,
    keys: Keys | None = None,
) -> "pa.Array":
    import pyarrow as pa
    import pyarrow.compute as pc

    mask = among
    if not (isinstance(wanted, str) and not wanted.strip()):
        kept = Filter.of(wanted, now=now, keys=keys)
        found = pc.fill_null(kept.mask(seen.view), False)  # noqa: FBT003 - unknown isn't found
        if not pc.any(found).as_py():
            kept.check_keys(seen.view)
        mask = pc.and_(among, found)
    rows = pc.indices_nonzero(mask).cast(pa.uint64())
    return order_rows(seen.view, rows, order_by, keys=keys, limit=limit)
