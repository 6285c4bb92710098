"""What a folder's files were when they were read last, so that unchanged ones aren't read again.

A file counts as unchanged when its size, its times of change (of the bytes and of anything) and
its number on the disk are those of before. A file that was changed less than two seconds before it
was read could be changed again without a trace, on a disk whose clock is that coarse; so it is
remembered without its times, and read again. What is remembered is on this machine only, and proves
itself by a digest: a cache that is lost or damaged costs time and nothing else.

What no system tells can't be noticed: bytes that a program goes on changing in memory that it had
mapped and written to before, until it unmaps the file or the system writes it out.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field, frozen

from mlkit.data.storing.found_files import FileState, FoundFiles, state_types
from mlkit.objects.local_cache import local_cache
from mlkit.objects.manifest import Manifest, schema

if TYPE_CHECKING:
    import pyarrow as pa

_COARSEST = 2_000_000_000
_RAW = 32
_DIGEST = b"mlkit.digest"


@frozen(eq=False)
class Compared:
    """Files of a folder, compared with what is remembered of it.

    Attributes:
        digest: The digest of all files when none has changed, come or gone; else nothing.
        unchanged: The files that haven't changed, as they were stored.
        changed: Which of the files did: their places, rising.
    """

    digest: str
    unchanged: Manifest = field(repr=False)
    changed: Sequence[int] = field(repr=False)


class StatCache:
    """What this machine remembers of folders and files that it stored.

    Args:
        cache: The folder for what belongs to one store.
        room: The folder in it for what is remembered.
    """

    def __init__(self, cache: Path, room: str = "folders") -> None:
        self._cache, self._room = cache, room

    def compare(self, place: str, files: FoundFiles) -> Compared:
        """Tell which files are what they were.

        Args:
            place: What the folder or file is remembered as.
            files: Its files now, sorted by path.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        table = None if _only_reads(files.root) else self._load(self._file(place))
        if table is None:
            return Compared("", Manifest.of(()), range(len(files)))
        now = files.to_arrow()
        known = (table.schema.metadata or {}).get(_DIGEST, b"").decode()
        if known and now.equals(table.select(now.column_names).cast(now.schema)):
            return Compared(known, _manifest(table), ())
        rows = pc.index_in(now["path"], value_set=table["path"]).combine_chunks()
        before = table.take(rows)
        same = pc.is_valid(rows)
        for name in FileState._fields:
            same = pc.and_kleene(same, pc.equal(now[name], before[name]))
        same = pc.coalesce(same, pa.scalar(value=False))
        changed = pc.indices_nonzero(pc.invert(same)).to_pylist()
        return Compared("", _manifest(before.filter(same)), changed)

    def remembered(self, place: str) -> Manifest | None:
        """Give the files as they were when they were remembered last, None where none were."""
        table = self._load(self._file(place))
        return None if table is None else _manifest(table)

    def remember(
        self, place: str, manifest: Manifest, digest: str, states: "pa.Table", began: int
    ) -> None:
        """Remember files that a version refers to; a cache that can't be written harms nobody.

        Args:
            place: What the folder or file is remembered as.
            manifest: The files as they are stored.
            digest: The digest of all of them.
            states: What the disk said of each while it was read: a row a file; one that is gone
                meanwhile has none.
            began: When reading began, in nanoseconds since 1970, UTC.
        """
        import pyarrow.compute as pc

        latest = began - _COARSEST
        if len(states) < len(manifest):
            states = states.take(pc.index_in(manifest.paths, value_set=states["path"]))
        sure = pc.and_(pc.less(states["mtime_ns"], latest), pc.less(states["ctime_ns"], latest))
        table = manifest.table
        for name, kind in state_types().items():
            if name not in table.column_names:
                table = table.append_column(name, pc.if_else(sure, states[name], None).cast(kind))
        self._save(
            self._file(place), table.replace_schema_metadata({_DIGEST: digest}).combine_chunks()
        )

    def _file(self, place: str) -> str:
        return f"{self._room}/{hashlib.sha256(os.fsencode(place)).hexdigest()}"

    def _load(self, file: str) -> "pa.Table | None":
        import pyarrow as pa

        data = local_cache(self._cache).get(file) or b""
        if hashlib.sha256(memoryview(data)[_RAW:]).digest() != data[:_RAW]:
            return None
        held = pa.array([data], pa.large_binary()).buffers()[2]  # by Arrow itself
        try:
            with pa.ipc.open_stream(held.slice(_RAW)) as reader:
                table = reader.read_all()
        except (OSError, pa.ArrowException):
            return None
        wanted = {*schema().names, *state_types()}  # another release may keep others
        return table if wanted <= set(table.column_names) else None

    def _save(self, file: str, table: "pa.Table") -> None:
        import pyarrow as pa

        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        body = sink.getvalue()
        local_cache(self._cache).put(file, hashlib.sha256(body).digest() + memoryview(body))


def _only_reads(root: str) -> bool:
    """Tell whether a folder is mounted to be read only: another image may stand there next time.

    Such an image may have been made with any times and numbers of files.
    """
    try:
        return bool(os.statvfs(root).f_flag & os.ST_RDONLY)
    except (OSError, AttributeError):  # where there is nothing of the kind
        return False


def _manifest(table: "pa.Table") -> Manifest:
    return Manifest(table.select(schema().names).cast(schema()))
