"""One thing that a run kept."""

import io
from pathlib import Path
from typing import BinaryIO

from attrs import field, frozen

from mlkit._core.ids import token
from mlkit.errors import InvalidInput
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
        return self.blobs.read(self.digest)

    def open(self) -> BinaryIO:
        """Give a readable file of the bytes, checked against the digest."""
        return io.BytesIO(self.read())

    def text(self) -> str:
        """Give the content as text in UTF-8."""
        return self.read().decode("utf-8", "surrogatepass")

    def download(self, folder: str | Path) -> Path:
        """Write the content below a folder, under the artifact's name, whole or not at all.

        Args:
            folder: Where to; it is made if it doesn't exist.

        Returns:
            The file.

        Raises:
            InvalidInput: The name leads out of the folder.
        """
        target = Path(folder) / check_artifact_name(self.name)
        data = self.read()
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(Path(folder).resolve()):
            message = f"{str(target.parent)!r} is a link that leads out of {str(folder)!r}"
            raise InvalidInput(message, hint="Download to another folder")
        temporary = target.with_name(f".{target.name[:50]}.{token()}")
        try:
            temporary.write_bytes(data)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        return target
