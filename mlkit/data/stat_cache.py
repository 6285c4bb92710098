"""What a folder's files were when they were read last, so that unchanged ones aren't read again.

A file counts as unchanged when its size, its times of change (of the bytes and of anything) and
its number on the disk are those of before. A file that was changed less than two seconds before it
was read could be changed again without a trace, on a disk whose clock is that coarse; so it is
remembered without its times, and read again. What is remembered is on this machine only, and proves
itself by a digest: a cache that is lost or damaged costs time and nothing else.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field, frozen

from mlkit._core.ids import token
from mlkit.data.folder import FileState, LocalFile
from mlkit.objects.manifest import Manifest, schema

if TYPE_CHECKING:
    import pyarrow as pa

_COARSEST = 2_000_000_000
_RAW = 32
_STATE = FileState._fields
_DIGEST = b"mlkit.digest"


@frozen(eq=False)
class Compared:
    """Files of a folder, compared with what is remembered of it.

    Attributes:
        digest: The digest of all files when none has changed, come or gone; else nothing.
        unchanged: The files that haven't changed, as they were stored.
        changed: The others.
    """

    digest: str
    unchanged: Manifest = field(repr=False)
    changed: tuple[LocalFile, ...] = field(repr=False)


class StatCache:
    """What this machine remembers of folders and files that it stored.

    Args:
        cache: The folder for what belongs to one store.
        room: The folder in it for what is remembered.
    """

    def __init__(self, cache: Path, room: str = "folders") -> None:
        self._cache = cache / room

    def compare(self, root: str, files: Sequence[LocalFile]) -> Compared:
        """Tell which files are what they were.

        Args:
            root: The real path of the folder or file.
            files: Its files now, sorted by path.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        table = self._load(self._place(root))
        if table is None:
            return Compared("", Manifest.of(()), tuple(files))
        now = _states(files)
        names = ["path", *_STATE]
        known = (table.schema.metadata or {}).get(_DIGEST, b"").decode()
        if known and now.equals(table.select(names).cast(now.schema)):
            return Compared(known, Manifest(table.select(schema().names).cast(schema())), ())
        rows = pc.index_in(now["path"], value_set=table["path"])
        before = table.take(rows.combine_chunks())
        same = pc.is_valid(rows)
        for name in _STATE:
            same = pc.and_kleene(same, pc.equal(now[name], before[name]))
        same = pc.coalesce(same, pa.scalar(value=False))
        unchanged = before.filter(same).select(schema().names).cast(schema())
        changed = [
            file for file, is_same in zip(files, same.to_pylist(), strict=True) if not is_same
        ]
        return Compared("", Manifest(unchanged), tuple(changed))

    def remembered(self, root: str) -> Manifest | None:
        """Give the files as they were when they were remembered last, None where none were."""
        table = self._load(self._place(root))
        return None if table is None else Manifest(table.select(schema().names).cast(schema()))

    def remember(
        self,
        root: str,
        manifest: Manifest,
        digest: str,
        states: dict[str, FileState],
        began: int,
    ) -> None:
        """Remember files that a version refers to; a cache that can't be written harms nobody.

        Args:
            root: The real path of the folder or file.
            manifest: The files as they are stored.
            digest: The digest of all of them.
            states: What the disk said of each, by its path, while it was read.
            began: When reading began, in nanoseconds since 1970, UTC.
        """
        import pyarrow as pa

        latest = began - _COARSEST
        rows = [states[path] for path in manifest.paths.to_pylist()]
        sure = [state.mtime_ns < latest and state.ctime_ns < latest for state in rows]
        table = manifest.table
        for number, (name, kind) in enumerate(_kinds().items()):
            if name in table.column_names:
                continue
            values = [
                state[number] if certain else None
                for state, certain in zip(rows, sure, strict=True)
            ]
            table = table.append_column(name, pa.array(values, kind))
        self._save(
            self._place(root), table.replace_schema_metadata({_DIGEST: digest}).combine_chunks()
        )

    def _place(self, root: str) -> Path:
        name = hashlib.sha256(root.encode("utf-8", "surrogateescape")).hexdigest()
        return self._cache / name

    def _load(self, place: Path) -> "pa.Table | None":
        import pyarrow as pa

        try:
            with pa.OSFile(str(place)) as file:
                buffer = file.read_buffer()
            body = buffer.slice(_RAW)
            if hashlib.sha256(body).digest() != buffer.slice(0, _RAW).to_pybytes():
                return None
            with pa.ipc.open_stream(body) as reader:
                return reader.read_all()
        except (OSError, pa.ArrowException):
            return None

    def _save(self, place: Path, table: "pa.Table") -> None:
        import pyarrow as pa

        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        body = sink.getvalue()
        temporary = place.with_name(f".{place.name}.{token()}")
        try:
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with temporary.open("xb") as stream:
                stream.write(hashlib.sha256(body).digest())
                stream.write(body)
            temporary.replace(place)
        except OSError:
            temporary.unlink(missing_ok=True)


def _kinds() -> dict[str, "pa.DataType"]:
    """Give the type of each part of a file's state; numbers of files may take 64 bits."""
    import pyarrow as pa

    return {name: pa.uint64() if name == "inode" else pa.int64() for name in _STATE}


def _states(files: Sequence[LocalFile]) -> "pa.Table":
    import pyarrow as pa

    states = [file.state for file in files]
    columns = {"path": pa.array([file.path for file in files], pa.string())}
    for number, (name, kind) in enumerate(_kinds().items()):
        columns[name] = pa.array([state[number] for state in states], kind)
    return pa.table(columns)
