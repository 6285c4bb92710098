"""Which runs a view takes from the tables, and which from their folders."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from mlkit.errors import Corrupt
from mlkit.index.arrays import array_of
from mlkit.index.folded import FoldedTable

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit.tables.actions import Add
    from mlkit.tables.snapshot import Snapshot


@frozen
class Division:
    """The runs of a store, divided.

    Attributes:
        files: Each file of the table `runs` with which of its rows count; None for all of them.
        live: The ids of the runs that are read from their folders, sorted.
        among: How many runs there are.
    """

    files: "tuple[tuple[Add, pa.Array | None], ...]"
    live: tuple[str, ...]
    among: int


@define
class Divider:
    """Divides runs, and remembers how as long as nothing changes.

    Attributes:
        table: The table `runs`.
    """

    table: FoldedTable
    _last: "tuple[Snapshot, pa.Array, frozenset[str], Division] | None" = field(
        default=None, init=False
    )

    def divide(self, ids: "pa.Array", changed: Collection[str]) -> Division:
        """Divide runs into those that the table has as they stand, and all others.

        Args:
            ids: All runs that have a folder; the same array where they are the same as before.
            changed: Those that may have changed since they were folded.
        """
        snapshot = self.table.snapshot
        marked = frozenset(changed)
        if self._last is not None:
            before, listed, known, division = self._last
            if before is snapshot and listed is ids and known == marked:
                return division
        division = self._divide(ids, marked)
        self._last = (snapshot, ids, marked, division)
        return division

    def _divide(self, ids: "pa.Array", changed: Collection[str]) -> Division:
        import pyarrow as pa
        import pyarrow.compute as pc

        present = ids
        if changed:
            marked = array_of(sorted(changed), pa.string())
            present = ids.filter(pc.invert(pc.is_in(ids, value_set=marked)))
        adds = list(self.table.snapshot.files.values())
        held = [self.table.run_ids(add) for add in adds]
        folded = pa.concat_arrays([array_of([], pa.string()), *held])
        known = pc.is_in(ids, value_set=folded)
        if present is not ids:
            known = pc.and_(known, pc.is_in(ids, value_set=present))
        live = ids.filter(pc.invert(known))
        files = []
        for add, run_ids in zip(adds, held, strict=True):
            if len(run_ids) != add.rows:
                message = f"{add.path} has a run twice"
                raise Corrupt(message, hint="store.reindex() makes the tables anew")
            counts = pc.is_in(run_ids, value_set=present)
            files.append((add, None if counts.true_count == len(run_ids) else counts))
        return Division(tuple(files), tuple(live.to_pylist()), len(ids))


def undivided(ids: "pa.Array") -> Division:
    """Give all runs as ones that are read from their folders."""
    return Division((), tuple(ids.to_pylist()), len(ids))
