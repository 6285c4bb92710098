"""Expectations that data meet, proposed from their profile: with slack, and with the reason why."""

import math
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from attrs import evolve

from mlkit.data.layout import lay_out
from mlkit.data.logical import plain_type
from mlkit.data.profiles.column_form import Form
from mlkit.data.profiles.column_profile import ColumnProfile
from mlkit.data.profiles.profile import Profile, profile_batches
from mlkit.data.sources.table_source import table_of
from mlkit.data.sources.table_stream import TableStream
from mlkit.display.formats import show, show_share
from mlkit.errors import InvalidInput
from mlkit.quality.column_expectation import ColumnExpectation
from mlkit.quality.expectation_tests import missing
from mlkit.quality.expectation_uniqueness import Uniqueness

_FEWEST_ROWS = 100
_MOST_VALUES = 50
_OFTEN = 5
_LONGEST = 200
_POINT = 0.01
_WHOLE_TYPES = ("int", "uint")

Found = dict[str, tuple[Any, str]]
"""What to expect of a column, by kind, and why."""


def name_of(data: Any) -> str:
    """Give what a version is called; nothing for frames."""
    ref = getattr(data, "ref", None)
    return ref if isinstance(ref, str) else ""


def stream_of(data: Any) -> TableStream:
    """Give data as a stream of batches: a version, a part of one, or a table of any library.

    Raises:
        InvalidInput: They are no table.
    """
    if name_of(data) and callable(getattr(type(data), "batches", None)):
        return TableStream(data.schema, data.batches())
    return table_of(data)


def profile_of(data: Any) -> Profile:
    """Give the profile of a version or a table.

    Raises:
        InvalidInput: They are no table.
    """
    kept = getattr(data, "profile", None) if name_of(data) else None
    if isinstance(kept, Profile):
        return kept
    with stream_of(data) as stream:
        return profile_batches(stream.schema, stream.batches)


def inferred_columns(data: Any) -> tuple[ColumnExpectation, ...]:
    """Propose what to expect of the columns of data.

    Args:
        data: A version or a table. What can be read only once gets no expectation of uniqueness,
            which a second reading has to prove.

    Raises:
        InvalidInput: They are no table.
    """
    import pyarrow as pa

    profile = profile_of(data)
    columns = [_expected(column) for column in profile.columns]
    is_scanner = (type(data).__module__, type(data).__name__) == ("pyarrow._dataset", "Scanner")
    is_read_once = is_scanner or isinstance(data, Iterator | pa.RecordBatchReader)
    if is_read_once or profile.rows < _FEWEST_ROWS:
        return tuple(columns)
    names = [column.name for column in profile.columns if _may_be_unique(column)]
    unique = _proved(data, names, profile.rows)
    why = f"no value comes twice in {profile.rows:,} rows"
    return tuple(_as_id(column, why) if column.name in unique else column for column in columns)


def _as_id(column: ColumnExpectation, why: str) -> ColumnExpectation:
    """Expect no value twice, and no range: the numbers of ids go on."""
    kept = {kind: reason for kind, reason in column.why.items() if kind not in {"min", "max"}}
    return evolve(column, unique=True, min=None, max=None, why={**kept, "unique": why})


def _expected(column: ColumnProfile) -> ColumnExpectation:
    found: Found = {"type": (column.type, "the type that it has")}
    if column.rows >= _FEWEST_ROWS:
        found |= _nulls(column)
        if column.count - (column.nan or 0) >= _FEWEST_ROWS:
            found |= _FORMS.get(column.sketch.form, _nothing)(column)
    return ColumnExpectation(
        name=column.name,
        why={kind: why for kind, (_, why) in found.items()},
        **{kind: value for kind, (value, _) in found.items()},
    )


def _nothing(column: ColumnProfile) -> Found:  # noqa: ARG001 - as its neighbours
    return {}


def _nulls(column: ColumnProfile) -> Found:
    lacking = column.nulls + (column.nan or 0)
    if not lacking:
        return {"nulls": (0.0, f"none of {column.rows:,} is missing")}
    share = lacking / column.rows
    slack = math.ceil(200 * share) / 100 + _POINT
    if slack >= 1:
        return {}
    return {"nulls": (slack, f"{show_share(share)} are missing; twice that and a point are let by")}


