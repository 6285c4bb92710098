"""A digest for each value and each row of a table, for whole batches at a time.

Digests of a value have two lanes of 64 bits, the same on every machine and for every layout:
chunks, dictionaries, widths of numbers and units of time leave no trace. `docs/how-to/split.md`
says what is mixed. Two rows that differ, and weren't made for it, agree once in 2**127 times.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from mlkit.data.comparing.mixing import GOLDEN, chained, mix, mix_one, spread_sums, word
from mlkit.data.layout import lay_out
from mlkit.data.logical import plain_type

if TYPE_CHECKING:
    import pyarrow as pa

_NULL = (0x6D6C6B69742D6E75, 0x6C6C2D76616C7565)
_START = (0x6D6C6B69742D726F, 0x772D646967657374)
_SALTS = (0, 0x6D6C6B69742D7465)
_FRACTION = 0x6D6C6B69742D6672
_LARGE = 0x6D6C6B69742D7570
_WHOLE = float(1 << 53)
_BYTES = 8
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@frozen
class Digests:
    """The digests of some values or rows: two columns of numbers of 64 bits.

    Attributes:
        first: One lane, of type uint64.
        second: The other.
    """

    first: "pa.Array"
    second: "pa.Array"

    def missing(self) -> "pa.Array":
        """Tell of each value whether it is null."""
        import pyarrow.compute as pc

        lanes = zip((self.first, self.second), _NULL, strict=True)
        return pc.and_(*(pc.equal(lane, word(null)) for lane, null in lanes))

    def filtered(self, mask: "pa.Array") -> "Digests":
        """Give those that a mask has True for."""
        return Digests(self.first.filter(mask), self.second.filter(mask))


def row_digests(values: Sequence[Digests], seed: int = 0) -> Digests:
    """Give the digest of each row from those of its values, whose order matters.

    Each lane starts with a constant and the seed, and takes in one value after the other as
    `mix((lane + GOLDEN) ^ value)`.

    Args:
        values: The digests of one column at least.
        seed: Another one gives other digests.
    """
    import pyarrow as pa

    lanes = []
    for start, lane in zip(_START, ("first", "second"), strict=True):
        seeded = word(mix_one(start + mix_one(seed)))
        link = pa.repeat(seeded, len(values[0].first))
        for digests in values:
            link = chained(link, getattr(digests, lane))
        lanes.append(link)
    return Digests(*lanes)


def value_digests(array: "pa.Array", *, alike: bool = False) -> Digests:
    """Give the digest of each value of a column.

    Args:
        array: The values.
        alike: Whether what libraries turn into each other counts as the same: NaN and null, and a
            whole number as integer and as float. Without it, values are the same that are so for
            the identity of tables: every NaN is one, and 0.0 isn't -0.0.

    Raises:
        InvalidInput: The values are of a type that a dataset can't hold.

    Example:
        >>> import pyarrow as pa
        >>> short, long = pa.array([7], pa.int8()), pa.array([7], pa.int64())
        >>> value_digests(short) == value_digests(long)
        True
    """
    import pyarrow as pa

    if isinstance(array, pa.DictionaryArray) and len(array.dictionary) < len(array):
        return _coded(array, alike=alike)
    return _digests(lay_out(array, plain_type(array.type)), alike=alike)


def _coded(array: "pa.DictionaryArray", *, alike: bool) -> Digests:
    """Digest each word once, however often it stands there."""
    words = value_digests(array.dictionary, alike=alike)
    found = Digests(words.first.take(array.indices), words.second.take(array.indices))
    return _with_nulls(found, array.indices)


def _digests(array: "pa.Array", *, alike: bool) -> Digests:
    """Digest values in the layout of `plain_type`."""
    import pyarrow as pa
    from pyarrow import types

    kind = array.type
    if types.is_null(kind):
        return Digests(*(pa.repeat(word(null), len(array)) for null in _NULL))
    if types.is_struct(kind):
        found = _of_fields(array, alike=alike)
    elif types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        found = _of_lists(array, alike=alike)
    elif types.is_timestamp(kind) or types.is_duration(kind):
        found = _of_moments(array)
    elif types.is_floating(kind):
        return _of_floats(array, alike=alike)
    elif types.is_decimal(kind) or types.is_fixed_size_binary(kind):
        width = kind.byte_width
        found = _of_texts(array.view(pa.binary(width)).cast(pa.large_binary()))
    elif types.is_large_string(kind) or types.is_large_binary(kind):
        found = _of_texts(array.cast(pa.large_binary()))
    else:
        found = _of_numbers(array)
    return _with_nulls(found, array)


def _with_nulls(found: Digests, array: "pa.Array") -> Digests:
    import pyarrow.compute as pc

    if not array.null_count:
        return found
    there = array.is_valid()
    first = pc.if_else(there, found.first, word(_NULL[0]))
    return Digests(first, pc.if_else(there, found.second, word(_NULL[1])))


def _of_numbers(array: "pa.Array") -> Digests:
    """Digest whole numbers, of which those from 2**63 on have the bits of negative ones."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    if types.is_date(array.type):
        array = array.cast(pa.int32())
    elif types.is_boolean(array.type):
        array = array.cast(pa.uint8())
    if not types.is_uint64(array.type):
        return _of_words(array.cast(pa.int64()).view(pa.uint64()))
    found = _of_words(array)
    large = pc.greater_equal(_filled(array), pa.scalar(1 << 63, pa.uint64()))
    if not large.true_count:
        return found
    mixed = pc.if_else(large, mix(pc.add(found.first, word(_LARGE))), found.first)
    return Digests(mixed, mixed)


