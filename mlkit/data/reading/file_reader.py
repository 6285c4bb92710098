"""The bytes of a version's files, checked as they are read."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from attrs import field, frozen

from mlkit.data.reading.chunked_file import BufferedFile, ChunkedFile
from mlkit.data.reading.table_reading import TableReader
from mlkit.data.sources.references import check_source, open_source
from mlkit.objects.blobs import Blobs
from mlkit.objects.manifest import FileEntry
from mlkit.objects.pack_reading import PackReader
from mlkit.objects.shards import Shards

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit.storage.protocol import Storage

_PIECE = 8 << 20


@frozen
class FileReader:
    """Reads the files of versions.

    Args:
        storage: Where the packs and manifests lie.
        cache: A folder for copies of what is remote.
    """

    storage: "Storage" = field()
    cache: Path = field()

    @property
    def packs(self) -> PackReader:
        """Reads chunks."""
        return PackReader(self.storage, self.cache)

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
        return BufferedFile(self.open_raw(entry))

    def open_raw(self, entry: FileEntry) -> ChunkedFile:
        """Open a file that was copied, for a caller who reads in pieces of their own choice."""
        return ChunkedFile(self.packs, entry.chunks)

    def table(self, entry: FileEntry, schema: "pa.Schema") -> TableReader:
        """Read a Parquet file with the schema that its version says."""
        return TableReader(self.packs, entry.chunks, schema)

    def whole(self, entries: Sequence[FileEntry]) -> Iterator[bytes]:
        """Give the bytes of files that are a single chunk each, neighbours read at once."""
        return self.packs.stream(entry.chunks[0] for entry in entries)

    def pieces(
        self, entry: FileEntry, storage_options: Mapping[str, Any] | None = None
    ) -> Iterator[bytes]:
        """Give all bytes of a file, piece by piece; each is checked.

        Raises:
            Corrupt: A chunk doesn't match its digest.
        """
        if entry.source is not None:
            with self.open(entry, storage_options) as stream:
                while piece := stream.read(_PIECE):
                    yield piece
            return
        yield from self.packs.stream(entry.chunks)
