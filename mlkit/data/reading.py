"""The bytes of a version's files, checked as they are read."""

import io
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from attrs import field, frozen

from mlkit._core.hashing import Hasher
from mlkit.data.references import check_source, open_source
from mlkit.errors import Corrupt
from mlkit.objects.blobs import Blobs
from mlkit.objects.manifest import FileEntry
from mlkit.objects.packs import CHUNK_SIZE, ChunkRef, read_chunks
from mlkit.objects.shards import Shards

if TYPE_CHECKING:
    from mlkit.storage.protocol import Storage

_AHEAD = 8
_HELD = 16
_PIECE = 8 << 20


@frozen
class FileReader:
    """Reads the files of versions.

    Args:
        storage: Where the packs and manifests lie.
        cache: A folder for copies of remote manifests.
    """

    storage: "Storage" = field()
    cache: Path = field()

    def shards(self, digests: tuple[str, ...], starts: tuple[str, ...]) -> Shards:
        """Give the manifest of a version, whose shards are read when they are needed."""
        return Shards(Blobs(self.storage), self.cache, digests, starts)

    def open(self, entry: FileEntry, storage_options: Mapping[str, Any] | None = None) -> BinaryIO:
        """Open a file to read and seek in; each chunk is checked when it is read.

        Args:
            entry: The file.
            storage_options: For a file that was recorded and not copied: what its driver takes.

        Raises:
            Corrupt: A recorded file isn't the one that was recorded any more.
        """
        if entry.source is not None:
            check_source([entry], storage_options)
            return open_source(entry.source, storage_options)
        return io.BufferedReader(self.open_raw(entry), CHUNK_SIZE)

    def open_raw(self, entry: FileEntry) -> "ChunkedFile":
        """Open a file that was copied, for a caller who reads in pieces of their own choice."""
        return ChunkedFile(self.storage, entry.chunks)

    def whole(self, entries: Sequence[FileEntry]) -> Iterator[bytes]:
        """Give the bytes of files that are a single chunk each, neighbours read at once."""
        return read_chunks(self.storage, [entry.chunks[0] for entry in entries])

    def pieces(
        self, entry: FileEntry, storage_options: Mapping[str, Any] | None = None
    ) -> Iterator[bytes]:
        """Give all bytes of a file, piece by piece; each piece and then the whole is checked.

        Raises:
            Corrupt: A chunk or the whole doesn't match its digest.
        """
        if entry.source is not None:
            with self.open(entry, storage_options) as stream:
                while piece := stream.read(_PIECE):
                    yield piece
            return
        hasher = Hasher()
        for chunk in read_chunks(self.storage, list(entry.chunks)):
            hasher.update(chunk)
            yield chunk
        if hasher.digest != entry.digest:
            raise Corrupt(
                f"The file {entry.path!r} doesn't match its digest, although its chunks do",
                hint="Its manifest was not made by mlkit, or was tampered with",
            )


class ChunkedFile(io.RawIOBase):
    """A file whose bytes lie in chunks: read only, seekable, not shared between threads.

    Args:
        storage: Where the packs lie.
        chunks: The chunks, in order.
    """

    def __init__(self, storage: "Storage", chunks: tuple[ChunkRef, ...]) -> None:
        super().__init__()
        self._storage = storage
        self._chunks = chunks
        self._starts = list(accumulate((chunk.size for chunk in chunks), initial=0))
        self._position = 0
        self._held: dict[int, bytes] = {}

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that any position can be gone to."""
        return True

    def tell(self) -> int:
        """Give the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a position, and give it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._starts[-1]}[whence]
        if base + offset < 0:
            raise ValueError(f"There is no position {base + offset} in a file")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: "memoryview", /) -> int:  # type: ignore[override]
        """Fill a buffer from here on, and give the number of bytes; 0 at the end."""
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view) and self._position < self._starts[-1]:
            number = bisect_right(self._starts, self._position) - 1
            chunk = self._chunk(number, len(view) - done)
            inner = self._position - self._starts[number]
            piece = memoryview(chunk)[inner : inner + len(view) - done]
            view[done : done + len(piece)] = piece
            done += len(piece)
            self._position += len(piece)
        return done

    def _chunk(self, number: int, wanted: int) -> bytes:
        """Give a chunk; the next ones are read with it when they will be wanted."""
        if number not in self._held:
            count = min(max(1, -(-wanted // CHUNK_SIZE)), _AHEAD)
            refs = list(self._chunks[number : number + count])
            self._held.update(enumerate(read_chunks(self._storage, refs), start=number))
            while len(self._held) > _HELD:
                del self._held[next(iter(self._held))]
        return self._held[number]
