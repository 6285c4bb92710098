"""A CSV file as it is read: several times, in blocks of one size, with types or as texts."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from attrs import frozen

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import csv

Types = Mapping[str, "pa.DataType"]
"""Columns and the types that they are read as."""

_AT_ONCE = 1 << 20
_END = "mlkit"  # stands in every place of a row behind the last one


@frozen
class CsvFile:
    """A CSV file.

    Attributes:
        path: Where it is; its first row has the names.
        delimiter: What stands between two values.
        compression: How it is compressed, as Arrow names it; None where it isn't.
        block: How much of it is read at once.
    """

    path: Path
    delimiter: str
    compression: str | None
    block: int

    @contextmanager
    def opened(self, types: Types, *, check: bool = True) -> Iterator["csv.CSVStreamingReader"]:
        """Open it; columns that aren't named have the type that the first block says.

        Args:
            types: The types of columns.
            check: Whether texts have to be UTF-8.

        Raises:
            ArrowInvalid: The first block isn't what the types say, or no CSV.
        """
        with self._reader(self.raw(), types, check=check) as reader:
            yield reader

    def batches(self, types: Types, *, check: bool = True) -> Iterator["pa.RecordBatch"]:
        """Give the rows; see `opened`."""
        with self.opened(types, check=check) as reader:
            yield from reader

    def texts(self, names: Sequence[str]) -> Iterator["pa.RecordBatch"]:
        """Give some columns as the texts that stand there, null where a number would be."""
        import pyarrow as pa

        types = dict.fromkeys(names, pa.string())
        with self._reader(self.raw(), types, only=names) as reader:
            yield from reader

    def signs(self) -> tuple[bool, bool]:
        """Tell whether `0x` stands anywhere, and whether quotation marks are an odd number."""
        marks, hexadecimal, last = 0, False, b""
        with self.raw() as source:
            while piece := source.read(_AT_ONCE):
                marks += piece.count(b'"')
                if not hexadecimal:
                    seen = last + piece
                    hexadecimal = b"0x" in seen or b"0X" in seen
                    last = piece[-1:]
        return hexadecimal, bool(marks % 2)

    def is_cut(self, names: Sequence[str]) -> bool:
        """Tell whether the last value has a quotation mark that opens it, and none that closes it.

        A row that is put behind the others is one only if it isn't a part of that value.

        Args:
            names: All columns.
        """
        import pyarrow as pa

        row = f"\n{self.delimiter.join([_END] * len(names))}\n".encode()
        last: dict[str, str] = {}
        longer = cast("BinaryIO", _Longer(self.raw(), row))
        types = dict.fromkeys(names, pa.string())
        with self._reader(longer, types, check=False) as reader:
            for batch in reader:
                if len(batch):
                    last = batch.slice(len(batch) - 1).to_pylist()[0]
        return set(last.values()) != {_END}

    def has_long_row(self) -> bool:
        """Tell whether a row may be too long for the block: no row ends for half of one."""
        marks = length = 0
        with self.raw() as source:
            while piece := source.read(max(1, min(_AT_ONCE, self.block // 4))):
                parts = piece.split(b'"')
                outside = parts[marks % 2 :: 2]
                ends = any(b"\n" in part or b"\r" in part for part in outside)
                length = 0 if ends else length + len(piece)
                if length >= self.block // 2:
                    return True
                marks += len(parts) - 1
        return False

    def raw(self) -> BinaryIO:
        """Open it for its bytes, decompressed.

        What Arrow reads is left open until nothing refers to it: a thread of a reader that was
        given up may still read, and would read from the file that got the same descriptor next.
        """
        import pyarrow as pa

        return cast("BinaryIO", pa.input_stream(str(self.path), compression=self.compression))

    def _reader(
        self, source: BinaryIO, types: Types, *, check: bool = True, only: Sequence[str] = ()
    ) -> "csv.CSVStreamingReader":
        from pyarrow import csv

        return csv.open_csv(
            source,
            read_options=csv.ReadOptions(block_size=self.block),
            parse_options=csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=types,
                check_utf8=check,
                include_columns=list(only),
                strings_can_be_null=bool(only),
            ),
        )


class _Longer(io.RawIOBase):
    """Bytes of a file, and some more behind them."""

    def __init__(self, source: BinaryIO, more: bytes) -> None:
        self._source = source
        self._more = more

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = self._source.read(len(buffer))
        if not piece:
            piece, self._more = self._more[: len(buffer)], self._more[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)
