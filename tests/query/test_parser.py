"""How filters are read, and what is said of texts that are none."""

import math
import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.errors import FilterSyntax
from mlkit.query import parser
from mlkit.query.fields import STATUSES, parse_moment, parse_span
from mlkit.query.filter import Filter
from mlkit.query.parser import Order, parse, parse_order
from mlkit.query.syntax import (
    PARTS,
    And,
    Between,
    Comparison,
    Field,
    IsNull,
    Like,
    Literal,
    Membership,
    Not,
    Or,
    fields_of,
)

KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ANY_FIELD = st.one_of(
    st.builds(Field, st.sampled_from(["metrics", "params", "tags"]), KEYS),
    st.builds(Field, st.just("metrics"), KEYS, part=st.sampled_from(PARTS)),
)
TEXT_FIELD = st.sampled_from(["name", "experiment", "run_id", "parent", "user"]).map(Field)
LINK_FIELD = st.sampled_from(["dataset", "model", "input", "output"]).map(Field)
TIME_FIELD = st.sampled_from(["started", "ended"]).map(Field)
SPAN_FIELD = st.just(Field("duration"))
STATUS_FIELD = st.just(Field("status"))

TEXTS = st.text(max_size=10).map(Literal)
NUMBERS = st.one_of(st.integers(), st.floats()).map(Literal)
BOOLS = st.booleans().map(Literal)
TIMES = st.sampled_from(["now", "-7d", "+1h30m", "2026-01-31", "2026-01-31T12:00:00Z"]).map(Literal)
SPANS = st.sampled_from(["90s", "1h30m", "0.5ms"]).map(Literal)
STATUS = st.sampled_from(STATUSES).map(Literal)
REFERENCES = st.sampled_from(["flights", "flights:3", "flights#1f3a"]).map(Literal)

EQUAL = st.sampled_from(["=", "!="])
ORDER = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])


def comparisons(fields, literals, operators):
    return st.one_of(
        st.builds(Comparison, fields, operators, literals),
        st.builds(Comparison, literals, operators, fields),
    )


def some(literals):
    return st.lists(literals, max_size=3).map(tuple)


def about(fields, literals):
    return st.one_of(
        comparisons(fields, literals, ORDER),
        st.builds(Membership, fields, some(literals), st.booleans()),
        st.builds(Between, fields, literals, literals, st.booleans()),
        st.builds(IsNull, fields, st.booleans()),
    )


TESTS = st.one_of(
    about(ANY_FIELD, st.one_of(TEXTS, NUMBERS)),
    comparisons(ANY_FIELD, BOOLS, EQUAL),
    st.builds(Comparison, ANY_FIELD, ORDER, ANY_FIELD),
    about(TEXT_FIELD, TEXTS),
    about(TIME_FIELD, TIMES),
    about(SPAN_FIELD, st.one_of(SPANS, NUMBERS)),
    about(STATUS_FIELD, STATUS),
    comparisons(LINK_FIELD, REFERENCES, EQUAL),
    st.builds(Membership, LINK_FIELD, some(REFERENCES), st.booleans()),
    st.builds(IsNull, LINK_FIELD, st.booleans()),
    st.builds(
        Like, st.one_of(ANY_FIELD, TEXT_FIELD, STATUS_FIELD, LINK_FIELD), TEXTS, st.booleans()
    ),
)
NODES = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(tuple).map(And),
        st.lists(inner, min_size=2, max_size=3).map(tuple).map(Or),
    ),
    max_leaves=8,
)
WORDS = st.sampled_from(
    [
        *("metrics.auc", "params.x", "tags.", "started", "status", "name", "duration", "'x'"),
        *("and", "or", "not", "in", "between", "like", "is", "null", "true", "nan", "inf"),
        *("(", ")", ",", "=", "!=", "<", ">=", "-", "+", ".", "1", "-2.5", "1e999", "'-7d'"),
        *("max(metrics.auc)", "min", "best", "dataset", "input", "user", "'a:3'", "nulls", "first"),
        *('"k"', "`k`", "'", '"', "`", "\\", "%", "é", "\n", "\x00"),
    ]
)


def test_the_reference_has_the_grammar_that_is_read():
    page = Path(__file__).parents[2] / "docs" / "reference" / "filter.md"
    _, grammar, *_ = page.read_text(encoding="utf-8").split("```")
    assert grammar in parser.__doc__
    assert all(f'"{part}"' in grammar for part in PARTS)


@given(NODES)
def test_a_filter_is_read_back_as_it_was_written(node):
    assert parse(node.text()) == node


@given(NODES, st.integers(0, 2**62))
def test_every_filter_can_be_asked_of_runs_that_have_nothing(columns_of, make_run, node, now):
    run = make_run(id="", experiment="", status="", started_at=0, ended_at=None)
    mask = Filter.of(node, now=now).mask(columns_of([run]))
    assert len(mask) == 1
    assert mask.type == pa.bool_()


