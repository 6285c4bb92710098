"""Mistakes in filters and orders: what nothing holds for, and was surely meant otherwise.

A key that is merely new is none, since the run that brings it may be on its way.
"""

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

from mlkit._core.slips import slip
from mlkit.errors import FilterSyntax
from mlkit.query.constants import TYPES
from mlkit.query.fields import RunColumns
from mlkit.query.parser import Keys
from mlkit.query.scalars import type_of
from mlkit.query.syntax import (
    MAPS,
    Between,
    Comparison,
    Field,
    IsNull,
    Literal,
    Membership,
    Node,
    fields_of,
)
from mlkit.query.tokens import syntax_error
from mlkit.query.values import Values

T = TypeVar("T")

_NAMES = {"number": "a number", "text": "text", "bool": "true or false"}
_LONGEST = 100  # characters of a number that anyone writes
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")


def with_keys(columns: RunColumns, work: Callable[[Keys | None], T]) -> T:
    """Do what reads a filter or an order; if that can't be read, errors suggest keys of runs.

    Args:
        columns: The runs.
        work: Takes the keys that exist, by map, or None.
    """
    try:
        return work(None)
    except FilterSyntax:
        return work({home: columns.keys(home) for home in MAPS})


def check_filter(text: str, node: Node, columns: RunColumns) -> None:
    """Refuse a filter that holds for no run when something in it looks like a mistake.

    Args:
        text: The filter.
        node: What it says.
        columns: The runs that were looked at.

    Raises:
        FilterSyntax: A key is misspelt, or the name of an experiment; or a value has another type
            than all runs have there, and reads alike. The message points at it.
    """
    for field, test in fields_of(node):
        if isinstance(test, IsNull):
            continue
        check_key(text, field, columns)
        for literal in _equals(test):
            if field.key is not None:
                _check_type(text, field, literal, columns)
            elif field.name == "experiment":
                _check_experiment(text, literal, columns)


def check_key(text: str, field: Field, columns: RunColumns) -> None:
    """Refuse a key that no run has when it looks like a slip of one that runs have.

    Args:
        text: The filter, or the order.
        field: A field of it.
        columns: The runs that were looked at.

    Raises:
        FilterSyntax: The key is misspelt; the message points at it.
    """
    if field.key is None:
        return
    meant = slip(field.key, columns.keys(field.name))
    if meant:
        what = f"No run has {Field(field.name, field.key).text()}"
        hint = f"Did you mean {Field(field.name, meant).text()!r}?"
        raise syntax_error(text, field.at, what, hint)


def _equals(test: Node) -> Iterator[Literal]:
    """Give the constants that a test compares with, unless it holds for all that differ."""
    match test:
        case Comparison(left, sign, right) if sign != "!=":
            yield from (one for one in (left, right) if isinstance(one, Literal))
        case Membership(_, options, negated) if not negated:
            yield from options
        case Between(_, low, high, negated) if not negated:
            yield from (one for one in (low, high) if isinstance(one, Literal))


def _check_type(text: str, field: Field, literal: Literal, columns: RunColumns) -> None:
    found = Values.of(columns, field).columns
    held = {TYPES[kind] for kind, column in found.items() if column.null_count < len(column)}
    own = type_of(literal.value)
    twin = _alike(literal)
    if len(held) == 1 and twin is not None and type_of(twin.value) in held and own not in held:
        what = f"{field.text()} is {_NAMES[type_of(twin.value)]} in every run that has it"
        hint = f"{literal.text()} is {_NAMES[own]}; write {twin.text()}"
        raise syntax_error(text, literal.at, what, hint)


def _alike(literal: Literal) -> Literal | None:
    """Give the constant of another type that reads like one: 0.1 for '0.1', '4' for 4."""
    value = literal.value
    if not isinstance(value, str):
        return Literal(literal.text())
    if value in ("true", "false"):
        return Literal(value == "true")
    if len(value) > _LONGEST or _NUMBER.fullmatch(value) is None:
        return None
    return Literal(float(value) if not value.lstrip("+-").isdigit() else int(value))


def _check_experiment(text: str, literal: Literal, columns: RunColumns) -> None:
    import pyarrow.compute as pc

    names: list[str] = pc.unique(columns.fixed("experiment")).to_pylist()
    meant = slip(columns.current(str(literal.value)), names)
    if meant:
        what = f"No run is of experiment {literal.text()}"
        raise syntax_error(text, literal.at, what, f"Did you mean {meant!r}?")
