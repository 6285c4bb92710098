"""Samplers: what a sweep tries next.

A sampler is a class, or any function, that a package may offer in the entry-point group
`mlkit.samplers`; mlkit's own are registered in the same way.
"""

import math
import random
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from mlkit._core.plugins import Registry
from mlkit.errors import InvalidInput
from mlkit.sweeps.space import Space

SAMPLERS = Registry(
    "mlkit.samplers",
    {
        "random": "mlkit.sweeps.samplers:RandomSampler",
        "grid": "mlkit.sweeps.samplers:GridSampler",
    },
)


class Sampler(Protocol):
    """Says what to try. A sweep calls it from one thread at a time.

    With several trials at once, `ask` is called again before the answers to all that it gave
    before are told. One that knows how many trials it will give may say so as `total`.
    """

    def ask(self) -> Mapping[str, Any] | None:
        """Give the params of the next trial, None when there is nothing left to try."""

    def tell(self, params: Mapping[str, Any], score: float | None) -> None:
        """Learn what came of a trial.

        Args:
            params: What `ask` gave.
            score: Larger is better, whatever the goal; None when the trial failed.
        """


class SamplerFactory(Protocol):
    """Makes a sampler: what an entry point of `mlkit.samplers` gives."""

    def __call__(self, space: Space, *, n: int | None, seed: int) -> Sampler:
        """Make a sampler.

        Args:
            space: What to search.
            n: How many trials there will be at most; None when the sampler decides.
            seed: With the same seed and answers, a sampler asks for the same trials.

        Raises:
            InvalidInput: It can't search this space, or not without `n`.
        """


class RandomSampler:
    """Draws every param by chance, independently of all others.

    Example:
        >>> from mlkit.sweeps.space import uniform
        >>> sampler = RandomSampler({"x": uniform(0, 1)}, n=1, seed=7)
        >>> sampler.ask() == RandomSampler({"x": uniform(0, 1)}, n=1, seed=7).ask(), sampler.ask()
        (True, None)
    """

    def __init__(self, space: Space, *, n: int | None, seed: int) -> None:
        if n is None:
            message = "A random search goes on for ever"
            raise InvalidInput(message, hint="Say how many trials, such as n=20")
        self._space = dict(space)
        self.total = self._left = n
        self._rng = random.Random(seed)  # noqa: S311 - a search, no secret

    def ask(self) -> Mapping[str, Any] | None:
        """Give the params of the next trial, None after `n`."""
        if not self._left:
            return None
        self._left -= 1
        return {name: dimension.draw(self._rng) for name, dimension in self._space.items()}

    def tell(self, params: Mapping[str, Any], score: float | None) -> None:
        """Learn nothing."""


class GridSampler:
    """Tries every combination once, the last param changing fastest.

    With an `n` below the number of combinations, a random part of them, none twice.

    Example:
        >>> from mlkit.sweeps.space import choice
        >>> GridSampler({"x": choice([1, 2])}, n=None, seed=0).ask()
        {'x': 1}
    """

    def __init__(self, space: Space, *, n: int | None, seed: int) -> None:
        endless = [name for name, dimension in space.items() if dimension.count is None]
        if endless:
            message = f"A grid needs countable values, and those of {endless[0]!r} have no end"
            raise InvalidInput(message, hint="Give it a list, or use sampler='random'")
        self._space = dict(space)
        size = math.prod(dimension.count or 0 for dimension in space.values())
        if n is not None and n < size:
            if size > sys.maxsize:
                message = f"A grid of {size:.1e} combinations is too large to draw from"
                raise InvalidInput(message, hint="Use sampler='random'")
            drawn = random.Random(seed).sample(range(size), n)  # noqa: S311 - a search, no secret
            self.total = n
            self._indexes: Iterator[int] = iter(drawn)
        else:
            self.total = size
            self._indexes = iter(range(size))

    def ask(self) -> Mapping[str, Any] | None:
        """Give the params of the next trial, None at the end of the grid."""
        index = next(self._indexes, None)
        if index is None:
            return None
        params = {}
        for name, dimension in reversed(self._space.items()):
            index, place = divmod(index, dimension.count or 1)
            params[name] = dimension.at(place)
        return {name: params[name] for name in self._space}

    def tell(self, params: Mapping[str, Any], score: float | None) -> None:
        """Learn nothing."""


def default_sampler(space: Space) -> str:
    """Give the name of the sampler that suits a space: a grid where all values are countable."""
    countable = all(dimension.count is not None for dimension in space.values())
    return "grid" if countable else "random"


def make_sampler(
    sampler: str | SamplerFactory, space: Space, *, n: int | None, seed: int
) -> Sampler:
    """Give the sampler of a sweep.

    Args:
        sampler: Its name, or what makes it.
        space: What to search.
        n: How many trials at most.
        seed: What makes it repeatable.

    Raises:
        NotFound: There is no sampler of this name.
        InvalidInput: It can't search this space.
    """
    factory: Any = SAMPLERS.get(sampler) if isinstance(sampler, str) else sampler
    made: Sampler = factory(space, n=n, seed=seed)
    return made
