"""What is expected of one column."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Self

from attrs import field, fields, frozen

from mlkit._core import shapes
from mlkit._core.names import near
from mlkit.data.logical import type_text
from mlkit.display.formats import show_share, show_span
from mlkit.errors import InvalidInput
from mlkit.quality.expectation_values import (
    encodable,
    plain_value,
    shown,
    value_from_json,
    value_to_json,
)

_MOST_SHOWN = 5
_MOST_LETTERS = 10_000

KINDS = (
    "type", "nulls", "min", "max", "values", "pattern", "min_length", "max_length", "unique",
    "max_age",
)  # fmt: skip
"""What can be expected of a column, in the order in which it is checked."""

_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "integer": _INTEGERS,
    "float": ("float16", "float32", "float64"),
    "number": (*_INTEGERS, "float16", "float32", "float64"),
    "string or binary": ("string", "binary"),
}
"""Names for several logical types, any of which will do."""

_LEAVES = (
    *FAMILIES, *FAMILIES["number"], *FAMILIES["string or binary"], "bool", "null", "date", "time",
    "timestamp", "duration",
)  # fmt: skip


def _bound(value: Any) -> Any:
    return None if value is None else plain_value(value)


def _values(values: Iterable[Any] | None) -> tuple[Any, ...] | None:
    if values is None:
        return None
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InvalidInput(f"values={values!r} is one value", hint=f"Write values=[{values!r}]")
    return tuple({repr(plain_value(value)): plain_value(value) for value in values}.values())


def _unordered(values: tuple[Any, ...] | None) -> Any:
    return values and tuple(sorted(map(repr, values)))


def share_of(value: float) -> float:
    """Give a share or a distance as a float.

    Raises:
        InvalidInput: It isn't from 0 to 1.
    """
    is_number = not isinstance(value, str | bytes) and hasattr(value, "__float__")
    if not is_number or not 0 <= float(value) <= 1:
        raise InvalidInput(f"{value!r} is no share", hint="Give a number from 0 to 1")
    return float(value)


def _share(value: float | None) -> float | None:
    return None if value is None else share_of(value)


def _type(value: Any) -> str | None:
    """Give a logical type as text, also that of an Arrow type."""
    import pyarrow as pa

    if isinstance(value, pa.DataType):
        return type_text(value)
    if value is None:
        return None
    # What is nested, or of an extension, may have any name inside.
    is_text = isinstance(value, str)
    if not is_text or not (value in _LEAVES or re.fullmatch(_WITH_PART, value, re.DOTALL)):
        hint = near(value, _LEAVES) if is_text else None
        raise InvalidInput(
            f"type={value!r} is no type of a column",
            hint=hint or f"There are: {', '.join(dict.fromkeys(_LEAVES))}; and Arrow's types",
        )
    return str(value)


_WITH_PART = r"(timestamp|decimal|binary)\[.*\]|.*<.*>"


@frozen(kw_only=True)
class ColumnExpectation:
    """What is expected of one column; whatever is None isn't asked for.

    NaN counts as missing, as nulls do: it depends on the library which of them a table has. Missing
    values meet every expectation but `nulls`.

    Attributes:
        name: The column.
        required: Whether it must be there. A column that needn't, and isn't, passes whole.
        type: Its logical type, such as `int64`, `string` or `timestamp[UTC]`; or a name of
            several: `integer`, `float`, `number`, `string or binary`.
        nulls: The largest share of missing values, 0 to 1.
        min: The least value, of numbers and times.
        max: The greatest value.
        values: The only values that may be there.
        pattern: A regular expression in the syntax of RE2 that the whole of each text matches. RE2
            takes time linear in the text, whatever the pattern.
        min_length: The least length: letters of texts, bytes of binaries, items of lists.
        max_length: The greatest length.
        unique: Whether no value may come twice.
        max_age: How old the newest time may be; times without a zone count as UTC, a date as its
            first moment.
        why: Why each of these was proposed, where it was inferred; no part of equality.
    """

    name: str
    required: bool = True
    type: str | None = field(default=None, converter=_type)
    nulls: float | None = field(default=None, converter=_share)
    min: Any = field(default=None, converter=_bound, eq=repr)
    max: Any = field(default=None, converter=_bound, eq=repr)
    values: tuple[Any, ...] | None = field(default=None, converter=_values, eq=_unordered)
    pattern: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    unique: bool = False
    max_age: timedelta | None = None
    why: Mapping[str, str] = field(factory=dict, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise InvalidInput(f"{self.name!r} is no name of a column")
        encodable(self.name)
        for flag in (self.required, self.unique):
            if not isinstance(flag, bool):
                raise self._wrong(f"{flag!r} is no truth value", "Give True or False")
        _check_order(self.name, self.min, self.max)
        if self.values is not None and not self.values:
            raise self._wrong("no value is allowed", "Give at least one in values=")
        self._check_lengths()
        age = self.max_age
        if age is not None and (not isinstance(age, timedelta) or age < timedelta()):
            raise self._wrong(f"max_age={age!r}", "Give a datetime.timedelta from 0 on")
        if self.pattern is not None:
            _check_pattern(self.name, self.pattern)

    def _check_lengths(self) -> None:
        for length in (self.min_length, self.max_length):
            if length is None:
                continue
            if isinstance(length, bool) or not isinstance(length, int) or length < 0:
                raise self._wrong(f"{length!r} is no length", "Give a whole number from 0 on")
        if (self.max_length if self.max_length is not None else math.inf) < (self.min_length or 0):
            raise self._wrong("no length can be expected", "Give 0 <= min_length <= max_length")

    def _wrong(self, what: str, hint: str) -> InvalidInput:
        return InvalidInput(f"Column {self.name!r}: {what}", hint=hint)

    def kinds(self) -> Iterator[str]:
        """Give what is asked of the column, out of `KINDS`."""
        for kind in KINDS:
            if getattr(self, kind) is not None and getattr(self, kind) is not False:
                yield kind

    def sentence(self, kind: str) -> str:
        """Give one expectation in words.

        Example:
            >>> ColumnExpectation(name="age", min=0).sentence("min")
            'age >= 0'
        """
        value = getattr(self, kind)
        return f"{self.name} {_SENTENCES[kind](value)}"

    def to_json(self) -> dict[str, Any]:
        """Give all of it as plain values, fit for a JSON document."""
        told: dict[str, Any] = {"name": self.name}
        if not self.required:
            told["required"] = False
        for kind in self.kinds():
            value = getattr(self, kind)
            many = isinstance(value, tuple)
            told[kind] = [value_to_json(v) for v in value] if many else value_to_json(value)
        if self.why:
            told["why"] = dict(self.why)
        return told

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Give the expectation of what `to_json` gave.

        Raises:
            Misshapen: It is none.
            InvalidInput: It asks for what can't be.
        """
        name = shapes.required(data, "name", str)
        strange = sorted(set(data) - {one.name for one in fields(cls)})
        if strange:
            raise shapes.Misshapen(f"{strange[0]!r:.80} is nothing to expect of a column")
        given: dict[str, Any] = {
            key: shapes.optional(data, key, kind) for key, kind in _SHAPES.items()
        }
        for key in ("required", "unique"):
            given[key] = shapes.required(data, key, bool) if key in data else key == "required"
        for key in ("min", "max", "max_age"):
            given[key] = value_from_json(data[key]) if data.get(key) is not None else None
        if data.get("values") is not None:
            listed = shapes.required(data, "values", list)
            given["values"] = tuple(value_from_json(value) for value in listed)
        why = shapes.mapping(data, "why", str) if "why" in data else {}
        return cls(name=name, why=why, **given)


