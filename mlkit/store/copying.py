"""Copying from one storage to another: checked on the way, counted, each object once."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from mlkit._core.clock import Clock, now_ns
from mlkit.display.progress import Progress
from mlkit.errors import AlreadyExists, Corrupt, InvalidName, NewerFormat, NotFound
from mlkit.objects.age import is_aging
from mlkit.objects.blobs import damaged
from mlkit.objects.proof import proof_of
from mlkit.objects.verify import Problem
from mlkit.storage.parallel import threads_for
from mlkit.store.merge_report import Copied

if TYPE_CHECKING:
    from mlkit.storage.protocol import Entry, Storage

ROOTS = ("blobs", "packs")
_PIECE = 4 << 20


class Copying:
    """What is copied from one storage to another, with what became of it.

    Threads share it.

    Args:
        source: Where from; nothing that it holds is believed.
        target: Where to.
        progress: Shows what is done.
        clock: Gives the present time.
    """

    def __init__(
        self, source: "Storage", target: "Storage", progress: Progress, clock: Clock = now_ns
    ) -> None:
        self.source, self.target, self.progress = source, target, progress
        self.threads = threads_for(source, target)
        self.problems: list[Problem] = []
        self.renumbered: list[tuple[str, str]] = []
        self._now = clock()
        self._counts: dict[str, list[int]] = {}
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._sure: dict[str, bool] = {}
        self._renewed: dict[str, None] = {}
        self._here: dict[str, Entry] = {
            entry.path: entry for root in ROOTS for entry in target.list(root)
        }

    # Contents

    def lacking(self, entries: Iterable["Entry"]) -> Iterator["Entry"]:
        """Give those objects that the target doesn't have, and count the others."""
        for entry in entries:
            here = self._here.get(entry.path)
            if here is not None and here.size == entry.size:
                self.was_there(entry.path.partition("/")[0])
            else:
                yield entry

    def ensure(self, path: str, hurts: str) -> bool:
        """Have a content-addressed object in the target, there to stay.

        Args:
            path: The object, named by its digest.
            hurts: What refers to it, should it be damaged or missing.

        Returns:
            Whether the target has it now.
        """
        with self._lock:
            lock = self._locks.setdefault(path, threading.Lock())
        with lock:
            if path not in self._sure:
                with self.naming(path, hurts):
                    self._sure[path] = self._ensure(path)
                self._sure.setdefault(path, False)
            elif not self._sure[path]:
                self.problem(path, "it wasn't copied", hurts)
            return self._sure[path]

    def _ensure(self, path: str) -> bool:
        here = self._here.get(path)
        source = self.source
        try:
            size = source.stat(path).size
        except NotFound:
            if here is None:
                raise
            size, source = here.size, self.target  # what is only here is renewed from itself
        if here is not None and here.size == size:
            if not is_aging(here.modified, self._now):
                return True
            with self._lock:
                self._renewed[path] = None
        self.copy_content(path, path, path[-64:], kind=path.partition("/")[0], source=source)
        return True

    def copy_content(
        self, path: str, to: str, digits: str, *, kind: str, source: "Storage | None" = None
    ) -> None:
        """Copy an object piece by piece, and leave nothing where its bytes aren't what they are.

        Args:
            path: Where it is in the source.
            to: Where it goes in the target.
            digits: The SHA-256 that its bytes have.
            kind: As what it counts.
            source: Where it is read; in the source by default.

        Raises:
            Corrupt: The bytes don't match the digest.
            NotFound: The source doesn't have it.
        """
        stream = _Checked(source or self.source, path, digits)
        self.target.write(to, cast("BinaryIO", stream), durable=True)
        self.was_copied(kind, stream.size)

    def finish(self) -> None:
        """Copy again what was written again for its age and became garbage in that moment."""
        for path in self._renewed:
            try:
                self.target.stat(path)
            except NotFound:
                with self.naming(path, ""):
                    self.copy_content(path, path, path[-64:], kind=path.partition("/")[0])

    # Accounts

    def was_copied(self, kind: str, size: int, *, of: int = 1) -> None:
        """Count something that was copied.

        Args:
            kind: What it is.
            size: Its bytes.
            of: How many things it is; 0 for more bytes of one that counts already.
        """
        with self._lock:
            counts = self._counts.setdefault(kind, [0, 0, 0])
            counts[0] += of
            counts[1] += size
            self.progress.add(size=size)

    def was_there(self, kind: str) -> None:
        """Count something that the target had already."""
        with self._lock:
            self._counts.setdefault(kind, [0, 0, 0])[2] += 1

    def problem(self, path: str, what: str, *hurts: str) -> None:
        """Note something that can't be copied."""
        with self._lock:
            self.problems.append(Problem(path, what, tuple(one for one in hurts if one)))

    @contextmanager
    def naming(self, path: str, *hurts: str) -> Iterator[None]:
        """Note what is damaged or missing in the source, and go on."""
        try:
            yield
        except (Corrupt, NewerFormat, InvalidName) as error:
            self.problem(path, error.message.removeprefix(f"{path} "), *hurts)
        except NotFound:
            self.problem(path, "it is missing", *hurts)
        except AlreadyExists:
            self.problem(path, "another one has its name in the target", *hurts)

    def parts(self) -> tuple[Copied, ...]:
        """Give what was copied and what was there, by kind."""
        return tuple(Copied(kind, *counts) for kind, counts in sorted(self._counts.items()))


class _Checked:
    """An object as a stream that fails at its end when it wasn't what its digest says.

    It fails inside the write of the target, so that an atomic write leaves nothing behind.
    """

    def __init__(self, storage: "Storage", path: str, digits: str) -> None:
        self._storage, self._path = storage, path
        self._proof = proof_of(storage, path, digits)
        self._rest = b""
        self._ended = False
        self.size = 0

    def read(self, size: int = -1, /) -> bytes:
        """Give the next bytes."""
        if size < 0:
            return b"".join(iter(lambda: self.read(_PIECE), b""))
        if not self._rest and not self._ended:
            self._fetch()
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def _fetch(self) -> None:
        self._rest = self._storage.read(self._path, self.size, self.size + _PIECE)
        self._proof.update(self._rest)
        self.size += len(self._rest)
        if not self._rest:
            self._ended = True
            if not self._proof.holds():
                raise damaged(self._path)
