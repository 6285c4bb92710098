"""Points of runs as rows of the tables `metrics` and `summaries`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_PARTS = ("first", "last", "min", "max")


def metrics_schema() -> "pa.Schema":
    """Give the columns of the table `metrics`: a row for every point.

    A step is in `step` when it is a whole number, else in `float_step`. A time is `time`, and the
    nanoseconds that this lacks are `nanos`.
    """
    import pyarrow as pa

    return pa.schema(
        [
            ("run_id", pa.string()),
            ("key", pa.string()),
            ("step", pa.int64()),
            ("float_step", pa.float64()),
            ("time", pa.timestamp("us", tz="UTC")),
            ("nanos", pa.int16()),
            ("value", pa.float64()),
        ]
    )


def summaries_schema() -> "pa.Schema":
    """Give the columns of the table `summaries`: a row for every metric of every run."""
    import pyarrow as pa

    numbers = [(name, pa.float64()) for name in (*_PARTS, "best")]
    return pa.schema(
        [("run_id", pa.string()), ("key", pa.string()), ("points", pa.int64()), *numbers]
    )


def points_rows(run_id: str, points: "pa.Table") -> "pa.Table":
    """Give the rows of a run's points.

    Args:
        run_id: The run.
        points: Its points, as `Run.metrics` gives them: `key`, `step`, `time` (ns), `value`.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    steps = points.column("step")
    whole, broken = steps, pa.nulls(len(steps), pa.float64())
    if pa.types.is_floating(steps.type):
        is_whole = pc.and_kleene(
            pc.equal(pc.floor(steps), steps), pc.less_equal(pc.abs(steps), 2.0**53)
        )
        whole = pc.if_else(is_whole, steps, None).cast(pa.int64())
        broken = pc.if_else(is_whole, None, steps)
    nanoseconds = points.column("time").cast(pa.int64())
    micros = pc.divide(nanoseconds, 1000)
    micros = pc.if_else(
        pc.greater(pc.multiply(micros, 1000), nanoseconds), pc.subtract(micros, 1), micros
    )
    columns = {
        "run_id": pa.repeat(pa.scalar(run_id), points.num_rows),
        "key": points.column("key"),
        "step": whole,
        "float_step": broken,
        "time": micros.cast(pa.timestamp("us", tz="UTC")),
        "nanos": pc.subtract(nanoseconds, pc.multiply(micros, 1000)).cast(pa.int16()),
        "value": points.column("value"),
    }
    return pa.table(columns, schema=metrics_schema())


def as_points(rows: "pa.Table") -> "pa.Table":
    """Give points as `Run.metrics` does, of rows of the table `metrics`, in their order.

    Returns:
        The columns that `rows` has of `run_id` and `key`, then `step` (int64, or float64 when some
        step is no whole number), `time` (UTC, ns) and `value`.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = {name: rows.column(name) for name in ("run_id", "key") if name in rows.column_names}
    steps, broken = rows.column("step"), rows.column("float_step")
    if broken.null_count < len(broken):
        steps = pc.coalesce(steps.cast(pa.float64(), safe=False), broken)
    micros = rows.column("time").cast(pa.int64())
    nanoseconds = pc.add(pc.multiply(micros, 1000), rows.column("nanos").cast(pa.int64()))
    return pa.table(
        {
            **columns,
            "step": steps,
            "time": nanoseconds.cast(pa.timestamp("ns", tz="UTC")),
            "value": rows.column("value"),
        }
    )


def summary_rows(rows: "pa.Table", goals: Mapping[str, Mapping[str, str]]) -> "pa.Table":
    """Give the rows of `summaries` for all points of some runs.

    Args:
        rows: The points, as rows of `metrics`, each run's in the order of time.
        goals: Run id to its goals: metric to `max` or `min`; only such a metric has a best value.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not rows.num_rows:
        return summaries_schema().empty_table()
    value = rows.column("value")
    plain = rows.select(["run_id", "key"]).append_column("value", value)
    numbers = plain.append_column("number", pc.if_else(pc.is_nan(value), None, value))
    wanted = [
        ("value", "count"),
        ("value", "first"),
        ("value", "last"),
        ("number", "min"),
        ("number", "max"),
    ]
    found = numbers.group_by(["run_id", "key"], use_threads=False).aggregate(wanted)
    found = found.rename_columns(["run_id", "key", "points", *_PARTS])
    best = _best(found, goals)
    return found.append_column("best", pa.array(best, pa.float64())).cast(summaries_schema())


def _best(found: "pa.Table", goals: Mapping[str, Mapping[str, str]]) -> list[float | None]:
    if not any(goals.values()):
        return [None] * found.num_rows
    named = found.select(["run_id", "key", "min", "max"]).to_pylist()
    return [
        row[goal] if (goal := goals.get(row["run_id"], {}).get(row["key"])) else None
        for row in named
    ]
