"""How keys of runs are called as columns of a table: `params.lr`, `metrics.train/loss`.

A key's first column has the plain name, and its type. Values of another type get a column of their
own, `params.lr%text`, so that types are kept and no column ever changes. Lists and mappings are
JSON in `params.opts%json`; what lies within mappings is found in `paths.opts.depth`.

Characters that Delta tables can't have in names are written as `%` and two hexadecimal digits, and
so are all letters of a key that differs from a column only by case.
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from attrs import field, frozen

from mlkit.tables.delta_types import REFUSED

if TYPE_CHECKING:
    import pyarrow as pa

HOMES = ("params", "paths", "metrics", "tags")
"""What keys are of; `paths` are those of params that are mappings."""

KINDS = ("bool", "int", "float", "text", "json")
"""The types of values."""

_LONGEST = 200
_ESCAPED = re.compile(rf"[%{re.escape(REFUSED)}\x00-\x1f\x7f\ud800-\udfff]")
_CODE = re.compile(r"(?:%[0-9A-F]{2})+")
_KIND = re.compile(r"%(bool|int|float|text|json)\Z")


@frozen
class Key:
    """A key of runs, with one type of its values.

    Attributes:
        home: One of `HOMES`.
        name: What the user calls it.
        kind: One of `KINDS`.
    """

    home: str
    name: str
    kind: str


@frozen
class Naming:
    """Which column holds which key.

    Attributes:
        columns: Key to the name of its column.
    """

    columns: Mapping[Key, str] = field(factory=dict)

    @classmethod
    def of(cls, schema: "pa.Schema") -> "Naming":
        """Give the keys of a table's columns; those that every run has are left out."""
        found = {}
        for column in schema:
            key = _key_of(column)
            if key is not None:
                found[key] = column.name
        return cls(found)

    def kinds(self, home: str, name: str) -> dict[str, str]:
        """Give the columns of a key by the type of their values."""
        keys = {kind: Key(home, name, kind) for kind in KINDS}
        return {kind: self.columns[key] for kind, key in keys.items() if key in self.columns}

    def names(self, home: str) -> list[str]:
        """Give the keys of a home, sorted."""
        return sorted({key.name for key in self.columns if key.home == home})

    def extended(self, counts: Mapping[Key, int], limit: int) -> "Naming":
        """Give columns to keys that have none, to the most frequent first, up to a limit.

        Args:
            counts: Key to the number of runs that have it.
            limit: How many columns of keys there may be.
        """
        columns = dict(self.columns)
        taken = {name.casefold() for name in columns.values()}
        fresh = [key for key in counts if key not in columns and len(key.name) <= _LONGEST]
        for key in sorted(fresh, key=lambda key: (-counts[key], key.home, key.name, key.kind)):
            if len(columns) >= limit:
                break
            columns[key] = _free(key, taken)
            taken.add(columns[key].casefold())
        return Naming(columns)


def escaped(home: str, name: str) -> str:
    """Give a key's name with that of its home before it, as columns and `overflow` have it.

    Example:
        >>> escaped("params", "a b"), unescaped("a%20b")
        ('params.a%20b', 'a b')
    """
    return f"{home}.{_ESCAPED.sub(_escape, name)}"


def unescaped(name: str) -> str:
    """Give what a key is called whose name, without its home, was escaped."""
    return _CODE.sub(_decode, name)


def _free(key: Key, taken: Iterable[str]) -> str:
    """Give the first of the names that a key can have that no column has in any case."""
    suffix = f"%{key.kind}"
    plain = escaped(key.home, key.name)
    coded = f"{key.home}.{''.join(map(_code, key.name))}"
    names = [plain, plain + suffix, coded, coded + suffix]
    if key.kind == "json":
        names = [plain + suffix, coded + suffix]
    return next(name for name in names if name.casefold() not in taken)


def _escape(match: re.Match[str]) -> str:
    return _code(match[0])


def _code(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))


def _decode(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "surrogatepass")


def _key_of(column: "pa.Field") -> Key | None:
    home, dot, rest = column.name.partition(".")
    if not dot or home not in HOMES:
        return None
    marked = _KIND.search(rest)
    kind = marked[1] if marked else _kind_of(column.type)
    bare = rest[: marked.start()] if marked else rest
    return Key(home, unescaped(bare), kind)


def _kind_of(kind: "pa.DataType") -> str:
    return {"bool": "bool", "int64": "int", "double": "float"}.get(str(kind), "text")
