"""A model in production: its worth and the drift of what it sees, window by window."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from mlkit.display.charts import Line, line_chart
from mlkit.display.formats import NOTHING, show_share, show_time
from mlkit.display.markup import Markup, element, join
from mlkit.display.page import badge, note
from mlkit.display.table import heat_table, html_table
from mlkit.monitoring.monitor_report import MonitorReport
from mlkit.reports.overview import ModelOverview

_TELLING = ("auc", "accuracy", "rmse")
_FULL_HEAT = 5.0
_MOST_NAMES = 4


def main_figure(checks: Sequence[MonitorReport]) -> str | None:
    """Give the performance figure that tells most: auc, accuracy or rmse, whichever there is."""
    known = {name for check in checks for name, one in check.performance.items() if one is not None}
    return next((name for name in _TELLING if name in known), min(known, default=None))


def production(model: ModelOverview) -> list[Markup]:
    """Give the charts and tables of a model's checks."""
    if not model.checks:
        return [note("No monitor has looked at this model yet.")]
    checks = sorted(model.checks, key=_when)
    return [
        _worth(checks),
        _checks(checks),
        _heat(checks),
        _decisions(model.decisions),
    ]


def label(check: MonitorReport) -> str:
    """Give the window of a check as short as it can be told: a month, a day, or its start."""
    start = check.start if check.start is not None else check.first
    if start is None:
        return show_time(check.checked_at)
    begin = _date(start)
    if check.start is None or check.end is None:
        return f"{begin:%Y-%m-%d}"
    days = (_date(check.end) - begin).days
    if begin.day == 1 and 27 <= days <= 31:  # noqa: PLR2004 - a month
        return f"{begin:%b %Y}"
    return f"{begin:%Y-%m-%d}" if days >= 1 else show_time(start)


def _labels(checks: Sequence[MonitorReport]) -> list[str]:
    """The windows; with the version where several looked at the same one."""
    versions: dict[str, set[int]] = {}
    for check in checks:
        versions.setdefault(label(check), set()).add(check.version)
    return [
        f"{label(one)}, v{one.version}" if len(versions[label(one)]) > 1 else label(one)
        for one in checks
    ]


def _worth(checks: Sequence[MonitorReport]) -> Markup:
    """The main figure over time: one line with the changes of version, or one for each version."""
    metric = main_figure(checks)
    if metric is None:
        return note("No truths have come in yet, so how good the model is isn't known.")
    windows = [label(check) for check in checks]
    if len(set(windows)) < len(windows):
        lines = _lines_by_version(checks, metric)
        return line_chart(lines, title=f"{metric} by window", y_label=metric)
    lines = [
        Line("in production", [(label(one), one.performance.get(metric)) for one in checks]),
        Line(
            "at training",
            [(label(one), one.baseline.get(metric)) for one in checks],
            muted=True,
            steps=True,
        ),
    ]
    events = [
        (label(after), f"version {after.version}")
        for before, after in pairwise(checks)
        if before.version != after.version
    ]
    return line_chart(lines, title=f"{metric} by window", y_label=metric, events=events)


def _lines_by_version(checks: Sequence[MonitorReport], metric: str) -> list[Line]:
    """A line for each version, where several were looked at in one window."""
    windows = list(dict.fromkeys(label(check) for check in checks))
    figures = {(one.version, label(one)): one.performance.get(metric) for one in checks}
    return [
        Line(f"version {number}", [(window, figures.get((number, window))) for window in windows])
        for number in sorted({check.version for check in checks})
    ]


def _checks(checks: Sequence[MonitorReport]) -> Markup:
    metric = main_figure(checks)
    figure = [metric, "at training", "change"] if metric else []
    heads = ["window", "version", "rows", "without truth", *figure, "drifted features"]
    noted = any(check.notes for check in checks)
    heads += ["notes"] if noted else []
    rows: list[list[object]] = []
    for check in checks:
        row: list[object] = [label(check), check.version, check.rows]
        row.append(show_share(check.missing_truths))
        if metric:
            now, before = check.performance.get(metric), check.baseline.get(metric)
            change = None if now is None or before is None else now - before
            row += [now, before, NOTHING if change is None else f"{change:+.4f}"]
        row.append(_drifted(check))
        row += ["; ".join(check.notes)] if noted else []
        rows.append(row)
    return html_table(heads, rows, caption="What each look found")


def _drifted(check: MonitorReport) -> object:
    if check.drift is None:
        return NOTHING
    lost = len(check.drift.not_comparable)
    if not check.drift.compared:
        return badge(f"unknown: {lost} of {lost} not comparable", "bad")
    names = [column.name for column in check.drift.drifted_columns]
    count = f"{len(names)} of {len(check.drift.compared)}"
    more = "…" if len(names) > _MOST_NAMES else ""
    shown = ", ".join(names[:_MOST_NAMES])
    unlike = join(" ", badge(f"{lost} not comparable", "warn")) if lost else ""
    return join(badge(count, "warn" if names else "good"), " ", shown, more, unlike)


def _heat(checks: Sequence[MonitorReport]) -> Markup:
    """How far each feature had moved, by window; those that drifted farthest come first."""
    known = [(check, check.drift) for check in checks if check.drift is not None]
    rank: dict[str, tuple[bool, float]] = {}
    columns: list[dict[str, tuple[float | None, bool]]] = []
    for _, drift in known:
        found = {
            column.name: (column.effect(drift.thresholds), column.drifted and column.compared)
            for column in drift.columns
        }
        columns.append(found)
        for name, (effect, drifted) in found.items():
            rank[name] = max(rank.get(name, (False, 0.0)), (drifted, effect or 0.0))
    if not rank:
        return note("Drift isn't known: no features were logged, or no training data.")
    order = sorted(rank, key=lambda name: rank[name], reverse=True)
    cells = [[found.get(name, (None, False)) for found in columns] for name in order]
    table = heat_table(
        order,
        _labels([check for check, _ in known]),
        [[effect for effect, _ in line] for line in cells],
        full=_FULL_HEAT,
        marked=[[drifted for _, drifted in line] for line in cells],
        corner="feature",
    )
    return join(
        element("h3", "Drift of each feature"),
        note(
            "How far from the data that the version was trained on: the effect that decided, of "
            "the population stability index, the Wasserstein distance and the missing share, as "
            "a multiple of its limit. Coloured and bold: the feature drifted, by more than the "
            "limit and more than chance. Plain from 1 on: few rows, where chance alone may do "
            f"that. {NOTHING}: not comparable. Drift alone is no loss: seasons move the weather, "
            "and a model may know them."
        ),
        table,
    )


def _decisions(decisions: Sequence[Mapping[str, object]]) -> Markup:
    if not decisions:
        return Markup()
    rows = []
    for one in decisions:
        verdict = badge("fired", "warn") if one["fired"] else badge("quiet", "good")
        reasons = one["reasons"]
        said = [
            f"{reason['condition']}: {'yes' if reason['met'] else 'no'} ({reason['why']})"
            for reason in (reasons if isinstance(reasons, list) else [])
            if reason["met"] or not one["fired"]
        ]
        rows.append([one["trigger"], one["ref"], one["window"], verdict, "; ".join(said)])
    heads = ["trigger", "version", "window", "decision", "because"]
    return join(element("h3", "What the triggers decided"), html_table(heads, rows))


def _when(check: MonitorReport) -> tuple[int, int]:
    start = check.start if check.start is not None else check.first
    return (check.checked_at if start is None else start), check.version


def _date(ns: int) -> datetime:
    return datetime.fromtimestamp(ns // 1_000_000_000, tz=UTC)
