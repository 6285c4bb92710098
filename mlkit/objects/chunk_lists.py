"""Which chunks a whole store has: `chunks/<sha256>.parquet`, lists that are merged as they grow.

Each commit that stores new chunks adds one list of them, after the document of its version is
there; so what a list names is referred to by a version, and is no garbage. A list takes in those
that aren't much longer than itself, so there are few of them, each at least twice as long as all
shorter ones. Lists only save space: one that is lost or damaged makes chunks be stored again.
"""

import base64
import re
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Collection, Sequence
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from attrs import frozen

from mlkit._core.forking import renew_after_fork
from mlkit._core.hashing import digest_bytes, hex_of
from mlkit.errors import Corrupt, MlkitError, NotFound
from mlkit.objects.blobs import damaged, object_path
from mlkit.objects.local_cache import local_cache
from mlkit.objects.pack_writer import KnownChunk
from mlkit.objects.packs import ROOT as PACKS

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit.storage.protocol import Storage

ROOT = "chunks"
NAME = re.compile(r"chunks/(?P<digits>[0-9a-f]{64})\.parquet")
_GROUP = 1 << 14
_HELD = 128
_RAW = 32
_FIRSTS = b"mlkit.firsts"


@frozen(eq=False)
class _List:
    """One list: its Parquet file, and the first digest of each of its row groups."""

    path: str
    file: Any
    firsts: list[bytes]

    @property
    def rows(self) -> int:
        return int(self.file.metadata.num_rows)


