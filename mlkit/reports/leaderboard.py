"""Runs in the order of their worth."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mlkit.display.formats import show, show_span, show_time
from mlkit.display.markup import Markup, join
from mlkit.display.page import badge, note
from mlkit.display.table import html_table
from mlkit.errors import InvalidInput
from mlkit.quality.directions import direction
from mlkit.query.fields import RunLike, duration_of

_TELLING = ("auc", "accuracy", "f1", "r2", "average_precision", "log_loss", "rmse", "mae", "loss")
_TONES = {"FINISHED": "good", "RUNNING": "info", "FAILED": "bad", "KILLED": "warn", "LOST": "warn"}
_MOST_METRICS, _MOST_PARAMS, _MOST_ROWS = 5, 10, 25
_ID = 18


def main_metric(runs: Sequence[RunLike]) -> str | None:
    """Give the metric that runs are ranked by: a customary one, else the commonest.

    Only metrics whose better direction is known are taken.
    """
    counts = Counter(key for run in runs for key in run.summary)
    known = [key for key, _ in counts.most_common() if _sign(key)]
    return next((key for key in _TELLING if key in known), known[0] if known else None)


def leaderboard(runs: Sequence[RunLike]) -> Markup:
    """Give the best runs as a table, best first, with what differs between them."""
    metric = main_metric(runs)
    ranked = _ranked(runs, metric)
    shown = ranked[:_MOST_ROWS]
    metrics = _keys([run.summary for run in ranked], _MOST_METRICS, first=metric)
    params = _differing([run.params for run in ranked])
    several = len({run.experiment for run in runs}) > 1
    named = any(run.name for run in shown)
    heads = [
        "run",
        *(["experiment"] if several else []),
        *(["name"] if named else []),
        "status",
        *metrics,
        *params,
        "began",
        "took",
    ]
    rows = []
    for run in shown:
        cells: list[object] = [run.id[:_ID]]
        cells += [run.experiment] if several else []
        cells += [run.name] if named else []
        cells.append(badge(run.status.lower(), _TONES.get(run.status, "")))
        cells += [run.summary.get(key) for key in metrics]
        cells += [run.params.get(key) for key in params]
        cells += [show_time(run.started_at), show_span(duration_of(run))]
        rows.append(cells)
    best = (0,) if metric and metric in ranked[0].summary else ()
    text = f"Ordered by {metric}, the best first. " if metric else "The newest first. "
    more = "Of the parameters, those that differ."
    return join(
        note(text + more if params else text),
        html_table(heads, rows, strong=best),
        note(f"… and {len(ranked) - len(shown):,} more runs") if len(ranked) > len(shown) else "",
    )


def _ranked(runs: Sequence[RunLike], metric: str | None) -> list[RunLike]:
    newest = sorted(runs, key=lambda run: -run.started_at)
    if metric is None:
        return newest
    sign = _sign(metric)

    def rank(run: RunLike) -> tuple[bool, float]:
        value = run.summary.get(metric, math.nan)
        return (True, 0.0) if math.isnan(value) else (False, -sign * value)

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
