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
MOST_BYTES = 8 << 30
"""How much of one file is read; more than that is a bomb, or too big to say anything about."""


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
                yield stream


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


class Unframer:
    """Reads opcodes and their arguments, out of the current frame where there is one.

    Args:
        file: The pickle's bytes; arrays of joblib are read from it directly, past the frame.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self._frame: io.BytesIO | None = None

    def read(self, size: int) -> bytes:
        """Give exactly so many bytes."""
        if self._frame is not None:
            data = self._frame.read(size)
            if data or not size:
                return self._whole(data, size)
            self._frame = None
        return self._exactly(size)

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
        self._frame = io.BytesIO(self._exactly(size))

    def skip(self, size: int) -> None:
        """Pass over bytes of the file, as an array of joblib does; the frame stays as it is."""
        while size > 0:
            piece = self.file.read(min(size, _PIECE))
            if not piece:
                raise Unfollowed("an array ends too early")
            size -= len(piece)

    def _exactly(self, size: int) -> bytes:
        """Give bytes of the file, piece by piece, so that a length alone takes no memory."""
        if size <= _PIECE:
            return self._whole(self.file.read(size), size)
        if size > MOST_BYTES:
            raise Unfollowed("a part of it is longer than any file")
        pieces = []
        for start in range(0, size, _PIECE):
            length = min(_PIECE, size - start)
            pieces.append(self._whole(self.file.read(length), length))
        return b"".join(pieces)

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
