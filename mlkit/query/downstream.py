"""Downstream lineage: what came of a version or a run, found in the tables of runs at once."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from mlkit._core.names import parse_reference
from mlkit.errors import InvalidName
from mlkit.index.arrays import array_of, certain
from mlkit.query.fields import RunColumns
from mlkit.query.lineage import (
    Edge,
    Key,
    Lineage,
    Link,
    Lookups,
    Node,
    Relation,
    run_detail,
    started,
)

if TYPE_CHECKING:
    import pyarrow as pa

Named = tuple[str, str, str]
"""A version as a link names it: kind, reference, digest."""


@frozen
class Made:
    """A version of a store, with what it came from.

    Attributes:
        node: What it is.
        links: What it came from.
    """

    node: Node
    links: Sequence[Link] = field(repr=False)


class KnownVersions:
    """The versions of a store, found by what links name and by what they came from.

    Args:
        versions: All of them, the older before the newer ones of a name.
    """

    def __init__(self, versions: Iterable[Made]) -> None:
        self._refs: dict[Key, Made] = {}
        self._contents: dict[Named, Made] = {}
        for one in versions:
            kind, ref = one.node.key
            self._refs[kind, ref] = one
            self._contents[kind, _name(ref), one.node.digest] = one

    def find(self, kind: str, ref: str, digest: str) -> Made | None:
        """Give the version that a link means: by its number where the content is that, else by it.

        Args:
            kind: `dataset` or `model`.
            ref: How the link names it.
            digest: The digest that it names; empty where it names none.
        """
        found = self._refs.get((kind, ref))
        if found is not None and digest in {"", found.node.digest}:
            return found
        return self._contents.get((kind, _name(ref), digest)) if digest else None

    def made_by(self, run_id: str) -> Sequence[Made]:
        """Give the versions that a run made."""
        return self._by_run.get(run_id, ())

    def made_from(self, key: Key) -> Sequence[tuple[Made, Relation]]:
        """Give the versions that were made from one directly, and how."""
        return self._children.get(key, ())

    @cached_property
    def _by_run(self) -> Mapping[str, list[Made]]:
        found: dict[str, list[Made]] = {}
        for one in self._refs.values():
            for link in one.links:
                if link.kind == "run":
                    found.setdefault(link.ref, []).append(one)
        return found

    @cached_property
    def _children(self) -> Mapping[Key, list[tuple[Made, Relation]]]:
        found: dict[Key, list[tuple[Made, Relation]]] = {}
        for one in self._refs.values():
            for link in one.links:
                parent = None
                if link.kind != "run":
                    parent = self.find(link.kind, link.ref, link.digest)
                if parent is not None:
                    found.setdefault(parent.node.key, []).append((one, link.relation))
        return found


def downstream(
    reference: str, *, find: Lookups, versions: Callable[[], KnownVersions], runs: RunColumns
) -> Lineage:
    """Give the graph of what came of something: runs that read it, and what those made, and so on.

    A version comes from another one when it names that, or when a run that read the one made the
    other.

    Args:
        reference: A model's or dataset's reference, or a run's id.
        find: How to find what the reference means.
        versions: Gives the versions of the store.
        runs: The runs that may be in the graph.

    Raises:
        NotFound: There is nothing of this reference.
    """
    start, _, nodes, edges = started(reference, find)
    return _Search(versions(), _Runs(runs), nodes, edges).from_(start)


@define
class _Search:
    """A walk away from one thing, all things of one distance at a time."""

    versions: KnownVersions
    runs: "_Runs"
    nodes: dict[Key, Node]
    edges: dict[Edge, None]

    def from_(self, start: Node) -> Lineage:
        """Walk as far as it goes."""
        frontier = [start]
        while frontier:
            met = [*self._readers(frontier), *self._made(frontier), *self._of_runs(frontier)]
            frontier = []
            for node, edge in met:
                self.edges[edge] = None
                if node.key not in self.nodes:
                    self.nodes[node.key] = node
                    frontier.append(node)
        nodes = tuple(self.nodes.values())
        return Lineage(nodes[0], nodes, tuple(self.edges), "downstream")

    def _readers(self, frontier: Sequence[Node]) -> Iterator[tuple[Node, Edge]]:
        """Give the runs that read some versions."""
        wanted = {node.key: node for node in frontier if node.kind != "run"}
        digests = {node.digest for node in wanted.values()}
        refs = {node.ref for node in wanted.values()}
        for row, link in self.runs.reading(digests, refs):
            read = self.versions.find(*link)
            if read is not None and read.node.key in wanted:
                run = self.runs.node(row)
                yield run, Edge(run.key, "read", read.node.key)

    def _made(self, frontier: Sequence[Node]) -> Iterator[tuple[Node, Edge]]:
        """Give the versions that were made from some directly."""
        for node in frontier:
            for child, relation in self.versions.made_from(node.key):
                yield child.node, Edge(child.node.key, relation, node.key)

    def _of_runs(self, frontier: Sequence[Node]) -> Iterator[tuple[Node, Edge]]:
        """Give the versions that some runs made, and the runs that are a part of them."""
        ids = [node.ref for node in frontier if node.kind == "run"]
        for run_id in ids:
            for one in self.versions.made_by(run_id):
                yield one.node, Edge(one.node.key, "made by", ("run", run_id))
        for run_id, link in self.runs.outputs_of(ids):
            made = self.versions.find(*link)
            kind, ref, digest = link
            node = made.node if made else Node(kind, ref, digest, problem="missing")  # type: ignore[arg-type]  # it may be of a kind that is new
            yield node, Edge(node.key, "made by", ("run", run_id))
        for row, parent in self.runs.parts_of(ids):
            run = self.runs.node(row)
            yield run, Edge(run.key, "part of", ("run", parent))


@frozen
class _Runs:
    """The runs among which is looked; a question about many of them is asked of columns."""

    columns: RunColumns
    __dict__: dict[str, object] = field(init=False, repr=False, eq=False)  # what is cached

    def node(self, row: int) -> Node:
        """Give the node of a run."""
        name, experiment, status = (
            self.columns.fixed(one)[row].as_py() for one in ("name", "experiment", "status")
        )
        return Node("run", self._id(row), detail=run_detail(name, experiment, status))

    def reading(
        self, digests: Collection[str], refs: Collection[str]
    ) -> Iterator[tuple[int, Named]]:
        """Give the rows of runs that may have read some versions, and how they name them.

        Args:
            digests: The digests of the versions.
            refs: Their references, for runs that name no digest.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        links = self._inputs
        known = pc.is_in(links.digests, value_set=array_of(sorted(digests), pa.string()))
        bare = pc.and_(
            pc.equal(links.digests, ""),
            pc.is_in(links.refs, value_set=array_of(sorted(refs), pa.string())),
        )
        yield from links.among(certain(pc.or_kleene(known, bare)))

    def outputs_of(self, run_ids: Sequence[str]) -> Iterator[tuple[str, Named]]:
        """Give what runs say that they made."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if run_ids:
            wanted = pc.is_in(self._ids, value_set=array_of(sorted(run_ids), pa.string()))
            links = self._outputs
            for row, link in links.among(wanted.take(links.rows)):
                yield self._id(row), link

    def parts_of(self, run_ids: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Give the rows of runs that were started within others, and the ids of these."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if run_ids:
            parents = self.columns.fixed("parent").combine_chunks()
            found = pc.is_in(parents, value_set=array_of(sorted(run_ids), pa.string()))
            rows = pc.indices_nonzero(certain(found))
            yield from zip(rows.to_pylist(), parents.take(rows).to_pylist(), strict=True)

    def _id(self, row: int) -> str:
        return str(self._ids[row].as_py())

    @cached_property
    def _ids(self) -> "pa.Array":
        return self.columns.fixed("run_id").combine_chunks()

    @cached_property
    def _inputs(self) -> "_Flat":
        return _Flat.of(self.columns.links("inputs"))

    @cached_property
    def _outputs(self) -> "_Flat":
        return _Flat.of(self.columns.links("outputs"))


@frozen
class _Flat:
    """The links of all runs, one after another."""

    rows: "pa.Array"
    kinds: "pa.Array"
    refs: "pa.Array"
    digests: "pa.Array"

    @classmethod
    def of(cls, links: "pa.ChunkedArray") -> "_Flat":
        """Give the links of a column of lists."""
        import pyarrow.compute as pc

        lists = links.combine_chunks()
        values = pc.list_flatten(lists)
        fields = (pc.struct_field(values, name) for name in ("kind", "ref", "digest"))
        return cls(pc.list_parent_indices(lists), *fields)

    def among(self, wanted: "pa.Array") -> Iterator[tuple[int, Named]]:
        """Give those for which a mask holds, with their runs' rows."""
        import pyarrow.compute as pc

        places = pc.indices_nonzero(wanted)
        held = [one.take(places).to_pylist() for one in (self.kinds, self.refs, self.digests)]
        rows = self.rows.take(places).to_pylist()
        for row, kind, ref, digest in zip(rows, *held, strict=True):
            yield row, (str(kind or ""), str(ref or ""), str(digest or ""))


def _name(ref: str) -> str:
    """Give the name in a reference; of what is none, nothing."""
    try:
        return parse_reference(ref).name
    except InvalidName:
        return ""
