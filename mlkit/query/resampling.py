"""Fewer points of each run, for who draws them: means of stretches, with their extremes."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def resampled(points: "pa.Table", count: int) -> "pa.Table":
    """Give at most so many points of each run.

    A run's points are cut, in their order, into stretches of about the same number.

    Args:
        points: Columns `run_id`, `step`, `time` and `value`; each run's points are together.
        count: How many stretches a run has at most.

    Returns:
        `run_id`, `step` and `time` of the last point of each stretch, `value` (the mean of its
        numbers; NaN where it has none), `min`, `max` and `count`.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = points.column("run_id").combine_chunks().dictionary_encode()
    lengths = pc.value_counts(encoded.indices)
    starts: list[int] = []
    start = 0
    for one in lengths:
        starts.append(start)
        start += one["counts"].as_py()
    run = encoded.indices.cast(pa.int64())
    length = lengths.field("counts").take(run)
    count = min(count, pc.max(length).as_py() or 1)  # more make no difference
    row = pa.array(range(len(run)), pa.int64())
    place = pc.subtract(row, pa.array(starts, pa.int64()).take(run))
    stretch = pc.divide(pc.multiply(place, count), pc.max_element_wise(length, count))
    value = points.column("value")
    numbers = pc.if_else(pc.is_nan(value), None, value)
    table = points.append_column("stretch", stretch).append_column("number", numbers)
    table = table.append_column("row", row)
    found = table.group_by(["run_id", "stretch"], use_threads=False).aggregate(
        [
            ("step", "last"),
            ("time", "last"),
            ("number", "mean"),
            ("number", "min"),
            ("number", "max"),
            ("value", "count"),
            ("row", "min"),
        ]
    )
    found = found.sort_by("row_min")  # groups come in any order
    found = found.drop_columns(["stretch", "row_min"]).rename_columns(
        ["run_id", "step", "time", "value", "min", "max", "count"]
    )
    nan = pa.scalar(float("nan"))
    for name in ("value", "min", "max"):
        at = found.schema.get_field_index(name)
        found = found.set_column(at, name, pc.fill_null(found.column(name), nan))
    return found
