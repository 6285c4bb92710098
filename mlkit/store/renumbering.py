"""Saying in a store which versions of another one got other numbers there, before runs come."""

from collections.abc import Collection, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from mlkit._core.clock import now_ns
from mlkit.errors import Corrupt, NewerFormat, NotFound
from mlkit.index.folded import FoldedTables
from mlkit.tracking.changes import Changes
from mlkit.tracking.renumbering import Named, Renumbered, Renumbering, Renumberings

if TYPE_CHECKING:
    from mlkit.storage.protocol import Storage
    from mlkit.store.copying import Copying
    from mlkit.store.version_copying import VersionCopying


def renumber(copying: "Copying", versions: "VersionCopying", meant: Mapping[Named, str]) -> None:
    """Say in the target which numbers the versions have there that runs of the source name.

    It comes after the versions and before the runs, so no run is seen that names another version.

    Args:
        copying: What is copied where.
        versions: What became of the versions.
        meant: What runs of the source name otherwise than the source does, and what it is called
            there.
    """
    copying.progress.stage("comparing numbers")
    there = Renumberings(copying.target, tell=_pass_over)
    known = there.current().refs
    new: dict[Named, Renumbered] = {}
    for one in versions.renumbered(meant):
        if one.named not in known:
            new.setdefault(one.named, one)
    if not new:
        return
    changes = Changes(copying.target)
    with ExitStack() as stack:  # runs may have come before their versions could, and were folded
        for run_id in _folded(copying.target, {one.digest for one in new.values()}):
            stack.enter_context(changes.announced(run_id))
        there.write(new.values())


def meaning(storage: "Storage") -> Renumbering:
    """Give how what runs name is called in a store; what is damaged there is passed over.

    Args:
        storage: The store's storage.
    """
    return Renumberings(storage, tell=_pass_over).current()


def _folded(storage: "Storage", digests: Collection[str]) -> list[str]:
    """Give the runs of the tables that read or made versions, sorted."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = FoldedTables.of(storage, now_ns).runs
    wanted = pa.array(sorted(digests), pa.string())
    found: set[str] = set()
    try:
        for add in table.refresh().files.values():
            rows = table.file(add).read(["run_id", "inputs", "outputs"]).combine_chunks()
            for name in ("inputs", "outputs"):
                links = rows.column(name)
                named = pc.is_in(
                    pc.struct_field(pc.list_flatten(links), "digest"), value_set=wanted
                )
                places = pc.list_parent_indices(links).filter(named)
                found.update(rows.column("run_id").take(places).to_pylist())
    except (Corrupt, NewerFormat, NotFound):
        return []  # they are made anew
    return sorted(found)


def _pass_over(_problem: object) -> None:
    """Pass over a document that is damaged: `verify` names it, and its content is said anew."""
