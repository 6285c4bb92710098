"""Files from elsewhere that become versions: read where they are, a few at a time, and copied."""

import hashlib
import io
from typing import TYPE_CHECKING, BinaryIO

from mlkit.data.sources.places import RemoteFile, RemoteFiles
from mlkit.data.storing.content import Described, Listing, Surroundings
from mlkit.data.storing.file_contents import files_digest
from mlkit.data.storing.folder import check_alike
from mlkit.errors import InvalidInput
from mlkit.objects import cutting
from mlkit.storage.parallel import each

if TYPE_CHECKING:
    from mlkit.objects.intake import Intake, Kept
    from mlkit.objects.manifest import Manifest
    from mlkit.objects.pack_writer import PackWriter

_SMALL = 1 << 20  # read whole, and a few dozen of them ahead
_AT_ONCE = 8 << 20


class RemoteContent:
    """The files that a URL means, which become a version as if they lay in a local folder.

    Args:
        files: The files.

    Raises:
        InvalidInput: Two names differ by case or Unicode form only.
    """

    def __init__(self, files: RemoteFiles) -> None:
        check_alike(file.path for file in files.files)
        self.kind = files.kind
        self._files = files

    def digest(self, around: Surroundings) -> None:
        """Not known before the files were read."""

    def demand(self) -> None:
        """Nothing can be demanded of files."""

    def store(self, packs: "PackWriter", intake: "Intake", around: Surroundings) -> Listing:  # noqa: ARG002 - chunks go through the intake
        """Read all files; chunks that are known aren't stored again."""
        files = self._files.files
        around.progress.stage("reading files", total=len(files))
        ahead = each(_read_small, files, threads=self._files.place.threads)
        for file, data in zip(files, ahead, strict=True):
            kept = _keep(file, data, intake)
            if file.size and kept.size != file.size:
                raise InvalidInput(
                    f"{file.path!r} at {self._files.place.url} changed while it was read",
                    hint="Do it again when nobody writes there; no version was made",
                )
            intake.add(file.path, kept)
            around.progress.add(size=kept.size)
        self._files.check()
        return intake.manifest

    def describe(self, manifest: "Manifest") -> Described:
        """Give the digest of the files."""
        return Described(files_digest(self.kind, manifest))

    def remember(self, manifest: "Manifest", digest: str, around: Surroundings) -> None:
        """Nothing is remembered of them."""

    def close(self) -> None:
        """Nothing was taken."""


def _read_small(file: RemoteFile) -> bytes | None:
    """Give a small file; nothing for one that is read in pieces, or is of unknown size."""
    if not 0 < file.size <= _SMALL:
        return None
    with file.open() as stream:
        return file.place.guarded(stream.read)


def _keep(file: RemoteFile, data: bytes | None, intake: "Intake") -> "Kept":
    if data is None:
        with file.open() as stream:
            return intake.keep(cutting.cut(io.BufferedReader(_Guarded(file, stream), _AT_ONCE)))
    if len(data) <= cutting.LEAST:
        return intake.keep_small(data, hashlib.sha256(data).digest())
    return intake.keep(cutting.cut(io.BytesIO(data)))


class _Guarded(io.RawIOBase):
    """A file of a driver, whose errors are mlkit's.

    Args:
        file: The file.
        stream: The driver's own, open.
    """

    def __init__(self, file: RemoteFile, stream: BinaryIO) -> None:
        super().__init__()
        self._file, self._stream = file, stream

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: "memoryview", /) -> int:  # type: ignore[override]
        """Fill a buffer, and give the number of bytes; 0 at the end."""
        data = self._file.place.guarded(lambda: self._stream.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)
