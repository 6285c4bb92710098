"""What has locks is made anew in a forked child, where nobody would ever open them."""

import os
from contextlib import suppress
from typing import Protocol
from weakref import WeakSet


class Renewable(Protocol):
    """Something that other threads may have been within while the process was forked."""

    def renew(self) -> None:
        """Make the locks anew, and forget what belongs to the parent; called in the child."""
        ...


_KNOWN: WeakSet[Renewable] = WeakSet()


def renew_after_fork(thing: Renewable) -> None:
    """Have `thing.renew()` called in each child that is forked off, for as long as it lives.

    Args:
        thing: What to make anew; it isn't kept alive by this.
    """
    _KNOWN.add(thing)


def _in_child() -> None:
    for thing in tuple(_KNOWN):
        with suppress(Exception):  # one that can't be made anew leaves the others their locks
            thing.renew()


os.register_at_fork(after_in_child=_in_child)
