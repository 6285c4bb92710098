"""Tables of runs: a sequence of runs that shows itself and becomes any library's frame."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from mlkit._core.names import near
from mlkit.display.markup import Markup, join
from mlkit.display.page import fragment, note
from mlkit.display.table import html_table
from mlkit.errors import InvalidInput, NotFound
from mlkit.index import live
from mlkit.index.run_index import Seen
from mlkit.query.bulk import BulkVerbs
from mlkit.query.columns import runs_to_arrow
from mlkit.query.comparison import Comparison
from mlkit.query.fields import RunLike
from mlkit.query.filter import Filter
from mlkit.query.frame import Frame, fitting, more, rows_of, table_to_pandas, table_to_polars
from mlkit.query.grouping import Groups
from mlkit.query.leaderboard import leaderboard
from mlkit.query.metric_points import keyed, metric_names
from mlkit.query.mistakes import with_keys
from mlkit.query.ordering import order_rows
from mlkit.query.pareto import pareto_rows
from mlkit.query.resampling import resampled
from mlkit.query.showing import short_ids, shown_columns

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from mlkit.query.expressions import Falling, Value

R_co = TypeVar("R_co", bound=RunLike, covariant=True)
R = TypeVar("R", bound=RunLike)
T = TypeVar("T")
Mode = Literal["max", "min"]


class RunTable(BulkVerbs, Sequence[R_co], Generic[R_co]):
    """Runs in an order, as they stood when they were looked for.

    It knows how many there are; columns are read when they are asked for, and runs when they are
    taken out of it.

    Args:
        seen: Where the runs are.
        rows: Their rows, in the table's order.
        open_run: Gives a run by its id.
        lead: The field that is shown first, such as `metrics.auc`, and then the params that vary.

    Example:
        >>> import mlkit
        >>> store = mlkit.Store("memory://run-table-example")
        >>> for depth in (4, 6):
        ...     with store.start_run("flights") as run:
        ...         run.log_params(depth=depth)
        ...         run.log_metrics({"auc": depth / 10})
        >>> runs = store.search_runs("params.depth in (4, 6)", order_by="-metrics.auc")
        >>> len(runs), runs[0].params, runs.best("auc", mode="min").params
        (2, {'depth': 6}, {'depth': 4})
    """

    def __init__(
        self,
        seen: Seen,
        rows: "pa.Array",
        open_run: Callable[[str], R_co],
        *,
        lead: str | None = None,
    ) -> None:
        self._seen = seen
        self._rows = rows
        self._open = open_run
        self._lead = lead

    @classmethod
    def of(cls, runs: Sequence[R_co], *, lead: str | None = None) -> "RunTable[R_co]":
        """Give the table of runs that are at hand.

        Args:
            runs: The runs.
            lead: The field that is shown first.
        """
        import pyarrow as pa

        known = {run.id: run for run in runs}
        rows = pa.array(range(len(runs)), pa.uint64())
        return cls(Seen.of(runs), rows, known.__getitem__, lead=lead)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> R_co: ...
    @overload
    def __getitem__(self, index: slice) -> "RunTable[R_co]": ...
    def __getitem__(self, index: int | slice) -> "R_co | RunTable[R_co]":
        if isinstance(index, slice):
            return self._with(self._rows[index])
        return self._open(self._ids[index].as_py())

    @property
    def ids(self) -> list[str]:
        """The ids of the runs."""
        ids: list[str] = self._ids.to_pylist()
        return ids

    def each(self, work: Callable[[R_co], T]) -> Iterator[T]:
        """Do work for each run, several at once where requests travel, and give what it gives.

        Args:
            work: Takes a run; threads may call it at the same time.

        Returns:
            The results, in the order of the runs, as they come.

        Example:
            >>> import mlkit
            >>> store = mlkit.Store("memory://each-example")
            >>> for depth in (4, 6):
            ...     with store.start_run("flights") as run:
            ...         run.log_params(depth=depth)
            >>> runs = store.search_runs(order_by="params.depth")
            >>> list(runs.each(lambda run: run.params["depth"]))
            [4, 6]
        """
        storage = self._seen.series.storage
        return live.each(lambda run_id: work(self._open(run_id)), self.ids, storage)

    # Fewer runs, or in another order

    def where(self, wanted: Any) -> "RunTable[R_co]":
        """Give those that a filter keeps.

        Args:
            wanted: A filter as in `Store.search_runs`, as text or as an expression such as
                `mlkit.metric("auc") > 0.8`.

        Raises:
            FilterSyntax: The filter can't be read; or it holds for no run, and something in it
                looks like a mistake.
        """
        view, now = self._seen.view, time.time_ns()
        mask = with_keys(view, lambda keys: Filter.of(wanted, now=now, keys=keys).found(view))
        return self._with(self._rows.filter(mask.take(self._rows)))

    def order_by(self, *fields: "str | Value | Falling") -> "RunTable[R_co]":
        """Give them in another order.

        Args:
            fields: Such as `-metrics.auc`, `metrics.loss nulls first` or `-mlkit.metric("auc")`;
                the first counts most.

        Raises:
            FilterSyntax: A field can't be read, or looks like a slip of one that runs have.
        """
        view = self._seen.view
        rows = with_keys(view, lambda keys: order_rows(view, self._rows, fields, keys))
        return self._with(rows)

    def best(self, metric: str, mode: Mode | None = None) -> R_co:
        """Give the run whose last value of a metric is best; of equal ones, the first.

        Args:
            metric: The metric; runs without it, or with NaN, don't count.
            mode: Whether `max` or `min` is best; by default what the runs say by `set_goals`,
                else `max`.

        Raises:
            NotFound: No run has the metric; near names are suggested.
            InvalidInput: The mode is another word.
        """
        import pyarrow.compute as pc

        mode = self._mode(metric, mode) or "max"
        values = self._metric(metric)
        extreme = pc.min_max(pc.if_else(pc.is_nan(values), None, values))[mode]
        if not extreme.is_valid:
            raise self._no_metric(metric)
        return self[int(pc.index(values, extreme).as_py())]

    def pareto(self, *metrics: str, **modes: Mode) -> "RunTable[R_co]":
        """Give the runs that no other beats in one metric without being worse in another.

        Args:
            metrics: The metrics; what is best of each is what the runs say by `set_goals`.
            modes: Metric to `max` or `min`, where the runs don't say.

        Raises:
            NotFound: No run has one of them.
            InvalidInput: Nobody says what is best of one, or none is given.

        Example:
            >>> import mlkit
            >>> store = mlkit.Store("memory://pareto-example")
            >>> for auc, cost in ((0.7, 1.0), (0.8, 3.0), (0.75, 4.0)):
            ...     with store.start_run("flights") as run:
            ...         run.log_metrics({"auc": auc, "cost": cost})
            >>> front = store.search_runs(order_by="started").pareto(auc="max", cost="min")
            >>> [run.summary["auc"] for run in front]
            [0.7, 0.8]
        """
        asked = dict.fromkeys(metrics) | modes
        if not asked:
            message = "There is no metric to weigh against others"
            raise InvalidInput(message, hint="Write runs.pareto(auc='max', cost='min')")
        columns = {metric: self._metric(metric) for metric in asked}
        for metric, column in columns.items():
            if column.null_count == len(column):
                raise self._no_metric(metric)
        found = {metric: self._mode(metric, mode) for metric, mode in asked.items()}
        for metric, mode in found.items():
            if mode is None:
                message = f"Nobody says whether a high or a low {metric} is better"
                raise InvalidInput(message, hint=f"Write runs.pareto({metric}='max') or 'min'")
        return self._with(self._rows.take(pareto_rows(columns, found)))

    @property
    def children(self) -> "RunTable[R_co]":
        """The runs that were started within one of these, in the order of their start."""
        import pyarrow.compute as pc

        view = self._seen.view
        mask = pc.is_in(view.fixed("parent"), value_set=self._ids)
        rows = pc.indices_nonzero(mask)
        return self._with(order_rows(view, rows, ["started"]))

    # What they add up to

    def group_by(self, *fields: str) -> Groups:
        """Group them by fields, such as `params.depth`, to give means of metrics over seeds."""
        return Groups.of(self._seen.view, self._rows, fields)

    def leaderboard(self, metric: str, n: int = 10, *, mode: Mode | None = None) -> Frame:
        """Give the best runs by a metric, with what differs between them.

        Args:
            metric: The metric.
            n: How many runs.
            mode: Whether `max` or `min` is best; see `best`.

        Returns:
            `rank` (runs that are equal share it), `run`, `name` where some have one, the metric,
            `behind` (how far from the best), `read` where the runs read different data, and each
            param that isn't the same in all.

        Raises:
            NotFound: No run has the metric.
        """
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            message = f"n={n!r} is no number of runs"
            raise InvalidInput(message, hint="Use a whole number from 1")
        best = self._mode(metric, mode) or "max"
        values = self._metric(metric)
        if values.null_count == len(values):
            raise self._no_metric(metric)
        return leaderboard(self._seen.view, self._rows, metric, values, mode=best, n=n)

    def compare(self) -> Comparison:
        """Give what differs between the runs, and nothing else.

        Params, metrics, tags and inputs are compared, and where runs recorded them, their code,
        packages and machine.
        """
        runs = list(self.each(_read))
        labels = short_ids(self._seen.view, self._rows, self._rows) if runs else []
        names = [run.name or label for run, label in zip(runs, labels, strict=True)]
        return Comparison.of(runs, names)

    def metrics(self, key: str | Sequence[str], *, points: int | None = None) -> "pa.Table":
        """Give the points of a metric of all the runs in one table; none is left out.

        Args:
            key: The metric, or a list of several.
            points: Give about so many points of each run instead: means over stretches of its
                points, with the extremes of each, so that a peak isn't lost.

        Returns:
            Columns `run_id`, `step` (int64, or float64 when some step is no whole number), `time`
            (UTC, ns) and `value` (float64): the runs in their order, of each its points in that of
            time. Of a list there is a column `key` after the first, and one metric comes after
            another. With `points` also `min`, `max` and `count` of each stretch; its step and time
            are those of its last point.

        Raises:
            NotFound: No run has the metric, or one of them; near names are suggested.
            InvalidInput: `points` is no number from 1, or the key is no name.
        """
        if points is not None and (not isinstance(points, int) or points < 1):
            message = f"points={points!r} is no number of points"
            raise InvalidInput(message, hint="Use a whole number from 1, or None for all")
        if isinstance(key, str):
            return self._points(key, points)
        return keyed({one: self._points(one, points) for one in metric_names(key)})

    # As other things

    def to_arrow(self) -> "pa.Table":
        """Give the table in Arrow, a row for each run.

        Returns:
            Columns `run_id`, `experiment`, `name`, `status`, `started` and `ended` (timestamp[us,
            UTC]), `duration` (float64, seconds), `parent`, and one for each key: `params.<key>`,
            `metrics.<key>`, `tags.<key>`. Where the types of a key's values differ between runs,
            its column is text.
        """
        return runs_to_arrow(self._seen.view, self._rows)

    def to_pandas(self) -> "pd.DataFrame":
        """Give the table in pandas; ints and bools that some runs lack have a nullable type."""
        return table_to_pandas(self.to_arrow())

    def to_polars(self) -> "pl.DataFrame":
        """Give the table in polars."""
        return table_to_polars(self.to_arrow())

    def to_html(self) -> Markup:
        """Give the first rows as an HTML table, without style."""
        shown = self._shown
        table = html_table(list(shown), rows_of(shown, list(shown)))
        left = len(self) - len(shown["run"])
        return join(table, note(more(left, "run"))) if left else table

    def _repr_html_(self) -> str:
        return fragment(self.to_html())

    def __repr__(self) -> str:
        return fitting(self._shown, len(self), what="run") if len(self) else "No runs"

    @cached_property
    def _ids(self) -> "pa.Array":
        return self._seen.view.fixed("run_id").take(self._rows).combine_chunks()

    @property
    def _shown(self) -> dict[str, list[Any]]:
        return shown_columns(self._seen.view, self._rows, self._lead)

    def _with(self, rows: "pa.Array") -> "RunTable[R_co]":
        return RunTable(self._seen, rows, self._open, lead=self._lead)

    def _metric(self, metric: str) -> "pa.ChunkedArray":
        import pyarrow as pa

        column = self._seen.view.metric(metric)
        if column is None:
            return pa.chunked_array([pa.nulls(len(self), pa.float64())])
        return column.take(self._rows)

    def _points(self, key: str, points: int | None) -> "pa.Table":
        found = self._seen.series.points(key, self._ids)
        if not found.num_rows:
            raise self._no_metric(key)
        return found if points is None else resampled(found, points)

    def _no_metric(self, metric: str) -> Exception:
        known = [name for name in self._seen.view.keys("metrics") if name != metric]
        message = f"None of {len(self):,} runs has a value of metric {metric!r}"
        bare = metric.removeprefix("metrics.") if isinstance(metric, str) else ""
        return NotFound(message, hint=near(bare, known))

    def _mode(self, metric: str, mode: Mode | None) -> Mode | None:
        """Give what is best of a metric: what the caller says, else what the runs agree on."""
        if mode is not None:
            if mode not in ("max", "min"):
                message = f"mode={mode!r} isn't known"
                raise InvalidInput(message, hint="Use 'max' or 'min'")
            return mode
        said = self._seen.view.goals(metric, self._rows)
        return said[0] if len(said) == 1 else None


def _read(run: R) -> R:
    """Read what a run says, which comparing it asks for."""
    _ = run.params
    return run
