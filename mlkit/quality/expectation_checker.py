"""One table held against expectations, batch by batch, in bounded memory."""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mlkit._core.clock import iso
from mlkit._core.names import near
from mlkit.data.layout import lay_out
from mlkit.data.logical import plain_type, type_text
from mlkit.data.profiles.column_profile import ColumnProfile
from mlkit.data.profiles.column_sketch import ColumnSketch
from mlkit.data.profiles.ticks import Ticks
from mlkit.errors import InvalidInput
from mlkit.quality.column_expectation import FAMILIES, ColumnExpectation
from mlkit.quality.expectation_display import row_sentences
from mlkit.quality.expectation_report import ExpectationReport, ExpectationResult, FailedRow
from mlkit.quality.expectation_tally import NewestTally, RowTally, Tally, look
from mlkit.quality.expectation_tests import breaks, missing
from mlkit.quality.expectation_uniqueness import Uniqueness
from mlkit.quality.expectation_values import Incomparable

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit.quality.expectations import Expectations

_MICROSECOND = timedelta(microseconds=1)
EXAMPLES = 10
"""How many rows are named for each expectation that isn't met."""


class ExpectationChecker:
    """Looks at one table while its batches go by.

    Each expectation is a few numbers and the first rows that break it. Uniqueness and drift need
    more: see `Uniqueness` (exact, with a temporary file where the rows don't fit into memory) and
    `ColumnSketch`. A checker belongs to one table and one thread at a time.

    Args:
        expectations: What is expected.
        schema: The columns of the table.
        now: The time that ages are measured at, in nanoseconds since 1970, UTC.
        examples: How many rows to name for each expectation that isn't met.
        data: What the table is called, for the report.

    Raises:
        InvalidInput: Two columns have one name.

    Example:
        >>> import pyarrow as pa
        >>> from mlkit.quality.expectations import Expectations
        >>> table = pa.table({"age": [31, -1]})
        >>> with Expectations().column("age", min=0).checker(table.schema) as checker:
        ...     for batch in table.to_batches():
        ...         checker.update(batch)
        ...     checker.report().failures[0].rows[0].row
        1
    """

    def __init__(
        self,
        expectations: "Expectations",
        schema: "pa.Schema",
        *,
        now: int,
        examples: int = EXAMPLES,
        data: str = "",
    ) -> None:
        self._names = dict.fromkeys(schema.names)
        if len(self._names) < len(schema):
            name = next(name for name in self._names if schema.names.count(name) > 1)
            raise InvalidInput(f"Two columns have the name {name!r}", hint="Rename one of them")
        self._expectations, self._schema, self._data = expectations, schema, data
        self._now, self._examples = now, examples
        self._rows = 0
        self._report: ExpectationReport | None = None
        self._layouts = {field.name: plain_type(field.type) for field in schema}
        self._tallies: dict[str, list[Tally]] = {}
        self._told: list[ExpectationResult | Tally] = []
        for column in expectations.columns:
            self._plan(column)
        self._sketches = {
            one.column: ColumnSketch(one.column, schema.field(one.column).type)
            for one in expectations.baselines
            if one.column in self._names
        }
        keys = expectations.all_keys
        self._keys = [(n, key) for n, key in enumerate(keys) if self._names.keys() >= set(key)]
        self._uniqueness = Uniqueness(examples) if self._keys else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def update(self, batch: "pa.RecordBatch") -> None:
        """Look at the next rows.

        Raises:
            InvalidInput: The batch has another schema than the checker was made for, or the
                report was asked for before.
            StorageFault: The temporary file can't be written.
        """
        import pyarrow as pa

        if self._report is not None:
            raise InvalidInput("The check is over", hint="Make a new checker for another table")
        if not batch.schema.equals(self._schema):
            raise InvalidInput("A batch has other columns than the schema says")
        wanted = {*self._tallies, *(name for _, key in self._keys for name in key)}
        laid = {}
        for name in wanted:
            try:
                laid[name] = lay_out(batch.column(name), self._layouts[name])
                look(self._tallies.get(name, []), laid[name])
            except pa.ArrowException as error:
                raise InvalidInput(f"Column {name!r} can't be checked: {error}") from error
        for number, key in self._keys:
            self._add_key(number, [laid[name] for name in key])
        for name, sketch in self._sketches.items():
            sketch.update(batch.column(name))
        self._rows += len(batch)

    def report(self) -> ExpectationReport:
        """Give what was found in all rows that were seen; no more rows are taken after that."""
        if self._report is None:
            found = [
                one if isinstance(one, ExpectationResult) else one.result() for one in self._told
            ]
            results = (*self._of_table(), *found, *self._of_keys(), *self._of_baselines())
            self._report = ExpectationReport(
                data=self._data,
                row_count=self._rows,
                results=results,
                other_columns=self._others(),
            )
            self.close()
        return self._report

    def finish(self) -> Mapping[str, Any]:
        """Give the verdict, as what may become a version demands it.

        Returns:
            What is kept with the version: `rows`, the number of `expectations`, when they were
            `checked_at`, and the `digest` of their JSON text.

        Raises:
            DataRefused: Some expectation isn't met; the report is in `.report`.
        """
        report = self.report()
        report.raise_for_failures()
        text = self._expectations.to_json()
        return {
            "ok": True,
            "rows": report.row_count,
            "expectations": len(report.results),
            "checked_at": iso(self._now),
            "digest": f"sha256:{hashlib.sha256(text.encode()).hexdigest()}",
        }

    def close(self) -> None:
        """Give the temporary file back; more than once does no harm."""
        if self._uniqueness is not None:
            self._uniqueness.close()

    def _plan(self, column: ColumnExpectation) -> None:
        """Look up what can be said from the schema, and what has to look at values."""
        there = column.name in self._names
        if column.required or not there:
            self._told.append(self._presence(column, there=there))
        tallies: list[Tally] = []
        for kind in column.kinds():
            if kind == "unique":
                continue
            if not there:
                self._told += [self._absent(column, column.sentence(kind), kind)]
            elif kind == "type":
                self._told.append(self._of_type(column))
            else:
                try:
                    tallies.append(self._tally(column, kind))
                    self._told.append(tallies[-1])
                except Incomparable as error:
                    self._told.append(_result(column, kind, ok=False, why=str(error)))
        if tallies:
            self._tallies[column.name] = tallies

    def _tally(self, column: ColumnExpectation, kind: str) -> Tally:
        from pyarrow import types

        layout, sentence = self._layouts[column.name], column.sentence(kind)
        if kind == "nulls":
            share = column.nulls or 0.0
            return RowTally(
                sentence, kind, column.name, breaks=None, share=share, most=self._examples
            )
        if kind == "max_age" and column.max_age is not None:
            if not (types.is_timestamp(layout) or types.is_date(layout)):
                raise Incomparable(f"values of type {layout} are no moments that have an age")
            oldest = self._now - column.max_age // _MICROSECOND * 1000
            ticks = Ticks.of(type_text(layout), layout)
            return NewestTally(sentence, column.name, ticks, oldest)
        found = breaks(column, kind, layout)
        return RowTally(sentence, kind, column.name, breaks=found, most=self._examples)

    def _presence(self, column: ColumnExpectation, *, there: bool) -> ExpectationResult:
        why = "" if there else self._lacking(column.name)
        if not column.required:
            why = "it isn't, and needn't be"
        ok = there or not column.required
        return ExpectationResult(
            expectation=f"{column.name} is there", kind="present", columns=(column.name,), ok=ok,
            why=why,
        )  # fmt: skip

    def _absent(self, column: ColumnExpectation, sentence: str, kind: str) -> ExpectationResult:
        why = f"there is no column {column.name!r}"
        if not column.required:
            why = "the column isn't there, and needn't be"
        return ExpectationResult(
            expectation=sentence, kind=kind, columns=(column.name,), ok=not column.required, why=why
        )

    def _lacking(self, name: str) -> str:
        hint = near(name, self._names)
        return f"there is no column {name!r}{f'. {hint}' if hint else ''}"

    def _of_type(self, column: ColumnExpectation) -> ExpectationResult:
        kind = self._schema.field(column.name).type
        try:
            found = type_text(kind)
        except InvalidInput:  # one that no dataset can hold
            found = str(kind)
        ok = found == column.type or found in FAMILIES.get(column.type or "", ())
        return _result(column, "type", ok=ok, why="" if ok else f"it is {found}")

    def _add_key(self, number: int, columns: "list[pa.Array]") -> None:
        import pyarrow.compute as pc

        lacking = missing(columns[0])
        for column in columns[1:]:
            lacking = pc.or_(lacking, missing(column))
        if self._uniqueness is not None:
            self._uniqueness.update(number, self._rows, columns, lacking)

    def _of_keys(self) -> list[ExpectationResult]:
        keys = self._expectations.all_keys
        counted = dict(self._keys)
        found = self._uniqueness.repetitions(len(keys)) if self._uniqueness is not None else []
        needless = {one.name for one in self._expectations.columns if not one.required}
        results = []
        for number, key in enumerate(keys):
            sentence = f"{', '.join(key)} {'is' if len(key) == 1 else 'are together'} unique"
            if number not in counted:
                absent = [name for name in key if name not in self._names]
                ok = set(absent) <= needless
                why = f"there is no column {absent[0]!r}"
                why += ", and needn't be" if ok else ""
                results.append(
                    ExpectationResult(
                        expectation=sentence, kind="unique", columns=key, ok=ok, why=why
                    )
                )
                continue
            again = found[number]
            why = f"{again.count:,} of {self._rows:,} rows repeat an earlier one"
            results.append(
                ExpectationResult(
                    expectation=sentence,
                    kind="unique",
                    columns=key,
                    ok=not again.count,
                    checked=self._rows,
                    failed=again.count,
                    rows=tuple(FailedRow(row, text) for row, text in again.rows),
                    why=why if again.count else "",
                )
            )
        return results

    def _of_baselines(self) -> list[ExpectationResult]:
        results = []
        for one in self._expectations.baselines:
            if one.column in self._sketches:
                ok, why = one.judge(ColumnProfile.of(self._sketches[one.column]))
            else:
                ok, why = False, self._lacking(one.column)
            results.append(
                ExpectationResult(
                    expectation=one.sentence, kind="drift", columns=(one.column,), ok=ok,
                    checked=self._rows, why=why,
                )
            )  # fmt: skip
        return results

    def _of_table(self) -> list[ExpectationResult]:
        expected = self._expectations
        most = self._rows if expected.max_rows is None else expected.max_rows
        met = {"min_rows": self._rows >= (expected.min_rows or 0), "max_rows": self._rows <= most}
        results = [
            ExpectationResult(
                expectation=sentence,
                kind=kind,
                ok=met[kind],
                checked=self._rows,
                why="" if met[kind] else f"there are {self._rows:,}",
            )
            for kind, sentence in row_sentences(expected)
        ]
        if not expected.others_allowed:
            others = self._others()
            why = f"there are {', '.join(map(repr, others[:10]))}" if others else ""
            results.append(
                ExpectationResult(
                    expectation="no other columns", kind="columns", ok=not others, why=why
                )
            )
        return results

    def _others(self) -> tuple[str, ...]:
        expected = self._expectations
        known = {column.name for column in expected.columns}
        known |= {name for key in expected.keys for name in key}
        known |= {one.column for one in expected.baselines}
        return tuple(name for name in self._names if name not in known)


def _result(column: ColumnExpectation, kind: str, *, ok: bool, why: str = "") -> ExpectationResult:
    return ExpectationResult(
        expectation=column.sentence(kind), kind=kind, columns=(column.name,), ok=ok, why=why
    )
