"""Parts of a view of runs: those of a data file, and those that were read from their folders."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from attrs import define, field

from mlkit.index.cache import ColumnCache
from mlkit.index.naming import Naming
from mlkit.index.row import Row
from mlkit.index.runs_schema import grown_schema, rows_table
from mlkit.tables.data_file import DataFile

if TYPE_CHECKING:
    import pyarrow as pa


class Part(Protocol):
    """Some of the runs of a view, in their own order."""

    @property
    def naming(self) -> Naming:
        """Which of its columns holds which key."""
        ...

    def __len__(self) -> int: ...

    def read(self, columns: Iterable[str]) -> "dict[str, pa.ChunkedArray]":
        """Give some columns; those that are null in all rows may be left out."""
        ...


@define
class FilePart:
    """The runs of a data file, but for those that a view takes from elsewhere.

    Attributes:
        file: The file.
        cache: Keeps its columns.
        kept: Which of its rows count, True or False for each; None for all.
    """

    file: DataFile
    cache: ColumnCache
    kept: "pa.Array | None"
    __dict__: dict[str, object] = field(init=False, repr=False, eq=False)  # what is cached

    def __len__(self) -> int:
        if self.kept is None:
            return self.file.add.rows
        return int(self.kept.true_count)

    @cached_property
    def naming(self) -> Naming:
        """Which of the file's columns holds which key."""
        return Naming.of(self.file.schema)

    def read(self, columns: Iterable[str]) -> "dict[str, pa.ChunkedArray]":
        """Give some columns, from memory where they were read before."""
        path = self.file.add.path
        wanted = [name for name in columns if name in self.file.columns]
        found = {name: self.cache.get(path, name) for name in wanted}
        lacking = [name for name, values in found.items() if values is None]
        if lacking:
            table = self.file.read(lacking)
            for name in lacking:
                found[name] = table.column(name)
                self.cache.put(path, name, table.column(name))
        if self.kept is None:
            return {name: values for name, values in found.items() if values is not None}
        return {name: values.filter(self.kept) for name, values in found.items() if values}


@define
class RowsPart:
    """Runs of which the rows are in memory.

    Attributes:
        rows: The rows.
    """

    rows: Sequence[Row]
    __dict__: dict[str, object] = field(init=False, repr=False, eq=False)  # what is cached

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def naming(self) -> Naming:
        """Which column holds which key."""
        return Naming.of(self._table.schema)

    def read(self, columns: Iterable[str]) -> "dict[str, pa.ChunkedArray]":
        """Give some columns."""
        return {name: self._columns[name] for name in columns if name in self._columns}

    @cached_property
    def _columns(self) -> "dict[str, pa.ChunkedArray]":
        return dict(zip(self._table.column_names, self._table.columns, strict=True))

    @cached_property
    def _table(self) -> "pa.Table":
        import pyarrow as pa

        return rows_table(self.rows, grown_schema(pa.schema([]), self.rows))
