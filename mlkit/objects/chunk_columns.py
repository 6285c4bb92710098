"""The places of many chunks as columns, a few dozen bytes each, on their way to Arrow."""

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

_RAW = 32


class Place(NamedTuple):
    """Where a pack writer put a chunk, or found it.

    Attributes:
        digest: The 32 bytes of the chunk's SHA-256.
        size: Its length in bytes.
        pack: Which of the writer's packs, from 0; what its digest is shows at the end.
        offset: Where in the pack it begins.
    """

    digest: bytes
    size: int
    pack: int
    offset: int


class ChunkColumns:
    """Places of chunks that grow by one at a time.

    Example:
        >>> columns = ChunkColumns()
        >>> columns.add(Place(bytes(32), 5, 0, 7))
        >>> columns.to_arrow([b"p" * 32]).to_pylist()[0]["offset"]
        7
    """

    def __init__(self) -> None:
        self._digests = bytearray()
        self._sizes, self._packs, self._offsets = array("q"), array("i"), array("q")

    def __len__(self) -> int:
        return len(self._sizes)

    def add(self, place: Place) -> None:
        """Add a chunk."""
        self._digests += place.digest
        self._sizes.append(place.size)
        self._packs.append(place.pack)
        self._offsets.append(place.offset)

    def to_arrow(self, packs: Sequence[bytes]) -> "pa.StructArray":
        """Give the columns as structs of `digest`, `size`, `pack` and `offset`.

        Args:
            packs: The digest of each pack.
        """
        import pyarrow as pa

        from mlkit.objects.manifest import chunk_type

        names = pa.array(packs, pa.binary(_RAW))
        columns = [
            fixed_digests(self._digests),
            numbers(self._sizes),
            names.take(pa.array(self._packs, pa.int32())),
            numbers(self._offsets),
        ]
        return pa.StructArray.from_arrays(columns, fields=list(chunk_type()))


def fixed_digests(raw: bytearray) -> "pa.Array":
    """Give joined digests as an array of 32 bytes each."""
    import pyarrow as pa

    count = len(raw) // _RAW
    return pa.Array.from_buffers(pa.binary(_RAW), count, [None, pa.py_buffer(bytes(raw))])


def numbers(values: "array[int]") -> "pa.Array":
    """Give whole numbers of 64 bits as an array."""
    import pyarrow as pa

    raw = pa.py_buffer(values.tobytes())
    return pa.Array.from_buffers(pa.int64(), len(values), [None, raw])
