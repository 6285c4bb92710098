"""What a data file says of its columns, so that readers can skip it: Delta's statistics.

Source: the Delta transaction log protocol, "Per-file Statistics".
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

INDEXED = 32
"""So many columns, from the first, have statistics, as in other writers of Delta."""

_LONGEST = 64
_LAST = "\U0010ffff"


def statistics(table: "pa.Table") -> dict[str, Any]:
    """Give the statistics of the rows of a file.

    Returns:
        `numRecords`, and by column `minValues`, `maxValues` and `nullCount`. Long texts are cut,
        so that what is given is never above the lowest or below the highest. A column that holds
        NaN has no extremes, since readers differ on where it stands.
    """
    lows: dict[str, Any] = {}
    highs: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for name in table.column_names[:INDEXED]:
        column = table.column(name)
        found = _extremes(column)
        if found is not None:
            lows[name], highs[name] = found
        if _is_plain(column.type):
            nulls[name] = column.null_count
    return {
        "numRecords": table.num_rows,
        "minValues": lows,
        "maxValues": highs,
        "nullCount": nulls,
    }


def may_hold(stats: Mapping[str, Any], column: str, low: str, high: str) -> bool:
    """Tell whether a file may hold a text between two others, both included."""
    least, most = stats["minValues"].get(column), stats["maxValues"].get(column)
    return least is None or most is None or (least <= high and low <= most)


def _is_plain(kind: "pa.DataType") -> bool:
    from pyarrow import types

    return not types.is_nested(kind)


def _extremes(column: "pa.ChunkedArray") -> tuple[Any, Any] | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if column.null_count == len(column) or not _is_plain(kind) or pa.types.is_boolean(kind):
        return None
    found = pc.min_max(column).as_py()
    low, high = found["min"], found["max"]
    if pa.types.is_floating(kind):
        if not (math.isfinite(low) and math.isfinite(high)) or pc.any(pc.is_nan(column)).as_py():
            return None
        return low, high
    if pa.types.is_string(kind):
        return low[:_LONGEST], _cut_above(high)
    if pa.types.is_timestamp(kind):  # in milliseconds: the highest is rounded up
        return _moment(low, 0), _moment(high, 999)
    return low, high


def _cut_above(text: str) -> str:
    cut = text[:_LONGEST] + _LAST
    return cut if len(text) > _LONGEST and cut >= text else text


def _moment(moment: Any, extra: int) -> str:
    from datetime import timedelta

    rounded = moment + timedelta(microseconds=extra)
    return f"{rounded:%Y-%m-%dT%H:%M:%S}.{rounded.microsecond // 1000:03d}Z"
