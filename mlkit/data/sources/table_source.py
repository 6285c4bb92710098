"""Tables of all libraries as streams: frames, arrays, columns, batches, readers, queries."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlkit.data.sources.table_files import arrow_table
from mlkit.data.sources.table_stream import TableStream, difference
from mlkit.errors import InvalidInput
from mlkit.schema.frames import form_of, to_arrow

if TYPE_CHECKING:
    import pyarrow as pa

_PART = {"arrow", "pandas", "polars"}


def table_of(data: Any) -> TableStream:
    """Give a table of any library as a stream.

    Args:
        data: A frame of pandas (its index is left out) or polars, also a lazy one; a table, batch,
            reader or dataset of Arrow; a numpy array of one or two dimensions, or of records; a
            dict of columns, a list of dicts; anything that gives an Arrow stream; an iterator of
            batches or frames.

    Raises:
        InvalidInput: It is no table, or has a column that can't be kept.

    Example:
        >>> with table_of({"carrier": ["UA", "AA"], "delay": [3.5, None]}) as stream:
        ...     [batch.num_rows for batch in stream.batches]
        [2]
    """
    import pyarrow as pa

    if isinstance(data, pa.RecordBatchReader):
        return TableStream.of_batches(data.schema, data)
    if _is(data, "pyarrow.dataset", "Dataset"):
        return TableStream.of_batches(data.schema, data.to_batches())
    if _is(data, "pyarrow.dataset", "Scanner"):
        return TableStream.of_batches(data.projected_schema, data.to_batches())
    if _is(data, "mlkit.data.version", "DatasetVersion"):
        return _of_version(data)
    if _is(data, "polars", "LazyFrame"):
        return _of_query(data)
    if isinstance(data, Iterator):
        return _of_parts(data)
    if isinstance(data, list | tuple) and data and form_of(data[0]) in _PART:
        return _of_parts(iter(data))
    return _of_object(data)


def _of_object(data: Any) -> TableStream:
    import pyarrow as pa

    form = form_of(data)
    if form == "stream" and hasattr(data, "__arrow_c_stream__"):
        return _of_capsule(data)
    names = getattr(getattr(data, "dtype", None), "names", None)
    if names is not None and _is(data, "numpy", "ndarray"):
        data = {name: data[name] for name in names}
    table = _arrow(data)
    if form == "pandas":  # what Arrow can't tell, such as nullable integers
        notes = pa.Schema.from_pandas(data.head(0), preserve_index=False).metadata
        table = table.replace_schema_metadata(notes)
    return TableStream.of_table(table)


def _arrow(data: Any) -> "pa.Table":
    import pyarrow as pa

    if isinstance(data, pa.Table):  # as it is: on the way through its C interface, names are cut
        plain = [column.remove_metadata() for column in data.schema]
        return pa.Table.from_arrays(data.columns, schema=pa.schema(plain))
    if isinstance(data, pa.RecordBatch):
        return _arrow(pa.Table.from_batches([data]))
    if form_of(data) == "polars":
        _check_names(data.columns)
    try:
        return to_arrow(data)
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"A column's name holds {error.object[error.start]!r}, which UTF-8 doesn't have",
            hint="Rename the column",
        ) from error


def _of_version(version: Any) -> TableStream:
    """Read the table of another version; files are taken from a folder."""
    if version.kind != "table":
        raise InvalidInput(
            f"{version.ref} is no table, but a {version.kind}",
            hint="Check it out, and hand over the folder: version.checkout(folder)",
        )
    return TableStream(version.schema, version.batches())


def _of_capsule(data: Any) -> TableStream:
    """Read what gives an Arrow stream, such as a query of DuckDB, without holding all of it."""
    import pyarrow as pa

    try:
        reader = pa.RecordBatchReader.from_stream(data)
    except (pa.ArrowException, TypeError) as error:
        raise InvalidInput(
            f"The {type(data).__name__} gives no Arrow table: {error}",
            hint="Hand over a frame, or a pyarrow.RecordBatchReader",
        ) from error
    return TableStream.of_batches(reader.schema, reader)


def _of_query(frame: Any) -> TableStream:
    """Run a lazy query of polars into a temporary file, so that its result may be of any size."""
    folder = tempfile.TemporaryDirectory(prefix="mlkit-")
    path = Path(folder.name) / "query.arrow"
    try:
        schema = frame.collect_schema()
        _check_names(schema.names())
        for name, kind in schema.items():
            to_arrow(_empty_series(name, kind).to_frame())  # which refuses what Arrow lacks
        frame.sink_ipc(path, compression="lz4")
        stream = arrow_table(path, "The query's result")
    except BaseException:
        folder.cleanup()
        raise
    return stream.closing(folder.cleanup)


def _check_names(names: list[str]) -> None:
    """Raise where polars would give up."""
    for name in names:
        if "\0" in name:
            raise InvalidInput(
                f"The name {name!r} of a column holds a null character", hint="Rename the column"
            )


def _empty_series(name: str, kind: Any) -> Any:
    return sys.modules["polars"].Series(name, [], dtype=kind)


def _of_parts(parts: Iterator[Any]) -> TableStream:
    """Read what comes in parts, each a table; the first says the columns of all."""
    first = _part(next(parts, None), 0)

    def batches() -> "Iterator[pa.RecordBatch]":
        yield from first.to_batches()
        for number, data in enumerate(parts, 1):
            part = _part(data, number)
            if not part.schema.equals(first.schema):
                raise InvalidInput(
                    f"The parts of the stream don't have one schema: of part {number}, "
                    f"{difference(first.schema, part.schema)}",
                    hint="Cast every part to one schema, which the first one may have already",
                )
            yield from part.to_batches()

    return TableStream.of_batches(first.schema, batches())


def _part(data: Any, number: int) -> "pa.Table":
    import pyarrow as pa

    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if form_of(data) in _PART and not isinstance(data, pa.RecordBatchReader):
        return to_arrow(data)
    if data is None and not number:
        raise InvalidInput(
            "The stream is empty, or its first part is None, not a pyarrow.RecordBatch or a frame",
            hint="Hand over a pyarrow.RecordBatchReader if there may be no batch: it has a schema",
        )
    raise InvalidInput(
        f"Part {number} of the stream is a {type(data).__name__}, not a pyarrow.RecordBatch or a "
        "frame of pandas, polars or Arrow",
        hint="Hand over rows as a list of dicts, or make batches of them",
    )


def _is(data: Any, module: str, name: str) -> bool:
    """Tell whether data are of a class of a library, which isn't imported for that."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(data, kind)