_SHAPES: dict[str, Any] = {
    "type": str, "nulls": float, "pattern": str, "min_length": int, "max_length": int,
}  # fmt: skip


def _check_order(name: str, least: Any, most: Any) -> None:
    for value in (least, most):
        if isinstance(value, bool | str | bytes):
            raise InvalidInput(
                f"Column {name!r}: {value!r} is no bound",
                hint="Bounds are numbers, dates, times or durations; other values go in values=",
            )
    if least is None or most is None:
        return
    try:
        wrong = least > most
    except TypeError:
        raise InvalidInput(
            f"Column {name!r}: {least!r} can't be compared with {most!r}",
            hint="Give min and max of one kind, with a time zone both or neither",
        ) from None
    if wrong:
        raise InvalidInput(f"Column {name!r}: min={least} is above max={most}")


def whole_pattern(pattern: str) -> str:
    r"""Give the pattern that matches whole texts only.

    Example:
        >>> whole_pattern("a|b")
        '\\A(?:a|b)\\z'
    """
    return rf"\A(?:{pattern})\z"


def _check_pattern(name: str, pattern: Any) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not isinstance(pattern, str) or len(pattern) > _MOST_LETTERS:
        raise InvalidInput(f"Column {name!r}: the pattern is no text, or is too long")
    try:
        # By itself, so that it can't close the group that it is put into; and within it.
        for tried in (pattern, whole_pattern(pattern)):
            pc.match_substring_regex(pa.array([""]), tried)
    except (pa.ArrowException, UnicodeEncodeError) as error:
        raise InvalidInput(
            f"Column {name!r}: the pattern {shown(pattern)} can't be used: {error}",
            hint="Patterns have the syntax of RE2: no look-around, no back-references",
        ) from None


def _listed(values: tuple[Any, ...]) -> str:
    more = ", …" if len(values) > _MOST_SHOWN else ""
    return f"is one of {', '.join(map(shown, values[:_MOST_SHOWN]))}{more}"


_SENTENCES: dict[str, Any] = {
    "type": lambda kind: f"is of type {kind}",
    "nulls": lambda share: (
        f"has {show_share(share)} missing at most" if share else "has none missing"
    ),
    "min": lambda value: f">= {shown(value)}",
    "max": lambda value: f"<= {shown(value)}",
    "values": _listed,
    "pattern": lambda pattern: f"matches {shown(pattern)}",
    "min_length": lambda length: f"has a length of at least {length:,}",
    "max_length": lambda length: f"has a length of at most {length:,}",
    "unique": lambda _: "is unique",
    "max_age": lambda age: f"has a time of the last {show_span(age.total_seconds())}",
}
