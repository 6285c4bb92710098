"""What data must meet before they become a version, as far as this room needs to know."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import pyarrow as pa


class Checker(Protocol):
    """Looks at one table while its batches go by, in bounded memory.

    It belongs to one table, and its methods are called from one thread at a time: `update` for
    each batch in order, then `finish` once, then `close`. Without `finish`, as after an error,
    `close` alone gives everything back.
    """

    def update(self, batch: "pa.RecordBatch") -> None:
        """Look at the next rows, which have the schema that the checker was made for."""
        ...

    def finish(self) -> Mapping[str, Any]:
        """Give the verdict on all rows that were seen.

        Returns:
            What was found, in types that JSON has; it is kept with the version.

        Raises:
            DataRefused: The data don't meet what is demanded; the report is in `.report`.
        """
        ...

    def close(self) -> None:
        """Give back what was taken, such as temporary files; more than once does no harm."""
        ...


@runtime_checkable
class Demands(Protocol):
    """Something that data can be held against, such as `mlkit.Expectations`.

    It is a value: any number of checkers may be made of it, in any thread or process.
    """

    def checker(self, schema: "pa.Schema") -> Checker:
        """Give a checker for one table.

        Args:
            schema: The columns of the table. What they lack fails in `finish`, not here.
        """
        ...
