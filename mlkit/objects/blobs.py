"""Whole files kept under the digest of their content: `blobs/<aa>/<sha256>`."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Self, cast

from attrs import evolve, field, frozen

from mlkit._core.clock import Clock, now_ns
from mlkit._core.hashing import Hasher, digest_bytes, digest_file, digest_stream, hex_of
from mlkit.errors import Corrupt, InvalidInput, MlkitError, NotFound, StorageFault
from mlkit.objects.age import is_aging
from mlkit.objects.local_cache import local_cache
from mlkit.storage.faulting import fault

if TYPE_CHECKING:
    from mlkit.storage.protocol import Storage

ROOT = "blobs"
_PIECE = 8 << 20
_IN_MEMORY = 8 << 20


def object_path(root: str, digest: str) -> str:
    """Give the place of a content-addressed object below a root.

    Args:
        root: `blobs` or `packs`.
        digest: The digest of the object's bytes.

    Raises:
        Corrupt: The text is no digest.

    Example:
        >>> object_path("blobs", digest_bytes(b""))[:20]
        'blobs/e3/e3b0c44298f'
    """
    digits = hex_of(digest)
    return f"{root}/{digits[:2]}/{digits}"


def damaged(path: str) -> Corrupt:
    """Give the error for an object whose bytes don't match its name."""
    message = f"{path} doesn't match its digest: its bytes were damaged or replaced"
    return Corrupt(message, hint="store.verify() lists all damage and what it hurts")


