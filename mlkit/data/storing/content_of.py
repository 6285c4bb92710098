"""What users hand over, as the content of a version."""

from collections.abc import Mapping
from typing import Any

from mlkit.data.demands import Demands
from mlkit.data.sources.given import LocalFiles, given
from mlkit.data.sources.table_stream import TableStream
from mlkit.data.storing.content import Content
from mlkit.data.storing.file_contents import FilesContent
from mlkit.data.storing.remote_contents import RemoteContent
from mlkit.data.storing.table_content import TableContent
from mlkit.errors import InvalidInput


def content_of(
    data: Any,
    storage_options: Mapping[str, Any] | None = None,
    demands: Demands | None = None,
) -> Content:
    """Give what a user's object is as the content of a version.

    Args:
        data: A table of any library, or the path or URL of a file or folder; see `given`.
        storage_options: For a URL, what its driver takes; never stored.
        demands: What a table must meet.

    Raises:
        InvalidInput: It is nothing of this; a table that can't be kept; or it is files, of which
            something is demanded.
        NotFound: There is nothing at the URL.
        MissingExtra: The driver of the URL isn't installed.
        StorageFault: The storage of the URL failed.
    """
    if demands is not None and not isinstance(demands, Demands):
        raise InvalidInput(
            f"{type(demands).__name__} is nothing that data can be held against",
            hint="Give an mlkit.Expectations, such as Expectations.infer(version)",
        )
    what = given(data, storage_options)
    if isinstance(what, TableStream):
        return TableContent(what, demands)
    if demands is not None:
        raise InvalidInput(
            "What is expected is about tables, and this is a folder or another file",
            hint="Leave out expect=, or hand over the table",
        )
    if isinstance(what, LocalFiles):
        return FilesContent(what.kind, what.path)
    return RemoteContent(what)
