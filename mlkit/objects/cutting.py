"""Where the bytes of a file are cut into chunks: by their content, or at fixed distances.

Cut by content, a chunk stays the same when bytes before it come or go, so a small change costs a
few chunks. That is FastCDC (Xia et al., "The Design of Fast Content-Defined Chunking for Data
Deduplication Based Storage Systems", IEEE TPDS 31, 2020), which the `cdc` extra brings. Without it
chunks are cut at fixed distances: bytes that are changed in place cost as little, bytes that are
inserted cost all that follow.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any, BinaryIO, cast

from mlkit.objects.packs import CHUNK_SIZE

LEAST = 128 << 10
"""The least bytes of a chunk that isn't a file's last."""

_MIDDLE = 512 << 10
_MOST = 2 << 20


def cut(stream: BinaryIO) -> Iterator[bytes]:
    """Give what a stream holds as chunks, of 2 MiB at most.

    Example:
        >>> import io
        >>> [len(chunk) for chunk in cut(io.BytesIO(bytes(5)))]
        [5]
    """
    chunker = _chunker()
    if chunker is None:
        yield from fixed(stream)
    else:
        for chunk in chunker.cut_stream(stream):
            yield bytes(chunk.data)


def fixed(stream: BinaryIO, size: int = CHUNK_SIZE) -> Iterator[bytes]:
    """Give what a stream holds as chunks of one size, of which the last may be shorter.

    Example:
        >>> import io
        >>> list(fixed(io.BytesIO(b"abcde"), 2))
        [b'ab', b'cd', b'e']
    """
    chunk = b""
    while piece := stream.read(size - len(chunk)):
        chunk += piece
        if len(chunk) == size:
            yield chunk
            chunk = b""
    if chunk:
        yield chunk


def _chunker() -> Any:
    """Give a new chunker, None where the library isn't there or is its slow twin in Python."""
    try:
        module = import_module("pyfastcdc.cy")
    except ImportError:
        return None
    chunker = cast("Any", module).FastCDC
    return chunker(_MIDDLE, min_size=LEAST, max_size=_MOST)
