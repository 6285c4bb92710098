"""Search spaces: for each param, the values that it may take."""

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from attrs import field, frozen

from mlkit.errors import InvalidInput


class Dimension(Protocol):
    """The values of one param."""

    @property
    def count(self) -> int | None:
        """How many values there are, None when there is no end of them."""

    def at(self, index: int) -> Any:
        """Give one of countable values."""

    def draw(self, rng: random.Random) -> Any:
        """Give a value by chance."""


@frozen
class Choice:
    """Any of some values, each as likely as the others."""

    values: tuple[Any, ...] = field(converter=tuple)

    @property
    def count(self) -> int:
        """How many values there are."""
        return len(self.values)

    def at(self, index: int) -> Any:
        """Give one of the values."""
        return self.values[index]

    def draw(self, rng: random.Random) -> Any:
        """Give a value by chance."""
        return rng.choice(self.values)


@frozen
class Uniform:
    """A float between two bounds, any as likely as the others."""

    low: float
    high: float
    count: None = field(default=None, init=False, repr=False)

    def at(self, index: int) -> float:
        """Refuse: floats aren't counted."""
        raise _uncounted(self, index)

    def draw(self, rng: random.Random) -> float:
        """Give a value by chance."""
        return min(max(rng.uniform(self.low, self.high), self.low), self.high)


@frozen
class LogUniform:
    """A float between two bounds, any order of magnitude as likely as the others."""

    low: float
    high: float
    count: None = field(default=None, init=False, repr=False)

    def at(self, index: int) -> float:
        """Refuse: floats aren't counted."""
        raise _uncounted(self, index)

    def draw(self, rng: random.Random) -> float:
        """Give a value by chance."""
        value = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return min(max(value, self.low), self.high)


@frozen
class IntUniform:
    """A whole number between two bounds, both included, any as likely as the others."""

    low: int
    high: int

    @property
    def count(self) -> int:
        """How many values there are."""
        return self.high - self.low + 1

    def at(self, index: int) -> int:
        """Give one of the values."""
        return self.low + index

    def draw(self, rng: random.Random) -> int:
        """Give a value by chance."""
        return rng.randint(self.low, self.high)


Space = Mapping[str, Dimension]


def uniform(low: float, high: float) -> Uniform:
    """Search floats between two bounds evenly.

    Raises:
        InvalidInput: A bound is no finite number, or the first isn't below the second.

    Example:
        >>> uniform(0, 0.5)
        Uniform(low=0.0, high=0.5)
    """
    _check_bounds("uniform", low, high)
    return Uniform(float(low), float(high))


def log_uniform(low: float, high: float) -> LogUniform:
    """Search floats between two bounds evenly in their logarithm, as suits a learning rate.

    Raises:
        InvalidInput: A bound is no finite number above 0, or the first isn't below the second.

    Example:
        >>> log_uniform(1e-4, 1e-1)
        LogUniform(low=0.0001, high=0.1)
    """
    _check_bounds("log_uniform", low, high)
    if low <= 0:
        message = f"log_uniform({low!r}, {high!r}) needs bounds above 0"
        raise InvalidInput(message, hint="Use uniform for a range that holds 0")
    return LogUniform(float(low), float(high))


def int_uniform(low: int, high: int) -> IntUniform:
    """Search whole numbers between two bounds, both included.

    Raises:
        InvalidInput: A bound is no int, or the first isn't below the second.

    Example:
        >>> int_uniform(2, 8).count
        7
    """
    _check_bounds("int_uniform", low, high)
    if not (isinstance(low, int) and isinstance(high, int)):
        message = f"int_uniform({low!r}, {high!r}) needs whole numbers"
        raise InvalidInput(message, hint="Use uniform for floats")
    return IntUniform(low, high)


def choice(values: Sequence[Any]) -> Choice:
    """Search a list of values; in a space, the list alone means the same.

    Raises:
        InvalidInput: It is no list, or an empty one.

    Example:
        >>> choice([4, 6, 8])
        Choice(values=(4, 6, 8))
    """
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        message = f"choice({values!r}) needs a list"
        raise InvalidInput(message, hint="Write choice([4, 6, 8])")
    if not values:
        message = "There is nothing to choose from in an empty list"
        raise InvalidInput(message, hint="Write the values, such as [4, 6, 8]")
    return Choice(values)


def space_of(written: Mapping[str, Any]) -> dict[str, Dimension]:
    """Give the space that a mapping means; a list is a choice of its values.

    Raises:
        InvalidInput: It is no mapping, an empty one, or has a value that is no dimension.
    """
    if not isinstance(written, Mapping) or not written:
        message = "A search space maps the names of params to what they may be"
        raise InvalidInput(message, hint='Write {"lr": log_uniform(1e-4, 1e-1), "depth": [4, 6]}')
    return {name: _dimension(name, values) for name, values in written.items()}


def _dimension(name: str, values: Any) -> Dimension:
    if not isinstance(name, str):
        message = f"{name!r} is no name of a param"
        raise InvalidInput(message, hint="Use the names of the function's arguments")
    if isinstance(values, Choice | Uniform | LogUniform | IntUniform):
        return values
    if isinstance(values, list | range):
        try:
            return choice(values)
        except InvalidInput as error:
            message = f"The param {name!r} has no values"
            raise InvalidInput(message, hint=error.hint) from None
    message = f"{values!r} doesn't say what the param {name!r} may be"
    if isinstance(values, tuple):
        hint = f"Write {list(values)} for a choice, or uniform, log_uniform or int_uniform"
    else:
        hint = f"Write [{values!r}] for this one value, or uniform, log_uniform or int_uniform"
    raise InvalidInput(message, hint=hint)


def _check_bounds(what: str, low: float, high: float) -> None:
    for bound in (low, high):
        number = isinstance(bound, int | float) and not isinstance(bound, bool)
        if not number or not math.isfinite(bound):
            message = f"{what}({low!r}, {high!r}) needs two finite numbers"
            raise InvalidInput(message, hint=f"{bound!r} is none")
    if low >= high:
        message = f"{what}({low!r}, {high!r}) needs the lower bound first"
        raise InvalidInput(message, hint="For one value write a list of it")


def _uncounted(dimension: Uniform | LogUniform, index: int) -> InvalidInput:
    message = f"There is no value number {index} of {dimension!r}"
    return InvalidInput(message, hint="Use a list or int_uniform where values are counted")
