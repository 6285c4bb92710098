"""What users hand over to become a version: tables, streams of batches, files, folders."""

import hashlib
import os
import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from attrs import field, frozen

from mlkit._core.hashing import hex_of
from mlkit.data.categories import with_categories
from mlkit.data.folder import LocalFile, files_of, read_stable
from mlkit.data.identity import TableHasher, TableIdentity, identify
from mlkit.data.parquet import FILE, ChunkSink, conform, encode_schema, storable, write_parquet
from mlkit.data.references import list_sources
from mlkit.errors import InvalidInput
from mlkit.objects.manifest import FileEntry, path_fault
from mlkit.objects.packs import ChunkRef, PackWriter, split
from mlkit.storage.urls import without_credentials

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 1 << 16


@frozen
class Stored:
    """What a source came to be.

    Attributes:
        digest: The digest of the content.
        files: Of each file its path, size, digest, and the digests of its chunks.
        fields: What only this kind of version says of itself.
    """

    digest: str
    files: tuple["StoredFile", ...]
    fields: Mapping[str, Any] = field(factory=dict)

    def entries(self, refs: Mapping[str, ChunkRef]) -> list[FileEntry]:
        """Give the entries of the manifest, now that each chunk's place is known."""
        return [
            FileEntry(
                file.entry.path,
                file.entry.size,
                file.entry.digest,
                tuple(refs[chunk] for chunk in file.chunks),
                file.entry.source,
            )
            for file in self.files
        ]


@frozen
class StoredFile:
    """A file whose chunks were handed to a pack writer; their places aren't known yet."""

    entry: FileEntry
    chunks: tuple[str, ...] = ()


class Content(Protocol):
    """Something that can become a version."""

    @property
    def kind(self) -> str:
        """`table`, `folder`, `file` or `reference`."""
        ...

    @property
    def digest(self) -> str | None:
        """The digest where it is known before anything is stored, else None."""
        ...

    def store(self, packs: PackWriter) -> Stored:
        """Hand all bytes to a pack writer."""
        ...

    def close(self) -> None:
        """Give back what was taken for it, such as temporary files."""
        ...


def content_of(data: Any) -> Content:
    """Give what a user's object is as the content of a version.

    Args:
        data: A table of pandas, polars or Arrow, a record batch or a reader or an iterable of
            them, a two-dimensional numpy array, a dict of columns, a list of dicts, or the path
            of a Parquet or CSV file (tables), of any other file, or of a folder.

    Raises:
        InvalidInput: It is nothing of this; or a table that can't be kept.
    """
    import pyarrow as pa

    if isinstance(data, str | os.PathLike):
        return _content_of_path(os.fspath(data))
    if isinstance(data, pa.RecordBatchReader):
        return _stream(data.schema, data)
    if isinstance(data, Iterable) and not isinstance(data, pa.Table | pa.RecordBatch | Mapping):
        if isinstance(data, Iterator):
            return _content_of_iterator(data)
        if isinstance(data, list | tuple) and data and isinstance(data[0], pa.RecordBatch):
            return _content_of_iterator(iter(data))
    from mlkit.schema.frames import form_of, to_arrow

    table = to_arrow(data)
    if form_of(data) == "pandas":  # what Arrow can't tell, such as nullable integers
        notes = pa.Schema.from_pandas(data.head(0), preserve_index=False).metadata
        table = table.replace_schema_metadata(notes)
    return TableContent.of(table)


def _content_of_path(text: Any) -> Content:
    if not isinstance(text, str) or "://" in text:
        raise InvalidInput(
            f"{text!r} is no local path",
            hint="Record what stays where it is with reference_dataset(name, url)",
        )
    path = Path(text)
    if path.is_dir():
        return FilesContent("folder", tuple(files_of(path)))
    if not path.is_file():
        raise InvalidInput(f"There is no file or folder {text!r}")
    suffixes = "".join(path.suffixes).lower()
    if suffixes.endswith((".parquet", ".pq")):
        return _content_of_parquet(path)
    if suffixes.endswith((".csv", ".csv.gz")):
        return _content_of_csv(path)
    fault = path_fault(path.name)
    if fault:
        raise InvalidInput(f"The name {path.name!r} can't be kept: {fault}")
    return FilesContent("file", (LocalFile(path.name, str(path)),))


