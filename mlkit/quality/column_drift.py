"""One column of two tables compared: every figure first, then what they amount to."""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

from attrs import asdict, evolve, field, fields, frozen

from mlkit._core.extras import require
from mlkit.quality import values
from mlkit.quality.distances import (
    bin_counts,
    chi_squared,
    cramers_v,
    finite_part,
    jensen_shannon,
    psi,
    quantile_edges,
    separation,
)
from mlkit.quality.significance import chi2_tail, ks_tail

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit.quality.distances import Floats

Pairs = tuple[tuple[str, float], ...]


@frozen
class Thresholds:
    """From when on a difference matters, in effect sizes, which don't grow with the rows.

    Attributes:
        psi: The population stability index; 0.2 is customary (Siddiqi, Credit Risk Scorecards,
            2006, has 0.1 for a slight and 0.25 for a large shift).
        wasserstein: The Wasserstein distance in standard deviations of the reference. For a mere
            shift that is Cohen's d, of which 0.5 is a medium effect (Cohen, Statistical Power
            Analysis, 1988). It also sees tails that move far, which share one bin of the index.
        missing: The change of the share of missing values, 0.05 being five points of a hundred.
        alpha: How often chance alone may look like drift in any column, when nothing changed.
    """

    psi: float = 0.2
    wasserstein: float = 0.5
    missing: float = 0.05
    alpha: float = 0.05


