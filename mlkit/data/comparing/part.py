"""One part of a split: some rows of a table, read as the table is."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mlkit.data.comparing.row_source import RowSource
from mlkit.data.parquet import select
from mlkit.data.reading.library_frames import pandas_frame, polars_frame
from mlkit.data.reading.row_filter import RowFilter
from mlkit.data.reading.table_reading import checked_rows

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

_ROWS = 1 << 16


@frozen
class Part:
    """The rows of one part of a split, in the order of the table.

    It is itself a table to other functions: it can be logged as a dataset, compared for drift, or
    searched for leakage. Nothing is read before it is asked for.

    Attributes:
        name: What the part is called, such as `train`.
        wanted: The share of the rows that it was to have.
    """

    name: str
    wanted: float
    _source: RowSource = field(repr=False)
    _mask: Callable[["pa.RecordBatch"], "pa.Array"] = field(repr=False, eq=False)
    _by: tuple[str, ...] = field(repr=False)
    _count: Callable[[], int] = field(repr=False, eq=False)
    _salt: int = field(repr=False)

    @property
    def ref(self) -> str:
        """What it is called in reports, such as `flights:3[train]`."""
        source = self._source.name
        return f"{source}[{self.name}]" if source else self.name

    @property
    def origin(self) -> tuple[str, str]:
        """The reference and digest of the version that was split; empty for a frame."""
        return self._source.name.partition("[")[0], self._source.digest

    @property
    def rows(self) -> int:
        """How many rows it has; the first time, what the split goes by is read."""
        return self._count()

    @property
    def schema(self) -> "pa.Schema":
        """The columns, those of the table."""
        return self._source.schema

    def batches(
        self, columns: Sequence[str] | None = None, *, filters: Any = None, rows: int = _ROWS
    ) -> Iterator["pa.RecordBatch"]:
        """Give the rows batch by batch, in the memory of a few; some batches may be empty.

        Args:
            columns: Which columns, in which order; all by default. Only they are read, and those
                that the split and the filters go by.
            filters: Which rows; see `DatasetVersion.to_arrow`.
            rows: The most rows of a batch.

        Raises:
            InvalidInput: There is no such column, one is asked for twice, or a filter can't be.
            Corrupt: What was stored is damaged.
        """
        chosen = select(self.schema, columns).names
        most = checked_rows(rows)
        kept = None if filters is None else RowFilter.of(filters, self.schema)
        needed = dict.fromkeys([*chosen, *self._by, *(kept.columns if kept else ())])
        for batch in self._source.read(list(needed)):
            found = batch.filter(self._mask(batch.select(list(self._by))))
            found = found if kept is None else kept.apply(found)
            for start in range(0, max(len(found), 1), most):
                yield found.select(chosen).slice(start, most)

    def to_arrow(self, columns: Sequence[str] | None = None, *, filters: Any = None) -> "pa.Table":
        """Give the rows as an Arrow table; see `batches`."""
        import pyarrow as pa

        wanted = select(self.schema, columns)
        batches = list(self.batches(columns, filters=filters))
        return pa.Table.from_batches(batches, batches[0].schema if batches else wanted)

    def to_pandas(
        self, columns: Sequence[str] | None = None, *, filters: Any = None
    ) -> "pd.DataFrame":
        """Give the rows as a DataFrame, as `DatasetVersion.to_pandas` does.

        Raises:
            MissingExtra: pandas isn't installed.
        """
        return pandas_frame(self.to_arrow(columns, filters=filters))

    def to_polars(
        self, columns: Sequence[str] | None = None, *, filters: Any = None
    ) -> "pl.DataFrame":
        """Give the rows as a polars DataFrame.

        Raises:
            MissingExtra: polars isn't installed.
        """
        return polars_frame(self.to_arrow(columns, filters=filters))

    def as_rows(self) -> RowSource:
        """Give the rows as a source for what goes through rows, without counting them first."""
        return RowSource(self.ref, "", self._source.rows, self.schema, self.batches, self._salt)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Give the rows as an Arrow stream, which other libraries read."""
        import pyarrow as pa

        reader = pa.RecordBatchReader.from_batches(self.schema, self.batches())
        return reader.__arrow_c_stream__(requested_schema)
