"""Properties that are found out when they are first asked for, and remembered."""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

V = TypeVar("V")


class Remembered(Generic[V]):
    """A property that an object finds out once, as `functools.cached_property` does.

    That one has a lock before Python 3.12, which all objects of a class share: of many threads
    that each read from a storage, one reads and all others wait. Here none does; where two threads
    ask the same object at the same time, both find it out, and both get what was found first.

    Args:
        find: Finds it out; the method that is decorated.

    Example:
        >>> class Answer:
        ...     @Remembered
        ...     def value(self) -> int:
        ...         print("thinking")
        ...         return 42
        >>> answer = Answer()
        >>> answer.value, answer.value
        thinking
        (42, 42)
    """

    def __init__(self, find: Callable[[Any], V]) -> None:
        self._find = find
        self.__doc__ = find.__doc__

    @overload
    def __get__(self, of: None, owner: type) -> Self: ...
    @overload
    def __get__(self, of: object, owner: type) -> V: ...
    def __get__(self, of: object | None, owner: type) -> Self | V:
        if of is None:
            return self
        # What the object holds under the name comes before this from now on.
        value: V = of.__dict__.setdefault(self._find.__name__, self._find(of))
        return value
