"""What is in two tables that should have nothing in common, such as training and test data."""

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import combinations
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mlkit.data.comparing.leakage_report import LeakageExample, LeakageFinding, LeakageReport
from mlkit.data.comparing.lowest_rows import LowestRows
from mlkit.data.comparing.row_digest import Digests, row_digests, value_digests
from mlkit.data.comparing.row_match import FIXED, spool_schema
from mlkit.data.comparing.row_source import RowSource
from mlkit.data.comparing.row_spool import RowSpool, parts_for
from mlkit.data.comparing.value_family import are_comparable
from mlkit.data.comparing.value_text import python_value
from mlkit.data.logical import type_text
from mlkit.errors import InvalidInput, SchemaMismatch
from mlkit.storage.parallel import each

if TYPE_CHECKING:
    import pyarrow as pa

_THREADS = 2
_LANE = 8
_EXAMPLES = 5
_FEWEST = 2


@frozen
class _Check:
    """Something to look for: what it is called, the columns to go by, and whether null counts."""

    what: str
    columns: tuple[str, ...]
    nulls: bool


def leakage(
    *tables: Any,
    keys: str | Sequence[str] | None = None,
    groups: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
) -> LeakageReport:
    """Look for what is in two tables at once, such as training and test data.

    Equal rows are always looked for, by the columns that all tables have with types whose values
    can be equal. Missing values (null and NaN) are one value there, and whole numbers are equal
    whatever their type; a missing key or group is none, and equal to nothing.

    Args:
        *tables: Two or more: versions, parts of a split, or frames of any library. Each pair is
            looked at.
        keys: The columns that together tell which row is which.
        groups: The columns that together tell which rows belong together, such as a customer's.
        columns: The columns by which rows count as nearly the same, such as all but the target.

    Returns:
        The report, which is true when anything leaks: counts, shares, and the first examples with
        the numbers of their rows.

    Raises:
        InvalidInput: There are fewer than two tables, one is no table, or lacks a column; or a
            column to go by has types whose values are never equal, such as numbers and texts.
        SchemaMismatch: The tables have no column in common that can be compared.
        Corrupt: What was stored is damaged.

    Example:
        >>> train = {"customer": [1, 1, 2], "amount": [10, 20, 30]}
        >>> test = {"customer": [2, 3], "amount": [40, 50]}
        >>> report = leakage(train, test, groups="customer")
        >>> report.leaks, report.findings[1].examples[0].values
        (True, {'customer': 2})
    """
    if len(tables) < _FEWEST:
        raise InvalidInput(
            "Leakage is looked for between two tables or more",
            hint="Write leakage(train, test)",
        )
    sources = [RowSource.of(table) for table in tables]
    first = sources[0].schema.names
    common = tuple(n for n in first if all(n in source.schema.names for source in sources))
    if not common:
        raise SchemaMismatch("The tables have no column in common", hint="Rename those of one")
    retyped = tuple(name for name in common if not _is_comparable(name, sources))
    shared = tuple(name for name in common if name not in retyped)
    if not shared:
        raise SchemaMismatch(
            f"No column of the tables has values that can be equal: {_told(retyped[0], sources)}",
            hint="Give the columns one type first",
        )
    checks = [_Check("rows", shared, nulls=True)]
    for what, chosen in (("similar rows", columns), ("keys", keys), ("groups", groups)):
        if chosen is not None:
            argument = "columns" if what == "similar rows" else what
            for source in sources:
                by = source.chosen(argument, chosen)
            odd = next((name for name in by if name in retyped), None)
            if odd is not None:
                raise InvalidInput(
                    f"{argument}: values of {odd!r} are never equal: {_told(odd, sources)}",
                    hint="Give the column one type first",
                )
            checks.append(_Check(what, by, nulls=what == "similar rows"))
    every = dict.fromkeys(name for source in sources for name in source.schema.names)
    names = _names(sources)
    return LeakageReport(
        findings=tuple(f for check in checks for f in _found(check, sources, names)),
        left_out=tuple(name for name in every if name not in common),
        retyped=retyped,
    )


