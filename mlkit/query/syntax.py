"""What a filter says, as a tree of frozen records; `text()` of a node parses to the same node.

The positions of fields and literals in the text they came from (`at`) are kept for messages, and
don't count when nodes are compared.
"""

import math
import re
from typing import Literal as OneOf

from attrs import field, frozen

Operator = OneOf["=", "!=", "<", "<=", ">", ">="]
Constant = str | int | float | bool
Part = OneOf["last", "first", "min", "max", "best"]

MAPS = ("metrics", "params", "tags")
"""The fields that hold keys of the user's own."""

PARTS: tuple[Part, ...] = ("last", "first", "min", "max", "best")
"""What can be asked of the points of a metric; the first needs no word."""

PLAIN_KEY = re.compile(r"[\w./:@-]*[\w/:@-]")
"""Keys that need no quotes."""


@frozen
class Field:
    """A field of a run: `status`, or one key of a map, `metrics.auc`, `max(metrics.auc)`."""

    name: str
    key: str | None = None
    at: int = field(default=0, eq=False)
    part: Part = field(default="last", kw_only=True)

    def text(self) -> str:
        """Give the field as it is written in a filter."""
        if self.key is None:
            return self.name
        plain = PLAIN_KEY.fullmatch(self.key)
        key = self.key if plain else f"`{self.key.replace('`', '``')}`"
        whole = f"{self.name}.{key}"
        return whole if self.part == "last" else f"{self.part}({whole})"


def _kind_and_text(value: Constant) -> tuple[type, str]:
    """What makes two constants equal: 1, 1.0 and true differ, and NaN is itself."""
    return type(value), repr(value)


@frozen
class Literal:
    """A constant: text, a number, true or false."""

    value: Constant = field(eq=_kind_and_text)
    at: int = field(default=0, eq=False)

    def text(self) -> str:
        """Give the constant as it is written in a filter."""
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        if isinstance(self.value, str):
            return "'" + self.value.replace("'", "''") + "'"
        if isinstance(self.value, float) and not math.isfinite(self.value):
            return str(self.value)
        return repr(self.value)


Operand = Field | Literal


@frozen
class Comparison:
    """`left operator right`."""

    left: Operand
    operator: Operator
    right: Operand

    def text(self) -> str:
        """Give the comparison as it is written in a filter."""
        return f"{self.left.text()} {self.operator} {self.right.text()}"


@frozen
class Membership:
    """`operand in (options)`."""

    operand: Field
    options: tuple[Literal, ...]
    negated: bool = False

    def text(self) -> str:
        """Give the test as it is written in a filter."""
        options = ", ".join(option.text() for option in self.options)
        return f"{self.operand.text()} {_not(self.negated)}in ({options})"


@frozen
class Between:
    """`operand between low and high`, both ends included."""

    operand: Field
    low: Operand
    high: Operand
    negated: bool = False

    def text(self) -> str:
        """Give the test as it is written in a filter."""
        ends = f"{self.low.text()} and {self.high.text()}"
        return f"{self.operand.text()} {_not(self.negated)}between {ends}"


@frozen
class Like:
    """`operand like pattern`, with `%` for any text and `_` for any one character."""

    operand: Field
    pattern: Literal
    negated: bool = False

    def text(self) -> str:
        """Give the test as it is written in a filter."""
        return f"{self.operand.text()} {_not(self.negated)}like {self.pattern.text()}"


@frozen
class IsNull:
    """`operand is null`: the run has no such value."""

    operand: Field
    negated: bool = False

    def text(self) -> str:
        """Give the test as it is written in a filter."""
        return f"{self.operand.text()} is {_not(self.negated)}null"


@frozen
class Not:
    """`not part`."""

    part: "Node"

    def text(self) -> str:
        """Give the negation as it is written in a filter."""
        return f"not {_within(self.part)}"


@frozen
class And:
    """All of two or more parts."""

    parts: "tuple[Node, ...]"

    def text(self) -> str:
        """Give the conjunction as it is written in a filter."""
        return " and ".join(_within(part) for part in self.parts)


@frozen
class Or:
    """Any of two or more parts."""

    parts: "tuple[Node, ...]"

    def text(self) -> str:
        """Give the disjunction as it is written in a filter."""
        return " or ".join(_within(part) for part in self.parts)


Node = Comparison | Membership | Between | Like | IsNull | Not | And | Or


def fields_of(node: Node) -> list[tuple[Field, Node]]:
    """Give each field that a filter names, with the test that names it, from left to right."""
    match node:
        case And(parts) | Or(parts):
            return [found for part in parts for found in fields_of(part)]
        case Not(part):
            return fields_of(part)
        case Comparison(left, _, right):
            operands: tuple[Operand, ...] = (left, right)
        case Between(operand, low, high):
            operands = (operand, low, high)
        case _:
            operands = (node.operand,)
    return [(operand, node) for operand in operands if isinstance(operand, Field)]


def _not(negated: bool) -> str:  # noqa: FBT001 - a field of the record, passed on
    return "not " if negated else ""


def _within(part: Node) -> str:
    return f"({part.text()})" if isinstance(part, And | Or) else part.text()