@frozen
class Blobs:
    """The immutable whole files of a store: models, artifacts, manifests.

    Any number of threads and processes may put and read at once: a name is its content, so two
    writers of a name write the same bytes.

    Args:
        storage: Where they lie.
        clock: Gives the present time.

    Example:
        >>> from mlkit.storage.memory import MemoryStorage
        >>> blobs = Blobs(MemoryStorage("blobs-example"))
        >>> digest = blobs.put(b"weights")
        >>> blobs.read(digest)
        b'weights'
    """

    storage: "Storage" = field()
    clock: Clock = field(default=now_ns, kw_only=True, repr=False, eq=False)
    _renewed: dict[str, None] | None = field(default=None, kw_only=True, repr=False, eq=False)

    def put(self, data: "bytes | Path | BinaryIO", *, durable: bool = False) -> str:
        """Store bytes, a file or the rest of a stream, unless it is there already.

        What is there, but so old that garbage might be made of it, is written again.

        Args:
            data: The bytes, the path of a file, or a stream; files and streams are never held in
                memory whole.
            durable: Return only when a power cut can't take it back; for what a version is going
                to refer to.

        Returns:
            The digest, under which the bytes are found again.

        Raises:
            InvalidInput: The file changed between its digest and its copy.
        """
        if isinstance(data, bytes):
            return self._put_bytes(data, durable=durable)
        if isinstance(data, Path):
            with data.open("rb") as stream:
                return self._put_stream(stream, str(data), durable=durable)
        if data.seekable():
            return self._put_stream(data, "The stream", durable=durable)
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
            while piece := data.read(_PIECE):
                spool.write(piece)
            spool.seek(0)
            return self._put_stream(cast("BinaryIO", spool), "The stream", durable=durable)

    def _put_bytes(self, data: bytes, *, durable: bool) -> str:
        digest = digest_bytes(data)
        if not self._holds(digest, len(data)):
            self.storage.write(object_path(ROOT, digest), data, durable=durable)
        return digest

    def _put_stream(self, stream: BinaryIO, what: str, *, durable: bool) -> str:
        start = stream.tell()
        digest = digest_stream(stream)
        size = stream.tell() - start
        if not self._holds(digest, size):
            stream.seek(start)
            witness = cast("BinaryIO", _Witness(stream, digest, what))
            self.storage.write(object_path(ROOT, digest), witness, durable=durable)
        return digest

    def _holds(self, digest: str, size: int) -> bool:
        """Tell whether the object is there to stay, and whole; else it is written again."""
        try:
            entry = self.storage.stat(object_path(ROOT, digest))
        except NotFound:
            return False
        if entry.size == size and is_aging(entry.modified, self.clock()):
            if self._renewed is not None:
                self._renewed[digest] = None
            return False
        return entry.size == size

    def watched(self) -> Self:
        """Give the same blobs, but such as remember which of them were written again for age."""
        return evolve(self, renewed={})

    def lost(self) -> list[str]:
        """Give the digests that these `watched` blobs wrote again and that aren't there now.

        Garbage may have been made of an old object in the moment in which it was written again.
        So who has published what refers to it looks once more, and then puts these again.
        """
        return [digest for digest in self._renewed or () if not self.contains(digest)]

    def contains(self, digest: str) -> bool:
        """Tell whether an object of this digest is there, without reading it."""
        try:
            self.storage.stat(object_path(ROOT, digest))
        except NotFound:
            return False
        return True

    def size(self, digest: str) -> int:
        """Give the size in bytes.

        Raises:
            NotFound: There is no such blob.
        """
        return self.storage.stat(object_path(ROOT, digest)).size

    def read(self, digest: str) -> bytes:
        """Give the bytes, after checking them.

        Raises:
            NotFound: There is no such blob.
            Corrupt: The bytes don't match the digest.
        """
        path = object_path(ROOT, digest)
        data = self.storage.read(path)
        if digest_bytes(data) != digest:
            raise damaged(path)
        return data

    def open(self, digest: str) -> BinaryIO:
        """Give a readable file of the bytes, after checking them; they are never in memory whole.

        Returns:
            The file at its beginning, which the caller closes and doesn't write to: the blob itself
            in a local store, else a copy, in memory up to 8 MiB and beyond in a temporary file.

        Raises:
            NotFound: There is no such blob.
            Corrupt: The bytes don't match the digest.
            StorageFault: The storage failed, or the temporary folder can't hold the copy.
        """
        path = object_path(ROOT, digest)
        local = self.storage.local_path(path)
        if local is None:
            return self._open_copy(digest)
        try:
            with ExitStack() as opened:
                stream = opened.enter_context(local.open("rb"))
                if digest_stream(stream) != digest:
                    raise damaged(path)
                stream.seek(0)
                opened.pop_all()
                return stream
        except OSError as error:
            raise fault(error, self.storage.url, path, writing=False) from error

    def _open_copy(self, digest: str) -> BinaryIO:
        with ExitStack() as opened:
            spool = opened.enter_context(tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY))
            stream = cast("BinaryIO", spool)
            try:
                self.write_to(stream, digest)
                stream.seek(0)
            except MlkitError:
                raise
            except OSError as error:
                raise StorageFault(
                    f"The temporary folder {tempfile.gettempdir()!r} can't be used:"
                    f" {error.strerror}",
                    hint="Free some space there, or set TMPDIR to another folder",
                ) from error
            opened.pop_all()
            return stream

    def write_to(self, stream: BinaryIO, digest: str) -> None:
        """Write the bytes to a stream piece by piece, and check them at the end.

        Args:
            stream: Where they go; what it holds is no good until this returns.
            digest: The digest of the blob.

        Raises:
            NotFound: There is no such blob.
            Corrupt: The bytes that were written don't match the digest.

        Example:
            >>> import io
            >>> from mlkit.storage.memory import MemoryStorage
            >>> blobs = Blobs(MemoryStorage("write-to-example"))
            >>> copy = io.BytesIO()
            >>> blobs.write_to(copy, blobs.put(b"weights"))
            >>> copy.getvalue()
            b'weights'
        """
        path = object_path(ROOT, digest)
        size = self.storage.stat(path).size
        hasher = Hasher()
        for start in range(0, size, _PIECE):
            piece = self.storage.read(path, start, min(start + _PIECE, size))
            hasher.update(piece)
            stream.write(piece)
        if hasher.digest != digest:
            raise damaged(path)

    def path(self, digest: str, cache: Path) -> Path:
        """Give the blob as a local file, after checking it; it must not be changed.

        Args:
            digest: The digest of the blob.
            cache: A folder for the copy of a blob that isn't a local file. Any number of processes
                may share it.

        Returns:
            The blob itself in a local store, else its copy in the cache.

        Raises:
            NotFound: There is no such blob.
            Corrupt: The bytes don't match the digest.
            StorageFault: The cache can't be written.
        """
        path = object_path(ROOT, digest)
        local = self.storage.local_path(path)
        if local is not None:
            if digest_file(local) != digest:
                raise damaged(path)
            return local
        try:
            return local_cache(cache).file(
                path,
                lambda copy: digest_file(copy) == digest,
                lambda stream: self.write_to(stream, digest),
            )
        except MlkitError:
            raise
        except OSError as error:
            raise StorageFault(
                f"The cache {str(cache)!r} can't be used: {error.strerror}",
                hint="Free some space there, or set MLKIT_CACHE to another folder",
            ) from error

    def read_cached(self, digest: str, cache: Path) -> bytes:
        """Give the bytes of a blob that is read again and again, after checking them.

        Args:
            digest: The digest of the blob.
            cache: A folder for the copy of a blob that isn't a local file; one that can't be used
                does no harm.

        Raises:
            NotFound: There is no such blob.
            Corrupt: The bytes don't match the digest.
        """
        path = object_path(ROOT, digest)
        if self.storage.local_path(path) is not None:
            return self.read(digest)
        copies = local_cache(cache)
        data = copies.get(path)
        if data is not None and digest_bytes(data) == digest:
            return data
        data = self.read(digest)
        copies.put(path, data)
        return data


class _Witness:
    """A stream that fails at its end when it wasn't what its digest says.

    It fails inside the storage's write, so that an atomic write leaves nothing behind.
    """

    def __init__(self, inner: IO[bytes], digest: str, what: str) -> None:
        self._inner = inner
        self._expected = digest
        self._what = what
        self._hasher = Hasher()

    def read(self, size: int = -1, /) -> bytes:
        piece = self._inner.read(size)
        self._hasher.update(piece)
        if (size < 0 or (size > 0 and not piece)) and self._hasher.digest != self._expected:
            message = f"{self._what} changed while it was stored"
            raise InvalidInput(message, hint="Store it again when nobody writes to it")
        return piece