def _numbers(column: ColumnProfile) -> Found:
    least, most = column.min, column.max
    if column.infinite or least is None or most is None:
        return {}
    if isinstance(least, float) and not math.isfinite(most - least):
        return {}
    # Half the width on each side; what is constant may grow by its own size.
    width = (most - least) / 2 if most != least else max(abs(most), 1)
    if isinstance(least, int):
        width = (most - least + 1) // 2 if most != least else max(abs(most), 1)
    low, high = least - width, most + width
    if least >= 0 > low:
        low = least * 0  # zero, of the type that the numbers have
    if isinstance(low, Decimal | float) and not (math.isfinite(low) and math.isfinite(high)):
        return {}
    if isinstance(low, Decimal):  # sums are rounded to 28 digits
        low, high = min(low, least), max(high, most)
    if isinstance(low, float):
        low, high = (_short(end, by=width / 10) for end in (low, high))
    why = f"seen from {show(least)} to {show(most)}; half of that more on each side"
    return {"min": (low, why), "max": (high, why)}


def _short(end: float, *, by: float) -> float:
    """Give a bound with few digits, where that moves it by little."""
    short = float(f"{end:.3g}")
    return short if abs(short - end) <= by else end


def _times(column: ColumnProfile) -> Found:
    least, most = column.min, column.max
    if isinstance(least, str) or isinstance(most, str):
        return {}  # beyond Python's own times
    try:
        if isinstance(least, timedelta):
            low, high = least - (most - least) / 2, most + (most - least) / 2
            if low < timedelta() <= least:
                low = timedelta()
            why = f"seen from {least} to {most}; half of that more on each side"
            return {"min": (low, why), "max": (high, why)}
        if isinstance(least, datetime | date):
            low = least - max(most - least, timedelta(days=1))
            return {"min": (low, f"seen from {least} on; as long before as the data go")}
    except OverflowError:
        pass
    return {}


def _texts(column: ColumnProfile) -> Found:
    found: Found = {}
    lengths = column.lengths
    counted = column.sketch.frequent.top()
    exact = not column.sketch.frequent.missed and lengths is not None and lengths.max < _LONGEST
    often = min((count for _, count in counted), default=0)
    if exact and counted and len(counted) <= _MOST_VALUES and often >= _OFTEN:
        told = f"{len(counted)} values in {column.count:,} rows, each at least {often:,} times"
        return {"values": (tuple(sorted(value for value, _ in counted)), told)}
    if lengths is not None:
        longest = max(2 * lengths.max, 1)
        found["max_length"] = (longest, f"the longest has {lengths.max:,}; twice that is let by")
        if lengths.min:
            found["min_length"] = (1, "none is empty")
    return found


_FORMS = {Form.NUMBER: _numbers, Form.TIME: _times, Form.TEXT: _texts}


def _may_be_unique(column: ColumnProfile) -> bool:
    """Tell whether a column looks like an id: whole numbers and texts, none missing, all unlike."""
    whole = column.type.startswith(_WHOLE_TYPES) or column.type == "string"
    alike = 5 * column.errors.get("distinct", 0.0)
    return whole and not column.nulls and (column.distinct or 0) >= column.count * (1 - alike)


def _proved(data: Any, names: list[str], rows: int) -> set[str]:
    """Give the columns in which no value comes twice, after looking at every row.

    Where a second reading doesn't give all rows again, as of a stream that is used up, none is.
    """
    if not names:
        return set()
    uniqueness = Uniqueness(0)
    try:
        start = 0
        with stream_of(data) as stream:
            for batch in stream.batches:
                for number, name in enumerate(names):
                    array = batch.column(name)
                    array = lay_out(array, plain_type(array.type))
                    uniqueness.update(number, start, [array], missing(array))
                start += len(batch)
        if start != rows:
            return set()
        found = uniqueness.repetitions(len(names))
    except InvalidInput:  # used up, it is no table any more
        return set()
    finally:
        uniqueness.close()
    return {name for name, again in zip(names, found, strict=True) if not again.count}
