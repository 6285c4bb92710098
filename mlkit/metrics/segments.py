"""Names of segments: which writer each has, and in which order it wrote them."""

import re
from collections.abc import Iterable

SEGMENT = ".seg"
"""How the names of segments end."""

_NAME = re.compile(r"(.+)-(\d+)\.seg")


def by_writer(names: Iterable[str]) -> list[list[str]]:
    """Give the segments of each writer, in the order in which it wrote them.

    Args:
        names: Names of files of a run's folder; those of other files are left out.

    Example:
        >>> by_writer(["b-1.seg", "a-10.seg", "a-2.seg", "run.json"])
        [['a-2.seg', 'a-10.seg'], ['b-1.seg']]
    """
    found: dict[str, list[tuple[int, str]]] = {}
    for name in sorted(names):
        if name.endswith(SEGMENT):
            match = _NAME.fullmatch(name)
            writer, number = (match[1], int(match[2])) if match else (name, 0)
            found.setdefault(writer, []).append((number, name))
    return [[name for _, name in sorted(numbered)] for numbered in found.values()]
