"""The rows of a JSON file as lines: an object on each, whether they stand in lines or in a list."""

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from attrs import frozen

from mlkit.errors import InvalidInput

BLOCK = 4 << 20
"""About how much of a file is read at once."""

_LONGEST = 512 << 20
_SPACE = re.compile(r"[ \t\r\n\ufeff]*")
_DECODE = json.JSONDecoder().raw_decode


def opened(path: Path, compression: str | None) -> IO[bytes]:
    """Open a file that may be compressed.

    Args:
        path: The file.
        compression: How it is compressed, as Arrow names it; None where it isn't.
    """
    import pyarrow as pa

    return cast("IO[bytes]", pa.input_stream(str(path), compression=compression))


AS_IT_IS = "If it is no table, put it into a folder: its files are kept as they are"
"""What to do with a file that can't be read as rows."""


@frozen
class JsonRows:
    """The rows of a JSON file, in blocks of whole lines; they can be read again.

    Attributes:
        path: The file.
        shown: What to call it in messages.
        compression: How it is compressed, as Arrow names it.
        is_list: Whether it holds one list, rather than lines.
    """

    path: Path
    shown: str
    compression: str | None
    is_list: bool

    def __iter__(self) -> Iterator[bytes]:
        with opened(self.path, self.compression) as source:
            yield from self._of_list(source) if self.is_list else self._of_lines(source)

    def bad(self, why: str) -> InvalidInput:
        """Give the error for a file that isn't what it should be."""
        return InvalidInput(f"{self.shown} can't be read as JSON: {why}", hint=AS_IT_IS)

    def _of_lines(self, source: IO[bytes]) -> Iterator[bytes]:
        held = b""
        while piece := source.read(BLOCK):
            whole, end, rest = piece.rpartition(b"\n")
            if end:
                yield held + whole + end
                held = rest
            else:
                held += piece
            if len(held) > _LONGEST:
                raise self.bad(f"a line is longer than {_LONGEST >> 20} MiB")
        if held:
            yield held

    def _of_list(self, source: IO[bytes]) -> Iterator[bytes]:
        rows: list[str] = []
        size = 0
        for row in self._items(_Text(source)):
            rows.append(row)
            size += len(row)
            if size > BLOCK:
                yield "\n".join(rows).encode()
                rows, size = [], 0
        if rows:
            yield "\n".join(rows).encode()

    def _items(self, text: "_Text") -> Iterator[str]:
        """Give the items of the list, each on one line."""
        text.next()
        text.place += 1
        mark = ","
        while mark == ",":
            text.next()
            yield self._item(text).replace("\n", " ").replace("\r", " ")
            mark = text.next()
            text.place += 1
        if mark != "]":
            raise self.bad("the list isn't closed, or a comma is missing between two items")
        if text.next():
            raise self.bad("something stands behind the list")

    def _item(self, text: "_Text") -> str:
        while True:
            try:
                _, end = _DECODE(text.held, text.place)
                break
            except RecursionError:
                raise self.bad("a value is nested too deeply") from None
            except json.JSONDecodeError as error:  # or it goes on in what isn't read yet
                if len(text.held) - text.place > _LONGEST or not text.more():
                    raise self.bad(str(error)) from error
        item = text.held[text.place : end]
        text.place = end
        return item


class _Text:
    """A text that is read as far as it is needed.

    Args:
        source: Where its bytes come from.
    """

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.held = ""
        self.place = 0

    def more(self) -> bool:
        """Read on, as much again as is held, and drop what was passed; tell whether there was."""
        self.held = self.held[self.place :]
        self.place = 0
        piece = self._source.read(max(BLOCK, len(self.held)))
        self.held += self._decoder.decode(piece, final=not piece)
        return bool(piece)

    def next(self) -> str:
        """Pass over space, and give the character that follows it; nothing at the end."""
        while True:
            self.place = _SPACE.match(self.held, self.place).end()  # type: ignore[union-attr]
            if self.place < len(self.held):
                return self.held[self.place]
            if not self.more():
                return ""
