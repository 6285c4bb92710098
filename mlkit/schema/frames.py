"""Tables of every library as Arrow: pandas, polars, numpy, columns, records, streams.

No library is imported that the caller hasn't imported already: who hands in a polars frame has
polars. What can't be a table says which column is the reason.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mlkit._core.names import parse_reference
from mlkit.errors import InvalidInput, InvalidName
from mlkit.schema.exact_types import are_integers, exact_type

if TYPE_CHECKING:
    import pyarrow as pa

Form = Literal[
    "pandas", "polars", "arrow", "array", "vector", "columns", "records", "rows", "list",
    "column", "stream", "",
]  # fmt: skip
"""What data come as: frames of pandas, polars and Arrow; numpy arrays of two dimensions (`array`)
and of one (`vector`); a dict of columns; a list of dicts (`records`), of lists (`rows`), of single
values (`list`); one column of pandas, polars or Arrow; anything else that gives an Arrow stream;
and nothing that is a table."""

_CLASSES: tuple[tuple[Form, str, tuple[str, ...]], ...] = (
    ("pandas", "pandas", ("DataFrame",)),
    ("polars", "polars", ("DataFrame", "LazyFrame")),
    ("arrow", "pyarrow", ("Table", "RecordBatch", "RecordBatchReader")),
    ("column", "pandas", ("Series", "Index")),
    ("column", "polars", ("Series",)),
    ("column", "pyarrow", ("Array", "ChunkedArray")),
)
_NO_NAMES = {"nan", "NaT", "<NA>"}
_NO_TYPES = {"Object": "Python objects", "Int128": "Int128", "UInt128": "UInt128"}
_SHOWN = 3
_MATRIX = 2


def form_of(data: Any) -> Form:
    """Tell what data come as, without looking at their values.

    Example:
        >>> form_of({"a": [1, 2]}), form_of([{"a": 1}]), form_of(7)
        ('columns', 'records', '')
    """
    for form, library, names in _CLASSES:
        if _is(data, library, *names):
            return form
    if _is(data, "numpy", "ndarray"):
        return _form_of_array(data)
    if isinstance(data, Mapping):
        return "columns"
    if isinstance(data, list | tuple):
        return _form_of_sequence(data)
    if hasattr(data, "__arrow_c_stream__") or callable(getattr(data, "to_arrow", None)):
        return "stream"
    return ""


def is_table(data: Any) -> bool:
    """Tell whether data look like a table, so that `to_arrow` takes them unless a column is bad.

    Single columns and lists of single values aren't tables, though `to_arrow` takes them too.

    Example:
        >>> is_table({"a": [1, 2]}), is_table({"a": 1}), is_table([1, 2])
        (True, False, False)
    """
    form = form_of(data)
    if form == "columns":
        return bool(data) and all(_is_sequence(column) for column in data.values())
    return form not in {"", "column", "list", "vector"}


def to_arrow(data: Any) -> "pa.Table":
    """Give data as an Arrow table, without copying where the library allows it.

    Args:
        data: A frame of pandas (its index is left out), polars or Arrow, a reader of Arrow batches,
            a numpy array of one or two dimensions (its columns become `0`, `1` …), a dict of
            columns, a list of dicts, a list of lists, one column, or any object with
            `__arrow_c_stream__` or `to_arrow`.

    Returns:
        The table, without metadata. Missing values of pandas are null.

    Raises:
        InvalidInput: It is no table, has no columns, two columns of one name, columns of different
            lengths, or a column whose values have no common type.

    Example:
        >>> to_arrow([{"a": 1, "b": "x"}, {"a": 2}]).to_pydict()
        {'a': [1, 2], 'b': ['x', None]}
    """
    form = form_of(data)
    if form in {"arrow", "stream"}:
        table = _from_arrow(data)
    elif form == "polars":
        table = _from_polars(data)
    else:
        table = _table(_columns(data, form))
    if not table.num_columns:
        raise InvalidInput(
            "A table without columns holds nothing", hint="Give it a column at least"
        )
    _check_unique(table.column_names)
    return table


def _columns(data: Any, form: Form) -> list[tuple[str, Any]]:
    """Give the columns of data that come column by column, or are turned that way."""
    if form == "pandas":
        names = _names(data.columns)
        return [(name, data.iloc[:, number]) for number, name in enumerate(names)]
    if form == "array":
        return [(str(number), data[:, number]) for number in range(data.shape[1])]
    if form == "columns":
        return list(zip(_names(data), data.values(), strict=True))
    if form == "records":
        keys = list(dict.fromkeys(key for record in data for key in record))
        columns = [[record.get(key) for record in data] for key in keys]
        return list(zip(_names(keys), columns, strict=True))
    if form == "rows":
        return _transposed(data)
    if form == "column":
        name = getattr(data, "name", None)
        return [("0" if name in {None, ""} else str(name), data)]
    if form in {"list", "vector"}:
        return [("0", data)]
    raise InvalidInput(f"{_described(data)} is no table", hint=_hint(data))


def to_column(values: Any, name: str) -> "pa.Array | pa.ChunkedArray":
    """Give the values of one column as an Arrow array.

    Args:
        values: A column of any library, or a sequence.
        name: The column's name, for messages.

    Raises:
        InvalidInput: The values have no common type, or no type that Arrow has.

    Example:
        >>> to_column([1, None], "a").null_count
        1
    """
    import pyarrow as pa

    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if not _is_sequence(values):
        raise InvalidInput(
            f"The column {name!r} is one value of type {type(values).__name__}, not a sequence",
            hint="Wrap it in a list",
        )
    if _is(values, "numpy", "ndarray"):
        values = _native(values, name)
    if _is(getattr(values, "dtype", None), "pandas", "SparseDtype"):
        raise InvalidInput(
            f"The column {name!r} is sparse", hint="Make it dense first: column.sparse.to_dense()"
        )
    try:
        array = _array(values, name)
    except InvalidInput:
        raise
    except (ValueError, TypeError, NotImplementedError, OverflowError) as error:
        raise _unfit(values, name, error) from error
    _check_unmixed(values, name, array.type)
    return array


def _array(values: Any, name: str) -> "pa.Array | pa.ChunkedArray":
    """Give values as Arrow takes them, but whole numbers up to 64 bits, and times as they are."""
    import pyarrow as pa

    from_pandas = _is(values, "pandas", "Series", "Index")
    try:
        array = pa.array(values, from_pandas=from_pandas)
    except OverflowError:
        if not are_integers(values):
            raise
        return pa.array(values, pa.uint64(), from_pandas=from_pandas)
    if isinstance(values, list | tuple) or str(getattr(values, "dtype", "")) == "object":
        kind = exact_type(values, array.type, name)
        if not kind.equals(array.type):
            return pa.array(values, kind, from_pandas=from_pandas)
    return array


def _table(columns: list[tuple[str, Any]]) -> "pa.Table":
    import pyarrow as pa

    arrays = {name: to_column(values, name) for name, values in columns}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        (first, most), *others = lengths.items()
        other = next(name for name, length in others if length != most)
        raise InvalidInput(
            f"The column {first!r} has {most} rows, and {other!r} has {lengths[other]}",
            hint="All columns of a table have the same number of rows",
        )
    return pa.table(arrays)


def _from_arrow(data: Any) -> "pa.Table":
    import pyarrow as pa

    if isinstance(data, pa.RecordBatchReader):
        data = data.read_all()
    elif not isinstance(data, pa.Table | pa.RecordBatch) and callable(
        getattr(data, "to_arrow", None)
    ):
        data = data.to_arrow()
    try:
        table = pa.table(data)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise InvalidInput(f"{_described(data)} gives no Arrow table: {error}") from error
    plain = [field.remove_metadata() for field in table.schema]
    return pa.Table.from_arrays(table.columns, schema=pa.schema(plain))


def _from_polars(data: Any) -> "pa.Table":
    frame = data.collect() if hasattr(data, "collect") else data
    for name, kind in frame.schema.items():
        what = _unknown_to_arrow(kind)
        if what:
            raise InvalidInput(
                f"The column {name!r} holds {what}, which Arrow has no type for",
                hint="Cast it to another type, such as a number, a text or a Decimal",
            )
    return _from_arrow(frame.to_arrow())


def _unknown_to_arrow(kind: Any) -> str:
    """Say what a type of polars holds that Arrow lacks; of objects it would get the addresses."""
    inner = getattr(kind, "inner", None)
    parts = [field.dtype for field in getattr(kind, "fields", ())]
    parts += [] if inner is None else [inner]
    name = getattr(kind, "__name__", type(kind).__name__)
    return _NO_TYPES.get(name, "") or next(filter(None, map(_unknown_to_arrow, parts)), "")


def _transposed(rows: Sequence[Sequence[Any]]) -> list[tuple[str, Any]]:
    width = len(rows[0])
    for number, row in enumerate(rows):
        if len(row) != width:
            raise InvalidInput(
                f"Row {number} has {len(row)} values, and row 0 has {width}",
                hint="All rows of a table have the same number of values",
            )
    return [(str(number), [row[number] for row in rows]) for number in range(width)]


def _names(labels: Iterable[Any]) -> list[str]:
    """Give the labels of columns as texts, each of which must be one of a kind."""
    texts: dict[str, Any] = {}
    for label in labels:
        if isinstance(label, tuple):
            raise InvalidInput(
                f"The column {label!r} has a name of several levels",
                hint='Join them first: frame.columns = ["_".join(name) for name in frame.columns]',
            )
        text = str(label)
        if label is None or (text in _NO_NAMES and not isinstance(label, str)):
            raise InvalidInput(
                f"A column has {label!r} instead of a name",
                hint="Give every column a name, for example with frame.columns = [...]",
            )
        if text in texts and texts[text] != label:
            raise InvalidInput(
                f"The columns {texts[text]!r} and {label!r} have the same name as text",
                hint="Rename one of them",
            )
        if text in texts:
            _check_unique([text, text])
        texts[text] = label
    return list(texts)


def _check_unique(names: Sequence[str]) -> None:
    if len(set(names)) == len(names):
        return
    name = next(name for name in names if names.count(name) > 1)
    raise InvalidInput(
        f"Two columns have the name {name!r}", hint="Rename or drop one, each name must be unique"
    )


def _check_unmixed(values: Any, name: str, kind: "pa.DataType") -> None:
    """Raise where Arrow would take values of several kinds by losing some of them.

    It takes text among bytes as bytes, and times among dates as dates.
    """
    from datetime import datetime

    from pyarrow import types

    lost: type | None = None
    if types.is_binary(kind) or types.is_large_binary(kind):
        lost = str
    elif types.is_date(kind) and not _is(values, "numpy", "ndarray"):
        lost = datetime
    if lost is not None and any(isinstance(value, lost) for value in values):
        raise _unfit(values, name, None)


def _unfit(values: Any, name: str, error: Exception | None) -> InvalidInput:
    """Give the error for a column that has no type: mixed values, or values of a strange type."""
    kinds: list[str] = []
    for value in values:
        kind = type(value).__name__
        missing = value is None or (kind == "float" and value != value)  # noqa: PLR0124 - NaN
        if not missing and kind not in kinds:
            kinds.append(kind)
    if len(kinds) > 1:
        more = ", …" if len(kinds) > _SHOWN else ""
        return InvalidInput(
            f"The column {name!r} mixes values of types {', '.join(kinds[:_SHOWN])}{more}",
            hint="Make them one type, for example text",
        )
    what = f" of type {kinds[0]}" if kinds else ""
    return InvalidInput(
        f"The values{what} in column {name!r} can't be kept in a table: {error}",
        hint="Turn them into numbers, texts, times, or lists and dicts of them",
    )


def _native(array: Any, name: str) -> Any:
    """Give a numpy array of one dimension in the byte order of this machine."""
    if array.ndim != 1:
        raise InvalidInput(
            f"The column {name!r} is an array of {array.ndim} dimensions",
            hint="Give each of its columns a name of its own",
        )
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _form_of_array(array: Any) -> Form:
    if array.dtype.names is None:
        if array.ndim == 1:
            return "vector"
        if array.ndim == _MATRIX:
            return "array"
    return ""


def _form_of_sequence(data: Sequence[Any]) -> Form:
    if not data:
        return ""
    if all(isinstance(item, Mapping) for item in data):
        return "records"
    if all(isinstance(item, list | tuple) for item in data):
        return "rows"
    return "list"


def _is_sequence(values: Any) -> bool:
    return not isinstance(values, str | bytes | Mapping) and hasattr(values, "__len__")


def _described(data: Any) -> str:
    shape = getattr(data, "shape", None)
    if isinstance(data, list | tuple):
        return f"An empty {type(data).__name__}"
    return f"A {type(data).__name__}" + (f" of shape {shape}" if isinstance(shape, tuple) else "")


def _hint(data: Any) -> str:
    if callable(getattr(data, "toarray", None)):
        return "It is sparse: make it dense with .toarray()"
    if isinstance(data, str) and _is_reference(data):
        return f"A reference is read by store.dataset({data!r})"
    dtype = getattr(data, "dtype", None)
    if getattr(dtype, "names", None):
        return "Make it a dict of columns: {name: array[name] for name in array.dtype.names}"
    return (
        "Use a frame of pandas, polars or Arrow, a numpy array of one or two dimensions, "
        "a dict of columns, or a list of dicts"
    )


def _is_reference(text: str) -> bool:
    try:
        parse_reference(text, "dataset")
    except InvalidName:
        return False
    return True


def _is(data: Any, module: str, *names: str) -> bool:
    """Tell whether data are of a class of a library, which isn't imported for that."""
    library = sys.modules.get(module)
    if library is None:
        return False
    kinds = (getattr(library, name, None) for name in names)  # None while it is being imported
    return isinstance(data, tuple(kind for kind in kinds if kind is not None))
