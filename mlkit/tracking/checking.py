"""Checks a run's folder to the record."""

import re
from collections.abc import Iterable, Iterator, Mapping

from mlkit._core.codec import decode_document
from mlkit.errors import MlkitError
from mlkit.metrics.reader import check_segment
from mlkit.objects.verify import Problem
from mlkit.storage.protocol import Storage

SEGMENT = ".seg"
_END = re.compile(r"end(?:-([1-9][0-9]{0,8}))?\.json")


def endings(names: Iterable[str]) -> list[str]:
    """Give the documents that ended a run, the newest last.

    Example:
        >>> endings(["end-10.json", "run.json", "end.json", "end-2.json"])
        ['end.json', 'end-2.json', 'end-10.json']
    """
    found = ((_END.fullmatch(name), name) for name in names)
    numbered = [(int(match[1] or 1), name) for match, name in found if match]
    return [name for _, name in sorted(numbered)]


def verify_run(folder: str, files: Mapping[str, int], *, storage: Storage) -> Iterator[Problem]:
    """Give what is wrong with the documents and segments of a run.

    Args:
        folder: The run's folder.
        files: What it holds, with sizes.
        storage: Where it is.

    Returns:
        A problem for each document that is damaged or missing, and for each stretch of a segment
        that holds no whole record, with the number of bytes that were lost.
    """
    hurts = (f"run {folder.rpartition('/')[2]}",)
    covered: dict[str, int] = {}
    if "run.json" not in files:
        yield Problem(f"{folder}/run.json", "it is missing", hurts)
    for name in sorted(files):
        path = f"{folder}/{name}"
        try:
            if name.endswith(SEGMENT):
                yield from _gaps(storage.read(path), path, hurts)
            elif name == "run.json":
                decode_document(storage.read(path), "run", path)
            elif endings([name]):
                covered |= decode_document(storage.read(path), "run_end", path)["segments"]
        except (KeyError, TypeError) as error:
            yield Problem(path, f"it lacks what it must hold: {error!r}", hurts)
        except (MlkitError, OSError) as error:
            yield Problem(path, str(error), hurts)
    for name, size in sorted(covered.items()):
        if files.get(name, 0) < size:
            lost = size - files.get(name, 0)
            yield Problem(f"{folder}/{name}", f"its last {lost} bytes are missing", hurts)


def _gaps(data: bytes, path: str, hurts: tuple[str, ...]) -> Iterator[Problem]:
    for gap in check_segment(data, path):
        how = "were cut short by a kill" if gap.torn else "were damaged"
        what = f"{gap.size} bytes at {gap.offset} {how} and hold no whole record"
        yield Problem(path, what, hurts)
