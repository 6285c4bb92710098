"""The values of a column as drift compares them: sorted numbers, or counts of categories."""

from typing import TYPE_CHECKING, Literal

from attrs import frozen

from mlkit._core.extras import require

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit.quality.distances import Counts, Floats

Kind = Literal["number", "time", "category", "text", "empty", "other"]
"""How a column is compared: by its numbers, by its times as numbers of seconds, by its categories,
by the lengths of its texts, or not at all: because it is empty, or its type has no order and no
categories (lists, structs)."""

MOST_KEPT = 100
"""How many categories are compared one by one; the rarer ones are compared together."""

_TEXT_DISTINCT = 100
_TEXT_SHARE = 0.5


@frozen
class Categories:
    """The categories of two samples, counted side by side, the commonest first.

    Attributes:
        reference: The counts in the reference, of those kept, then of those pooled.
        current: The counts in what is compared with it.
        new: The categories that only the latter has, with their share of it, the largest first.
        vanished: The categories that only the reference has, with their share of it.
    """

    reference: "Counts"
    current: "Counts"
    new: tuple[tuple[str, float], ...]
    vanished: tuple[tuple[str, float], ...]


def kind_of(kind: "pa.DataType") -> Kind:
    """Tell how columns of a type are compared.

    Example:
        >>> import pyarrow as pa
        >>> kind_of(pa.float32()), kind_of(pa.bool_()), kind_of(pa.date32())
        ('number', 'category', 'time')
    """
    from pyarrow import types

    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return kind_of(kind.value_type)
    if types.is_null(kind):
        return "empty"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_temporal(kind) and not types.is_interval(kind):
        return "time"
    if _is_category(kind):
        return "category"
    return "other"


def _is_category(kind: "pa.DataType") -> bool:
    from pyarrow import types

    tests = (
        types.is_boolean, types.is_string, types.is_large_string, types.is_string_view,
        types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary,
    )  # fmt: skip
    return any(test(kind) for test in tests)


def numbers(column: "pa.ChunkedArray") -> "Floats":
    """Give the numbers of a column sorted, without missing ones and NaN; times as seconds."""
    import pyarrow as pa
    from pyarrow import types

    np = require("numpy", extra="stats")
    kind, divisor = column.type, 1.0
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        column = _decoded(column)
        kind = column.type
    if types.is_date(kind) or types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False)
        column, divisor = column.cast(pa.int64()), 1e6
    elif types.is_temporal(kind):
        divisor = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[kind.unit]
        column = column.cast(pa.int32() if types.is_time32(kind) else pa.int64())
    array = column.drop_null().cast(pa.float64(), safe=False).to_numpy()
    ordered: Floats = np.sort(array)
    ordered = ordered[: np.searchsorted(ordered, np.nan)]  # NaN is sorted to the end
    return ordered / divisor if divisor != 1 else ordered


def labels(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Give the categories of a column as plain texts or bytes; NaN as missing."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    column = _decoded(column)
    if kind_of(column.type) == "number":
        column = column.cast(pa.float64(), safe=False)
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column)
    binary = (types.is_binary, types.is_large_binary, types.is_binary_view)
    if types.is_fixed_size_binary(column.type) or any(test(column.type) for test in binary):
        return column.cast(pa.large_binary())
    return column.cast(pa.large_string())


def looks_like_text(column: "pa.ChunkedArray") -> bool:
    """Tell whether most values of a column of `labels` are unlike all others, as texts and ids are.

    Example:
        >>> import pyarrow as pa
        >>> looks_like_text(pa.chunked_array([[str(number) for number in range(1000)]]))
        True
    """
    import pyarrow.compute as pc

    known = len(column) - column.null_count
    sample = column.slice(0, 20 * _TEXT_DISTINCT)
    seen = pc.count_distinct(sample).as_py()
    if seen <= _TEXT_DISTINCT or seen < _TEXT_SHARE * (len(sample) - sample.null_count):
        return False
    return bool(pc.count_distinct(column).as_py() > _TEXT_SHARE * known)


def text_lengths(column: "pa.ChunkedArray") -> "Floats":
    """Give the lengths of texts in characters (of bytes in bytes), sorted."""
    import pyarrow.compute as pc
    from pyarrow import types

    length = pc.binary_length if types.is_large_binary(column.type) else pc.utf8_length
    return numbers(length(column))


def categories(reference: "pa.ChunkedArray", current: "pa.ChunkedArray") -> Categories:
    """Count the categories of two columns of `labels` side by side.

    At most `MOST_KEPT` categories are kept, those with the largest share on a side. The others are
    pooled, those that the reference has apart from those that it hasn't, so that many rare
    newcomers still show.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    np = require("numpy", extra="stats")
    (names, counts), (other_names, other_counts) = _counted(reference), _counted(current)
    place = pc.index_in(other_names, value_set=names)
    known = place.is_valid().to_numpy(zero_copy_only=False)
    aligned = np.zeros(len(counts), dtype=np.int64)
    aligned[place.drop_null().to_numpy()] = other_counts[known]
    both = pa.concat_arrays([names, other_names.filter(pa.array(~known))])
    left = np.concatenate([counts, np.zeros(int((~known).sum()), dtype=np.int64)])
    right = np.concatenate([aligned, other_counts[~known]])
    shares = left / max(left.sum(), 1), right / max(right.sum(), 1)
    order = np.argsort(-np.maximum(*shares), kind="stable")
    kept, pooled = order[:MOST_KEPT], order[MOST_KEPT:]
    groups = [pooled[left[pooled] > 0], pooled[left[pooled] == 0]]
    new = order[left[order] == 0]
    vanished = order[right[order] == 0]
    return Categories(
        np.concatenate([left[kept], *(left[g].sum(keepdims=True) for g in groups if len(g))]),
        np.concatenate([right[kept], *(right[g].sum(keepdims=True) for g in groups if len(g))]),
        _told(both, shares[1], new),
        _told(both, shares[0], vanished),
    )


def _counted(column: "pa.ChunkedArray") -> tuple["pa.Array", "Counts"]:
    import pyarrow.compute as pc

    counted = pc.value_counts(column.drop_null())
    return counted.field("values"), counted.field("counts").to_numpy()


def _told(names: "pa.Array", shares: "Floats", chosen: "Counts") -> tuple[tuple[str, float], ...]:
    told = []
    for index in chosen[:MOST_KEPT].tolist():
        name = names[index].as_py()
        text = name.hex() if isinstance(name, bytes) else str(name)
        told.append((text, float(shares[index])))
    return tuple(told)


def _decoded(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    import pyarrow.compute as pc
    from pyarrow import types

    if types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    if types.is_run_end_encoded(column.type):
        return pc.run_end_decode(column)
    return column