def _of_words(words: "pa.Array") -> Digests:
    """Digest 64 bits one to one, so that one lane says it all."""
    mixed = mix(_filled(words))
    return Digests(mixed, mixed)


def _filled(numbers: "pa.Array") -> "pa.Array":
    """Give numbers without nulls, behind which stands anything."""
    return numbers.fill_null(0) if numbers.null_count else numbers


def _of_floats(array: "pa.Array", *, alike: bool) -> Digests:
    import pyarrow as pa
    import pyarrow.compute as pc

    array = array.cast(pa.float64())
    unordered = pc.is_nan(array)
    if unordered.true_count:
        nan = pa.scalar(None if alike else float("nan"), pa.float64())
        array = pc.if_else(unordered, nan, array)
    found = _of_words(array.view(pa.uint64()))
    if alike:
        filled = array.fill_null(0.0) if array.null_count else array
        small = pc.less(pc.abs(filled), _WHOLE)
        whole = pc.and_(small, pc.equal(filled, pc.trunc(filled)))
        integers = _of_numbers(pc.if_else(whole, filled, 0.0).cast(pa.int64()))
        others = mix(pc.add(found.first, word(_FRACTION)))
        mixed = pc.if_else(whole, integers.first, others)
        found = Digests(mixed, mixed)
    return _with_nulls(found, array)


def _of_moments(array: "pa.Array") -> Digests:
    """Digest seconds and nanoseconds, so that the unit leaves no trace."""
    import pyarrow as pa
    import pyarrow.compute as pc

    per_second = _PER_SECOND[array.type.unit]
    values = array.cast(pa.int64())
    seconds = pc.divide(values, per_second)
    rest = pc.subtract(values, pc.multiply(seconds, per_second))
    nanoseconds = pc.multiply(rest, 10**9 // per_second)
    mixed = chained(_of_numbers(seconds).first, _filled(nanoseconds.view(pa.uint64())))
    return Digests(mixed, mixed)


def _of_texts(array: "pa.Array") -> Digests:
    """Digest bytes as words of eight, the last one filled up with zeros, and their number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if array.null_count:
        array = array.fill_null(b"")
    lengths = pc.binary_length(array)
    lacking = pc.bit_wise_and(pc.negate(lengths), _BYTES - 1)
    zeros = pa.array([bytes(count) for count in range(_BYTES)], pa.large_binary())
    nothing = pa.scalar(b"", pa.large_binary())
    padded = pc.binary_join_element_wise(array, zeros.take(lacking), nothing)
    _, offsets, data = padded.buffers()
    edges = pa.Array.from_buffers(
        pa.int64(), len(padded) + 1, [None, offsets], offset=padded.offset
    )
    edges = pc.divide(edges, _BYTES)
    words = pa.Array.from_buffers(
        pa.uint64(), edges[len(padded)].as_py(), [None, data or pa.py_buffer(b"")]
    )
    return _of_runs(Digests(words, words), edges, lengths)


def _of_lists(array: "pa.Array", *, alike: bool) -> Digests:
    import pyarrow as pa
    import pyarrow.compute as pc

    lengths = pc.list_value_length(array).cast(pa.int64())
    if lengths.null_count:
        lengths = lengths.fill_null(0)
    edges = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(lengths)])
    return _of_runs(_digests(array.flatten(), alike=alike), edges, lengths)


def _of_runs(items: Digests, edges: "pa.Array", lengths: "pa.Array") -> Digests:
    """Digest runs of items, by the places of these and their number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    counts = pc.multiply(lengths.cast(pa.uint64()), word(GOLDEN))
    lanes = [
        mix(pc.add(spread_sums(numbers, edges, salt), counts))
        for numbers, salt in zip((items.first, items.second), _SALTS, strict=True)
    ]
    return Digests(*lanes)


def _of_fields(array: "pa.Array", *, alike: bool) -> Digests:
    import pyarrow as pa

    fields = [_digests(child, alike=alike) for child in array.flatten()]
    nothing = Digests(*(pa.repeat(word(start), len(array)) for start in _START))
    return row_digests(fields) if fields else nothing
