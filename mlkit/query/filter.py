"""Filters: a text made into a function that says which runs it means.

Nulls follow SQL: a comparison with what a run doesn't have is unknown, `not` of unknown is
unknown, and only runs for which the whole is true are found. Types are compared strictly: 4, '4'
and true are three things; values of different types are never equal, and have no order.
"""

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from attrs import frozen

from mlkit.errors import InvalidInput
from mlkit.query.fields import (
    Getter,
    RunLike,
    getter,
    keys_of,
    kind_of,
    parse_moment,
    parse_span,
    paths_of,
)
from mlkit.query.parser import Keys, parse
from mlkit.query.syntax import (
    MAPS,
    And,
    Between,
    Comparison,
    Constant,
    Field,
    IsNull,
    Like,
    Literal,
    Membership,
    Node,
    Not,
    Or,
    fields_of,
)
from mlkit.query.tokens import syntax_error

_LONG = 4
_MIRROR = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

Test = Callable[[RunLike], bool | None]
"""True, False, or None for unknown."""

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@frozen
class Filter:
    """A filter that is ready to use.

    Attributes:
        text: What was written.
        node: What it says.
        matches: Tells whether a run is one of those meant.

    Example:
        >>> Filter.of("metrics.auc > 0.8", now=0).node.text()
        'metrics.auc > 0.8'
    """

    text: str
    node: Node
    matches: Callable[[RunLike], bool]

    @classmethod
    def of(cls, text: str, *, now: int, keys: Keys | None = None) -> "Filter":
        """Read a filter.

        Args:
            text: The filter.
            now: The present, which times such as `-7d` count from; nanoseconds since 1970, UTC.
            keys: The keys that exist, by map, for better suggestions.

        Raises:
            FilterSyntax: It is no filter; the message points at the place.
        """
        node = parse(text, keys)
        test = _compile(node, now)
        return cls(text, node, lambda run: test(run) is True)

    def check_keys(self, runs: Iterable[RunLike]) -> None:
        """Refuse a key that no run has when it looks like a slip of one that runs have.

        A key that is merely new stays silent, since the run that brings it may be on its way.

        Args:
            runs: The runs that were looked at.

        Raises:
            FilterSyntax: A key is misspelt; the message points at it.
        """
        named = [
            field
            for field, node in fields_of(self.node)
            if field.key is not None and not isinstance(node, IsNull)
        ]
        if not named:
            return
        known = known_paths(runs)
        for field in named:
            key = field.key or ""
            meant = slip(key, known[field.name])
            if meant:
                raise syntax_error(
                    self.text,
                    field.at,
                    f"No run has {field.text()}",
                    f"Did you mean {Field(field.name, meant).text()!r}?",
                )


def known_keys(runs: Iterable[RunLike]) -> dict[str, list[str]]:
    """Give the keys that runs have, by map, sorted."""
    known: dict[str, set[str]] = {name: set() for name in MAPS}
    for run in runs:
        for name, held in keys_of(run).items():
            known[name].update(held)
    return {name: sorted(keys) for name, keys in known.items()}


def known_paths(runs: Iterable[RunLike]) -> dict[str, list[str]]:
    """Give the keys that runs have, by map, sorted; with the paths into params that are nested."""
    looked = list(runs)
    params = {path for run in looked for path in paths_of(run.params)}
    return {**known_keys(looked), "params": sorted(params)}


def slip(key: str, known: Sequence[str]) -> str:
    """Give the key that was surely meant by a key that isn't known, or nothing.

    Slips are other capitals, two neighbours that changed places, and a letter too many or too few
    in a key of some length. Anything else may well be another key.

    Example:
        >>> slip("acu", ["auc", "loss"]), slip("recall_2", ["recall_1"])
        ('auc', '')
    """
    if key in known:
        return ""
    return next((other for other in known if _slipped(key, other)), "")


def _slipped(key: str, other: str) -> bool:
    if key.casefold() == other.casefold():
        return True
    start = _alike(key, other)
    end = _alike(key[start:][::-1], other[start:][::-1])
    here, there = key[start : len(key) - end], other[start : len(other) - end]
    if len(here) == len(there) == 2:  # noqa: PLR2004 - two neighbours
        return here == there[::-1]
    extra = here + there
    return len(extra) == 1 and not extra.isdigit() and min(len(key), len(other)) >= _LONG


def _alike(one: str, other: str) -> int:
    """How many characters at the beginning are the same."""
    return next(
        (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(other)),
    )


