"""Chunks of files, joined into large objects: `packs/<aa>/<sha256>`.

A million small files are about a hundred packs. A pack is its chunks after each other, and a seal
that names them (`mlkit.objects.pack_seal`); where each begins is written where it is used, in the
manifests.
"""

from attrs import frozen

ROOT = "packs"
CHUNK_SIZE = 1 << 20
"""The bytes of a chunk of a file that is cut at fixed distances."""

MOST_OF_CHUNK = 64 << 20
"""The most bytes of a chunk that a reader takes; writers stay far below."""

MOST_OF_OFFSET = 1 << 40
"""The offsets of chunks are below; packs are far smaller."""

PACK_SIZE = 32 << 20
"""A pack that has so many bytes is full; it has a chunk more at most."""


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
