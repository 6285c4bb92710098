"""Slips of the pen in keys."""

from collections.abc import Sequence

_LONG = 4


def slip(key: str, known: Sequence[str]) -> str:
    """Give the key that was surely meant by a key that isn't known, or nothing.

    Slips are other capitals, two neighbours that changed places, and a letter too many or too few
    in a key of some length. Anything else may well be another key.

    Example:
        >>> slip("acu", ["auc", "loss"]), slip("recall_2", ["recall_1"])
        ('auc', '')
    """
    if key in known:
        return ""
    return next((other for other in known if _slipped(key, other)), "")


def _slipped(key: str, other: str) -> bool:
    if key.casefold() == other.casefold():
        return True
    start = _alike(key, other)
    end = _alike(key[start:][::-1], other[start:][::-1])
    here, there = key[start : len(key) - end], other[start : len(other) - end]
    if len(here) == len(there) == 2:  # noqa: PLR2004 - two neighbours
        return here == there[::-1]
    extra = here + there
    return len(extra) == 1 and not extra.isdigit() and min(len(key), len(other)) >= _LONG


def _alike(one: str, other: str) -> int:
    """How many characters at the beginning are the same."""
    return next(
        (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(other)),
    )
