"""The files of a version as folders, found in the sorted list of their paths without walking it."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mlkit.objects.manifest import Manifest

_AFTER = "0"  # the character after "/"


class Node(NamedTuple):
    """A file or a folder.

    Attributes:
        path: Where it is in the version.
        size: The bytes of a file; None of a folder.
        digest: The digest of a file, where it is known.
    """

    path: str
    size: int | None = None
    digest: str | None = None


class FileTree:
    """Files of a version by their folders; a look costs a few steps, however many files there are.

    Args:
        manifest: The files.

    Example:
        >>> from mlkit.objects.manifest import FileEntry, Manifest
        >>> zeros = "sha256:" + "0" * 64
        >>> tree = FileTree(Manifest.of(FileEntry(path, 0, zeros) for path in ("a/b", "a/c", "d")))
        >>> [node.path for node in tree.children("")], tree.find("a").size
        (['a', 'd'], None)
    """

    def __init__(self, manifest: "Manifest") -> None:
        import pyarrow as pa

        self._table = manifest.table.select(["path", "size", "digest"]).combine_chunks()
        chunks = self._table["path"].chunks
        self._paths = chunks[0] if chunks else pa.array([], pa.string())

    def find(self, path: str) -> Node | None:
        """Give the file or folder of a path, None where there is none; the root is a folder."""
        row = self._row(path)
        if row < len(self._paths) and self._path(row) == path:
            return self._node(row)
        below = self._row(f"{path}/")
        is_folder = below < len(self._paths) and self._path(below).startswith(f"{path}/")
        return Node(path) if is_folder or not path else None

    def children(self, folder: str) -> Iterator[Node]:
        """Give what is right in a folder, sorted by path."""
        prefix = f"{folder}/" if folder else ""
        row = self._row(prefix)
        while row < len(self._paths) and (path := self._path(row)).startswith(prefix):
            name, slash, _ = path[len(prefix) :].partition("/")
            if slash:
                yield Node(prefix + name)
                row = self._row(prefix + name + _AFTER)
            else:
                yield self._node(row)
                row += 1

    def only(self) -> str | None:
        """Give the path of the only file, None where there is another number of them."""
        return self._path(0) if len(self._paths) == 1 else None

    def _row(self, path: str) -> int:
        """Give the first row whose path isn't before another one."""
        return bisect_left(range(len(self._paths)), path, key=self._path)

    def _path(self, row: int) -> str:
        path: str = self._paths[row].as_py()
        return path

    def _node(self, row: int) -> Node:
        digest = self._table["digest"][row].as_py()
        known = None if digest is None else f"sha256:{digest.hex()}"
        return Node(self._path(row), self._table["size"][row].as_py(), known)
