"""HTML that is known to be safe, told apart by its type from text that isn't."""

import html
import re

# Control characters break terminals and HTML, bidirectional overrides make names look like others.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9:-]*")


class Markup(str):
    """Text that is HTML already, so it isn't escaped again.

    Example:
        >>> escape(Markup("<b>bold</b>"))
        '<b>bold</b>'
    """

    __slots__ = ()

    def __html__(self) -> str:
        """Give the HTML, as other template libraries ask for it."""
        return str(self)


def plain(value: object) -> str:
    r"""Give the text of a value without characters that act on a terminal or a page.

    Example:
        >>> plain("red\x1b[31m")
        'red\ufffd[31m'
    """
    return _UNSEEN.sub("\ufffd", str(value))


def escape(value: object) -> Markup:
    """Give a value as HTML: markup as it is, all else as text that can't leave its place.

    Example:
        >>> escape("<script>")
        '&lt;script&gt;'
    """
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(plain(value), quote=True))


def join(*parts: object) -> Markup:
    """Give the parts as one piece of HTML; what isn't markup is escaped."""
    return Markup("".join(escape(part) for part in parts))


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """Give an HTML or SVG element.

    Args:
        tag: Its name.
        *children: Its content; what isn't `Markup` is escaped.
        **attributes: Its attributes. `_` in a name stands for `-`, and a trailing one is dropped
            (`class_`); those that are None or False are left out.

    Raises:
        ValueError: A name isn't that of an element or attribute.

    Example:
        >>> element("a", "x < y", class_="note", title='"hi"')
        '<a class="note" title="&quot;hi&quot;">x &lt; y</a>'
    """
    texts = [""]
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        key = _checked(name.rstrip("_").replace("_", "-"))
        texts.append(f'{key}="{html.escape(plain(value), quote=True)}"')
    inner = join(*children)
    return Markup(f"<{_checked(tag)}{' '.join(texts)}>{inner}</{tag}>")


def _checked(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        message = f"{name!r} is no name of an element or attribute"
        raise ValueError(message)
    return name
