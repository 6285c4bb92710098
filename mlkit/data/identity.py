"""What makes two tables the same: a digest for each column, over every value, null, name and type.

The digest of a column doesn't depend on how its values are laid out: chunks, slices, dictionaries,
runs, offsets of 32 or 64 bits, views, units of time, and the library they came from are all
taken away first. Values, nulls, their order, names and logical types remain. What is hashed is
`docs/reference/format.md`, section "Identity of tables".
"""

import hashlib
import struct
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from attrs import frozen

from mlkit.data.layout import lay_out, refusals
from mlkit.data.logical import plain_type, type_text
from mlkit.data.streams import Level
from mlkit.errors import InvalidInput
from mlkit.storage.parallel import Pool

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 1 << 17
_BIG = 4 << 20


@frozen
class TableIdentity:
    """The identity of a table.

    Attributes:
        digest: The digest of the ordered columns.
        columns: The digest of each column, in the table's order.
        types: The logical type of each column, as it is a part of the digest.
        rows: The number of rows.
    """

    digest: str
    columns: Mapping[str, str]
    types: Mapping[str, str]
    rows: int


def identify(table: "pa.Table") -> TableIdentity:
    """Give the identity of a table in memory, on several cores when it is large.

    Args:
        table: The table; its column names must differ.

    Returns:
        Its digest and that of each column.

    Raises:
        InvalidInput: A column's type has no identity; the message names both.

    Example:
        >>> import pyarrow as pa
        >>> plain = pa.table({"carrier": ["UA", "AA", "UA"]})
        >>> coded = pa.table({"carrier": plain["carrier"].dictionary_encode()})
        >>> identify(plain).digest == identify(coded).digest
        True
    """
    hasher = TableHasher(table.schema)
    if table.nbytes < _BIG:
        for number in range(table.num_columns):
            hasher.update_column(number, table.column(number).chunks)
    else:
        with Pool() as pool:
            jobs = [
                pool.submit(hasher.update_column, number, table.column(number).chunks)
                for number in range(table.num_columns)
            ]
            for job in jobs:
                job.result()
    return hasher.identity(table.num_rows)


class TableHasher:
    """Digests a table that arrives batch by batch, in the memory of one batch.

    Args:
        schema: The names and types of the columns.

    Raises:
        InvalidInput: A column's type has no identity.

    Example:
        >>> import pyarrow as pa
        >>> table = pa.table({"x": [1, 2, 3]})
        >>> hasher = TableHasher(table.schema)
        >>> for batch in table.to_batches(max_chunksize=2):
        ...     hasher.update(batch)
        >>> hasher.identity(3) == identify(table)
        True
    """

    def __init__(self, schema: "pa.Schema") -> None:
        self._columns = [_Column(field.name, field.type) for field in schema]

    def update(self, batch: "pa.RecordBatch") -> None:
        """Add the next rows."""
        for number, array in enumerate(batch.columns):
            self.update_column(number, [array])

    def update_column(self, number: int, arrays: Iterable["pa.Array"]) -> None:
        """Add the next values of one column; columns may be added to in different threads."""
        for array in arrays:
            self._columns[number].update(array)

    def identity(self, rows: int) -> TableIdentity:
        """Give the identity of all rows so far, whose number the caller knows."""
        digests = [column.digest() for column in self._columns]
        whole = hashlib.sha256(b"mlkit table 1\n" + struct.pack("<QQ", rows, len(digests)))
        for digest in digests:
            whole.update(digest)
        names = [column.name for column in self._columns]
        return TableIdentity(
            digest=f"sha256:{whole.hexdigest()}",
            columns={
                name: f"sha256:{digest.hex()}" for name, digest in zip(names, digests, strict=True)
            },
            types={column.name: column.type for column in self._columns},
            rows=rows,
        )


class _Column:
    """One column: its name, its logical type, and the digest of its values."""

    def __init__(self, name: str, kind: "pa.DataType") -> None:
        self.name = name
        try:
            self.type = type_text(kind)
            self._target = plain_type(kind)
        except InvalidInput as error:
            message = f"Column {name!r}: {error.message}"
            raise InvalidInput(message, hint=error.hint) from None
        self._level = Level(self._target)

    def update(self, array: "pa.Array") -> None:
        try:
            for start in range(0, len(array), _ROWS):
                self._level.update(lay_out(array.slice(start, _ROWS), self._target))
        except refusals() as error:
            message = f"Column {self.name!r} of type {array.type} can't be identified: {error}"
            raise InvalidInput(message, hint="Cast the column to a plain type first") from error

    def digest(self) -> bytes:
        whole = hashlib.sha256(b"mlkit column 1\n")
        for text in (self.name.encode("utf-8", "surrogatepass"), self.type.encode()):
            whole.update(struct.pack("<Q", len(text)) + text)
        whole.update(self._level.digest())
        return whole.digest()
