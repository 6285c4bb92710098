"""Files that are tables by their names: Parquet, Arrow, CSV and JSON, read in bounded memory."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from mlkit.data.sources.csv_table import csv_table
from mlkit.data.sources.json_table import json_document, json_lines
from mlkit.data.sources.table_stream import ROWS, TableStream
from mlkit.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_BATCH = 32 << 20  # bytes that the rows of a batch may have
_AT_ONCE = 1 << 20
_COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}


def is_table_file(name: str) -> bool:
    """Tell whether a file is a table by its name, or may be one.

    Example:
        >>> is_table_file("flights.CSV.gz"), is_table_file("flights.txt")
        (True, False)
    """
    return _reader(name) is not None


def table_of_file(path: Path, name: str, shown: str) -> TableStream | None:
    """Give the table that a file holds.

    Args:
        path: The file; it must stay as it is until the table was read.
        name: Its name, whose ending says what it holds.
        shown: What to call it in messages.

    Returns:
        The table; None where the file is none: its name says so, or a `.json` file holds something
        else than rows.

    Raises:
        InvalidInput: It isn't what its name says, or has a column that can't be kept.
    """
    import pyarrow as pa

    read = _reader(name)
    if read is None:
        return None
    try:
        before = os.stat(path)  # noqa: PTH116 - as below, where it is called for every table
        stream = read(path, shown)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{shown} can't be read: {_words(error)}",
            hint="If it is no table, put it into a folder: its files are kept as they are",
        ) from error
    if stream is None:
        return None
    return evolve(stream, batches=_unchanged(stream.batches, path, before, shown))


_Reader = Callable[[Path, str], TableStream | None]


def _reader(name: str) -> _Reader | None:
    lowered = name.lower()
    stem, _, ending = lowered.rpartition(".")
    compression = _COMPRESSIONS.get(f".{ending}")
    if compression is not None:
        ending = stem.rpartition(".")[2]
    if ending in {"csv", "tsv"}:
        delimiter = "\t" if ending == "tsv" else ","
        return lambda path, shown: csv_table(path, shown, delimiter, compression)
    if ending in {"jsonl", "ndjson"}:
        return lambda path, shown: json_lines(path, shown, compression)
    if ending == "json":
        return lambda path, shown: json_document(path, shown, compression)
    if compression is not None:
        return None
    if ending in {"parquet", "pq"}:
        return _parquet
    return arrow_table if ending in {"arrow", "arrows", "feather", "ipc"} else None


def _parquet(path: Path, shown: str) -> TableStream:
    import pyarrow.parquet as pq

    # Without reading ahead, so that no more than a batch and the pages it lies in is in memory.
    file = pq.ParquetFile(path, pre_buffer=False, buffer_size=_AT_ONCE)
    try:
        batches = file.iter_batches(batch_size=_rows(file.metadata))
        return TableStream.of_batches(file.schema_arrow, batches, what=shown, close=file.close)
    except BaseException:
        file.close()
        raise


def _rows(metadata: "pq.FileMetaData") -> int:
    """Give how many rows a batch may have, for rows of pictures are large."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    widest = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=0)
    return max(1, min(ROWS, _BATCH // max(widest, 1)))


def arrow_table(path: Path, shown: str) -> TableStream:
    """Give the table of an Arrow file, or of an Arrow stream that was written as a file.

    Args:
        path: The file.
        shown: What to call it in messages.

    Raises:
        InvalidInput: It is Feather of version 1, or has a column that can't be kept.
    """
    import pyarrow as pa

    with path.open("rb") as opened:
        magic = opened.read(6)
    if magic.startswith(b"FEA1"):
        raise InvalidInput(
            f"{shown} is Feather of version 1, which nobody writes any more",
            hint="Read it with pandas.read_feather, and hand over the frame",
        )
    source = pa.OSFile(str(path))
    try:
        if magic == b"ARROW1":
            file = pa.ipc.open_file(source)
            batches = (file.get_batch(number) for number in range(file.num_record_batches))
            return TableStream.of_batches(file.schema, batches, what=shown, close=source.close)
        reader = pa.ipc.open_stream(source)
        return TableStream.of_batches(reader.schema, reader, what=shown, close=source.close)
    except BaseException:
        source.close()
        raise


def _unchanged(
    batches: "Iterable[pa.RecordBatch]", path: Path, before: os.stat_result, shown: str
) -> "Iterator[pa.RecordBatch]":
    """Give batches, and raise at their end if the file they come from isn't what it was."""
    yield from batches
    after = os.stat(path)  # noqa: PTH116 - the kin of the other one
    if (before.st_size, before.st_mtime_ns, before.st_ino) != (
        after.st_size,
        after.st_mtime_ns,
        after.st_ino,
    ):
        raise InvalidInput(
            f"{shown} changed while it was read",
            hint="Do it again when nobody writes to it; no version was made",
        )


def _words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
