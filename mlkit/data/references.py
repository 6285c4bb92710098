"""Files that stay where they are: what is recorded of them, and whether it still holds."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, TypeVar, cast

from mlkit._core.masking import mask_text
from mlkit.errors import Corrupt, InvalidInput, MissingExtra, NotFound
from mlkit.objects.manifest import FileEntry, Source, path_fault
from mlkit.storage.drivers import EXTRAS
from mlkit.storage.faulting import fault
from mlkit.storage.urls import protocol_of, without_credentials

T = TypeVar("T")

_MAGIC = re.compile(r"[*?\[]")
_ETAGS = ("ETag", "etag", "md5Hash", "content_md5")
_VERSIONS = ("VersionId", "version_id", "generation")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")
_SHOWN = 5


def list_sources(url: str, storage_options: Mapping[str, Any] | None) -> list[FileEntry]:
    """Give the files that a URL means, as the storage describes them now.

    Args:
        url: A file, a folder, or a pattern with `*`, `?` and `**`; any protocol of fsspec.
        storage_options: What the driver takes; never stored.

    Returns:
        The files, sorted by path; paths begin below the last folder that has no pattern.

    Raises:
        InvalidInput: The URL means no file, or a name that can't be kept.
        MissingExtra: The driver isn't installed.
        StorageFault: The storage failed.
    """
    driver, path = _driver(url, storage_options)
    driver.invalidate_cache()
    base, infos = _guarded(url, lambda: _find(driver, path))
    entries = []
    for info in infos:
        inner = info["name"].removeprefix(base).lstrip("/")
        wrong = path_fault(inner)
        if wrong:
            raise InvalidInput(f"The name {info['name']!r} can't be kept: {wrong}")
        place = without_credentials(driver.unstrip_protocol(info["name"]))
        entries.append(FileEntry(inner, int(info["size"] or 0), "", (), _describe(place, info)))
    if not entries:
        raise InvalidInput(
            f"{without_credentials(url)!r} means no file",
            hint="Check the URL and the pattern",
        )
    return sorted(entries, key=lambda entry: entry.path)


def check_source(entries: Sequence[FileEntry], storage_options: Mapping[str, Any] | None) -> None:
    """Raise unless recorded files are still what they were.

    Raises:
        Corrupt: Files are missing or changed; the message names them.
        MissingExtra: The driver isn't installed.
        StorageFault: The storage failed.
    """
    wrong = []
    for entry in entries:
        source = cast("Source", entry.source)
        driver, path = _driver(source.url, storage_options)
        driver.invalidate_cache()
        try:
            info = _guarded(source.url, lambda d=driver, p=path: d.info(p))  # type: ignore[misc]
        except NotFound:
            wrong.append(f"{entry.path} is missing")
            continue
        if int(info["size"] or 0) != entry.size:
            wrong.append(f"{entry.path} changed from {entry.size} to {info['size']} bytes")
        elif _changed(source, _describe(source.url, info)):
            wrong.append(f"{entry.path} changed")
    if wrong:
        more = f", and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise Corrupt(
            f"Recorded files aren't what they were: {', '.join(wrong[:_SHOWN])}{more}",
            hint="Bring them back, or record them anew as the next version",
        )


def open_source(source: Source, storage_options: Mapping[str, Any] | None) -> BinaryIO:
    """Open a recorded file where it is.

    Raises:
        MissingExtra: The driver isn't installed.
        StorageFault: The storage failed.
    """
    driver, path = _driver(source.url, storage_options)
    return cast("BinaryIO", _guarded(source.url, lambda: driver.open(path, "rb")))


def _driver(url: str, storage_options: Mapping[str, Any] | None) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    shown = without_credentials(url)
    try:
        driver, path = url_to_fs(url, **(storage_options or {}))
    except ImportError as error:
        extra = EXTRAS.get(protocol_of(url))
        raise MissingExtra(
            f"The driver for {shown} can't be imported ({error})",
            hint=f"Install it with: pip install 'mlkit-lifecycle[{extra}]'" if extra else "",
        ) from error
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"{shown} can't be opened: {mask_text(str(error))}") from error
    return driver, path


def _guarded(url: str, call: Callable[[], T]) -> T:
    """Call a driver; its errors become mlkit's."""
    try:
        return call()
    except Exception as error:  # drivers raise whatever their libraries do
        raise fault(error, without_credentials(url), "", writing=False) from error


def _find(driver: Any, path: str) -> tuple[str, list[dict[str, Any]]]:
    """Give the folder that paths begin below, and what the storage says of each file."""
    match = _MAGIC.search(path)
    if match:
        base = path[: match.start()].rpartition("/")[0]
        found = driver.glob(path, detail=True)
    elif driver.isdir(path):
        base, found = path, driver.find(path, detail=True)
    else:
        base, found = path.rpartition("/")[0], {path: driver.info(path)}
    return base, [info for info in found.values() if info["type"] == "file"]


def _describe(url: str, info: Mapping[str, Any]) -> Source:
    return Source(
        url=url,
        etag=_first(info, _ETAGS),
        version=_first(info, _VERSIONS),
        modified=_first(info, _TIMES),
    )


def _changed(old: Source, new: Source) -> bool:
    """Tell whether a file changed, by the best that the storage said of it both times."""
    pairs = ((old.etag, new.etag), (old.version, new.version), (old.modified, new.modified))
    return next((before != after for before, after in pairs if before and after), False)


def _first(info: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    """Give what a storage says under one of some names; times in one form, as drivers have many."""
    for key in keys:
        value = info.get(key)
        if isinstance(value, float):
            value = datetime.fromtimestamp(value, tz=UTC)
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat()
        if value:
            return str(value).strip('"')
    return None
