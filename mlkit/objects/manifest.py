"""Manifests: the files of a version, as Parquet that any tool can read.

Columns: `path`, `size`, `digest` (the 32 bytes of the SHA-256 of the content), `chunks` (a list
of `digest`, `size`, `pack`, `offset`; the digest is null in the only chunk of a file, since it
is the file's), `source` (of a file that was recorded and not copied: `url`, `etag`, `version`,
`modified`). A manifest is stored as a blob; a long one is several, which are read as one.
"""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mlkit._core.hashing import hex_of
from mlkit.errors import Corrupt
from mlkit.objects.packs import ChunkRef

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from mlkit.objects.blobs import Blobs

_ODD = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")
_LONGEST = 4096


@frozen
class Source:
    """What is known of a file that stays where it is.

    Attributes:
        url: Where it is; without credentials.
        etag: What the storage says its content is, where it says so.
        version: The storage's own version of it, where it keeps versions.
        modified: When it was changed last, where the storage knows.
    """

    url: str
    etag: str | None = None
    version: str | None = None
    modified: str | None = None


@frozen
class FileEntry:
    """A file of a version.

    Attributes:
        path: Where it is in the version, with `/` between its parts.
        size: Its length in bytes.
        digest: The digest of its content; empty for one that was recorded and not copied.
        chunks: Where its bytes lie, in order.
        source: Where it came from, if it was recorded and not copied.
    """

    path: str
    size: int
    digest: str
    chunks: tuple[ChunkRef, ...] = field(default=(), repr=False)
    source: Source | None = None


def path_fault(path: str) -> str:
    r"""Say why a text can't be the path of a file in a version, or nothing when it can.

    Example:
        >>> path_fault("images/cat.png")
        ''
        >>> path_fault("../secret")
        "'..' would leave the folder"
    """
    if _ODD.search(path):
        return "it has control characters, backslashes or bytes that are no UTF-8"
    if len(path.encode()) > _LONGEST:
        return f"it is longer than {_LONGEST} bytes"
    for part in path.split("/"):
        if part == "..":
            return "'..' would leave the folder"
        if part in {"", "."}:
            return "a part of it is empty or '.'"
    return ""


def check_entry(entry: FileEntry, where: str) -> FileEntry:
    """Give the entry back when it is safe to follow.

    Args:
        entry: What a manifest said.
        where: The manifest, for the message.

    Raises:
        Corrupt: Its path would leave a folder, or its chunks don't make up its size.
    """
    fault = path_fault(entry.path)
    if not fault and entry.source is None and sum(c.size for c in entry.chunks) != entry.size:
        fault = "its chunks don't make up its size"
    if not fault and any(c.size < 0 or c.offset < 0 for c in entry.chunks):
        fault = "a chunk lies nowhere"
    if fault:
        raise Corrupt(
            f"{where} lists the file {entry.path!r}, which can't be: {fault}",
            hint="The version was not made by mlkit, or was tampered with",
        )
    return entry


