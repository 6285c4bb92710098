"""Tables as Parquet objects whose names hold their digest, so each proves itself."""

import io
import re
from typing import TYPE_CHECKING, Any

from attrs import frozen

from mlkit._core.hashing import digest_bytes, hex_of
from mlkit.errors import Corrupt

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from mlkit.storage.protocol import Storage

_NAME = re.compile(
    r"(?:(?P<first>\d{8}T\d{6}\.\d{6}Z)-(?P<last>\d{8}T\d{6}\.\d{6}Z)-)?"
    r"(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12})-(?P<digits>[0-9a-f]{64})\.parquet"
)


@frozen
class Sealed:
    """A Parquet object, as its name tells it.

    Attributes:
        path: Where it is.
        id: The UUIDv7 of its writing, which sorts by time.
        digits: The SHA-256 of its bytes.
        first: The stamp of its earliest row; empty where its rows have no times.
        last: The stamp of its latest row.
    """

    path: str
    id: str
    digits: str
    first: str = ""
    last: str = ""


def write_sealed(storage: "Storage", folder: str, prefix: str, table: "pa.Table") -> str:
    """Store a table and give its path.

    Args:
        storage: Where to.
        folder: The folder.
        prefix: What the name begins with, ending with its UUIDv7.
        table: The rows.
    """
    from pyarrow import parquet

    sink = io.BytesIO()
    parquet.write_table(table, sink, compression="zstd")
    data = sink.getvalue()
    path = f"{folder}/{prefix}-{hex_of(digest_bytes(data))}.parquet"
    storage.write(path, data)
    return path


def list_sealed(storage: "Storage", folder: str) -> "Iterator[Sealed]":
    """Give the objects of a folder in the order of their writing; strange names are passed over."""
    found = []
    for entry in storage.list(folder):
        match = _NAME.fullmatch(entry.path.rpartition("/")[2])
        if match:
            first, last = match["first"] or "", match["last"] or ""
            found.append(Sealed(entry.path, match["id"], match["digits"], first, last))
    yield from sorted(found, key=lambda sealed: (sealed.id, sealed.path))


def read_sealed(storage: "Storage", sealed: Sealed, columns: list[str] | None = None) -> "pa.Table":
    """Give the rows of an object, after checking every byte of it.

    Raises:
        Corrupt: Its bytes don't match its name.
    """
    from pyarrow import parquet

    data = storage.read(sealed.path)
    if hex_of(digest_bytes(data)) != sealed.digits:
        message = f"{sealed.path} doesn't match its digest: its bytes were damaged or replaced"
        raise Corrupt(message, hint="store.verify() lists all damage")
    # a buffered file, not a path: nothing but these checked bytes is read
    return parquet.read_table(io.BytesIO(data), columns=columns)


def stacked(tables: "list[pa.Table]") -> "tuple[pa.Table, list[str]]":
    """Put tables on top of each other, whatever became of their columns meanwhile.

    Returns:
        The rows, and what had to be done: columns whose types don't agree become text.
    """
    import pyarrow as pa

    plain = [table.unify_dictionaries() for table in tables]
    kinds: dict[str, set[Any]] = {}
    for table in plain:
        for field in table.schema:
            kinds.setdefault(field.name, set()).add(field.type)
    notes = []
    for name, types in kinds.items():
        if len(types) == 1 or _agree(types):
            continue
        said = ", ".join(sorted(map(str, types)))
        notes.append(f"{name.removeprefix('feature.')} came as {said}; it was read as text")
        plain = [_as_text(table, name) for table in plain]
    return pa.concat_tables(plain, promote_options="permissive"), notes


def _agree(types: "set[Any]") -> bool:
    import pyarrow as pa

    try:
        schemas = [pa.schema([pa.field("column", kind)]) for kind in types]
        pa.unify_schemas(schemas, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return False
    return True


def _as_text(table: "pa.Table", name: str) -> "pa.Table":
    import pyarrow as pa

    if name not in table.column_names:
        return table
    column = table[name]
    try:
        text = column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        values = [None if value is None else str(value) for value in column.to_pylist()]
        text = pa.chunked_array([pa.array(values, pa.string())])
    return table.set_column(table.column_names.index(name), name, text)
