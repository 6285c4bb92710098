"""A table in parts that stay as they are: which part a row is in depends on nothing but the row.

Each group of rows has a number in [0, 1), made from its values and the seed: the highest 53 bits
of their digest, as S. Vigna makes floats ("xoshiro / xoroshiro generators", prng.di.unimi.it). The
shares cut this range into pieces, one for each part, in their order.
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mlkit._core.names import check_name, unknown
from mlkit.data.comparing.leakage import leakage
from mlkit.data.comparing.leakage_report import LeakageReport
from mlkit.data.comparing.mixing import GOLDEN, mix_one
from mlkit.data.comparing.part import Part
from mlkit.data.comparing.row_digest import Digests, row_digests, value_digests
from mlkit.data.comparing.row_source import RowSource
from mlkit.data.comparing.split_counts import SplitCounts, count_parts
from mlkit.data.comparing.split_display import split_html, split_text
from mlkit.display.markup import plain
from mlkit.errors import InvalidInput
from mlkit.storage.parallel import each

if TYPE_CHECKING:
    import pyarrow as pa

Shares = Mapping[str, float] | Sequence[tuple[str, float] | list[Any]]
"""The share of each part by its name; or pairs of both, as in a definition."""

METHOD = "mlkit split 1"
_BITS = 53
_THREADS = 2
_ROUNDING = 1e-9
_PAIR = 2


@frozen
class Splits(Mapping[str, Part]):
    """The parts of a table by their names.

    Attributes:
        shares: The share of each part that was wanted, by its name.
        by: The columns whose equal values keep rows together; None where each row is on its own.
        seed: The seed.
    """

    shares: Mapping[str, float]
    by: tuple[str, ...] | None
    seed: int
    _source: RowSource = field(repr=False)

    def __getitem__(self, name: str) -> Part:
        """Give a part.

        Raises:
            NotFound: There is none of this name; near names are suggested.
        """
        if name not in self.shares:
            raise unknown("part", name, self.shares)
        number = list(self.shares).index(name)
        low, high = self._edges[number : number + 2]

        def mask(batch: "pa.RecordBatch") -> "pa.Array":
            import pyarrow.compute as pc

            places = self._places(batch)
            return pc.and_(pc.greater_equal(places, low), pc.less(places, high))

        return Part(
            name=name,
            wanted=self.shares[name],
            source=self._source,
            mask=mask,
            by=tuple(self._columns),
            count=lambda: self.counts.rows[name],
            salt=mix_one(self._seed + GOLDEN),
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self.shares)

    def __len__(self) -> int:
        return len(self.shares)

    @property
    def definition(self) -> dict[str, Any]:
        """What the split is made of, as plain values, fit for JSON and for the params of a run.

        `split(data, definition["shares"], by=definition["by"], seed=definition["seed"])` makes it
        again. `dataset` and `digest` say of which version; they are missing for frames.
        """
        known = {"dataset": self._source.name, "digest": self._source.digest}
        return {
            "method": METHOD,
            "shares": [[name, share] for name, share in self.shares.items()],
            "by": None if self.by is None else list(self.by),
            "seed": self.seed,
            **{what: text for what, text in known.items() if text},
        }

    @cached_property
    def counts(self) -> SplitCounts:
        """How many rows and groups each part really has; what the split goes by is read once."""

        def placed(batch: "pa.RecordBatch") -> tuple["pa.Array", Digests, "pa.Array"]:
            values = [value_digests(array, alike=True) for array in batch.columns]
            digests = row_digests(values, self._seed)
            return _place(digests), digests, values[0].missing()

        batches = each(placed, self._source.read(self._columns), threads=_THREADS)
        return count_parts(batches, list(self.shares), self._edges, self.by)

    def leakage(
        self,
        *,
        keys: str | Sequence[str] | None = None,
        groups: str | Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
    ) -> LeakageReport:
        """Look for rows, keys and groups that are in more than one part; see `mlkit.leakage`.

        Args:
            keys: The columns that tell which row is which.
            groups: The columns that tell which rows belong together; those of `by` by default.
            columns: The columns by which rows count as nearly the same.

        Raises:
            InvalidInput: There is no such column.
            Corrupt: What was stored is damaged.
        """
        return leakage(
            *self.values(), keys=keys, groups=self.by if groups is None else groups, columns=columns
        )

    @cached_property
    def _edges(self) -> list[Any]:
        """The bounds of the parts, as numbers of 53 bits."""
        import pyarrow as pa

        total = Fraction(0)
        edges = [0]
        for share in self.shares.values():
            total += Fraction(share)
            edges.append(min(ceil(total * (1 << _BITS)), 1 << _BITS))
        edges[-1] = 1 << _BITS  # what rounding left out
        return [pa.scalar(edge, pa.uint64()) for edge in edges]

    @property
    def _seed(self) -> int:
        return self.seed ^ self._source.salt

    @property
    def _columns(self) -> list[str]:
        """What the split goes by; of whole rows all columns, by their names, in whatever order."""
        return sorted(self._source.schema.names) if self.by is None else list(self.by)

    def _places(self, batch: "pa.RecordBatch") -> "pa.Array":
        values = [value_digests(array, alike=True) for array in batch.columns]
        return _place(row_digests(values, self._seed))

    def __repr__(self) -> str:
        parts = ", ".join(f"{name} {share:g}" for name, share in self.shares.items())
        by = "" if self.by is None else f" by {', '.join(map(plain, self.by))}"
        return f"<Splits {plain(self._source.name) or 'of a frame'}{by}: {parts}>"

    def __str__(self) -> str:
        return split_text(self)

    def _repr_html_(self) -> str:
        return split_html(self)


def split(
    data: Any, shares: Shares, *, by: str | Sequence[str] | None = None, seed: int = 0
) -> Splits:
    """Divide a table into parts, the same on every machine and for ever.

    Which part a row is in depends on its values in `by` and on the seed alone: not on its place, on
    other rows, or on the library that the table came from. So a row never changes sides when others
    come or go, and rows of one group are never on two sides. Missing values (null and NaN) are one
    value, and so are whole numbers, whatever their type. The shares are those of many groups; few
    or uneven ones come near them only, and `print(splits)` says how near.

    Args:
        data: A version, or a frame of pandas, polars or Arrow, a dict of columns …
        shares: The share of each part by its name. When shares change, only groups near the bounds
            change sides, as long as the parts keep their order.
        by: The columns that say what belongs together, one or several, whose order matters; by
            default, rows that are equal in all columns.
        seed: Another one gives other parts.

    Returns:
        The parts by their names. A version is read when they are.

    Raises:
        InvalidInput: The data are no table, a share isn't above 0, the shares don't make up 1, a
            name can't be one, or there is no such column.

    Example:
        >>> parts = split({"day": range(1000)}, {"train": 0.8, "test": 0.2}, seed=7)
        >>> parts["train"].rows, parts["test"].rows
        (807, 193)
    """
    source = RowSource.of(data)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 64:
        raise InvalidInput(f"seed={seed!r} is no whole number from 0 to 2**64 - 1")
    columns = None if by is None else source.chosen("by", by)
    return Splits(shares=_checked(shares), by=columns, seed=seed, source=source)


def _pairs(shares: Any) -> list[tuple[Any, Any]]:
    """Give the names and shares of a mapping, or of pairs."""
    listed = list(shares.items()) if isinstance(shares, Mapping) else shares
    is_list = isinstance(listed, list | tuple)
    if not is_list or not all(isinstance(p, list | tuple) and len(p) == _PAIR for p in listed):
        raise InvalidInput(
            f"shares={shares!r} doesn't name parts",
            hint='Write {"train": 0.8, "test": 0.2}, for example',
        )
    return [(name, share) for name, share in listed]


def _checked(shares: Shares) -> dict[str, float]:
    """Give the shares by their names, when they make up a whole."""
    found: dict[str, float] = {}
    for name, share in _pairs(shares):
        check_name(name, "part")
        if name in found:
            raise InvalidInput(f"Two parts have the name {name!r}", hint="Rename one of them")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            raise InvalidInput(
                f"The share of {name!r} is {share!r}", hint="Write a number above 0, at most 1"
            )
        found[name] = float(share)
    total = sum(found.values())
    if abs(total - 1) > _ROUNDING:
        raise InvalidInput(
            f"The shares make up {total:g}, not 1",
            hint='Write {"train": 0.8, "test": 0.2}, for example',
        )
    return found


def _place(digests: Digests) -> "pa.Array":
    """Give the number of each row's group, from 0 to 2**53 - 1."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.shift_right(digests.first, pa.scalar(64 - _BITS, pa.uint64()))
