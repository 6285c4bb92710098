"""The page of a store: the whole lifecycle on one sheet, which needs nothing else to be read."""

from collections.abc import Callable, Mapping
from typing import Any

from mlkit.display.formats import NOTHING, show_bytes, show_float, show_time
from mlkit.display.markup import Markup, element, join
from mlkit.display.page import Card, Section, badge, note, page
from mlkit.display.table import html_table
from mlkit.monitoring.monitor_report import MonitorReport
from mlkit.quality.gate_report import GateReport
from mlkit.reports.leaderboard import leaderboards, main_metric
from mlkit.reports.overview import AliasMoveLike, ModelOverview, Overview, Said
from mlkit.reports.production import label, main_figure, production

_DIGITS = 19
_ID = 18
_MOST_VERSIONS = 30
_NOTHING_SAID = Said()


def store_page(overview: Overview) -> str:
    """Give the page as HTML: no script, no network, light and dark, from phone to wide screen.

    Args:
        overview: What it shows. All texts in it are escaped.

    Example:
        >>> html = store_page(Overview(url="s3://team/ml", made_at=0, title="<Flights>"))
        >>> "<Flights>" in html, "&lt;Flights&gt;" in html
        (False, True)
    """
    sections = [
        Section(
            f"production-{index}",
            f"{model.name} in production",
            production(model),
            "How good the deployed versions were once the truth was known, and how far their "
            "input had moved from the training data.",
        )
        for index, model in enumerate(overview.models)
        if model.checks
    ]
    sections.append(_runs(overview))
    sections += [_model(index, model) for index, model in enumerate(overview.models)]
    if overview.datasets:
        sections.append(_datasets(overview))
    sections.append(_places(overview))
    return page(
        overview.title,
        sections,
        subtitle=overview.url,
        cards=_cards(overview),
        footer=f"Made by mlkit on {show_time(overview.made_at)} UTC. This file needs nothing else.",
    )


def _cards(overview: Overview) -> list[Card]:
    cards = [Card("runs", f"{len(overview.runs):,}")]
    metric = main_metric(overview.runs)
    if metric is not None:
        values = [run.summary[metric] for run in overview.runs if metric in run.summary]
        cards[0] = Card("runs", f"{len(overview.runs):,}", f"{metric} on {len(values):,} of them")
    names = {one.ref.rpartition(":")[0] for one in overview.datasets}
    said = f"of {_counted(len(names), 'dataset')}"
    newest = max(overview.datasets, key=lambda one: one.created_at, default=None)
    if newest is not None:
        size = show_bytes(newest.size) if newest.rows is None else f"{newest.rows:,} rows"
        said = f"{said}, the newest {newest.ref} with {size}"
    cards.append(Card("dataset versions", f"{len(overview.datasets):,}", said))
    for model in overview.models[:2]:
        alias = _deployed(model)
        now = f"{model.name}:{model.aliases[alias]}" if alias else NOTHING
        said = f"of {_counted(len(model.versions), 'version')}"
        cards.append(Card(f"{model.name}@{alias}" if alias else model.name, now, said))
        cards += _worth_card(model)
    return cards


def _worth_card(model: ModelOverview) -> list[Card]:
    """How good the version is that the alias means now, in the newest window that tells."""
    metric, alias = main_figure(model.checks), _deployed(model)
    if metric is None or alias is None:
        return []
    head, number = f"{metric} in production", model.aliases[alias]
    known = [
        (figure, one)
        for one in model.checks
        if one.version == number and (figure := one.performance.get(metric)) is not None
    ]
    if not known:
        return [Card(head, NOTHING, f"of {model.name}:{number}, of which no truth is known yet")]
    figure, last = max(known, key=lambda pair: (_end(pair[1]), pair[1].checked_at))
    before = last.baseline.get(metric)
    against = "" if before is None else f", {show_float(before)} at training"
    return [Card(head, show_float(figure), f"{last.ref}, {label(last)}{against}")]


def _deployed(model: ModelOverview) -> str | None:
    """The alias that stands for production."""
    return "prod" if "prod" in model.aliases else next(iter(model.aliases), None)


def _end(check: MonitorReport) -> int:
    """When what a check looked at was over."""
    ends = (check.end, check.last, check.checked_at)
    return next(end for end in ends if end is not None)


def _runs(overview: Overview) -> Section:
    if not overview.runs:
        return Section("runs", "Runs", (note("No runs yet."),))
    return Section("runs", "Leaderboard", (leaderboards(overview.runs),))


def _model(index: int, model: ModelOverview) -> Section:
    parts: list[Markup] = [_versions(model)]
    if model.moves:
        parts.append(element("h3", "History of its aliases"))
        parts.append(_moves(model))
    for alias, text in model.lineage.items():
        parts.append(element("h3", f"Where {model.name}@{alias} came from"))
        parts.append(element("pre", text))
    return Section(f"model-{index}", f"Model {model.name}", parts)


