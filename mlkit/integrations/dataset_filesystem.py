"""`mlkit://flights:3/part.parquet`: versions of datasets as a filesystem of fsspec.

So pandas, pyarrow and whatever else takes an fsspec URL read versions in place, every byte checked
against its digest. DuckDB does once the filesystem is registered there; polars, which has its own
drivers, takes a file that was opened.
"""

import errno
import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from mlkit.errors import InvalidName, NotFound, ReadOnly
from mlkit.integrations.file_tree import FileTree, Node
from mlkit.store.default import get_store
from mlkit.store.store import Store

if TYPE_CHECKING:
    from os import PathLike

    from mlkit.data.version import DatasetVersion

_SECOND = 10**9


class DatasetFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """The datasets of a store as folders, which only read.

    The first part of a path is a reference: `flights` (the newest version), `flights:3`,
    `flights@gold` or `flights#1f3a9c`. What follows is a file of that version, whatever characters
    its name has. An instance looks each reference up once, so all that it reads under a moving
    alias is of one version; a new instance looks anew.

    Args:
        store: A store, or where one is; the default store by default.

    Example:
        >>> import fsspec
        >>> import mlkit
        >>> store = mlkit.Store("memory://filesystem-example")
        >>> version = store.log_dataset("flights", {"delay": [3.5, None]})
        >>> with fsspec.open("mlkit://flights:1/data.parquet", store=store) as file:
        ...     file.read(4)
        b'PAR1'
    """

    protocol = "mlkit"
    root_marker = ""
    cachable = False  # what an alias means, and which store is the default one, may have moved

    def __init__(
        self, *, store: "Store | str | PathLike[str] | None" = None, **options: Any
    ) -> None:
        super().__init__(**options)
        if store is None:
            self._store = get_store()
        else:
            self._store = store if isinstance(store, Store) else Store(store)
        self._versions: dict[str, tuple[DatasetVersion, FileTree]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Let another process read the same versions of the same store."""
        pinned = {name: version.ref for name, (version, _) in self._versions.items()}
        return _reopened, (type(self), self._store, pinned)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DatasetFileSystem) and other._store.url == self._store.url

    def __hash__(self) -> int:
        return hash((type(self), self._store.url))

    @property
    def fsid(self) -> str:
        """What tells the filesystems of different stores apart."""
        return f"mlkit_{self._store.id}"

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:  # noqa: FBT001, FBT002 - as fsspec declares it
        """Give what is in a folder; of the root, the datasets.

        Args:
            path: The folder; of a file, it alone is given.
            detail: Give a dict for each, as `info` does, rather than its name.

        Raises:
            FileNotFoundError: There is no such file or folder.
        """
        path = self._strip_protocol(path)
        found: list[dict[str, Any]]
        if not path:
            found = [_folder(name) for name in self._store.datasets.names()]
        else:
            reference, held, node = self._node(path)
            version = self._versions[reference][0]
            nodes = held.children(node.path) if node.size is None else [node]
            found = [_described(reference, version, one) for one in nodes]
        return found if detail else [item["name"] for item in found]

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Describe a file or folder: `name`, `type`, and of a file `size`, `digest`, `created`.

        Raises:
            FileNotFoundError: There is no such file or folder.
        """
        path = self._strip_protocol(path)
        if not path:
            return _folder("")
        reference, _tree, node = self._node(path)
        return _described(reference, self._versions[reference][0], node)

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_: Any
    ) -> bytes:
        """Give the bytes of a file, or of a range of it.

        Args:
            path: The file.
            start: The first byte; counted from the end where it is negative.
            end: The byte after the last; likewise.

        Raises:
            FileNotFoundError: There is no such file.
        """
        with self.open(path) as file:
            first, last, _step = slice(start, end).indices(file.seek(0, io.SEEK_END))
            file.seek(first)
            data: bytes = file.read(max(last - first, 0))
            return data

    def ukey(self, path: str) -> str:
        """Give what tells one content from another: the digest of a file, or of a version."""
        about = self.info(path)
        if about["type"] == "file":
            return str(about["digest"] or f"{about['version']}/{about['name']}")
        reference, _, inner = self._strip_protocol(path).partition("/")
        return f"{self._version(reference)[0].digest}/{inner}" if reference else self.fsid

    def checksum(self, path: str) -> int:
        """Give a number that tells one content from another."""
        return int.from_bytes(self.ukey(path).encode()[-16:])

    def created(self, path: str) -> datetime:
        """Give when the version of a file was made."""
        reference, _, _ = self._node(self._strip_protocol(path))
        return datetime.fromtimestamp(self._versions[reference][0].created_at / _SECOND, UTC)

    def modified(self, path: str) -> datetime:
        """Give the same as `created`, since versions don't change."""
        return self.created(path)

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,  # noqa: ARG002, FBT001, FBT002 - as fsspec declares it
        cache_options: dict[str, Any] | None = None,
        cache_type: str | None = None,
        **_: Any,
    ) -> "BinaryIO | _CachedFile":
        """Open a file; that of a version with one file by the reference alone, too.

        Who names a `cache_type` has the file read through that cache of fsspec, as `blockcache::`
        does.
        """
        if mode != "rb":
            self._refuse(path)
        reference, tree, node = self._node(path)
        inner = node.path or tree.only()
        if inner is None or (node.size is None and node.path):
            raise IsADirectoryError(errno.EISDIR, "It is a folder", path)
        file = self._versions[reference][0].open(inner)
        if cache_type is None:
            return file
        return _CachedFile(
            self, path, file, block_size=block_size, cache_type=cache_type, options=cache_options
        )

    def _node(self, path: str) -> tuple[str, FileTree, Node]:
        """Give the reference of a path, and what it means in the version's tree."""
        reference, _, inner = path.partition("/")
        version, tree = self._version(reference)
        node = tree.find(inner)
        if node is None:
            raise FileNotFoundError(errno.ENOENT, f"{version.ref} has no such file", path)
        return reference, tree, node

    def _version(self, reference: str) -> "tuple[DatasetVersion, FileTree]":
        if reference not in self._versions:
            try:
                version = self._store.dataset(reference)
            except (NotFound, InvalidName) as error:
                raise FileNotFoundError(errno.ENOENT, str(error), reference) from error
            self._versions[reference] = version, FileTree(version.listing)
        return self._versions[reference]

    def _refuse(self, path: Any = "", *_: Any, **__: Any) -> NoReturn:
        raise ReadOnly(
            f"mlkit:// only reads, so {str(path)!r} can't be changed: versions are immutable",
            hint="Make a new version: store.log_dataset(name, data)",
        )

    mkdir = makedirs = rmdir = rm_file = _rm = rm = touch = pipe_file = put_file = cp_file = _refuse
    mv = copy = put = pipe = write_text = _refuse


