"""A run as one row: what every run has, and its keys with their values by type."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from attrs import frozen

from mlkit._core.codec import encode_value
from mlkit.index.naming import Key

_INT64 = 2**63
_SECOND = 1_000_000_000


class Indexed(Protocol):
    """What the index needs of a run; times are nanoseconds since 1970, UTC."""

    @property
    def id(self) -> str:
        """The run's id."""
        ...

    @property
    def experiment(self) -> str:
        """The experiment that it was started in."""
        ...

    @property
    def name(self) -> str | None:
        """What the user calls it."""
        ...

    @property
    def status(self) -> str:
        """How it stands."""
        ...

    @property
    def started_at(self) -> int:
        """When it began."""
        ...

    @property
    def ended_at(self) -> int | None:
        """When it ended, if it has."""
        ...

    @property
    def parent_id(self) -> str | None:
        """The run within which it was started."""
        ...

    @property
    def user(self) -> str:
        """Who started it."""
        ...

    @property
    def deleted_at(self) -> int | None:
        """When it was deleted, if it was."""
        ...

    @property
    def params(self) -> Mapping[str, Any]:
        """Its params."""
        ...

    @property
    def tags(self) -> Mapping[str, str]:
        """Its tags."""
        ...

    @property
    def summary(self) -> Mapping[str, float]:
        """The last value of each metric."""
        ...

    @property
    def goals(self) -> Mapping[str, str]:
        """Metric to `max` or `min`, where the run says what is best."""
        ...

    @property
    def inputs(self) -> Sequence[Mapping[str, Any]]:
        """What it read."""
        ...

    @property
    def outputs(self) -> Sequence[Mapping[str, Any]]:
        """What it made."""
        ...


@frozen
class Row:
    """One run's row.

    Attributes:
        fixed: Column to value, of the columns that every run has.
        keyed: Key to value, each of the type that the key says; JSON is text.
    """

    fixed: dict[str, Any]
    keyed: dict[Key, Any]

    @classmethod
    def of(cls, run: Indexed) -> "Row":
        """Give the row of a run."""
        ended = run.ended_at
        fixed = {
            "run_id": run.id,
            "experiment": storable(run.experiment),
            "name": None if run.name is None else storable(run.name),
            "status": run.status,
            "started": run.started_at // 1000,
            "ended": None if ended is None else ended // 1000,
            "duration": None if ended is None else (ended - run.started_at) / _SECOND,
            "parent": run.parent_id,
            "user": storable(run.user),
            "deleted": run.deleted_at is not None,
            "inputs": [_link(link) for link in run.inputs],
            "outputs": [_link(link) for link in run.outputs],
            "goals": [(storable(metric), mode) for metric, mode in run.goals.items()],
        }
        keyed: dict[Key, Any] = {}
        for name, value in run.params.items():
            _put(keyed, "params", name, value)
            if isinstance(value, Mapping):
                for path, inner in dict(_paths(value, name)).items():  # two may be called alike
                    _put(keyed, "paths", path, inner)
        for name, number in run.summary.items():
            keyed[Key("metrics", name, "float")] = float(number)
        for name, text in run.tags.items():
            keyed[Key("tags", name, "text")] = storable(text)
        return cls(fixed, keyed)


def storable(text: str) -> str:
    """Give a text as UTF-8 can hold it; file names may have brought lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()


def typed(value: object) -> tuple[str, Any]:
    """Give the kind of a value and the value as a column of the kind holds it."""
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, int):
        return ("int", value) if -_INT64 <= value < _INT64 else ("json", str(value))
    if isinstance(value, float):
        return "float", value
    if isinstance(value, str):
        return "text", storable(value)
    return "json", storable(encode_value(value))


def _put(keyed: dict[Key, Any], home: str, name: str, value: object) -> None:
    if value is not None:
        kind, kept = typed(value)
        keyed[Key(home, name, kind)] = kept


def _paths(mapping: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    """Give what lies within a mapping, by the path of keys to it."""
    for key, value in mapping.items():
        path = f"{above}.{key}"
        yield path, value
        if isinstance(value, Mapping):
            yield from _paths(value, path)


def _link(link: Mapping[str, Any]) -> dict[str, str]:
    return {name: storable(str(link.get(name) or "")) for name in ("kind", "ref", "digest")}
