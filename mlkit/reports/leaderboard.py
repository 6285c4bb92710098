"""Runs in the order of their worth."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mlkit.display.formats import NOTHING, show, show_span, show_time
from mlkit.display.markup import Markup, element, join
from mlkit.display.page import badge, note
from mlkit.display.table import html_table
from mlkit.errors import InvalidInput
from mlkit.quality.directions import direction
from mlkit.query.fields import RunLike, duration_of

_TELLING = ("auc", "accuracy", "f1", "r2", "average_precision", "log_loss", "rmse", "mae", "loss")
_TONES = {"FINISHED": "good", "RUNNING": "info", "FAILED": "bad", "KILLED": "warn", "LOST": "warn"}
_MOST_METRICS, _MOST_PARAMS, _MOST_ROWS = 5, 10, 25
_FEWEST_ROWS = 3  # of each group
_OTHER_DATA = (
    "The runs read different data, and figures of different data can't be compared: they are "
    "grouped by what they read, and none is highlighted. "
)
_ID = 18


def main_metric(runs: Sequence[RunLike]) -> str | None:
    """Give the metric that runs are ranked by: a customary one, else the commonest.

    Only metrics whose better direction is known are taken.
    """
    counts = Counter(key for run in runs for key in run.summary)
    known = [key for key, _ in counts.most_common() if _sign(key)]
    return next((key for key in _TELLING if key in known), known[0] if known else None)


def leaderboards(runs: Sequence[RunLike]) -> Markup:
    """Give a leaderboard for each experiment, that with the most runs first."""
    experiments: dict[str, list[RunLike]] = {}
    for run in runs:
        experiments.setdefault(run.experiment, []).append(run)
    if len(experiments) == 1:
        return leaderboard(runs)
    order = sorted(experiments, key=lambda name: (-len(experiments[name]), name))
    return join(*(join(element("h3", name), leaderboard(experiments[name])) for name in order))


def leaderboard(runs: Sequence[RunLike]) -> Markup:
    """Give the best runs of an experiment as a table, best first, with what differs between them.

    The best is highlighted only where all the ranked runs read the same data; else the runs are
    grouped by what they read, since figures of different data can't be compared.
    """
    metric = main_metric(runs)
    ranked = _ranked(runs, metric)
    groups = _by_data(ranked, metric)
    several = len(groups) > 1
    each = max(_MOST_ROWS // len(groups), _FEWEST_ROWS)
    shown = [(data, run) for data, group in groups.items() for run in group[:each]]
    metrics = _keys([run.summary for run in ranked], _MOST_METRICS, first=metric)
    params = _differing([run.params for run in ranked])
    named = any(run.name for _, run in shown)
    heads = [
        *(["read"] if several else []),
        "run",
        *(["name"] if named else []),
        "status",
        *metrics,
        *params,
        "began",
        "took",
    ]
    rows = []
    for data, run in shown:
        cells: list[object] = [", ".join(data) or NOTHING] if several else []
        cells.append(run.id[:_ID])
        cells += [run.name] if named else []
        cells.append(badge(run.status.lower(), _TONES.get(run.status, "")))
        cells += [run.summary.get(key) for key in metrics]
        cells += [run.params.get(key) for key in params]
        cells += [show_time(run.started_at), show_span(duration_of(run))]
        rows.append(cells)
    best = (0,) if not several and _value(ranked[0], metric) is not None else ()
    text = f"Ordered by {metric}, the best first. " if metric else "The newest first. "
    text += _OTHER_DATA if several else ""
    text += "Of the parameters, those that differ." if params else ""
    left = len(ranked) - len(shown)
    return join(
        note(text),
        html_table(heads, rows, strong=best),
        note(f"… and {left:,} more runs") if left else "",
    )


def _by_data(ranked: Sequence[RunLike], metric: str | None) -> dict[tuple[str, ...], list[RunLike]]:
    """The runs by the datasets that they read, most runs first; one group where that says nothing.

    It says nothing unless runs that have the metric read different data.
    """
    groups: dict[tuple[str, ...], list[RunLike]] = {}
    for run in ranked:
        groups.setdefault(_data(run), []).append(run)
    measured = {_data(run) for run in ranked if _value(run, metric) is not None}
    if len(measured) <= 1:
        return {(): list(ranked)}
    return dict(sorted(groups.items(), key=lambda pair: -len(pair[1])))


def _data(run: RunLike) -> tuple[str, ...]:
    """The datasets that a run read, such as `flights:3`."""
    return tuple(sorted({link["ref"] for link in run.inputs if link["kind"] == "dataset"}))


def _value(run: RunLike, metric: str | None) -> float | None:
    """The metric of a run; None where it has none."""
    value = math.nan if metric is None else run.summary.get(metric, math.nan)
    return None if math.isnan(value) else value


def _ranked(runs: Sequence[RunLike], metric: str | None) -> list[RunLike]:
    newest = sorted(runs, key=lambda run: -run.started_at)
    if metric is None:
        return newest
    sign = _sign(metric)

    def rank(run: RunLike) -> tuple[bool, float]:
        value = _value(run, metric)
        return (True, 0.0) if value is None else (False, -sign * value)

    return sorted(newest, key=rank)


def _sign(metric: str) -> int:
    """1 where higher is better, -1 where lower is, 0 where nobody knows."""
    try:
        return 1 if direction(metric) == "higher" else -1
    except InvalidInput:
        return 0


def _keys(maps: Sequence[Any], most: int, first: str | None) -> list[str]:
    counts = Counter(key for held in maps for key in held)
    keys = [key for key, _ in counts.most_common(most)]
    if first is None:
        return keys
    return [first, *(key for key in keys if key != first)][:most]


def _differing(maps: Sequence[Any]) -> list[str]:
    """The keys whose values aren't the same in all that have them."""
    values: dict[str, set[str]] = {}
    for held in maps:
        for key, value in held.items():
            values.setdefault(key, set()).add(show(value))
    return [key for key, seen in values.items() if len(seen) > 1][:_MOST_PARAMS]