class ChunkLists:
    """The chunks that the versions of a store refer to, by their digests.

    Parts of lists are read when they are needed, and a bounded number of them is held.

    Args:
        storage: The store's storage.
        cache: A folder for copies of remote lists.

    Example:
        >>> import tempfile
        >>> from mlkit.storage.memory import MemoryStorage
        >>> storage = MemoryStorage("chunk-lists-example")
        >>> from mlkit.objects.pack_writer import PackWriter
        >>> with PackWriter(storage) as writer:
        ...     place = writer.add(b"some bytes")
        ...     packs = writer.finish()
        >>> lists = ChunkLists(storage, Path(tempfile.mkdtemp()))
        >>> lists.add(writer.new.to_arrow(packs))
        >>> lists.get(place.digest).size
        10
    """

    def __init__(self, storage: "Storage", cache: Path) -> None:
        self._storage = storage
        self._cache = cache
        self._lock = RLock()
        self._lists: dict[str, _List] = {}
        self._groups: OrderedDict[tuple[str, int], tuple[bytes, pa.Table]] = OrderedDict()
        self.complete = False
        """Whether there are lists, or it is known that versions have no chunks to be listed."""

        renew_after_fork(self)

    def renew(self) -> None:
        """Make the lock anew, which a thread of the parent may have held; called in a child."""
        self._lock = RLock()

    def refresh(self) -> None:
        """Look which lists there are now; those that can't be read are left out."""
        with self._lock:
            paths = {f"{ROOT}/{name}" for name in self._storage.children(ROOT)}
            for path in self._lists.keys() - paths:
                self._forget(path)
            for path in sorted(paths - self._lists.keys()):
                if NAME.fullmatch(path):
                    self._load(path)
            self.complete = self.complete or bool(self._lists)

    def get(self, digest: bytes, /) -> KnownChunk | None:
        """Give the place of a chunk, None where no list has it.

        Args:
            digest: The 32 bytes of its SHA-256.
        """
        with self._lock:
            return self._find(digest)

    def _find(self, digest: bytes) -> KnownChunk | None:
        for one in list(self._lists.values()):
            number = bisect_right(one.firsts, digest) - 1
            if number < 0:
                continue
            try:
                digests, table = self._group(one, number)
            except (Corrupt, NotFound):
                self._forget(one.path)
                continue
            rows = range(table.num_rows)
            row = bisect_left(rows, digest, key=lambda at: digests[_RAW * at : _RAW * at + _RAW])
            if row < table.num_rows and digests[_RAW * row : _RAW * row + _RAW] == digest:
                pack, offset, size = (
                    table[name][row].as_py() for name in ("pack", "offset", "size")
                )
                return KnownChunk(pack, offset, size)
        return None

    def add(self, chunks: "pa.StructArray") -> None:
        """List chunks, once a version that is there refers to them.

        Args:
            chunks: Structs of `digest`, `size`, `pack` and `offset`.
        """
        import pyarrow as pa

        if len(chunks):
            with self._lock:
                self._merge(pa.Table.from_struct_array(chunks).cast(_schema()))

    def _merge(self, table: "pa.Table") -> None:
        """Write a list, and remove those that it takes in."""
        import pyarrow as pa

        taken: list[_List] = []
        for one in sorted(self._lists.values(), key=lambda one: one.rows):
            if one.rows > 2 * table.num_rows:
                break
            try:
                table = pa.concat_tables([table, self._whole(one)])
                taken.append(one)
            except (Corrupt, NotFound):
                self._forget(one.path)
        path = self._write(table)
        for one in taken:
            if one.path != path:
                self._forget(one.path)
                self._drop(one.path)

    def prune(self, needed: Collection[str], *, dry_run: bool = False) -> set[str]:
        """Take chunks off the lists whose packs no version needs any more.

        Args:
            needed: The paths of the packs that versions need.
            dry_run: Whether to leave the lists as they are.

        Returns:
            The paths of the packs that were named so far. A commit that has read the lists may
            still refer to them, so they are to be removed another time.
        """
        with self._lock:
            return self._prune(needed, dry_run=dry_run)

    def _prune(self, needed: Collection[str], *, dry_run: bool) -> set[str]:
        import pyarrow.compute as pc

        found: set[str] = set()
        for one in list(self._lists.values()):
            try:
                table = self._whole(one)
            except (Corrupt, NotFound):
                self._forget(one.path)
                continue
            raw = pc.unique(table["pack"])
            paths = [object_path(PACKS, f"sha256:{pack.hex()}") for pack in raw.to_pylist()]
            gone = [number for number, path in enumerate(paths) if path not in needed]
            found.update(paths[number] for number in gone)
            if gone and not dry_run:
                lost = pc.is_in(table["pack"], value_set=raw.take(gone))
                self._replace(one, table.filter(pc.invert(lost)))
        return found

    def _replace(self, one: _List, table: "pa.Table") -> None:
        if table.num_rows:
            self._write(table)
        self._forget(one.path)
        self._drop(one.path)

    def _write(self, table: "pa.Table") -> str:
        data = _encoded(table)
        path = f"{ROOT}/{hex_of(digest_bytes(data))}.parquet"
        self._storage.write(path, data)
        if self._storage.local_path(path) is None:
            local_cache(self._cache).put(path, data)  # or it would be fetched at once
        self._load(path)
        return path

    def _drop(self, path: str) -> None:
        """Remove a list that another one has taken in; that it can't be removed harms nobody."""
        try:
            self._storage.delete(path)
        except MlkitError:
            return

    def _load(self, path: str) -> None:
        try:
            self._lists[path] = self._open(path)
        except (Corrupt, NotFound):
            self._forget(path)

    def _open(self, path: str) -> _List:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            file = pq.ParquetFile(pa.BufferReader(self._bytes(path)), pre_buffer=False)
            joined = (file.schema_arrow.metadata or {}).get(_FIRSTS, b"")
            raw = base64.b64decode(joined, validate=True)
            firsts = [raw[at : at + _RAW] for at in range(0, len(raw), _RAW)]
            told = len(raw) == _RAW * file.metadata.num_row_groups
            if file.schema_arrow != _schema() or not told or firsts != sorted(firsts):
                raise Corrupt(f"{path} is no list of chunks")
        except (pa.ArrowException, OSError, ValueError) as error:
            raise Corrupt(f"{path} is no list of chunks: {error}") from error
        return _List(path, file, firsts)

    def _bytes(self, path: str) -> "pa.Buffer":
        """Give a list's bytes, after checking them; of a remote list a copy is kept."""
        import pyarrow as pa

        match = NAME.fullmatch(path)
        digest = f"sha256:{match['digits']}" if match else ""
        cache, data = local_cache(self._cache), None
        is_local = self._storage.local_path(path) is not None
        if not is_local:
            data = cache.get(path)
        if data is None or digest_bytes(data) != digest:
            data = self._storage.read(path)
            if digest_bytes(data) != digest:
                raise damaged(path)
            if not is_local:
                cache.put(path, data)
        return pa.array([data], pa.large_binary()).buffers()[2]  # held by Arrow itself

    def _group(self, one: _List, number: int) -> tuple[bytes, "pa.Table"]:
        key = (one.path, number)
        held = self._groups.get(key)
        if held is None:
            table = self._read(one, [number])
            held = (_joined(table["digest"]), table)
            self._groups[key] = held
            if len(self._groups) > _HELD:
                self._groups.popitem(last=False)
        else:
            self._groups.move_to_end(key)
        return held

    def _whole(self, one: _List) -> "pa.Table":
        return self._read(one, range(len(one.firsts))).select(["digest", "size", "pack", "offset"])

    def _read(self, one: _List, groups: Sequence[int]) -> "pa.Table":
        import pyarrow as pa

        try:
            return one.file.read_row_groups(groups, use_threads=False).combine_chunks()
        except (pa.ArrowException, OSError) as error:
            raise Corrupt(f"{one.path} is no list of chunks: {error}") from error

    def _forget(self, path: str) -> None:
        local_cache(self._cache).drop(path)
        self._lists.pop(path, None)
        for key in [key for key in self._groups if key[0] == path]:
            del self._groups[key]


def _joined(digests: "pa.ChunkedArray") -> bytes:
    chunk = digests.chunk(0)
    raw = memoryview(chunk.buffers()[1])
    return bytes(raw[_RAW * chunk.offset : _RAW * (chunk.offset + len(chunk))])


def _encoded(table: "pa.Table") -> bytes:
    """Give the bytes of a list: sorted by digest, each chunk once."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = table.sort_by("digest").combine_chunks()
    digests = table["digest"].combine_chunks()
    if len(digests) > 1:
        new = pc.not_equal(digests[1:], digests[:-1])
        table = table.filter(pa.concat_arrays([pa.array([True]), new]))
    starts = range(0, table.num_rows, _GROUP)
    firsts = b"".join(table["digest"][row].as_py() for row in starts)
    table = table.replace_schema_metadata({_FIRSTS: base64.b64encode(firsts)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=_GROUP, use_dictionary=["pack"])
    return bytes(sink.getvalue())


def _schema() -> "pa.Schema":
    import pyarrow as pa

    raw = pa.binary(_RAW)
    fields = [("digest", raw), ("size", pa.int64()), ("pack", raw), ("offset", pa.int64())]
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in fields])