class _CachedFile(AbstractBufferedFile):  # type: ignore[misc]
    """A file that is read through a cache of fsspec."""

    def __init__(
        self,
        fs: DatasetFileSystem,
        path: str,
        file: BinaryIO,
        *,
        block_size: int | None,
        cache_type: str,
        options: dict[str, Any] | None,
    ) -> None:
        self._file = file
        super().__init__(
            fs,
            path,
            block_size=block_size or self.DEFAULT_BLOCK_SIZE,
            cache_type=cache_type,
            cache_options=options,
            size=file.seek(0, io.SEEK_END),
        )

    def _fetch_range(self, start: int, end: int) -> bytes:
        self._file.seek(start)
        return self._file.read(end - start)

    def close(self) -> None:
        self._file.close()
        super().close()


def _reopened(
    kind: type[DatasetFileSystem], store: Store, pinned: dict[str, str]
) -> DatasetFileSystem:
    """Give a filesystem that another process had, with the versions that it had looked up."""
    filesystem = kind(store=store)
    for reference, exact in pinned.items():
        version, tree = filesystem._version(exact)  # noqa: SLF001 - it is being made
        filesystem._versions[reference] = version, tree  # noqa: SLF001
    return filesystem


def _described(reference: str, version: "DatasetVersion", node: Node) -> dict[str, Any]:
    name = f"{reference}/{node.path}" if node.path else reference
    if node.size is None:
        return _folder(name)
    created = version.created_at / _SECOND
    return {
        "name": name,
        "size": node.size,
        "type": "file",
        "digest": node.digest,
        "version": version.ref,
        "created": created,
        "mtime": created,
    }


def _folder(name: str) -> dict[str, Any]:
    return {"name": name, "size": 0, "type": "directory"}
