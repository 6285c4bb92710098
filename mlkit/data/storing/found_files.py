"""Files that were found on the local disk, as columns: a million of them take 100 MB."""

from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import os

    import pyarrow as pa


class FileState(NamedTuple):
    """What the disk says of a file; one that is written to doesn't keep it.

    Attributes:
        size: Its length in bytes.
        mtime_ns: When its bytes were changed last, in nanoseconds since 1970, as its owner may say.
        ctime_ns: When anything of it was changed last, as only the system says.
        inode: The number of the file on its disk.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: "os.stat_result") -> "FileState":
        """Give the state that a `stat` tells."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


class LocalFile(NamedTuple):
    """A file that is to become a part of a version.

    Attributes:
        path: Where it will be in the version, with `/` between its parts.
        source: Where it is on the disk.
        state: What the disk said of it when it was found.
    """

    path: str
    source: str
    state: FileState


class FoundFiles:
    """Files below a folder, with what the disk said of them.

    Args:
        root: The folder.

    Example:
        >>> files = FoundFiles("/data")
        >>> files.add("b.txt", FileState(5, 1, 2, 3))
        >>> files.add("a.txt", FileState(6, 1, 2, 4))
        >>> [file.source for file in files.sorted()]
        ['/data/a.txt', '/data/b.txt']
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.paths: list[str] = []
        self._columns = {name: array("Q" if name == "inode" else "q") for name in FileState._fields}

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[LocalFile]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, row: int) -> LocalFile:
        path = self.paths[row]
        state = FileState(*(column[row] for column in self._columns.values()))
        return LocalFile(path, f"{self.root}/{path}", state)

    def add(self, path: str, state: FileState) -> None:
        """Add a file."""
        self.paths.append(path)
        for column, value in zip(self._columns.values(), state, strict=True):
            column.append(value)

    def without(self, folder: str) -> "FoundFiles":
        """Give the files that aren't below a folder, in their order."""
        found = FoundFiles(self.root)
        for file in self:
            if not file.path.startswith(f"{folder}/"):
                found.add(file.path, file.state)
        return found

    def sorted(self) -> "FoundFiles":
        """Give the same files, sorted by path."""
        order = sorted(range(len(self)), key=self.paths.__getitem__)
        found = FoundFiles(self.root)
        found.paths = [self.paths[row] for row in order]
        for name, column in self._columns.items():
            found._columns[name] = array(column.typecode, (column[row] for row in order))
        return found

    def to_arrow(self) -> "pa.Table":
        """Give the columns `path`, `size`, `mtime_ns`, `ctime_ns` and `inode`."""
        import pyarrow as pa

        columns = {"path": pa.array(self.paths, pa.string())}
        for name, kind in state_types().items():
            column = self._columns[name]
            raw = pa.py_buffer(column.tobytes())
            columns[name] = pa.Array.from_buffers(kind, len(column), [None, raw])
        return pa.table(columns)


def state_types() -> dict[str, "pa.DataType"]:
    """Give the type of each part of a file's state; numbers of files may take 64 bits."""
    import pyarrow as pa

    names = FileState._fields
    return {name: pa.uint64() if name == "inode" else pa.int64() for name in names}
