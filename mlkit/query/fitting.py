"""What can be compared with what: whether a constant, or another field, fits a field."""

from mlkit._core.names import near, parse_reference
from mlkit.errors import InvalidInput
from mlkit.query.fields import STATUSES, kind_of, parse_moment, parse_span
from mlkit.query.syntax import Field, Literal


class Misfit(Exception):
    """A constant can't be compared with a field.

    Args:
        at: The place in the filter to point at.
        what: What is wrong there.
        hint: The next step, as a sentence.
    """

    def __init__(self, at: int, what: str, hint: str) -> None:
        super().__init__(at, what, hint)
        self.at, self.what, self.hint = at, what, hint


def comparable(field: Field, other: Field) -> bool:
    """Tell whether two fields can be compared.

    Example:
        >>> [comparable(Field("started"), Field(name)) for name in ("ended", "name")]
        [True, False]
    """
    kinds = {kind_of(one.name).replace("status", "text") for one in (field, other)}
    if "link" in kinds:
        return False
    return len(kinds) == 1 or ("any" in kinds and "time" not in kinds)


def fitted(field: Field, literal: Literal, *, ordered: bool) -> Literal:
    """Give a constant as a field is compared with it.

    Args:
        field: The field.
        literal: The constant.
        ordered: Whether it is asked which of both is greater.

    Raises:
        Misfit: They can't be compared.

    Example:
        >>> fitted(Field("status"), Literal("lost"), ordered=False).value
        'LOST'
    """
    value = literal.value
    kind = kind_of(field.name)
    if kind == "any":
        if ordered and isinstance(value, bool):
            raise Misfit(literal.at, "true and false have no order", "Use = or !=")
    elif kind == "span" and not isinstance(value, str | bool):
        pass
    elif not isinstance(value, str):
        raise Misfit(literal.at, f"{field.name} is compared with text", "Put it in 'quotes'")
    elif kind == "status":
        return _status(literal, value)
    elif kind == "link":
        _check_reference(field, literal, value, ordered=ordered)
    elif kind != "text":
        _check_time(literal, value, kind)
    return literal


def _status(literal: Literal, value: str) -> Literal:
    if value.upper() not in STATUSES:
        hint = near(value.upper(), STATUSES) or f"There are {', '.join(STATUSES)}"
        raise Misfit(literal.at, f"There is no status {value!r}", hint)
    return Literal(value.upper(), literal.at)


def _check_reference(field: Field, literal: Literal, value: str, *, ordered: bool) -> None:
    if ordered:
        raise Misfit(field.at, f"{field.name} has no order", "Use =, !=, in or like")
    try:
        parse_reference(value)
    except InvalidInput as error:
        raise Misfit(literal.at, error.message, "Write name, name:3 or name#1f3a") from None
    if "@" in value:
        hint = "Write name for any version, or name:3"
        raise Misfit(literal.at, "Runs keep versions, not what an alias meant", hint)


def _check_time(literal: Literal, value: str, kind: str) -> None:
    try:
        if kind == "time":
            parse_moment(value, 0)
        else:
            parse_span(value)
    except InvalidInput as error:
        raise Misfit(literal.at, error.message, error.hint) from None
