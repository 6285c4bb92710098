"""Secrets are masked before anything is written: by the key, by the shape, by the environment.

The patterns err on the side of hiding. What they can't know (a password in a sentence) they
can't hide; they are a net, not a vault.
"""

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

MASK = "[masked]"

_KEY = re.compile(
    r"(?:^|[^a-z])(?:pass(?:word|wd|phrase)?|pwd|secret|tokens?|credentials?|auth(?:orization)?|"
    r"(?:api|access|private|secret|account|signing|encryption)[ _.-]?keys?|"
    r"connection[ _.-]?string|cookies?|sas)(?:$|[^a-z])",
)
_NO_SECRET = re.compile(r"(?:max|min|num|n|total|count|pad|eos|bos|special|new)[ _.-]?tokens?")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SHAPES = (
    re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
    ),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),  # AWS access key id
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}\b|\bgithub_pat_[A-Za-z0-9_]{30,}\b"),
    re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}"),
    re.compile(r"\bsk-[A-Za-z0-9_-]{20,}"),
    re.compile(r"\bhf_[A-Za-z0-9]{30,}\b"),
    re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    re.compile(r"\bAIza[A-Za-z0-9_-]{35}"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"),  # JSON web token
)
_IN_URL = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)[^/\s@:'\"]*:[^/\s'\"]*@", re.IGNORECASE)
_SIGNATURE = re.compile(
    r"(?P<key>[?&](?:sig|signature|token|X-Amz-[A-Za-z-]+)=)[^&\s'\"]+", re.IGNORECASE
)
_ASSIGNED = re.compile(
    r"(?P<key>[\"']?(?P<name>[A-Za-z_][A-Za-z0-9_.-]{0,60})[\"']?\s{0,3}[=:]\s{0,3})"
    r"(?P<value>\"[^\"\n]{1,400}\"|'[^'\n]{1,400}'|[^\s\"',;]{1,400})"
)
_FLAG = re.compile(r"(?P<key>--(?P<name>[A-Za-z][A-Za-z0-9_.-]{0,60})\s{1,3})(?P<value>[^\s-]\S*)")
_SHORTEST = 6


def is_secret_key(key: str) -> bool:
    """Tell whether the value of a key, an option or a variable should be hidden.

    Example:
        >>> is_secret_key("aws_secret_access_key"), is_secret_key("max_tokens")
        (True, False)
    """
    words = _CAMEL.sub("_", key).lower()
    return _KEY.search(_NO_SECRET.sub("", words)) is not None


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
    for value in _secrets_of(os.environ if environ is None else environ):
        text = text.replace(value, MASK)
    for shape in _SHAPES:
        text = shape.sub(MASK, text)
    text = _IN_URL.sub(rf"\g<scheme>{MASK}@", text)
    text = _SIGNATURE.sub(rf"\g<key>{MASK}", text)
    text = _ASSIGNED.sub(_mask_assigned, text)
    return _FLAG.sub(_mask_assigned, text)


def mask_value(key: str, value: object) -> object:
    """Give the value of a key, masked when the key or the value looks secret; nested ones too.

    Example:
        >>> mask_value("login", {"user": "ann", "password": "hunter2"})
        {'user': 'ann', 'password': '[masked]'}
    """
    if isinstance(value, Mapping):
        return {name: mask_value(str(name), item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask_value(key, item) for item in value]
    if isinstance(value, str):
        return MASK if value and is_secret_key(key) else mask_text(value)
    return value


def mask_argv(argv: list[str]) -> list[str]:
    """Give the command line with secrets masked, also where an option's value is its own word.

    Example:
        >>> mask_argv(["train.py", "--api-key", "abcdef", "--lr", "0.1"])
        ['train.py', '--api-key', '[masked]', '--lr', '0.1']
    """
    masked = [mask_text(word) for word in argv]
    for index, word in enumerate(argv[:-1]):
        if word.startswith("-") and "=" not in word and is_secret_key(word.lstrip("-")):
            masked[index + 1] = MASK
    return masked


def _mask_assigned(match: re.Match[str]) -> str:
    return f"{match['key']}{MASK}" if is_secret_key(match["name"]) else match[0]


def _secrets_of(environ: Mapping[str, str]) -> list[str]:
    """The values to hide, the longest first, so that one within another leaves no rest."""
    values = {
        value
        for key, value in environ.items()
        if len(value) >= _SHORTEST and _is_secret(key) and not _is_place(value)
    }
    return sorted(values, key=lambda value: (-len(value), value))


@lru_cache(maxsize=4096)
def _is_secret(key: str) -> bool:
    return is_secret_key(key)


@lru_cache(maxsize=4096)
def _is_place(value: str) -> bool:
    """Tell whether a value is a path that exists: `PWD`, or where the credentials are."""
    try:
        return Path(value).is_absolute() and Path(value).exists()
    except (OSError, ValueError):
        return False
