"""Rows to go through more than once: those of a version, of a part of one, or of a frame."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from mlkit._core.names import near
from mlkit.data.layout import kept_type, lay_out
from mlkit.errors import InvalidInput
from mlkit.schema.frames import to_arrow

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 1 << 16


@frozen
class RowSource:
    """A table that is read batch by batch, as often as one likes.

    Attributes:
        name: What it is called, such as `flights:3`; empty for frames.
        digest: The digest of its content where it is known; empty for frames.
        rows: How many rows it has at most.
        schema: Its columns.
        read: Gives the batches of some columns, in this order.
        salt: What another split of them has to mix into its seed, as they are a part of one: by
            its seed alone it would go by the numbers that say which part they are.
    """

    name: str
    digest: str
    rows: int
    schema: "pa.Schema"
    read: Callable[[list[str]], Iterator["pa.RecordBatch"]]
    salt: int = 0

    @classmethod
    def of(cls, data: Any) -> "RowSource":
        """Give the rows of a version, a part of a split, or a frame of any library.

        Raises:
            InvalidInput: It is no table.
        """
        if isinstance(data, RowSource):
            return data
        as_rows = getattr(type(data), "as_rows", None)
        if callable(as_rows):
            source: RowSource = as_rows(data)
            return source
        if callable(getattr(type(data), "batches", None)):
            schema = data.schema  # which says why, where a version is no table
            return cls(data.ref, data.digest, data.rows, schema, data.batches)
        return _of_table(to_arrow(data))

    def chosen(self, what: str, columns: str | Sequence[str]) -> tuple[str, ...]:
        """Give the names of some columns, one or several.

        Args:
            what: The argument that names them, for messages.
            columns: A name, or a list of names.

        Raises:
            InvalidInput: There is no such column, one is named twice, or none is.
        """
        known = self.schema.names
        names = (columns,) if isinstance(columns, str) else columns
        if not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
            raise InvalidInput(
                f"{what}={columns!r} is no name of a column, and no list of names",
                hint=f"Write {what}={known[:1]!r}, for example",
            )
        names = tuple(names)
        where = f" in {self.name}" if self.name else ""
        for name in names:
            if name not in known:
                hint = near(name, known) or f"There are: {', '.join(known)}"
                raise InvalidInput(f"{what}: there is no column {name!r}{where}", hint=hint)
        if not names or len(set(names)) != len(names):
            raise InvalidInput(
                f"{what} names {'a column twice' if names else 'no column'}",
                hint=f"Write {what}={known[:1]!r}, for example",
            )
        return names

    def rows_at(self, numbers: "pa.Array", columns: list[str]) -> "pa.Table":
        """Give the rows of some numbers.

        Args:
            numbers: Counted from 0, ascending, of type int64.
            columns: Which columns.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        schema = pa.schema([self.schema.field(name) for name in columns])
        kept: list[pa.RecordBatch] = []
        start, done = 0, 0
        batches = self.read(columns) if len(numbers) else iter(())
        for batch in batches:
            end = start + len(batch)
            first, done = done, bisect_left(numbers, end, done, key=lambda number: number.as_py())
            if done > first:
                kept.append(batch.take(pc.subtract(numbers.slice(first, done - first), start)))
            if done == len(numbers):
                break
            start = end
        return pa.Table.from_batches(kept, kept[0].schema if kept else schema)


def _of_table(table: "pa.Table") -> RowSource:
    """Give the rows of a table in memory, without views and runs, which pyarrow can't filter."""
    import pyarrow as pa

    schema = pa.schema([field.with_type(kept_type(field.type)) for field in table.schema])

    def read(columns: list[str]) -> Iterator["pa.RecordBatch"]:
        chosen = pa.schema([schema.field(name) for name in columns])
        for batch in table.select(columns).to_batches(max_chunksize=_ROWS):
            pairs = zip(batch.columns, chosen.types, strict=True)
            yield pa.RecordBatch.from_arrays([lay_out(*pair) for pair in pairs], schema=chosen)

    return RowSource("", "", table.num_rows, schema, read)
