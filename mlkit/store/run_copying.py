"""Copying the folders of runs: byte for byte, what they refer to first, and seen when whole."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from attrs import frozen

from mlkit._core.ids import is_uuid7
from mlkit.errors import NotFound
from mlkit.storage.parallel import each
from mlkit.storage.wrapped import WrappedStorage
from mlkit.store.copying import Copying
from mlkit.store.references import Files, files_of, references_of
from mlkit.tracking.changes import Changes
from mlkit.tracking.checking import SEGMENT, endings
from mlkit.tracking.documents import BEGINNING, read_beginning, read_end
from mlkit.tracking.edits import Edit, edits
from mlkit.tracking.turns import next_end, turn

if TYPE_CHECKING:
    from mlkit.storage.protocol import Storage
    from mlkit.tracking.runs import Runs

_RUN = "runs"
_CHANGED = "runs that got more"
_SEGMENT_NAME = re.compile(r"[0-9A-Za-z]{1,64}-[1-9][0-9]{0,8}\.seg")
_PIECE = 4 << 20


@frozen
class _File:
    """A file of a run on its way: what it is called there and here, and how long it is."""

    name: str
    here: str
    size: int


class RunCopying:
    """Copies the folders of runs.

    Contents that a run refers to come first, then its segments, its edits and its beginning, and
    its ends last. So it is seen when all is there that it needs, and a copy that is killed goes
    on where it was.

    Args:
        copying: What is copied where.
        runs: The runs of the source, for what they refer to.
    """

    def __init__(self, copying: Copying, runs: "Runs") -> None:
        self._copying = copying
        self._source, self._target = copying.source, copying.target
        self._runs = runs
        self._changes = Changes(copying.target)

    def copy(self, theirs: Mapping[str, Files], ours: Mapping[str, Files]) -> None:
        """Copy runs that are lacking, and files that are lacking in those that are there.

        Args:
            theirs: Run id to the files of its folder in the source; what came later stays behind.
            ours: Run id to the files of its folder in the target.
        """
        self._copying.progress.stage("copying runs")

        def copy_one(run_id: str) -> None:
            folder = f"runs/{run_id}"
            if not is_uuid7(run_id):
                self._copying.problem(folder, "nothing of this name belongs here")
                return
            with self._copying.naming(folder, f"run {run_id}"):
                self._copy_run(run_id, theirs[run_id], ours.get(run_id, {}))

        for _ in each(copy_one, sorted(theirs), threads=self._copying.threads):
            pass

    def _copy_run(self, run_id: str, theirs: Files, ours: Files) -> None:
        if BEGINNING not in theirs and BEGINNING not in ours:
            return  # it hasn't begun, or is being removed
        known = self._known(run_id, theirs)
        if all(ours.get(name) == size for name, size in known.items()):
            self._copying.was_there(_RUN)
            return
        there = _Remembering(self._source)
        lacking = self._lacking(run_id, known, ours, there)
        if not lacking:
            self._copying.was_there(_RUN)
            return
        self._check(run_id, lacking, there)
        told = references_of(there, self._runs, run_id, known)
        if told.fault and told.deleted_at is None:
            self._copying.problem(f"runs/{run_id}", told.fault, f"run {run_id}")
            return
        for path in sorted(told.paths):
            self._copying.ensure(path, f"run {run_id}")
        now = files_of(self._target, run_id)
        if now != ours:  # another copy, or the run itself, has brought some of it meanwhile
            ours, lacking = now, self._lacking(run_id, known, now, there)
            self._check(run_id, lacking, there)
        if not lacking:
            self._copying.was_there(_RUN)
        elif BEGINNING in ours:
            with self._changes.announced(run_id):
                self._put(run_id, lacking, there)
            self._copying.was_copied(_CHANGED, 0)
        else:
            self._put(run_id, lacking, there)
            self._copying.was_copied(_RUN, 0)

    def _known(self, run_id: str, files: Files) -> dict[str, int]:
        """Give the files that belong to a run; what else lies there is named and left out."""
        names = {BEGINNING, *endings(files), *edits(files)}
        found = {}
        for name, size in files.items():
            if name in names or _SEGMENT_NAME.fullmatch(name):
                found[name] = size
            else:
                self._copying.problem(f"runs/{run_id}/{name}", "nothing of this name belongs here")
        return found

    def _lacking(self, run_id: str, theirs: Files, ours: Files, there: "Storage") -> list[_File]:
        """Give the files that the target needs, in the order in which they may be seen."""
        return list(self._lacking_files(run_id, theirs, ours, there))

    def _lacking_files(
        self, run_id: str, theirs: Files, ours: Files, there: "Storage"
    ) -> Iterator[_File]:
        folder = f"runs/{run_id}"
        taken = dict(ours)
        ends: set[bytes] | None = None
        for name in sorted(theirs, key=lambda name: turn(f"{folder}/{name}")):
            size, path = theirs[name], f"{folder}/{name}"
            if name in endings([name]):
                if ends is None:  # a run may have ended in both, by the same name
                    ends = {self._target.read(f"{folder}/{end}") for end in endings(ours)}
                if not ends or there.read(path) not in ends:
                    free = path
                    while free.rpartition("/")[2] in taken:
                        free = next_end(free) or path
                    taken[free.rpartition("/")[2]] = size
                    yield _File(name, free.rpartition("/")[2], size)
            elif name not in ours:
                yield _File(name, name, size)
            elif size == ours[name] or (name.endswith(SEGMENT) and size < ours[name]):
                continue
            elif name.endswith(SEGMENT) and self._continues(path):
                yield _File(name, name, size)
            else:
                self._copying.problem(path, "it isn't the one that is there", f"run {run_id}")

    def _continues(self, path: str) -> bool:
        """Tell whether a segment of the source goes on where that of the target ends."""
        held = self._target.read(path)
        return self._source.read(path, 0, len(held)) == held

    def _check(self, run_id: str, files: Iterable[_File], there: "Storage") -> None:
        """Raise unless each document is one of this run, whole and of the shape it must have."""
        for file in files:
            self._check_document(run_id, file.name, there)

    def _check_document(self, run_id: str, name: str, there: "Storage") -> None:
        folder = f"runs/{run_id}"
        if name == BEGINNING:
            read_beginning(there, folder)
        elif name in endings([name]):
            read_end(there, folder, name)
        elif not name.endswith(SEGMENT):
            Edit.read(there, f"{folder}/{name}")

    def _put(self, run_id: str, files: Iterable[_File], there: "Storage") -> None:
        folder = f"runs/{run_id}"
        for file in files:
            path, to = f"{folder}/{file.name}", f"{folder}/{file.here}"
            if file.name.endswith(SEGMENT):
                if self._has(to, file.size):
                    continue  # another copy has brought it, or more of it, in this moment
                stream = _Beginning(self._source, path, file.size)
                self._target.write(to, stream)  # type: ignore[arg-type]  # it only is to be read
            else:
                self._target.create(to, there.read(path), durable=False)
            self._copying.was_copied("files of runs", file.size)

    def _has(self, path: str, size: int) -> bool:
        with suppress(NotFound):
            return self._target.stat(path).size >= size
        return False


class _Remembering(WrappedStorage):
    """Reads each document of a run once."""

    def __init__(self, inner: "Storage") -> None:
        super().__init__(inner)
        self._documents: dict[str, bytes] = {}

    def read(self, path: str, start: int = 0, end: int | None = None) -> bytes:
        """Give the bytes of an object; see `Storage.read`."""
        if start or end is not None or not path.endswith(".json"):
            return self._inner.read(path, start, end)
        if path not in self._documents:
            self._documents[path] = self._inner.read(path)
        return self._documents[path]


class _Beginning:
    """The first bytes of an object, as a stream; what grows meanwhile stays behind."""

    def __init__(self, storage: "Storage", path: str, size: int) -> None:
        self._storage, self._path, self._size = storage, path, size
        self._at = 0

    def read(self, size: int = -1, /) -> bytes:
        """Give the next bytes."""
        left = self._size - self._at
        wanted = left if size < 0 else min(size, left, _PIECE)
        piece = self._storage.read(self._path, self._at, self._at + wanted) if wanted else b""
        if len(piece) < wanted and size < 0:
            raise NotFound(f"{self._path} became shorter while it was read")
        self._at += len(piece)
        return piece
