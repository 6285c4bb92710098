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
