"""What a filter says, asked of columns: a bool for each run, null where the answer is unknown."""

from collections.abc import Sequence
from typing import Any

from mlkit.errors import InvalidInput
from mlkit.index.row import storable
from mlkit.query.fields import RunColumns, kind_of, parse_moment, parse_span
from mlkit.query.links import Links
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
    Operator,
    Or,
)
from mlkit.query.values import Values

_MIRROR: dict[Operator, Operator] = {
    "=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<=",
}  # fmt: skip


def mask_of(node: Node, columns: RunColumns, now: int) -> Any:
    """Tell of each run whether a filter means it.

    Args:
        node: What the filter says; the parser has checked it.
        columns: The runs; only what the filter names is read.
        now: The present, in nanoseconds since 1970, UTC.

    Returns:
        A column of bools.
    """
    import pyarrow.compute as pc

    match node:
        case And(parts):
            return _joined(pc.and_kleene, [mask_of(part, columns, now) for part in parts])
        case Or(parts):
            return _joined(pc.or_kleene, [mask_of(part, columns, now) for part in parts])
        case Not(part):
            return pc.invert(mask_of(part, columns, now))
        case Comparison():
            return _comparison(node, columns, now)
        case Between(operand, low, high, negated):
            above = _comparison(Comparison(operand, ">=", low), columns, now)
            below = _comparison(Comparison(operand, "<=", high), columns, now)
            found = pc.and_kleene(above, below)
        case Membership(operand, options, negated):
            constants = [_equal(operand, option, columns, now) for option in options]
            found = _values(columns, operand).among(constants)
        case Like(operand, pattern, negated):
            found = _values(columns, operand).like(storable(str(pattern.value)))
        case IsNull(operand, is_not):
            negated = not is_not
            found = _values(columns, operand).present()
    return pc.invert(found) if negated else found


def _comparison(node: Comparison, columns: RunColumns, now: int) -> Any:
    left, right, sign = node.left, node.right, node.operator
    if isinstance(left, Literal):
        left, right, sign = right, left, _MIRROR[sign]
    if isinstance(left, Literal):  # the parser refuses a test without a field
        message = "A comparison needs a field"
        raise InvalidInput(message)
    if isinstance(right, Literal):
        equal = sign in ("=", "!=")
        constant = _equal(left, right, columns, now) if equal else _constant(left, right, now)
        return _values(columns, left).compared(sign, constant)
    return Values.of(columns, left).beside(sign, Values.of(columns, right))


def _values(columns: RunColumns, field: Field) -> Values | Links:
    return (Links if kind_of(field.name) == "link" else Values).of(columns, field)


def _equal(field: Field, literal: Literal, columns: RunColumns, now: int) -> Constant:
    """Give a constant that a field may equal; an experiment is meant by each of its names."""
    if field.name == "experiment" and isinstance(literal.value, str):
        return storable(columns.current(literal.value))
    return _constant(field, literal, now)


def _constant(field: Field, literal: Literal, now: int) -> Constant:
    """Give a constant as a field's columns hold it: times in microseconds, spans in seconds."""
    value = literal.value
    if not isinstance(value, str):
        return value
    match kind_of(field.name):
        case "time":
            return parse_moment(value, now) // 1000
        case "span":
            return parse_span(value)
        case _:
            return storable(value)


def _joined(join: Any, masks: Sequence[Any]) -> Any:
    first, *rest = masks
    for mask in rest:
        first = join(first, mask)
    return first
