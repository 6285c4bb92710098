"""How the points of a run are read; a part of `Run`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mlkit._core.names import unknown
from mlkit.metrics.reader import PointColumns
from mlkit.metrics.records import Event, Points

if TYPE_CHECKING:
    import pyarrow as pa

_LARGE = 4 << 20
"""From so many bytes of segments on, the tables give a metric's points faster."""


class PointVerbs:
    """What a run that is read gives of its points."""

    id: str
    _points: "Callable[[str, str], pa.Table | None] | None"

    @property
    def summary(self) -> Mapping[str, float]:
        """The last value of each metric."""
        raise NotImplementedError

    @property
    def _files(self) -> Mapping[str, int]:
        raise NotImplementedError

    @property
    def _segments(self) -> Sequence[str]:
        raise NotImplementedError

    @property
    def _has_ended(self) -> bool:
        raise NotImplementedError

    def _require_whole(self) -> None:
        raise NotImplementedError

    def _records(self, name: str) -> Iterator[Event | Points]:
        raise NotImplementedError

    def metrics(self, key: str | None = None) -> "pa.Table":
        """Give every point of a metric, or of all; none is left out.

        Args:
            key: The metric's name; all metrics by default.

        Returns:
            Columns `step` (int64, or float64 when some step is no integer), `time` (UTC, ns) and
            `value` (float64), in the order of time; of all metrics with a column `key` first.

        Raises:
            NotFound: The run has no such metric.
            Corrupt: A segment was damaged.
        """
        import pyarrow as pa

        self._require_whole()
        if key is not None and self._points is not None and self._is_large:
            found = self._points(self.id, key)
            if found is not None:
                return found
        columns = PointColumns()
        for name in self._segments:
            for record in self._records(name):
                if isinstance(record, Points):
                    columns.add(record, only=key)
        if key is not None:
            if key not in columns.values:
                known = {*self.summary, *columns.values}
                raise unknown(f"metric of run {self.id}", key, known)
            return columns.table(key)
        tables = [_with_key(columns.table(name), name) for name in sorted(columns.values)]
        if not tables:
            return _with_key(columns.table(""), "")
        return pa.concat_tables(tables, promote_options="permissive")

    @property
    def _is_large(self) -> bool:
        """Whether the run has ended, with so many points that tables have them faster."""
        return self._has_ended and sum(self._files[name] for name in self._segments) >= _LARGE


def _with_key(table: "pa.Table", key: str) -> "pa.Table":
    import pyarrow as pa

    return table.add_column(0, "key", pa.repeat(pa.scalar(key), table.num_rows))
