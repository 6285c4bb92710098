"""Whole numbers of CSV that Arrow would take for others: too large ones, and hexadecimal ones."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mlkit.data.sources.csv_file import CsvFile, Types

if TYPE_CHECKING:
    import pyarrow as pa

_LARGE = 2.0**63
_WHOLE = r"^\s*[+-]?[0-9]+\s*$"
_UNSIGNED = r"^\s*0*[0-9]{1,20}\s*$"
_LARGEST = f"{2**64 - 1:020}"


def large_columns(batches: Iterable["pa.RecordBatch"], types: Types) -> list[str]:
    """Give the columns of floats that may be whole numbers beyond the integers of 64 bits.

    Args:
        batches: The rows; all of them are read.
        types: The columns.

    Example:
        >>> import pyarrow as pa
        >>> rows = pa.record_batch({"n": [2.0**63, 1.0], "x": [2.0**63, 0.5]})
        >>> large_columns([rows], dict(zip(rows.schema.names, rows.schema.types)))
        ['n']
    """
    import pyarrow.compute as pc
    from pyarrow import types as kinds

    large = {name: False for name, kind in types.items() if kinds.is_floating(kind)}
    for batch in batches:
        for name in list(large):
            column = batch.column(name)
            if pc.all(pc.equal(pc.floor(column), column)).as_py() is False:
                del large[name]
            elif not large[name]:
                large[name] = (pc.max(pc.abs(column)).as_py() or 0) >= _LARGE
    return [name for name, seen in large.items() if seen]


def whole_types(file: CsvFile, large: Sequence[str], whole: Sequence[str]) -> Types:
    """Give the types of columns for which the texts themselves have to be looked at.

    Args:
        file: The file.
        large: Columns of floats that may hold nothing but whole numbers; these become integers
            without a sign where 64 bits are enough, else texts.
        whole: Columns of integers that may be written in hexadecimal; these become texts.

    Returns:
        The types of those whose type changes.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not large and not whole:
        return {}
    found = dict.fromkeys(large, pa.uint64())
    for batch in file.texts([*large, *whole]):
        for name in large:
            column = batch.column(name)
            if name in found and not _all(pc.match_substring_regex(column, _WHOLE)):
                del found[name]  # floats, of which some are as large
            elif name in found and not _fit(column):
                found[name] = pa.string()
        for name in whole:
            if pc.any(pc.match_substring(batch.column(name), "0x", ignore_case=True)).as_py():
                found[name] = pa.string()
    return found


def _fit(column: "pa.Array") -> bool:
    """Tell whether 64 bits without a sign hold whole numbers that are written in digits."""
    import pyarrow.compute as pc

    if not _all(pc.match_substring_regex(column, _UNSIGNED)):
        return False
    digits = pc.utf8_ltrim(pc.utf8_trim_whitespace(column), "0")
    return _all(pc.less_equal(pc.utf8_lpad(digits, 20, "0"), _LARGEST))


def _all(flags: "pa.Array") -> bool:
    import pyarrow.compute as pc

    return pc.all(flags).as_py() is not False
