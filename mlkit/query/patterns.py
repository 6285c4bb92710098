"""Patterns of `like`, matched by RE2, which takes linear time whatever the pattern."""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_PIECE = re.compile(r"\\[%_\\]|.", re.DOTALL)
_WILD = {"%": ".*", "_": "."}


def like(column: "pa.ChunkedArray", pattern: str) -> Any:
    """Tell of each text of a column whether it matches a pattern.

    Args:
        column: The texts.
        pattern: The pattern; `%` stands for any text, `_` for any one character.

    Returns:
        A column of bools; null where there is no text.
    """
    import pyarrow.compute as pc

    return pc.match_substring_regex(column, like_expression(pattern))


def like_expression(pattern: str) -> str:
    r"""Give the regular expression of a pattern; a backslash before `%`, `_` or itself quotes it.

    Example:
        >>> like_expression("a%_")
        '(?s)\\Aa.*.\\z'
    """
    pieces = (_WILD.get(piece) or _quoted(piece[-1]) for piece in _PIECE.findall(pattern))
    return f"(?s)\\A{''.join(pieces)}\\z"


def _quoted(char: str) -> str:
    """Give a character as RE2 takes it by its letter."""
    plain = char.isalnum() or char in "_-/ " or not char.isascii()
    return char if plain else f"\\x{{{ord(char):x}}}"
