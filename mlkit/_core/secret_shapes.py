"""Secrets that show by themselves: keys and tokens of known shape, headers, users in URLs.

Every pattern looks at a character a bounded number of times, and none is tried on a text that
lacks its hint, so masking takes time in proportion to the text.
"""

import re
from base64 import b64decode
from typing import Final

MASK: Final = "[masked]"

_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----"
    r".*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_SHAPES = (
    (("AKIA", "ASIA"), re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])")),
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), re.compile(r"gh[pousr]_[A-Za-z0-9]{30,}+")),
    (("github_pat_",), re.compile(r"github_pat_[A-Za-z0-9_]{30,}+")),
    (("glpat-",), re.compile(r"glpat-[A-Za-z0-9_-]{20,}+")),
    (("sk-",), re.compile(r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{20,}+")),
    (("_live_", "_test_"), re.compile(r"(?<![A-Za-z0-9])[rs]k_(?:live|test)_[A-Za-z0-9]{16,}+")),
    (("hf_",), re.compile(r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{30,}+")),
    (("xox",), re.compile(r"xox[abeprs]-[A-Za-z0-9-]{10,}+")),
    (("AIza",), re.compile(r"AIza[A-Za-z0-9_-]{35}")),
    (("ya29.",), re.compile(r"ya29\.[A-Za-z0-9_-]{20,}+")),
    (("pypi-",), re.compile(r"pypi-[A-Za-z0-9_-]{40,}+")),
    (("npm_",), re.compile(r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{30,}+")),
    (("dapi",), re.compile(r"(?<![A-Za-z0-9])dapi[0-9a-f]{32}(?![0-9a-f])")),
)
_WEB_TOKEN = re.compile(  # a JSON web token, at the end of a word or as the whole of it
    r"(?<![A-Za-z0-9_-])(?P<before>(?:(?!eyJ)[A-Za-z0-9_-])*+)"
    r"eyJ[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]*+"
)
_USER = re.compile(r"://(?P<user>[^/\s@:'\"]*+)(?P<password>:[^/\s'\"]*)?@")
_SIGNATURE = re.compile(
    r"(?P<key>[?&](?:sig|signature|X-Amz-[A-Za-z-]++|X-Goog-[A-Za-z-]++)=)[^&\s'\"]++",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(?P<key>[Bb](?:earer|EARER)[ \t]{1,3})[^\s\"',;\\]{4,}+")
_BASIC = re.compile(r"(?P<key>[Bb]asic[ \t]{1,3})(?P<value>[A-Za-z0-9+/]{6,}+={0,2})")


def mask_private_keys(text: str) -> str:
    """Give the text without private keys; they take lines, so they must be masked first.

    Example:
        >>> mask_private_keys("-----BEGIN PRIVATE KEY----- MIIE")
        '[masked]'
    """
    return _PRIVATE_KEY.sub(MASK, text) if "PRIVATE KEY-----" in text else text


def mask_shapes(text: str) -> str:
    """Give the text without what is a secret by its shape.

    Example:
        >>> mask_shapes("from https://me:hunter2@host with Bearer abcd")
        'from https://[masked]@host with Bearer [masked]'
    """
    if "earer" in text or "BEARER" in text:
        text = _BEARER.sub(rf"\g<key>{MASK}", text)
    if "asic " in text:
        text = _BASIC.sub(_mask_basic, text)
    if "@" in text and "://" in text:
        text = _USER.sub(_mask_user, text)
    if "?" in text or "&" in text:
        text = _SIGNATURE.sub(rf"\g<key>{MASK}", text)
    if "eyJ" in text:
        text = _WEB_TOKEN.sub(rf"\g<before>{MASK}", text)
    for hints, shape in _SHAPES:
        for hint in hints:
            if hint in text:
                text = shape.sub(MASK, text)
    return text


def _mask_user(match: re.Match[str]) -> str:
    """Without a colon, a user is a name (`git@`, a container), but over HTTP it is a token."""
    scheme = match.string[max(0, match.start() - 5) : match.start()].lower()
    if match["password"] is None and not (match["user"] and scheme.endswith(("http", "https"))):
        return match[0]
    return f"://{MASK}@"


def _mask_basic(match: re.Match[str]) -> str:
    value = match["value"].rstrip("=")
    try:
        login = b64decode(value + "=" * (-len(value) % 4), validate=True).decode()
    except ValueError:
        return match[0]
    return f"{match['key']}{MASK}" if ":" in login and login.isprintable() else match[0]