def _content_of_parquet(path: Path) -> Content:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            return _stream(file.schema_arrow, file.iter_batches(batch_size=_ROWS))
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(f"{str(path)!r} can't be read as Parquet: {error}") from error


def _content_of_csv(path: Path) -> Content:
    import pyarrow as pa
    from pyarrow import csv

    try:
        table = csv.read_csv(path)
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(
            f"{str(path)!r} can't be read as CSV: {error}",
            hint="Read it with pandas or polars and hand over the frame",
        ) from error
    return TableContent.of(table)


def _content_of_iterator(batches: Iterator[Any]) -> Content:
    import pyarrow as pa

    first = next(batches, None)
    if not isinstance(first, pa.RecordBatch):
        raise InvalidInput(
            f"The stream gave {type(first).__name__}, not a pyarrow.RecordBatch",
            hint="Hand over a pyarrow.RecordBatchReader if there may be no batch",
        )

    def whole() -> Iterator["pa.RecordBatch"]:
        yield first
        for batch in batches:
            if not isinstance(batch, pa.RecordBatch) or not batch.schema.equals(first.schema):
                raise InvalidInput("The batches of the stream don't have one schema")
            yield batch

    return _stream(first.schema, whole())


@frozen
class TableContent:
    """A table in memory; its digest is known before it is stored."""

    table: "pa.Table" = field(eq=False, repr=False)
    schema: "pa.Schema"
    identity: TableIdentity

    kind = "table"

    @classmethod
    def of(cls, table: "pa.Table") -> "TableContent":
        """Give the content that a table is.

        Raises:
            InvalidInput: It has no column, two of a name, or one of a type that can't be kept.
        """
        import pyarrow as pa

        kept = storable(table.schema)
        identity = identify(table)
        fields = [with_categories(*pair) for pair in zip(kept, table.columns, strict=True)]
        return cls(table, pa.schema(fields, metadata=kept.metadata), identity)

    @property
    def digest(self) -> str:
        """The table's digest."""
        return self.identity.digest

    def store(self, packs: PackWriter) -> Stored:
        """Write the table as Parquet, whose chunks go to the packs."""
        file = _FileTaker(packs)
        sink = ChunkSink(file.take)
        batches = (conform(batch, self.schema) for batch in self.table.to_batches())
        write_parquet(batches, self.schema, cast("BinaryIO", sink))
        sink.finish()
        return _stored_table(self.identity, self.schema, file.stored(FILE))

    def close(self) -> None:
        """Nothing was taken."""


def _stream(schema: "pa.Schema", batches: Iterable["pa.RecordBatch"]) -> "SpooledTable":
    """Read batches once, into a temporary Parquet file, for the digest must be known first."""
    kept = storable(schema)
    hasher = TableHasher(kept)
    rows = 0

    def watched() -> Iterator["pa.RecordBatch"]:
        nonlocal rows
        for batch in batches:
            plain = conform(batch, kept)
            hasher.update(plain)
            rows += len(plain)
            yield plain

    spool = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the content
    try:
        write_parquet(watched(), kept, cast("BinaryIO", spool))
    except BaseException:
        spool.close()
        raise
    return SpooledTable(cast("BinaryIO", spool), kept, hasher.identity(rows))


