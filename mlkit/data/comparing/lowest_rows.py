"""The first rows of a kind, found in any order."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_SLACK = 1 << 16


class LowestRows:
    """The lowest numbers of rows among any number of them, and how many there were.

    Args:
        keep: So many are kept; None for all.
        width: How many numbers go together; the first of them decides.

    Example:
        >>> import pyarrow as pa
        >>> lowest = LowestRows(2, 1)
        >>> lowest.take(pa.array([7, 3]))
        >>> lowest.take(pa.array([5]))
        >>> lowest.count, lowest.rows()[0].to_pylist()
        (3, [3, 5])
    """

    def __init__(self, keep: int | None, width: int) -> None:
        self.count = 0
        self._keep = keep
        self._width = width
        self._pieces: list[pa.Table] = []
        self._held = 0

    def take(self, *numbers: "pa.Array") -> None:
        """Take some; those after the first go along with it."""
        import pyarrow as pa

        self.count += len(numbers[0])
        if len(numbers[0]) and self._keep != 0:
            table = pa.table(list(numbers), names=[str(n) for n in range(self._width)])
            self._pieces.append(table)
            self._held += len(table)
            if self._keep is not None and self._held > 4 * self._keep + _SLACK:
                self._sort()

    def rows(self) -> list["pa.Array"]:
        """Give the lowest, ascending."""
        import pyarrow as pa

        if not self._pieces:
            return [pa.array([], pa.int64())] * self._width
        self._sort()
        return [column.combine_chunks() for column in self._pieces[0].columns]

    def _sort(self) -> None:
        import pyarrow as pa

        table = pa.concat_tables(self._pieces).sort_by("0")
        table = table if self._keep is None else table.slice(0, self._keep)
        self._pieces = [table.combine_chunks()]
        self._held = len(table)
