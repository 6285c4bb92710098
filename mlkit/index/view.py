"""A view of runs, folded and live alike: columns in one order, read when first asked for."""

from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from attrs import define, field

from mlkit.index.arrays import array_of
from mlkit.index.naming import KINDS, escaped, unescaped
from mlkit.index.parts import Part
from mlkit.index.runs_schema import OVERFLOW, decode_overflow, fixed_fields, kind_type

if TYPE_CHECKING:
    import pyarrow as pa


class Summaries(Protocol):
    """Gives what the points of a metric add up to."""

    def __call__(self, key: str, part: str) -> "tuple[pa.ChunkedArray, pa.ChunkedArray]":
        """Give the ids of runs, and a number for each.

        Args:
            key: The metric.
            part: `first`, `min`, `max` or `best`.
        """
        ...


def as_it_is(name: str) -> str:
    """Give an experiment's name where none was renamed."""
    return name


@define
class View:
    """Runs in one order.

    Attributes:
        parts: Where they come from, one part after another.
        summaries: Gives what points add up to; of runs without points by default.
        current: Gives the present name of the experiment that a run was started in.
    """

    parts: Sequence[Part]
    summaries: Summaries | None = None
    current: Callable[[str], str] = as_it_is
    __dict__: dict[str, object] = field(init=False, repr=False, eq=False)  # what is cached

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def fixed(self, name: str) -> "pa.ChunkedArray":
        """Give a column that every run has.

        Args:
            name: Such as `run_id`, `started` (timestamp[us, UTC]) or `duration` (seconds).
        """
        if name == "experiment":
            return self._experiment
        return self._column(name, self._fixed_types[name])

    @property
    def carried(self) -> "pa.ChunkedArray":
        """The name of the experiment that each run was started in, as it was called then."""
        return self._column("experiment", self._fixed_types["experiment"])

    def param(self, key: str) -> "dict[str, pa.ChunkedArray]":
        """Give the values of a param by type; a path with dots leads into params that are mappings.

        Args:
            key: The param, or a path; a param that has the dots in its name comes first.
        """
        return self._kinds(("params", "paths") if "." in key else ("params",), key)

    def metric(self, key: str, part: str = "last") -> "pa.ChunkedArray | None":
        """Give a number of each run's metric, None where no run has it.

        Args:
            key: The metric.
            part: `last`, `first`, `min`, `max`, or `best` where the run has said what is.
        """
        if part == "last":
            return self._kinds(("metrics",), key).get("float")
        if self.summaries is None:
            return None
        import pyarrow as pa
        import pyarrow.compute as pc

        ids, numbers = self.summaries(key, part)
        if not len(ids):
            return None
        places = pc.index_in(self.fixed("run_id"), value_set=ids)
        found = pc.take(numbers.combine_chunks(), places.combine_chunks())
        return pa.chunked_array([found])

    def tag(self, key: str) -> "pa.ChunkedArray | None":
        """Give the values of a tag, None where no run has it."""
        return self._kinds(("tags",), key).get("text")

    def links(self, direction: str) -> "pa.ChunkedArray":
        """Give what each run read (`inputs`) or made (`outputs`): lists of kind, ref and digest."""
        return self._column(direction, self._fixed_types[direction])

    def goals(self, metric: str, rows: "pa.Array") -> list[Any]:
        """Give what some runs say is best of a metric: `max`, `min`, both or nothing."""
        import pyarrow as pa
        import pyarrow.compute as pc

        goals = self._column("goals", self._fixed_types["goals"])
        found = pc.map_lookup(goals, query_key=pa.scalar(metric), occurrence="last")
        said: list[Any] = pc.unique(found.take(rows)).drop_null().to_pylist()
        return said

    def keys(self, home: str) -> list[str]:
        """Give the names of all metrics, params (with the paths into mappings) or tags."""
        homes = ("params", "paths") if home == "params" else (home,)
        return sorted({name for one in homes for name in self.names(one)})

    def names(self, home: str) -> set[str]:
        """Give the names of the keys of one home, those without a column of their own too."""
        found = {name for part in self.parts for name in part.naming.names(home)}
        start = f"{home}."
        rare = (name[len(start) :] for name in self._overflown if name.startswith(start))
        return found.union(map(unescaped, rare))

    def load(
        self,
        homes: Collection[str] = (),
        *,
        among: Collection[str] | None = None,
        fixed: Collection[str] = (),
    ) -> None:
        """Read several columns at once, since reading them one by one takes longer.

        Args:
            homes: Such as `params` and `metrics`, whose columns are read.
            among: Only those of these keys; all by default.
            fixed: The names of columns that every run has, which are read with them.
        """
        for part in self.parts:
            keyed = [
                column
                for key, column in part.naming.columns.items()
                if key.home in homes and (among is None or key.name in among)
            ]
            part.read([*fixed, *keyed])

    @cached_property
    def _fixed_types(self) -> "dict[str, pa.DataType]":
        return {one.name: one.type for one in fixed_fields()}

    @cached_property
    def _experiment(self) -> "pa.ChunkedArray":
        import pyarrow as pa

        if self.current is as_it_is:
            return self.carried
        chunks = []
        for chunk in self.carried.chunks:
            encoded = chunk.dictionary_encode()
            names = [self.current(name) for name in encoded.dictionary.to_pylist()]
            chunks.append(array_of(names, pa.string()).take(encoded.indices))
        return pa.chunked_array(chunks, pa.string())

    def _column(self, name: str, kind: "pa.DataType") -> "pa.ChunkedArray":
        import pyarrow as pa

        chunks: list[pa.Array] = []
        for part in self.parts:
            found = part.read([name]).get(name)
            if found is None:
                chunks.append(pa.nulls(len(part), kind))
            else:
                chunks += found.chunks if found.type == kind else found.cast(kind).chunks
        return pa.chunked_array(chunks, kind)

    def _kinds(self, homes: Sequence[str], name: str) -> "dict[str, pa.ChunkedArray]":
        """Give the values of a key by type; where a run has it in two homes, the first counts."""
        import pyarrow as pa

        found = [self._kinds_of(part, homes, name) for part in self.parts]
        kinds = [kind for kind in KINDS if any(kind in one for one in found)]
        columns = {}
        for kind in kinds:
            chunks: list[pa.Array] = []
            for part, one in zip(self.parts, found, strict=True):
                values = one.get(kind)
                chunks += (
                    [pa.nulls(len(part), kind_type(kind))] if values is None else values.chunks
                )
            columns[kind] = pa.chunked_array(chunks, kind_type(kind))
        return columns

    def _kinds_of(
        self, part: Part, homes: Sequence[str], name: str
    ) -> "dict[str, pa.ChunkedArray]":
        import pyarrow.compute as pc

        merged: dict[str, pa.ChunkedArray] = {}
        for home in homes:
            columns = part.naming.kinds(home, name)
            read = part.read([*columns.values(), OVERFLOW])
            here = {kind: read[column] for kind, column in columns.items() if column in read}
            rare = escaped(home, name)
            if OVERFLOW in read and rare in self._overflown:
                here = _with_overflow(here, read[OVERFLOW], rare)
            if not merged:
                merged = here
                continue
            taken = None
            for values in merged.values():
                valid = pc.is_valid(values)
                taken = valid if taken is None else pc.or_(taken, valid)
            for kind, values in here.items():
                free = pc.if_else(taken, None, values)
                merged[kind] = pc.coalesce(merged[kind], free) if kind in merged else free
        return merged

    @cached_property
    def _overflown(self) -> frozenset[str]:
        """The keys that some run has without a column of their own, such as `params.lr`."""
        import pyarrow.compute as pc

        found: set[str] = set()
        for part in self.parts:
            column = part.read([OVERFLOW]).get(OVERFLOW)
            if column is not None and column.null_count < len(column):
                for chunk in column.chunks:
                    pairs = chunk.drop_null()
                    found.update(pc.unique(pairs.keys).to_pylist())
        return frozenset(found)


def _with_overflow(
    columns: "dict[str, pa.ChunkedArray]", overflow: "pa.ChunkedArray", name: str
) -> "dict[str, pa.ChunkedArray]":
    """Add the values that a key has in the overflow, which are few, to its columns."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pc.map_lookup(overflow, query_key=pa.scalar(name), occurrence="first").to_pylist()
    typed = [None if text is None else decode_overflow(text) for text in texts]
    merged = dict(columns)
    for kind in {one[0] for one in typed if one is not None}:
        values: list[Any] = [
            one[1] if one is not None and one[0] == kind else None for one in typed
        ]
        column = pa.chunked_array([pa.array(values, kind_type(kind))])
        merged[kind] = pc.coalesce(columns[kind], column) if kind in columns else column
    return merged
