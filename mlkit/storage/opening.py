"""From a URL to a storage."""

import os
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from mlkit.errors import InvalidInput
from mlkit.storage.local import LocalStorage
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.protocol import Storage

if TYPE_CHECKING:
    from mlkit._core.plugins import Registry

Opener = Callable[[str, Mapping[str, Any]], Storage]
"""What a plugin of the group `mlkit.storage` is: it takes the URL and the storage options."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)(?:://|::)")


@cache
def backends() -> "Registry":
    """Give the registry of storages that mlkit, and packages beside it, open by themselves.

    A protocol that isn't in it is left to fsspec.
    """
    from mlkit._core.plugins import Registry  # noqa: PLC0415 - a plain folder needs no plugins

    return Registry(
        "mlkit.storage",
        {
            "file": "mlkit.storage.opening:open_local",
            "local": "mlkit.storage.opening:open_local",
            "memory": "mlkit.storage.opening:open_memory",
        },
    )


def open_storage(
    url: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None
) -> Storage:
    """Open the storage at a URL; nothing is read or written yet.

    Args:
        url: A path, or a URL of a protocol that a plugin or fsspec knows.
        storage_options: What the driver takes, as in fsspec; kept in memory only.

    Returns:
        The storage. Its `url` holds no credentials.

    Raises:
        InvalidInput: The URL is empty, or nothing knows its protocol; near ones are suggested.
        MissingExtra: The driver of the protocol isn't installed.

    Example:
        >>> open_storage("memory://readme").url
        'memory://readme'
    """
    text = os.fspath(url)
    options = storage_options or {}
    if not isinstance(text, str) or not text.strip():
        message = f"{text!r} is no place of a store"
        raise InvalidInput(message, hint="Give a folder, or a URL such as 's3://bucket/folder'")
    scheme = _SCHEME.match(text)
    if scheme is None:
        return open_local(text, options)
    protocol = scheme[1].lower()
    if protocol in backends().names():
        opener: Any = backends().get(protocol)
        storage: Storage = opener(text, options)
        return storage
    from mlkit.storage.filesystem import open_filesystem  # noqa: PLC0415 - it imports fsspec

    return open_filesystem(text, options)


def open_local(url: str, storage_options: Mapping[str, Any]) -> LocalStorage:
    """Open a folder by its path or by a `file://` URL.

    Raises:
        InvalidInput: There are options, or the URL names another host.
    """
    _no_options(url, storage_options)
    if _SCHEME.match(url) is None:
        return LocalStorage(url)
    from urllib.parse import unquote  # noqa: PLC0415 - a plain path needs none of it

    host, slash, path = url.partition("://")[2].partition("/")
    if host not in {"", "localhost"} or not path:
        message = f"{url!r} names no folder on this machine"
        raise InvalidInput(message, hint="Write it with three slashes: 'file:///folder'")
    return LocalStorage(unquote(slash + path))


def open_memory(url: str, storage_options: Mapping[str, Any]) -> MemoryStorage:
    """Open the memory of a name by its `memory://` URL."""
    _no_options(url, storage_options)
    return MemoryStorage(url.partition("://")[2])


def _no_options(url: str, storage_options: Mapping[str, Any]) -> None:
    if storage_options:
        message = (
            f"{url!r} takes no storage options, but got {', '.join(map(repr, storage_options))}"
        )
        raise InvalidInput(message)
