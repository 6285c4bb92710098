"""Runs as a table that fits where it is printed: one line a run."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from mlkit.cli.output import printable, text_of
from mlkit.display.formats import is_number, show_span, show_time
from mlkit.display.text import text_table, width_of
from mlkit.query.fields import duration_of, keys_of

if TYPE_CHECKING:
    from mlkit.tracking.reading import Run

_SHORTEST_ID = len("01a20a83-4dc6")  # the time of a UUIDv7, to the millisecond
_WIDEST = 32
_UNCUT = 10_000
_GAP = 2


def run_lines(
    runs: Sequence["Run"],
    *,
    ids: Iterable[str],
    width: int | None,
    lead: str = "",
) -> str:
    """Give runs as a table: what they are, and then what differs between them.

    Args:
        runs: The runs, at least one.
        ids: The ids of all runs that there are; a shortened id is the beginning of one alone.
        width: How wide the table may be; None shows all of everything.
        lead: The key that stands before all others, such as `metrics.auc`.

    Returns:
        The lines; the last says how many columns there was no room for.
    """
    columns = dict(_columns(runs, list(ids), width, lead))
    kept: list[str] = []
    room = width or 0
    for name, cells in columns.items():
        alone = text_table([name], [[cell] for cell in cells], widest=_UNCUT)
        taken = max(map(width_of, alone.split("\n")))
        if width is None or taken <= room or not kept:
            kept.append(name)
            room -= taken + _GAP
    shown = list(zip(*(columns[name] for name in kept), strict=True))
    lines = text_table(kept, shown, widest=_UNCUT)
    left_out = len(columns) - len(kept)
    if not left_out:
        return lines
    return f"{lines}\n… and {left_out} more column{'' if left_out == 1 else 's'}; --json has all"


def _columns(
    runs: Sequence["Run"], ids: list[str], width: int | None, lead: str
) -> Iterator[tuple[str, list[Any]]]:
    """Give the columns, the most telling first."""
    length = None if width is None else _length(runs, ids)
    yield "run", [run.id[:length] for run in runs]
    if len({run.experiment for run in runs}) > 1:
        yield "experiment", [_text(run.experiment, width) for run in runs]
    if any(run.name for run in runs):
        yield "name", [_text(run.name, width) for run in runs]
    yield "status", [run.status for run in runs]
    yield "started", [show_time(run.started_at) for run in runs]
    keyed = _keyed(runs, width)
    if lead in keyed:
        yield lead, keyed.pop(lead)
    telling = [name for name, cells in keyed.items() if len(set(map(repr, cells))) > 1]
    metrics = [name for name in telling if name.startswith("metrics.")]
    others = [name for name in telling if name not in metrics]
    for pair in zip_longest(metrics, others):  # so that there is room for some of both
        yield from ((name, keyed.pop(name)) for name in pair if name is not None)
    yield "duration", [show_span(duration_of(run)) for run in runs]
    yield from keyed.items()


def _keyed(runs: Sequence["Run"], width: int | None) -> dict[str, list[Any]]:
    held = [keys_of(run) for run in runs]
    names = {
        (home, key): None
        for home in ("metrics", "params", "tags")
        for one in held
        for key in one[home]
    }
    return {
        printable(f"{home}.{key}"): [_text(one[home].get(key), width) for one in held]
        for home, key in names
    }


def _text(value: Any, width: int | None) -> Any:
    """Give numbers as they are, anything else as text, which is cut where there is little room."""
    if value is None or is_number(value):
        return value
    text = text_of(value)
    return text if width is None or len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _length(runs: Sequence["Run"], ids: list[str]) -> int | None:
    """Give how much of an id tells each of these runs from all that there are."""
    shown = {run.id for run in runs}
    longest = max(map(len, ids), default=0)
    for length in range(_SHORTEST_ID, longest):
        mine = {run_id[:length] for run_id in shown}
        if sum(run_id[:length] in mine for run_id in ids) == len(shown):
            return length
    return None