@given(st.one_of(st.text(), st.lists(WORDS, max_size=12).map(" ".join)))
def test_any_other_text_is_a_syntax_error_and_nothing_else(text):
    try:
        node = parse(text)
    except FilterSyntax as error:
        assert "^" in str(error)  # noqa: PT017 - either is fine
    else:
        assert parse(node.text()) == node


@given(st.one_of(st.text(), st.lists(WORDS, max_size=3).map(" ".join)))
def test_any_text_is_an_order_or_a_syntax_error(text):
    try:
        order = parse_order(text)
    except FilterSyntax:
        return
    assert isinstance(order.field, Field)
    assert order.descending is text.lstrip().startswith("-")


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("started", Order(Field("started"))),
        ("  - metrics.auc ", Order(Field("metrics", "auc"), descending=True)),
        ("metrics.auc nulls first", Order(Field("metrics", "auc"), nulls_first=True)),
        ("-metrics.auc NULLS LAST", Order(Field("metrics", "auc"), descending=True)),
        ("-min(metrics.loss)", Order(Field("metrics", "loss", part="min"), descending=True)),
    ],
)
def test_orders(text, order):
    assert parse_order(text) == order


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("5", 1, "Expected a field to order by"),
        ("-metrics.auc nulls", 19, "Expected first or last"),
        ("-metrics.auc nulls up", 20, "Found 'up'"),
        ("-dataset", 2, "dataset has no order"),
        ("-auc", 2, "Did you mean 'metrics.auc'?"),
        ("-metrics.auc, name", 13, "several orders as a list"),
    ],
)
def test_an_error_in_an_order_points_at_the_place(text, column, said):
    with pytest.raises(FilterSyntax, match=re.escape(said)) as caught:
        parse_order(text, {"metrics": ["auc"]})
    assert f"(column {column})" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("", 1, "The filter is empty"),
        ("stauts = 'LOST'", 1, "Did you mean 'status'?"),
        ("metric.auc > 1", 1, "Did you mean 'metrics.auc'?"),
        ("PARAMS.depth = 1", 1, "Did you mean 'params.depth'?"),
        ("nothing.like = 1", 1, "Keys are of metrics, params, tags"),
        ("zzz = 1", 1, "There are run_id, experiment"),
        ("auc > 1", 1, "Did you mean 'metrics.auc'?"),
        ("metrics > 1", 1, "Write metrics.<key>"),
        ("metrics. > 1", 10, "Expected a key of metrics"),
        ("metrics.auc", 12, "The filter ends here"),
        ("metrics.auc >", 14, "Expected a value"),
        ("metrics.auc > and", 15, "Found 'and'"),
        ("metrics.auc > 1 2", 17, "Join tests by 'and' or 'or'"),
        ("metrics.auc not 5", 17, "Expected in, between or like"),
        ("metrics.auc is 5", 16, "Expected null"),
        ("metrics.auc = null", 15, "Write is null"),
        ("metrics.auc in 5", 16, "Expected a list in parentheses"),
        ("metrics.auc in (5", 18, "Expected ',' or ')'"),
        ("metrics.auc in (name)", 17, "A list holds values"),
        ("params.opt in (adam)", 16, "Put text in quotes: 'adam'"),
        ("metrics.auc between 1 or 5", 23, "Expected 'and'"),
        ("metrics.auc like 5", 18, "Expected a pattern in quotes"),
        ("started like '2026%'", 1, "started is no text"),
        ("metrics.auc > true", 15, "true and false have no order"),
        ("name = 5", 8, "name is compared with text"),
        ("duration = true", 12, "duration is compared with text"),
        ("duration < '5 min'", 12, "no span of time"),
        ("started > 'yesterday'", 11, "no time"),
        ("started > metrics.auc", 11, "metrics can't be compared with started"),
        ("name = started", 8, "started can't be compared with name"),
        ("status = 'FINISH'", 10, "Did you mean 'FINISHED'?"),
        ("status = 'zzz'", 10, "There are RUNNING"),
        ("mean(metrics.auc) > 1", 1, "There are last, first, min, max, best"),
        ("maxx(metrics.auc) > 1", 1, "Did you mean 'max'?"),
        ("max(params.x) > 1", 5, "Write max(metrics.<key>)"),
        ("max(auc) > 1", 5, "Did you mean 'metrics.auc'?"),
        ("max(5) > 1", 5, "Expected a metric"),
        ("max(max(metrics.auc)) > 1", 5, "There is no field 'max'"),
        ("max(metrics.auc > 1", 4, "isn't closed"),
        ("max(metrics.auc) > true", 20, "true and false have no order"),
        ("datset = 'a'", 1, "Did you mean 'dataset'?"),
        ("dataset = 'a b'", 11, "Write name, name:3 or name#1f3a"),
        ("dataset = 'a:0'", 11, "is no reference"),
        ("dataset = 'a@prod'", 11, "Runs keep versions"),
        ("dataset in ('a', 'a@latest')", 18, "Write name for any version, or name:3"),
        ("dataset = 5", 11, "dataset is compared with text"),
        ("dataset > 'a'", 1, "dataset has no order"),
        ("dataset between 'a' and 'b'", 1, "dataset has no order"),
        ("dataset = name", 11, "name can't be compared with dataset"),
        ("tags.data = model", 13, "model can't be compared with tags"),
        ("1 = 1", 1, "A comparison needs a field"),
        ("1 in (1)", 3, "Expected an operator"),
        ("(metrics.auc > 1", 1, "isn't closed"),
        ("metrics.auc > 1)", 16, "Nothing more can be here"),
        ("name = 'x", 8, "This quote isn't closed"),
        ("metrics.auc > 1.2.3", 15, "'1.2.3' is no number"),
        ("metrics.auc > $", 15, "'$' can't be here"),
        ("metrics.auc > " + "9" * 4001, 15, "more than 4000 digits"),
        ("not " * 60 + "name = 'x'", 201, "nested more than 50 deep"),
        ("(" * 60 + "name = 'x'" + ")" * 60, 51, "nested more than 50 deep"),
    ],
)
def test_an_error_points_at_the_place(text, column, said):
    with pytest.raises(FilterSyntax) as caught:
        parse(text, {"metrics": ["auc"]})
    message = str(caught.value)
    assert said in message
    assert f"(column {column})" in message
    shown, caret = message.split("\n")[-2:]
    at = caret.index("^")
    expected = text[column - 1 : column]
    assert shown[at : at + 1] == expected


