"""Lineage: what a model, a dataset or a run came from, or what came of it, by digests."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, Protocol, cast

from attrs import evolve, frozen

from mlkit._core.names import parse_reference
from mlkit.display.formats import show_time
from mlkit.display.markup import element, plain
from mlkit.display.page import fragment
from mlkit.errors import Corrupt, InvalidInput, NewerFormat, NotFound
from mlkit.query.fields import RunLike

Kind = Literal["alias", "model", "dataset", "run"]
Relation = Literal["means", "made by", "trained on", "read", "made from", "part of"]
Direction = Literal["upstream", "downstream"]

Key = tuple[str, str]
"""What tells a thing in the graph from all others: its kind and its reference."""

_DIGITS = 19  # "sha256:" and twelve more


class Version(Protocol):
    """What lineage needs of any version."""

    @property
    def ref(self) -> str:
        """Such as `flights:3`."""

    @property
    def digest(self) -> str:
        """The digest of the content."""

    @property
    def created_at(self) -> int:
        """When it was made, in nanoseconds since 1970, UTC."""

    @property
    def run_id(self) -> str | None:
        """The run that made it."""


class ModelLike(Version, Protocol):
    """A model's version."""

    @property
    def datasets(self) -> Sequence[Any]:
        """What it was trained on: links with `ref` and `digest`."""


class DatasetLike(Version, Protocol):
    """A dataset's version."""

    @property
    def rows(self) -> int | None:
        """Its number of rows, of a table."""

    @property
    def inputs(self) -> Sequence[Any]:
        """What it was made from: links with `kind`, `ref` and `digest`."""


@frozen
class Lookups:
    """How to find things; each raises `NotFound` for what doesn't exist.

    Attributes:
        model: A model's version by its reference.
        dataset: A dataset's version by its reference.
        run: A run by its id.
    """

    model: Callable[[str], ModelLike]
    dataset: Callable[[str], DatasetLike]
    run: Callable[[str], RunLike]


@frozen
class Node:
    """One thing in the graph.

    Attributes:
        kind: What it is.
        ref: Its reference, or the run's id.
        digest: The digest of its content, empty for runs and aliases.
        detail: What else to say of it.
        problem: `missing`, or why it can't be trusted; empty when all is well.
    """

    kind: Kind
    ref: str
    digest: str = ""
    detail: str = ""
    problem: str = ""

    @property
    def key(self) -> Key:
        """What tells it from all others."""
        return self.kind, self.ref

    def text(self) -> str:
        """Give it in one line."""
        digest = self.digest[:_DIGITS] + "…" * (len(self.digest) > _DIGITS)
        kind = "" if self.kind == "alias" else self.kind
        problem = f"({self.problem})" if self.problem else ""
        return plain(
            "  ".join(filter(None, (f"{kind} {self.ref}".strip(), digest, self.detail, problem)))
        )


@frozen
class Edge:
    """That one thing came from another."""

    source: Key
    relation: Relation
    target: Key


