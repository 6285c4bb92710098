"""The parts of a Parquet file that are needed, in Arrow's own memory."""

import io
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit.objects.pack_reading import PackReader
    from mlkit.objects.packs import ChunkRef

_HOLE = 64 << 10  # bytes that are read in vain rather than asking twice


class TableBytes(io.RawIOBase):
    """A Parquet file of which only the chunks are read that are needed.

    It is for one thread. What it hands out is Arrow's own memory, and no thread of Arrow holds
    it: one that must ask Python to release something can end the process when it exits.

    Args:
        packs: Reads the chunks.
        chunks: The chunks of the file, in order.
    """

    def __init__(self, packs: "PackReader", chunks: "Sequence[ChunkRef]") -> None:
        super().__init__()
        self._packs = packs
        self._chunks = chunks
        self._starts = list(accumulate((chunk.size for chunk in chunks), initial=0))
        self._segments: dict[int, pa.Buffer] = {}
        self._position = 0

    @property
    def size(self) -> int:
        """The bytes of the file."""
        return self._starts[-1]

    def fetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Read the chunks that some ranges of the file lie in, neighbours at once.

        Args:
            ranges: The first byte of each, and that after its last.

        Raises:
            NotFound: A pack is missing.
            Corrupt: A chunk doesn't match its digest.
        """
        for first, last in self._runs(ranges):
            self._hold(first, last)

    def buffer(self, start: int, end: int) -> "pa.Buffer":
        """Give a range of the file; what of it wasn't fetched is read now."""
        for first, held in self._segments.items():
            if first <= start and end <= first + held.size:
                return held.slice(start - first, end - start)
        first, last = self._numbers(start, end)
        return self._hold(first, last).slice(start - self._starts[first], end - start)

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
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = base + offset
        return self._position

    def read_buffer(self, size: int) -> "pa.Buffer":
        """Give the next bytes, as Arrow asks for them."""
        start = min(self._position, self.size)
        self._position = min(start + size, self.size)
        return self.buffer(start, self._position)

    def read(self, size: int = -1, /) -> bytes:
        """Give the next bytes."""
        return bytes(self.read_buffer(self.size if size < 0 else size))

    def _numbers(self, start: int, end: int) -> tuple[int, int]:
        """Give the first chunk of a range, and the one after its last."""
        first = min(max(bisect_right(self._starts, start) - 1, 0), max(len(self._chunks) - 1, 0))
        last = bisect_right(self._starts, max(end - 1, start))
        return first, min(max(last, first), len(self._chunks))

    def _runs(self, ranges: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
        """Give the chunks that ranges need as runs of neighbours."""
        runs: list[tuple[int, int]] = []
        for start, end in sorted(ranges):
            first, last = self._numbers(start, end)
            if runs and self._starts[first] - self._starts[runs[-1][1]] <= _HOLE:
                runs[-1] = (runs[-1][0], max(runs[-1][1], last))
            else:
                runs.append((first, last))
        return runs

    def _hold(self, first: int, last: int) -> "pa.Buffer":
        """Read chunks into memory that lies together."""
        import pyarrow as pa

        start = self._starts[first]
        held = self._segments.get(start)
        size = self._starts[last] - start
        if held is None or held.size < size:
            held = pa.allocate_buffer(size)
            if size:
                with memoryview(held).cast("B") as target:
                    self._packs.fill(self._chunks[first:last], target)
            self._segments[start] = held
        return held
