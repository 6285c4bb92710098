"""What users hand over to become a version: tables, and files that are here or elsewhere."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from mlkit.data.sources.places import Place, RemoteFile, RemoteFiles
from mlkit.data.sources.table_files import is_table_file, table_of_file
from mlkit.data.sources.table_source import table_of
from mlkit.data.sources.table_stream import TableStream
from mlkit.errors import InvalidInput
from mlkit.storage.urls import protocol_of

_AT_ONCE = 8 << 20
_LOCAL = frozenset({"file", "local"})


@frozen
class LocalFiles:
    """Files on the local disk, which are kept as they are.

    Attributes:
        kind: `file` or `folder`.
        path: Where it is.
    """

    kind: str
    path: Path


Given = TableStream | LocalFiles | RemoteFiles
"""What users hand over. A table has to be closed."""


def given(data: Any, storage_options: Mapping[str, Any] | None = None) -> Given:
    """Give what a user's object is.

    Args:
        data: Whatever `table_of` takes; or the path or URL of a file or folder. Files of Parquet,
            Arrow, CSV and JSON lines are tables, and so is JSON that is a list of objects. Any
            other file is kept as it is, and so is every file in a folder.
        storage_options: For a URL, what its driver takes; never stored.

    Raises:
        InvalidInput: It is nothing of this, or a table that can't be kept; or there are options
            for what is no URL.
        NotFound: There is nothing at the URL.
        MissingExtra: The driver of the URL isn't installed.
        StorageFault: The storage of the URL failed.
    """
    if not isinstance(data, str | os.PathLike):
        _check_no_options(storage_options, f"a {type(data).__name__}")
        return table_of(data)
    text = os.fspath(data)
    if not isinstance(text, str):
        raise InvalidInput(f"{text!r} is no path", hint="Decode it: os.fsdecode(path)")
    if not text:
        raise InvalidInput(
            "An empty text is no path", hint="The folder in which you are is '.', if you mean it"
        )
    protocol = protocol_of(text)
    if protocol and (protocol not in _LOCAL or "::" in text):
        return _elsewhere(text, storage_options)
    _check_no_options(storage_options, "a place on the local disk")
    return _local(Place.at(text).path if protocol else text, text)


def _check_no_options(storage_options: Mapping[str, Any] | None, what: str) -> None:
    if storage_options:
        raise InvalidInput(
            f"storage_options= is for a URL that a driver reads, and this is {what}",
            hint="Leave it out, or hand over the URL",
        )


def _local(path: str, text: str) -> Given:
    place = Path(path)
    if place.is_dir():
        return LocalFiles("folder", place)
    if not place.is_file():
        raise InvalidInput(
            f"There is no file or folder {text!r}",
            hint="Hand over a folder to keep all of its files" if "*" in text else "",
        )
    return table_of_file(place, place.name, repr(text)) or LocalFiles("file", place)


def _elsewhere(url: str, storage_options: Mapping[str, Any] | None) -> Given:
    files = Place.at(url, storage_options).listed()
    if files.kind == "file" and is_table_file(files.files[0].path):
        return _copied_table(files.files[0]) or files
    return files


def _copied_table(file: RemoteFile) -> TableStream | None:
    """Give the table of a file elsewhere, from a temporary copy: it may be read more than once."""
    folder = tempfile.TemporaryDirectory(prefix="mlkit-")
    copy = Path(folder.name) / "table"
    try:
        _copy(file, copy)
        stream = table_of_file(copy, file.path, repr(file.place.url))
    except BaseException:
        folder.cleanup()
        raise
    if stream is None:
        folder.cleanup()
        return None
    return stream.closing(folder.cleanup)


def _copy(file: RemoteFile, copy: Path) -> None:
    size = 0
    with file.open() as source, copy.open("wb") as sink:
        while piece := file.place.guarded(lambda: source.read(_AT_ONCE)):
            size += sink.write(piece)
    now, said = file.place.described()
    if (now, said) != (file.size, file.source) or (file.size and size != file.size):
        raise InvalidInput(
            f"{file.place.url} changed while it was read",
            hint="Do it again when nobody writes to it; no version was made",
        )
