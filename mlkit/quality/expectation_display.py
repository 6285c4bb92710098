"""Expectations for people: a sentence for each, in text and HTML."""

from typing import TYPE_CHECKING

from mlkit.display.markup import Markup, join
from mlkit.display.page import note
from mlkit.display.table import html_table
from mlkit.display.text import text_table

if TYPE_CHECKING:
    from mlkit.quality.expectations import Expectations

_HEADS = ("expectation", "why")


def sentences(expectations: "Expectations") -> list[tuple[str, str | None]]:
    """Give every expectation in words, with the reason why where it was inferred."""
    told: list[tuple[str, str | None]] = []
    for column in expectations.columns:
        if column.required:
            told.append((f"{column.name} is there", None))
        told += [(column.sentence(kind), column.why.get(kind)) for kind in column.kinds()]
    told += [(f"{', '.join(key)} are together unique", None) for key in expectations.keys]
    told += [(one.sentence, None) for one in expectations.baselines]
    told += [(sentence, None) for _, sentence in row_sentences(expectations)]
    if not expectations.others_allowed:
        told.append(("no other columns", None))
    return told


def row_sentences(expectations: "Expectations") -> list[tuple[str, str]]:
    """Give what is expected of the number of rows, by kind, in words."""
    ends = {"min_rows": ("at least", expectations.min_rows),
            "max_rows": ("at most", expectations.max_rows)}  # fmt: skip
    return [
        (kind, f"{sign} {end:,} {'row' if end == 1 else 'rows'}")
        for kind, (sign, end) in ends.items()
        if end is not None
    ]


def expectations_text(expectations: "Expectations") -> str:
    """Give expectations as plain text."""
    unmapped = [f"not taken over: {what}" for what in expectations.unmapped]
    return "\n".join([text_table(_HEADS, sentences(expectations)), *unmapped])


def expectations_html(expectations: "Expectations") -> Markup:
    """Give expectations as a piece of HTML without style, to be part of a page."""
    unmapped = [note(f"Not taken over: {what}") for what in expectations.unmapped]
    return join(html_table(_HEADS, sentences(expectations)), *unmapped)
