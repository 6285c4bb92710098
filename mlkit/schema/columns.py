"""The columns of data that are to be checked: names and types now, values only where needed."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlkit.schema.frames import Form, to_arrow, to_column

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBERS = "biuf"


class Columns:
    """Names, types and values of the columns of data.

    Frames of pandas and arrays of numpy aren't converted for their types: a number's type is known
    by its dtype, and values are looked at for the columns that are asked for.

    Args:
        data: The data.
        form: What they come as.
    """

    def __init__(self, data: Any, form: Form) -> None:
        self._data = data
        self._form = form
        self._values: dict[str, pa.Array | pa.ChunkedArray] = {}
        if form == "pandas" and not data.columns.is_unique:
            to_arrow(data)  # says which column is there twice

    @cached_property
    def names(self) -> list[str]:
        """The names, in the order of the data."""
        if self._form == "pandas":
            return [str(label) for label in self._data.columns]
        if self._form == "array":
            return [str(number) for number in range(self._data.shape[1])]
        return list(self._table.column_names)

    @cached_property
    def _table(self) -> "pa.Table":
        return to_arrow(self._data)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.names)}

    def kind(self, name: str) -> "pa.DataType":
        """Give the type of a column."""
        import pyarrow as pa

        dtype = self._dtypes[self._places[name]]
        if getattr(dtype, "kind", "O") in _NUMBERS and type(dtype).__module__.startswith("numpy"):
            try:
                return pa.from_numpy_dtype(dtype)
            except NotImplementedError:  # floats longer than 64 bits, foreign byte orders
                return self.values(name).type
        return self.values(name).type

    def values(self, name: str) -> "pa.Array | pa.ChunkedArray":
        """Give the values of a column."""
        if name not in self._values:
            place = self._places[name]
            if self._form == "pandas":
                self._values[name] = to_column(self._data.iloc[:, place], name)
            elif self._form == "array":
                self._values[name] = to_column(self._data[:, place], name)
            else:
                self._values[name] = self._table.column(place)
        return self._values[name]

    @cached_property
    def _dtypes(self) -> list[Any]:
        if self._form == "pandas":
            return list(self._data.dtypes)
        if self._form == "array":
            return [self._data.dtype] * len(self.names)
        return [None] * len(self.names)
