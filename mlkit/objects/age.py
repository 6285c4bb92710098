"""How long an object that nothing refers to is left alone, and when it is too old to lean on.

Who collects garbage can't see what a writer is about to refer to. So it leaves alone what is
younger than the grace, and a writer that finds its bytes in the store already, older than half
the grace, writes them again: the object is young then, and stays for half the grace at least.
"""

GRACE = 7 * 24 * 3600 * 1_000_000_000
"""The grace, in nanoseconds, that collecting garbage keeps to unless it is told otherwise."""


def is_aging(modified: int | None, now: int) -> bool:
    """Tell whether an object is too old to be referred to without being written again.

    Args:
        modified: When it was written, in nanoseconds since 1970, UTC. One whose age isn't known is
            never collected, so it is none.
        now: The present time, alike.

    Example:
        >>> is_aging(0, GRACE // 2), is_aging(0, GRACE // 2 + 1), is_aging(None, GRACE)
        (False, True, False)
    """
    return modified is not None and now - modified > GRACE // 2
