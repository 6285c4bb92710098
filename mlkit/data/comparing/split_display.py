"""A split as text and HTML: the parts, and how near they come to what was wanted."""

from typing import TYPE_CHECKING

from mlkit.display.formats import show_share
from mlkit.display.markup import plain
from mlkit.display.page import fragment, note
from mlkit.display.table import html_table
from mlkit.display.text import text_table

if TYPE_CHECKING:
    from mlkit.data.comparing.split import Splits

_HEADS = ("part", "wanted", "share", "rows", "groups")
_FAR = 0.02


def split_text(splits: "Splits") -> str:
    """Give a split as lines of text."""
    table = text_table(_heads(splits), _cells(splits))
    return "\n".join([_headline(splits), "", table, *_remarks(splits)])


def split_html(splits: "Splits") -> str:
    """Give a split as HTML."""
    table = html_table(_heads(splits), _cells(splits), caption=_headline(splits))
    return fragment(table, *map(note, _remarks(splits)))


def _headline(splits: "Splits") -> str:
    by = "whole rows" if splits.by is None else ", ".join(map(plain, splits.by))
    name = splits.definition.get("dataset", "a frame")
    rows = "1 row" if splits.counts.total == 1 else f"{splits.counts.total:,} rows"
    return f"{name}, {rows} split by {by}, seed {splits.seed}"


def _heads(splits: "Splits") -> tuple[str, ...]:
    return _HEADS if splits.counts.groups is not None else _HEADS[:-1]


def _cells(splits: "Splits") -> list[list[object]]:
    counts = splits.counts
    return [
        [
            name,
            show_share(wanted),
            show_share(counts.share(name)),
            counts.rows[name],
            *([] if counts.groups is None else [counts.groups[name]]),
        ]
        for name, wanted in splits.shares.items()
    ]


def _remarks(splits: "Splits") -> list[str]:
    """Say what to know of missing values, and of shares that are far from what was wanted."""
    counts, by = splits.counts, splits.by or ()
    told = [
        f"{'1 row has' if rows == 1 else f'{rows:,} rows have'} no {plain(by[0])};"
        f" {'it is' if rows == 1 else 'they are'} one group, in {name}."
        for name, rows in counts.missing.items()
        if rows
    ]
    far = [
        f"{name} has {show_share(counts.share(name))} instead of {show_share(wanted)}"
        for name, wanted in splits.shares.items()
        if counts.total and abs(counts.share(name) - wanted) > _FAR
    ]
    if far:
        why = (
            "groups are kept whole, and they are few or of differing size"
            if splits.by
            else "there are few rows, or many equal ones"
        )
        told.append(f"{', '.join(far)}: {why}.")
    return told