def _compile(node: Node, now: int) -> Test:
    match node:
        case Comparison():
            return _comparison(node, now)
        case Between(operand, low, high, negated):
            above = _comparison(Comparison(operand, ">=", low), now)
            below = _comparison(Comparison(operand, "<=", high), now)
            return _negated(_all([above, below]), negated=negated)
        case Membership(operand, options, negated):
            values = [_constant(operand, option, now) for option in options]
            return _negated(_membership(getter(operand), values), negated=negated)
        case Like(operand, pattern, negated):
            return _negated(_like(getter(operand), str(pattern.value)), negated=negated)
        case IsNull(operand, negated):
            get = getter(operand)
            return (lambda run: get(run) is not None) if negated else (lambda run: get(run) is None)
        case Not(part):
            return _negated(_compile(part, now), negated=True)
        case And(parts):
            return _all([_compile(part, now) for part in parts])
        case Or(parts):
            return _any([_compile(part, now) for part in parts])


def _all(tests: Sequence[Test]) -> Test:
    def every(run: RunLike) -> bool | None:
        answer: bool | None = True
        for test in tests:
            found = test(run)
            if found is False:
                return False
            if found is None:
                answer = None
        return answer

    return every


def _any(tests: Sequence[Test]) -> Test:
    def some(run: RunLike) -> bool | None:
        answer: bool | None = False
        for test in tests:
            found = test(run)
            if found:
                return True
            if found is None:
                answer = None
        return answer

    return some


def _negated(test: Test, *, negated: bool) -> Test:
    if not negated:
        return test

    def other(run: RunLike) -> bool | None:
        found = test(run)
        return None if found is None else not found

    return other


def _comparison(node: Comparison, now: int) -> Test:
    left, right = node.left, node.right
    if isinstance(left, Literal):
        left, right = right, left
        sign = _MIRROR[node.operator]
    else:
        sign = node.operator
    if isinstance(left, Literal):  # the parser refuses a test without a field
        message = "A comparison needs a field"
        raise InvalidInput(message)
    get = getter(left)
    if isinstance(right, Field):
        return _with_field(get, sign, getter(right))
    return _with_constant(get, sign, _constant(left, right, now))


def _with_field(get: Getter, sign: str, get_other: Getter) -> Test:
    def test(run: RunLike) -> bool | None:
        value, other = get(run), get_other(run)
        return None if value is None or other is None else _compare(value, sign, other)

    return test


def _with_constant(get: Getter, sign: str, constant: Constant) -> Test:
    order = _ORDERS.get(sign)
    if order is None or isinstance(constant, bool):

        def test(run: RunLike) -> bool | None:
            value = get(run)
            return None if value is None else _compare(value, sign, constant)

        return test
    same = (str,) if isinstance(constant, str) else (int, float)

    def ordered(run: RunLike) -> bool | None:
        value = get(run)
        return order(value, constant) if type(value) in same else None

    return ordered


def _compare(value: object, sign: str, other: object) -> bool | None:
    if sign in ("=", "!="):
        return _equal(value, other) is (sign == "=")
    if _type_of(value) != _type_of(other) or _type_of(value) not in ("number", "text"):
        return None
    return _ORDERS[sign](value, other)


def _equal(value: object, other: object) -> bool:
    if _type_of(value) != _type_of(other):
        return False
    if value != value:  # noqa: PLR0124 - NaN, which a filter finds by = nan
        return other != other  # noqa: PLR0124 - NaN as well
    return value == other


def _type_of(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "other"


def _membership(get: Getter, values: Sequence[Constant]) -> Test:
    def test(run: RunLike) -> bool | None:
        value = get(run)
        if value is None:
            return None
        return any(_equal(value, other) for other in values)

    return test


def _like(get: Getter, pattern: str) -> Test:
    matches = like_pattern(pattern).fullmatch

    def test(run: RunLike) -> bool | None:
        value = get(run)
        return matches(value) is not None if isinstance(value, str) else None

    return test


@lru_cache(maxsize=256)
def like_pattern(pattern: str) -> re.Pattern[str]:
    r"""Give the expression of a `like` pattern; a backslash before `%`, `_` or itself quotes it.

    Each piece between two `%` is found at its first place and never tried again, which is enough,
    so that no pattern takes more than linear time in the text.

    Example:
        >>> like_pattern("sweep-%_").fullmatch("sweep-12") is not None
        True
    """
    pieces = [""]
    for char in re.findall(r"\\[%_\\]|.", pattern, re.DOTALL):
        if char == "%":
            pieces.append("")
        else:
            pieces[-1] += "." if char == "_" else re.escape(char[-1])
    first, *rest = pieces
    if not rest:
        return re.compile(first, re.DOTALL)
    middle = "".join(f"(?>.*?{piece})" for piece in rest[:-1])
    return re.compile(f"{first}{middle}.*{rest[-1]}", re.DOTALL)


def _constant(field: Field, literal: Literal, now: int) -> Constant:
    value = literal.value
    kind = kind_of(field.name)
    if isinstance(value, str) and kind == "time":
        return parse_moment(value, now)
    if isinstance(value, str) and kind == "span":
        return parse_span(value)
    return value