@frozen
class Lineage:
    """The graph of what something came from, or of what came of it.

    Attributes:
        root: What was asked for.
        nodes: Everything in the graph, the root first.
        edges: From each thing to what it came from, whichever way was asked for.
        direction: `upstream`, back to what it came from, or `downstream`, to what came of it.
    """

    root: Node
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    direction: Direction = "upstream"

    def text(self) -> str:
        """Give the graph as a tree in text; what comes again is shown once."""
        nodes = {node.key: node for node in self.nodes}
        branches = self._branches()
        lines: list[str] = []
        shown: set[Key] = set()
        waiting = [(self.root.key, "", "", "")]
        while waiting:
            key, lead, below, relation = waiting.pop()
            again = key in shown and branches.get(key)
            part = "part of " if relation == "part of" and self.direction == "upstream" else ""
            lines.append(f"{lead}{part}{nodes[key].text()}{'  (see above)' if again else ''}")
            if again:
                continue
            shown.add(key)
            beyond = branches.get(key, [])
            for index, (further, how) in reversed(list(enumerate(beyond))):
                last = index == len(beyond) - 1
                branch, rest = ("└─ ", "   ") if last else ("├─ ", "│  ")
                waiting.append((further, below + branch, below + rest, how))
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Give the graph as plain values: `root`, `direction`, `nodes` and `edges`."""
        return {
            "root": list(self.root.key),
            "direction": self.direction,
            "nodes": [
                {
                    "kind": node.kind,
                    "ref": node.ref,
                    "digest": node.digest,
                    "detail": node.detail,
                    "problem": node.problem,
                }
                for node in self.nodes
            ],
            "edges": [[list(edge.source), edge.relation, list(edge.target)] for edge in self.edges],
        }

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return fragment(element("pre", self.text()))

    def _branches(self) -> dict[Key, list[tuple[Key, Relation]]]:
        """Give what is next to each thing in the direction of the graph, and how.

        What a step through a run implies is left out.
        """
        found: dict[Key, list[Edge]] = {}
        for edge in self.edges:
            found.setdefault(edge.source, []).append(edge)
        implied = {
            source: {
                further.target
                for edge in edges
                if edge.relation == "made by"
                for further in found.get(edge.target, ())
            }
            for source, edges in found.items()
        }
        beyond: dict[Key, list[tuple[Key, Relation]]] = {}
        for edge in self.edges:
            here, there = edge.source, edge.target
            if there in implied[here]:
                continue
            if self.direction == "downstream" and edge.relation != "means":
                here, there = there, here
            beyond.setdefault(here, []).append((there, edge.relation))
        return beyond


@frozen
class Link:
    """That something came from what a document names.

    Attributes:
        kind: What it names.
        ref: How it names it.
        relation: How the one came from the other.
        digest: The digest that it names; empty where it names none.
    """

    kind: Kind
    ref: str
    relation: Relation
    digest: str = ""


_Look = Callable[[str, Lookups], tuple[Node, list[Link]]]


def lineage(
    reference: str,
    *,
    find: Lookups,
    kind: Literal["model", "dataset", "run"] | None = None,
) -> Lineage:
    """Give the graph of what something came from.

    What can't be found on the way is a node whose `problem` says so.

    Args:
        reference: A model's or dataset's reference, or a run's id.
        find: How to find things.
        kind: What the reference means; by default whatever exists, in that order.

    Raises:
        NotFound: There is nothing of this reference.
    """
    start, links, nodes, edges = started(reference, find, kind)
    waiting = deque((start.key, link) for link in links)
    seen: dict[tuple[str, str, str], Key] = {(*start.key, ""): start.key}
    while waiting:
        source, link = waiting.popleft()
        asked = (link.kind, link.ref, link.digest)
        if asked not in seen:
            node, more = visit(link, find)
            seen[asked] = node.key
            if node.key not in nodes:
                nodes[node.key] = node
                waiting.extend((node.key, further) for further in more)
        target = seen[asked]
        known = nodes[target]
        if link.digest and known.digest and link.digest != known.digest:
            nodes[target] = evolve(known, problem="not the content that was recorded")
        edges[Edge(source, link.relation, target)] = None
    return Lineage(next(iter(nodes.values())), tuple(nodes.values()), tuple(edges))


def started(
    reference: str, find: Lookups, kind: Literal["model", "dataset", "run"] | None = None
) -> tuple[Node, list[Link], dict[Key, Node], dict[Edge, None]]:
    """Give what a reference means and what that came from; and the beginning of a graph.

    Args:
        reference: A model's or dataset's reference, or a run's id.
        find: How to find things.
        kind: What the reference means.

    Returns:
        The thing, its links, and the nodes and edges of the graph, in order, each once: an alias
        comes before what it means.

    Raises:
        NotFound: There is nothing of this reference.
    """
    start, links = _start(reference, find, kind)
    nodes, edges = {start.key: start}, dict[Edge, None]()
    if start.kind != "run" and parse_reference(reference).alias is not None:
        root = Node("alias", reference)
        nodes = {root.key: root, **nodes}
        edges[Edge(root.key, "means", start.key)] = None
    return start, links, nodes, edges


def _start(reference: str, find: Lookups, kind: str | None) -> tuple[Node, list[Link]]:
    errors = []
    for each, look in (("model", _model), ("dataset", _dataset), ("run", _run)):
        if kind in (None, each):
            try:
                return look(reference, find)
            except NotFound as error:
                if each != "run" and _has_versions(look, reference, find):
                    raise
                errors.append(error)
    what = kind or "model, dataset or run"
    near = [error.hint for error in errors if error.hint.startswith("Did you mean")]
    hint = near[0] if near else "Look at store.models, store.datasets and store.search_runs()"
    message = f"There is no {what} {reference!r}"
    raise NotFound(message, hint=hint)


def _has_versions(look: _Look, reference: str, find: Lookups) -> bool:
    """Whether the name of a reference exists, so that only its version doesn't."""
    name = parse_reference(reference).name
    try:
        look(name, find)
    except NotFound:
        return False
    return name != reference


