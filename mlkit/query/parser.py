"""Reads filters and orders by a grammar.

```text
filter   = any
any      = all { "or" all }
all      = no { "and" no }
no       = "not" no | test
test     = "(" any ")"
         | operand operator operand
         | field ["not"] "in" "(" [ literal { "," literal } ] ")"
         | field ["not"] "between" operand "and" operand
         | field ["not"] "like" text
         | field "is" ["not"] "null"
operator = "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">="
operand  = field | literal
field    = word | key | part "(" key ")"
key      = ("metrics" | "params" | "tags") "." (word | quoted key)
part     = "last" | "first" | "min" | "max" | "best"
literal  = text | number | "true" | "false" | "inf" | "nan"
order    = ["-"] field ["nulls" ("first" | "last")]
```

Words of the grammar are read in any case. What filters mean is in docs/reference/filter.md.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

from attrs import frozen

from mlkit._core.names import near
from mlkit.query.fields import field_of, kind_of, near_field
from mlkit.query.fitting import Misfit, comparable, fitted
from mlkit.query.syntax import (
    MAPS,
    PARTS,
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
    Operand,
    Operator,
    Or,
    Part,
)
from mlkit.query.tokens import Token, syntax_error, tokens

DEEPEST = 50
"""So deep at most are filters nested."""

LONGEST_INT = 4000
"""So many digits at most has a number."""

_LONGEST_PATTERN = 1000  # RE2, which matches it, takes about ten times as many
_WORDS = ("and", "or", "not", "in", "between", "like", "is", "null", "true", "false", "inf", "nan")
_OPERATORS: dict[str, Operator] = {
    "=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=",
}  # fmt: skip
_VALUE = "a value"
_INTEGER = re.compile(r"[+-]?\d+")

Keys = Mapping[str, Sequence[str]]


def parse(text: str, keys: Keys | None = None) -> Node:
    """Give the tree of a filter.

    Args:
        text: The filter.
        keys: The keys that exist, by map, for better suggestions.

    Raises:
        FilterSyntax: It is no filter; the message points at the place.

    Example:
        >>> parse("metrics.auc > .8 and not params.depth in (4, 6)").text()
        'metrics.auc > 0.8 and not params.depth in (4, 6)'
    """
    return _Parser(text, keys or {}).filter()


@frozen
class Order:
    """What runs are sorted by.

    Attributes:
        field: The field.
        descending: Whether the greatest comes first.
        nulls_first: Whether runs that lack it, or have NaN, come before all others.
    """

    field: Field
    descending: bool = False
    nulls_first: bool = False


def parse_order(text: str, keys: Keys | None = None) -> Order:
    """Give what an order such as `-metrics.auc` or `metrics.loss nulls first` says.

    Raises:
        FilterSyntax: It isn't a field, with or without a `-` before it and where nulls go after it.

    Example:
        >>> parse_order("-metrics.auc").descending
        True
    """
    lead = len(text) - len(text.lstrip())
    descending = text[lead : lead + 1] == "-"
    bare = " " + text[lead + 1 :] if descending else text[lead:]
    field, nulls_first = _Parser(" " * lead + bare, keys or {}, shown=text).order()
    return Order(field, descending, nulls_first)


def parse_field(text: str, keys: Keys | None = None) -> Field:
    """Give the field that a text names, such as `status` or `max(metrics.auc)`.

    Raises:
        FilterSyntax: It names none.

    Example:
        >>> parse_field("max(metrics.auc)").part
        'max'
    """
    return _Parser(text, keys or {}).only_field()


class _Parser:
    def __init__(self, text: str, keys: Keys, shown: str | None = None) -> None:
        self._text = text if shown is None else shown
        self._tokens = tokens(text)
        self._keys = keys
        self._next = 0
        self._depth = 0

    def filter(self) -> Node:
        if self._peek().kind == "end":
            self._fail(self._peek(), "The filter is empty", "Write one such as metrics.auc > 0.8")
        node = self._any()
        self._expect_end("Join tests by 'and' or 'or'")
        return node

    def only_field(self) -> Field:
        field = self._one_field("a field")
        self._expect_end("Write one such as metrics.auc")
        return field

    def order(self) -> tuple[Field, bool]:
        field = self._one_field("a field to order by")
        if kind_of(field.name) == "link":
            self._fail_at(field.at, f"{field.name} has no order")
        nulls_first = False
        if self._take("nulls"):
            nulls_first = self._take("first")
            if not nulls_first and not self._take("last"):
                self._fail(self._peek(), "Expected first or last", self._found())
        self._expect_end("Write '-metrics.auc' to descend, and several orders as a list")
        return field, nulls_first

    def _one_field(self, expected: str) -> Field:
        token = self._peek()
        operand = self._operand(expected)
        if not isinstance(operand, Field):
            self._fail(token, f"Expected {expected}", "Write one such as metrics.auc")
        return operand

    def _any(self) -> Node:
        parts = [self._all()]
        while self._take("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self) -> Node:
        parts = [self._no()]
        while self._take("and"):
            parts.append(self._no())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _no(self) -> Node:
        token = self._peek()
        self._depth += 1
        if self._depth > DEEPEST:
            self._fail(token, f"The filter is nested more than {DEEPEST} deep")
        if self._take("not"):
            node: Node = Not(self._no())
        elif self._take("("):
            node = self._any()
            if not self._take(")"):
                self._fail(token, "This parenthesis isn't closed", self._found())
        else:
            node = self._test()
        self._depth -= 1
        return node

    def _test(self) -> Node:
        left = self._operand("a test")
        token = self._peek()
        if token.kind == "mark" and token.value in _OPERATORS:
            self._advance()
            return self._comparison(left, token)
        if isinstance(left, Literal):
            self._fail(token, "Expected an operator such as = or >", self._found())
        negated = self._take("not")
        if self._take("in"):
            return Membership(left, self._options(left), negated)
        if self._take("between"):
            low = self._end_of(left)
            if not self._take("and"):
                self._fail(self._peek(), "Expected 'and'", "Write between 1 and 5")
            return Between(left, low, self._end_of(left), negated)
        if self._take("like"):
            return Like(left, self._pattern(left), negated)
        if self._peek().kind == "word" and self._peek().value.lower() in ("ilike", "contains"):
            hint = "like asks of the whole text, case and all: like '%word%'"
            self._fail(self._peek(), f"There is no {self._peek().value}", hint)
        if negated or not self._take("is"):
            what = "in, between or like" if negated else "an operator such as =, >, in or like"
            self._fail(self._peek(), f"Expected {what}", self._found())
        return self._is_null(left)

    def _comparison(self, left: Operand, token: Token) -> Comparison:
        operator = _OPERATORS[token.value]
        right = self._operand(_VALUE)
        ordered = operator not in ("=", "!=")
        if isinstance(left, Literal) and isinstance(right, Literal):
            self._fail_at(left.at, "A comparison needs a field", "Write metrics.auc > 0.8")
        if isinstance(left, Field):
            right = self._fit(left, right, ordered=ordered)
        elif isinstance(right, Field):
            left = self._fit(right, left, ordered=ordered)
        return Comparison(left, operator, right)

    def _end_of(self, field: Field) -> Operand:
        return self._fit(field, self._operand(_VALUE), ordered=True)

    def _options(self, field: Field) -> tuple[Literal, ...]:
        opening = self._peek()
        if not self._take("("):
            self._fail(opening, "Expected a list in parentheses", "Write in (4, 6)")
        options: list[Literal] = []
        if self._take(")"):
            return ()
        while True:
            option = self._operand(_VALUE)
            if isinstance(option, Field):
                self._fail_at(option.at, "A list holds values, not fields", "Put text in 'quotes'")
            options.append(self._fit_literal(field, option, ordered=False))
            if self._take(")"):
                return tuple(options)
            if not self._take(","):
                self._fail(self._peek(), "Expected ',' or ')' in the list", self._found())

    def _pattern(self, field: Field) -> Literal:
        token = self._peek()
        if kind_of(field.name) in ("time", "span"):
            self._fail_at(field.at, f"{field.name} is no text", "Use <, > or between")
        if token.kind != "text":
            self._fail(token, "Expected a pattern in quotes", "Write like 'sweep-%'")
        if len(token.value) > _LONGEST_PATTERN:
            self._fail(token, f"This pattern has more than {_LONGEST_PATTERN} characters")
        self._advance()
        return Literal(token.value, token.at)

    def _is_null(self, field: Field) -> IsNull:
        negated = self._take("not")
        if not self._take("null"):
            self._fail(self._peek(), "Expected null", "Write is null or is not null")
        return IsNull(field, negated)

    def _operand(self, expected: str) -> Operand:
        token = self._peek()
        if token.kind == "text":
            self._advance()
            return Literal(token.value, token.at)
        if token.kind == "number":
            self._advance()
            return Literal(self._number(token), token.at)
        if token.kind == "mark" and token.value in ("+", "-"):
            self._advance()
            self._advance()
            return Literal(math.inf if token.value == "+" else -math.inf, token.at)
        if token.kind != "word":
            self._fail(token, f"Expected {expected}", self._found())
        constants: dict[str, Constant] = {
            "true": True, "false": False, "inf": math.inf, "nan": math.nan,
        }  # fmt: skip
        word = token.value.lower()
        if word in constants:
            self._advance()
            return Literal(constants[word], token.at)
        if word in ("null", "none") and expected == _VALUE:
            what = f"Nothing compares with {token.value}"
            self._fail(token, what, "Write is null or is not null")
        if word in _WORDS:
            self._fail(token, f"Expected {expected}", self._found())
        return self._field(is_value=expected == _VALUE)

    def _number(self, token: Token) -> int | float:
        if _INTEGER.fullmatch(token.value) is None:
            return float(token.value)
        if len(token.value) > LONGEST_INT:
            self._fail(token, f"This number has more than {LONGEST_INT} digits")
        return int(token.value)

    def _field(self, *, is_value: bool) -> Field:
        token = self._advance()
        opens = self._peek().kind == "mark" and self._peek().value == "("
        for part in PARTS:
            if opens and token.value.lower() == part:
                return self._part(part, token)
        return self._plain_field(token, is_value=is_value, opens=opens)

    def _part(self, part: Part, token: Token) -> Field:
        opening = self._advance()
        inner = self._peek()
        if inner.kind != "word":
            self._fail(inner, "Expected a metric", self._found())
        field = self._plain_field(self._advance(), is_value=False)
        if field.name != "metrics":
            self._fail(inner, f"{part} is of a metric", f"Write {part}(metrics.<key>)")
        if not self._take(")"):
            self._fail(opening, "This parenthesis isn't closed", self._found())
        return Field(field.name, field.key, token.at, part=part)

    def _plain_field(self, token: Token, *, is_value: bool, opens: bool = False) -> Field:
        if token.value in MAPS and self._peek().value == "." and self._peek().kind == "mark":
            self._advance()
            key = self._peek()
            if key.kind == "quoted" or (key.kind == "text" and key.double):
                self._advance()
                return Field(token.value, key.value, token.at)
            self._fail(key, f"Expected a key of {token.value}", f"Write {token.value}.<key>")
        field = field_of(token.value, token.at)
        if field is None and opens:
            hint = near(token.value.lower(), PARTS) or f"There are {', '.join(PARTS)}"
            self._fail(token, f"There is no function {token.value!r}", hint)
        if field is None:
            hint = near_field(token.value, self._keys)
            if is_value:
                hint = f"Put text in quotes: '{token.value}'"
            self._fail(token, f"There is no field {token.value!r}", hint)
        return field

    def _fit(self, field: Field, other: Operand, *, ordered: bool) -> Operand:
        if isinstance(other, Literal):
            return self._fit_literal(field, other, ordered=ordered)
        if not comparable(field, other):
            self._fail_at(other.at, f"{other.name} can't be compared with {field.name}")
        return other

    def _fit_literal(self, field: Field, literal: Literal, *, ordered: bool) -> Literal:
        try:
            return fitted(field, literal, ordered=ordered)
        except Misfit as error:
            self._fail_at(error.at, error.what, error.hint)

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _advance(self) -> Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _take(self, value: str) -> bool:
        token = self._peek()
        if token.kind not in ("word", "mark") or token.value.lower() != value:
            return False
        self._next += 1
        return True

    def _found(self) -> str:
        token = self._peek()
        if token.kind == "end":
            return "The filter ends here"
        return f"Found {self._text[token.at : token.end]!r}"

    def _expect_end(self, hint: str) -> None:
        if self._peek().kind != "end":
            self._fail(self._peek(), f"Nothing more can be here. {self._found()}", hint)

    def _fail(self, token: Token, what: str, hint: str = "") -> NoReturn:
        self._fail_at(token.at, what, hint)

    def _fail_at(self, at: int, what: str, hint: str = "") -> NoReturn:
        raise syntax_error(self._text, at, what, hint)
