"""One thing that a run kept."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from attrs import field, frozen

from mlkit._core.ids import token
from mlkit.errors import Corrupt, InvalidInput, NotFound, StorageFault
from mlkit.objects.blobs import Blobs
from mlkit.tracking.content import check_artifact_name


@frozen
class Artifact:
    """A file that a run kept, found by its content.

    Attributes:
        name: Its name in the run, with `/` between folders.
        digest: The digest of its content.
        size: Its size in bytes.
        type: How it was logged: file, text, dict, table, figure or image.
    """

    name: str
    digest: str
    size: int
    type: str
    blobs: Blobs = field(repr=False, eq=False)

    def read(self) -> bytes:
        """Give the bytes, checked against the digest.

        Raises:
            NotFound: The content isn't in the store.
            Corrupt: It was damaged.
        """
        with self._named():
            return self.blobs.read(self.digest)

    def open(self) -> BinaryIO:
        """Give a readable file of the bytes, checked against the digest before this returns.

        It is the store's own file where that is local, else a temporary copy. Close it after use.

        Raises:
            NotFound: The content isn't in the store.
            Corrupt: It was damaged.
        """
        with self._named():
            return self.blobs.open(self.digest)

    def text(self) -> str:
        """Give the content as text in UTF-8."""
        return self.read().decode("utf-8", "surrogatepass")

    def download(self, folder: str | Path) -> Path:
        """Write the content below a folder, under the artifact's name, whole or not at all.

        Args:
            folder: Where to; it is made if it doesn't exist. A file of the same name is replaced.

        Returns:
            The file.

        Raises:
            InvalidInput: The name leads out of the folder, or a file stands where a folder must
                be, or the other way round.
            NotFound: The content isn't in the store.
            Corrupt: It was damaged.
            StorageFault: The disk failed.
        """
        target = Path(folder) / check_artifact_name(self.name)
        try:
            _make_folders(Path(folder), target.parent)
            if target.is_dir() and not target.is_symlink():
                message = f"{str(target)!r} is a folder, and must become a file"
                raise InvalidInput(message, hint="Remove it, or download to another folder")
            self._write(target)
        except (StorageFault, NotFound):
            raise
        except (FileExistsError, NotADirectoryError) as error:
            message = f"{str(error.filename or folder)!r} is a file, and must be a folder"
            raise InvalidInput(message, hint="Remove it, or download to another folder") from error
        except OSError as error:
            raise StorageFault(f"{str(target)!r} can't be written: {error.strerror}") from error
        return target

    def _write(self, target: Path) -> None:
        temporary = target.with_name(f".mlkit-{token()}")
        try:
            with temporary.open("xb") as stream, self._named():
                self.blobs.write_to(stream, self.digest)
            os.replace(temporary, target)  # noqa: PTH105 - the pair of names reads better
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Say of which artifact the content is missing or damaged."""
        try:
            yield
        except NotFound as error:
            message = f"The content of artifact {self.name!r} isn't in the store"
            hint = "It may wait on the machine that logged it: run store.sync() there"
            raise NotFound(message, hint=hint) from error
        except Corrupt as error:
            message = f"Artifact {self.name!r} can't be given: {error.message}"
            raise Corrupt(message, hint=error.hint) from error


def _make_folders(root: Path, folder: Path) -> None:
    """Make a folder below the root, unless a link on the way leads out of it."""
    root.mkdir(parents=True, exist_ok=True)
    real = Path(os.path.realpath(root))
    place = root
    for part in folder.relative_to(root).parts:
        place /= part
        if place.is_symlink() and not Path(os.path.realpath(place)).is_relative_to(real):
            message = f"{str(place)!r} is a link that leads out of {str(root)!r}"
            raise InvalidInput(message, hint="Remove it, or download to another folder")
        place.mkdir(exist_ok=True)
