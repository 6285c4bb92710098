"""Names of datasets, models and aliases, and the references made of them."""

import difflib
import re
from collections.abc import Iterable

from attrs import frozen

from mlkit.errors import InvalidName, NotFound

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_REFERENCE = re.compile(r"(?P<name>[^:@#]+)(?:(?P<mark>[:@#])(?P<rest>.+))?", re.DOTALL)
_DIGITS = re.compile(r"[0-9a-f]{4,64}")
LATEST = "latest"


@frozen
class Reference:
    """A parsed reference; without version, alias and digest it means the newest version.

    Attributes:
        name: The dataset or model.
        version: Its version number, of `name:3`.
        alias: Its alias, of `name@prod`; `latest` is no alias but the newest.
        digest: The beginning of its digest's hexadecimal digits, of `name#1f3a9c`.
    """

    name: str
    version: int | None = None
    alias: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        if self.version is not None:
            return f"{self.name}:{self.version}"
        if self.digest is not None:
            return f"{self.name}#{self.digest}"
        return f"{self.name}@{self.alias or LATEST}"


def check_name(name: str, what: str) -> str:
    """Give the name back when it is one that every storage can hold.

    Args:
        name: The name.
        what: What it names, for the message, such as `dataset`.

    Raises:
        InvalidName: It has other characters than letters, digits, `.`, `_` and `-`, doesn't begin
            with a letter or digit, or has more than 128 characters.

    Example:
        >>> check_name("flights", "dataset")
        'flights'
    """
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        message = f"{name!r} can't be the name of {'an' if what[0] in 'aeio' else 'a'} {what}"
        raise InvalidName(
            message,
            hint="Use 1 to 128 letters, digits, '.', '_' and '-', a letter or digit first",
        )
    return name


def check_alias(alias: str) -> str:
    """Give the alias back when it is one: a name, but neither `latest` in any case nor a number.

    Raises:
        InvalidName: It isn't.
    """
    check_name(alias, "alias")
    if alias.casefold() == LATEST or alias.isdecimal():
        message = f"{alias!r} can't be an alias: it already means a version"
        raise InvalidName(message, hint="Use a word such as 'prod'")
    return alias


def parse_reference(text: str, what: str = "version") -> Reference:
    """Read a reference: `name`, `name@latest`, `name:3`, `name@prod`, `name#1f3a9c`.

    Args:
        text: The reference.
        what: What it refers to, for the message.

    Raises:
        InvalidName: It is no reference.

    Example:
        >>> parse_reference("delay@prod").alias
        'prod'
        >>> parse_reference("flights:3").version
        3
    """
    match = _REFERENCE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        message = f"{text!r} is no reference to a {what}"
        raise InvalidName(message, hint="Write name, name:3, name@prod or name#1f3a9c")
    name, mark, rest = check_name(match["name"], what), match["mark"], match["rest"]
    if mark is None or (mark == "@" and rest == LATEST):
        return Reference(name)
    if mark == "@":
        return Reference(name, alias=check_alias(rest))
    if mark == ":" and rest.isascii() and rest.isdecimal() and int(rest) > 0:
        return Reference(name, version=int(rest))
    if mark == "#" and _DIGITS.fullmatch(rest.removeprefix("sha256:")):
        return Reference(name, digest=rest.removeprefix("sha256:"))
    message = f"{text!r} is no reference to a {what}"
    hint = "After ':' comes a number from 1, after '#' at least 4 hexadecimal digits"
    raise InvalidName(message, hint=hint)


def near(name: str, candidates: Iterable[str]) -> str:
    """Give a question that suggests the nearest of the candidates, or nothing.

    Example:
        >>> near("flihgts", ["flights", "weather"])
        "Did you mean 'flights'?"
    """
    found = difflib.get_close_matches(name, sorted(set(candidates)), n=1)
    return f"Did you mean {found[0]!r}?" if found else ""


def unknown(what: str, name: str, candidates: Iterable[str]) -> NotFound:
    """Give the error for a name that doesn't exist, with what is near it or what there is.

    Args:
        what: What was looked for, such as `dataset`.
        name: The name that was given.
        candidates: The names that exist.
    """
    names = sorted(set(candidates))
    shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")  # noqa: PLR2004 - fits a line
    hint = near(name, names) or (f"There are: {shown}" if names else f"There is no {what} yet")
    return NotFound(f"There is no {what} {name!r}", hint=hint)
