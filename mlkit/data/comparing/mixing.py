"""Numbers of 64 bits mixed so that each bit decides on all others, for whole columns at a time.

`mix` is the finalizer of SplitMix64: G. L. Steele, D. Lea, C. H. Flood, "Fast splittable
pseudorandom number generators", OOPSLA 2014, with the constants of D. Stafford's Mix13. It maps
the numbers of 64 bits one to one. It is no cryptography: who wants to can find two texts that it
takes for one.
"""

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

GOLDEN = 0x9E3779B97F4A7C15
"""2**64 over the golden ratio, the step of SplitMix64."""

_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_MASK = (1 << 64) - 1
_MOST_WORDS = 1 << 18


def mix(numbers: "pa.Array") -> "pa.Array":
    """Mix each number of a column.

    Args:
        numbers: Of type uint64.

    Example:
        >>> import pyarrow as pa
        >>> hex(mix(pa.array([1], pa.uint64()))[0].as_py())
        '0x5692161d100b05e5'
    """
    import pyarrow.compute as pc

    for shift, factor in ((30, _FIRST), (27, _SECOND)):
        shifted = pc.shift_right(numbers, word(shift))
        numbers = pc.multiply(pc.bit_wise_xor(numbers, shifted), word(factor))
    return pc.bit_wise_xor(numbers, pc.shift_right(numbers, word(31)))


def mix_one(number: int) -> int:
    """Mix one number, of which the lowest 64 bits count; see `mix`.

    Example:
        >>> hex(mix_one(1))
        '0x5692161d100b05e5'
    """
    number &= _MASK
    number = (number ^ number >> 30) * _FIRST & _MASK
    number = (number ^ number >> 27) * _SECOND & _MASK
    return number ^ number >> 31


def word(number: int) -> Any:
    """Give a number, modulo 2**64, as a scalar of type uint64."""
    import pyarrow as pa

    return pa.scalar(number & _MASK, pa.uint64())


def chained(links: "pa.Array", numbers: "pa.Array") -> "pa.Array":
    """Give `mix((link + GOLDEN) ^ number)` of each pair: order matters, as in a chain of blocks."""
    import pyarrow.compute as pc

    return mix(pc.bit_wise_xor(pc.add(links, word(GOLDEN)), numbers))


def spread_sums(numbers: "pa.Array", edges: "pa.Array", salt: int) -> "pa.Array":
    """Give for each run of numbers the sum of `mix(number + salt + GOLDEN * place)`, modulo 2**64.

    The place is that of the number in its run, from 0. A sum of one mixed number for each place and
    value is how tables of random numbers hash texts: J. L. Carter, M. N. Wegman, "Universal classes
    of hash functions", 1979.

    Args:
        numbers: Of type uint64.
        edges: Where each run starts, and where the last one ends; of type int64, ascending.
        salt: Another one gives other sums, which agree no more often than by chance.

    Example:
        >>> import pyarrow as pa
        >>> ones = pa.array([1, 1], pa.uint64())
        >>> spread_sums(ones, pa.array([0, 1, 1, 2]), 0).to_pylist()[1:] == [0, mix_one(1)]
        True
    """
    import pyarrow as pa

    runs = len(edges) - 1
    first, last = edges[0].as_py(), edges[runs].as_py()
    if last - first <= _MOST_WORDS:
        return _summed(numbers.slice(first, last - first), edges, salt)
    if runs == 1:  # one that is very long
        total = 0
        for start in range(first, last, _MOST_WORDS):
            piece = numbers.slice(start, min(_MOST_WORDS, last - start))
            ends = pa.array([0, len(piece)])
            total += _summed(piece, ends, salt + GOLDEN * (start - first))[0].as_py()
        return pa.array([total & _MASK], pa.uint64())
    half = bisect_left(edges, (first + last) // 2, 1, runs - 1, key=lambda edge: edge.as_py())
    parts = (edges.slice(0, half + 1), edges.slice(half))
    return pa.concat_arrays([spread_sums(numbers, part, salt) for part in parts])


def _summed(numbers: "pa.Array", edges: "pa.Array", salt: int) -> "pa.Array":
    """Do what `spread_sums` says, where the first run starts with the first number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    edges = pc.subtract(edges, edges[0])
    run = pc.list_parent_indices(pa.LargeListArray.from_arrays(edges, numbers))
    places = pc.subtract(pa.arange(0, len(numbers)), edges.take(run)).cast(pa.uint64())
    steps = pc.add(pc.multiply(places, word(GOLDEN)), word(salt))
    sums = pc.cumulative_sum(mix(pc.add(numbers, steps)))
    totals = pa.concat_arrays([pa.array([0], pa.uint64()), sums]).take(edges)
    return pc.subtract(totals.slice(1), totals.slice(0, len(totals) - 1))
