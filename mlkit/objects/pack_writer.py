"""Stores chunks that aren't known yet, in as few objects as their size allows."""

import hashlib
import tempfile
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol, Self, cast

from mlkit._core.clock import Clock, now_ns
from mlkit.errors import NotFound
from mlkit.objects.age import is_aging
from mlkit.objects.blobs import object_path
from mlkit.objects.chunk_columns import ChunkColumns, Place
from mlkit.objects.pack_seal import seal
from mlkit.objects.packs import PACK_SIZE, ROOT
from mlkit.storage.faulting import fault
from mlkit.storage.parallel import Pool, threads_for

if TYPE_CHECKING:
    from concurrent.futures import Future

    from mlkit.storage.protocol import Entry, Storage

_WRITERS = 2
_REMOTE_WRITERS = 4
_STATS = 64
_OFFSET = 40


class KnownChunk(NamedTuple):
    """Where a chunk lies already.

    Attributes:
        pack: The 32 bytes of the pack's SHA-256.
        offset: Where in the pack it begins.
        size: Its length in bytes.
    """

    pack: bytes
    offset: int
    size: int


class Known(Protocol):
    """What knows where chunks are stored already; a dict does."""

    def get(self, digest: bytes, /) -> KnownChunk | None:
        """Give the place of a chunk, None where it isn't known."""
        ...


