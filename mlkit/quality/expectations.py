"""Expectations: what data must look like, inferred from data or written by hand."""

from collections.abc import Iterable
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from attrs import evolve, field, frozen

from mlkit._core import shapes
from mlkit._core.clock import now_ns
from mlkit._core.codec import decode_value, encode_value
from mlkit._core.names import near
from mlkit.data.profiles.profile import Profile
from mlkit.data.profiles.shift import shift
from mlkit.display.page import fragment
from mlkit.errors import InvalidInput, NotFound
from mlkit.quality.column_expectation import KINDS, ColumnExpectation
from mlkit.quality.expectation_baseline import ColumnBaseline, baselines
from mlkit.quality.expectation_checker import EXAMPLES, ExpectationChecker
from mlkit.quality.expectation_display import expectations_html, expectations_text, sentences
from mlkit.quality.expectation_inference import inferred_columns, name_of, profile_of, stream_of
from mlkit.quality.expectation_tally import nanoseconds_of
from mlkit.quality.expectation_tfdv import TfdvSchema, from_tfdv, to_tfdv

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit.quality.expectation_report import ExpectationReport

_FORMAT = 1
_FIELDS = {"expectations", "columns", "keys", "min_rows", "max_rows", "others_allowed",
           "baselines", "unmapped"}  # fmt: skip


def _columns(columns: Iterable[ColumnExpectation]) -> tuple[ColumnExpectation, ...]:
    return tuple(columns)


def _baselines(baselines: Iterable[ColumnBaseline]) -> tuple[ColumnBaseline, ...]:
    return tuple(baselines)


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(texts)