def visit(link: Link, find: Lookups) -> tuple[Node, list[Link]]:
    """Give what a link means, and what that came from; what can't be found has a `problem`."""
    look = {"model": _model, "dataset": _dataset, "run": _run}.get(link.kind)
    try:
        if look is not None:
            return _found(look, link, find)
        problem = "of a kind that this version doesn't know"
    except (NotFound, InvalidInput):
        problem = "missing"
    except (Corrupt, NewerFormat) as error:
        problem = f"unreadable: {error.message}"
    return Node(link.kind, link.ref, link.digest, problem=problem), []


def _found(look: _Look, link: Link, find: Lookups) -> tuple[Node, list[Link]]:
    """Look for what a link means; what has another number in this store is known by its digest."""
    found = None
    with suppress(NotFound):
        found = look(link.ref, find)
        if link.digest in {"", found[0].digest}:
            return found
    if link.digest:
        with suppress(NotFound, InvalidInput):
            digits = link.digest.removeprefix("sha256:")
            return look(f"{parse_reference(link.ref).name}#{digits}", find)
    return found or look(link.ref, find)


def _model(reference: str, find: Lookups) -> tuple[Node, list[Link]]:
    return of_model(find.model(reference))


def _dataset(reference: str, find: Lookups) -> tuple[Node, list[Link]]:
    return of_dataset(find.dataset(reference))


def of_model(version: ModelLike) -> tuple[Node, list[Link]]:
    """Give the node of a model's version, and what the version came from."""
    detail = f"saved {show_time(version.created_at)}"
    links = [*_made_by(version.run_id), *links_of(version.datasets, "trained on")]
    return Node("model", version.ref, version.digest, detail), links


def of_dataset(version: DatasetLike) -> tuple[Node, list[Link]]:
    """Give the node of a dataset's version, and what the version came from."""
    detail = "" if version.rows is None else f"{version.rows:,} rows"
    links = [*_made_by(version.run_id), *links_of(version.inputs, "made from")]
    return Node("dataset", version.ref, version.digest, detail), links


def _run(reference: str, find: Lookups) -> tuple[Node, list[Link]]:
    run = find.run(reference)
    detail = run_detail(run.name, run.experiment, run.status)
    links = links_of(run.inputs, "read")
    if run.parent_id is not None:
        links.append(Link("run", run.parent_id, "part of"))
    return Node("run", run.id, detail=detail), links


def run_detail(name: str | None, experiment: str, status: str) -> str:
    """Give what to say of a run."""
    return f"{name or 'a run'} of {experiment}, {status}"


def _made_by(run_id: str | None) -> list[Link]:
    return [] if run_id is None else [Link("run", run_id, "made by")]


def links_of(items: Sequence[Any], relation: Relation) -> list[Link]:
    """Give links as they were recorded: mappings, or bare references to datasets."""
    found = []
    for item in items:
        link = item if isinstance(item, Mapping) else {"ref": item}
        kind, digest = link.get("kind", "dataset"), link.get("digest") or ""
        found.append(Link(cast("Kind", str(kind)), str(link.get("ref")), relation, str(digest)))
    return found