def _versions(model: ModelOverview) -> Markup:
    newest = sorted(model.versions, key=lambda one: -one.number)
    metrics = list(dict.fromkeys(key for one in newest for key in one.metrics))[:5]
    rows: list[list[object]] = []
    held: dict[int, list[Markup]] = {}
    for alias, number in model.aliases.items():
        held.setdefault(number, []).append(badge(alias, "info"))
    kept = [one for one in newest if one.number in held]
    shown = newest[:_MOST_VERSIONS]
    shown += [one for one in kept if one not in shown]
    for one in shown:
        trained = ", ".join(str(link.get("ref", "")) for link in one.datasets)
        row: list[object] = [one.number, join(*held.get(one.number, []))]
        row += [one.metrics.get(key) for key in metrics]
        row += [trained or NOTHING, (one.run_id or NOTHING)[:_ID], show_bytes(one.size)]
        row += [element("code", one.digest[:_DIGITS]), show_time(one.created_at)]
        rows.append(row)
    heads = ["version", "alias", *metrics, "trained on", "run", "size", "digest", "saved"]
    strong = [index for index, one in enumerate(shown) if one.number in held]
    left = len(newest) - len(shown)
    more = note(f"… and {left:,} older versions") if left else ""
    return join(html_table(heads, rows, strong=strong), more)


def _moves(model: ModelOverview) -> Markup:
    rows: list[list[object]] = []
    details: list[Markup] = []
    for move in model.moves:
        report = _gate_report(move.gate_report)
        verdict = _verdict(move)
        rows.append(_move(move, verdict))
        if report is not None:
            words = f" {show_time(move.at)}: {move.alias} to version {move.version}"
            summary = element("summary", verdict, words)
            body = report.html()
            details.append(
                element("details", summary, body, open=None if report.passed else "open")
            )
    heads = ["when", "alias", "version", "held by", "outcome", "by", "reason"]
    table = html_table(heads, rows)
    return join(table, element("h3", "What the gate found") if details else "", *details)


def _verdict(move: AliasMoveLike) -> Markup:
    """What became of a move, in a word."""
    if move.action == "rollback":
        return badge("rolled back", "warn")
    if move.gate_report is None:
        return badge("moved, no gate")
    passed = bool(move.gate_report.get("passed")) and move.action != "refused"
    return badge("passed", "good") if passed else badge("refused", "bad")


def _move(move: AliasMoveLike, verdict: Markup) -> list[object]:
    replaced = NOTHING if move.replaced is None else str(move.replaced)
    return [
        show_time(move.at), move.alias, move.version, replaced, verdict, move.user, move.reason,
    ]  # fmt: skip


def _gate_report(found: Mapping[str, Any] | None) -> GateReport | None:
    """The report as a record; gates of others may have written something else."""
    if not found:
        return None
    try:
        return GateReport.from_json(found)
    except (KeyError, TypeError):
        return None


def _datasets(overview: Overview) -> Section:
    datasets = overview.datasets
    made = any(one.run_id for one in datasets)
    told = _told(overview)
    rows = [
        [
            one.ref,
            *(show(overview.said.get(one.ref, _NOTHING_SAID)) for show in told.values()),
            one.kind,
            one.rows,
            show_bytes(one.size),
            element("code", one.digest[:_DIGITS]),
            *([(one.run_id or NOTHING)[:_ID]] if made else []),
            show_time(one.created_at),
        ]
        for one in datasets
    ]
    run = ["run"] if made else []
    heads = ["version", *told, "kind", "rows", "size", "digest", *run, "made"]
    return Section("datasets", "Datasets", (html_table(heads, rows, limit=100),))


def _told(overview: Overview) -> dict[str, Callable[[Said], object]]:
    """Give the columns of what was said of versions, those of which there is anything."""
    columns: dict[str, Callable[[Said], object]] = {
        "alias": lambda said: join(*(badge(alias, "info") for alias in said.aliases)),
        "tags": lambda said: ", ".join(f"{name}={text}" for name, text in said.tags.items()),
        "notes": lambda said: "; ".join(said.notes),
    }
    held = (("alias", "aliases"), ("tags", "tags"), ("notes", "notes"))
    return {
        head: columns[head]
        for head, name in held
        if any(getattr(said, name) for said in overview.said.values())
    }


def _places(overview: Overview) -> Section:
    rows = [[element("code", path), what] for path, what in overview.places]
    intro = join("Plain files below ", element("code", overview.url), ", readable without mlkit.")
    return Section("places", "Where everything lies", (html_table(["path", "what"], rows),), intro)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
