"""Checks a run's folder to the record."""

import re
from collections.abc import Iterable, Iterator, Mapping

from mlkit._core.codec import decode_document
from mlkit.errors import MlkitError
from mlkit.metrics.reader import check_segment
from mlkit.objects.verify import Problem
from mlkit.storage.protocol import Storage
from mlkit.tracking.documents import require_own
from mlkit.tracking.edits import Edit, edits

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
    sizes: dict[str, int] = {}
    counts: dict[str, int] = {}
    closed: dict[str, int] = {}
    if files and "run.json" not in files:  # an empty folder is left by a kill within the start
        yield Problem(f"{folder}/run.json", "it is missing", hurts)
    for name in [*(["run.json"] if "run.json" in files else []), *endings(files)]:
        path = f"{folder}/{name}"
        try:
            kind = "run" if name == "run.json" else "run_end"
            document = decode_document(storage.read(path), kind, path)
            require_own(document, path)
            if kind == "run_end":
                for part, size in document["segments"].items():  # one may know less than another
                    sizes[part] = max(size, sizes.get(part, 0))
                told = document.get("records", {})  # of segments that their writers have closed
                known = {part: count for part, count in told.items() if isinstance(count, int)}
                counts |= known
                closed |= {part: sizes[part] for part in known if part in sizes}
        except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
            yield Problem(path, _said(error), hurts)
    yield from _damaged_edits(folder, files, hurts, storage=storage)
    for name in sorted({*files, *sizes}):
        path = f"{folder}/{name}"
        if name not in files:
            yield Problem(path, f"it is missing{_of(counts.get(name))}", hurts)
        elif name.endswith(SEGMENT):
            try:
                data = storage.read(path)
                had = {"size": sizes.get(name), "count": counts.get(name)}
                yield from _gaps(data, path, hurts, **had, closed=closed.get(name))
            except (MlkitError, OSError) as error:
                yield Problem(path, str(error), hurts)


def _damaged_edits(
    folder: str, files: Mapping[str, int], hurts: tuple[str, ...], *, storage: Storage
) -> Iterator[Problem]:
    for name in edits(files):
        path = f"{folder}/{name}"
        try:
            Edit.read(storage, path)
        except (MlkitError, OSError) as error:
            yield Problem(path, str(error), hurts)


def _gaps(
    data: bytes,
    path: str,
    hurts: tuple[str, ...],
    *,
    size: int | None,
    count: int | None,
    closed: int | None,
) -> Iterator[Problem]:
    """Give what a segment lacks, to the record where its run's end says how many it had."""
    whole, gaps = check_segment(data, path)
    missing = max((size or 0) - len(data), 0)
    added = 0 if closed is None else max(len(data) - closed, 0)
    lost = "" if count is None else f": {max(count - whole, 0)} of {count} records lost"
    for gap in gaps:
        if gap.torn and count is not None and whole >= count:
            continue  # a full disk took a part of a record, which was then written elsewhere
        how = "were cut short by a kill" if gap.torn else "were damaged"
        where = f"after record {gap.after}" if gap.after else "before any record"
        what = f"{gap.size} bytes at {gap.offset}, {where}, {how} and hold no whole record{lost}"
        yield Problem(path, what, hurts)
    if missing:
        yield Problem(path, f"its last {missing} bytes are missing{lost}", hurts)
    if added:
        yield Problem(path, f"its last {added} bytes came after its writer had closed it", hurts)


def _of(count: int | None) -> str:
    return "" if count is None else f", with {count} records"


def _said(error: Exception) -> str:
    lacks = not isinstance(error, MlkitError | OSError)
    return f"it lacks what it must hold: {error!r}" if lacks else str(error)
