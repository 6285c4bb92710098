"""Filters: a text or an expression made into what tells which runs it means.

Nulls follow SQL: a comparison with what a run doesn't have is unknown, `not` of unknown is
unknown, and only runs for which the whole is true are found. Types are compared strictly: 4, '4'
and true are three things; values of different types are never equal, and have no order.
"""

from typing import TYPE_CHECKING, Any

from attrs import frozen

from mlkit.errors import FilterSyntax, InvalidInput
from mlkit.index.arrays import certain
from mlkit.query.expressions import Expression
from mlkit.query.fields import RunColumns
from mlkit.query.masks import mask_of
from mlkit.query.mistakes import check_filter
from mlkit.query.parser import Keys, parse
from mlkit.query.syntax import (
    And,
    Between,
    Comparison,
    Field,
    IsNull,
    Like,
    Membership,
    Node,
    Not,
    Or,
    fields_of,
)

if TYPE_CHECKING:
    import pyarrow as pa

_NODES = (And, Between, Comparison, IsNull, Like, Membership, Not, Or)


@frozen
class Filter:
    """A filter that is ready to use.

    Attributes:
        text: What was written.
        node: What it says.
        now: The present that times such as `-7d` count from; nanoseconds since 1970, UTC.

    Example:
        >>> Filter.of("metrics.auc > 0.8", now=0).node.text()
        'metrics.auc > 0.8'
    """

    text: str
    node: Node
    now: int

    @classmethod
    def of(
        cls, wanted: "str | Expression | Node", *, now: int, keys: Keys | None = None
    ) -> "Filter":
        """Read a filter.

        Args:
            wanted: The filter: text, an expression such as `mlkit.metric("auc") > 0.8`, or a node.
            now: The present, which times such as `-7d` count from; nanoseconds since 1970, UTC.
            keys: The keys that exist, by map, for better suggestions.

        Raises:
            FilterSyntax: It is no filter; the message points at the place.
            InvalidInput: It is something else.
        """
        text = _text(wanted)
        return cls(text, parse(text, keys), now)

    def mask(self, columns: RunColumns) -> "pa.BooleanArray":
        """Tell of each run whether it is meant.

        Args:
            columns: The runs; only the columns that the filter names are asked for.

        Returns:
            True for runs that are found; false, or null where the answer is unknown, for others.
        """
        import pyarrow as pa

        found = mask_of(self.node, columns, self.now)
        return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found

    def fields(self) -> tuple[Field, ...]:
        """Give the fields that the filter names, each once, from left to right.

        Example:
            >>> [field.text() for field in Filter.of("params.a > 1 or name = 'x'", now=0).fields()]
            ['params.a', 'name']
        """
        return tuple(dict.fromkeys(field for field, _ in fields_of(self.node)))

    def found(self, columns: RunColumns) -> "pa.BooleanArray":
        """Tell of each run whether it is found.

        Args:
            columns: The runs that are looked at.

        Raises:
            FilterSyntax: None is, and something in the filter looks like a mistake.
        """
        import pyarrow.compute as pc

        found = certain(self.mask(columns))
        if not pc.any(found).as_py():
            check_filter(self.text, self.node, columns)
        return found


def _text(wanted: Any) -> str:
    if isinstance(wanted, str):
        return wanted
    if not isinstance(wanted, (Expression, *_NODES)):
        message = f"A filter is text or an expression, not {type(wanted).__name__}"
        raise InvalidInput(message, hint="Write 'metrics.auc > 0.8', or mlkit.metric('auc') > 0.8")
    try:
        return wanted.text()
    except (RecursionError, ValueError) as error:  # nested too deep, or an int of too many digits
        message = f"This filter can't be written as text: {error}"
        raise FilterSyntax(message) from None
