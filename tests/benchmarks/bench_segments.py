"""What going through a segment costs, as columns and record by record."""

import io
import itertools

import pytest

from mlkit.metrics.batches import PointBatch, iter_points
from mlkit.metrics.reader import read_segment
from mlkit.metrics.writer import SegmentWriter

CALLS = 500_000
KEYS = ("loss", "auc", "accuracy")


def segment(calls):
    """Give the bytes of a segment to which so many calls were logged."""
    file, ticks = io.BytesIO(), itertools.count()
    writer = SegmentWriter(file, lambda: next(ticks), {})
    for step, values in enumerate(calls):
        writer.points(values, step)
    return file.getvalue()


def as_columns(data):
    """Take all columns of a segment, and count its points."""
    points = 0
    for batch in iter_points(lambda start, end: data[start:end], len(data), "bench"):
        assert isinstance(batch, PointBatch)
        columns = [batch.steps(), batch.times(), *map(batch.values, range(len(batch.keys)))]
        points += len(columns[0]) * len(batch.keys)
    return points


def by_record(data):
    return sum(len(record.values) for record in read_segment(data, "bench"))


@pytest.mark.parametrize(
    ("what", "values", "budget"),
    [
        ("3 in each call", [dict.fromkeys(KEYS, 0.5)], 3_000_000),
        ("one in each call", [{"loss": 0.5}], 1_000_000),
        ("3 in calls that take turns", [{key: 0.5} for key in KEYS], 500_000),
    ],
)
def test_points_a_second_out_of_a_segment(bench, what, values, budget):
    data = segment(itertools.islice(itertools.cycle(values), CALLS))
    points = as_columns(data)
    assert points == CALLS * len(values[0])
    timings = bench.side_by_side(
        {"columns": lambda: as_columns(data), "records": lambda: by_record(data)}, rounds=3
    )
    bench.at_least(
        f"points a second read, {what}",
        points / timings["columns"].median,
        "points",
        budget=budget,
        by_record=points / timings["records"].median,
    )
