"""Files that stay where they are: what is recorded of them, and whether it still holds."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, takewhile
from typing import Any, BinaryIO

from mlkit.data.sources.places import Place, check_recorded, keeps_versions, place_of, shortened
from mlkit.errors import Corrupt, InvalidInput, NotFound
from mlkit.objects.manifest import FileEntry, Source
from mlkit.storage.parallel import each
from mlkit.storage.urls import without_credentials

_FEW = 32  # so many files are asked for one by one, rather than by a listing of all that lie there

_Recorded = tuple[FileEntry, Source]
_Said = tuple[int, Source]


def list_sources(url: str, storage_options: Mapping[str, Any] | None) -> list[FileEntry]:
    """Give the files that a URL means, as the storage describes them now.

    Args:
        url: A file, a folder, or a pattern with `*`, `?` and `**`; any protocol of fsspec.
        storage_options: What the driver takes; never stored.

    Returns:
        The files, sorted by path; paths begin below the last folder that has no pattern.

    Raises:
        InvalidInput: The URL means no file, or one that couldn't be found again by what is stored.
        MissingExtra: The driver isn't installed.
        StorageFault: The storage failed.
    """
    copy = "Copy what is there instead, with log_dataset"
    if "::" in url:
        shown = without_credentials(url)
        raise InvalidInput(f"{shown} leads through several drivers", hint=copy)
    place = Place.at(url, storage_options)
    if "?" in url and not place.lists:
        raise InvalidInput(
            f"{place.url} has a query, which may hold credentials and isn't stored", hint=copy
        )
    entries = []
    for file in place.listed().files:
        if not file.source.url.endswith(file.path) or "::" in file.source.url:
            raise InvalidInput(
                f"The name {file.path!r} can't be recorded: in a URL it means something else",
                hint=f"Rename the file. {copy}",
            )
        entries.append(FileEntry(file.path, file.size, "", (), file.source))
    return entries


def check_source(entries: Iterable[FileEntry], storage_options: Mapping[str, Any] | None) -> None:
    """Raise unless recorded files are still what they were, or their versions can still be read.

    Many files are looked for by a listing of the folder that holds them all, a few one by one.

    Args:
        entries: The files.
        storage_options: What the driver takes.

    Raises:
        Corrupt: Files are missing or changed; the message names them.
        MissingExtra: The driver isn't installed.
        StorageFault: The storage failed.
    """
    recorded = [(entry, entry.source) for entry in entries if entry.source is not None]
    for _, source in recorded:
        check_recorded(source)
    wrong = []
    for _, group in groupby(recorded, key=lambda pair: pair[1].url.split("/")[:3]):
        wrong += _wrong(list(group), storage_options)
    if wrong:
        raise Corrupt(
            f"Recorded files aren't what they were: {shortened(wrong)}",
            hint="Bring them back, or record them anew as the next version",
        )


def open_source(source: Source, storage_options: Mapping[str, Any] | None) -> BinaryIO:
    """Open a recorded file where it is; in its recorded version, where its storage keeps versions.

    Args:
        source: What is recorded of it.
        storage_options: What the driver takes.

    Raises:
        NotFound: It isn't there any more.
        MissingExtra: The driver isn't installed.
        StorageFault: The storage failed.
    """
    version = source.version if keeps_versions(source) else None
    return place_of(source, storage_options).open(version)


def _wrong(recorded: Sequence[_Recorded], options: Mapping[str, Any] | None) -> list[str]:
    """Say what is wrong with files of one host, each in a few words."""
    place = Place.at(recorded[0][1].url, options)
    found = [
        (pair, words)
        for pair, said in zip(recorded, _look(place, recorded), strict=True)
        if (words := _fault(pair, said))
    ]
    kept = each(lambda one: _is_kept(one[0], options), found, threads=place.threads)
    return [words for (_, words), fine in zip(found, kept, strict=True) if not fine]


def _look(place: Place, recorded: Sequence[_Recorded]) -> Iterable[_Said | None]:
    """Give what the storage says of each file now, None of one that is missing."""
    urls = [source.url for _, source in recorded]
    folder = place.beside(_folder(urls))
    if len(urls) > _FEW and place.lists and folder.path.strip("/"):
        there = folder.below()
        return [there.get(url) for url in urls]

    def look(url: str) -> _Said | None:
        try:
            return place.beside(url).described()
        except NotFound:
            return None

    return each(look, urls, threads=place.threads)


def _folder(urls: Sequence[str]) -> str:
    """Give the folder that holds all of some files."""
    ends = (min(urls).split("/"), max(urls).split("/"))
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(*ends, strict=False))
    return "/".join(part for part, _ in shared)


def _fault(recorded: _Recorded, said: _Said | None) -> str:
    """Say what is wrong with a file, nothing when it is what was recorded."""
    entry, source = recorded
    if said is None:
        return f"{entry.path} is missing"
    size, now = said
    if size != entry.size:
        return f"{entry.path} changed from {entry.size} to {size} bytes"
    return f"{entry.path} changed" if _changed(source, now) else ""


def _is_kept(recorded: _Recorded, options: Mapping[str, Any] | None) -> bool:
    """Tell whether the storage still has the version of a file that was recorded."""
    entry, source = recorded
    if not keeps_versions(source):
        return False
    try:
        size, _ = place_of(source, options).described(source.version)
    except NotFound:
        return False
    return size == entry.size


def _changed(old: Source, new: Source) -> bool:
    """Tell whether a file changed, by the best that the storage said of it both times."""
    pairs = ((old.etag, new.etag), (old.version, new.version), (old.modified, new.modified))
    return next((before != after for before, after in pairs if before and after), False)
