"""A file of a version whose bytes lie in chunks, to read and seek in."""

import io
import os
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Generator

    from mlkit.objects.pack_reading import PackReader
    from mlkit.objects.packs import ChunkRef

BUFFER = 64 << 10
"""The bytes that a small read takes out of a chunk at once."""

_HELD = 8 << 20


class ChunkedFile(io.RawIOBase):
    """A file whose bytes lie in chunks: read only, seekable, not shared between threads.

    Each chunk is checked when it is read. Who reads on from chunk to chunk has the next ones read
    ahead; who jumps reads only the chunks he lands in. Handles share nothing with each other, and
    one that is open while the process is forked can be read in both.

    Args:
        packs: Reads the chunks.
        chunks: The chunks, in order.
    """

    def __init__(self, packs: "PackReader", chunks: "tuple[ChunkRef, ...]") -> None:
        super().__init__()
        self._packs = packs
        self._chunks = chunks
        self._starts = list(accumulate((chunk.size for chunk in chunks), initial=0))
        self._position = 0
        self._held: dict[int, bytes] = {}
        self._ahead: Generator[bytes, None, None] | None = None
        self._next = self._last = 0
        self._process = os.getpid()
        self._parents: list[Generator[bytes, None, None]] = []

    @property
    def size(self) -> int:
        """The bytes of the file."""
        return self._starts[-1]

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that any position can be gone to."""
        return True

    def tell(self) -> int:
        """Give the position."""
        self._require_open()
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a position, and give it."""
        self._require_open()
        bases = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._starts[-1]}
        if whence not in bases:
            raise ValueError(f"There is no whence {whence} to seek from")
        if bases[whence] + offset < 0:
            raise ValueError(f"There is no position {bases[whence] + offset} in a file")
        self._position = bases[whence] + offset
        return self._position

    def readinto(self, buffer: "memoryview", /) -> int:  # type: ignore[override]
        """Fill a buffer from here on, and give the number of bytes; 0 at the end."""
        self._require_open()
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view) and self._position < self._starts[-1]:
            piece = self._piece(len(view) - done)
            view[done : done + len(piece)] = piece
            done += len(piece)
        return done

    def readall(self) -> bytes:
        """Give all from here on."""
        self._require_open()
        pieces = []
        while (left := self._starts[-1] - self._position) > 0:
            pieces.append(self._piece(left))
        return b"".join(pieces)

    def close(self) -> None:
        """Let go of what was read."""
        if not self.closed:
            self._stop()
            self._held.clear()
        super().close()

    def _require_open(self) -> None:
        if self.closed:
            raise ValueError("The file is closed")

    def _piece(self, wanted: int) -> memoryview:
        """Give the next bytes that lie in one chunk, and go on behind them."""
        number = bisect_right(self._starts, self._position) - 1
        chunk = self._chunk(number, wanted)
        inner = self._position - self._starts[number]
        piece = memoryview(chunk)[inner : inner + wanted]
        self._position += len(piece)
        return piece

    def _chunk(self, number: int, wanted: int) -> bytes:
        """Give a chunk, which may have been read ahead."""
        if number in self._held:
            return self._held[number]
        self._begin(number, wanted)
        chunk = next(self._ahead) if self._ahead is not None else b""
        self._next = number + 1
        size = sum(map(len, self._held.values()))
        while self._held and size + len(chunk) > _HELD:
            size -= len(self._held.pop(next(iter(self._held))))
        self._held[number] = chunk
        return chunk

    def _begin(self, number: int, wanted: int) -> None:
        """Have the chunks from here on read, as many as will be wanted by what is known."""
        if self._process != os.getpid():
            # The threads that read ahead stayed in the parent; waiting for them would be for ever.
            self._process = os.getpid()
            self._parents += [] if self._ahead is None else [self._ahead]
            self._ahead = None
        if self._ahead is not None and number == self._next < self._last:
            return
        reads_on = number > 0 and number == self._next
        self._stop()
        end = bisect_right(self._starts, self._position + wanted - 1)
        self._last = len(self._chunks) if reads_on else min(end, len(self._chunks))
        refs = self._chunks[number : self._last]
        self._ahead = cast("Generator[bytes, None, None]", self._packs.stream(refs))

    def _stop(self) -> None:
        """Read no further ahead."""
        if self._ahead is not None and self._process == os.getpid():
            self._ahead.close()
            self._ahead = None


class BufferedFile(io.BufferedReader):
    """A file whose bytes lie in chunks, small reads of which are taken out of a buffer.

    Args:
        file: The file.

    Attributes:
        size: The bytes of the file, which fsspec asks for.
    """

    def __init__(self, file: ChunkedFile) -> None:
        super().__init__(file, BUFFER)
        self.size = file.size
