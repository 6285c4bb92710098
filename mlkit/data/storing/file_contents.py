"""Files that become versions: copied from a folder, or recorded where they are."""

import hashlib
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlkit.data.sources.references import list_sources
from mlkit.data.storing.content import Described, Listing, Surroundings
from mlkit.data.storing.file_intake import take_files
from mlkit.data.storing.folder import files_of, single_file
from mlkit.errors import InvalidInput
from mlkit.objects.intake import Intake
from mlkit.objects.manifest import FileEntry, Manifest
from mlkit.objects.pack_writer import PackWriter
from mlkit.storage.urls import without_credentials

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit.data.storing.stat_cache import Compared


class FilesContent:
    """A folder or a file on the local disk; what hasn't changed since it was stored isn't read.

    Args:
        kind: `folder` or `file`.
        place: Where it is.
        passing: It won't be there again, so nothing is remembered of it.
    """

    def __init__(self, kind: str, place: Path, *, passing: bool = False) -> None:
        self.kind = kind
        self._passing = passing
        self._root = str(place.resolve())
        self._files = files_of(place) if kind == "folder" else single_file(place)
        self._compared: Compared | None = None
        self._states: pa.Table | None = None

    def digest(self, around: Surroundings) -> str | None:
        """Give the digest of files of which none has changed since they were stored."""
        if around.store.startswith(f"{self._root}/"):  # what the store holds is no part of it
            self._files = self._files.without(around.store[len(self._root) + 1 :])
        if not len(self._files):
            raise InvalidInput(
                f"The folder {self._root!r} holds no file", hint="A version needs one at least"
            )
        self._compared = around.stats.compare(self._root, self._files)
        return self._compared.digest or None

    def demand(self) -> None:
        """Nothing can be demanded of files."""

    def store(self, packs: PackWriter, intake: Intake, around: Surroundings) -> Listing:
        """Read the files that have changed; chunks that are known aren't stored again."""
        compared = self._compared or around.stats.compare(self._root, self._files)
        kept, lost = _present(compared.unchanged, packs)
        rows = compared.changed
        if lost:
            again = (row for row, path in enumerate(self._files.paths) if path in lost)
            rows = sorted({*rows, *again})
        around.progress.stage("reading files", total=len(rows))
        files = (self._files[row] for row in rows)
        taken = take_files(
            self._files.root, files, intake, lambda size: around.progress.add(size=size)
        )
        self._states = _replaced(self._files.to_arrow(), rows, taken.to_arrow())
        return lambda digests: _joined(kept, intake.manifest(digests))

    def describe(self, manifest: Manifest) -> Described:
        """Give the digest of the files."""
        return Described(files_digest(self.kind, manifest))

    def remember(self, manifest: Manifest, digest: str, around: Surroundings) -> None:
        """Remember the files as they are stored."""
        if self._states is not None and not self._passing:
            stats, began = around.stats, around.began
            stats.remember(self._root, manifest, digest, self._states, began)

    def close(self) -> None:
        """Nothing was taken."""


def _replaced(table: "pa.Table", rows: Sequence[int], other: "pa.Table") -> "pa.Table":
    """Put the rows of another table in the place of some."""
    import pyarrow as pa
    import pyarrow.compute as pc

    places = pc.index_in(pa.array(range(len(table)), pa.int64()), value_set=pa.array(rows))
    old = table.take(pc.indices_nonzero(places.is_null()))
    return pa.concat_tables([old, other]).sort_by("path")


def _present(manifest: Manifest, packs: PackWriter) -> tuple[Manifest, set[str]]:
    """Give the files whose packs are all there, and the paths of the others."""
    import pyarrow as pa
    import pyarrow.compute as pc

    places = pa.Table.from_struct_array(manifest.chunks())
    ends = pc.add(places["offset"], places["size"])
    grouped = places.append_column("end", ends).group_by("pack", use_threads=False)
    needed = grouped.aggregate([("digest", "first"), ("end", "max")])
    columns = (needed[name].to_pylist() for name in ("pack", "digest_first", "end_max"))
    gone = [place[0] for place in zip(*columns, strict=True) if packs.number_of(*place) is None]
    if not gone:
        return manifest, set()
    raw = pa.array(gone, pa.binary(32))
    chunks = manifest.table["chunks"].combine_chunks()
    lost = pc.is_in(pc.struct_field(pc.list_flatten(chunks), "pack"), value_set=raw)
    rows = pc.unique(pc.list_parent_indices(chunks).filter(lost))
    paths = set(manifest.paths.take(rows).to_pylist())
    stays = pc.invert(pc.is_in(manifest.paths, value_set=pa.array(sorted(paths), pa.string())))
    return Manifest(manifest.table.filter(stays)), paths


def _joined(one: Manifest, other: Manifest) -> Manifest:
    import pyarrow as pa

    if not len(one):
        return other
    return Manifest(pa.concat_tables([one.table, other.table]).sort_by("path").combine_chunks())


class ReferenceContent:
    """Files that stay where they are, as their storage describes them.

    Args:
        url: What is recorded; see `list_sources`.
        storage_options: What the driver takes.
    """

    kind = "reference"

    def __init__(self, url: str, storage_options: Mapping[str, Any] | None) -> None:
        self._manifest = Manifest.of(list_sources(url, storage_options))
        self._url = without_credentials(url)

    def digest(self, around: Surroundings) -> str:  # noqa: ARG002 - nothing is remembered
        """Give the digest of the descriptions."""
        return files_digest(self.kind, self._manifest)

    def demand(self) -> None:
        """Nothing can be demanded of files."""

    def store(self, packs: PackWriter, intake: Intake, around: Surroundings) -> Listing:  # noqa: ARG002 - nothing is copied
        """Give the descriptions; nothing is copied."""
        return lambda _: self._manifest

    def describe(self, manifest: Manifest) -> Described:
        """Say what was recorded."""
        return Described(files_digest(self.kind, manifest), {"url": self._url})

    def remember(self, manifest: Manifest, digest: str, around: Surroundings) -> None:
        """Nothing is remembered of them."""

    def close(self) -> None:
        """Nothing was taken."""


def files_digest(kind: str, files: Manifest | Sequence[FileEntry]) -> str:
    """Give the digest of files: over their sorted paths, sizes and the digests of their content.

    Args:
        kind: `folder`, `file` or `reference`; kinds never share a digest.
        files: The files, sorted by path.

    Example:
        >>> entry = FileEntry("a.txt", 0, "sha256:" + "0" * 64)
        >>> files_digest("folder", [entry]) == files_digest("file", [entry])
        False
    """
    whole = hashlib.sha256(f"mlkit {kind} 1\n".encode())
    manifest = files if isinstance(files, Manifest) else Manifest.of(files)
    table = manifest.table.select(["path", "size", "digest", "source"])
    for batch in table.to_batches(max_chunksize=1 << 14):
        columns = [column.to_pylist() for column in batch.columns]
        for text, size, digest, source in zip(*columns, strict=True):
            path = text.encode()
            whole.update(struct.pack("<Q", len(path)) + path + struct.pack("<Q", size))
            if source is None:
                whole.update(digest)
                continue
            for known in (source["url"], source["etag"], source["version"], source["modified"]):
                raw = (known or "").encode()
                whole.update(struct.pack("<Q", len(raw)) + raw)
    return f"sha256:{whole.hexdigest()}"
