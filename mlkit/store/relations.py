"""How the versions of a store are related to each other and to its runs."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from attrs import define, evolve, field

from mlkit._core.clock import now_ns
from mlkit._core.names import parse_reference
from mlkit.errors import InvalidInput, MlkitError, NotFound
from mlkit.storage.parallel import each, threads_for

if TYPE_CHECKING:
    from mlkit.data.dataset import Dataset
    from mlkit.data.version import DatasetVersion
    from mlkit.models.model import Model
    from mlkit.models.package import ModelVersion
    from mlkit.query.downstream import KnownVersions, Made
    from mlkit.query.lineage import Lineage, Lookups, Node
    from mlkit.query.runs import RunTable
    from mlkit.store.rooms import Rooms
    from mlkit.tracking.reading import Run

_Place = tuple["Dataset | Model", int]


@define(eq=False)
class StoreRelations:
    """What a store knows of its versions' relations; threads may share it.

    A version never changes, so the document of each is read once.

    Args:
        store: The store.
    """

    store: "Rooms" = field(repr=False)
    _read: "dict[str, Made]" = field(factory=dict, init=False, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Let another process begin anew."""
        return type(self), (self.store,)

    def lineage(
        self, reference: str, direction: Literal["upstream", "downstream"] = "upstream"
    ) -> "Lineage":
        """Give what something came from, or what came of it; see `Store.lineage`."""
        from mlkit.query.downstream import downstream
        from mlkit.query.lineage import lineage

        if direction == "upstream":
            return lineage(reference, find=self._lookups())
        if direction != "downstream":
            message = f"{direction!r} is no direction"
            raise InvalidInput(message, hint="Use 'upstream' or 'downstream'")
        graph: Lineage = self.store._index.trying(  # noqa: SLF001 - it is the store's own
            lambda seen: downstream(
                reference, find=self._lookups(), versions=self._known, runs=seen.view
            )
        )
        nodes = tuple(self._with_aliases(graph.nodes))
        return evolve(graph, root=nodes[0], nodes=nodes)

    def _with_aliases(self, nodes: "Sequence[Node]") -> "Iterator[Node]":
        """Give nodes that say which aliases a version holds: what is in use comes of the data."""
        held: dict[tuple[str, str], Mapping[str, int]] = {}
        for node in nodes:
            if node.kind not in {"dataset", "model"} or node.problem:
                yield node
                continue
            name, _, number = node.ref.partition(":")
            if (node.kind, name) not in held:
                held[node.kind, name] = self._aliases(node.kind, name)
            aliases = held[node.kind, name].items()
            mine = [alias for alias, version in aliases if str(version) == number]
            yield evolve(node, detail=", ".join(filter(None, [node.detail, *mine])))

    def _aliases(self, kind: str, name: str) -> "Mapping[str, int]":
        room = self.store.models if kind == "model" else self.store.datasets
        try:
            return room[name].aliases()
        except MlkitError:  # `verify` names it
            return {}

    def readers(self, version: "DatasetVersion") -> "RunTable[Run]":
        """Give the runs that read a version, the newest first, without deleted ones."""
        from mlkit.query.search import search

        digits = version.digest.removeprefix("sha256:")
        called = self.store.experiments.naming().current
        return self.store._index.trying(  # noqa: SLF001 - it is the store's own
            lambda seen: search(
                seen,
                partial(self.store.runs.open, called=called),
                f"input = '{version.name}#{digits}'",
                clock=now_ns,
            )
        )

    def parents(self, version: "DatasetVersion") -> "list[DatasetVersion | ModelVersion]":
        """Give the versions that one was made from.

        Raises:
            NotFound: One isn't in the store, or can't be read.
        """
        from mlkit.query.lineage import links_of, visit

        found = []
        for link in links_of(self.store.runs.renumbering().links(version.inputs), "made from"):
            node, _ = visit(link, self._lookups())
            if node.problem:
                message = f"{link.ref}, which {version.ref} was made from, is {node.problem}"
                raise NotFound(message, hint=f"store.lineage({version.ref!r}) shows all of it")
            found.append(node)
        return self._versions(found)

    def children(self, version: "DatasetVersion") -> "list[DatasetVersion | ModelVersion]":
        """Give the versions that were made from one directly."""
        made = self._known().made_from(("dataset", version.ref))
        return self._versions([one.node for one, _ in made])

    def _versions(self, nodes: "Sequence[Node]") -> "list[DatasetVersion | ModelVersion]":
        """Give the versions of nodes; the versions of a name are listed once."""
        held: dict[tuple[str, str], Dataset | Model] = {}
        found = []
        for node in nodes:
            wanted = parse_reference(node.ref)
            key = (node.kind, wanted.name)
            if key not in held:
                room = self.store.models if node.kind == "model" else self.store.datasets
                held[key] = room[wanted.name]
            found.append(held[key].resolve(wanted))
        return found

    def _lookups(self) -> "Lookups":
        from mlkit.query.lineage import Lookups

        store = self.store
        return Lookups(model=store.models.get, dataset=store.datasets.get, run=store.runs.get)

    def _known(self) -> "KnownVersions":
        """Give all versions that can be read, named as they are called in this store."""
        from mlkit.query.downstream import KnownVersions

        now = self.store.runs.renumbering().refs
        threads = threads_for(self.store._storage)  # noqa: SLF001 - it is the store's own
        found = (one for one in each(self._made, self._places(), threads=threads) if one)
        if not now:
            return KnownVersions(found)
        return KnownVersions(
            evolve(
                one,
                links=[
                    evolve(link, ref=now.get((link.kind, link.ref, link.digest), link.ref))
                    for link in one.links
                ],
            )
            for one in found
        )

    def _places(self) -> Iterator[_Place]:
        for room in (self.store.datasets, self.store.models):
            for name in room.names():
                try:
                    versions = room[name]
                except MlkitError:  # a folder that nobody here has made
                    continue
                yield from ((versions, number) for number in versions.numbers())

    def _made(self, place: _Place) -> "Made | None":
        """Give a version with what it came from; None where it can't be read."""
        from mlkit.query.downstream import Made
        from mlkit.query.lineage import of_dataset, of_model

        versions, number = place
        key = f"{type(versions).__name__} {versions.name}:{number}"
        if key not in self._read:
            try:
                version: Any = versions[number]
            except MlkitError:  # `verify` names it
                return None
            of = of_model if hasattr(version, "datasets") else of_dataset
            self._read[key] = Made(*of(version))
        return self._read[key]
