"""Secrets are masked before anything is written: by the key, by the shape, by the environment.

The patterns err on the side of hiding. What they can't know (a password in a sentence) they
can't hide; they are a net, not a vault.
"""

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from mlkit._core.assigned_secrets import is_secret_key, mask_assigned, mask_word
from mlkit._core.secret_shapes import MASK, mask_private_keys, mask_shapes

__all__ = ["MASK", "is_secret_key", "mask_argv", "mask_text", "mask_value"]

_SHORTEST = 6
_PASSES = 4


def mask_text(text: str, environ: Mapping[str, str] | None = None) -> str:
    """Give the text with what looks like a secret replaced by `[masked]`.

    Hidden are keys and tokens of known shape, passwords and signatures in URLs, values that are
    assigned to names such as `password`, and the values of environment variables of such names.

    Args:
        text: Any text: a value, a diff, a command line, output.
        environ: The environment; the process's own by default.

    Example:
        >>> mask_text("postgres://me:hunter2@host/db")
        'postgres://[masked]@host/db'
    """
    values = _OWN.secrets() if environ is None else _secrets_of(environ)
    for _ in range(_PASSES):
        masked = _masked_once(text, values)
        if masked == text:
            break
        text = masked  # what was hidden may show another secret beside it
    return text


def mask_value(key: str, value: object) -> object:
    """Give the value of a key, masked when the key or the value looks secret; nested ones too.

    Below the key of a secret all is masked but None, bools and the names of a mapping.

    Example:
        >>> mask_value("login", {"user": "ann", "password": "hunter2"})
        {'user': 'ann', 'password': '[masked]'}
    """
    return _masked(value, secret=is_secret_key(key))


def mask_argv(argv: list[str]) -> list[str]:
    """Give the command line with secrets masked, also where an option's value is its own word.

    Example:
        >>> mask_argv(["train.py", "--api-key", "abcdef", "--lr", "0.1"])
        ['train.py', '--api-key', '[masked]', '--lr', '0.1']
    """
    masked = [mask_word(word) or mask_text(word) for word in argv]
    return [MASK if _is_told(argv, place) else word for place, word in enumerate(masked)]


def _masked_once(text: str, values: Sequence[str]) -> str:
    for value in values:
        text = text.replace(value, MASK)
    return mask_shapes(mask_assigned(mask_private_keys(text)))


def _masked(value: object, *, secret: bool) -> object:
    if isinstance(value, Mapping):
        return {
            mask_text(str(name)): _masked(item, secret=secret or is_secret_key(str(name)))
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [
            _masked(item, secret=secret or _is_told(value, place))
            for place, item in enumerate(value)
        ]
    if value is None or isinstance(value, bool) or value == "":
        return value
    if secret:
        return MASK
    if isinstance(value, str):
        return (mask_word(value) if value.startswith("-") else None) or mask_text(value)
    return value


def _is_told(words: Sequence[object], place: int) -> bool:
    """Tell whether the word before is an option that takes a secret."""
    option = words[place - 1] if place else None
    return (
        isinstance(option, str)
        and option.startswith("-")
        and "=" not in option
        and is_secret_key(option.lstrip("-"))
    )


class _OwnEnvironment:
    """The secrets in the environment of the process, found anew when a variable changed."""

    def __init__(self) -> None:
        self._seen: tuple[dict[object, object], list[str]] | None = None

    def secrets(self) -> list[str]:
        # Going through os.environ decodes every variable; comparing what it holds does not.
        now: dict[object, object] | None = getattr(os.environ, "_data", None)
        if not isinstance(now, dict):
            return _secrets_of(os.environ)
        seen = self._seen
        if seen is None or seen[0] != now:
            seen = self._seen = (dict(now), _secrets_of(os.environ))
        return seen[1]


_OWN = _OwnEnvironment()


def _secrets_of(environ: Mapping[str, str]) -> list[str]:
    """The values to hide, the longest first, so that one within another leaves no rest."""
    values = {
        value
        for key, value in environ.items()
        if len(value) >= _SHORTEST
        and value not in MASK
        and is_secret_key(key)
        and not _is_place(value)
    }
    return sorted(values, key=lambda value: (-len(value), value))


@lru_cache(maxsize=4096)
def _is_place(value: str) -> bool:
    """Tell whether a value is a path that exists: `PWD`, or where the credentials are."""
    try:
        return Path(value).is_absolute() and Path(value).exists()
    except (OSError, ValueError):
        return False
