"""Takes files in: their chunks are digested on all cores, and go to the packs in their order."""

import hashlib
import os
from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from attrs import frozen

from mlkit.objects.chunk_columns import ChunkColumns, Place, fixed_digests, numbers
from mlkit.objects.manifest import Manifest, chunk_type, schema
from mlkit.objects.pack_writer import PackWriter
from mlkit.storage.parallel import Pool

if TYPE_CHECKING:
    from concurrent.futures import Future

    import pyarrow as pa

_WAITING = 24


@frozen
class Kept:
    """A file whose bytes were handed on.

    Attributes:
        size: Its length in bytes.
        digest: The 32 bytes of the SHA-256 of its content.
        places: Where its chunks are.
    """

    size: int
    digest: bytes
    places: tuple[Place, ...]


class Intake:
    """Hands the chunks of files to a pack writer, and lists the files.

    Args:
        packs: Where the chunks go.

    Example:
        >>> from mlkit.storage.memory import MemoryStorage
        >>> with PackWriter(MemoryStorage("intake-example")) as packs, Intake(packs) as intake:
        ...     intake.add("a.txt", intake.keep([b"some ", b"bytes"]))
        ...     manifest = intake.manifest(packs.finish())
        >>> [(entry.path, entry.size, len(entry.chunks)) for entry in manifest]
        [('a.txt', 10, 2)]
    """

    def __init__(self, packs: PackWriter) -> None:
        self._packs = packs
        self._pool = Pool(os.cpu_count(), thread_name_prefix="mlkit-chunks")
        self._paths: list[str] = []
        self._sizes, self._counts = array("q"), array("q", [0])
        self._digests = bytearray()
        self._chunks = ChunkColumns()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def keep(self, chunks: Iterable[bytes]) -> Kept:
        """Take the chunks of a file of any size; see `open`."""
        taking = self.open()
        for chunk in chunks:
            taking.take(chunk)
        return taking.finish()

    def open(self) -> "Taking":
        """Begin a file of any size; a few of its chunks are in memory. One is open at a time."""
        return Taking(self._packs, self._pool)

    def keep_small(self, data: bytes, digest: bytes) -> Kept:
        """Take a file that is a single chunk, and was digested already.

        Args:
            data: Its bytes; none is no chunk.
            digest: The 32 bytes of their SHA-256.
        """
        places = (self._packs.add(data, digest),) if data else ()
        return Kept(len(data), digest, places)

    def add(self, path: str, kept: Kept) -> None:
        """List a file under its path in the version."""
        self._paths.append(path)
        self._sizes.append(kept.size)
        self._digests += kept.digest
        for place in kept.places:
            self._chunks.add(place)
        self._counts.append(len(self._chunks))

    def manifest(self, packs: Sequence[bytes]) -> Manifest:
        """Give the files that were listed, sorted by path.

        Args:
            packs: What the writer gave when it had finished.
        """
        import pyarrow as pa

        chunks = _chunk_lists(self._counts, self._chunks.to_arrow(packs))
        columns = [
            pa.array(self._paths, pa.string()),
            numbers(self._sizes),
            fixed_digests(self._digests),
            chunks,
            _no_sources(len(self._paths)),
        ]
        return Manifest(pa.Table.from_arrays(columns, schema=schema()).sort_by("path"))


class Taking:
    """Takes one file, chunk by chunk.

    Args:
        packs: Where the chunks go.
        pool: Digests the chunks.
    """

    def __init__(self, packs: PackWriter, pool: Pool) -> None:
        self._packs, self._pool = packs, pool
        self._file = hashlib.sha256()
        self._waiting: deque[tuple[bytes, Future[bytes]]] = deque()
        self._places: list[Place] = []
        self.size = 0
        """The bytes that were taken."""

    def take(self, chunk: bytes) -> None:
        """Take the next chunk."""
        self.size += len(chunk)
        self._waiting.append((chunk, self._pool.submit(_digest, chunk)))
        self._file.update(chunk)  # while threads digest the chunks
        if len(self._waiting) > _WAITING:
            self._next()

    def finish(self) -> Kept:
        """Give what the file came to be."""
        while self._waiting:
            self._next()
        return Kept(self.size, self._file.digest(), tuple(self._places))

    def _next(self) -> None:
        chunk, digest = self._waiting.popleft()
        self._places.append(self._packs.add(chunk, digest.result()))


def _digest(chunk: bytes) -> bytes:
    return hashlib.sha256(chunk).digest()


def _chunk_lists(counts: "array[int]", chunks: "pa.StructArray") -> "pa.ListArray":
    """Give the chunks of each file as a list; the only chunk of a file has no digest of its own."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ends = numbers(counts)
    lengths = pc.subtract(ends[1:], ends[:-1])
    parents = pc.list_parent_indices(pa.ListArray.from_arrays(ends.cast(pa.int32()), chunks))
    only = pc.equal(lengths.take(parents), 1)
    digests = pc.if_else(only, pa.scalar(None, pa.binary(32)), chunks.field("digest"))
    fields = [digests, *(chunks.field(name) for name in ("size", "pack", "offset"))]
    structs = pa.StructArray.from_arrays(fields, fields=list(chunk_type()))
    kind = schema().field("chunks").type
    return pa.ListArray.from_arrays(ends.cast(pa.int32()), structs, type=kind)


def _no_sources(count: int) -> "pa.StructArray":
    """Give no source for each file; below it what must be there is empty and not null."""
    import pyarrow as pa

    texts = [pa.repeat("", count), *(pa.nulls(count, pa.string()) for _ in range(3))]
    fields = list(schema().field("source").type)
    return pa.StructArray.from_arrays(texts, fields=fields, mask=pa.repeat(True, count))  # noqa: FBT003 - each is masked
