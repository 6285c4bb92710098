"""Reads chunks out of packs: each is checked, and what lies side by side is read at once.

From a remote store packs are read in blocks of 1 MiB, which stay in the cache of this machine. So
many small files that lie in one pack cost few requests, and are fetched once.
"""

import os
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field, frozen

from mlkit._core.hashing import digest_bytes
from mlkit.objects.blobs import damaged, object_path
from mlkit.objects.local_cache import local_cache
from mlkit.objects.packs import ROOT, ChunkRef
from mlkit.storage.parallel import each

if TYPE_CHECKING:
    from mlkit.storage.protocol import Storage

BLOCK = 1 << 20
"""The bytes of a pack that are fetched and kept together, counted from its beginning."""

_GROUP = 4 << 20
_LOCAL = 4
_REMOTE = 8
_AHEAD = 3
_SMALL = BLOCK // 4


@frozen
class PackReader:
    """Reads chunks, checked against their digests.

    Any number of threads may use one.

    Args:
        storage: Where the packs lie.
        cache: A folder for copies of what is remote; None keeps none.

    Example:
        >>> from mlkit._core.hashing import hex_of
        >>> from mlkit.storage.memory import MemoryStorage
        >>> digest = digest_bytes(b"some bytes")
        >>> storage = MemoryStorage("pack-reading-example")
        >>> storage.write(f"packs/{hex_of(digest)[:2]}/{hex_of(digest)}", b"some bytes")
        >>> ref = ChunkRef(digest, 10, digest, 0)
        >>> list(PackReader(storage).stream([ref]))
        [b'some bytes']
    """

    storage: "Storage" = field()
    cache: Path | None = field(default=None)

    def stream(self, refs: Iterable[ChunkRef]) -> Iterator[bytes]:
        """Give the bytes of chunks in order; some of them are read ahead, several at a time.

        What is read ahead has 64 MiB at most, or is a few chunks where they are larger.

        Raises:
            NotFound: A pack is missing.
            Corrupt: The bytes of a chunk don't match its digest.
        """
        listed = list(refs)
        threads = self._threads(listed)
        for chunks in each(self._chunks, _neighbours(listed), threads=threads):
            yield from map(bytes, chunks)

    def fill(self, refs: Iterable[ChunkRef], target: memoryview) -> None:
        """Put the bytes of chunks after each other into memory.

        Raises:
            NotFound: A pack is missing.
            Corrupt: The bytes of a chunk don't match its digest.
        """
        listed = list(refs)
        threads = 1 if not self._is_remote(listed) else self._threads(listed)
        at = 0
        for chunks in each(self._chunks, _neighbours(listed), threads=threads):
            for chunk in chunks:
                target[at : at + len(chunk)] = chunk
                at += len(chunk)

    def _threads(self, refs: list[ChunkRef]) -> int:
        if sum(ref.size for ref in refs) <= _GROUP:
            return 1
        return _REMOTE if self._is_remote(refs) else min(_LOCAL, os.cpu_count() or 1)

    def _is_remote(self, refs: list[ChunkRef]) -> bool:
        """Tell whether reading these travels."""
        if not refs or self.storage.url.startswith("memory:"):
            return False
        return self.storage.local_path(object_path(ROOT, refs[0].pack)) is None

    def _chunks(self, group: list[ChunkRef]) -> "list[bytes | memoryview]":
        """Give the chunks of one range of a pack, not copied out of it."""
        path = object_path(ROOT, group[0].pack)
        start, end = group[0].offset, group[-1].offset + group[-1].size
        cached = self.cache is not None and self._is_remote(group)
        data = self._cached(path, start, end) if cached else self.storage.read(path, start, end)
        if len(group) == 1 and digest_bytes(data) == group[0].digest:
            return [data]
        view = memoryview(data)
        chunks: list[bytes | memoryview] = []
        for ref in group:
            chunk: bytes | memoryview = view[ref.offset - start :][: ref.size]
            if digest_bytes(chunk) != ref.digest:
                chunk = self._again(path, ref, cached=cached)
            chunks.append(chunk)
        return chunks

    def _again(self, path: str, ref: ChunkRef, *, cached: bool) -> bytes:
        """Give a chunk whose bytes were wrong, without the copy that may be damaged."""
        if self.cache is not None and cached:
            for number in _blocks(ref.offset, ref.offset + ref.size):
                local_cache(self.cache).drop(f"{path}/{number}")
            data = self.storage.read(path, ref.offset, ref.offset + ref.size)
            if digest_bytes(data) == ref.digest:
                return data
        raise damaged(path)

    def _cached(self, path: str, start: int, end: int) -> bytes:
        """Give a range of a pack, of which only the blocks that aren't cached are fetched."""
        pieces, missing = self._look(path, start, end)
        if missing:
            # Of threads that want the same, the first one fetches it for all.
            with local_cache(self.cache or Path()).turn(f"{path}/{missing[0]}"):
                pieces, missing = self._look(path, start, end)
                for run in _runs(missing):
                    pieces.update(self._fetch(path, run, start, end))
        return b"".join(pieces[number] for number in sorted(pieces))

    def _look(self, path: str, start: int, end: int) -> tuple[dict[int, bytes], list[int]]:
        """Give what of a range is cached, and the numbers of the blocks that aren't."""
        copies = local_cache(self.cache or Path())
        pieces, missing = {}, []
        for number in _blocks(start, end):
            first, last = _within(number, start, end)
            data = copies.get(f"{path}/{number}", first, last)
            if data is None or len(data) != last - first:
                missing.append(number)
            else:
                pieces[number] = data
        return pieces, missing

    def _fetch(self, path: str, run: range, start: int, end: int) -> dict[int, bytes]:
        """Fetch neighbouring blocks by one request, keep them, and give what is wanted of each."""
        copies = local_cache(self.cache or Path())
        stop = run.stop
        if end - start <= _SMALL and run.start and copies.holds(f"{path}/{run.start - 1}"):
            # Small files are being read one after the other: the next ones will be wanted too.
            while stop < run.stop + _AHEAD and not copies.holds(f"{path}/{stop}"):
                stop += 1
        data = memoryview(self.storage.read(path, run.start * BLOCK, stop * BLOCK))
        pieces = {}
        for number in range(run.start, stop):
            at = (number - run.start) * BLOCK
            block = data[at : at + BLOCK]
            if block:
                copies.put(f"{path}/{number}", block)
            if number < run.stop:
                first, last = _within(number, start, end)
                pieces[number] = bytes(block[first:last])
        return pieces


