"""A filter over columns says of each run what its definition says of the run alone."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.errors import FilterSyntax
from mlkit.query.filter import Filter
from mlkit.query.scalars import compare, equal
from mlkit.query.syntax import (
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
)

EDGES = [0, 1, -1, 4, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1]
INTS = st.one_of(st.sampled_from(EDGES), st.integers(-5, 5), st.sampled_from([2**70, 10**400]))
FLOATS = st.one_of(
    st.floats(),
    st.sampled_from([0.0, -0.0, 4.0, 4.5, 2.0**53, 2.0**63, -(2.0**63), math.nan, math.inf]),
)
TEXTS = st.sampled_from(["", "4", "a", "ab", "a%", "A", "é", "true", "nan", "a\nb"])
LISTS = st.sampled_from([[1, 2], [1.0, 2], [], {"a": 4}, {"a": 4.0}, {"b": [True]}])
VALUES = st.one_of(st.none(), st.booleans(), INTS, FLOATS, TEXTS, LISTS)

FIELDS = st.sampled_from(["params.x", "params.y", "params.none", "metrics.m", "tags.t"]).map(
    lambda text: Field(*text.split("."))
)
CONSTANTS = st.one_of(INTS, FLOATS, TEXTS, st.booleans()).map(Literal)
SIGNS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
OPERANDS = st.one_of(FIELDS, CONSTANTS)
PATTERNS = st.text("a%_\\é4", max_size=5).map(Literal)
TESTS = st.one_of(
    st.builds(Comparison, FIELDS, SIGNS, OPERANDS),
    st.builds(Comparison, CONSTANTS, SIGNS, FIELDS),
    st.builds(Membership, FIELDS, st.lists(CONSTANTS, max_size=4).map(tuple), st.booleans()),
    st.builds(Between, FIELDS, OPERANDS, OPERANDS, st.booleans()),
    st.builds(Like, FIELDS, PATTERNS, st.booleans()),
    st.builds(IsNull, FIELDS, st.booleans()),
)
NODES = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(tuple).map(And),
        st.lists(inner, min_size=2, max_size=3).map(tuple).map(Or),
    ),
    max_leaves=5,
)
RUNS = st.lists(
    st.fixed_dictionaries(
        {
            "params": st.fixed_dictionaries({"x": VALUES, "y": VALUES}),
            "summary": st.one_of(st.just({}), st.fixed_dictionaries({"m": FLOATS})),
            "tags": st.one_of(st.just({}), st.fixed_dictionaries({"t": TEXTS})),
        }
    ),
    max_size=6,
)


@given(NODES, RUNS)
def test_columns_answer_as_each_run_alone(columns_of, make_run, node, fields):
    try:
        wanted = Filter.of(node, now=0)
    except FilterSyntax:  # true and false have no order
        return
    runs = [make_run(**each) for each in fields]
    mask = wanted.mask(columns_of(runs))
    assert mask.to_pylist() == [answer(node, run) for run in runs]


@pytest.mark.parametrize("many", [True, False])
def test_types_that_are_mixed_in_a_column_are_told_apart(columns_of, make_run, many):
    values = [4, 4.0, "4", True, [4], None, 2**70, math.nan]
    runs = [make_run(params={"x": value}) for value in values]
    text = "params.x in (4, 7)" if many else "params.x = 4"
    mask = Filter.of(text, now=0).mask(columns_of(runs))
    assert mask.to_pylist() == [True, True, False, False, False, None, False, False]


def answer(node, run):
    """What a filter says of a run, by its definition: True, False, or None for unknown."""
    match node:
        case And(parts):
            return every([answer(part, run) for part in parts])
        case Or(parts):
            return inverse(every([inverse(answer(part, run)) for part in parts]))
        case Not(part):
            return inverse(answer(part, run))
        case Comparison(left, sign, right):
            one, other = value_of(left, run), value_of(right, run)
            return None if one is None or other is None else compare(one, sign, other)
        case Between(operand, low, high, negated):
            ends = [Comparison(operand, ">=", low), Comparison(operand, "<=", high)]
            found = answer(And(tuple(ends)), run)
        case Membership(operand, options, negated):
            value = value_of(operand, run)
            found = None if value is None else any(equal(value, one.value) for one in options)
        case Like(operand, pattern, negated):
            value = value_of(operand, run)
            found = matches(pattern.value, value) if isinstance(value, str) else None
        case IsNull(operand, negated):
            found = value_of(operand, run) is None
    return inverse(found) if negated else found


def every(answers):
    if False in answers:
        return False
    return None if None in answers else True


def inverse(found):
    return None if found is None else not found


def value_of(operand, run):
    if isinstance(operand, Literal):
        return operand.value
    home = {"params": run.params, "metrics": run.summary, "tags": run.tags}[operand.name]
    return home.get(operand.key)


def matches(pattern, text):
    pieces = re.findall(r"\\[%_\\]|.", pattern, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    expression = "".join(wild.get(piece) or re.escape(piece[-1]) for piece in pieces)
    return re.fullmatch(expression, text, re.DOTALL) is not None
