"""In which order the files of an outbox may be sent: what others refer to comes before them."""

import re

from mlkit.tracking.marks import Mark

CONTENTS = "blobs"
"""The folder of whole files, which lie under the digest of their content."""
BY_CONTENT = ("blobs/", "packs/")
"""How paths begin that are made of the content."""

_END = re.compile(r"(.*/end)(?:-(\d+))?\.json")
_SEGMENT = re.compile(r"(.*)-(\d+)\.seg")
_FIRST, _CONTENT, _SEGMENTS, _DOCUMENTS, _ENDS, _LAST = range(6)


def turn(path: str) -> tuple[int, str, int, str]:
    """Give what orders paths as they may be sent; segments and ends by their numbers.

    Example:
        >>> sorted(["runs/r/end.json", "runs/r/w-10.seg", "runs/r/w-9.seg"], key=turn)
        ['runs/r/w-9.seg', 'runs/r/w-10.seg', 'runs/r/end.json']
    """
    if path.startswith(BY_CONTENT):
        return _CONTENT, path, 0, path
    mark = Mark.of(path)
    if mark is not None:
        return _FIRST if mark.before else _LAST, path, 0, path
    end = _END.fullmatch(path)
    if end is not None:
        return _ENDS, end[1], int(end[2] or 1), path
    if path.endswith(".json"):
        return _DOCUMENTS, path, 0, path
    segment = _SEGMENT.fullmatch(path)
    if segment is not None:
        return _SEGMENTS, segment[1], int(segment[2]), path
    return _SEGMENTS, path, 0, path


def comes_after(path: str, other: str) -> bool:
    """Tell whether a file may only be sent when the other has been: it may refer to that."""
    if turn(path)[0] <= turn(other)[0]:
        return False
    return other.startswith(BY_CONTENT) or _whole(path) == _whole(other)


def is_end(path: str) -> bool:
    """Tell whether a path is that of a document that ends a run."""
    return _END.fullmatch(path) is not None


def next_end(path: str) -> str | None:
    """Give the name of the end after this one of a run; None for what is no end.

    Example:
        >>> next_end("runs/r/end.json")
        'runs/r/end-2.json'
    """
    end = _END.fullmatch(path)
    return end and f"{end[1]}-{int(end[2] or 1) + 1}.json"


def _whole(path: str) -> str:
    """Give what a file is a part of: the folder of its run, or that it lies in."""
    mark = Mark.of(path)
    return f"runs/{mark.run_id}" if mark is not None else path.rpartition("/")[0]
