"""The versions that runs read or made, which filters name as `dataset`, `model`, `input`, `output`.

A run may have several; a test holds when it holds for any of them, and a negated one for none. A
run that has none of the kind has no answer, as with a field that it lacks.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from mlkit._core.names import parse_reference
from mlkit.index.arrays import certain
from mlkit.query.fields import RunColumns
from mlkit.query.patterns import like
from mlkit.query.syntax import Constant, Field, Operator

if TYPE_CHECKING:
    import pyarrow as pa

_DIRECTIONS = {"input": ("inputs",), "output": ("outputs",)}
_HASH = "sha256:"

Asked = Callable[["pa.Array", "pa.Array"], Any]
"""Takes refs and digests, and tells which are meant."""


@frozen
class Links:
    """What runs have of a field that holds versions.

    Attributes:
        columns: What they read, made, or both: lists of kind, ref and digest.
        kind: Only versions of this kind; of any where it is None.
    """

    columns: "tuple[pa.ListArray, ...]"
    kind: str | None

    @classmethod
    def of(cls, columns: RunColumns, field: Field) -> "Links":
        """Give the versions that a field names."""
        directions = _DIRECTIONS.get(field.name, ("inputs", "outputs"))
        found = tuple(columns.links(one).combine_chunks() for one in directions)
        return cls(found, None if field.name in _DIRECTIONS else field.name)

    def present(self) -> Any:
        """Tell of each run whether it has one."""
        return self._any(None)

    def compared(self, sign: Operator, constant: Constant) -> Any:
        """Tell of each run whether one of its versions (`=`), or none (`!=`), is one meant.

        Args:
            sign: The operator.
            constant: `flights:3`, `flights` for any version, or `flights#1f3a` for the beginning
                of a digest.
        """
        import pyarrow.compute as pc

        found = self.among([constant])
        return found if sign == "=" else pc.invert(found)

    def among(self, constants: Sequence[Constant]) -> Any:
        """Tell of each run whether one of its versions is meant by one of several references."""
        import pyarrow.compute as pc

        asked = [_meant(str(constant)) for constant in constants]

        def meant(refs: "pa.Array", digests: "pa.Array") -> Any:
            found = certain(pc.is_null(refs))
            for one in asked:
                found = pc.or_(found, one(refs, digests))
            return found

        return self._known(meant)

    def like(self, pattern: str) -> Any:
        """Tell of each run whether one of its references, such as `flights:3`, matches."""
        return self._known(lambda refs, _: like(refs, pattern))

    def _known(self, asked: Asked) -> Any:
        import pyarrow.compute as pc

        return pc.if_else(self.present(), self._any(asked), None)

    def _any(self, asked: Asked | None) -> Any:
        import pyarrow.compute as pc

        first, *rest = (_any_link(column, self.kind, asked) for column in self.columns)
        return pc.or_(first, rest[0]) if rest else first


def _any_link(column: "pa.ListArray", kind: str | None, asked: Asked | None) -> Any:
    """Tell of each list whether one of its links is meant."""
    import pyarrow as pa
    import pyarrow.compute as pc

    links = column.values
    refs, digests = (pc.struct_field(links, name) for name in ("ref", "digest"))
    meant = pc.is_valid(links)
    if kind is not None:
        meant = pc.and_(meant, pc.equal(pc.struct_field(links, "kind"), kind))
    if asked is not None:
        meant = pc.and_(meant, asked(refs, digests))
    counts = pc.cumulative_sum(certain(meant).cast(pa.int64()))
    before = pa.concat_arrays([pa.array([0], pa.int64()), counts])
    starts, ends = column.offsets[:-1], column.offsets[1:]
    found = pc.greater(pc.subtract(before.take(ends), before.take(starts)), 0)
    return pc.and_(found, pc.is_valid(column))


def _meant(text: str) -> Asked:
    """Give what tells which versions a reference means."""
    import pyarrow.compute as pc

    reference = parse_reference(text)
    if reference.version is not None:
        return lambda refs, _: pc.equal(refs, str(reference))

    def of_name(refs: "pa.Array") -> Any:
        return pc.or_(pc.equal(refs, reference.name), pc.starts_with(refs, f"{reference.name}:"))

    digest = reference.digest
    if digest is None:
        return lambda refs, _: of_name(refs)

    def of_digest(refs: "pa.Array", digests: "pa.Array") -> Any:
        bare = pc.starts_with(digests, digest)
        return pc.and_(of_name(refs), pc.or_(bare, pc.starts_with(digests, _HASH + digest)))

    return of_digest
