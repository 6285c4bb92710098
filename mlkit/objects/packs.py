"""Chunks of files, joined into large objects: `packs/<aa>/<sha256>`.

A million small files are about a hundred packs. A pack is nothing but its chunks after each
other; where each begins is written where it is used, in the manifests. Its name is the digest of
all its bytes.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from attrs import frozen

from mlkit._core.clock import Clock, now_ns
from mlkit._core.hashing import Hasher, digest_bytes
from mlkit.errors import NotFound
from mlkit.objects.age import is_aging
from mlkit.objects.blobs import damaged, object_path

if TYPE_CHECKING:
    from typing import BinaryIO

    from mlkit.storage.protocol import Entry, Storage

ROOT = "packs"
CHUNK_SIZE = 1 << 20
"""The most bytes of a chunk."""

PACK_SIZE = 32 << 20
"""The most bytes of a pack."""


@frozen
class ChunkRef:
    """Where a chunk lies.

    Attributes:
        digest: The digest of its bytes.
        size: How many they are.
        pack: The digest of the pack that holds them.
        offset: Where in the pack they begin.
    """

    digest: str
    size: int
    pack: str
    offset: int


def split(stream: "BinaryIO", size: int = CHUNK_SIZE) -> Iterator[bytes]:
    """Give what a stream holds as chunks of one size, of which the last may be shorter.

    Example:
        >>> import io
        >>> list(split(io.BytesIO(b"abcde"), 2))
        [b'ab', b'cd', b'e']
    """
    chunk = b""
    while piece := stream.read(size - len(chunk)):
        chunk += piece
        if len(chunk) == size:
            yield chunk
            chunk = b""
    if chunk:
        yield chunk


def read_chunk(storage: "Storage", ref: ChunkRef) -> bytes:
    """Give the bytes of a chunk, after checking them.

    Raises:
        NotFound: The pack is missing.
        Corrupt: The bytes don't match the chunk's digest.
    """
    path = object_path(ROOT, ref.pack)
    data = storage.read(path, ref.offset, ref.offset + ref.size)
    if digest_bytes(data) != ref.digest:
        raise damaged(path)
    return data


def read_chunks(storage: "Storage", refs: list[ChunkRef]) -> Iterator[bytes]:
    """Give the bytes of many chunks in order; neighbours in a pack are read at once.

    Raises:
        NotFound: A pack is missing.
        Corrupt: The bytes of a chunk don't match its digest.
    """
    for group in _neighbours(refs):
        path = object_path(ROOT, group[0].pack)
        start = group[0].offset
        data = memoryview(storage.read(path, start, group[-1].offset + group[-1].size))
        for ref in group:
            chunk = data[ref.offset - start : ref.offset - start + ref.size]
            if digest_bytes(chunk) != ref.digest:
                raise damaged(path)
            yield bytes(chunk)


def _neighbours(refs: list[ChunkRef]) -> Iterator[list[ChunkRef]]:
    """Give the chunks in groups that are one range of a pack, of a few chunks' size."""
    group: list[ChunkRef] = []
    size = 0
    for ref in refs:
        if group and (
            ref.pack != group[-1].pack
            or ref.offset != group[-1].offset + group[-1].size
            or size + ref.size > 8 * CHUNK_SIZE
        ):
            yield group
            group, size = [], 0
        group.append(ref)
        size += ref.size
    if group:
        yield group


class Known(Protocol):
    """What knows where chunks are stored already; a dict does."""

    def get(self, digest: str, /) -> ChunkRef | None:
        """Give the place of a chunk, None where it isn't known."""
        ...


class PackWriter:
    """Stores chunks that aren't known yet, in as few objects as their size allows.

    At most one pack is held in memory. What was written is of no use, and does no harm, until
    something refers to it; so a writer that fails needs no clean-up.

    Args:
        storage: Where the packs go.
        known: Chunks that versions refer to, by their digests. One whose pack is missing or cut is
            stored again; no pack is too old, since what a version refers to is no garbage.
        pack_size: The most bytes of a pack.
        clock: Gives the present time.

    Example:
        >>> from mlkit.storage.memory import MemoryStorage
        >>> storage = MemoryStorage("packs-example")
        >>> writer = PackWriter(storage)
        >>> digest = writer.add(b"some bytes")
        >>> refs = writer.finish()
        >>> read_chunk(storage, refs[digest])
        b'some bytes'
    """

    def __init__(
        self,
        storage: "Storage",
        known: Known | None = None,
        *,
        pack_size: int = PACK_SIZE,
        clock: Clock = now_ns,
    ) -> None:
        self._storage = storage
        self._known: Known = {} if known is None else known
        self._pack_size = pack_size
        self._clock = clock
        self._refs: dict[str, ChunkRef] = {}
        self._buffer = bytearray()
        self._waiting: dict[str, tuple[int, int]] = {}
        self._packs: dict[str, Entry | None] = {}
        self._renewed: dict[str, None] = {}

    def add(self, data: bytes) -> str:
        """Take a chunk, and give its digest; a pack is written whenever one is full.

        Args:
            data: At most `CHUNK_SIZE` bytes.
        """
        digest = digest_bytes(data)
        if digest in self._refs or digest in self._waiting:
            return digest
        if self.reuse(digest):
            return digest
        if len(self._buffer) + len(data) > self._pack_size:
            self._flush()
        self._waiting[digest] = (len(self._buffer), len(data))
        self._buffer += data
        return digest

    def reuse(self, digest: str) -> bool:
        """Tell whether a chunk is known and its pack still there, and refer to it then."""
        ref = self._known.get(digest)
        pack = None if ref is None else self._look(ref.pack)
        if ref is None or pack is None or pack.size < ref.offset + ref.size:
            return False
        self._refs[digest] = ref
        return True

    def finish(self) -> Mapping[str, ChunkRef]:
        """Write the last pack, and give the place of every chunk that was added or reused."""
        self._flush()
        return self._refs

    def lost(self) -> bool:
        """Tell whether a pack is gone that was there, but old, and was written again for that.

        Garbage may have been made of it in that moment. So who has published what refers to it
        looks once more, and then adds everything again to a new writer that knows the same.
        """
        return any(self._look(pack, again=True) is None for pack in self._renewed)

    def _flush(self) -> None:
        if not self._waiting:
            return
        data = bytes(self._buffer)
        hasher = Hasher()
        hasher.update(data)
        pack = hasher.digest
        there = self._look(pack)
        whole = there is not None and there.size == len(data)
        if there is not None and whole and is_aging(there.modified, self._clock()):
            self._renewed[pack] = None
            whole = False
        if not whole:
            self._storage.write(object_path(ROOT, pack), data, durable=True)
            self._packs.pop(pack, None)
        for digest, (offset, size) in self._waiting.items():
            self._refs[digest] = ChunkRef(digest, size, pack, offset)
        self._buffer.clear()
        self._waiting.clear()

    def _look(self, pack: str, *, again: bool = False) -> "Entry | None":
        """Give what the store says of a pack, None where it is missing; each is asked for once."""
        if again or pack not in self._packs:
            try:
                self._packs[pack] = self._storage.stat(object_path(ROOT, pack))
            except NotFound:
                self._packs[pack] = None
        return self._packs[pack]
