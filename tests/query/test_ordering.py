"""Orders: which row comes before which."""

import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.errors import FilterSyntax, InvalidInput
from mlkit.query.ordering import order_rows

DAY = 86_400 * 10**9

VALUES = st.one_of(
    st.none(),
    st.sampled_from([0, 1, 2, 0.5, -0.0, math.nan, math.inf, "a", "b", "", True, False, [1], {}]),
    st.sampled_from([2**53, 2**53 + 1, 2.0**53, 2**63, 2**70, -(2**70), 2.0**70, 1e300]),
)
ONE_TYPE = st.sampled_from([[0, 1, 2, None], [0.5, 1.5, math.nan, None], ["a", "b", None]])
COLUMNS = st.one_of(
    st.lists(VALUES, min_size=12, max_size=12),
    ONE_TYPE.flatmap(lambda some: st.lists(st.sampled_from(some), min_size=12, max_size=12)),
)
PLACES = st.sampled_from(["", " nulls first", " nulls last"])


@pytest.fixture
def columns(make_run, columns_of):
    return columns_of(
        [
            make_run(id="a", started_at=1 * DAY, params={"depth": 4}, summary={"auc": 0.7}),
            make_run(id="b", started_at=2 * DAY, params={"depth": "x"}, summary={"auc": 0.9}),
            make_run(id="c", started_at=3 * DAY, params={"depth": 6}, summary={"auc": math.nan}),
            make_run(id="d", started_at=4 * DAY, params={"depth": True}),
            make_run(
                id="e",
                started_at=5 * DAY,
                params={"depth": [1]},
                summary={"auc": 0.7},
                points={"auc": {"max": 1.0}},
            ),
        ]
    )


def ids(columns, order_by, rows=None, **options):
    found = order_rows(columns, rows, order_by, **options)
    assert isinstance(found, pa.UInt64Array)
    return "".join(columns.runs[row].id for row in found.to_pylist())


@pytest.mark.parametrize("limit", [None, 2])
@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        ("started", "abcde"),
        ("-started", "edcba"),
        ("metrics.auc", "aebcd"),
        ("-metrics.auc", "baecd"),
        ("metrics.auc nulls last", "aebcd"),
        ("metrics.auc nulls first", "cdaeb"),
        ("-metrics.auc nulls first", "cdbae"),
        ("-max(metrics.auc)", "eabcd"),
        ("params.depth", "acbde"),
        ("-params.depth", "edbca"),
        ("params.none", "abcde"),
        (["params.none", "-started"], "edcba"),
        (["-metrics.auc", "-started"], "beadc"),
        (["-metrics.auc", "started"], "baecd"),
        (["metrics.auc nulls first", "-started"], "dceab"),
        (["status", "-user", "-run_id"], "edcba"),
        ([], "abcde"),
        ((), "abcde"),
    ],
)
def test_runs_are_sorted_and_equal_ones_keep_their_order(columns, order_by, expected, limit):
    assert ids(columns, order_by, limit=limit) == expected[:limit]


def test_given_rows_are_sorted_and_no_others(columns):
    rows = pa.array([4, 2, 0], pa.uint64())
    assert ids(columns, "metrics.auc", rows) == "eac"
    assert ids(columns, "-started", rows, limit=1) == "e"
    assert ids(columns, "started", pa.array([], pa.int64())) == ""


def test_a_limit_of_nothing_gives_nothing_and_reads_nothing(columns):
    assert ids(columns, "started", limit=0) == ""
    assert columns.asked == []


def test_only_columns_that_are_named_are_asked_for(columns):
    ids(columns, ["-metrics.auc", "started"], limit=1)
    assert columns.asked == ["last(metrics.auc)", "started"]


@pytest.mark.parametrize("order", [[5], [None]])
def test_an_order_that_is_no_text_is_refused(columns, order):
    with pytest.raises(InvalidInput, match="is no order"):
        order_rows(columns, None, order)


def test_a_field_without_its_map_is_suggested_from_what_runs_have(columns):
    with pytest.raises(FilterSyntax, match=r"Did you mean 'params.depth'"):
        order_rows(columns, None, "-depth", keys={"params": ["depth"]})


@given(COLUMNS, COLUMNS, st.booleans(), st.booleans(), PLACES, st.sampled_from([None, 1, 3, 11]))
def test_any_values_are_sorted_as_the_definition_says(
    columns_of, make_run, xs, ys, x_descends, y_descends, place, limit
):
    pairs = zip(xs, ys, strict=True)
    runs = [make_run(id=str(row), params={"x": x, "y": y}) for row, (x, y) in enumerate(pairs)]
    order_by = ["-" * x_descends + "params.x" + place, "-" * y_descends + "params.y"]
    found = order_rows(columns_of(runs), None, order_by, limit=limit).to_pylist()
    expected = by_definition(range(len(runs)), ys, y_descends)
    expected = by_definition(expected, xs, x_descends, nulls_first=place == " nulls first")
    assert found == expected[:limit]


def by_definition(rows, values, descends, *, nulls_first=False):
    ranked = [(rank(values[row]), row) for row in rows]
    present = [pair for pair in ranked if pair[0] is not None]
    present.sort(key=lambda pair: pair[0], reverse=descends)
    absent = [row for own, row in ranked if own is None]
    sorted_rows = [row for _, row in present]
    return absent + sorted_rows if nulls_first else sorted_rows + absent


def rank(value):
    if value is None or value != value:  # noqa: PLR0124 - NaN has no place in an order
        return None
    if isinstance(value, bool):
        return 2, value
    if isinstance(value, int | float):
        return 0, value
    return (1, value) if isinstance(value, str) else (3, repr(value))