def encode_manifest(entries: Iterable[FileEntry]) -> bytes:
    """Give the bytes of a manifest: the same entries in any order give the same ones.

    Raises:
        Corrupt: A digest of an entry is none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    ordered = sorted(entries, key=lambda entry: entry.path)
    columns = {
        "path": [entry.path for entry in ordered],
        "size": [entry.size for entry in ordered],
        "digest": [_raw(entry.digest) for entry in ordered],
        "chunks": [
            [
                {
                    "digest": None if len(entry.chunks) == 1 else _raw(chunk.digest),
                    "size": chunk.size,
                    "pack": _raw(chunk.pack),
                    "offset": chunk.offset,
                }
                for chunk in entry.chunks
            ]
            for entry in ordered
        ],
        "source": [None if entry.source is None else _fields(entry.source) for entry in ordered],
    }
    table = pa.table(columns, schema=_schema())
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def decode_manifest(data: bytes, where: str) -> list[FileEntry]:
    """Give the entries of a manifest, each of them checked.

    Args:
        data: The bytes, which match their digest already.
        where: The manifest's place, for messages.

    Raises:
        Corrupt: It is no manifest, or lists a file that would be written outside of its folder.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data)).select(_schema().names).cast(_schema())
        _check_present(table)
    except (ValueError, KeyError, OSError, pa.ArrowException) as error:
        raise Corrupt(f"{where} is no manifest: {error}") from error
    columns = [table.column(name).to_pylist() for name in table.column_names]
    seen: set[str] = set()
    entries = []
    for path, size, digest, chunks, source in zip(*columns, strict=True):
        if path in seen:
            raise Corrupt(
                f"{where} lists the file {path!r} twice",
                hint="The version was not made by mlkit, or was tampered with",
            )
        seen.add(path)
        entry = FileEntry(
            path=path,
            size=size,
            digest=_text(digest),
            chunks=tuple(
                ChunkRef(
                    _text(chunk["digest"] or digest),
                    chunk["size"],
                    _text(chunk["pack"]),
                    chunk["offset"],
                )
                for chunk in chunks
            ),
            source=None if source is None else Source(**source),
        )
        entries.append(check_entry(entry, where))
    return entries


def _check_present(table: "pa.Table") -> None:
    """Raise where a part that must be there is null; casting looks at whole columns only."""
    import pyarrow.compute as pc

    chunks = pc.list_flatten(table.column("chunks"))
    sources = table.column("source").drop_null()
    for column, part in ((chunks, "size"), (chunks, "pack"), (chunks, "offset"), (sources, "url")):
        if pc.struct_field(column, part).null_count:
            raise ValueError(f"{part!r} is missing")


def read_manifests(blobs: "Blobs", digests: Sequence[str], cache: "Path") -> tuple[FileEntry, ...]:
    """Give the files that the manifests of a version list, sorted by path.

    Args:
        blobs: Where the manifests lie.
        digests: Their digests.
        cache: A folder for copies of remote ones.

    Raises:
        NotFound: A manifest is missing.
        Corrupt: One is damaged, or lists a file that can't be.
    """
    entries: dict[str, FileEntry] = {}
    for digest in digests:
        where = f"The manifest {digest}"
        for entry in decode_manifest(blobs.path(digest, cache).read_bytes(), where):
            if entries.setdefault(entry.path, entry) is not entry:
                raise Corrupt(f"{where} lists the file {entry.path!r}, as another one does")
    return tuple(entries[path] for path in sorted(entries))


def _schema() -> "pa.Schema":
    import pyarrow as pa

    digest = pa.binary(32)
    chunk = pa.struct(
        [
            pa.field("digest", digest),
            pa.field("size", pa.int64(), nullable=False),
            pa.field("pack", digest, nullable=False),
            pa.field("offset", pa.int64(), nullable=False),
        ]
    )
    source = pa.struct(
        [
            pa.field("url", pa.string(), nullable=False),
            pa.field("etag", pa.string()),
            pa.field("version", pa.string()),
            pa.field("modified", pa.string()),
        ]
    )
    return pa.schema(
        [
            pa.field("path", pa.string(), nullable=False),
            pa.field("size", pa.int64(), nullable=False),
            pa.field("digest", digest),
            pa.field(
                "chunks", pa.list_(pa.field("element", chunk, nullable=False)), nullable=False
            ),
            pa.field("source", source),
        ],
        metadata={"mlkit.format": "1", "mlkit.hash": "sha256"},
    )


def _raw(digest: str) -> bytes | None:
    return bytes.fromhex(hex_of(digest)) if digest else None


def _text(raw: bytes | None) -> str:
    return "" if raw is None else f"sha256:{raw.hex()}"


def _fields(source: Source) -> dict[str, Any]:
    return {
        "url": source.url,
        "etag": source.etag,
        "version": source.version,
        "modified": source.modified,
    }
