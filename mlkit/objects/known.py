"""Chunks that earlier versions have stored, looked up without reading more than is needed."""

from collections.abc import Iterable
from pathlib import Path

from mlkit.errors import Corrupt, NotFound
from mlkit.objects.blobs import Blobs
from mlkit.objects.manifest import read_manifests
from mlkit.objects.packs import ChunkRef


class KnownChunks:
    """The chunks of many manifests; the next manifest is read when the ones before lack a chunk.

    Args:
        blobs: Where the manifests lie.
        cache: A folder for copies of remote ones.
        manifests: Their digests, the likeliest first. One that is missing or damaged is left out:
            its chunks are stored again then.
    """

    def __init__(self, blobs: Blobs, cache: Path, manifests: Iterable[str]) -> None:
        self._blobs = blobs
        self._cache = cache
        self._manifests = iter(manifests)
        self._refs: dict[str, ChunkRef] = {}
        self._read: set[str] = set()

    def get(self, digest: str, /) -> ChunkRef | None:
        """Give the place of a chunk, None where no manifest has it."""
        while digest not in self._refs:
            manifest = next(self._manifests, None)
            if manifest is None:
                return None
            self._add(manifest)
        return self._refs[digest]

    def _add(self, manifest: str) -> None:
        if manifest in self._read:
            return
        self._read.add(manifest)
        try:
            entries = read_manifests(self._blobs, (manifest,), self._cache)
        except (Corrupt, NotFound):
            return
        for entry in entries:
            for chunk in entry.chunks:
                self._refs.setdefault(chunk.digest, chunk)
