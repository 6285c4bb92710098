"""Manifests: the files of a version, held as Arrow columns, so that a million of them fit.

Columns: `path`, `size`, `digest` (the 32 bytes of the SHA-256 of the content), `chunks` (a list
of `digest`, `size`, `pack`, `offset`; the digest is null in the only chunk of a file, since it
is the file's), `source` (of a file that was recorded and not copied: `url`, `etag`, `version`,
`modified`).
"""

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mlkit._core.hashing import hex_of
from mlkit.errors import Corrupt
from mlkit.objects.packs import MOST_OF_CHUNK, MOST_OF_OFFSET, ChunkRef

if TYPE_CHECKING:
    import pyarrow as pa

ODD = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")
"""What no path in a version has."""

_UNFIT = r"[\x00-\x1f\x7f\\]|(^|/)\.{0,2}(/|$)"
_LONGEST = 4096
_ROWS = 4096


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
    if ODD.search(path):
        return "it has control characters, backslashes or bytes that are no UTF-8"
    if len(path.encode()) > _LONGEST:
        return f"it is longer than {_LONGEST} bytes"
    for part in path.split("/"):
        if part == "..":
            return "'..' would leave the folder"
        if part in {"", "."}:
            return "a part of it is empty or '.'"
    return ""


def unfit_paths(paths: "pa.Array") -> "pa.Array":
    """Tell of many paths at once which of them `path_fault` would object to."""
    import pyarrow.compute as pc

    return pc.or_(
        pc.match_substring_regex(paths, _UNFIT), pc.greater(pc.binary_length(paths), _LONGEST)
    )


