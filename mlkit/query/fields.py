"""The fields of a run that filters and orders name: what they hold and how to get at them."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from mlkit._core.clock import parse_iso
from mlkit._core.names import near
from mlkit.errors import InvalidInput
from mlkit.query.syntax import MAPS, Field

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


Getter = Callable[[RunLike], Any]


def duration_of(run: RunLike) -> float | None:
    """Give the seconds a run took, None while it runs."""
    return None if run.ended_at is None else (run.ended_at - run.started_at) / SECOND


_GETTERS: dict[str, Getter] = {
    "run_id": lambda run: run.id,
    "experiment": lambda run: run.experiment,
    "name": lambda run: run.name,
    "status": lambda run: run.status,
    "started": lambda run: run.started_at,
    "ended": lambda run: run.ended_at,
    "duration": duration_of,
    "parent": lambda run: run.parent_id,
}
_KINDS = {"status": "status", "started": "time", "ended": "time", "duration": "span"}
_ALIASES = {"id": "run_id", "parent_id": "parent", "started_at": "started", "ended_at": "ended"}
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|s|m|h|d|w))+")
_SPAN_PART = re.compile(r"([0-9.]+)(ms|s|m|h|d|w)")

FIXED = tuple(_GETTERS)
"""The fields that every run has."""


def kind_of(name: str) -> str:
    """Give what a field holds: `text`, `status`, `time`, `span`, or `any` for keys of maps."""
    return "any" if name in MAPS else _KINDS.get(name, "text")


def field_of(word: str, at: int = 0) -> Field | None:
    """Give the field that a word such as `status` or `metrics.auc` means, None when none."""
    name, dot, key = word.partition(".")
    if dot:
        return Field(name, key, at) if name in MAPS else None
    name = _ALIASES.get(name, name)
    return Field(name, None, at) if name in _GETTERS else None


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
    if dot:
        meant = near(name.lower(), MAPS)
        return meant.replace("'?", f".{key}'?") or f"Keys are of {', '.join(MAPS)}"
    if name in MAPS:
        return f"Write {name}.<key>"
    homes = [f"{home}.{word}" for home, held in (keys or {}).items() if word in held]
    if homes:
        return f"Did you mean {homes[0]!r}?"
    return near(word.lower(), (*FIXED, *MAPS)) or f"There are {', '.join((*FIXED, *MAPS))}"


def getter(field: Field) -> Getter:
    """Give the function that takes a field's value from a run, None where it has none."""
    if field.key is None:
        return _GETTERS[field.name]
    key = field.key
    if field.name == "metrics":
        return lambda run: run.summary.get(key)
    if field.name == "params":
        return lambda run: _param(run.params, key)
    return lambda run: run.tags.get(key)


def _param(params: Mapping[str, Any], key: str) -> Any:
    """Give the value of a key, or of a path of keys into mappings; the key itself comes first."""
    if key in params or "." not in key:
        return params.get(key)
    parts = key.split(".")
    for count in range(1, len(parts)):
        inner = params.get(".".join(parts[:count]))
        if isinstance(inner, Mapping):
            found = _param(inner, ".".join(parts[count:]))
            if found is not None:
                return found
    return None


def paths_of(params: Mapping[str, Any]) -> Iterator[str]:
    """Give the keys of mappings, those of mappings within them as paths with dots.

    Example:
        >>> list(paths_of({"opts": {"depth": 4}, "lr": 0.1}))
        ['opts', 'opts.depth', 'lr']
    """
    for key, value in params.items():
        yield key
        if isinstance(value, Mapping):
            yield from (f"{key}.{path}" for path in paths_of(value))


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