@frozen(kw_only=True)
class ColumnDrift:
    """How one column changed. Figures are None where they have no meaning for the column.

    Attributes:
        name: The column.
        kind: How it was compared, see `values.Kind`.
        drifted: Whether it changed by more than chance and more than the thresholds; never so where
            it couldn't be compared, see `compared`.
        why: What decided it, or why it couldn't be compared.
        rows_reference: The values in the reference that aren't missing.
        rows_current: The same, in what is compared with it.
        missing_reference: The share of missing values in the reference.
        missing_current: The same, in what is compared with it.
        psi: The population stability index; numbers in bins of equal share of the reference.
        jensen_shannon: The Jensen-Shannon distance, 0 to 1, over the same bins.
        ks: The Kolmogorov-Smirnov statistic of numbers.
        wasserstein: The Wasserstein distance of numbers, in their unit (times in seconds).
        wasserstein_scaled: The same in standard deviations of the reference.
        chi_squared: Pearson's statistic of categories.
        cramers_v: The same without the number of rows, 0 to 1.
        p_value: How likely chance alone makes `ks` or `chi_squared` this large.
        p_corrected: The same, corrected for all tests of the report.
        p_missing: How likely chance alone changes the missing share this much; corrected too.
        mean_reference: The mean of finite numbers in the reference.
        mean_current: The same, in what is compared with it.
        new_values: Categories that the reference lacks, with their share, at most 100.
        vanished_values: Categories that only the reference has, with their share, at most 100.
    """

    name: str
    kind: str
    drifted: bool = False
    why: str = ""
    rows_reference: int = 0
    rows_current: int = 0
    missing_reference: float | None = None
    missing_current: float | None = None
    psi: float | None = None
    jensen_shannon: float | None = None
    ks: float | None = None
    wasserstein: float | None = None
    wasserstein_scaled: float | None = None
    chi_squared: float | None = None
    cramers_v: float | None = None
    p_value: float | None = None
    p_corrected: float | None = None
    p_missing: float | None = None
    mean_reference: float | None = None
    mean_current: float | None = None
    new_values: Pairs = field(default=())
    vanished_values: Pairs = field(default=())

    @property
    def compared(self) -> bool:
        """Whether there was anything to compare: both sides have it, in one type, with values."""
        return self.psi is not None or (self.drifted and self.p_missing is not None)

    def effect(self, thresholds: Thresholds) -> float | None:
        """Give the effect that decided, as a multiple of its threshold.

        Of a column that drifted, it is the largest of those that chance alone hardly explains; of
        one that didn't, the largest of all. None where nothing could be compared.
        """
        if not self.compared:
            return None
        certain = _by_chance_hardly(self.p_corrected, thresholds)
        sizes = [
            (self.psi, thresholds.psi, certain),
            (self.wasserstein_scaled, thresholds.wasserstein, certain),
            (
                self.missing_change,
                thresholds.missing,
                _by_chance_hardly(self.p_missing, thresholds),
            ),
        ]
        return max(
            (
                size / bound if bound > 0 else math.inf
                for size, bound, sure in sizes
                if size is not None and (sure or not self.drifted)
            ),
            default=None,
        )

    @property
    def missing_change(self) -> float | None:
        """How much the share of missing values changed, up or down."""
        before, after = self.missing_reference, self.missing_current
        return None if before is None or after is None else abs(after - before)

    def to_json(self) -> dict[str, Any]:
        """Give all of it as plain values."""
        return {**asdict(self), "compared": self.compared}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Give the column of what `to_json` gave."""
        known = {item.name for item in fields(cls)}
        given = {key: value for key, value in data.items() if key in known}
        for key in ("new_values", "vanished_values"):
            given[key] = tuple((name, share) for name, share in given.get(key, ()))
        return cls(**given)


def compare_columns(
    name: str,
    reference: "pa.ChunkedArray",
    current: "pa.ChunkedArray",
    *,
    category: bool,
    bins: int,
) -> ColumnDrift:
    """Give the figures of one column; whether it drifted is decided with all columns at hand.

    Args:
        name: The column.
        reference: Its values in the reference.
        current: Its values in what is compared with it.
        category: Numbers are categories.
        bins: The bins of numbers.
    """
    kinds = [values.kind_of(side.type) for side in (reference, current)]
    kind = kinds[0] if kinds[0] != "empty" else kinds[1]
    if category and kind in {"number", "time"}:
        kind = "category"
        kinds = ["category" if one in {"number", "time"} else one for one in kinds]
    drift = ColumnDrift(name=name, kind=kind)
    if len({one for one in kinds if one != "empty"}) > 1:
        why = f"its type changed from {reference.type} to {current.type}"
        return evolve(drift, why=why)
    if kind == "other":
        return evolve(_with_missing(drift, reference, current), why=_no_order(reference.type))
    if kind == "empty":
        return evolve(_with_missing(drift, reference, current), why="no values on either side")
    if kind == "category":
        return _compare_labels(drift, values.labels(reference), values.labels(current))
    return _compare_numbers(drift, reference, current, values.numbers, bins)


def _no_order(kind: "pa.DataType") -> str:
    return f"values of type {kind} can't be compared"


def _compare_labels(
    drift: ColumnDrift, reference: "pa.ChunkedArray", current: "pa.ChunkedArray"
) -> ColumnDrift:
    if values.looks_like_text(reference) and values.looks_like_text(current):
        drift = evolve(drift, kind="text")
        return _compare_numbers(drift, reference, current, values.text_lengths, bins=10)
    drift = _with_missing(drift, reference, current)
    if not (drift.rows_reference and drift.rows_current):
        return drift
    found = values.categories(reference, current)
    statistic, degrees = chi_squared(found.reference, found.current)
    return evolve(
        drift,
        psi=psi(found.reference, found.current),
        jensen_shannon=jensen_shannon(found.reference, found.current),
        chi_squared=statistic,
        cramers_v=cramers_v(statistic, drift.rows_reference + drift.rows_current),
        p_value=chi2_tail(statistic, degrees) if degrees else 1.0,
        new_values=found.new,
        vanished_values=found.vanished,
    )


def _compare_numbers(
    drift: ColumnDrift,
    reference: "pa.ChunkedArray",
    current: "pa.ChunkedArray",
    read: Callable[["pa.ChunkedArray"], "Floats"],
    bins: int,
) -> ColumnDrift:
    left, right = read(reference), read(current)
    drift = _with_missing(drift, reference, current, (len(left), len(right)))
    drift = evolve(drift, mean_reference=_mean(left), mean_current=_mean(right))
    if not (len(left) and len(right)):
        return drift
    apart = separation(left, right)
    edges = quantile_edges(left, bins)
    counts = bin_counts(left, edges), bin_counts(right, edges)
    return evolve(
        drift,
        psi=psi(*counts),
        jensen_shannon=jensen_shannon(*counts),
        ks=apart.ks,
        wasserstein=apart.wasserstein,
        wasserstein_scaled=_scaled(apart.wasserstein, left),
        p_value=ks_tail(apart.ks, len(left), len(right)),
    )


def _with_missing(
    drift: ColumnDrift,
    reference: "pa.ChunkedArray",
    current: "pa.ChunkedArray",
    known: tuple[int, int] | None = None,
) -> ColumnDrift:
    np = require("numpy", extra="stats")
    sides = reference, current
    if known is None:
        known = len(reference) - reference.null_count, len(current) - current.null_count
    lost = [len(side) - count for side, count in zip(sides, known, strict=True)]
    shares = [
        count / len(side) if len(side) else None for count, side in zip(lost, sides, strict=True)
    ]
    p_missing = None
    if len(reference) and len(current):
        counts = [np.array(pair) for pair in zip(known, lost, strict=True)]
        statistic, degrees = chi_squared(*counts)
        p_missing = chi2_tail(statistic, degrees) if degrees else 1.0
    return evolve(
        drift,
        rows_reference=known[0],
        rows_current=known[1],
        missing_reference=shares[0],
        missing_current=shares[1],
        p_missing=p_missing,
    )


def _mean(ordered: "Floats") -> float | None:
    finite = finite_part(ordered)
    return float(finite.mean()) if len(finite) else None


def _scaled(distance: float | None, reference: "Floats") -> float | None:
    """The distance in standard deviations; None where the reference has none but a distance is."""
    finite = finite_part(reference)
    if distance is None or not len(finite):
        return None
    spread = float(finite.std())
    if spread:
        return distance / spread
    return None if distance else 0.0


def decide(drift: ColumnDrift, thresholds: Thresholds) -> ColumnDrift:
    """Give the column with the verdict: large enough to matter, and more than chance."""
    sizes = [("PSI", drift.psi, thresholds.psi)]
    sizes += [("Wasserstein", drift.wasserstein_scaled, thresholds.wasserstein)]
    large = [
        f"{word} {size:.3g} ≥ {bound:g}"
        for word, size, bound in sizes
        if size is not None and size >= bound
    ]
    certain = _by_chance_hardly(drift.p_corrected, thresholds)
    shift = _missing_shift(drift, thresholds)
    if shift:
        return evolve(drift, drifted=True, why="; ".join([*(large if certain else []), shift]))
    if large and certain:
        return evolve(drift, drifted=True, why="; ".join(large))
    if large:
        why = f"{'; '.join(large)}, but chance alone may do that (p = {drift.p_corrected:.2g})"
        return evolve(drift, why=why)
    if not drift.why and not (drift.rows_reference and drift.rows_current):
        empty = not (drift.rows_reference or drift.rows_current)
        side = "the reference" if drift.rows_current else "the current data"
        return evolve(drift, why="no values on either side" if empty else f"no values in {side}")
    return drift


def _missing_shift(drift: ColumnDrift, thresholds: Thresholds) -> str:
    change = drift.missing_change
    if change is None or not _by_chance_hardly(drift.p_missing, thresholds):
        return ""
    if change < thresholds.missing:
        return ""
    return f"missing {drift.missing_reference:.1%} → {drift.missing_current:.1%}"


def _by_chance_hardly(p: float | None, thresholds: Thresholds) -> bool:
    return p is not None and p <= thresholds.alpha
