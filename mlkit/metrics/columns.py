"""Columns of the points of a run, for Arrow tables."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import define, field

from mlkit.metrics.batches import PointBatch
from mlkit.metrics.records import Event

if TYPE_CHECKING:
    import pyarrow as pa

_LARGE = 1 << 16  # points, which aren't copied once more


@define
class PointColumns:
    """The points of a run, gathered by key.

    Args:
        only: The one key of which points are gathered; all by default.

    Example:
        >>> from mlkit.metrics.batches import iter_points
        >>> columns = PointColumns()
        >>> columns.add(iter_points(lambda start, end: b"", 0, "an empty segment"))
        >>> columns.table("loss").column_names
        ['step', 'time', 'value']
    """

    only: str | None = None
    _logged: "dict[str, dict[int, _Logged]]" = field(factory=dict, init=False, repr=False)
    _records: int = field(default=0, init=False)

    @property
    def keys(self) -> list[str]:
        """The keys that have points, sorted."""
        return sorted(self._logged)

    def add(self, batches: Iterable[PointBatch | Event], *, writer: int = 0) -> None:
        """Take in the points of a segment.

        Args:
            batches: What `iter_points` gives.
            writer: A number for who wrote it. The segments of a writer come in their order.
        """
        before = self._records
        for batch in batches:
            if isinstance(batch, Event):
                continue
            self._records = max(self._records, before + batch.places[-1] + 1)
            for index, key in enumerate(batch.keys):
                if self.only is None or key == self.only:
                    writers = self._logged.setdefault(key, {})
                    writers.setdefault(writer, _Logged()).add(batch, index, before)

    def table(self, key: str) -> "pa.Table":
        """Give the points of one key: those of each writer as it wrote them, merged by time.

        So they are ordered by time, but where the clock of a writer was set back: a point never
        comes before one that its writer has logged earlier.

        Returns:
            Columns `step` (int64; float64 when some step is no integer), `time` (UTC, ns) and
            `value` (float64). Empty when the key has no points.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        writers = [logged for _, logged in sorted(self._logged.get(key, {}).items())]
        if len(writers) < 2:  # noqa: PLR2004 - one alone is merged with none
            return (*writers, _Logged())[0].table()
        tables = [logged.table() for logged in writers]
        times = [table.column("time").combine_chunks().cast(pa.int64()) for table in tables]
        reached = pa.concat_arrays([pc.cumulative_max(each) for each in times])
        return _concatenated(tables).take(pc.array_sort_indices(reached))  # equal ones stay

    def table_of_all(self) -> "pa.Table":
        """Give the points of all keys, sorted by key, with a column `key` first; see `table`."""
        small: dict[str, _Logged] = {}  # are joined before they are tables, since keys may be many
        parts: list[pa.Table] = []
        for key in self.keys:
            (logged, *others) = self._logged[key].values()
            if logged.is_ordered and not others and len(logged.values) < _LARGE:
                small[key] = logged
            else:
                table = self.table(key)
                parts += [_joined(small), _with_keys(table, {key: table.num_rows})]
                small = {}
        return _concatenated([*parts, _joined(small)])


@define
class _Logged:
    """The points of one key that one writer has logged."""

    steps: "array[Any]" = field(factory=lambda: array("q"))
    times: "array[int]" = field(factory=lambda: array("q"))
    values: "array[float]" = field(factory=lambda: array("d"))
    places: list[tuple[int, Sequence[int]]] = field(factory=list)
    last: int = -1
    is_ordered: bool = True

    def add(self, batch: PointBatch, index: int, before: int) -> None:
        """Take in one key's points of a batch, whose segment came behind so many records."""
        self.steps = _extended(self.steps, batch.steps())
        self.times.extend(batch.times())
        self.values.extend(batch.values(index))
        if before + batch.places[0] <= self.last:  # of another list of keys, in the same piece
            self.is_ordered = False
        self.last = before + batch.places[-1]
        self.places.append((before, batch.places))

    def table(self) -> "pa.Table":
        """Give them as a table, in the order of their records."""
        import pyarrow as pa
        import pyarrow.compute as pc

        columns = {
            "step": _arrow(self.steps, pa.int64() if self.is_whole else pa.float64()),
            "time": _arrow(self.times, pa.timestamp("ns", tz="UTC")),
            "value": _arrow(self.values, pa.float64()),
        }
        table = pa.table(columns)
        if self.is_ordered:
            return table
        places = array("q")
        for before, part in self.places:
            places.extend(map(before.__add__, part))
        return table.take(pc.array_sort_indices(_arrow(places, pa.int64())))

    @property
    def is_whole(self) -> bool:
        """Whether all steps are ints."""
        return self.steps.typecode == "q"


def _joined(logged: Mapping[str, _Logged]) -> "pa.Table":
    """Give the points of several keys as one table."""
    whole = _Logged()
    for one in logged.values():
        whole.steps = _extended(whole.steps, one.steps)
        whole.times.extend(one.times)
        whole.values.extend(one.values)
    return _with_keys(whole.table(), {key: len(one.values) for key, one in logged.items()})


def _with_keys(table: "pa.Table", counts: Mapping[str, int]) -> "pa.Table":
    """Put a column of keys first, each of which has so many rows."""
    import pyarrow as pa

    which = array("i")
    for index, count in enumerate(counts.values()):
        which.extend(array("i", (index,)) * count)
    texts = [key.encode("utf-8", "backslashreplace").decode() for key in counts]
    names = pa.array(texts, pa.string())  # which can't hold lone surrogates
    return table.add_column(0, "key", names.take(_arrow(which, pa.int32())))


def _extended(steps: "array[Any]", more: "array[Any]") -> "array[Any]":
    """Give steps and more of them; as floats where some are."""
    if steps.typecode != more.typecode:
        steps, more = array("d", steps), array("d", more)
    steps.extend(more)
    return steps


def _concatenated(tables: Sequence["pa.Table"]) -> "pa.Table":
    """Give the rows of all tables; steps as floats where some are."""
    import pyarrow as pa

    place = tables[0].schema.get_field_index("step")
    kinds = {table.schema.field(place).type for table in tables if table.num_rows}
    if len(kinds) > 1:
        tables = [
            table.set_column(place, "step", table.column(place).cast(pa.float64(), safe=False))
            for table in tables
        ]
    return pa.concat_tables([table for table in tables if table.num_rows] or tables[:1])


def _arrow(column: "array[Any]", kind: "pa.DataType") -> "pa.Array":
    """Give a column to Arrow as it lies in memory."""
    import pyarrow as pa

    if not column:  # an empty one lies where Arrow complains of, at an odd place
        return pa.array([], kind)
    return pa.Array.from_buffers(kind, len(column), [None, pa.py_buffer(column)])