def test_an_error_in_a_filter_of_several_lines_shows_the_line():
    with pytest.raises(FilterSyntax) as caught:
        parse("metrics.auc > 1\n  and nmae = 'x'\n  and status = 'LOST'")
    assert str(caught.value).split("\n") == [
        "There is no field 'nmae' (line 2, column 7). Did you mean 'name'?",
        "    and nmae = 'x'",
        "        ^",
    ]


def test_a_long_filter_is_cut_around_the_place():
    text = "name = 'x' and " * 20 + "nmae = 'x'" + " and name = 'x'" * 20
    with pytest.raises(FilterSyntax) as caught:
        parse(text)
    shown, caret = str(caught.value).split("\n")[1:]
    assert len(shown) < 80
    assert shown.strip().startswith("…")
    assert shown.endswith("…")
    assert shown[caret.index("^") :].startswith("nmae")


def test_control_characters_of_a_filter_dont_reach_the_terminal():
    with pytest.raises(FilterSyntax) as caught:
        parse("name = 'x' \x1b[31m")
    assert "\x1b" not in str(caught.value)


def test_fields_are_given_with_the_tests_that_name_them():
    node = parse("metrics.a > 1 and (not params.b in (1) or started between '-1d' and ended)")
    assert [field.text() for field, _ in fields_of(node)] == [
        "metrics.a",
        "params.b",
        "started",
        "ended",
    ]


def test_constants_of_other_types_differ_and_nan_is_itself():
    assert Literal(1) != Literal(1.0)
    assert Literal(1) != Literal(True)
    assert Literal(math.nan) == Literal(math.nan)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e-300, -0.0, True, False])
def test_constants_without_digits_are_read_back_too(value):
    node = Comparison(Field("metrics", "loss"), "=", Literal(value))
    assert parse(node.text()) == node


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1h30m", 5400), ("250ms", 0.25), ("2w", 1_209_600), ("1.5d", 129_600)],
)
def test_spans_of_time(text, seconds):
    assert parse_span(text) == seconds


def test_moments_from_now():
    day = 86_400 * 10**9
    assert parse_moment("-1d", now=3 * day) == 2 * day
    assert parse_moment("+1d", now=3 * day) == 4 * day
    assert parse_moment("now", now=7) == 7


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("params.lr = None", 13, "Write is null"),
        ("params.lr in (none, 1)", 15, "Write is null"),
        ("name = 'a' && name = 'b'", 12, "Write and"),
        ("name = 'a' & name = 'b'", 12, "Write and"),
        ("name = 'a' || name = 'b'", 12, "Write or"),
        ("!name = 'a'", 1, "Write not"),
        ("metrics['auc'] > 1", 8, "Write metrics.auc"),
        ('params[ "my lr" ] > 1', 7, "Write params.`my lr`"),
        ("tags[a] = 'b'", 5, "Write tags.a"),
        ("attributes.status = 'LOST'", 1, "Write status"),
        ("attribute.start_time > '-7d'", 1, "Write started"),
        ("name ILIKE 'a%'", 6, "There is no ILIKE"),
        ("config.lr > 1", 1, "Did you mean 'params.lr'"),
        ("summary.auc > 1", 1, "Did you mean 'metrics.auc'"),
        ("run_name = 'a'", 1, "Did you mean 'name'"),
        ("x[0] = 1", 2, "Put text in 'quotes'"),
    ],
)
def test_words_of_other_languages_point_at_the_right_one(text, place, said):
    with pytest.raises(FilterSyntax) as caught:
        parse(text)
    assert f"(column {place})" in str(caught.value)
    assert said in str(caught.value)
