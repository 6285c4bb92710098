"""Filters written in Python."""

import math
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mlkit
from mlkit.errors import FilterSyntax, InvalidInput
from mlkit.query.filter import Filter
from mlkit.query.parser import parse
from mlkit.query.syntax import And, Field, IsNull, Literal, Membership, Not, Or

NAN = math.nan

auc = mlkit.metric("auc")
depth = mlkit.param("depth")
owner = mlkit.tag("owner")
lost = mlkit.field("status") == "lost"


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (auc > 0.8, "metrics.auc > 0.8"),
        (auc >= 0.8, "metrics.auc >= 0.8"),
        (0.8 < auc, "metrics.auc > 0.8"),  # noqa: SIM300 - either side
        (0.8 >= auc, "metrics.auc <= 0.8"),  # noqa: SIM300 - either side
        (depth == 4, "params.depth = 4"),
        (depth != "four", "params.depth != 'four'"),
        (depth == True, "params.depth = true"),  # noqa: E712 - it means that the param is true
        (auc == NAN, "metrics.auc = nan"),
        (auc < math.inf, "metrics.auc < inf"),
        (auc > mlkit.metric("base"), "metrics.auc > metrics.base"),
        (depth > auc, "params.depth > metrics.auc"),
        (auc.max > auc, "max(metrics.auc) > metrics.auc"),
        (mlkit.metric("my auc") > 1, "metrics.`my auc` > 1"),
        (auc.max > 0.5, "max(metrics.auc) > 0.5"),
        (auc.min < 0.5, "min(metrics.auc) < 0.5"),
        (auc.first < auc.last, "first(metrics.auc) < metrics.auc"),
        (mlkit.metric("my auc").best > 1, "best(metrics.`my auc`) > 1"),
        (mlkit.field("max(metrics.auc)") > 1, "max(metrics.auc) > 1"),
        (depth.isin([4, 6.5, "x"]), "params.depth in (4, 6.5, 'x')"),
        (depth.isin(range(2)), "params.depth in (0, 1)"),
        (depth.isin([]), "params.depth in ()"),
        (auc.between(0.1, mlkit.metric("b")), "metrics.auc between 0.1 and metrics.b"),
        (owner.like("m%"), "tags.owner like 'm%'"),
        (owner.is_null(), "tags.owner is null"),
        (~owner.is_null(), "not tags.owner is null"),
        (lost, "status = 'LOST'"),
        (mlkit.field("started") > "-7d", "started > '-7d'"),
        (mlkit.field("started") < mlkit.field("ended"), "started < ended"),
        (mlkit.field("dataset") == "flights:3", "dataset = 'flights:3'"),
        (mlkit.field("id") == "it's", "run_id = 'it''s'"),
        ((auc > 1) & (depth == 4), "metrics.auc > 1 and params.depth = 4"),
        ((auc > 1) & lost & (auc < 2), "metrics.auc > 1 and status = 'LOST' and metrics.auc < 2"),
        ((auc > 1) & (lost & (auc < 2)), "metrics.auc > 1 and status = 'LOST' and metrics.auc < 2"),
        ((auc > 1) | lost & (auc < 2), "metrics.auc > 1 or (status = 'LOST' and metrics.auc < 2)"),
        (~((auc > 1) | lost), "not (metrics.auc > 1 or status = 'LOST')"),
        (~~lost, "not not status = 'LOST'"),
    ],
)  # fmt: skip
def test_an_expression_is_what_its_text_is(expression, text):
    assert expression.text() == text
    assert expression.node == parse(text)
    assert repr(expression) == f"<Expression {text}>"
    assert Filter.of(expression, now=0).node == expression.node


KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
VALUES = st.one_of(
    KEYS.map(mlkit.metric),
    KEYS.map(mlkit.param),
    KEYS.map(mlkit.tag),
    KEYS.map(lambda key: mlkit.metric(key).max),
)
CONSTANTS = st.one_of(st.integers(), st.floats(), st.text(max_size=6))
TESTS = st.one_of(
    st.builds(lambda one, two: one > two, VALUES, st.one_of(CONSTANTS, VALUES)),
    st.builds(lambda one, two: one == two, VALUES, st.one_of(CONSTANTS, st.booleans())),
    st.builds(lambda one, two: two <= one, VALUES, CONSTANTS),
    st.builds(lambda one, some: one.isin(some), VALUES, st.lists(CONSTANTS, max_size=3)),
    st.builds(lambda one, low, high: one.between(low, high), VALUES, CONSTANTS, CONSTANTS),
    st.builds(lambda one, pattern: one.like(pattern), VALUES, st.text(max_size=6)),
    VALUES.map(lambda one: one.is_null()),
)
EXPRESSIONS = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        inner.map(lambda one: ~one),
        st.builds(lambda one, two: one & two, inner, inner),
        st.builds(lambda one, two: one | two, inner, inner),
    ),
    max_leaves=10,
)


@given(EXPRESSIONS)
def test_every_expression_is_read_back_from_its_text(expression):
    assert parse(expression.text()) == expression.node


def test_joined_expressions_are_joined_flat():
    assert isinstance(((auc > 1) & lost & lost).node, And)
    assert len(((auc > 1) & (lost & lost)).node.parts) == 3
    assert len(((auc > 1) | (lost | lost)).node.parts) == 3
    assert isinstance((lost | lost & lost).node, Or)
    assert isinstance((~lost).node, Not)
    assert depth.isin([1]).node == Membership(Field("params", "depth"), (Literal(1),))
    assert owner.is_null().node == IsNull(Field("tags", "owner"))


def test_a_hundred_tests_can_be_joined():
    joined = lost
    for number in range(100):
        joined = joined & (auc > number)
    assert parse(joined.text()) == joined.node


def test_an_expression_that_is_nested_too_deep_is_refused():
    nested = lost
    for _ in range(49):
        nested = ~nested
    assert Filter.of(nested, now=0).node == nested.node
    with pytest.raises(FilterSyntax, match="more than 50 deep"):
        ~nested  # noqa: B018 - it raises


@pytest.mark.parametrize(
    "write",
    [
        lambda: lost and auc > 1,
        lambda: lost or auc > 1,
        lambda: not lost,
        lambda: 1 if lost else 2,
        lambda: 0.5 < auc < 0.9,
        lambda: 0.5 < auc > 0.9,
    ],
)
def test_what_python_would_decide_by_itself_is_refused_and_the_operators_are_named(write):
    with pytest.raises(InvalidInput, match=r"Use & \| ~ instead of and, or, not.*between"):
        write()


@pytest.mark.parametrize(
    "write",
    [
        lambda: auc > 1 & depth > 2,
        lambda: auc > 1 | depth > 2,
        lambda: (auc > 1) & depth > 2,
        lambda: (auc > 1) & depth == 2,
        lambda: auc > 1 & (depth > 2),
        lambda: auc > 1 | (depth > 2),
        lambda: auc & depth,
        lambda: auc | depth,
        lambda: ~auc,
        lambda: lost & "name = 'x'",
        lambda: lost | None,
        lambda: auc > lost,
    ],
)
def test_a_missing_parenthesis_is_named(write):
    with pytest.raises(InvalidInput, match="Put each test in parentheses"):
        write()


