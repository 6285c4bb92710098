"""What a storage is: few operations, each of which is whole or didn't happen."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from attrs import field, frozen

Body = bytes | bytearray | memoryview | BinaryIO
"""What can be written: bytes in memory, or a stream that is read to its end."""

Names = list[str]
"""Plain names; an alias, since storages have a method called `list`."""


@frozen
class Entry:
    """An object as a listing shows it.

    Attributes:
        path: Where it is, relative to the storage's root.
        size: Its length in bytes.
        modified: When its bytes were written last, in nanoseconds since 1970, UTC, by the clock of
            the storage; None where the storage can't say. Entries that differ in it only are equal.
    """

    path: str
    size: int
    modified: int | None = field(default=None, eq=False, repr=False)


@frozen
class Capabilities:
    """What a storage can promise beyond reading and writing whole objects.

    Attributes:
        exclusive_create: Of any number of writers that create one name at once, one wins.
        append: Bytes can be added to an object, and survive the death of the process at once.
    """

    exclusive_create: bool
    append: bool


@runtime_checkable
class Storage(Protocol):
    """Objects under a root: names that are paths, bodies that are bytes.

    Paths are relative, with `/` between their parts; `paths.check` says which there are. Every
    method may be called by many threads at once, and by many processes on their own instances.
    Every method raises `InvalidInput` for what is no path, and `StorageFault` when the disk, the
    network or the credentials fail; a caller may repeat the same call after a fault, since each
    operation may be done twice with the result of one.
    """

    @property
    def url(self) -> str:
        """Where the root is; opens the same storage again; holds no credentials."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What the storage declares; `probing.probe` tries it."""
        ...

    def read(self, path: str, start: int = 0, end: int | None = None) -> bytes:
        """Give the bytes of an object, or of a range in it.

        Args:
            path: The object.
            start: The first byte, from 0.
            end: The byte after the last; what lies beyond the object is left out.

        Returns:
            The bytes; none where the range is empty or begins beyond the end.

        Raises:
            NotFound: There is no such object.
        """
        ...

    def write(self, path: str, data: Body, *, durable: bool = False) -> None:
        """Store an object, whole or not at all; what held the name is replaced.

        It is meant for names that are unique or made of the content, where replacing changes
        nothing. Streams are copied piece by piece, never held in memory whole.

        Args:
            path: The object.
            data: Its body.
            durable: Return only when a power cut can't take it back. The death of the process
                can't in either case.

        Raises:
            ReadOnly: The storage only reads.
        """
        ...

    def create(self, path: str, data: bytes, *, durable: bool = True) -> None:
        """Store an object under a name that nobody holds yet.

        The call succeeds exactly when the name holds `data` afterwards, so it may be repeated
        after any fault. For that, `data` must hold something that only this writer writes.

        Args:
            path: The object.
            data: Its body, unlike that of any other writer.
            durable: As in `write`.

        Raises:
            AlreadyExists: The name holds other bytes, now and for ever.
            ReadOnly: The storage only reads.
        """
        ...

    def open_append(self, path: str) -> BinaryIO:
        """Open an object to add to its end; it is made if it doesn't exist.

        Returns:
            A raw, unbuffered file: one `write` is one system call, gives the number of bytes it
            took, and raises a plain `OSError`. What it took survives the death of the process.

        Raises:
            StorageFault: The storage can't append; `capabilities.append` says so before.
        """
        ...

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Give every object below a folder, at any depth, sorted by path.

        Args:
            prefix: The folder; a `/` at its end is fine. The root by default.

        Returns:
            The objects; none where there is no such folder. Half-written ones aren't shown.
        """
        ...

    def children(self, prefix: str = "") -> Names:
        """Give the names right below a folder, sorted; those of folders end with `/`.

        Args:
            prefix: The folder; a `/` at its end is fine. The root by default.
        """
        ...

    def stat(self, path: str) -> Entry:
        """Give the size of an object, and when it was written.

        Raises:
            NotFound: There is no such object.
        """
        ...

    def delete(self, path: str) -> None:
        """Remove an object; that it is missing already is fine.

        Raises:
            ReadOnly: The storage only reads.
        """
        ...

    def local_path(self, path: str) -> Path | None:
        """Give the plain local file that is the object, to be read in place.

        Returns:
            The file, or None where the object is no local file or doesn't exist.
        """
        ...
