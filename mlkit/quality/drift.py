"""Drift: how the columns of one table differ from those of another."""

import os
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from attrs import evolve

from mlkit._core.extras import require
from mlkit._core.names import near
from mlkit.errors import InvalidInput, SchemaMismatch
from mlkit.quality.column_drift import ColumnDrift, Thresholds, compare_columns, decide
from mlkit.quality.drift_report import DriftReport
from mlkit.quality.significance import holm
from mlkit.quality.values import kind_of
from mlkit.schema.frames import to_arrow

if TYPE_CHECKING:
    import pyarrow as pa

_FEWEST_BINS, _MOST_BINS = 2, 1000


def drift(
    reference: Any,
    current: Any,
    *,
    columns: Sequence[str] | None = None,
    categorical: Collection[str] = (),
    thresholds: Thresholds | None = None,
    bins: int = 10,
) -> DriftReport:
    """Compare a table with the one that it should resemble, column by column.

    Numbers, dates and times are compared as numbers (population stability index,
    Kolmogorov-Smirnov, Wasserstein, Jensen-Shannon), texts, categories and bools as categories
    (population stability index, chi-squared, Jensen-Shannon, new and vanished values); texts that
    are nearly all different, such as comments and ids, by their lengths; all of them by their
    missing values. A column drifted when an effect size reaches its threshold and chance alone
    would hardly do that: effect sizes don't grow with the rows, so a million rows don't make
    everything drift, and a handful doesn't either. A column that one of the tables lacks, or that
    has another type or no values in one of them, can't be compared: the report says so, and counts
    it neither among those that drifted nor among those that didn't.

    Args:
        reference: What should be resembled, such as the training data: a frame of pandas, polars
            or Arrow, a dict of columns, a dataset version … whatever `to_arrow` takes.
        current: What is compared with it.
        columns: Only these; all columns by default.
        categorical: Columns of numbers that are categories in truth, such as codes.
        thresholds: From when on a difference counts; `Thresholds()` by default.
        bins: The bins of equal share of the reference that numbers are counted in.

    Returns:
        The report; empty, constant and odd columns are told in it.

    Raises:
        InvalidInput: One isn't a table, a column of `columns` or `categorical` is in neither, or
            `bins` isn't 2 to 1000.
        SchemaMismatch: The tables have no column in common.
        MissingExtra: numpy isn't installed.

    Example:
        >>> report = drift({"delay": range(100)}, {"delay": range(60, 160)})
        >>> report.drifted, report["delay"].ks
        (True, 0.6)
    """
    require("numpy", extra="stats")
    thresholds = thresholds or Thresholds()
    if not _FEWEST_BINS <= bins <= _MOST_BINS:
        message = f"bins={bins} is out of range"
        raise InvalidInput(message, hint=f"Use {_FEWEST_BINS} to {_MOST_BINS}")
    left, right = to_arrow(reference), to_arrow(current)
    names = list(dict.fromkeys([*left.column_names, *right.column_names]))
    _check_known("columns", columns or (), names)
    _check_known("categorical", categorical, names)
    chosen = names if columns is None else list(dict.fromkeys(columns))
    if not chosen:
        raise InvalidInput("No columns to compare", hint="Leave out columns= to compare all")
    if not any(name in left.column_names and name in right.column_names for name in chosen):
        message = (
            f"The tables have no column in common: {_listed(left.column_names)} "
            f"against {_listed(right.column_names)}"
        )
        raise SchemaMismatch(message, hint="Rename the columns of one")

    def compare(name: str) -> ColumnDrift:
        return _compare(left, right, name, category=name in categorical, bins=bins)

    workers = min(len(chosen), os.cpu_count() or 1)
    with ThreadPoolExecutor(workers, thread_name_prefix="mlkit-drift") as pool:
        found = list(pool.map(compare, chosen))
    return DriftReport(
        columns=tuple(decide(column, thresholds) for column in _corrected(found)),
        rows_reference=len(left),
        rows_current=len(right),
        reference=_reference_of(reference),
        current=_reference_of(current),
        thresholds=thresholds,
    )


def _compare(
    left: "pa.Table", right: "pa.Table", name: str, *, category: bool, bins: int
) -> ColumnDrift:
    if name not in right.column_names:
        kind = kind_of(left.schema.field(name).type)
        return ColumnDrift(name=name, kind=kind, why="the current data lack this column")
    if name not in left.column_names:
        kind = kind_of(right.schema.field(name).type)
        return ColumnDrift(name=name, kind=kind, why="the reference lacks this column")
    return compare_columns(name, left[name], right[name], category=category, bins=bins)


def _corrected(columns: Sequence[ColumnDrift]) -> list[ColumnDrift]:
    """Correct the tests of all columns together: one or two a column."""
    corrected = holm([p for column in columns for p in (column.p_value, column.p_missing)])
    return [
        evolve(column, p_corrected=corrected[2 * index], p_missing=corrected[2 * index + 1])
        for index, column in enumerate(columns)
    ]


def _check_known(what: str, given: Collection[str], names: Sequence[str]) -> None:
    if isinstance(given, str):
        raise InvalidInput(f"{what}={given!r} is one text", hint=f"Write {what}=[{given!r}]")
    for name in given:
        if name not in names:
            message = f"{what} names {name!r}, which is in neither table"
            raise InvalidInput(message, hint=near(name, names) or f"There are: {_listed(names)}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")  # noqa: PLR2004 - fits a line


def _reference_of(data: Any) -> str:
    """What a dataset version is called; nothing for frames."""
    ref = getattr(data, "ref", None)
    return ref if isinstance(ref, str) else ""