def _is_comparable(name: str, sources: Sequence[RowSource]) -> bool:
    """Tell whether values of a column can be equal in each pair of tables."""
    kinds = [source.schema.field(name).type for source in sources]
    return all(are_comparable(left, right) for left, right in combinations(kinds, 2))


def _told(name: str, sources: Sequence[RowSource]) -> str:
    """Give the types of a column in words."""
    kinds = (type_text(source.schema.field(name).type) for source in sources)
    return f"{name!r} is {' and '.join(dict.fromkeys(kinds))}"


def _names(sources: Sequence[RowSource]) -> list[str]:
    """Give what the tables are called; frames by their place among the arguments."""
    names = [source.name or f"table {n}" for n, source in enumerate(sources, start=1)]
    return [
        name if names.count(name) == 1 else f"{name} ({n})" for n, name in enumerate(names, start=1)
    ]


def _found(
    check: _Check, sources: Sequence[RowSource], names: Sequence[str]
) -> list[LeakageFinding]:
    """Look for one thing in each pair of tables."""
    schema = spool_schema(0)
    parts = parts_for(max(source.rows for source in sources), _LANE * FIXED)
    numbers = list(combinations(range(len(sources)), 2))
    pairs = {pair: _Common() for pair in numbers}
    with ExitStack() as stack:
        spools = [stack.enter_context(RowSpool(schema, parts)) for _ in sources]
        totals = [_fill(s, check, spool) for s, spool in zip(sources, spools, strict=True)]
        for sides in zip(*(spool.parts() for spool in spools), strict=True):
            for (left, right), common in pairs.items():
                common.take(sides[left], sides[right])
    return [
        LeakageFinding(
            what=check.what,
            columns=check.columns,
            tables=(names[left], names[right]),
            shared=common.shared,
            rows=(common.rows[0], common.rows[1]),
            totals=(totals[left], totals[right]),
            examples=_examples(common, sources[left], check.columns),
        )
        for (left, right), common in pairs.items()
    ]


def _fill(source: RowSource, check: _Check, spool: RowSpool) -> int:
    """Put the digests of a table's rows into a spool, and give how many rows there are."""

    def digest(batch: "pa.RecordBatch") -> tuple[int, Digests, "pa.Array | None"]:
        import pyarrow.compute as pc

        values = [value_digests(array, alike=True) for array in batch.columns]
        there = None
        for one in [] if check.nulls else values:
            known = pc.invert(one.missing())
            there = known if there is None else pc.and_(there, known)
        return len(batch), row_digests(values), there

    import pyarrow as pa

    start = 0
    batches = source.read(list(check.columns))
    for rows, digests, there in each(digest, batches, threads=_THREADS):
        columns = [digests.first, digests.second, pa.arange(start, start + rows)]
        spool.add(columns if there is None else [column.filter(there) for column in columns])
        start += rows
    return start


def _examples(
    common: "_Common", source: RowSource, columns: Sequence[str]
) -> tuple[LeakageExample, ...]:
    left, right = common.examples.rows()
    table = source.rows_at(left, list(columns))
    return tuple(
        LeakageExample(
            rows=(left[n].as_py(), right[n].as_py()),
            values={name: python_value(table.column(name)[n]) for name in columns},
        )
        for n in range(len(left))
    )


@frozen
class _Common:
    """What two tables have in common so far."""

    rows: list[int] = field(factory=lambda: [0, 0])
    examples: LowestRows = field(factory=lambda: LowestRows(_EXAMPLES, 2))

    @property
    def shared(self) -> int:
        return self.examples.count

    def take(self, left: "pa.Table", right: "pa.Table") -> None:
        """Look at one part of both, which holds all rows of its digests."""
        import pyarrow.compute as pc

        sides = [[column.combine_chunks() for column in side.columns] for side in (left, right)]
        for number, (these, those) in enumerate((sides, sides[::-1])):
            partner = pc.index_in(these[0], those[0])
            same = pc.equal(these[1], those[1].take(partner)).fill_null(False)  # noqa: FBT003
            self.rows[number] += same.true_count
            if number == 0:
                values = these[0].filter(same).unique()
        rows = [side[2].take(pc.index_in(values, side[0])) for side in sides]
        self.examples.take(*rows)
