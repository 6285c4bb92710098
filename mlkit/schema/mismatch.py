"""What keeps data from fitting a signature, told with the code that mends it."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from mlkit.errors import SchemaMismatch
from mlkit.schema.arrow_types import is_text, plain, type_name

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN = 8
_NEAR = 0.75
_POLARS = {"bool": "Boolean", "string": "String", "date32": "Date"}


@frozen
class Retyped:
    """A column of another type than the signature's.

    Attributes:
        name: The column.
        expected: The type in the signature.
        given: The type of the data.
        why: What is wrong with the values, where their type alone doesn't say it.
    """

    name: str
    expected: "pa.DataType"
    given: "pa.DataType"
    why: str = ""

    def __str__(self) -> str:
        text = f"{self.name!r} is {type_name(self.given)}{self.why}"
        return f"{text}, the model took {type_name(self.expected)}"


@frozen
class Mismatch:
    """Everything that keeps data from fitting a signature.

    Attributes:
        form: What the data come as, as `frames.form_of` says.
        missing: Columns of the signature that the data lack.
        extra: Columns of the data that the signature lacks.
        retyped: Columns of another type.
    """

    form: str
    missing: Sequence[str]
    extra: Sequence[str]
    retyped: Sequence[Retyped]

    def __bool__(self) -> bool:
        return bool(self.missing or self.extra or self.retyped)

    def error(self) -> SchemaMismatch:
        """Give the error that says all of it, and the code that mends it."""
        said = []
        if self.missing:
            said.append(f"{_columns(self.missing)} missing")
        if self.extra:
            said.append(f"{_columns(self.extra)} not in the signature")
        said += [str(retyped) for retyped in self.retyped[:_SHOWN]]
        if len(self.retyped) > _SHOWN:
            said.append(f"{len(self.retyped) - _SHOWN} more columns are of other types")
        return SchemaMismatch(
            f"The input doesn't fit the model's signature: {'; '.join(said)}",
            hint="; ".join(dict.fromkeys(self._fixes())),
        )

    def _fixes(self) -> Iterable[str]:
        renames = self._renames()
        missing = [name for name in self.missing if name not in renames.values()]
        extra = [name for name in self.extra if name not in renames]
        if renames:
            meant = ", ".join(f"{old!r} to {new!r}" for old, new in list(renames.items())[:_SHOWN])
            more = f" and {len(renames) - _SHOWN} more" if len(renames) > _SHOWN else ""
            code = _rename(self.form, renames)
            yield f"Did you mean: rename {meant}{more}" + (f"; {code}" if code else "")
        if missing:
            yield f"Add {_list(missing)}"
        if extra:
            yield _drop(self.form, extra)
        yield from [_retype(self.form, retyped) for retyped in self.retyped[:_SHOWN]]

    def _renames(self) -> dict[str, str]:
        """Pair extra columns with missing ones whose names are near."""
        renames: dict[str, str] = {}
        for cutoff in (1.0, _NEAR):  # names that differ by capitals and signs only come first
            for name in self.missing:
                left = {_bare(extra): extra for extra in self.extra if extra not in renames}
                if name not in renames.values():
                    near = difflib.get_close_matches(_bare(name), left, n=1, cutoff=cutoff)
                    renames |= {left[found]: name for found in near}
        return renames


def _bare(name: str) -> str:
    """A name without capitals and what joins its words; nothing is left out of a name of signs."""
    return "".join(filter(str.isalnum, name.casefold())) or name


def _columns(names: Sequence[str]) -> str:
    one = len(names) == 1
    return f"the column{'' if one else 's'} {_list(names)} {'is' if one else 'are'}"


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(repr(name) for name in names[:_SHOWN]) + more


def _rename(form: str, renames: Mapping[str, str]) -> str:
    if form == "pandas":
        return f"X = X.rename(columns={dict(renames)!r})"
    if form in {"polars", "arrow"}:
        method = "rename" if form == "polars" else "rename_columns"
        return f"X = X.{method}({dict(renames)!r})"
    return ""


def _drop(form: str, names: Sequence[str]) -> str:
    if len(names) > _SHOWN:
        return f"Leave out {_list(names)}"
    if form == "pandas":
        return f"X = X.drop(columns={list(names)!r})"
    if form in {"polars", "arrow"}:
        method = "drop" if form == "polars" else "drop_columns"
        return f"X = X.{method}({list(names)!r})"
    return f"Leave out {_list(names)}"


def _retype(form: str, retyped: Retyped) -> str:
    from pyarrow import types

    name, expected = retyped.name, plain(retyped.expected)
    word = type_name(expected)
    if types.is_dictionary(expected):
        word = "category"
    number = types.is_integer(expected) or types.is_floating(expected)
    if form == "pandas":
        if number and is_text(plain(retyped.given)):
            return f"X[{name!r}] = pd.to_numeric(X[{name!r}])"
        if types.is_timestamp(expected):
            utc = ", utc=True" if expected.tz else ""
            return f"X[{name!r}] = pd.to_datetime(X[{name!r}]{utc})"
        if number or word in {"bool", "category", "string"}:
            return f"X[{name!r}] = X[{name!r}].astype({word!r})"
    if form == "polars" and (number or word in _POLARS):
        kind = _POLARS.get(word) or word.capitalize().replace("Uint", "UInt")
        return f"X = X.with_columns(pl.col({name!r}).cast(pl.{kind}))"
    if form == "array" and number:
        return f"X = X.astype({word!r})"
    return f"Turn {name!r} into {word}"
