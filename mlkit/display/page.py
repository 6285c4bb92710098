"""Whole pages, and pieces for notebooks, which bring their style along."""

from collections.abc import Sequence

from attrs import frozen

from mlkit.display.markup import Markup, element, escape, join
from mlkit.display.style import style


@frozen
class Section:
    """One part of a page.

    Attributes:
        name: What its address ends with; letters, digits and dashes.
        title: Its head.
        parts: What it holds; what isn't `Markup` is escaped.
        intro: A sentence on what it shows.
    """

    name: str
    title: str
    parts: Sequence[object]
    intro: object = ""


@frozen
class Card:
    """A figure at the top of a page.

    Attributes:
        label: What it is.
        value: The figure.
        note: What to know about it.
    """

    label: str
    value: object
    note: str = ""


def fragment(*parts: object) -> str:
    """Give parts as one piece of HTML for a notebook, with the style that they need.

    Example:
        >>> fragment("a < b").endswith('<div class="mlk">a &lt; b</div>')
        True
    """
    return join(style("pieces"), element("div", *parts, class_="mlk"))


def page(
    title: str,
    sections: Sequence[Section],
    *,
    subtitle: object = "",
    cards: Sequence[Card] = (),
    footer: object = "",
) -> str:
    """Give a whole page that needs nothing else: no script, no network.

    Args:
        title: Its head.
        sections: What it shows, in order; they are listed at the top.
        subtitle: A line below the head.
        cards: The figures to be seen first.
        footer: The last line.

    Example:
        >>> page("Flights", [Section("runs", "Runs", ("3",))]).startswith("<!doctype html>")
        True
    """
    links = [element("a", part.title, href=f"#{part.name}") for part in sections]
    top = element(
        "header",
        element("h1", title),
        element("p", subtitle),
        element("nav", *links, class_="mlk-nav", aria_label="Sections") if links else "",
        class_="mlk-top",
    )
    body = element(
        "div",
        top,
        element("div", *map(_card, cards), class_="mlk-cards") if cards else "",
        element("main", *map(_section, sections)),
        element("footer", footer, class_="mlk-foot"),
        class_="mlk-wrap",
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n{style('pieces', 'page')}\n</head>\n"
        f'<body class="mlk">\n{body}\n</body>\n</html>\n'
    )


def badge(text: object, tone: str = "") -> Markup:
    """Give a word in a coloured pill.

    Args:
        text: The word.
        tone: `good`, `bad`, `warn`, `info`, or nothing for none.

    Example:
        >>> badge("refused", "bad")
        '<span class="mlk-badge mlk-bad">refused</span>'
    """
    return element("span", text, class_=f"mlk-badge mlk-{tone}" if tone else "mlk-badge")


def note(*parts: object) -> Markup:
    """Give a paragraph that stays in the background."""
    return element("p", *parts, class_="mlk-note")


def _card(card: Card) -> Markup:
    return element(
        "div",
        element("span", card.label),
        element("b", card.value),
        element("span", card.note) if card.note else "",
        class_="mlk-card",
    )


def _section(part: Section) -> Markup:
    head = element("h2", part.title)
    intro = element("p", part.intro, class_="mlk-note") if part.intro else ""
    return element("section", head, intro, *part.parts, id=part.name, class_="mlk-sheet")