def _keys(keys: Iterable[Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(dict.fromkeys(tuple(key) for key in keys))


@frozen(kw_only=True, repr=False)
class Expectations:
    """What data must look like; a value, which every method that changes it gives anew.

    Attributes:
        columns: What is expected of single columns.
        keys: Sets of several columns that are unique together. Rows that lack a value in one of
            them repeat nothing, as in SQL.
        min_rows: The least number of rows.
        max_rows: The greatest number of rows.
        others_allowed: Whether there may be columns that nothing is expected of.
        baselines: How far columns may move from those of a version.
        unmapped: What `from_tfdv` found in a schema and couldn't take over; no part of equality.

    Example:
        >>> expected = Expectations().column("age", min=0, max=120, nulls=0.01).rows(min=1)
        >>> expected.check({"age": [31.0, 150.0]}).failures[0].why
        '1 of 2 rows break it (50.0 %)'
    """

    columns: tuple[ColumnExpectation, ...] = field(default=(), converter=_columns)
    keys: tuple[tuple[str, ...], ...] = field(default=(), converter=_keys)
    min_rows: int | None = None
    max_rows: int | None = None
    others_allowed: bool = True
    baselines: tuple[ColumnBaseline, ...] = field(default=(), converter=_baselines)
    unmapped: tuple[str, ...] = field(default=(), converter=_texts, eq=False)

    def __attrs_post_init__(self) -> None:
        for names in (
            [column.name for column in self.columns],
            [one.column for one in self.baselines],
            *self.keys,
        ):
            if len(set(names)) < len(names):
                twice = next(name for name in names if list(names).count(name) > 1)
                raise InvalidInput(f"Column {twice!r} is named twice")
        if any(not key for key in self.keys):
            raise InvalidInput("A key without columns", hint='Write unique("id")')
        for end in (self.min_rows, self.max_rows):
            if end is not None and (isinstance(end, bool) or not isinstance(end, int) or end < 0):
                raise InvalidInput(f"{end!r} is no number of rows")
        if not isinstance(self.others_allowed, bool):
            raise InvalidInput(f"allowed={self.others_allowed!r}", hint="Give True or False")
        if self.max_rows is not None and (self.min_rows or 0) > self.max_rows:
            raise InvalidInput(f"min={self.min_rows} rows is above max={self.max_rows}")

    @classmethod
    def infer(cls, data: Any) -> Self:
        """Propose expectations that the data meet, with slack, each with the reason why.

        Types and presence of columns; shares of missing values; ranges of numbers, wider than what
        was seen by half of it on each side; the earliest of times; sets of values where there are
        few, each often; the greatest length of texts; unique whole numbers and texts. Of fewer than
        100 rows nothing but types is inferred. Patterns and ages aren't guessed.

        Args:
            data: A version or a table of any library.

        Raises:
            InvalidInput: It is no table.

        Example:
            >>> expected = Expectations.infer({"carrier": ["UA", "AA"] * 100})
            >>> expected["carrier"].values, expected["carrier"].why["values"]
            (('AA', 'UA'), '2 values in 200 rows, each at least 100 times')
        """
        return cls(columns=inferred_columns(data), min_rows=1)

    def __getitem__(self, name: str) -> ColumnExpectation:
        """Give what is expected of a column.

        Raises:
            NotFound: Nothing is.
        """
        for column in self.columns:
            if column.name == name:
                return column
        hint = near(name, [column.name for column in self.columns])
        raise NotFound(f"Nothing is expected of column {name!r}", hint=hint)

    @property
    def all_keys(self) -> tuple[tuple[str, ...], ...]:
        """The columns that are unique, alone or together."""
        alone = ((column.name,) for column in self.columns if column.unique)
        return tuple(dict.fromkeys((*alone, *self.keys)))

    def column(  # noqa: PLR0913 - each is one kind of expectation
        self,
        name: str,
        *,
        required: bool | None = None,
        type: "str | pa.DataType | None" = None,  # noqa: A002 - what a column has
        nulls: float | None = None,
        min: Any = None,  # noqa: A002 - what a column has
        max: Any = None,  # noqa: A002 - what a column has
        values: Iterable[Any] | None = None,
        pattern: str | None = None,
        min_length: int | None = None,
        max_length: int | None = None,
        unique: bool | None = None,
        max_age: timedelta | None = None,
    ) -> Self:
        """Expect something of a column; what isn't named stays as it was.

        Args:
            name: The column.
            required: Whether it must be there; it must unless it is told otherwise.
            type: Its logical type, such as `int64`; or an Arrow type, which is taken for that.
            nulls: The largest share of missing values (nulls and NaN), 0 to 1.
            min: The least number, date, time or duration.
            max: The greatest.
            values: The only values that may be there.
            pattern: A regular expression (RE2) that the whole of each text matches.
            min_length: The least length: letters of texts, bytes of binaries, items of lists.
            max_length: The greatest length.
            unique: Whether no value may come twice.
            max_age: How old the newest time may be when the data are checked.

        Raises:
            InvalidInput: Something can't be expected so.

        Example:
            >>> Expectations().column("code", pattern="[A-Z]{2}")["code"].pattern
            '[A-Z]{2}'
        """
        given = {
            "required": required, "type": type, "nulls": nulls, "min": min, "max": max,
            "values": values, "pattern": pattern, "min_length": min_length,
            "max_length": max_length, "unique": unique, "max_age": max_age,
        }  # fmt: skip
        changes: dict[str, Any] = {key: v for key, v in given.items() if v is not None}
        known = {column.name: column for column in self.columns}
        before = known.get(name, ColumnExpectation(name=name))
        why = {kind: reason for kind, reason in before.why.items() if kind not in changes}
        known[name] = evolve(before, why=why, **changes)
        return evolve(self, columns=known.values())

    def drop(self, name: str, *kinds: str) -> Self:
        """Expect nothing of a column any more, or only some kinds of it.

        Args:
            name: The column.
            *kinds: What not to expect any more, such as `min` or `drift`; everything by default,
                also keys that the column is part of.

        Raises:
            NotFound: Nothing is expected of the column.
            InvalidInput: There is no such kind.

        Example:
            >>> Expectations().column("age", min=0, max=120).drop("age", "max")["age"].max is None
            True
        """
        strange = next((kind for kind in kinds if kind not in (*KINDS, "drift")), None)
        if strange is not None:
            hint = near(strange, KINDS) or f"There are: {', '.join(KINDS)}, drift"
            raise InvalidInput(f"{strange!r} is nothing to expect of a column", hint=hint)
        involved = {one.column for one in self.baselines} | {n for key in self.keys for n in key}
        if name not in involved:
            _ = self[name]  # raises where nothing is expected of it
        columns, keys, others = self.columns, self.keys, self.baselines
        if not kinds or "drift" in kinds:
            others = tuple(one for one in others if one.column != name)
        if not kinds:
            columns = tuple(column for column in columns if column.name != name)
            keys = tuple(key for key in keys if name not in key)
        columns = tuple(_without(one, kinds) if one.name == name else one for one in columns)
        return evolve(self, columns=columns, keys=keys, baselines=others)

    def unique(self, *names: str) -> Self:
        """Expect that no two rows have the same values in some columns.

        Rows that lack a value in one of them repeat nothing, as in SQL; `nulls=0` asks for more.

        Args:
            *names: One column, or several that are unique together.

        Raises:
            InvalidInput: There is none, or one is named twice.

        Example:
            >>> expected = Expectations().unique("station", "hour")
            >>> bool(expected.check({"station": [1, 1, 2], "hour": [0, 1, 0]}))
            True
        """
        if len(names) == 1:
            return self.column(names[0], unique=True)
        return evolve(self, keys=(*self.keys, names))

    def rows(self, *, min: int | None = None, max: int | None = None) -> Self:  # noqa: A002
        """Expect a number of rows; an end that isn't named stays as it was.

        Args:
            min: The least number.
            max: The greatest.
        """
        low = self.min_rows if min is None else min
        return evolve(self, min_rows=low, max_rows=self.max_rows if max is None else max)

    def others(self, *, allowed: bool) -> Self:
        """Say whether there may be columns that nothing is expected of; a report names them."""
        return evolve(self, others_allowed=allowed)

    def drift(
        self, reference: Any, *, threshold: float = 0.1, columns: Iterable[str] | None = None
    ) -> Self:
        """Expect that columns stay near to those of a version, by their profiles.

        The distance is that of `mlkit.shift`: 0 for the same distribution, 1 for nothing in common.
        Small tables move by chance: with n rows by about 1 / sqrt(n).

        Args:
            reference: A version, whose profile is taken; or a profile, or a table.
            threshold: The largest distance, 0 to 1.
            columns: Which columns; by default all that can be compared.

        Raises:
            InvalidInput: The reference is no table, or has no such column.

        Example:
            >>> expected = Expectations().drift({"delay": range(100)})
            >>> expected.check({"delay": range(60, 160)}).failures[0].columns
            ('delay',)
        """
        profile = reference if isinstance(reference, Profile) else profile_of(reference)
        names = [one.name for one in profile.columns if shift(one, one) is not None]
        if isinstance(columns, str):
            raise InvalidInput(f"columns is the text {columns!r}", hint=f"Write [{columns!r}]")
        chosen = tuple(names if columns is None else columns)
        for name in chosen:
            if name not in names:
                raise InvalidInput(
                    f"There is no column {name!r} with a profile that can be compared",
                    hint=near(name, names),
                )
        added = baselines(profile, threshold, name_of(reference), chosen)
        kept = [one for one in self.baselines if one.column not in chosen]
        return evolve(self, baselines=(*kept, *added))

    def checker(self, schema: "pa.Schema") -> ExpectationChecker:
        """Give what checks one table batch by batch, such as a stream that is being written.

        Args:
            schema: The columns of the table. What they lack fails in the report.

        Raises:
            InvalidInput: Two columns have one name.
        """
        return ExpectationChecker(self, schema, now=now_ns())

    def check(
        self, data: Any, *, now: datetime | None = None, examples: int = EXAMPLES
    ) -> "ExpectationReport":
        """Hold data against the expectations, in one pass and in bounded memory.

        Args:
            data: A version, or a table, a reader or batches of any library.
            now: When ages are measured; the present by default. Without a zone it is UTC.
            examples: How many rows to name for each expectation that isn't met.

        Returns:
            The report: `report.ok`, `report.failures`, `report.rows()`.

        Raises:
            InvalidInput: The data are no table.

        Example:
            >>> report = Expectations().column("age", type="int64").check({"age": ["31"]})
            >>> report.ok, report.failures[0].why
            (False, 'it is string')
        """
        if isinstance(examples, bool) or not isinstance(examples, int) or examples < 0:
            raise InvalidInput(f"examples={examples!r} is no number of rows")
        at = now_ns() if now is None else nanoseconds_of(now)
        name = name_of(data)
        with stream_of(data) as stream:
            checker = ExpectationChecker(self, stream.schema, now=at, examples=examples, data=name)
            with closing(checker):
                for batch in stream.batches:
                    checker.update(batch)
                return checker.report()

    def to_json(self) -> str:
        """Give all of it as JSON text, which `from_json` reads.

        Example:
            >>> expected = Expectations().column("age", min=0)
            >>> Expectations.from_json(expected.to_json()) == expected
            True
        """
        told: dict[str, Any] = {"expectations": _FORMAT}
        told["columns"] = [column.to_json() for column in self.columns]
        told["keys"] = self.keys
        told["min_rows"], told["max_rows"] = self.min_rows, self.max_rows
        told["others_allowed"] = self.others_allowed
        told["baselines"] = [one.to_json() for one in self.baselines]
        told["unmapped"] = self.unmapped
        return encode_value(told)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Give the expectations of a text that `to_json` gave.

        Raises:
            InvalidInput: It is none, or a newer mlkit wrote it.
        """
        try:
            return cls._read(decode_value(text))
        except InvalidInput:
            raise
        except (shapes.Misshapen, ValueError, TypeError, ArithmeticError, LookupError) as error:
            raise InvalidInput(
                f"The text holds no expectations: {error}",
                hint="Take what expectations.to_json() gave",
            ) from error

    @classmethod
    def _read(cls, data: Any) -> Self:
        if shapes.required(data, "expectations", int) != _FORMAT:
            raise InvalidInput(
                f"The expectations have format {data['expectations']}, which can't be read here",
                hint="A newer mlkit can",
            )
        strange = sorted(set(data) - _FIELDS)
        if strange:
            raise shapes.Misshapen(f"{strange[0]!r:.80} is nothing to expect")
        keys = shapes.items(data, "keys", list)
        return cls(
            columns=map(ColumnExpectation.from_json, shapes.items(data, "columns", dict)),
            keys=(shapes.items({"keys": key}, "keys", str) for key in keys),
            min_rows=shapes.optional(data, "min_rows", int),
            max_rows=shapes.optional(data, "max_rows", int),
            others_allowed=shapes.required(data, "others_allowed", bool),
            baselines=map(ColumnBaseline.from_json, shapes.items(data, "baselines", dict)),
            unmapped=shapes.items(data, "unmapped", str),
        )

    @classmethod
    def from_tfdv(cls, schema: Any) -> Self:
        """Take over a schema of TensorFlow Data Validation.

        Args:
            schema: A `tensorflow_metadata.proto.v0.schema_pb2.Schema`.

        Returns:
            The expectations; what they have no word for is listed in `.unmapped`.

        Raises:
            MissingExtra: tensorflow-metadata isn't installed.
            InvalidInput: It is no schema.
        """
        return cls(**from_tfdv(schema))

    def to_tfdv(self) -> TfdvSchema:
        """Give the expectations as a schema of TensorFlow Data Validation.

        Returns:
            The schema, and a list of what it has no word for.

        Raises:
            MissingExtra: tensorflow-metadata isn't installed.
        """
        return to_tfdv(self)

    def __repr__(self) -> str:
        return f"<Expectations of {len(self.columns):,} columns: {len(sentences(self)):,}>"

    def __str__(self) -> str:
        return expectations_text(self)

    def _repr_html_(self) -> str:
        return fragment(expectations_html(self))


def _without(column: ColumnExpectation, kinds: tuple[str, ...]) -> ColumnExpectation:
    gone: dict[str, Any] = {
        kind: False if kind == "unique" else None for kind in kinds if kind in KINDS
    }
    why = {kind: reason for kind, reason in column.why.items() if kind not in kinds}
    return evolve(column, why=why, **gone)
