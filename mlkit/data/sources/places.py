"""Files at any URL of fsspec: which there are, and what their storage says of each."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, Self, TypeVar, cast

from attrs import field, frozen

from mlkit._core.masking import mask_text
from mlkit.errors import Corrupt, InvalidInput, MissingExtra, MlkitError, NotFound
from mlkit.objects.manifest import Source, path_fault
from mlkit.storage.drivers import EXTRAS, driver_of
from mlkit.storage.faulting import fault
from mlkit.storage.urls import protocol_of, without_credentials

T = TypeVar("T")

_MAGIC = re.compile(r"[*?\[]")
_ETAGS = ("ETag", "etag", "md5Hash", "content_md5", "Content-MD5", "Digest")
_VERSIONS = ("VersionId", "version_id", "generation")
_TIMES = ("LastModified", "last_modified", "Last-Modified", "updated", "mtime", "created")
_VERSIONED = frozenset({"s3", "s3a"})
_WEB = frozenset({"http", "https"})
_LOCAL = frozenset({"file", "local"})
_NOT_THERE = (404, 410)  # as servers of the web say it
_AT_ONCE = 16
_SHOWN = 5
_NO_VERSION = "null"  # what S3 says where it keeps none


@frozen
class Place:
    """A URL, with the driver that reads there.

    Attributes:
        url: The URL, without credentials.
        path: What the driver calls it.
    """

    url: str
    path: str = field(repr=False)
    _driver: Any = field(repr=False, eq=False)

    @classmethod
    def at(cls, url: str, storage_options: Mapping[str, Any] | None = None) -> Self:
        """Give the place that a URL is; nothing is read yet.

        Args:
            url: Any URL that fsspec knows.
            storage_options: What the driver takes.

        Raises:
            InvalidInput: Nothing knows its protocol, or an option is wrong.
            MissingExtra: The driver isn't installed.
            StorageFault: The storage failed.
        """
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
        except (
            Exception
        ) as error:  # of drivers that read what they lead through, such as an archive
            raise _fault(error, shown) from error
        return cls(shown, path, driver)

    def listed(self) -> "RemoteFiles":
        """Give the files that the place means now: itself, or those below it or of its pattern.

        On the web, a URL that ends with `/` is a folder, whose page has links to its files.

        Raises:
            InvalidInput: It means no file, or a name that can't be kept.
            NotFound: There is nothing.
            StorageFault: The storage failed.
        """
        kind, base, infos = self.guarded(self._find)
        files = [self._file(base, info) for info in infos]
        if not files:
            raise InvalidInput(f"{self.url!r} means no file", hint="Check the URL and the pattern")
        return RemoteFiles(kind, tuple(sorted(files, key=lambda file: file.path)), self)

    def below(self) -> dict[str, tuple[int, Source]]:
        """Give the size and description of each file below the place, by its URL.

        Raises:
            StorageFault: The storage failed.
        """
        try:
            infos = self.guarded(lambda: self._fresh().find(self.path, detail=True))
        except NotFound:
            return {}
        return {self._url(info): (size_of(info), self._source(info)) for info in infos.values()}

    def described(self, version: str | None = None) -> tuple[int, Source]:
        """Give the size and description of the one file here.

        Args:
            version: Which version of it, of those that the storage keeps; the newest by default.

        Raises:
            NotFound: There is none.
            StorageFault: The storage failed.
        """
        options = {"version_id": version} if version else {}
        info = self.guarded(lambda: self._fresh().info(self.path, **options))
        return size_of(info), describe(self.url, info)

    def open(self, version: str | None = None) -> BinaryIO:
        """Open the file here to read; see `described`.

        Raises:
            NotFound: There is none.
            StorageFault: The storage failed.
        """
        options = {"version_id": version} if version else {}
        return cast("BinaryIO", self.guarded(lambda: self._driver.open(self.path, "rb", **options)))

    def beside(self, url: str) -> "Place":
        """Give the place of another URL of the same storage.

        Args:
            url: The URL, as the storage described it.
        """
        return Place(url, self._driver._strip_protocol(url), self._driver)  # noqa: SLF001 - as url_to_fs does

    @property
    def threads(self) -> int:
        """How many files may be asked for at a time."""
        if driver_of(self._driver).one_at_a_time or protocol_of(self.url) in {"", *_LOCAL}:
            return 1
        return _AT_ONCE

    @property
    def lists(self) -> bool:
        """Whether one question is answered for all files below: pages of the web tell little."""
        return protocol_of(self.url) not in _WEB

    def guarded(self, call: Callable[[], T]) -> T:
        """Call a driver; its errors become mlkit's, without secrets."""
        try:
            return call()
        except Exception as error:  # drivers raise whatever their libraries do
            raise _fault(error, self.url) from error

    def _fresh(self) -> Any:
        """Give the driver, after it forgot what it had listed: others write there too."""
        self._driver.invalidate_cache()
        return self._driver

    def _find(self) -> tuple[str, str, list[dict[str, Any]]]:
        driver, path = self._fresh(), self.path
        web = protocol_of(self.url) in _WEB
        match = _MAGIC.search(path.partition("?")[0] if web else path)
        if match:
            kind, base = "folder", path[: match.start()].rpartition("/")[0]
            found = driver.glob(path, detail=True)
        elif path.endswith("/") if web else driver.isdir(path):
            kind, base, found = "folder", path, driver.find(path, detail=True)
            if web and not found:  # which is also said of a host that can't be reached
                driver.ls(path)
        else:
            kind, base = "file", (path.partition("?")[0] if web else path).rpartition("/")[0]
            found = {path: driver.info(path)}
        files = [info for info in found.values() if info["type"] != "directory"]
        for info in files:
            if info["type"] != "file":
                raise InvalidInput(
                    f"{info['name']!r} is a link or another thing that is no plain file",
                    hint="Give the place that it leads to, or leave it out by a pattern",
                )
        return kind, base, files

    def _file(self, base: str, info: Mapping[str, Any]) -> "RemoteFile":
        inner = info["name"].removeprefix(base).lstrip("/")
        if protocol_of(self.url) in _WEB:
            inner = inner.partition("?")[0]
        wrong = path_fault(inner)
        if wrong:
            raise InvalidInput(
                f"The name {inner!r} at {self.url} can't be kept: {wrong}",
                hint="Rename the file, or write a pattern that leaves it out",
            )
        place = Place(self._url(info), info["name"], self._driver)
        return RemoteFile(inner, size_of(info), self._source(info), place)

    def _source(self, info: Mapping[str, Any]) -> Source:
        return describe(self._url(info), info)

    def _url(self, info: Mapping[str, Any]) -> str:
        return without_credentials(self._driver.unstrip_protocol(info["name"]))