@frozen
class SpooledTable:
    """A stream of batches, kept as a temporary Parquet file."""

    spool: BinaryIO = field(eq=False, repr=False)
    schema: "pa.Schema"
    identity: TableIdentity

    kind = "table"

    @property
    def digest(self) -> str:
        """The table's digest."""
        return self.identity.digest

    def store(self, packs: PackWriter) -> Stored:
        """Hand the temporary file to the packs."""
        file = _FileTaker(packs)
        self.spool.seek(0)
        for chunk in split(self.spool):
            file.take(chunk)
        return _stored_table(self.identity, self.schema, file.stored(FILE))

    def close(self) -> None:
        """Remove the temporary file."""
        self.spool.close()


class _FileTaker:
    """Takes the chunks of one file on their way to the packs."""

    def __init__(self, packs: PackWriter) -> None:
        self._packs = packs
        self._whole = hashlib.sha256()
        self._size = 0
        self._chunks: list[str] = []

    def take(self, chunk: bytes) -> None:
        self._whole.update(chunk)
        self._size += len(chunk)
        self._chunks.append(self._packs.add(chunk))

    def stored(self, path: str) -> StoredFile:
        entry = FileEntry(path, self._size, f"sha256:{self._whole.hexdigest()}")
        return StoredFile(entry, tuple(self._chunks))


def _stored_table(identity: TableIdentity, schema: "pa.Schema", file: StoredFile) -> Stored:
    columns = [
        {"name": name, "type": identity.types[name], "digest": digest}
        for name, digest in identity.columns.items()
    ]
    fields = {"rows": identity.rows, "columns": columns, "schema": encode_schema(schema)}
    return Stored(identity.digest, (file,), fields)


@frozen
class FilesContent:
    """Files on the local disk; their digest is known once they were read."""

    kind: str
    files: tuple[LocalFile, ...]

    @property
    def digest(self) -> None:
        """Not known yet."""
        return None

    def store(self, packs: PackWriter) -> Stored:
        """Read every file once; chunks that are known aren't stored again."""
        stored = []
        for file in self.files:
            size, digest, chunks = read_stable(file, packs.add)
            stored.append(StoredFile(FileEntry(file.path, size, digest), tuple(chunks)))
        return Stored(files_digest(self.kind, [file.entry for file in stored]), tuple(stored))

    def close(self) -> None:
        """Nothing was taken."""


@frozen
class ReferenceContent:
    """Files that stay where they are, as their storage describes them."""

    files: tuple[StoredFile, ...]
    url: str

    kind = "reference"

    @classmethod
    def of(cls, url: str, storage_options: Mapping[str, Any] | None) -> "ReferenceContent":
        """Describe what a URL means now; see `list_sources`."""
        entries = list_sources(url, storage_options)
        return cls(tuple(StoredFile(entry) for entry in entries), without_credentials(url))

    @property
    def digest(self) -> str:
        """The digest of the descriptions."""
        return files_digest(self.kind, [file.entry for file in self.files])

    def store(self, packs: PackWriter) -> Stored:  # noqa: ARG002 - nothing is copied
        """Give the descriptions; nothing is copied."""
        return Stored(self.digest, self.files, {"url": self.url})

    def close(self) -> None:
        """Nothing was taken."""


def files_digest(kind: str, entries: list[FileEntry]) -> str:
    """Give the digest of files: over their sorted paths, sizes and the digests of their content.

    Args:
        kind: `folder`, `file` or `reference`; kinds never share a digest.
        entries: The files, sorted by path.

    Example:
        >>> entry = FileEntry("a.txt", 0, "sha256:" + "0" * 64)
        >>> files_digest("folder", [entry]) == files_digest("file", [entry])
        False
    """
    whole = hashlib.sha256(f"mlkit {kind} 1\n".encode())
    for entry in entries:
        path = entry.path.encode()
        whole.update(struct.pack("<Q", len(path)) + path + struct.pack("<Q", entry.size))
        if entry.source is None:
            whole.update(bytes.fromhex(hex_of(entry.digest)))
            continue
        source = entry.source
        for text in (source.url, source.etag, source.version, source.modified):
            raw = (text or "").encode()
            whole.update(struct.pack("<Q", len(raw)) + raw)
    return f"sha256:{whole.hexdigest()}"