def _neighbours(refs: list[ChunkRef]) -> Iterator[list[ChunkRef]]:
    """Give the chunks in groups that are one range of a pack, of a few chunks' size."""
    group: list[ChunkRef] = []
    size = 0
    for ref in refs:
        if group and (
            ref.pack != group[-1].pack
            or ref.offset != group[-1].offset + group[-1].size
            or size + ref.size > _GROUP
        ):
            yield group
            group, size = [], 0
        group.append(ref)
        size += ref.size
    if group:
        yield group


def _blocks(start: int, end: int) -> range:
    """Give the numbers of the blocks that a range touches."""
    return range(start // BLOCK, -(-end // BLOCK))


def _within(number: int, start: int, end: int) -> tuple[int, int]:
    """Give the part of a range that lies in a block, counted from the block's beginning."""
    return max(start - number * BLOCK, 0), min(end - number * BLOCK, BLOCK)


def _runs(numbers: list[int]) -> Iterator[range]:
    """Give rising numbers as runs of neighbours.

    Example:
        >>> list(_runs([1, 2, 3, 7]))
        [range(1, 4), range(7, 8)]
    """
    breaks = [at for at, (one, other) in enumerate(pairwise(numbers), 1) if other != one + 1]
    for first, last in pairwise([0, *breaks, len(numbers)]):
        if first < last:
            yield range(numbers[first], numbers[last - 1] + 1)
