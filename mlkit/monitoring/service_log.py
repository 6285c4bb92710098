"""What a service logs: its inferences, and the truths that come later."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from mlkit._core.clock import Clock
from mlkit._core.ids import uuid7
from mlkit.errors import InvalidInput
from mlkit.monitoring.moments import moments, stamp
from mlkit.monitoring.sealed import list_sealed, read_sealed, stacked, write_sealed
from mlkit.schema.frames import form_of, to_arrow, to_column

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit.storage.protocol import Storage

FEATURE = "feature."
"""What the columns of features begin with, so that none can be taken for another column."""

_FIXED = ("id", "timestamp", "prediction", "version")


@frozen
class ServiceLog:
    """The inferences and truths of one model, of all its versions.

    Each call writes one object under a name of its own, so any number of processes may log at once.

    Args:
        storage: Where they lie.
        model: The model's name.
        clock: The time.
    """

    storage: "Storage"
    model: str
    clock: Clock

    def log(self, version: int, X: Any, predictions: Any, ids: Any, timestamp: Any) -> int:
        """Write inferences; see `Monitor.log`."""
        import pyarrow as pa
        import pyarrow.compute as pc

        said = _flat(predictions, "predictions")
        keys = _ids(ids)
        if len(keys) != len(said):
            raise InvalidInput(f"There are {len(said)} predictions and {len(keys)} ids")
        columns: dict[str, Any] = {}
        if X is not None:
            table = to_arrow(X)
            if len(table) != len(said):
                raise InvalidInput(
                    f"X has {len(table)} rows, and there are {len(said)} predictions"
                )
            columns = {f"{FEATURE}{name}": table[name] for name in table.column_names}
        now = self.clock()
        times = moments(timestamp, len(said), now)
        if not len(said):
            return 0
        versions = pa.repeat(pa.scalar(version, pa.int64()), len(said))
        fixed = dict(zip(_FIXED, (keys, times, _plain(said), versions), strict=True))
        ends = pc.min_max(times.cast(pa.int64())).as_py()
        prefix = f"{stamp(ends['min'] * 1000)}-{stamp(ends['max'] * 1000)}-{uuid7(now)}"
        folder = f"{self._inferences}/{version}"
        write_sealed(self.storage, folder, prefix, pa.table({**fixed, **columns}))
        return len(said)

    def log_truth(self, ids: Any, y: Any) -> int:
        """Write truths; see `Monitor.log_truth`."""
        import pyarrow as pa

        truth, keys = _flat(y, "y"), _ids(ids)
        if len(truth) != len(keys):
            raise InvalidInput(f"There are {len(truth)} truths and {len(keys)} ids")
        table = pa.table({"id": keys, "truth": _plain(truth)})
        table = table.filter(table["truth"].is_valid())
        if len(table):
            write_sealed(self.storage, self._truths, uuid7(self.clock()), table)
        return len(table)

    def inferences(
        self, version: int, start: int | None, end: int | None
    ) -> "tuple[pa.Table | None, list[str]]":
        """Give the inferences of a version in a window, in the order of logging.

        Only objects that hold rows of the window are read, as their names tell.

        Args:
            version: The version.
            start: The first nanosecond; None for no limit.
            end: The nanosecond after the last; None for no limit.

        Returns:
            The rows, None where there are none, and notes on what was odd in them.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        low = "" if start is None else stamp(start)
        high = "~" if end is None else stamp(end + 999)  # names are cut to the microsecond
        tables = []
        for sealed in list_sealed(self.storage, f"{self._inferences}/{version}"):
            if sealed.last < low or sealed.first >= high:
                continue
            table = read_sealed(self.storage, sealed)
            times = table["timestamp"].cast(pa.int64())
            kept = pc.is_valid(times)
            if start is not None:
                kept = pc.and_(kept, pc.greater_equal(times, -(-start // 1000)))
            if end is not None:
                kept = pc.and_(kept, pc.less(times, -(-end // 1000)))
            table = table.filter(kept)
            if len(table):
                tables.append(table)
        return stacked(tables) if tables else (None, [])

    def truths(self) -> "tuple[pa.Table | None, list[str]]":
        """Give all truths, the newest for each id, and notes on what was odd in them."""
        found = list(list_sealed(self.storage, self._truths))
        if not found:
            return None, []
        table, notes = stacked([read_sealed(self.storage, sealed) for sealed in found])
        return newest(table), notes

    def known_ids(self) -> "pa.ChunkedArray":
        """Give the ids of all inferences of all versions."""
        import pyarrow as pa

        found = list_sealed(self.storage, self._inferences)
        tables = [read_sealed(self.storage, sealed, ["id"]) for sealed in found]
        return pa.concat_tables(tables)["id"] if tables else pa.chunked_array([], pa.string())

    @property
    def _inferences(self) -> str:
        return f"monitors/{self.model}/inferences"

    @property
    def _truths(self) -> str:
        return f"monitors/{self.model}/truths"


def newest(table: "pa.Table") -> "pa.Table":
    """Give the last row of each id, in the order of the rows.

    Example:
        >>> import pyarrow as pa
        >>> newest(pa.table({"id": ["a", "b", "a"], "truth": [1, 2, 3]}))["truth"].to_pylist()
        [2, 3]
    """
    import pyarrow as pa

    rows = pa.table({"id": table["id"], "row": pa.array(range(len(table)), pa.int64())})
    last = rows.group_by("id").aggregate([("row", "max")])["row_max"]
    if len(last) == len(table):
        return table
    return table.take(last.sort())


def _flat(values: Any, what: str) -> "pa.Array":
    """Give predictions or truths as one Arrow array."""
    import pyarrow as pa

    if getattr(values, "ndim", 1) != 1:
        message = f"{what} has {values.ndim} dimensions, of shape {values.shape}"
        raise InvalidInput(message, hint="Of probabilities, give one column: proba[:, 1]")
    if form_of(values) == "records":
        raise InvalidInput(f"{what} is a list of dicts", hint="Give one value a row")
    column = to_column(values, what)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _plain(values: "pa.Array") -> "pa.Array":
    """Numbers and bools as float64, labels as text, so that all calls agree."""
    import pyarrow as pa
    from pyarrow import types

    kind = values.type
    if types.is_dictionary(kind):
        values, kind = values.dictionary_decode(), kind.value_type
    if types.is_boolean(kind):
        return values.cast(pa.int8()).cast(pa.float64())
    numeric = (types.is_integer, types.is_floating, types.is_decimal, types.is_null)
    if any(test(kind) for test in numeric):
        numbers = values.cast(pa.float64(), safe=False)
        return _without_nan(numbers)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return values.cast(pa.string())
    message = f"Predictions and truths of type {kind} can't be kept"
    raise InvalidInput(message, hint="Give numbers, bools or texts")


def _without_nan(numbers: "pa.Array") -> "pa.Array":
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)


def _ids(ids: Sequence[Any]) -> "pa.Array":
    """Give ids as text, so that 7 and '7' are the same id wherever they come from."""
    import pyarrow as pa
    from pyarrow import types

    column = _flat(ids, "ids")
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_floating(column.type) or types.is_nested(column.type):
        message = f"The ids are {column.type}"
        raise InvalidInput(message, hint="Use texts or whole numbers")
    if column.null_count:
        raise InvalidInput("An id is missing", hint="Without an id no truth can be joined")
    return column.cast(pa.string())
