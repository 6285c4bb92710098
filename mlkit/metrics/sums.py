"""CRC-32 of any stretch of a buffer, at a cost that doesn't grow with the stretch.

Who looks for frames among garbage meets words that look right and declare millions of bytes. To
go through those bytes for each such word would take hours of a file of some megabytes, so sums of
whole blocks are kept, and that of a stretch is made of them.

The algebra is that of zlib's crc32_combine: a CRC is a polynomial over GF(2), reduced modulo one of
degree 32, and n zero bytes more multiply it by x to the power 8n.
"""

import zlib

_POLYNOMIAL = 0xEDB88320  # bits reflected: the highest is the coefficient of x to the power 0
_ONE = 1 << 31
_ZERO_BYTE = 1 << 23  # x to the power 8

BLOCK = 1024
"""So many bytes have a sum that is kept; so many at most are read at each end of a stretch."""


class Sums:
    """Gives the CRC-32 of stretches of a buffer.

    Args:
        data: The buffer, which mustn't change.

    Example:
        >>> Sums(memoryview(b"frames and garbage")).of(0, 6) == zlib.crc32(b"frames")
        True
    """

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._sums = [0]  # of all before each block
        self._shifts = [_ONE]  # x to the power 8 for each byte of so many blocks

    def of(self, start: int, stop: int) -> int:
        """Give the CRC-32 of the bytes from one offset to before another."""
        data = self._data
        first, last = -(-start // BLOCK), stop // BLOCK
        if last <= first:
            return zlib.crc32(data[start:stop])
        head = zlib.crc32(data[start : first * BLOCK])
        before = self._before(first) ^ head
        joined = times(self._shift(last - first), before) ^ self._before(last)
        return zlib.crc32(data[last * BLOCK : stop], joined)

    def _before(self, block: int) -> int:
        sums = self._sums
        for number in range(len(sums) - 1, block):
            sums.append(zlib.crc32(self._data[number * BLOCK : (number + 1) * BLOCK], sums[-1]))
        return sums[block]

    def _shift(self, blocks: int) -> int:
        shifts = self._shifts
        if len(shifts) == 1:
            shifts.append(power(_ZERO_BYTE, BLOCK))
        while len(shifts) <= blocks:
            shifts.append(times(shifts[1], shifts[-1]))
        return shifts[blocks]


def times(one: int, other: int) -> int:
    """Multiply two polynomials modulo that of CRC-32.

    Example:
        >>> times(1 << 31, 0xABCD) == 0xABCD  # the highest bit is the polynomial 1
        True
    """
    product, bit = 0, _ONE
    while one:
        if one & bit:
            product ^= other
            one ^= bit
        bit >>= 1
        other = other >> 1 ^ (_POLYNOMIAL if other & 1 else 0)
    return product


def power(base: int, exponent: int) -> int:
    """Raise a polynomial to a power modulo that of CRC-32.

    Example:
        >>> power(1 << 30, 3) == 1 << 28  # the next lower bit is x
        True
    """
    result = _ONE
    while exponent:
        if exponent & 1:
            result = times(result, base)
        base = times(base, base)
        exponent >>= 1
    return result
