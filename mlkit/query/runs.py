"""Tables of runs: a sequence of runs that shows itself and becomes any library's frame."""

import math
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from mlkit._core.extras import require
from mlkit._core.names import near
from mlkit.display.formats import show_span, show_time
from mlkit.display.markup import Markup
from mlkit.display.page import fragment
from mlkit.display.table import html_table
from mlkit.display.text import text_table
from mlkit.errors import InvalidInput, NotFound
from mlkit.query.columns import runs_to_arrow
from mlkit.query.comparison import Comparison
from mlkit.query.fields import RunLike, duration_of, keys_of
from mlkit.query.filter import known_keys

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

R_co = TypeVar("R_co", bound=RunLike, covariant=True)

_ROWS = 20
_SHORTEST_ID = len("01a20a83-4dc6")  # the time of a UUIDv7, to the millisecond


class RunTable(Sequence[R_co]):
    """Runs in an order.

    Args:
        runs: The runs.
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

    def __init__(self, runs: Sequence[R_co], *, lead: str | None = None) -> None:
        self._runs = tuple(runs)
        self._lead = lead

    def __len__(self) -> int:
        return len(self._runs)

    @overload
    def __getitem__(self, index: int) -> R_co: ...
    @overload
    def __getitem__(self, index: slice) -> "RunTable[R_co]": ...
    def __getitem__(self, index: int | slice) -> "R_co | RunTable[R_co]":
        if isinstance(index, slice):
            return RunTable(self._runs[index], lead=self._lead)
        return self._runs[index]

    def to_arrow(self) -> "pa.Table":
        """Give the table in Arrow, a row for each run.

        Returns:
            Columns `run_id`, `experiment`, `name`, `status`, `started` and `ended` (timestamp[us,
            UTC]), `duration` (float64, seconds), `parent`, and one for each key: `params.<key>`,
            `metrics.<key>`, `tags.<key>`. Where the types of a key's values differ between runs,
            its column is text.
        """
        return runs_to_arrow(self._runs)

    def to_pandas(self) -> "pd.DataFrame":
        """Give the table in pandas; ints and bools that some runs lack have a nullable type."""
        pandas = require("pandas", "all")
        table = self.to_arrow()
        frame: pd.DataFrame = table.to_pandas()
        nullable = {"int64": pandas.Int64Dtype(), "bool": pandas.BooleanDtype()}
        for name, column in zip(table.column_names, table.columns, strict=True):
            if column.null_count and str(column.type) in nullable:
                kind = nullable[str(column.type)]
                frame[name] = pandas.array(column.to_pylist(), dtype=kind)
        return frame

    def to_polars(self) -> "pl.DataFrame":
        """Give the table in polars."""
        frame: pl.DataFrame = require("polars", "all").from_arrow(self.to_arrow())
        return frame

    def best(self, metric: str, mode: Literal["max", "min"] = "max") -> R_co:
        """Give the run whose last value of a metric is best; of equal ones, the first.

        Args:
            metric: The metric; runs without it, or with NaN, don't count.
            mode: Whether `max` or `min` is best.

        Raises:
            NotFound: No run has the metric; near names are suggested.
            InvalidInput: The mode is another word.
        """
        if mode not in ("max", "min"):
            message = f"mode={mode!r} isn't known"
            raise InvalidInput(message, hint="Use 'max' or 'min'")
        scored = [
            (run.summary[metric], run)
            for run in self._runs
            if not math.isnan(run.summary.get(metric, math.nan))
        ]
        if not scored:
            message = f"None of {len(self)} runs has a value of metric {metric!r}"
            raise NotFound(message, hint=near(metric, known_keys(self._runs)["metrics"]))
        return (max if mode == "max" else min)(scored, key=lambda pair: pair[0])[1]

    def compare(self) -> Comparison:
        """Give what differs between the runs: params, metrics, tags, inputs, and nothing else."""
        return Comparison.of(self._runs, [run.name or label for run, label in self._labelled()])

    def __repr__(self) -> str:
        if not self._runs:
            return "No runs"
        shown = self._columns(_ROWS)
        room = shutil.get_terminal_size((100, 24)).columns
        kept = list(shown)
        while len(kept) > 1 and _width(shown, kept) > room:
            kept.pop()
        text = text_table(kept, _rows(shown, kept))
        notes = []
        if len(self) > _ROWS:
            notes.append(_more(len(self) - _ROWS, "run"))
        if len(kept) < len(shown):
            notes.append(f"{_more(len(shown) - len(kept), 'column')}; .to_pandas() has all")
        return "\n".join([text, *notes])

    def to_html(self) -> Markup:
        """Give the first rows as an HTML table, without style."""
        shown = self._columns(len(self))
        return html_table(list(shown), _rows(shown, list(shown)), limit=_ROWS)

    def _repr_html_(self) -> str:
        return fragment(self.to_html())

    def _labelled(self) -> list[tuple[R_co, str]]:
        """Each run with the beginning of its id that no other run of the table has."""
        ids = {run.id for run in self._runs}
        lengths = range(_SHORTEST_ID, max(map(len, ids), default=0))
        length = next((n for n in lengths if len({run_id[:n] for run_id in ids}) == len(ids)), None)
        return [(run, run.id[:length]) for run in self._runs]

    def _columns(self, rows: int) -> dict[str, list[Any]]:
        """What is shown, the most telling first: what differs between the runs."""
        labelled = self._labelled()[:rows]
        runs = [run for run, _ in labelled]
        columns: dict[str, list[Any]] = {"run": [label for _, label in labelled]}
        if len({run.experiment for run in self._runs}) > 1:
            columns["experiment"] = [run.experiment for run in runs]
        if any(run.name for run in runs):
            columns["name"] = [run.name for run in runs]
        columns["status"] = [run.status for run in runs]
        known = known_keys(runs)
        maps = [keys_of(run) for run in runs]
        keyed = {
            f"{home}.{key}": [held[home].get(key) for held in maps]
            for home in ("metrics", "params", "tags")
            for key in known[home]
        }
        telling = {name for name, values in keyed.items() if len(set(map(repr, values))) > 1}
        if self._lead is not None:
            first = [name for name in keyed if name in telling and name.startswith("params.")]
            leading = ["run", *[name for name in [self._lead] if name in keyed], *first]
            columns = {name: {**columns, **keyed}[name] for name in leading} | columns
        columns |= {name: values for name, values in keyed.items() if name in telling}
        columns["started"] = [show_time(run.started_at) for run in runs]
        columns["duration"] = [show_span(duration_of(run)) for run in runs]
        return columns | {name: values for name, values in keyed.items() if name not in telling}


def _rows(columns: dict[str, list[Any]], kept: list[str]) -> list[list[Any]]:
    return [list(row) for row in zip(*(columns[name] for name in kept), strict=True)]


def _more(count: int, what: str) -> str:
    return f"… and {count:,} more {what}{'' if count == 1 else 's'}"


def _width(columns: dict[str, list[Any]], kept: list[str]) -> int:
    return len(text_table(kept, _rows(columns, kept)).split("\n")[1])
