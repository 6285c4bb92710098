"""Filters written in Python: `(mlkit.metric("auc") > 0.8) & (mlkit.param("depth") == 4)`.

They are the same trees that a text is read into, and each test is read by the same parser, which
says what can't be compared.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import NoReturn

from attrs import frozen

from mlkit.errors import FilterSyntax, InvalidInput
from mlkit.query.literals import a_value, incomparable, literal_of
from mlkit.query.parser import DEEPEST, parse, parse_field
from mlkit.query.syntax import (
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

_JOIN = "Use & | ~ instead of and, or, not; write a < x < b as x.between(a, b), which includes both"
_PARENTHESES = "Put each test in parentheses: (mlkit.metric('auc') > 0.8) & (mlkit.tag('a') == 'b')"


@frozen
class Expression:
    """A filter; `&`, `|` and `~` make others of it.

    Attributes:
        node: What it says.

    Example:
        >>> import mlkit
        >>> good = (mlkit.metric("auc") > 0.8) & ~mlkit.param("depth").isin([4, 6])
        >>> good.text()
        'metrics.auc > 0.8 and not params.depth in (4, 6)'
    """

    node: Node

    def text(self) -> str:
        """Give the filter as text."""
        return self.node.text()

    def __and__(self, other: object) -> "Expression":
        parts = (self.node, _node_of(other, "&"))
        return _checked(And(tuple(inner for part in parts for inner in _parts(part, And))))

    def __or__(self, other: object) -> "Expression":
        parts = (self.node, _node_of(other, "|"))
        return _checked(Or(tuple(inner for part in parts for inner in _parts(part, Or))))

    def __rand__(self, other: object) -> NoReturn:
        _refuse(other, "&")

    def __ror__(self, other: object) -> NoReturn:
        _refuse(other, "|")

    def __invert__(self) -> "Expression":
        return _checked(Not(self.node))

    def __bool__(self) -> NoReturn:
        message = f"Whether {self.text()} is true depends on the run"
        raise InvalidInput(message, hint=_JOIN)

    def __repr__(self) -> str:
        return f"<Expression {self.text()}>"


class Value:
    """What runs have of a field; comparing it gives an expression.

    Args:
        field: The field.
    """

    __slots__ = ("_field",)
    __hash__ = None  # type: ignore[assignment]  # == says something else of it

    def __init__(self, field: Field) -> None:
        self._field = field

    def __eq__(self, other: object) -> Expression:  # type: ignore[override]
        return self._compared("=", other)

    def __ne__(self, other: object) -> Expression:  # type: ignore[override]
        return self._compared("!=", other)

    def __lt__(self, other: object) -> Expression:
        return self._compared("<", other)

    def __le__(self, other: object) -> Expression:
        return self._compared("<=", other)

    def __gt__(self, other: object) -> Expression:
        return self._compared(">", other)

    def __ge__(self, other: object) -> Expression:
        return self._compared(">=", other)

    def isin(self, values: "Iterable[Constant | date | timedelta]") -> Expression:
        """Give the filter that keeps runs whose value is one of several."""
        if isinstance(values, str) or not isinstance(values, Iterable):
            message = f"{values!r} is no list of values"
            raise InvalidInput(message, hint="Write .isin([4, 6])")
        return _read(
            Membership(self._field, tuple(_literal(self._field, value) for value in values))
        )

    def between(self, low: "Bound", high: "Bound") -> Expression:
        """Give the filter that keeps runs whose value is between two, both included."""
        return _read(Between(self._field, self._operand(low), self._operand(high)))

    def like(self, pattern: str) -> Expression:
        """Give the filter that keeps runs whose text matches a pattern.

        Args:
            pattern: `%` stands for any text, `_` for any one character; a backslash before one,
                or before itself, takes it by its letter.
        """
        return _read(Like(self._field, _literal(self._field, pattern)))

    def is_null(self) -> Expression:
        """Give the filter that keeps runs which have no such value."""
        return _read(IsNull(self._field))

    def _compared(self, operator: Operator, other: object) -> Expression:
        return _read(Comparison(self._field, operator, self._operand(other)))

    def _operand(self, value: object) -> Operand:
        return value._field if isinstance(value, Value) else _literal(self._field, value)  # noqa: SLF001 - our own

    def order(self) -> str:
        """Give the order by the field, as text; `-` before the field is the order that falls."""
        return self._field.text()

    def __neg__(self) -> "Falling":
        return Falling(self._field)

    def __and__(self, other: object) -> NoReturn:
        _refuse(self, "&")

    def __or__(self, other: object) -> NoReturn:
        _refuse(self, "|")

    def __rand__(self, other: object) -> NoReturn:
        _refuse(self, "&")

    def __ror__(self, other: object) -> NoReturn:
        _refuse(self, "|")

    def __invert__(self) -> NoReturn:
        _refuse(self, "~")

    def __bool__(self) -> NoReturn:
        message = f"{self._field.text()} is neither true nor false without a run"
        raise InvalidInput(message, hint=f"Compare it with something. {_JOIN}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._field.text()}>"


Bound = Constant | date | timedelta | Value
"""What a field is compared with."""


@frozen
class Falling:
    """The order by a field that begins with the greatest: `-mlkit.metric("auc")`.

    Attributes:
        field: The field.
    """

    field: Field

    def order(self) -> str:
        """Give the order as text."""
        return f"-{self.field.text()}"

    def __repr__(self) -> str:
        return f"<Falling {self.field.text()}>"


# Neither of these two is the other's kind: Python asks the right side of a comparison first where
# its class is derived from that of the left, and would turn the comparison around.


class FieldValue(Value):
    """What runs have of a field, a param or a tag.

    Args:
        field: The field.
    """

    __slots__ = ()


class MetricValue(Value):
    """What runs have of a metric: its last value, or another number of its points.

    Args:
        field: The field.

    Example:
        >>> import mlkit
        >>> (mlkit.metric("loss").min < 0.1).text()
        'min(metrics.loss) < 0.1'
    """

    __slots__ = ()

    @property
    def last(self) -> FieldValue:
        """The last value."""
        return self._part("last")

    @property
    def first(self) -> FieldValue:
        """The first value."""
        return self._part("first")

    @property
    def min(self) -> FieldValue:
        """The least value."""
        return self._part("min")

    @property
    def max(self) -> FieldValue:
        """The greatest value."""
        return self._part("max")

    @property
    def best(self) -> FieldValue:
        """The best value, of runs that have said by `set_goals` what is best."""
        return self._part("best")

    def _part(self, part: Part) -> FieldValue:
        return FieldValue(Field("metrics", self._field.key, part=part))


def metric(key: str) -> MetricValue:
    """Give what a filter in Python compares: a metric.

    Args:
        key: The metric.

    Returns:
        Its last value; `.min`, `.max`, `.first` and `.best` give others.

    Example:
        >>> import mlkit
        >>> store = mlkit.Store("memory://metric-example")
        >>> with store.start_run("flights") as run:
        ...     run.log_metrics({"auc": 0.9})
        >>> len(store.search_runs(mlkit.metric("auc") > 0.8))
        1
    """
    return MetricValue(Field("metrics", _key(key)))


def param(key: str) -> FieldValue:
    """Give what a filter in Python compares: a param, or a path by dots into one.

    Args:
        key: The param.

    Example:
        >>> import mlkit
        >>> (mlkit.param("depth") == 4).text()
        'params.depth = 4'
    """
    return FieldValue(Field("params", _key(key)))


def tag(key: str) -> FieldValue:
    """Give what a filter in Python compares: a tag.

    Args:
        key: The tag.

    Example:
        >>> import mlkit
        >>> mlkit.tag("owner").like("ml%").text()
        "tags.owner like 'ml%'"
    """
    return FieldValue(Field("tags", _key(key)))


def field(name: str) -> FieldValue:
    """Give what a filter in Python compares: a field that every run has.

    Args:
        name: Such as `status`, `started`, `duration` or `dataset`.

    Raises:
        FilterSyntax: There is no such field; a near one is suggested.

    Example:
        >>> import mlkit
        >>> (mlkit.field("status") == "FINISHED").text()
        "status = 'FINISHED'"
    """
    return FieldValue(parse_field(_key(name)))


def _key(key: str) -> str:
    if not isinstance(key, str):
        message = f"{key!r} is no name"
        raise InvalidInput(message, hint="Write it as text, such as mlkit.metric('auc')")
    return key


def _literal(field: Field, value: object) -> Literal:
    if isinstance(value, Expression):
        raise incomparable(repr(value), _PARENTHESES)
    if isinstance(value, Value | Falling):
        raise incomparable(repr(value), "Use text, a number, true or false")
    return literal_of(field, value)


def _shown(value: object) -> str:
    if isinstance(value, Expression | Value | Falling) or value is None:
        return repr(value)
    return a_value(value)


def _read(node: Node) -> Expression:
    """Give the expression of a test, as the parser reads it."""
    return Expression(parse(node.text()))


def _node_of(other: object, sign: str) -> Node:
    if not isinstance(other, Expression):
        _refuse(other, sign)
    return other.node


def _refuse(value: object, sign: str) -> NoReturn:
    message = f"{sign} joins tests, and {_shown(value)} is none"
    raise InvalidInput(message, hint=_PARENTHESES)


def _parts(node: Node, kind: type[And | Or]) -> tuple[Node, ...]:
    return node.parts if isinstance(node, And | Or) and isinstance(node, kind) else (node,)


def _checked(node: Node) -> Expression:
    """Give an expression that isn't nested deeper than a text may be."""
    if _depth(node) > DEEPEST:
        message = f"The filter is nested more than {DEEPEST} deep"
        raise FilterSyntax(message)
    return Expression(node)


def _depth(node: Node) -> int:
    match node:
        case And(parts) | Or(parts):
            return 1 + max(map(_depth, parts))
        case Not(part):
            return 1 + _depth(part)
        case _:
            return 1