class PackWriter:
    """Stores chunks that aren't known yet, in as few objects as their size allows.

    Packs are written by threads of their own: two at a time to a local disk, four where requests
    travel. So a few packs are in memory and no more. What was written is of no use, and does no
    harm, until something refers to it; so a writer that fails needs no clean-up. The same chunks
    in the same order make the same packs: who begins again after a failure doesn't send them twice.

    Args:
        storage: Where the packs go.
        known: Chunks that versions refer to, by their digests. One whose pack is missing or cut is
            stored again; no pack is too old, since what a version refers to is no garbage.
        pack_size: A pack that has so many bytes is full.
        clock: Gives the present time.
        report: Told the bytes of each pack that was written.

    Example:
        >>> from mlkit.storage.memory import MemoryStorage
        >>> storage = MemoryStorage("packs-example")
        >>> with PackWriter(storage) as writer:
        ...     place = writer.add(b"some bytes")
        ...     packs = writer.finish()
        >>> data = storage.read(object_path(ROOT, f"sha256:{packs[place.pack].hex()}"))
        >>> data[place.offset :][: place.size]
        b'some bytes'
    """

    def __init__(
        self,
        storage: "Storage",
        known: Known | None = None,
        *,
        pack_size: int = PACK_SIZE,
        clock: Clock = now_ns,
        report: Callable[[int], object] = lambda _: None,
    ) -> None:
        self._storage = storage
        self._known: Known = {} if known is None else known
        self._pack_size = pack_size
        self._clock = clock
        self._report = report
        self._pieces: list[bytes | memoryview] = []
        self._table = bytearray()
        self._size = 0
        self._packs: list[bytes | Future[bytes]] = []
        self._numbers: dict[bytes, int] = {}
        self._places: dict[bytes, int] = {}  # a pack's number, and below it the offset
        self._presence = _Presence(storage)
        self._renewed: dict[str, BinaryIO] = {}
        self._leaned: dict[bytes, bytes] = {}  # old packs that are used again: a chunk of each
        self._writers = _WRITERS if threads_for(storage) == 1 else _REMOTE_WRITERS
        self._pool = Pool(self._writers, thread_name_prefix="mlkit-packs")
        self._writing: deque[Future[bytes]] = deque()
        self.new = ChunkColumns()
        """The chunks that weren't known, in the order in which they came."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        for copy in self._renewed.values():
            copy.close()

    def add(self, data: "bytes | memoryview", digest: bytes | None = None) -> Place:
        """Take a chunk, and say where it is or will be.

        Args:
            data: The bytes.
            digest: The 32 bytes of their SHA-256, where it is known already.

        Raises:
            StorageFault: A pack that was full before couldn't be written.
        """
        if digest is None:
            digest = hashlib.sha256(data).digest()
        found = self._places.get(digest)
        if found is None:
            place = self._reuse(digest, len(data)) or self._keep(data, digest)
            self._places[digest] = place.pack << _OFFSET | place.offset
            return place
        return Place(digest, len(data), found >> _OFFSET, found & ((1 << _OFFSET) - 1))

    def finish(self) -> list[bytes]:
        """Write the last pack, and give the digest of each by its number.

        Raises:
            StorageFault: A pack couldn't be written.
        """
        if self._pieces:
            self._flush()
        self._places.clear()
        return [pack if isinstance(pack, bytes) else pack.result() for pack in self._packs]

    def number_of(self, pack: bytes, chunk: bytes, end: int) -> int | None:
        """Give the number of a pack that is there to stay; None where it is to be written again.

        That is one which is missing, cut, or so old that garbage might be made of it, unless it is
        known that versions refer to it.

        Args:
            pack: The 32 bytes of its digest.
            chunk: The digest of a chunk in it.
            end: How many of its bytes are needed.
        """
        if pack not in self._numbers:
            there = self._presence.entry(f"sha256:{pack.hex()}")
            if there is None or there.size < end:
                return None
            if is_aging(there.modified, self._clock()):
                if not self._places_in(pack, chunk):
                    return None
                self._leaned[pack] = chunk
            self._numbers[pack] = len(self._packs)
            self._packs.append(pack)
        return self._numbers[pack]

    def _places_in(self, pack: bytes, chunk: bytes) -> bool:
        known = self._known.get(chunk)
        return known is not None and known.pack == pack

    @property
    def leans(self) -> bool:
        """Whether old packs are used again, which stay as long as they are known to be needed."""
        return bool(self._leaned)

    def hold(self) -> None:
        """Write old packs again that it is no longer known of that versions refer to them.

        So who is about to publish what refers to them looks once more at what is known, and then
        calls this.

        Raises:
            NotFound: One is gone: garbage was collected more than once meanwhile.
        """
        for pack, chunk in self._leaned.items():
            if not self._places_in(pack, chunk):
                name = f"sha256:{pack.hex()}"
                try:
                    data = self._storage.read(object_path(ROOT, name))
                except NotFound:
                    raise NotFound(
                        "A pack that was to be used again is gone: garbage was collected meanwhile",
                        hint="Do it again; no version was made",
                    ) from None
                self._renewed[name] = _copy([data])
                self._storage.write(object_path(ROOT, name), data, durable=True)

    def restore(self) -> None:
        """Write packs once more that were old, were written again for that, and are gone now.

        Garbage may have been made of them in that moment. So who has published what refers to them
        calls this, while the writer is still open.
        """
        now = _Presence(self._storage)
        for pack, copy in self._renewed.items():
            if now.entry(pack) is None:
                copy.seek(0)
                self._storage.write(object_path(ROOT, pack), copy, durable=True)

    def _reuse(self, digest: bytes, size: int) -> Place | None:
        """Give the place of a chunk that is known and whose pack is still there."""
        known = self._known.get(digest)
        if known is None or known.size != size or known.offset < 0:  # a list of chunks may lie
            return None
        there = self._presence.entry(f"sha256:{known.pack.hex()}")
        if there is None or there.size < known.offset + known.size:
            return None
        number = self.number_of(known.pack, digest, known.offset + known.size)
        return None if number is None else Place(digest, known.size, number, known.offset)

    def _keep(self, data: "bytes | memoryview", digest: bytes) -> Place:
        if self._size + len(self._table) >= self._pack_size:
            self._flush()
        if not self._pieces:
            self._packs.append(b"")  # until the pack is full
            self._open = len(self._packs) - 1
        place = Place(digest, len(data), self._open, self._size)
        self._pieces.append(data)
        self._size += len(data)
        self._table += digest + len(data).to_bytes(4, "little")
        self.new.add(place)
        return place

    def _flush(self) -> None:
        while len(self._writing) >= self._writers:
            self._writing.popleft().result()
        self._pieces.append(seal(self._table))
        future = self._pool.submit(self._write, self._pieces)
        self._packs[self._open] = future
        self._writing.append(future)
        self._pieces, self._table, self._size = [], bytearray(), 0

    def _write(self, pieces: "list[bytes | memoryview]") -> bytes:
        raw = hashlib.sha256(pieces[-1]).digest()
        pack, size = f"sha256:{raw.hex()}", sum(map(len, pieces))
        there = self._presence.entry(pack)
        whole = there is not None and there.size == size
        if there is not None and whole and is_aging(there.modified, self._clock()):
            self._renewed[pack] = _copy(pieces)
            whole = False
        if not whole:
            data = b"".join(pieces)
            pieces.clear()  # or they would be in memory twice
            self._storage.write(object_path(ROOT, pack), data, durable=True)
        self._report(size)
        return raw


def _copy(pieces: "list[bytes | memoryview]") -> BinaryIO:
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the writer
    try:
        for piece in pieces:
            copy.write(piece)
    except OSError as error:
        copy.close()
        raise fault(error, tempfile.gettempdir(), "a pack", writing=True) from error
    return cast("BinaryIO", copy)


class _Presence:
    """What a storage says of packs; each is asked for once, and of many their folders."""

    def __init__(self, storage: "Storage") -> None:
        self._storage = storage
        self._entries: dict[str, Entry | None] = {}
        self._folders: set[str] = set()

    def entry(self, pack: str) -> "Entry | None":
        """Give what the storage says of a pack, None where it is missing."""
        path = object_path(ROOT, pack)
        folder = path.rpartition("/")[0]
        if path in self._entries or folder in self._folders:
            return self._entries.get(path)
        if len(self._entries) < _STATS:
            try:
                self._entries[path] = self._storage.stat(path)
            except NotFound:
                self._entries[path] = None
        else:
            self._entries.update((entry.path, entry) for entry in self._storage.list(folder))
            self._folders.add(folder)
        return self._entries.get(path)
