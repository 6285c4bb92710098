"""The digests of all versions of a dataset, so that the same content is found again.

They never change, so a process reads each document once, and a machine remembers what it read. A
store may be copied, or brought back from a backup, and a version be removed by hand and its number
taken by another; so the newest that is remembered is held against its document, and so is the one
that is found.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from attrs import field, frozen

from mlkit._core import shapes
from mlkit._core.codec import decode_document, encode_document
from mlkit.errors import Corrupt, NewerFormat, NotFound
from mlkit.objects.local_cache import local_cache
from mlkit.objects.series import Series
from mlkit.storage.parallel import each, threads_for

_KIND = "version_digests"
_FEW = 16


@frozen
class VersionDigests:
    """The digests of the versions of datasets, by their series and numbers.

    Args:
        cache: The folder for what this machine remembers of the store.
    """

    cache: Path
    _known: dict[str, dict[int, str]] = field(factory=dict, init=False, repr=False, eq=False)
    _sure: set[str] = field(factory=set, init=False, repr=False, eq=False)

    def of(self, series: Series, number: int) -> str:
        """Give the digest of a version, nothing where its document is damaged or missing."""
        known = self._all(series)
        if number not in known:
            known.update(_read(series, [number]))
        return known.get(number, "")

    def find(self, series: Series, numbers: Sequence[int], digest: str) -> int | None:
        """Give the newest version of a content, None where there is none.

        Args:
            series: The versions.
            numbers: Their numbers, rising.
            digest: The digest of the content.
        """
        known = self._held(series, numbers)
        unknown = [number for number in numbers if number not in known]
        if unknown:
            known.update(_read(series, unknown))
            if len(unknown) > _FEW:
                self._save(series, known)
        for number in reversed(numbers):
            if known.get(number) == digest:
                known[number] = dict(_read(series, [number])).get(number, "")
                if known[number] == digest:
                    return number
        return None

    def add(self, series: Series, number: int, digest: str) -> None:
        """Remember a version that was just made."""
        known = self._all(series)
        known[number] = digest
        self._save(series, known)

    def _held(self, series: Series, numbers: Sequence[int]) -> dict[int, str]:
        """Give what is known, unless it is of another past: of a copy, or before a backup."""
        known = self._all(series)
        newest = max(known.keys() & set(numbers), default=None)
        if series.folder in self._sure:
            return known
        self._sure.add(series.folder)
        if newest is not None and dict(_read(series, [newest])).get(newest) != known[newest]:
            known.clear()
        return known

    def _all(self, series: Series) -> dict[int, str]:
        if series.folder not in self._known:
            self._known[series.folder] = self._load(series)
        return self._known[series.folder]

    def _place(self, series: Series) -> str:
        return f"versions/{hashlib.sha256(series.folder.encode()).hexdigest()}.json"

    def _load(self, series: Series) -> dict[int, str]:
        place = self._place(series)
        try:
            fields = decode_document(local_cache(self.cache).get(place) or b"", _KIND, place)
            digests = shapes.mapping(fields, "digests", str)
            return {int(number): digest for number, digest in digests.items()}
        except (ValueError, Corrupt, NewerFormat, shapes.Misshapen):
            return {}

    def _save(self, series: Series, known: dict[int, str]) -> None:
        digests = {str(number): digest for number, digest in known.copy().items()}
        local_cache(self.cache).put(
            self._place(series), encode_document(_KIND, {"digests": digests})
        )


def _read(series: Series, numbers: Sequence[int]) -> list[tuple[int, str]]:
    """Give the digests that documents say, several read at once; damaged ones are left out."""

    def digest(number: int) -> tuple[int, str]:
        try:
            return number, shapes.required(series.read(number), "digest", str)
        except (Corrupt, NewerFormat, NotFound, shapes.Misshapen):
            return number, ""

    found = each(digest, numbers, threads=min(len(numbers), threads_for(series.storage)))
    return [pair for pair in found if pair[1]]
