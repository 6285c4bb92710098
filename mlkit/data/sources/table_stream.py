"""A table as it is handed on to be stored: a schema, and batches that are read once."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Self

from attrs import field, frozen

from mlkit.data.categories import with_categories
from mlkit.data.layout import refusals
from mlkit.data.logical import type_text
from mlkit.data.parquet import conform, storable
from mlkit.errors import InvalidInput, MlkitError

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 1 << 16
"""The most rows of a batch."""

_BYTES = 32 << 20  # of a batch, whose rows may be large

_DEEPEST = 60  # Arrow itself hands on 64 levels, and a schema has some of its own
_OWN_NOTES = b"mlkit."
_NOT_KEPT = {
    "pandas.period": ("periods", "Make them times first: frame[name].dt.to_timestamp()"),
    "pandas.interval": (
        "intervals",
        "Make two columns of them first: frame[name].array.left and frame[name].array.right",
    ),
}


@frozen
class TableStream:
    """A table on its way into a version.

    Attributes:
        schema: The columns, as a version keeps them: names that can be kept, layouts that Parquet
            has, categories noted.
        batches: The rows, each batch with that schema and of at most 65,536 rows. They are read
            once; reading raises `InvalidInput` where what is read turns out to be damaged.
        whole: The table, where it was in memory anyway: it can be read more than once.
    """

    schema: "pa.Schema"
    batches: Iterable["pa.RecordBatch"] = field(repr=False, eq=False)
    whole: "pa.Table | None" = field(default=None, kw_only=True, repr=False, eq=False)
    _close: Callable[[], object] = field(default=lambda: None, kw_only=True, repr=False, eq=False)

    @classmethod
    def of_table(cls, table: "pa.Table") -> Self:
        """Give a table in memory as a stream, its categories noted.

        Raises:
            InvalidInput: It has no column, or one that can't be kept.

        Example:
            >>> import pyarrow as pa
            >>> stream = TableStream.of_table(pa.table({"x": [1, 2, 3]}))
            >>> [batch.num_rows for batch in stream.batches]
            [3]
        """
        import pyarrow as pa

        kept = kept_schema(table.schema)
        fields = [with_categories(*pair) for pair in zip(kept, table.columns, strict=True)]
        schema = pa.schema(fields, metadata=kept.metadata)
        batches = (kept_batch(batch, schema) for batch in parts(table.to_batches()))
        return cls(schema, batches, whole=table)

    @classmethod
    def of_batches(
        cls,
        schema: "pa.Schema",
        batches: Iterable["pa.RecordBatch"],
        *,
        what: str = "",
        close: Callable[[], object] = lambda: None,
    ) -> Self:
        """Give batches as a stream.

        Args:
            schema: The schema of all batches.
            batches: The batches; an error that they raise goes on as it is, but one of Arrow's is
                an `InvalidInput` when it is known what is read.
            what: What is read, for messages; nothing where the batches are made by the caller's
                own code, whose errors are the caller's.
            close: Gives back what reading took.

        Raises:
            InvalidInput: There is no column, or one that can't be kept.
        """
        kept = kept_schema(schema)
        return cls(kept, _conforming(batches, schema, kept, what), close=close)

    def closing(self, close: Callable[[], object]) -> Self:
        """Give the same table, which gives back something more when it is closed.

        Args:
            close: Gives it back.
        """

        def both() -> None:
            self.close()
            close()

        return type(self)(self.schema, self.batches, whole=self.whole, close=both)

    def close(self) -> None:
        """Give back what reading took: open files, and temporary ones."""
        stop = getattr(self.batches, "close", None)
        if stop is not None:
            stop()
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def kept_schema(schema: "pa.Schema") -> "pa.Schema":
    """Give the schema with which a table is kept, after looking at every column.

    Raises:
        InvalidInput: There is no column; a name is taken twice, or can't be kept; a type is nested
            too deeply, or would lose something. The message names the column.

    Example:
        >>> import pyarrow as pa
        >>> kept_schema(pa.schema({"a": pa.string_view()})).field("a").type
        DataType(large_string)
    """
    import pyarrow as pa

    fields = []
    for column in schema:
        check_column(column.name, column.type)
        notes = {
            key: note
            for key, note in (column.metadata or {}).items()
            if not key.startswith(_OWN_NOTES)  # of the version that the column was read from
        }
        fields.append(column.with_metadata(notes or None))
    return storable(pa.schema(fields, metadata=schema.metadata))


def kept_batch(batch: "pa.RecordBatch", schema: "pa.Schema") -> "pa.RecordBatch":
    """Give a batch the schema with which its table is kept.

    Args:
        batch: The rows.
        schema: What `kept_schema` gave.

    Raises:
        InvalidInput: A value can't be kept so; the message names the column.

    Example:
        >>> import pyarrow as pa
        >>> batch = pa.record_batch({"a": pa.array(["x"], pa.string_view())})
        >>> kept_batch(batch, kept_schema(batch.schema)).column("a").type
        DataType(large_string)
    """
    try:
        return conform(batch, schema)
    except refusals() as error:
        raise InvalidInput(
            f"The table can't be kept: {error}", hint="Cast the column to a plain type first"
        ) from error


def check_column(name: str, kind: "pa.DataType") -> None:
    """Raise where a column of a type can't be kept.

    Args:
        name: The column's name, for the message.
        kind: Its type; all its levels are looked at, which may be very many.

    Raises:
        InvalidInput: The type has no identity, is nested too deeply, or would lose something.
    """
    import pyarrow as pa
    from pyarrow import types

    levels = [(kind, 0)]
    while levels:
        inner, depth = levels.pop()
        if depth > _DEEPEST:
            raise InvalidInput(
                f"Column {name!r} is nested more than {_DEEPEST} levels deep",
                hint="Keep the values as texts, or the file as it is in a folder",
            )
        if isinstance(inner, pa.BaseExtensionType):
            what, hint = _NOT_KEPT.get(inner.extension_name, ("", ""))
            if what:
                raise InvalidInput(f"Column {name!r} holds {what} of pandas", hint=hint)
            inner = inner.storage_type
        _check_size(name, inner)
        if types.is_dictionary(inner) or types.is_run_end_encoded(inner):
            levels.append((inner.value_type, depth + 1))
        parts = [inner.field(number) for number in range(inner.num_fields)]
        if types.is_struct(inner):
            _check_parts(name, [part.name for part in parts])
        levels += [(part.type, depth + 1) for part in parts]
    try:
        type_text(kind)
    except InvalidInput as error:
        raise InvalidInput(f"Column {name!r}: {error.message}", hint=error.hint) from None


def _check_size(name: str, kind: "pa.DataType") -> None:
    """Raise where Parquet can't hold values of a type, because of a number in it."""
    from pyarrow import types

    if types.is_fixed_size_list(kind) and not kind.list_size:
        what, hint = "lists of the fixed size 0", "pa.list_(...) without a size"
    elif types.is_fixed_size_binary(kind) and not kind.byte_width:
        what, hint = "bytes of the fixed size 0", "pa.binary()"
    elif types.is_decimal(kind) and kind.scale < 0:
        what, hint = f"decimals of the scale {kind.scale}", "a decimal of the scale 0"
    else:
        return
    raise InvalidInput(f"Column {name!r} holds {what}", hint=f"Cast it first, to {hint}")


