"""How the points of a run are read; a part of `Run`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING

from mlkit._core.names import unknown
from mlkit.errors import Corrupt, InvalidInput
from mlkit.metrics.batches import Damaged, iter_points
from mlkit.metrics.columns import PointColumns
from mlkit.metrics.segments import by_writer
from mlkit.storage.protocol import Storage

if TYPE_CHECKING:
    import pyarrow as pa

_LARGE = 4 << 20
"""From so many bytes of segments on, the tables give a metric's points faster."""


class PointVerbs:
    """What a run that is read gives of its points."""

    id: str
    _storage: Storage
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

    def metrics(self, key: str | None = None, *, damaged: Damaged = "raise") -> "pa.Table":
        """Give every point of a metric, or of all; none is left out.

        The points of each writer come as it wrote them, those of several merged by time. So all are
        ordered by time, but where the clock of a writer was set back.

        Args:
            key: The metric's name; all metrics by default.
            damaged: `skip` gives what is left of a run that was damaged or isn't whole, instead of
                the error; `run.verify()` says what is lost.

        Returns:
            Columns `step` (int64, or float64 when some step is no integer), `time` (UTC, ns) and
            `value` (float64); of all metrics with a column `key` first, by which they are sorted.

        Raises:
            NotFound: The run has no such metric.
            Corrupt: A segment was damaged.
            InvalidInput: `damaged` is another word.

        Example:
            >>> import mlkit
            >>> store = mlkit.Store("memory://metrics-example")
            >>> with store.start_run("flights") as run:
            ...     run.log_metric("loss", 0.3)
            ...     run.log_metric("loss", 0.2)
            >>> store.run(run.id).metrics("loss").column("value").to_pylist()
            [0.3, 0.2]
        """
        if damaged not in ("raise", "skip"):
            message = f"damaged={damaged!r} isn't known"
            raise InvalidInput(message, hint="Use 'raise' or 'skip'")
        with self._forgiven(damaged):
            self._require_whole()
        with self._forgiven(damaged):
            if key is not None and self._points is not None and self._is_large:
                found = self._points(self.id, key)
                if found is not None:
                    return found
        columns = PointColumns(only=key)
        for writer, segments in enumerate(by_writer(self._files)):
            for name in segments:
                path = f"runs/{self.id}/{name}"
                read = partial(self._storage.read, path)
                batches = iter_points(read, self._files[name], path, damaged=damaged)
                columns.add(batches, writer=writer)
        if key is None:
            return columns.table_of_all()
        if key not in columns.keys:
            known: Iterable[str] = ()
            with self._forgiven(damaged):
                known = self.summary
            raise unknown(f"metric of run {self.id}", key, known)
        return columns.table(key)

    def _forgiven(self, damaged: Damaged) -> "AbstractContextManager[None]":
        """Pass over damage where that is wanted."""
        return suppress(Corrupt) if damaged == "skip" else nullcontext()

    @property
    def _is_large(self) -> bool:
        """Whether the run has ended, with so many points that tables have them faster."""
        return self._has_ended and sum(self._files[name] for name in self._segments) >= _LARGE