@frozen
class RemoteFile:
    """A file that isn't on the local disk, as its storage describes it.

    Attributes:
        path: Where it will be in a version, with `/` between its parts.
        size: Its length in bytes; 0 where the storage doesn't know it.
        source: What else its storage says of it.
        place: Where it is.
    """

    path: str
    size: int
    source: Source
    place: Place = field(repr=False, eq=False)

    def open(self) -> BinaryIO:
        """Open it to read.

        Raises:
            NotFound: It isn't there any more.
            StorageFault: The storage failed.
        """
        return self.place.open()


@frozen
class RemoteFiles:
    """The files that a URL means.

    Attributes:
        kind: `file`, or `folder` for a folder or a pattern.
        files: The files, sorted by path.
        place: Where they are.
    """

    kind: str
    files: tuple[RemoteFile, ...]
    place: Place = field(repr=False, eq=False)

    def check(self) -> None:
        """Raise unless the files are still those that were listed; for when they were read.

        Raises:
            InvalidInput: Some have changed, or there are others.
            StorageFault: The storage failed.
        """
        now = self.place.listed().files
        if now == self.files:
            return
        before = {file.path: file for file in self.files}
        after = {file.path: file for file in now}
        names = sorted(
            path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
        )
        raise InvalidInput(
            f"Files at {self.place.url} changed while they were read: {shortened(names)}",
            hint="Do it again when nobody writes there; no version was made",
        )


def place_of(source: Source, storage_options: Mapping[str, Any] | None) -> Place:
    """Give the place of a recorded file, where its recorded version can be read if it has one.

    Raises:
        Corrupt: What is recorded leads through several drivers, which mlkit never records.
        InvalidInput: Nothing knows its protocol, or an option is wrong.
        MissingExtra: The driver isn't installed.
    """
    check_recorded(source)
    options = dict(storage_options or {})
    if keeps_versions(source):
        options.setdefault("version_aware", True)
    return Place.at(source.url, options)


def check_recorded(source: Source) -> None:
    """Raise where a recorded URL leads through several drivers: it may run what it likes there.

    Raises:
        Corrupt: It does.
    """
    if "::" in source.url:
        raise Corrupt(
            f"The recorded place {source.url!r} leads through several drivers, which mlkit never "
            "records",
            hint="Somebody else has written it; record the files anew",
        )


def keeps_versions(source: Source) -> bool:
    """Tell whether a recorded file's version can be read after another one took its place."""
    return source.version is not None and protocol_of(source.url) in _VERSIONED


def describe(url: str, info: Mapping[str, Any]) -> Source:
    """Give what a storage says of a file, in one form for all of them.

    Args:
        url: Where it is.
        info: What fsspec's `info` gave.
    """
    version = _first(info, _VERSIONS)
    return Source(
        url=url,
        etag=_first(info, _ETAGS),
        version=None if version == _NO_VERSION else version,
        modified=_first(info, _TIMES),
    )


def size_of(info: Mapping[str, Any]) -> int:
    """Give the size that fsspec's `info` tells; 0 where the storage doesn't know it."""
    return int(info["size"] or 0)


def _fault(error: Exception, url: str) -> MlkitError:
    folder, _, name = url.rpartition("/")
    if protocol_of(url) in _WEB and isinstance(error, FileNotFoundError):
        cause = error.__cause__  # for the driver says of every fault that there is nothing
        if isinstance(cause, Exception) and getattr(cause, "status", None) not in _NOT_THERE:
            error = cause
    return fault(error, folder, name, writing=False)


def shortened(names: Sequence[str]) -> str:
    """Give the first few of some names, and how many more there are.

    Example:
        >>> shortened(["a", "b", "c", "d", "e", "f", "g"])
        'a, b, c, d, e, and 2 more'
    """
    more = f", and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _first(info: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    """Give what a storage says under one of some names; times in one form, as drivers have many."""
    for key in keys:
        value = info.get(key)
        if key == "Last-Modified" and isinstance(value, str):
            value = parsedate_to_datetime(value)
        if isinstance(value, float):
            value = datetime.fromtimestamp(value, tz=UTC)
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat()
        if value:
            return str(value).strip('"')
    return None
