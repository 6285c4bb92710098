"""What a page shows, as plain records; whoever has a store fills them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from attrs import field, frozen

from mlkit.monitoring.monitor_report import MonitorReport
from mlkit.query.fields import RunLike


class DatasetVersionLike(Protocol):
    """What a page tells of a dataset's version."""

    @property
    def ref(self) -> str:
        """Such as `flights:3`."""

    @property
    def kind(self) -> str:
        """`table`, `folder`, `file` or `reference`."""

    @property
    def rows(self) -> int | None:
        """Of a table, its rows."""

    @property
    def size(self) -> int:
        """The bytes of its files."""

    @property
    def digest(self) -> str:
        """The digest of its content."""

    @property
    def created_at(self) -> int:
        """When it was made, in nanoseconds since 1970, UTC."""

    @property
    def run_id(self) -> str | None:
        """The run that made it."""


class ModelVersionLike(Protocol):
    """What a page tells of a model's version."""

    @property
    def number(self) -> int:
        """The version."""

    @property
    def digest(self) -> str:
        """The digest of its files."""

    @property
    def created_at(self) -> int:
        """When it was saved, in nanoseconds since 1970, UTC."""

    @property
    def size(self) -> int:
        """The bytes of its files."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """What it was worth at training."""

    @property
    def datasets(self) -> Sequence[Any]:
        """What it was trained on: links with `ref` and `digest`."""

    @property
    def run_id(self) -> str | None:
        """The run that made it."""


class AliasMoveLike(Protocol):
    """What a page tells of an entry in the history of an alias."""

    @property
    def alias(self) -> str:
        """The alias."""

    @property
    def version(self) -> int:
        """The version that got it, or was refused."""

    @property
    def replaced(self) -> int | None:
        """The version that had it."""

    @property
    def at(self) -> int:
        """When, in nanoseconds since 1970, UTC."""

    @property
    def user(self) -> str:
        """Who did it."""

    @property
    def reason(self) -> str:
        """Why."""

    @property
    def action(self) -> str:
        """`promote`, `rollback` or `refused`."""

    @property
    def gate_report(self) -> Mapping[str, Any] | None:
        """What the gate found, as plain values; None where there was no gate."""


@frozen(kw_only=True)
class ModelOverview:
    """One model, from its versions to its life in production.

    Attributes:
        name: The model.
        versions: All its versions.
        aliases: The version that each alias means now.
        moves: What happened to its aliases, oldest first; refusals too.
        checks: What its monitors found, oldest check first.
        decisions: What its triggers decided, oldest first.
        lineage: Where the version of each alias came from, as text, by alias.
    """

    name: str
    versions: Sequence[ModelVersionLike]
    aliases: Mapping[str, int] = field(factory=dict)
    moves: Sequence[AliasMoveLike] = ()
    checks: Sequence[MonitorReport] = ()
    decisions: Sequence[Mapping[str, Any]] = ()
    lineage: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class Said:
    """What was said of a dataset's version after it was made.

    Attributes:
        aliases: The aliases that it holds now.
        tags: Its tags.
        notes: The texts of its notes, the oldest first.
    """

    aliases: Sequence[str] = ()
    tags: Mapping[str, str] = field(factory=dict)
    notes: Sequence[str] = ()


PLACES = (
    ("mlkit.json", "the store's format, id and capabilities"),
    ("runs/<run id>/", "each run: its start, its events, its end"),
    ("datasets/<name>/<n>.json", "each dataset version, by number"),
    ("datasets/<name>/remarks/<n>/", "tags and notes that a dataset version got later"),
    ("models/<name>/<n>.json", "each model version, by number"),
    ("…/<name>/aliases/<alias>/<n>.json", "every move of an alias; the newest entry counts"),
    ("monitors/<model>/", "inferences and truths as Parquet, checks, decisions of triggers"),
    ("blobs/ and packs/", "the bytes of files, each named by its digest"),
)
"""Where everything lies below the store's URL."""


@frozen(kw_only=True)
class Overview:
    """All that a page shows.

    Attributes:
        url: Where the store is.
        made_at: When the page is made, in nanoseconds since 1970, UTC.
        title: The page's head.
        runs: The runs.
        datasets: The versions of all datasets.
        said: What was said of versions of datasets, by their references.
        models: The models.
        places: Where everything lies, and what is there.
    """

    url: str
    made_at: int
    title: str = "From data to production"
    runs: Sequence[RunLike] = ()
    datasets: Sequence[DatasetVersionLike] = ()
    said: Mapping[str, Said] = field(factory=dict)
    models: Sequence[ModelOverview] = ()
    places: Sequence[tuple[str, str]] = PLACES
