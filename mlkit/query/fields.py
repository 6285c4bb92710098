"""The fields of a run that filters and orders name: what they hold, and where that comes from."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from mlkit._core.clock import parse_iso
from mlkit._core.names import near
from mlkit.errors import InvalidInput
from mlkit.query.syntax import MAPS, Field

if TYPE_CHECKING:
    import pyarrow as pa

STATUSES = ("RUNNING", "FINISHED", "FAILED", "KILLED", "LOST")
SECOND = 1_000_000_000


class RunLike(Protocol):
    """What a query needs of a run; times are nanoseconds since 1970, UTC."""

    @property
    def id(self) -> str:
        """The run's id."""

    @property
    def experiment(self) -> str:
        """The group it belongs to."""

    @property
    def name(self) -> str | None:
        """What the user calls it."""

    @property
    def status(self) -> str:
        """One of `STATUSES`."""

    @property
    def started_at(self) -> int:
        """When it began."""

    @property
    def ended_at(self) -> int | None:
        """When it ended, if it has."""

    @property
    def parent_id(self) -> str | None:
        """The run it is nested in."""

    @property
    def params(self) -> Mapping[str, Any]:
        """Its parameters, types kept."""

    @property
    def tags(self) -> Mapping[str, Any]:
        """Its tags."""

    @property
    def summary(self) -> Mapping[str, float]:
        """The last value of each metric."""

    @property
    def inputs(self) -> Sequence[Any]:
        """What it read."""

    @property
    def outputs(self) -> Sequence[Any]:
        """What it made."""


class RunColumns(Protocol):
    """Columns of runs in one order, each read when it is first asked for.

    All are of the same length, and null where a run has no value. NaN is a value.
    """

    def __len__(self) -> int: ...

    def fixed(self, name: str) -> "pa.ChunkedArray":
        """Give what every run has.

        Args:
            name: `run_id`, `experiment`, `name`, `status`, `parent` or `user` (string), `started`
                or `ended` (timestamp[us, UTC]), `duration` (double, seconds).
        """
        ...

    def param(self, key: str) -> "Mapping[str, pa.ChunkedArray]":
        """Give the values of a param by type; at most one of them is set in a row.

        Args:
            key: The param, or a path by dots into params that are mappings.

        Returns:
            `bool`, `int` (int64), `float` (double), `text` (string), `json` (string: lists,
            mappings, and ints beyond int64); types that never occur are absent.
        """
        ...

    def metric(self, key: str, part: str) -> "pa.ChunkedArray | None":
        """Give a number (double) of the points of a metric, None when no run has it.

        Args:
            key: The metric.
            part: `last`, `first`, `min`, `max` or `best`.
        """
        ...

    def tag(self, key: str) -> "pa.ChunkedArray | None":
        """Give the values (string) of a tag, None when no run has it."""
        ...

    def links(self, direction: str) -> "pa.ChunkedArray":
        """Give what runs read or made: list<struct<kind, ref, digest>>, all string.

        Args:
            direction: `inputs` or `outputs`.
        """
        ...

    def current(self, experiment: str, /) -> str:
        """Give what an experiment is called now, by that name or one that it had once."""
        ...

    def keys(self, home: str) -> Sequence[str]:
        """Give the names that exist, for suggestions.

        Args:
            home: `metrics`, `params` (with the paths into mappings) or `tags`.
        """
        ...


def duration_of(run: RunLike) -> float | None:
    """Give the seconds a run took, None while it runs."""
    return None if run.ended_at is None else (run.ended_at - run.started_at) / SECOND


FIXED = (
    "run_id",
    "experiment",
    "name",
    "status",
    "started",
    "ended",
    "duration",
    "parent",
    "user",
)
"""The fields that every run has."""

LINKS = ("dataset", "model", "input", "output")
"""The fields that hold versions which a run read or made."""

