"""Hashes of many values at once, the same on every machine; for counting, not for identity.

Numbers are mixed by the finalizer of SplitMix64 (Steele, Lea and Flood, "Fast Splittable
Pseudorandom Number Generators", OOPSLA 2014), texts are first reduced by a polynomial modulo 2^64
over their bytes. Who knows the constants can make values that collide.
"""

import hashlib
from bisect import bisect_right
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_WORD = 1 << 64
_BASE = 0xD6E8FEB86659FD93  # odd, so that it has an inverse
_STEP = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_PIECE = 1 << 18  # bytes hashed at once; a longer text is hashed alone


def hash_numbers(array: "pa.Array") -> "pa.UInt64Array":
    """Give a hash of each number.

    Args:
        array: Of type int64, uint64 or float64, without nulls and NaN.

    Example:
        >>> import pyarrow as pa
        >>> hashes = hash_numbers(pa.array([0.0, -0.0, 1.0]))
        >>> hashes[0] == hashes[1], hashes[0] == hashes[2]
        (True, False)
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    if types.is_floating(array.type):
        array = pc.add(array, 0.0)  # the two zeros become one
    return _mixed(pc.add(array.view(pa.uint64()), pa.scalar(_STEP, pa.uint64())))


def hash_bytes(array: "pa.Array") -> "pa.UInt64Array":
    """Give a hash of each text.

    Args:
        array: Of type large_string or large_binary, without nulls.

    Example:
        >>> import pyarrow as pa
        >>> len(hash_bytes(pa.array(["UA", "AA", "UA"], pa.large_string())).unique())
        2
    """
    import pyarrow as pa

    if not len(array):
        return pa.array([], pa.uint64())
    _, places, data = array.buffers()
    offsets = pa.Array.from_buffers(pa.int64(), len(array) + 1, [None, places], offset=array.offset)
    size = offsets[-1].as_py()
    text = pa.Array.from_buffers(pa.uint8(), size, [None, data or pa.py_buffer(b"")])
    pieces, row = [], 0
    while row < len(array):
        start = offsets[row].as_py()
        end = bisect_right(
            range(len(offsets)), start + _PIECE, lo=row, key=lambda at: offsets[at].as_py()
        )
        if end - 1 == row:
            pieces.append(_hashed_alone(text.slice(start, offsets[end].as_py() - start)))
            row = end
            continue
        pieces.append(_polynomials(offsets.slice(row, end - row), text))
        row = end - 1
    return pa.concat_arrays(pieces)


def _hashed_alone(text: "pa.UInt8Array") -> "pa.UInt64Array":
    import pyarrow as pa

    data = memoryview(text.buffers()[1])[text.offset : text.offset + len(text)]
    digest = hashlib.blake2b(data, digest_size=8).digest()
    return pa.array([int.from_bytes(digest, "little")], pa.uint64())


def _polynomials(offsets: "pa.Int64Array", text: "pa.UInt8Array") -> "pa.UInt64Array":
    """Hash the texts between neighbouring offsets.

    The sum of (byte + 1) * base^place over a text is a difference of two running sums; to divide
    it by base^start, where the text begins, makes it the same wherever the text stands.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    start = offsets[0]
    places = pc.subtract(offsets, start)
    size = places[-1].as_py()
    letters = pc.add(text.slice(start.as_py(), size).cast(pa.uint64()), pa.scalar(1, pa.uint64()))
    sums = pc.cumulative_sum(pc.multiply(letters, _powers(_BASE).slice(0, size)))
    sums = pa.concat_arrays([pa.array([0], pa.uint64()), sums]).take(places)
    count = len(offsets) - 1
    inverses = _powers(pow(_BASE, -1, _WORD)).take(places.slice(0, count))
    values = pc.multiply(pc.subtract(sums.slice(1), sums.slice(0, count)), inverses)
    sizes = pc.subtract(places.slice(1), places.slice(0, count)).view(pa.uint64())
    return _mixed(pc.add(values, pc.multiply(sizes, pa.scalar(_STEP, pa.uint64()))))


@cache
def _powers(base: int) -> "pa.UInt64Array":
    """Give the powers of a base modulo 2^64, as many as a piece needs."""
    import pyarrow as pa
    import pyarrow.compute as pc

    powers = pa.array([1], pa.uint64())
    while len(powers) <= _PIECE:
        factor = pa.scalar(pow(base, len(powers), _WORD), pa.uint64())
        powers = pa.concat_arrays([powers, pc.multiply(powers, factor)])
    return powers


def _mixed(words: "pa.UInt64Array") -> "pa.UInt64Array":
    import pyarrow as pa
    import pyarrow.compute as pc

    for shift, factor in ((30, _FIRST), (27, _SECOND)):
        words = pc.bit_wise_xor(words, pc.shift_right(words, pa.scalar(shift, pa.uint64())))
        words = pc.multiply(words, pa.scalar(factor, pa.uint64()))
    return pc.bit_wise_xor(words, pc.shift_right(words, pa.scalar(31, pa.uint64())))
