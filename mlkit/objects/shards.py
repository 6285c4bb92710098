"""The blobs that a manifest is: each a run of neighbouring paths, cut where the paths say.

Whether a file ends a shard depends on its path alone (and on how many came before it in the
shard), so one file that changes, comes or goes leaves nearly all shards as they are: of a million
files one changed file costs one shard of some hundred kilobytes.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field, frozen

from mlkit._core.remembered import Remembered
from mlkit.errors import Corrupt, InvalidInput
from mlkit.objects.blobs import Blobs
from mlkit.objects.manifest import FileEntry, Manifest, checked, schema
from mlkit.storage.parallel import each, threads_for

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_LEAST = 2048
_MOST = 8192
_ROWS = 512
_BASE = 256 << 20
_RATIO = 200  # a file has a digest, of 32 bytes that don't shrink, or a place of its own
_LEAST_ROW = 8
_ENDS = 1 << 21  # of the 32 bits of a path's hash: one path in 2,048 ends a shard


def cut(manifest: Manifest) -> Iterator[Manifest]:
    """Give a manifest as its shards; one at least.

    A shard has 2,048 files at least, unless it is the last one, and 8,192 chunks at most, unless
    it is a single file.
    """
    import pyarrow.compute as pc

    table = manifest.table
    begin = weight = row = 0
    for batch in table.to_batches(max_chunksize=_MOST):
        counts = pc.max_element_wise(pc.list_value_length(batch.column("chunks")), 1).to_pylist()
        for count, path in zip(counts, batch.column("path").to_pylist(), strict=True):
            if weight and weight + count > _MOST:
                yield Manifest(table.slice(begin, row - begin))
                begin, weight = row, 0
            row += 1
            weight += count
            if weight >= _LEAST and _ends(path):
                yield Manifest(table.slice(begin, row - begin))
                begin, weight = row, 0
    if begin < table.num_rows or not table.num_rows:
        yield Manifest(table.slice(begin))


def _ends(path: str) -> bool:
    return int.from_bytes(hashlib.sha256(path.encode()).digest()[:4], "little") < _ENDS


def encode_shard(shard: Manifest) -> bytes:
    """Give the bytes of a shard: Parquet, the same for the same files.

    Raises:
        InvalidInput: A file has so many equal chunks that no reader would take it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    table = shard.table.combine_chunks().replace_schema_metadata(schema().metadata)
    pq.write_table(table, sink, compression="zstd", use_dictionary=["chunks.list.element.pack"])
    data = bytes(sink.getvalue())
    if table.nbytes > _most(len(data)):  # a file of terabytes of nothing
        raise InvalidInput(
            f"The file {table['path'][0].as_py()!r} and those after it have too many equal parts",
            hint="Pack large files that are nearly empty first, such as with zstd",
        )
    return data


def _most(size: int) -> int:
    """Give the bytes of memory that the values of a shard of some bytes may take."""
    return _BASE + _RATIO * size


def decode_shard(data: "bytes | pa.Buffer", where: str) -> Manifest:
    """Give the shard of some bytes, after checking that it is safe to follow.

    Args:
        data: The bytes, which match their digest already.
        where: The shard's place, for messages.

    Raises:
        Corrupt: They are no shard, or list a file that would be written outside of its folder.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        buffer = data if isinstance(data, pa.Buffer) else pa.py_buffer(data)
        table = _read_bounded(pq.ParquetFile(pa.BufferReader(buffer)), buffer.size)
    except (ValueError, KeyError, OSError, pa.ArrowException) as error:
        raise Corrupt(f"{where} is no manifest: {error}") from error
    return checked(table, where)


def _read_bounded(file: "pq.ParquetFile", size: int) -> "pa.Table":
    """Read all rows, unless they would take far more memory than digests of that size can.

    Args:
        file: The shard.
        size: Its bytes.

    Raises:
        ValueError: They would.
    """
    import pyarrow as pa

    # Of a hostile footer only the rows are asked for: to ask for a column of it ends the process.
    most = _most(size)
    batches = []
    if file.metadata.num_rows * _LEAST_ROW <= most:
        for batch in file.iter_batches(batch_size=_ROWS, use_threads=False):
            most -= batch.nbytes
            if most < 0:
                break
            batches.append(batch)
        else:
            return pa.Table.from_batches(batches, file.schema_arrow)
    raise ValueError("it would take far more memory than its bytes can tell of files")


@frozen(slots=False)
class Shards:
    """The manifest of a version as it is stored; each shard is read when it is needed.

    Args:
        blobs: Where the shards lie.
        cache: A folder for copies of remote ones.
        digests: The shards, in order.
        starts: The first path of each shard, in order; none where it isn't known.
    """

    blobs: Blobs = field(repr=False)
    cache: Path = field(repr=False)
    digests: tuple[str, ...]
    starts: tuple[str, ...] = field(default=(), repr=False)

    @Remembered
    def manifest(self) -> Manifest:
        """All files.

        Raises:
            NotFound: A shard is missing.
            Corrupt: A shard is damaged, lists a file that can't be, or one that another one lists.
        """
        import pyarrow as pa

        threads = threads_for(self.blobs.storage)
        shards = list(each(self._read, range(len(self.digests)), threads=threads))
        if len(shards) == 1:
            return shards[0]
        table = pa.concat_tables([shard.table for shard in shards] or [schema().empty_table()])
        return checked(table, f"The manifest of {len(shards):,} parts")

    def find(self, path: str) -> FileEntry | None:
        """Give the file of a path, None where there is none; one shard is read for it at most.

        Raises:
            NotFound: The shard is missing.
            Corrupt: It is damaged.
        """
        if not self.starts or "manifest" in self.__dict__:
            return self.manifest.find(path)
        number = bisect_right(self.starts, path) - 1
        return self._shard(number).find(path) if number >= 0 else None

    @Remembered
    def _held(self) -> dict[int, Manifest]:
        return {}

    def _shard(self, number: int) -> Manifest:
        if number not in self._held:
            self._held[number] = self._read(number)
        return self._held[number]

    def _read(self, number: int) -> Manifest:
        digest = self.digests[number]
        data = self.blobs.read_cached(digest, self.cache)
        shard = decode_shard(data, f"The manifest {digest}")
        if self.starts and not self._is_in_place(shard, number):
            raise Corrupt(
                f"The manifest {digest} doesn't hold the paths from {self.starts[number]!r}"
                " to the next part",
                hint="The version was not made by mlkit, or was tampered with",
            )
        return shard

    def _is_in_place(self, shard: Manifest, number: int) -> bool:
        """Tell whether a shard begins with its start, and ends before the next one's."""
        if not len(shard) or shard.paths[0].as_py() != self.starts[number]:
            return False
        after = self.starts[number + 1 : number + 2]
        return not after or bool(shard.paths[-1].as_py() < after[0])


def starts_of(shards: Sequence[Manifest]) -> list[str]:
    """Give the first path of each shard, for a version's document."""
    return [shard.paths[0].as_py() for shard in shards if len(shard)]
