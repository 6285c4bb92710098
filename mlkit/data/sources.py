"""What users hand over to become a version: tables, streams of batches, files, folders."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlkit.data.content import Content
from mlkit.data.file_contents import FilesContent
from mlkit.data.table_content import TableContent
from mlkit.data.table_stream import TableStream
from mlkit.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 1 << 16


def content_of(data: Any) -> Content:
    """Give what a user's object is as the content of a version.

    Args:
        data: A table of pandas, polars or Arrow, a record batch or a reader or an iterable of
            them, a two-dimensional numpy array, a dict of columns, a list of dicts, or the path
            of a Parquet or CSV file (tables), of any other file, or of a folder.

    Raises:
        InvalidInput: It is nothing of this; or a table that can't be kept.
    """
    import pyarrow as pa

    if isinstance(data, str | os.PathLike):
        return _content_of_path(os.fspath(data))
    if isinstance(data, pa.RecordBatchReader):
        return _stream(data.schema, data)
    if isinstance(data, Iterable) and not isinstance(data, pa.Table | pa.RecordBatch | Mapping):
        if isinstance(data, Iterator):
            return _content_of_iterator(data)
        if isinstance(data, list | tuple) and data and isinstance(data[0], pa.RecordBatch):
            return _content_of_iterator(iter(data))
    from mlkit.schema.frames import form_of, to_arrow

    table = to_arrow(data)
    if form_of(data) == "pandas":  # what Arrow can't tell, such as nullable integers
        notes = pa.Schema.from_pandas(data.head(0), preserve_index=False).metadata
        table = table.replace_schema_metadata(notes)
    return TableContent(TableStream.of_table(table))


def _content_of_path(text: Any) -> Content:
    if not isinstance(text, str) or "://" in text:
        raise InvalidInput(
            f"{text!r} is no local path",
            hint="Record what stays where it is with reference_dataset(name, url)",
        )
    path = Path(text)
    if path.is_dir():
        return FilesContent("folder", path)
    if not path.is_file():
        raise InvalidInput(f"There is no file or folder {text!r}")
    suffixes = "".join(path.suffixes).lower()
    if suffixes.endswith((".parquet", ".pq")):
        return _content_of_parquet(path)
    if suffixes.endswith((".csv", ".csv.gz")):
        return _content_of_csv(path)
    return FilesContent("file", path)


def _content_of_parquet(path: Path) -> Content:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            return _stream(file.schema_arrow, file.iter_batches(batch_size=_ROWS))
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(f"{str(path)!r} can't be read as Parquet: {error}") from error


def _content_of_csv(path: Path) -> Content:
    import pyarrow as pa
    from pyarrow import csv

    try:
        table = csv.read_csv(path)
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(
            f"{str(path)!r} can't be read as CSV: {error}",
            hint="Read it with pandas or polars and hand over the frame",
        ) from error
    return TableContent(TableStream.of_table(table))


def _content_of_iterator(batches: Iterator[Any]) -> Content:
    import pyarrow as pa

    first = next(batches, None)
    if not isinstance(first, pa.RecordBatch):
        raise InvalidInput(
            f"The stream gave {type(first).__name__}, not a pyarrow.RecordBatch",
            hint="Hand over a pyarrow.RecordBatchReader if there may be no batch",
        )

    def whole() -> Iterator["pa.RecordBatch"]:
        yield first
        for batch in batches:
            if not isinstance(batch, pa.RecordBatch) or not batch.schema.equals(first.schema):
                raise InvalidInput("The batches of the stream don't have one schema")
            yield batch

    return _stream(first.schema, whole())


def _stream(schema: "pa.Schema", batches: Iterable["pa.RecordBatch"]) -> TableContent:
    return TableContent(TableStream.of_batches(schema, batches))
