"""Groups of runs, such as those of a depth over many seeds, and what their metrics add up to."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from mlkit._core.names import unknown
from mlkit.errors import InvalidInput
from mlkit.index.row import storable
from mlkit.index.view import View
from mlkit.query.columns import key_column
from mlkit.query.fields import LINKS
from mlkit.query.frame import Frame
from mlkit.query.parser import parse_field
from mlkit.query.student import half_width
from mlkit.query.syntax import Field

if TYPE_CHECKING:
    import pyarrow as pa

_FEWEST = 2  # of which a deviation can be known


@frozen
class Groups:
    """Runs that have the same values of some fields.

    Attributes:
        view: Where the runs are.
        rows: Their rows.
        keys: What they are grouped by: name to values.
    """

    view: View
    rows: "pa.Array"
    keys: "dict[str, pa.ChunkedArray]"

    @classmethod
    def of(cls, view: View, rows: "pa.Array", fields: Sequence[str]) -> "Groups":
        """Group runs.

        Args:
            view: Where the runs are.
            rows: Their rows.
            fields: What to group by, such as `params.depth` or `status`.

        Raises:
            FilterSyntax: A field can't be read.
            InvalidInput: There is none, or one that runs can't be grouped by.
            NotFound: No run has a key.
        """
        if not fields:
            message = "There is nothing to group by"
            raise InvalidInput(message, hint="Write group_by('params.depth')")
        keys = {one: _values(view, rows, one) for one in fields}
        return cls(view, rows, {storable(one): values for one, values in keys.items()})

    def agg(self, *metrics: str, confidence: float = 0.95) -> Frame:
        """Give what metrics are in each group: how many, mean, deviation, confidence interval.

        Args:
            metrics: The metrics; of each run its last value counts, unless that is NaN.
            confidence: The share of such intervals that hold the true mean, if the values of a
                group are independent and about normal, as those of several seeds are.

        Returns:
            A row for each group, in the order of its first run: what it is grouped by, `runs`, and
            for each metric `<metric>.count`, `<metric>.mean`, `<metric>.std` (of the sample, null
            below 2 values), `<metric>.low` and `<metric>.high` (by Student's t, null alike).

        Raises:
            NotFound: No run has a metric.
            InvalidInput: There is no metric, or the confidence isn't between 0 and 1.

        Example:
            >>> import mlkit
            >>> store = mlkit.Store("memory://groups-example")
            >>> for depth, auc in ((4, 0.7), (4, 0.8), (6, 0.9)):
            ...     with store.start_run("flights") as run:
            ...         run.log_params(depth=depth)
            ...         run.log_metric("auc", auc)
            >>> groups = store.search_runs(order_by="started").group_by("params.depth")
            >>> [row["auc.mean"] for row in groups.agg("auc").to_pylist()]
            [0.75, 0.9]
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        if not metrics:
            message = "There is no metric to give"
            raise InvalidInput(message, hint="Write .agg('auc')")
        if not 0 < confidence < 1:
            message = f"confidence={confidence!r} isn't between 0 and 1"
            raise InvalidInput(message, hint="Use a share such as 0.95")
        columns: dict[str, Any] = {f"key{n}": column for n, column in enumerate(self.keys.values())}
        names = list(columns)
        for number, metric in enumerate(metrics):
            values = self.view.metric(metric)
            if values is None:
                raise unknown("metric of these runs", metric, self.view.keys("metrics"))
            taken = values.take(self.rows)
            columns[f"value{number}"] = pc.if_else(pc.is_nan(taken), None, taken)
        columns["row"] = pa.array(range(len(self.rows)), pa.int64())
        wanted: list[Any] = [([], "count_all"), ("row", "min")]
        for number in range(len(metrics)):
            wanted += [(f"value{number}", "count"), (f"value{number}", "mean")]
            wanted.append((f"value{number}", "stddev", pc.VarianceOptions(ddof=1)))
        found = pa.table(columns).group_by(names, use_threads=False).aggregate(wanted)
        found = found.sort_by("row_min")  # groups come in any order
        result = {name: found.column(key) for name, key in zip(self.keys, names, strict=True)} | {
            "runs": found.column("count_all")
        }
        for number, metric in enumerate(metrics):
            part = {
                kind: found.column(f"value{number}_{kind}") for kind in ("count", "mean", "stddev")
            }
            result |= _columns(storable(metric), part, confidence)
        return Frame(pa.table(result))

    def __len__(self) -> int:
        import pyarrow as pa

        names = [f"key{n}" for n in range(len(self.keys))]
        table = pa.table(list(self.keys.values()), names)
        return int(table.group_by(names).aggregate([]).num_rows)


def _columns(
    metric: str, part: "dict[str, pa.ChunkedArray]", confidence: float
) -> "dict[str, Any]":
    import pyarrow as pa

    counts, means = part["count"].to_pylist(), part["mean"].to_pylist()
    stds = part["stddev"].to_pylist()
    halves = [
        None if count < _FEWEST else half_width(std, count, confidence)
        for count, std in zip(counts, stds, strict=True)
    ]
    pairs = list(zip(means, halves, strict=True))
    low = [None if half is None else mean - half for mean, half in pairs]
    high = [None if half is None else mean + half for mean, half in pairs]
    return {
        f"{metric}.count": part["count"],
        f"{metric}.mean": part["mean"],
        f"{metric}.std": part["stddev"],
        f"{metric}.low": pa.array(low, pa.float64()),
        f"{metric}.high": pa.array(high, pa.float64()),
    }


def _values(view: View, rows: "pa.Array", text: str) -> "pa.ChunkedArray":
    if not isinstance(text, str):
        message = f"{text!r} is no field"
        raise InvalidInput(message, hint="Write group_by('params.depth')")
    field = _field(text, view)
    if field.name in LINKS or field.part != "last":
        message = f"Runs can't be grouped by {field.text()}"
        raise InvalidInput(message, hint="Group by a param, a tag, or a field such as status")
    if field.key is None:
        return view.fixed(field.name).take(rows)
    column = key_column(view, field.name, field.key, rows)
    if column is None:
        raise unknown(f"key of {field.name} in these runs", field.key, view.keys(field.name))
    return column


def _field(text: str, view: View) -> Field:
    keys = {home: view.keys(home) for home in ("metrics", "params", "tags")}
    return parse_field(text, keys)