_KINDS = {"status": "status", "started": "time", "ended": "time", "duration": "span"}
_ALIASES = {"id": "run_id", "parent_id": "parent", "started_at": "started", "ended_at": "ended"}
_OTHER_MAPS = {
    "config": "params", "parameters": "params", "hparams": "params", "hyperparameters": "params",
    "summary": "metrics", "labels": "tags",
}  # fmt: skip
_OTHER_NAMES = {
    "start_time": "started", "created": "started", "created_at": "started", "end_time": "ended",
    "run_name": "name", "state": "status", "user_id": "user", "group": "experiment",
    "experiment_name": "experiment",
}  # fmt: skip
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|s|m|h|d|w))+")
_SPAN_PART = re.compile(r"([0-9.]+)(ms|s|m|h|d|w)")


def kind_of(name: str) -> str:
    """Give what a field holds: `text`, `status`, `time`, `span`, `link`, or `any` for keys."""
    if name in MAPS:
        return "any"
    return "link" if name in LINKS else _KINDS.get(name, "text")


def field_of(word: str, at: int = 0) -> Field | None:
    """Give the field that a word such as `status` or `metrics.auc` means, None when none."""
    name, dot, key = word.partition(".")
    if dot:
        return Field(name, key, at) if name in MAPS else None
    name = _ALIASES.get(name, name)
    return Field(name, None, at) if name in (*FIXED, *LINKS) else None


def near_field(word: str, keys: Mapping[str, Sequence[str]] | None = None) -> str:
    """Give a sentence on what a word that is no field may have meant.

    Args:
        word: The word.
        keys: The keys that exist, by map.

    Example:
        >>> near_field("metric.auc"), near_field("stauts")
        ("Did you mean 'metrics.auc'?", "Did you mean 'status'?")
    """
    name, dot, key = word.partition(".")
    if dot and name.lower() in _OTHER_MAPS:
        return f"Did you mean {f'{_OTHER_MAPS[name.lower()]}.{key}'!r}?"
    if dot and name.lower().rstrip("s") == "attribute":
        meant = _OTHER_NAMES.get(key, key)
        return f"Write {meant}" if field_of(meant) else near_field(meant, keys)
    if dot:
        meant = near(name.lower(), MAPS)
        return meant.replace("'?", f".{key}'?") or f"Keys are of {', '.join(MAPS)}"
    if name in MAPS:
        return f"Write {name}.<key>"
    if word in _OTHER_NAMES:
        return f"Did you mean {_OTHER_NAMES[word]!r}?"
    homes = [f"{home}.{word}" for home, held in (keys or {}).items() if word in held]
    if homes:
        return f"Did you mean {homes[0]!r}?"
    names = (*FIXED, *LINKS, *MAPS)
    return near(word.lower(), names) or f"There are {', '.join(names)}"


def keys_of(run: RunLike) -> dict[str, Mapping[str, Any]]:
    """Give the maps of a run by the names that filters use."""
    return {"metrics": run.summary, "params": run.params, "tags": run.tags}


def parse_span(text: str) -> float:
    """Give the seconds of a span of time such as `90s`, `1h30m`, `7d`.

    Raises:
        InvalidInput: It is none.

    Example:
        >>> parse_span("1h30m")
        5400.0
    """
    if _SPAN.fullmatch(text) is None:
        message = f"{text!r} is no span of time"
        raise InvalidInput(message, hint="Write it as '90s', '1h30m' or '7d'")
    return float(sum(float(number) * _UNITS[unit] for number, unit in _SPAN_PART.findall(text)))


def parse_moment(text: str, now: int) -> int:
    """Give the time that a text means: ISO 8601, `now`, or a span from now such as `-7d`.

    Args:
        text: The text.
        now: The present, in nanoseconds since 1970, UTC.

    Raises:
        InvalidInput: It is none.

    Example:
        >>> parse_moment("-1m", now=100_000_000_000)
        40000000000
    """
    if text == "now":
        return now
    if text[:1] in ("-", "+") and _SPAN.fullmatch(text[1:]):
        span = round(parse_span(text[1:]) * SECOND)
        return now - span if text[0] == "-" else now + span
    try:
        return parse_iso(text)
    except InvalidInput:
        message = f"{text!r} is no time"
        raise InvalidInput(
            message, hint="Write it as '2026-01-31', '2026-01-31T12:00:00Z', or '-7d' from now"
        ) from None
