"""Secrets that show by the name they are given to: `password = …`, `--token …`, `"api_key": …`.

A text is searched for names that stand before an operator; what follows is looked at only for
the name of a secret. So a harmless assignment (`x = dict(password=…)`) never hides one within it.
"""

import re
from collections.abc import Iterator
from functools import cache, lru_cache

from mlkit._core.secret_shapes import MASK

_KINDS_OF_KEY = (
    "api|app|access|account|auth|client|consumer|encryption|license|master|private|secret|"
    "session|shared|signing|ssh|storage"
)
_KEY = re.compile(
    r"(?:(?:^|[^a-z])(?:pass|pwd?s?|secrets?|tokens?|credentials?|creds?|auth(?:orization)?|"
    r"bearer|cookies?|sas|jwts?)|"
    r"passwords?|passwds?|passphrases?|passcodes?|(?:api|access|auth|refresh|bearer|session)tokens?|"
    rf"(?:^|[^a-z]|db|my)(?:{_KINDS_OF_KEY})[ _.-]?keys?|connection[ _.-]?strings?)(?:$|[^a-z])"
)
_NO_SECRET = re.compile(
    r"(?:max|min|num|n|total|count|pad|eos|bos|unk|mask|cls|sep|special|new|per)[ _.-]?tokens?|"
    r"tokens?[ _.-]?(?:per|count|limit|length|len|size|dim|dropout|budget|rate|ids?|types?|"
    r"embeddings?|level)(?![a-z])|"
    r"pass[ _.-](?:rate|ratio|count|band|through|fail)(?![a-z])|"
    r"(?<![a-z])(?:num|n)[ _.-]pass(?![a-z])"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_HINTS = (
    *("pass", "pw", "secret", "token", "cred", "auth", "key", "bearer", "cookie", "sas", "jwt"),
    "connection",
)
_NAME = re.compile(
    r"(?<![\w.-])(?P<name>[\w.-]++)"
    r"(?:\\{0,3}[\"']?\]?[ \t]{0,8}(?P<operator>[:!?+|]?={1,3}>?|:(?!:|//))|[\"'](?P<comma>,))"
    r"[ \t]{0,8}(?:\\\r?\n[-+ \t]{0,80})?"
)
_FLAG = re.compile(r"(?<![\w.-])--(?P<name>[A-Za-z][\w.-]*+)[\"']?,?[ \t]{1,3}(?!-)")
_FIRST_WORD = re.compile(r"(?:[+~]*+-{0,2}[\w.-]++=)?[\"'+~]*+(?P<name>[\w.-]++)\s*+[=:]\s*+")
_KIND_BEFORE = re.compile(rf"(?:{_KINDS_OF_KEY}|connection)[ ]$", re.IGNORECASE)
_IN_QUERY = re.compile(r"[^&\s'\"#]*+")
_IN_HEADER = re.compile(r"[^\n\"']*+")
_OPENING = re.compile(r"[rRbBfFuU]{0,2}(?P<quote>\"\"\"|'''|\\{1,3}[\"']|[\"'])")
_PLAIN = re.compile(r"(?:[^\s\"',;(\[{]|[,;](?![\s\"']|\Z|[\w.-]{0,40}[=:]))*+")
_QUOTED = {
    '"': re.compile(r"(?:[^\"\\\n]|\\.)*+"),
    "'": re.compile(r"(?:[^'\\\n]|\\.)*+"),
}
_AND_SO_ON = re.compile(r"[ \t]{0,3}(?:=(?!=)|\+)[ \t]{0,3}|[ \t]{1,3}(?:or|and|if|else)[ \t]{1,3}")
_NEXT_STRING = {quote: re.compile(rf"[ \t]{{0,3}}(?={quote})") for quote in "\"'"}
_BLOCK = re.compile(r"(?P<sign>[|>][-+0-9]{0,2})?[ \t]*+(?:#[^\n]*+|\r)?\n")
_ONE_WORD = re.compile(r"[^\s:=]++(?=[ \t\r]{0,8}(?:\n|\Z))")
_BEFORE_KEY = re.compile(r"[-+ \t\"']*+")
_KEPT = frozenset(
    {"", MASK, "None", "null", "nil", "True", "False", "true", "false", "str", "bytes", "SecretStr"}
)
_LONGEST_NAME = 200
_LONGEST_BRACKET = 600
_DEEPEST_BRACKET = 5
_LONGEST_STRING = 20_000

Span = tuple[int, int]


def is_secret_key(key: str) -> bool:
    """Tell whether the value of a key, an option or a variable should be hidden.

    Example:
        >>> is_secret_key("aws_secret_access_key"), is_secret_key("max_tokens")
        (True, False)
    """
    return _is_secret(key if len(key) <= _LONGEST_NAME else key[-_LONGEST_NAME:])


def mask_assigned(text: str) -> str:
    """Give the text with the values masked that are assigned to names of secrets.

    Example:
        >>> mask_assigned("x = dict(user='ann', password='hunter2')")
        "x = dict(user='ann', password='[masked]')"
    """
    lowered = text.lower()
    if not any(hint in lowered for hint in _HINTS):
        return text
    text = _with_masks(text, _assigned(text))
    return _with_masks(text, _flagged(text)) if "--" in text else text


def mask_word(word: str) -> str | None:
    """Give a word of a command line whose whole rest is a secret's value; None for any other.

    Example:
        >>> mask_word("--token=A B"), mask_word("--lr=0.1")
        ('--token=[masked]', None)
    """
    first = _FIRST_WORD.match(word)
    if first is None or not is_secret_key(first["name"]) or not word[first.end() :]:
        return None
    return f"{word[: first.end()]}{MASK}"


@lru_cache(maxsize=8192)
def _is_secret(key: str) -> bool:
    words = _CAMEL.sub("_", key).lower()
    return _KEY.search(_NO_SECRET.sub("", words)) is not None


def _with_masks(text: str, spans: Iterator[Span]) -> str:
    parts, done = [], 0
    for start, end in spans:
        if text[start:end] not in _KEPT:
            parts += [text[done:start], MASK]
            done = end
    return "".join([*parts, text[done:]]) if parts else text


def _assigned(text: str) -> Iterator[Span]:
    """Give where the values of secrets are, in order."""
    done = 0
    for match in _NAME.finditer(text):
        if match.start() < done or not _is_named(match):
            continue
        for span in _values(text, match):
            yield span
            done = max(done, span[1])


def _flagged(text: str) -> Iterator[Span]:
    done = 0
    for match in _FLAG.finditer(text):
        if match.start() >= done and is_secret_key(match["name"]):
            span, done = _segment(text, match.end())
            yield span


def _is_named(match: re.Match[str]) -> bool:
    """Tell whether a name is a secret's, with the word before it (`API key: …`) if need be."""
    text, start = match.string, match.start()
    if match["comma"] and text[max(0, start - 2) : start] not in ("('", '("'):
        return False  # a comma assigns only in a call, as in setdefault("TOKEN", "…")
    name = match["name"]
    if name.lower() in ("key", "keys", "string"):
        return _KIND_BEFORE.search(text[max(0, start - 20) : start]) is not None
    return is_secret_key(name)


def _values(text: str, match: re.Match[str]) -> Iterator[Span]:
    """Give the parts of the value after a name: one as a rule, more in an expression."""
    start, before = match.start(), match.end()
    if text[start - 1 : start] in ("?", "&") and start:
        yield before, _end(_IN_QUERY, text, before)
        return
    block = _BLOCK.match(text, before) if match["operator"] == ":" else None
    if block is not None:
        yield from _block(text, start, block)
        return
    if match["name"].lower().endswith(("authorization", "cookie")) and match["operator"] == ":":
        end = _end(_IN_HEADER, text, before)
        if end > before and text[before] != "\\":
            yield before, end
            return
    while True:
        span, after = _segment(text, before)
        yield span
        quote = text[after - 1 : after] if after > span[1] else ""
        going_on = (_NEXT_STRING.get(quote) or _AND_SO_ON).match(text, after)
        going_on = going_on or _AND_SO_ON.match(text, after)
        if going_on is None or after == before:
            return
        before = going_on.end()


def _segment(text: str, start: int) -> tuple[Span, int]:
    """Give what to mask of a string or a word, and where the whole ends."""
    opening = _OPENING.match(text, start)
    if opening is None:
        end = _end_of_word(text, start)
        return (start, end), end
    quote, inner = opening["quote"], opening.end()
    if len(quote) == 1:
        end = _end(_QUOTED[quote], text, inner)
    else:
        end = text.find(quote, inner, inner + _LONGEST_STRING)
        if end < 0 or (quote[0] == "\\" and "\n" in text[inner:end]):
            end = _end_of_line(text, inner)
    return (inner, end), end + len(quote) if text.startswith(quote, end) else end


def _end_of_word(text: str, start: int) -> int:
    """Give where an unquoted value ends; brackets hold together what is in them."""
    end = _end(_PLAIN, text, start)
    while text[end : end + 1] in ("(", "[", "{") and end < len(text):
        bracket = _bracket().match(text, end, end + _LONGEST_BRACKET)
        if bracket is None:
            return _end_of_line(text, end)
        end = _end(_PLAIN, text, bracket.end())
    return end


@cache
def _bracket() -> re.Pattern[str]:
    """Give the pattern of a bracket, with strings and brackets in it."""
    inner = r"[^()\[\]{}\"']++|\"(?:[^\"\\\n]|\\.)*+\"|'(?:[^'\\\n]|\\.)*+'|[\"']"
    pattern = rf"[(\[{{](?:{inner})*+[)\]}}]"
    for _ in range(_DEEPEST_BRACKET - 1):
        pattern = rf"[(\[{{](?:{inner}|{pattern})*+[)\]}}]"
    return re.compile(pattern)


def _block(text: str, start: int, head: re.Match[str]) -> Iterator[Span]:
    """Give the lines below a key of YAML that are indented deeper than it, also in a diff."""
    line = text.rfind("\n", 0, start) + 1
    before = text[line:start]
    if not head["sign"] and not _BEFORE_KEY.fullmatch(before):
        return  # an `if token:`, or the like
    marks = "+- " if before[:1] in ("+", "-", " ") else ""
    begin, end = 0, head.end()
    while end < len(text):
        after = _end_of_line(text, end)
        row = text[end:after]
        rest = (row[1:] if row[:1] and row[0] in marks else row).lstrip(" \t")
        deeper = len(row) - len(rest) - len(before)
        if rest and (deeper < 0 or (deeper == 0 and (head["sign"] or not rest.startswith("- ")))):
            break
        if rest and not begin:
            begin = end + len(row) - len(rest)
        end = after + 1
    end = min(end, len(text))
    while end > begin and text[end - 1] in "\n \t":
        end -= 1
    if begin:
        yield begin, end
    elif not head["sign"]:  # what was typed after a prompt
        yield head.end(), _end(_ONE_WORD, text, head.end())


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return start if match is None else match.end()


def _end_of_line(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end
