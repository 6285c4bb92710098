"""JSON as a table: its columns are found in the whole file before it is read.

A file is read in blocks of whole rows, twice: once for the types of all rows, once for the rows.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlkit.data.sources.json_numbers import whole_types
from mlkit.data.sources.json_rows import BLOCK, JsonRows, opened
from mlkit.data.sources.json_types import (
    MixedError,
    as_read,
    joined,
    place_of_too_large,
    plainer,
    readable,
)
from mlkit.data.sources.table_stream import TableStream

if TYPE_CHECKING:
    import pyarrow as pa

_DEEPEST = 60
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_NOT_OPENING = bytes(set(range(256)) - set(b"[{\n"))
_CHANGED = re.compile(r"Column\(/?(?P<place>.*)\) changed from (?P<kinds>.*) in row (?P<row>\d+)")
_NULL = re.compile(rb"\n[ \t\r]*n")
_IN_ROW = re.compile(r" in row \d+$")


def json_lines(path: Path, shown: str, compression: str | None) -> TableStream:
    """Give the table that a file of JSON lines holds, in the memory of a few blocks.

    Texts stay texts, also those that look like times. Whole numbers become floats where others of
    the column aren't whole; those of 64 bits have no sign where they need all of them. What an
    object lacks is null.

    Args:
        path: The file, with an object on each line.
        shown: What to call it in messages.
        compression: How it is compressed, as Arrow names it; None where it isn't.

    Raises:
        InvalidInput: A line is no object; a column mixes kinds of values, or has whole numbers of
            more than 64 bits and no others; a value is nested too deeply.
    """
    return _table(JsonRows(path, shown, compression, is_list=False))


def json_document(path: Path, shown: str, compression: str | None) -> TableStream | None:
    """Give the table that a `.json` file holds: a list of objects, or an object on each line.

    Args:
        path: The file.
        shown: What to call it in messages.
        compression: How it is compressed, as Arrow names it; None where it isn't.

    Returns:
        The table; None for anything else, such as one object, which is a document and no table.

    Raises:
        InvalidInput: As `json_lines`.
    """
    with opened(path, compression) as source:
        start = source.read(BLOCK).removeprefix(b"\xef\xbb\xbf").lstrip()
    if re.match(rb"\[\s*\{", start):
        return _table(JsonRows(path, shown, compression, is_list=True))
    first, _, rest = start.partition(b"\n")
    if not first.startswith(b"{") or not rest.lstrip().startswith(b"{"):
        return None
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return None
    return _table(JsonRows(path, shown, compression, is_list=False))


def _table(rows: JsonRows) -> TableStream:
    import pyarrow as pa

    found: pa.DataType = pa.struct([])
    done = 0
    for block, part in _parts(rows, None):
        try:
            schema = whole_types(block, part)
            found = joined(found, pa.struct([plainer(column) for column in schema]))
        except MixedError as mixed:
            raise rows.bad(f"{mixed} in a row after the first {done:,}") from None
        except ValueError as error:  # of what Arrow takes for JSON, but Python doesn't
            raise rows.bad(str(error)) from error
        done += len(part)
    if not found.num_fields:
        raise rows.bad("it holds no row with a value")
    place = place_of_too_large(found)
    if place:
        raise rows.bad(
            f"{place!r} has whole numbers that 64 bits don't hold, which would be rounded: they "
            "have to be texts"
        )
    schema = pa.schema([found.field(number) for number in range(found.num_fields)])
    read = pa.schema([column.with_type(readable(column.type)) for column in schema])
    batches = (
        pa.record_batch([as_read(*pair) for pair in zip(batch, schema.types, strict=True)], schema)
        for _, part in _parts(rows, read)
        for batch in part.select(schema.names).to_batches()
    )
    return TableStream.of_batches(schema, batches, what=rows.shown)


def _parts(rows: JsonRows, schema: "pa.Schema | None") -> Iterator[tuple[bytes, "pa.Table"]]:
    """Give each block and its rows, with a schema or with the types that they seem to have."""
    import pyarrow as pa
    from pyarrow import json as arrow_json

    done = 0
    for block in rows:
        if not block.strip():
            continue
        lines = _lines(block, rows)
        null = _NULL.search(b"\n" + block)
        if null:  # which Arrow takes for an object, and of nothing else the process would end
            row = done + sum(bool(line.strip()) for line in block[: null.start()].split(b"\n"))
            raise rows.bad(f"row {row + 1:,} is no object")
        try:
            table = arrow_json.read_json(
                pa.BufferReader(block),
                read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(block) + 1),
                parse_options=arrow_json.ParseOptions(
                    explicit_schema=schema, unexpected_field_behavior="infer"
                ),
            )
        except pa.ArrowInvalid as error:
            raise rows.bad(_reason(str(error), done)) from error
        if len(table) != lines:
            raise rows.bad(f"{lines:,} lines hold {len(table):,} objects, not one each")
        done += lines
        yield block, table


def _lines(block: bytes, rows: JsonRows) -> int:
    """Count the lines that hold something, after looking for what Arrow would stumble over."""
    try:
        block.decode()  # whose result isn't looked at: Arrow takes any bytes for text
    except UnicodeDecodeError as error:
        raise rows.bad(f"it isn't UTF-8 ({error.reason})") from None
    opening = block.translate(None, _NOT_OPENING).split(b"\n")
    if max(map(len, opening)) > _DEEPEST and any(map(_is_deep, block.split(b"\n"))):
        raise rows.bad(f"a value is nested more than {_DEEPEST} levels deep")
    if opening.count(b"") > block.endswith(b"\n"):  # some are empty, or go on with an object
        return sum(bool(line.strip()) for line in block.split(b"\n"))
    return len(opening) - block.endswith(b"\n")


def _is_deep(line: bytes) -> bool:
    """Tell whether brackets stand within each other more often than they may."""
    if line.count(b"[") + line.count(b"{") <= _DEEPEST:
        return False
    brackets = _STRING.sub(b"", line).translate(None, _NO_BRACKETS)
    for _ in range(_DEEPEST):
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    return bool(brackets)


def _reason(text: str, done: int) -> str:
    """Give what Arrow says, with the number of the row in the file rather than in the block."""
    text = text.removeprefix("JSON parse error: ")
    match = _CHANGED.search(text)
    row = re.search(r"in row (\d+)$", text)
    where = f"row {done + int(row[1]) + 1:,}" if row else f"a row after the first {done:,}"
    if match is None:
        return f"{_IN_ROW.sub('', text).rstrip('.')}, in {where}"
    if not match["place"]:
        return f"{where} is no object"
    name = match["place"].replace("/[]", "[]").replace("/", ".")
    return f"{name!r} changes from {match['kinds']} in {where}"
