"""The bytes of a pickle as an unpickler reads them: decompressed, and frame by frame.

What reads a file otherwise than the unpickler does can be shown another program than the one
that runs. So the same classes decompress as in joblib, and frames are kept as in `pickle`.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

_ZLIB, _GZIP, _BZ2, _XZ, _LZMA = b"\x78", b"\x1f\x8b", b"BZ", b"\xfd7zXZ", b"\x5d\x00"
_LONGEST_PREFIX = 6
_BUFFER = 1 << 20
_PIECE = 1 << 20
_TOO_LARGE = "it is too large to look through"
MOST_DECOMPRESSED = 256 << 20
"""How far a compressed file is followed: a few megabytes may stand for terabytes."""
MOST_READ = 64 << 20
"""How much of a pickle is looked at; what is only passed over, as arrays are, doesn't count."""


class Unfollowed(Exception):
    """The bytes can't be followed any further; the message says why."""


@contextmanager
def open_pickle(path: Path) -> Iterator[IO[bytes]]:
    """Open a file as joblib would: decompressed, if its first bytes are those of a format.

    Args:
        path: The file.

    Returns:
        A stream of the pickle's bytes, open within the block.
    """
    with path.open("rb") as file:
        prefix = file.read(_LONGEST_PREFIX)
        file.seek(0)
        opener = _opener(prefix)
        if opener is None:
            yield file
        else:
            with io.BufferedReader(opener(file), _BUFFER) as stream:
                yield cast("IO[bytes]", _Bounded(cast("IO[bytes]", stream)))


def _opener(prefix: bytes) -> Callable[[IO[bytes]], io.RawIOBase] | None:
    """Give what decompresses a file that begins like this, in the order that joblib tries them."""
    if prefix.startswith(_ZLIB):
        from joblib.compressor import BinaryZlibFile

        return cast("Callable[[IO[bytes]], io.RawIOBase]", BinaryZlibFile)
    if prefix.startswith(_GZIP):
        from joblib.compressor import BinaryGzipFile

        return cast("Callable[[IO[bytes]], io.RawIOBase]", BinaryGzipFile)
    if prefix.startswith(_BZ2):
        import bz2

        return cast("Callable[[IO[bytes]], io.RawIOBase]", bz2.BZ2File)
    if prefix.startswith((_XZ, _LZMA)):
        import lzma

        return cast("Callable[[IO[bytes]], io.RawIOBase]", lzma.LZMAFile)
    return None


class _Bounded:
    """Reads a stream, and gives up where it is too long."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._left = MOST_DECOMPRESSED

    def read(self, size: int) -> bytes:
        return self._counted(self._stream.read(min(size, self._left + 1)))

    def readline(self, size: int) -> bytes:
        return self._counted(self._stream.readline(min(size, self._left + 1)))

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise Unfollowed(_TOO_LARGE)
        return data


class Unframer:
    """Reads opcodes and their arguments, out of the current frame where there is one.

    Args:
        file: The pickle's bytes; arrays of joblib are read from it directly, past the frame.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self._frame: io.BytesIO | None = None
        self._left = MOST_READ

    def read(self, size: int) -> bytes:
        """Give exactly so many bytes."""
        self._left -= size
        if self._left < 0:
            raise Unfollowed(_TOO_LARGE)
        if self._frame is not None:
            data = self._frame.read(size)
            if data or not size:
                return self._whole(data, size)
            self._frame = None
        return self._whole(self.file.read(size), size)

    def readline(self) -> bytes:
        """Give the bytes up to the next newline, with it."""
        if self._frame is not None:
            data = self._frame.readline()
            if data:
                return self._line(data)
            self._frame = None
        return self._line(self.file.readline(_PIECE))

    def begin_frame(self, size: int) -> None:
        """Read a frame; the one before must be used up."""
        if self._frame is not None and self._frame.read():
            raise Unfollowed("a frame begins before the end of another")
        if size > MOST_READ:
            raise Unfollowed(_TOO_LARGE)
        self._frame = io.BytesIO(self._whole(self.file.read(size), size))

    def pass_over(self, size: int) -> None:
        """Pass over a part as if it were read, in the frame or after it; it takes no memory."""
        if self._frame is not None:
            data = self._frame.read(size)
            if data or not size:
                self._whole(data, size)
                return
            self._frame = None
        self.skip(size)

    def skip(self, size: int) -> None:
        """Pass over bytes of the file, as an array of joblib does; the frame stays as it is."""
        while size > 0:
            piece = self.file.read(min(size, _PIECE))
            if not piece:
                raise Unfollowed("an array or a text ends too early")
            size -= len(piece)

    @staticmethod
    def _whole(data: bytes, size: int) -> bytes:
        if len(data) < size:
            raise Unfollowed("the file ends in the middle")
        return data

    @staticmethod
    def _line(data: bytes) -> bytes:
        if not data.endswith(b"\n"):
            raise Unfollowed("a line has no end")
        return data