@pytest.mark.parametrize("write", [lambda: auc and lost, lambda: bool(auc), lambda: not auc])
def test_a_field_is_neither_true_nor_false(write):
    with pytest.raises(InvalidInput, match=r"neither true nor false.*Compare it"):
        write()


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda: auc == None, "Write .is_null()"),  # noqa: E711 - what is refused
        (lambda: auc > [1], "a value of type list"),
        (lambda: auc > 10**4000, "at most 4000 digits"),
        (lambda: depth.isin("abc"), "Write .isin"),
        (lambda: depth.isin(4), "Write .isin"),
        (lambda: depth.isin([auc]), "can't be compared with <MetricValue metrics.auc>"),
        (lambda: depth.like(4), "Expected a pattern in quotes"),
        (lambda: depth.like("a" * 1001), "more than 1000 characters"),
        (lambda: depth > True, "true and false have no order"),
        (lambda: mlkit.field("started") > auc, "metrics can't be compared with started"),
        (lambda: mlkit.field("started") > "yesterday", "no time"),
        (lambda: mlkit.field("status") == "FINISH", "Did you mean 'FINISHED'"),
        (lambda: mlkit.field("dataset") == "a@prod", "Runs keep versions"),
        (lambda: mlkit.field("dataset") < "a", "dataset has no order"),
        (lambda: mlkit.field("stauts"), "Did you mean 'status'"),
        (lambda: mlkit.field("status = 'LOST'"), "Nothing more can be here"),
        (lambda: mlkit.metric(5), "5 is no name"),
        (lambda: mlkit.field(None), "None is no name"),
    ],
)
def test_what_cant_be_compared_is_refused_where_it_is_written(write, said):
    with pytest.raises(InvalidInput) as caught:
        write()
    assert said in str(caught.value)


def test_a_value_has_no_hash_since_equality_says_something_else():
    with pytest.raises(TypeError, match="unhashable"):
        hash(auc)
    assert repr(auc) == "<MetricValue metrics.auc>"
    assert repr(depth) == "<FieldValue params.depth>"


def test_everything_that_takes_a_filter_takes_an_expression(tmp_path):
    store = mlkit.Store(tmp_path)
    for number in (2, 4):
        with store.start_run("flights") as run:
            run.log_params(depth=number)
    wanted = depth > 2
    assert [run.params for run in store.search_runs(wanted)] == [{"depth": 4}]
    assert [run.params for run in mlkit.search_runs(wanted, store=store)] == [{"depth": 4}]
    assert [run.params for run in store.search_runs().where(wanted)] == [{"depth": 4}]
    with pytest.raises(FilterSyntax, match=r"No run has params.dpeth .*Did you mean"):
        store.search_runs(mlkit.param("dpeth") > 2)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00Z"),
        (datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2))), "2026-01-31T10:00:00Z"),
        (datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=UTC), "2026-01-31T12:00:00.000005Z"),
        (date(2026, 1, 31), "2026-01-31"),
        (-timedelta(days=7), "-7d"),
        (timedelta(days=1, microseconds=1), "+1d0.000001s"),
        (timedelta(), "+0s"),
    ],
)
def test_times_are_compared_with_those_of_python(value, text):
    assert (mlkit.field("started") > value).text() == f"started > '{text}'"
    assert (mlkit.field("ended").isin([value])).text() == f"ended in ('{text}')"


def test_spans_are_compared_with_those_of_python():
    span = mlkit.field("duration").between(timedelta(milliseconds=1500), timedelta(days=2))
    assert span.text() == "duration between '1.5s' and '2d'"


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda: mlkit.field("started") > datetime(2026, 1, 1), "time zone"),  # noqa: DTZ001 - refused
        (lambda: mlkit.field("duration") > -timedelta(1), "no span of time"),
        (lambda: mlkit.field("duration") > date(2026, 1, 1), "a value of type date"),
        (lambda: mlkit.param("day") == date(2026, 1, 1), "Times are those of started"),
        (lambda: mlkit.tag("a") == timedelta(1), "a value of type timedelta"),
        (lambda: mlkit.metric("a") > -mlkit.metric("b"), "can't be compared with <Falling"),
    ],
)
def test_times_that_dont_fit_are_refused_where_they_are_written(write, said):
    with pytest.raises(InvalidInput) as caught:
        write()
    assert said in str(caught.value)
