"""What a commit needs to know of something that is to become a version."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from attrs import field, frozen

from mlkit.data.storing.stat_cache import StatCache
from mlkit.display.progress import Progress
from mlkit.objects.intake import Intake
from mlkit.objects.manifest import Manifest
from mlkit.objects.pack_writer import PackWriter

Listing = Callable[[Sequence[bytes]], Manifest]
"""Gives the files of a version, once the digest of each of the writer's packs is known."""


@frozen
class Surroundings:
    """What is around a commit.

    Attributes:
        stats: What is remembered of local files.
        began: When the commit began, in nanoseconds since 1970, UTC.
        progress: Shows how far it is.
        store: Where the store is on the local disk, if it is there.
    """

    stats: StatCache
    began: int
    progress: Progress
    store: str = ""


@frozen
class Described:
    """What a version is.

    Attributes:
        digest: The identity of its content.
        fields: What only a version of its kind says of itself.
    """

    digest: str
    fields: Mapping[str, Any] = field(factory=dict)


class Content(Protocol):
    """Something that can become a version; it is committed once, and closed."""

    @property
    def kind(self) -> str:
        """`table`, `folder`, `file` or `reference`."""
        ...

    def digest(self, around: Surroundings) -> str | None:
        """Give the digest where it can be known before anything is stored, else None."""
        ...

    def demand(self) -> Mapping[str, Any] | None:
        """Give what was found when the content was held against what is demanded of it.

        Raises:
            DataRefused: It isn't met.
        """
        ...

    def store(self, packs: PackWriter, intake: Intake, around: Surroundings) -> Listing:
        """Hand all bytes on; asked for once."""
        ...

    def describe(self, manifest: Manifest) -> Described:
        """Say what was stored."""
        ...

    def remember(self, manifest: Manifest, digest: str, around: Surroundings) -> None:
        """Keep in mind what a version that is there refers to."""
        ...

    def close(self) -> None:
        """Give back what was taken for it, such as open files."""
        ...