@frozen(repr=False, eq=False)
class Manifest:
    """The files of a version, sorted by path.

    Attributes:
        table: A row a file, with the columns of `schema`.

    Example:
        >>> manifest = Manifest.of([FileEntry("b.txt", 0, "sha256:" + "0" * 64)])
        >>> len(manifest), manifest.find("b.txt").size, manifest.find("a.txt")
        (1, 0, None)
    """

    table: "pa.Table"

    @classmethod
    def of(cls, entries: Iterable[FileEntry]) -> "Manifest":
        """Give the manifest of entries in any order.

        Raises:
            Corrupt: A digest of an entry is none.
        """
        import pyarrow as pa

        rows = [
            {
                "path": entry.path,
                "size": entry.size,
                "digest": _raw(entry.digest),
                "chunks": [
                    {
                        "digest": None if len(entry.chunks) == 1 else _raw(chunk.digest),
                        "size": chunk.size,
                        "pack": _raw(chunk.pack),
                        "offset": chunk.offset,
                    }
                    for chunk in entry.chunks
                ],
                "source": None if entry.source is None else _fields(entry.source),
            }
            for entry in sorted(entries, key=lambda entry: entry.path)
        ]
        return cls(pa.Table.from_pylist(rows, schema=schema()))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __iter__(self) -> Iterator[FileEntry]:
        for batch in self.table.to_batches(max_chunksize=_ROWS):
            columns = [batch.column(name).to_pylist() for name in schema().names]
            for path, size, digest, chunks, source in zip(*columns, strict=True):
                yield FileEntry(
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

    @property
    def size(self) -> int:
        """The bytes of all files."""
        import pyarrow.compute as pc

        return pc.sum(self.table["size"]).as_py() or 0

    @property
    def paths(self) -> "pa.ChunkedArray":
        """The paths, rising."""
        return self.table["path"]

    def find(self, path: str) -> FileEntry | None:
        """Give the file of a path, None where there is none."""
        import pyarrow.compute as pc

        row = pc.index(self.paths, path).as_py() if len(self) else -1
        return next(iter(Manifest(self.table.slice(row, 1)))) if row >= 0 else None

    def first_recorded(self, *, recorded: bool) -> str | None:
        """Give the first file that was recorded and not copied, or that was copied; or None."""
        import pyarrow.compute as pc

        row = pc.index(self.table["source"].is_valid(), value=recorded).as_py()
        return self.paths[row].as_py() if row >= 0 else None

    def chunks(self) -> "pa.StructArray":
        """Give the chunks of all files: `digest`, `size`, `pack` and `offset` of each."""
        import pyarrow as pa
        import pyarrow.compute as pc

        lists = self.table["chunks"].combine_chunks()
        values = pc.list_flatten(lists)
        whole = self.table["digest"].combine_chunks().take(pc.list_parent_indices(lists))
        digests = pc.coalesce(pc.struct_field(values, "digest"), whole)
        names = ("size", "pack", "offset")
        parts = [digests, *(pc.struct_field(values, name) for name in names)]
        return pa.StructArray.from_arrays(parts, fields=list(chunk_type()))

    def packs(self) -> dict[str, tuple[int, str]]:
        """Give the packs that hold the files: how many files each has a part of, and the first."""
        import pyarrow as pa
        import pyarrow.compute as pc

        found: dict[str, tuple[int, str]] = {}
        for batch in self.table.to_batches(max_chunksize=1 << 16):
            chunks = batch.column("chunks")
            rows = pc.list_parent_indices(chunks)
            packs = pc.struct_field(pc.list_flatten(chunks), "pack")
            grouped = pa.table({"pack": packs, "row": rows}).group_by("pack")
            counted = grouped.aggregate([("row", "count_distinct"), ("row", "min")])
            firsts = batch.column("path").take(counted["row_min"].combine_chunks())
            columns = (counted["pack"], counted["row_count_distinct"], firsts)
            for raw, count, first in zip(*(c.to_pylist() for c in columns), strict=True):
                pack = _text(raw)
                before = found.get(pack, (0, first))
                found[pack] = (before[0] + count, before[1])
        return found


def checked(table: "pa.Table", where: str) -> Manifest:
    """Give the manifest that a table read from a store is, when it is safe to follow.

    Args:
        table: What was read, with the columns of `schema` at least.
        where: The manifest, for messages.

    Raises:
        Corrupt: It is no manifest, lists a path twice or one that would leave a folder, or chunks
            that don't make up a file.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        table = table.select(schema().names).cast(schema()).combine_chunks()
        table.validate(full=True)
        _check_present(table)
        faults = _chunk_faults(table)
    except (ValueError, KeyError, OSError, pa.ArrowException) as error:
        raise Corrupt(f"{where} is no manifest: {error}") from error
    paths = table["path"].combine_chunks()
    faults.append((unfit_paths(paths), ""))
    for unfit, what in faults:
        row = pc.index(unfit, value=True).as_py()
        if row >= 0:
            path = paths[row].as_py()
            raise Corrupt(
                f"{where} lists the file {path!r}, which can't be: {what or path_fault(path)}",
                hint="The version was not made by mlkit, or was tampered with",
            )
    return Manifest(_in_order(table, where))


def _in_order(table: "pa.Table", where: str) -> "pa.Table":
    import pyarrow.compute as pc

    paths = table["path"].combine_chunks()
    if not pc.all(pc.less(paths[:-1], paths[1:])).as_py() and len(paths) > 1:
        table = table.sort_by("path")
        paths = table["path"].combine_chunks()
        row = pc.index(pc.equal(paths[:-1], paths[1:]), value=True).as_py()
        if row >= 0:
            raise Corrupt(
                f"{where} lists the file {paths[row].as_py()!r} twice",
                hint="The version was not made by mlkit, or was tampered with",
            )
    return table


def _check_present(table: "pa.Table") -> None:
    """Raise where a part that must be there is null; casting looks at whole columns only."""
    import pyarrow.compute as pc

    chunks = pc.list_flatten(table["chunks"])
    sources = table["source"].drop_null()
    for column, part in ((chunks, "size"), (chunks, "pack"), (chunks, "offset"), (sources, "url")):
        if pc.struct_field(column, part).null_count:
            raise ValueError(f"{part!r} is missing")


def _chunk_faults(table: "pa.Table") -> list[tuple["pa.Array", str]]:
    """Tell which files have chunks that can't be, and what is wrong with them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not table.num_rows:
        return []
    chunks = table["chunks"].combine_chunks()
    values = chunks.values
    sizes, offsets = values.field("size"), values.field("offset")
    nowhere = pc.or_(pc.less(offsets, 0), pc.greater_equal(offsets, MOST_OF_OFFSET))
    senseless = pc.or_(pc.less(sizes, 1), pc.greater(sizes, MOST_OF_CHUNK))
    unfit = pc.or_(senseless, nowhere).cast(pa.int64())
    copied = table["source"].combine_chunks().is_null()
    held = pc.or_(copied, pc.greater(pc.list_value_length(chunks), 0))
    unnamed = table["digest"].combine_chunks().is_null()
    whole = table["size"].combine_chunks()
    other = pc.not_equal(_sums(chunks, sizes), whole)
    return [
        (pc.less(whole, 0), "its size is less than nothing"),
        (pc.greater(_sums(chunks, unfit), 0), "a chunk lies nowhere, is empty or too large"),
        (pc.and_(held, unnamed), "it has no digest"),
        (pc.and_(copied, other), "its chunks don't make up its size"),
    ]


def _sums(lists: "pa.ListArray", values: "pa.Array") -> "pa.Array":
    """Give the sum of the values of each list.

    Raises:
        ArrowInvalid: A sum is too large.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    sums = pc.cumulative_sum_checked(values)
    sums = pa.concat_arrays([pa.array([0], pa.int64()), sums]).take(lists.offsets)
    return pc.subtract(sums[1:], sums[:-1])


def schema() -> "pa.Schema":
    """Give the columns of a manifest."""
    import pyarrow as pa

    digest = pa.binary(32)
    source = pa.struct(
        [
            pa.field("url", pa.string(), nullable=False),
            pa.field("etag", pa.string()),
            pa.field("version", pa.string()),
            pa.field("modified", pa.string()),
        ]
    )
    chunks = pa.list_(pa.field("element", chunk_type(), nullable=False))
    return pa.schema(
        [
            pa.field("path", pa.string(), nullable=False),
            pa.field("size", pa.int64(), nullable=False),
            pa.field("digest", digest),
            pa.field("chunks", chunks, nullable=False),
            pa.field("source", source),
        ],
        metadata={"mlkit.format": "1", "mlkit.hash": "sha256"},
    )


def chunk_type() -> "pa.DataType":
    """Give the type of a chunk in a manifest."""
    import pyarrow as pa

    digest = pa.binary(32)
    return pa.struct(
        [
            pa.field("digest", digest),
            pa.field("size", pa.int64(), nullable=False),
            pa.field("pack", digest, nullable=False),
            pa.field("offset", pa.int64(), nullable=False),
        ]
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
