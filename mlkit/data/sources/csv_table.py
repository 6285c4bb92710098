"""CSV as a table: every column has one type, found in the whole file before it is read."""

from pathlib import Path
from typing import TYPE_CHECKING

from mlkit.data.sources.csv_file import CsvFile, Types
from mlkit.data.sources.csv_numbers import large_columns, whole_types
from mlkit.data.sources.table_stream import TableStream, kept_schema
from mlkit.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

_BLOCKS = (1 << 20, 8 << 20, 64 << 20)
"""How much of a file is read at once; a row must lie within, so larger ones are tried too. Arrow
has about thirty of them in memory."""

_TOO_LONG = "straddl"  # what Arrow says of a row that is longer than a block
_EMPTY = "Empty CSV"
_READ_IT = "Read it with pandas or polars, which take many options, and hand over the frame"


def csv_table(path: Path, shown: str, delimiter: str, compression: str | None) -> TableStream:
    """Give the table that a CSV file holds, in the memory of a few blocks.

    The types are those that Arrow finds when it reads the file whole: of integers, booleans,
    dates, times, timestamps, floats and texts the first that all values of the column fit into.
    But where all of them are whole numbers, they become none that differ from what is written:
    those of 64 bits have no sign where that is enough, and larger or hexadecimal ones are texts.

    Args:
        path: The file; its first row has the names.
        shown: What to call it in messages.
        delimiter: What stands between two values.
        compression: How it is compressed, as Arrow names it; None where it isn't.

    Raises:
        InvalidInput: A row has too many values or too few, a text is no UTF-8, the last value is
            cut, or a column can't be kept.
    """
    import pyarrow as pa

    for size in _BLOCKS:
        file = CsvFile(path, delimiter, compression, size)
        try:
            types = _types(file, shown)
            break
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            too_long = _is_too_long(error, file)
            if not too_long or size == _BLOCKS[-1]:
                raise _unreadable(error, shown, too_long=too_long) from error
    return TableStream.of_batches(pa.schema(types), file.batches(types), what=shown)


def _types(file: CsvFile, shown: str) -> Types:
    """Give the type of each column.

    The first block says the least that each type must be. If the others fit, which is nearly always
    so, that is all; otherwise the types are widened until everything fits.
    """
    import pyarrow as pa

    with file.opened({}) as reader:
        first = reader.schema
    kept_schema(first)
    _check_delimiter(first.names, shown)
    types: Types = {column.name: column.type for column in first}
    while True:
        _check_texts(types, shown)
        try:
            large = large_columns(file.batches(types), types)
        except pa.ArrowInvalid:
            wider = _widened(file, types, shown)
            if wider == types:  # it wasn't for the types
                raise
            types = wider
        else:
            return {**types, **_exact(file, types, large, shown)}


def _exact(file: CsvFile, types: Types, large: list[str], shown: str) -> Types:
    """Give the types that differ because of how the values are written."""
    from pyarrow import types as kinds

    hexadecimal, odd = file.signs()
    if odd and file.is_cut(list(types)):
        raise InvalidInput(
            f"{shown} ends within a value: a quotation mark isn't closed",
            hint="It may be cut: make it again, or bring a copy",
        )
    whole = [name for name, kind in types.items() if hexadecimal and kinds.is_integer(kind)]
    return whole_types(file, large, whole)


def _widened(file: CsvFile, types: Types, shown: str) -> Types:
    """Give the types, each widened as far as the file's values need it."""
    import pyarrow as pa

    wider = dict(types)
    for batch in file.batches(dict.fromkeys(types, pa.string()), check=False):
        _check_encoding(batch, shown)
        narrow = [name for name, kind in wider.items() if not pa.types.is_string(kind)]
        texts = batch.select(narrow)
        if not narrow or _fits(texts, wider):
            continue
        for name in narrow:
            column, kinds = texts.select([name]), _kinds()
            kinds = kinds[kinds.index(wider[name]) :]
            wider[name] = next(kind for kind in kinds if _fits(column, {name: kind}))
    return wider


def _kinds() -> "list[pa.DataType]":
    """Give the types in the order in which Arrow tries them."""
    import pyarrow as pa

    return [
        pa.null(),
        pa.int64(),
        pa.bool_(),
        pa.date32(),
        pa.time32("s"),
        pa.timestamp("s"),
        pa.timestamp("ns"),
        pa.timestamp("s", "UTC"),
        pa.timestamp("ns", "UTC"),
        pa.float64(),
        pa.string(),
    ]


def _fits(texts: "pa.RecordBatch", types: Types) -> bool:
    """Tell whether texts can be read as types, by what reads them in the end: Arrow's CSV."""
    import pyarrow as pa
    from pyarrow import csv

    sink = pa.BufferOutputStream()
    csv.write_csv(texts, sink, csv.WriteOptions(quoting_style="all_valid"))
    written = sink.getvalue()
    try:
        csv.read_csv(
            pa.BufferReader(written),
            read_options=csv.ReadOptions(block_size=max(written.size, 1)),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types={n: types[n] for n in texts.schema.names}
            ),
        )
    except pa.ArrowInvalid:
        return False
    return True


def _check_texts(types: Types, shown: str) -> None:
    """Raise where Arrow takes a column as bytes, which it does with what is no UTF-8."""
    from pyarrow import types as kinds

    for name, kind in types.items():
        if kinds.is_binary(kind):
            raise _no_utf8(name, shown)


def _check_encoding(batch: "pa.RecordBatch", shown: str) -> None:
    import pyarrow as pa

    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            raise _no_utf8(name, shown) from None


def _no_utf8(name: str, shown: str) -> InvalidInput:
    return InvalidInput(
        f"Column {name!r} of {shown} isn't UTF-8 everywhere",
        hint="Save the file as UTF-8, or read it with pandas.read_csv(path, encoding=…) and hand "
        "over the frame",
    )


def _check_delimiter(names: list[str], shown: str) -> None:
    """Raise where the only column has a name that looks like several."""
    if len(names) > 1:
        return
    for mark in (",", ";", "\t", "|"):
        if mark in names[0]:
            raise InvalidInput(
                f"{shown} has one column, {names[0]!r}, whose values seem to be parted by {mark!r}",
                hint=f"Read it with pandas.read_csv(path, sep={mark!r}), and hand over the frame",
            )


def _is_too_long(error: Exception, file: CsvFile) -> bool:
    """Tell whether a larger block may be all that is needed.

    Arrow goes on behind a row that is too long, and says at random what it stumbles over first.
    """
    import pyarrow as pa

    if _TOO_LONG in str(error):
        return True
    return isinstance(error, pa.ArrowInvalid) and file.has_long_row()


def _unreadable(error: Exception, shown: str, *, too_long: bool) -> InvalidInput:
    text = str(error)
    if isinstance(error, UnicodeDecodeError):
        return InvalidInput(
            f"The names of the columns of {shown} aren't UTF-8", hint="Save the file as UTF-8"
        )
    if too_long:
        text = f"a row is longer than {_BLOCKS[-1] >> 20} MiB, or a quotation mark isn't closed"
    elif _EMPTY in text:
        return InvalidInput(
            f"{shown} is empty, without names of columns",
            hint="A CSV file without rows has a first line with names at least",
        )
    return InvalidInput(f"{shown} can't be read as CSV: {text}", hint=_READ_IT)
