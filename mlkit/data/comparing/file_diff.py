"""Files that were added, removed, changed and renamed from one version to another."""

from collections import defaultdict, deque
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit.objects.manifest import Manifest

_MARKS = ("url", "etag", "version", "modified")


@frozen
class FileDiff:
    """What became of the files; each list is sorted by path.

    Attributes:
        added: Paths that only the newer side has, of files that aren't renamed ones.
        removed: Likewise those that only the older side has.
        changed: Paths of both whose content differs.
        renamed: Paths that only the older side has, with those that only the newer side has and
            that hold the same content.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()


def file_diff(before: "Manifest", after: "Manifest") -> FileDiff:
    """Give what became of files, by their paths and what is known of their content.

    Files of references are known by what their storage said of them, so one is found again under
    another path only where it gave an etag. Empty files are never renamed ones: they are all equal.

    Example:
        >>> from mlkit.objects.manifest import FileEntry, Manifest
        >>> digest = "sha256:" + "5" * 64
        >>> old = Manifest.of([FileEntry("cat.png", 5, digest)])
        >>> file_diff(old, Manifest.of([FileEntry("cats/tom.png", 5, digest)])).renamed
        (('cat.png', 'cats/tom.png'),)
    """
    import pyarrow.compute as pc

    old, new = _facts(before), _facts(after)
    where = pc.index_in(old["path"], new["path"])
    there = pc.is_in(new["path"], old["path"])
    both = old.filter(where.is_valid())
    differ = _differ(both, new.take(where.drop_null()))
    removed = _contents(old.filter(where.is_null()))
    added = _contents(new.filter(pc.invert(there)))
    renamed = _renamed(removed, added)
    gone, come = {path for path, _ in renamed}, {path for _, path in renamed}
    return FileDiff(
        added=tuple(path for path in added if path not in come),
        removed=tuple(path for path in removed if path not in gone),
        changed=tuple(both["path"].filter(differ).to_pylist()),
        renamed=renamed,
    )


def _facts(files: "Manifest") -> "pa.Table":
    """Give what is known of each file, in columns of one piece, sorted by path."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = files.table.combine_chunks()
    facts = {name: table[name] for name in ("path", "size", "digest")}
    sources = table["source"]
    return pa.table({**facts, **{mark: pc.struct_field(sources, mark) for mark in _MARKS}})


def _differ(old: "pa.Table", new: "pa.Table") -> "pa.Array":
    """Tell of each pair of files whether anything but the path differs; null is equal to null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    differ = pa.repeat(pa.scalar(False), len(old))  # noqa: FBT003 - pyarrow's own
    for name in old.column_names[1:]:
        left, right = old[name], new[name]
        unlike = pc.not_equal(left, right).fill_null(False)  # noqa: FBT003
        lacking = pc.xor(left.is_null(), right.is_null())
        differ = pc.or_(differ, pc.or_(unlike, lacking))
    return differ


def _contents(files: "pa.Table") -> dict[str, Hashable]:
    """Give what tells the content of each file; None where nothing does."""
    columns = [files[name].to_pylist() for name in ("path", "size", "digest", "etag")]
    return {
        path: (size, digest or etag) if size and (digest or etag) else None
        for path, size, digest, etag in zip(*columns, strict=True)
    }


def _renamed(
    removed: Mapping[str, Hashable], added: Mapping[str, Hashable]
) -> tuple[tuple[str, str], ...]:
    """Pair paths of one content; those that share their last part first, then in their order."""
    found = _paired(removed, added, named=True)
    taken = set(found.values())
    others = {path: content for path, content in removed.items() if path not in found}
    left = {path: content for path, content in added.items() if path not in taken}
    return tuple(sorted([*found.items(), *_paired(others, left, named=False).items()]))


def _paired(
    removed: Mapping[str, Hashable], added: Mapping[str, Hashable], *, named: bool
) -> dict[str, str]:
    """Pair paths of one content, and of one last part where that is asked for."""

    def mark(path: str, content: Hashable) -> Any:
        return content, path.rpartition("/")[2] if named else ""

    places: defaultdict[Any, deque[str]] = defaultdict(deque)
    for path, content in added.items():
        places[mark(path, content)].append(path)
    pairs = {}
    for path, content in removed.items():
        if content is not None and (waiting := places.get(mark(path, content))):
            pairs[path] = waiting.popleft()
    return pairs
