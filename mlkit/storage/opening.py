"""From a URL to a storage."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from mlkit.errors import InvalidInput, MissingExtra
from mlkit.storage.drivers import EXTRAS, READERS
from mlkit.storage.faulting import fault
from mlkit.storage.local import LocalStorage
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.protocol import Storage
from mlkit.storage.readonly import ReadOnlyStorage
from mlkit.storage.urls import protocol_of, without_credentials

if TYPE_CHECKING:
    from mlkit._core.plugins import Registry

Opener = Callable[[str, Mapping[str, Any]], Storage]
"""What a plugin of the group `mlkit.storage` is: it takes the URL and the storage options."""


@cache
def backends() -> "Registry":
    """Give the registry of storages that mlkit, and packages beside it, open by themselves.

    A protocol that isn't in it is left to fsspec.
    """
    from mlkit._core.plugins import Registry

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
    protocol = protocol_of(text)
    if not protocol:
        return open_local(text, options)
    if protocol in backends().names():
        opener: Any = backends().get(protocol)
        storage: Storage = opener(text, options)
        return storage
    return open_filesystem(text, options)


def open_local(url: str, storage_options: Mapping[str, Any]) -> LocalStorage:
    """Open a folder by its path or by a `file://` URL.

    Raises:
        InvalidInput: There are options, or the URL names another host.
    """
    _no_options(url, storage_options)
    if not protocol_of(url):
        return LocalStorage(url)
    from urllib.parse import unquote

    host, slash, path = url.partition("://")[2].partition("/")
    if host not in {"", "localhost"} or not path:
        message = f"{url!r} names no folder on this machine"
        raise InvalidInput(message, hint="Write it with three slashes: 'file:///folder'")
    return LocalStorage(unquote(slash + path))


def open_memory(url: str, storage_options: Mapping[str, Any]) -> MemoryStorage:
    """Open the memory of a name by its `memory://` URL."""
    _no_options(url, storage_options)
    return MemoryStorage(url.partition("://")[2])


def open_filesystem(url: str, storage_options: Mapping[str, Any]) -> Storage:
    """Open a URL by fsspec.

    Args:
        url: The URL, chained ones too.
        storage_options: What the driver takes.

    Returns:
        The storage; one that only reads where the protocol can do no more, and a plain folder
        where that is all the URL means.

    Raises:
        InvalidInput: Nothing knows the protocol, or the driver refuses the options.
        MissingExtra: The driver isn't installed.
        StorageFault: The driver connects at once, and couldn't.
    """
    from fsspec.core import url_to_fs

    from mlkit._core.masking import mask_text
    from mlkit.storage.filesystem import FilesystemStorage

    shown = without_credentials(url)
    _check_driver(protocol_of(url), shown)
    try:
        filesystem, root = url_to_fs(url, **{**storage_options, "skip_instance_cache": True})
    except (TypeError, ValueError) as error:
        message = f"{shown} can't be opened: {mask_text(str(error))}"
        raise InvalidInput(message, hint="Look at the URL and the storage options") from error
    except Exception as error:
        raise fault(error, shown, "", writing=False) from error
    filesystem, root = _unwrapped(filesystem, root, url)
    if type(filesystem).__module__ == "fsspec.implementations.local":
        return LocalStorage(root)
    with suppress(AttributeError):  # not every driver has such a cache
        filesystem.dircache.use_listings_cache = False
    reopens = not storage_options and shown == url
    storage = FilesystemStorage(filesystem, root, shown, reopens=reopens)
    return ReadOnlyStorage(storage) if protocol_of(url) in READERS else storage


def _check_driver(protocol: str, shown: str) -> None:
    """Make sure that there is a driver for a protocol."""
    import fsspec

    from mlkit._core.names import near

    try:
        fsspec.get_filesystem_class(protocol)
    except ValueError:
        known = {*fsspec.available_protocols(), *backends().names()}
        message = f"Nothing knows the protocol {protocol!r} of {shown}"
        raise InvalidInput(message, hint=near(protocol, known)) from None
    except ImportError as error:
        message = f"The driver for {protocol}:// can't be imported ({error})"
        extra = EXTRAS.get(protocol)
        hint = f"Install it with: pip install 'mlkit-lifecycle[{extra}]'" if extra else ""
        raise MissingExtra(message, hint=hint) from error


def _unwrapped(filesystem: Any, root: str, url: str) -> tuple[Any, str]:
    """Give the filesystem and the root that a folder of another filesystem (`dir::`) means."""
    if type(filesystem).__module__ != "fsspec.implementations.dirfs":
        return filesystem, root
    own = url.partition("::")[0].partition("://")[2].strip("/")
    return filesystem.fs, f"{filesystem.path}/{own}" if own else filesystem.path


def _no_options(url: str, storage_options: Mapping[str, Any]) -> None:
    if storage_options:
        message = (
            f"{url!r} takes no storage options, but got {', '.join(map(repr, storage_options))}"
        )
        raise InvalidInput(message)
