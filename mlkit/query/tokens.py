"""The words of a filter, and errors that point at them."""

import re
from typing import Literal

from attrs import frozen

from mlkit.errors import FilterSyntax

Kind = Literal["word", "quoted", "text", "number", "mark", "end"]

_SHOWN = 72
_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
  | (?P<text>'(?:[^']|'')*')
  | (?P<double>"(?:[^"]|"")*")
  | (?P<quoted>`(?:[^`]|``)*`)
  | (?P<word>[^\W\d](?:[\w/:@.-]*[\w/:@-])?)
  | (?P<mark><=|>=|!=|<>|==|[=<>(),.]|[+-](?=inf\b))
    """,
    re.VERBOSE,
)


_JOINS = re.compile(r"&&?|\|\|?|!")
_JOIN_WORDS = {"&": "and", "|": "or", "!": "not"}
_SUBSCRIPT = re.compile(
    r"(?P<home>metrics|params|tags)\s*(?P<bracket>\[)\s*(['\"]?)(?P<key>[^'\"\]`]+)\3\s*\]"
)


@frozen
class Token:
    """One word of a filter.

    Attributes:
        kind: What it is.
        value: Its text, quotes taken off.
        at: Where it begins.
        end: Where it ends.
        double: Whether it was in double quotes: a key after a dot, else text.
    """

    kind: Kind
    value: str
    at: int
    end: int
    double: bool = False


def syntax_error(text: str, at: int, what: str, hint: str = "") -> FilterSyntax:
    """Give the error that shows the filter with a caret below the place.

    Args:
        text: The filter.
        at: The place, as an index into it.
        what: What is wrong there.
        hint: The next step, as a sentence.

    Example:
        >>> print(syntax_error("auc > 0.8", 0, "There is no field 'auc'", "Write metrics.auc"))
        There is no field 'auc' (column 1). Write metrics.auc
          auc > 0.8
          ^
    """
    before = text[:at]
    line = before.count("\n")
    start = before.rfind("\n") + 1
    shown = text[start:].split("\n", 1)[0]
    column = at - start
    place = f"line {line + 1}, column {column + 1}" if "\n" in text else f"column {column + 1}"
    if len(shown) > _SHOWN:
        cut = max(0, min(column - _SHOWN // 2, len(shown) - _SHOWN))
        head, tail = "…" * (cut > 0), "…" * (cut + _SHOWN < len(shown))
        shown, column = head + shown[cut : cut + _SHOWN] + tail, column - cut + len(head)
    plain = "".join(char if char.isprintable() else " " for char in shown)
    hint = f" {hint}" if hint else ""
    return FilterSyntax(f"{what} ({place}).{hint}\n  {plain}\n  {' ' * column}^")


def tokens(text: str) -> list[Token]:
    """Give the words of a filter; the last is an empty one of kind `end`.

    Raises:
        FilterSyntax: A character can't begin a word, or a quote isn't closed.

    Example:
        >>> [token.value for token in tokens("metrics.auc >= .8")]
        ['metrics.auc', '>=', '.8', '']
    """
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unreadable(text, at)
        token = _token(match)
        if token is not None:
            found.append(token)
        at = match.end()
    found.append(Token("end", "", at, at))
    return found


def _token(match: re.Match[str]) -> Token | None:
    at, end, value = match.start(), match.end(), match[0]
    match match.lastgroup:
        case "space":
            return None
        case "number":
            return Token("number", value, at, end)
        case "text":
            return Token("text", value[1:-1].replace("''", "'"), at, end)
        case "double":
            return Token("text", value[1:-1].replace('""', '"'), at, end, double=True)
        case "quoted":
            return Token("quoted", value[1:-1].replace("``", "`"), at, end)
        case "word":
            return Token("word", value, at, end)
        case _:
            return Token("mark", value, at, end)


def _unreadable(text: str, at: int) -> FilterSyntax:
    char = text[at]
    if char in "'\"`":
        return syntax_error(text, at, "This quote isn't closed", f"Put a {char} after the text")
    number = re.compile(r"[+-]?[\d.][\w.]*").match(text, at)
    if number is not None:
        return syntax_error(text, at, f"{number[0]!r} is no number", "Put text in 'quotes'")
    joined = _JOINS.match(text, at)
    if joined is not None:
        hint = f"Write {_JOIN_WORDS[char]}"
        return syntax_error(text, at, f"{joined[0]!r} can't be here", hint)
    for found in _SUBSCRIPT.finditer(text):
        if found.start("bracket") == at:
            hint = f"Write {_dotted(found['home'], found['key'])}"
            return syntax_error(text, at, f"{char!r} can't be here", hint)
    return syntax_error(text, at, f"{char!r} can't be here", "Put text in 'quotes'")


def _dotted(home: str, key: str) -> str:
    return f"{home}.{key}" if _TOKEN.fullmatch(f"{home}.{key}") else f"{home}.`{key}`"