def _check_parts(name: str, parts: list[str]) -> None:
    for part in parts:
        if "\0" in part:
            raise InvalidInput(
                f"Column {name!r} has a field {part!r}, whose name holds a null character",
                hint="Rename the field",
            )
        if parts.count(part) > 1:
            raise InvalidInput(
                f"Column {name!r} has two fields of the name {part!r}", hint="Rename one of them"
            )


def _conforming(
    batches: Iterable["pa.RecordBatch"], schema: "pa.Schema", kept: "pa.Schema", what: str
) -> Iterator["pa.RecordBatch"]:
    """Give batches as they are kept, of which none is too long."""
    for number, batch in enumerate(_named_errors(batches, what)):
        if not batch.schema.equals(schema):
            raise InvalidInput(
                f"Batch {number} has other columns than the schema says: "
                f"{difference(schema, batch.schema)}",
                hint="Cast every batch to one schema: batch.cast(schema)",
            )
        for part in parts([batch]):
            yield kept_batch(part, kept)


def _named_errors(batches: Iterable["pa.RecordBatch"], what: str) -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa

    if not what:
        yield from batches
        return
    try:
        yield from batches
    except MlkitError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{what} can't be read to its end: {error}",
            hint="It may be cut or damaged: make it again, or bring a copy",
        ) from error


def parts(batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
    """Give the rows of batches in batches that are neither long nor large.

    Args:
        batches: The rows, in batches of any size.

    Returns:
        Batches of at most 65,536 rows, and of about 32 MiB.

    Example:
        >>> import pyarrow as pa
        >>> large = pa.record_batch({"text": ["x" * (8 << 20)] * 5})
        >>> [batch.num_rows for batch in parts([large])]
        [3, 2]
    """
    for batch in batches:
        width = sum(_bytes(column) for column in batch.columns) // max(len(batch), 1)
        rows = max(1, min(ROWS, _BYTES // max(width, 1)))
        for start in range(0, len(batch), rows):
            yield batch.slice(start, rows)


def _bytes(column: "pa.Array") -> int:
    """Estimate the bytes of a column's values, of which a dictionary holds each only once."""
    import pyarrow as pa

    if not isinstance(column, pa.DictionaryArray) or not len(column.dictionary):
        return int(column.nbytes)
    return int(
        column.indices.nbytes + len(column) * (_bytes(column.dictionary) // len(column.dictionary))
    )


def difference(one: "pa.Schema", other: "pa.Schema") -> str:
    """Say in what the columns of two schemas differ first.

    Example:
        >>> import pyarrow as pa
        >>> difference(pa.schema({"a": pa.int64()}), pa.schema({"a": pa.string()}))
        "'a' is string, and was int64"
        >>> difference(pa.schema({"a": pa.int64()}), pa.schema({}))
        "'a' is missing"
    """
    for column in one:
        if column.name not in other.names:
            return f"{column.name!r} is missing"
    for column in other:
        if column.name not in one.names:
            return f"{column.name!r} is new"
    for before, after in zip(one, other, strict=True):
        if before.name != after.name:
            return f"{after.name!r} stands where {before.name!r} was"
        if not before.type.equals(after.type):
            return f"{before.name!r} is {after.type}, and was {before.type}"
    return "they don't agree on whether there may be nulls"
