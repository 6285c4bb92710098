"""What a table holds, at a glance: counts, nulls, ranges, spread, and the commonest values."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

from attrs import frozen

from mlkit._core import shapes
from mlkit._core.names import unknown
from mlkit.data.profiles.column_form import plain_array
from mlkit.data.profiles.column_profile import QUANTILES, ColumnProfile, Lengths
from mlkit.data.profiles.column_sketch import ColumnSketch
from mlkit.data.profiles.profile_display import profile_cells, profile_html, profile_text
from mlkit.display.page import fragment
from mlkit.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "QUANTILES",
    "ColumnProfile",
    "Lengths",
    "Profile",
    "profile_batches",
    "profile_column",
]

_FORMAT = 1
_ROWS = 1 << 17
_BYTES = 64 << 20
_FEW = 1 << 16  # values, up to which threads cost more than they bring


@frozen(repr=False)
class Profile:
    """What a table holds.

    Attributes:
        rows: The number of rows.
        columns: Each column, in the table's order.
    """

    rows: int
    columns: tuple[ColumnProfile, ...]

    HEADER = ("column", "type", "nulls", "distinct", "min", "median", "max", "mean", "std", "top")
    """What the cells of `cells` are."""

    def __getitem__(self, name: str) -> ColumnProfile:
        """Give a column by its name.

        Raises:
            NotFound: There is none of this name; near names are suggested.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise unknown("column", name, (column.name for column in self.columns))

    def merge(self, other: "Profile") -> "Profile":
        """Give the profile of the rows of both, without reading them.

        Args:
            other: The profile of other rows with the same columns.

        Raises:
            InvalidInput: The columns are others, or have other types.

        Example:
            >>> import pyarrow as pa
            >>> parts = [pa.record_batch({"x": [1, 2]}), pa.record_batch({"x": [3]})]
            >>> first, second = (profile_batches(part.schema, [part]) for part in parts)
            >>> first.merge(second)["x"].max
            3
        """
        if not isinstance(other, Profile):
            raise InvalidInput(f"{other!r:.80} is no profile", hint="Give version.profile")
        names = [[column.name for column in one.columns] for one in (self, other)]
        if names[0] != names[1]:
            raise InvalidInput(
                f"The profiles have other columns: {_listed(names[0])} and {_listed(names[1])}",
                hint="Only profiles of parts of one table can be joined",
            )
        columns = zip(self.columns, other.columns, strict=True)
        return Profile(self.rows + other.rows, tuple(one.merge(two) for one, two in columns))

    def to_json(self) -> dict[str, Any]:
        """Give all of it as plain values, fit for a JSON document."""
        columns = [column.to_json() for column in self.columns]
        return {"profile": _FORMAT, "rows": self.rows, "columns": columns}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Give the profile of what `to_json` gave.

        Raises:
            InvalidInput: It is none.
        """
        try:
            if shapes.required(data, "profile", int) != _FORMAT:
                raise InvalidInput(
                    f"The profile has format {data['profile']}, which this version can't read",
                    hint="A newer mlkit can",
                )
            rows = shapes.required(data, "rows", int)
            columns = shapes.items(data, "columns", dict)
        except shapes.Misshapen as error:
            raise InvalidInput(f"This is no profile: {error}") from error
        return cls(rows, tuple(map(ColumnProfile.from_json, columns)))

    def cells(self) -> list[tuple[str, ...]]:
        """Give the profile as texts: a row for each column, under `HEADER`."""
        return [profile_cells(column) for column in self.columns]

    def _repr_html_(self) -> str:
        return fragment(profile_html(self.rows, self.columns))

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return profile_text(self.rows, self.columns)


def profile_batches(schema: "pa.Schema", batches: Iterable["pa.RecordBatch"]) -> Profile:
    """Give what a table holds, in one pass over its batches and in bounded memory.

    The same batches give the same profile. Columns are taken in by several threads.

    Args:
        schema: The names and types of the columns.
        batches: The rows, in batches of this schema.

    Returns:
        The profile; its figures are exact for columns with few different values, and else have
        an error that it tells, see `ColumnProfile`.

    Raises:
        InvalidInput: A batch has other columns, or a dataset can't hold a type.

    Example:
        >>> import pyarrow as pa
        >>> batch = pa.record_batch({"carrier": ["UA", "AA", "UA"], "delay": [3.0, None, 5.0]})
        >>> profile = profile_batches(batch.schema, [batch])
        >>> profile["carrier"].top, profile["delay"].nulls
        ((('UA', 2), ('AA', 1)), 1)
    """
    sketches = [ColumnSketch(field.name, field.type) for field in schema]
    rows = 0
    with ThreadPoolExecutor(thread_name_prefix="mlkit-profile") as pool:
        for window in _windows(schema, batches):
            rows += sum(batch.num_rows for batch in window)
            columns = [[batch.column(at) for batch in window] for at in range(len(sketches))]
            few = sum(map(len, sketches and columns[0])) * len(sketches) <= _FEW
            jobs = (map if few else pool.map)(_take, sketches, columns)
            for _ in jobs:
                pass
    return Profile(rows, tuple(map(ColumnProfile.of, sketches)))


def profile_column(name: str, column: "pa.ChunkedArray") -> ColumnProfile:
    """Give what a column holds.

    Example:
        >>> import pyarrow as pa
        >>> delay = profile_column("delay", pa.chunked_array([[3.0, None, 5.0]]))
        >>> delay.nulls, delay.min, delay.mean
        (1, 3.0, 4.0)
    """
    import pyarrow as pa

    table = pa.table([column], names=[name])
    return profile_batches(table.schema, table.to_batches()).columns[0]


def _windows(
    schema: "pa.Schema", batches: Iterable["pa.RecordBatch"]
) -> Iterator[list["pa.RecordBatch"]]:
    """Give batches in groups of a good size, since each group costs something."""
    window: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        if batch.schema.names != schema.names or batch.schema.types != schema.types:
            raise InvalidInput(
                "A batch has other columns than the schema says",
                hint=f"The schema has: {_listed(schema.names)}",
            )
        for start in range(0, batch.num_rows, _ROWS):
            part = batch.slice(start, _ROWS)
            if window and (rows + part.num_rows > _ROWS or size + part.nbytes > _BYTES):
                yield window
                window, rows, size = [], 0, 0
            window.append(part)
            rows, size = rows + part.num_rows, size + part.nbytes
    if window:
        yield window


def _take(sketch: ColumnSketch, arrays: list["pa.Array"]) -> None:
    import pyarrow as pa

    try:
        plain = [plain_array(array) for array in arrays]
        sketch.update(plain[0] if len(plain) == 1 else pa.concat_arrays(plain))
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"Column {sketch.name!r} of type {sketch.type} can't be profiled: {error}"
        ) from error


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")  # noqa: PLR2004 - fits a line
