"""What one column holds, taken in batch by batch, in bounded memory."""

import decimal
from typing import TYPE_CHECKING, Any, Self

from mlkit._core import shapes
from mlkit.data.logical import type_text
from mlkit.data.profiles.column_form import Form, bare_type, plain_array
from mlkit.data.profiles.distinct_sketch import DistinctSketch
from mlkit.data.profiles.frequent_sketch import FrequentSketch
from mlkit.data.profiles.number_sketch import NumberSketch
from mlkit.data.profiles.sketch_fields import count_of
from mlkit.data.profiles.ticks import Ticks
from mlkit.data.profiles.value_hashes import hash_bytes, hash_numbers
from mlkit.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST = 200
"""The letters by which texts are told apart among the commonest, and shown."""


class ColumnSketch:
    """Takes the values of one column in, and can be joined with the sketch of other rows.

    Args:
        name: The column.
        kind: Its Arrow type.

    Attributes:
        name: The column.
        type: Its logical type.
        form: What its values are taken for.
        ticks: Of times, how they count; else None.
        rows: How many values were taken in, with nulls.
        nulls: How many of them are null.
        nan: Of numbers, how many are NaN.
        infinite: Of numbers, how many are infinite.
        numbers: Finite numbers, or the ticks of times; empty for other forms.
        lengths: The lengths of texts (in letters), binaries (in bytes) and lists.
        distinct: How many different values there are.
        frequent: The commonest texts or truth values.
        low: The least text or decimal.
        high: The greatest.

    Raises:
        InvalidInput: A dataset can't hold the type.

    Example:
        >>> import pyarrow as pa
        >>> delay = ColumnSketch("delay", pa.float64())
        >>> delay.update(pa.array([3.0, None, 5.0]))
        >>> delay.nulls, delay.numbers.mean
        (1, 4.0)
    """

    def __init__(self, name: str, kind: "pa.DataType") -> None:
        bare, form = bare_type(kind), Form.of(kind)
        try:
            logical = type_text(kind)
        except InvalidInput as error:
            raise InvalidInput(f"Column {name!r}: {error.message}", hint=error.hint) from None
        ticks = Ticks.of(type_text(bare), bare) if form is Form.TIME else None
        self._start(name, logical, form, ticks, _numbers_of(bare, form))

    def _start(self, name: str, logical: str, form: Form, ticks: Ticks | None, kind: str) -> None:
        self.name, self.type, self.form, self.ticks = name, logical, form, ticks
        self.rows = self.nulls = self.nan = self.infinite = 0
        self.numbers = NumberSketch(kind)
        self.lengths = NumberSketch("int64")
        self.distinct = DistinctSketch()
        self.frequent = FrequentSketch()
        self.low: Any = None
        self.high: Any = None

    def update(self, array: "pa.Array") -> None:
        """Add the next values.

        Args:
            array: Of the column's type, in any layout.
        """
        plain = plain_array(array)
        self.rows += len(plain)
        if self.form is Form.NOTHING:
            self.nulls += len(plain)
            return
        self.nulls += plain.null_count
        if plain.null_count:
            plain = plain.drop_null()
        if not len(plain):
            return
        if self.form is Form.NUMBER:
            self._take_numbers(plain)
        elif self.form is Form.TIME:
            self._take_times(plain)
        elif self.form is Form.TEXT:
            self._take_texts(plain)
        elif self.form is Form.BYTES:
            self._take_bytes(plain)
        elif self.form is Form.TRUTH:
            self.frequent.update(plain.value_counts())
        elif self.form is Form.LIST:
            self._take_lists(plain)

    def _take_numbers(self, array: "pa.Array") -> None:
        import pyarrow as pa
        import pyarrow.compute as pc
        from pyarrow import types

        if types.is_decimal(array.type):
            self._widen(array)
            texts = array.unique().cast(pa.large_string())
            self.distinct.update(hash_bytes(texts))
            self.numbers.update(array.cast(pa.float64(), safe=False))
            return
        array = array.cast(self._number_type(), safe=False)
        if not types.is_floating(array.type):
            self._take_finite(array)
            return
        # One sum tells whether there may be any NaN or infinity, which most columns don't have.
        if not pc.is_finite(pc.sum(array)).as_py():
            odd = pc.is_nan(array)
            self.nan += pc.sum(odd).as_py()
            array = array.filter(pc.invert(odd))
            finite = pc.is_finite(array)
            endless = array.filter(pc.invert(finite))
            self.infinite += len(endless)
            if len(endless):
                self._widen(endless)
            self.distinct.update(hash_numbers(endless))
            array = array.filter(finite)
        self._take_finite(array)

    def _take_finite(self, array: "pa.Array") -> None:
        self.numbers.update(array)
        counts = self.numbers.counts()
        if counts is None:
            self.distinct.update(hash_numbers(array))
        elif len(array):
            self.distinct.update(hash_numbers(array.unique()))

    def _number_type(self) -> Any:
        import pyarrow as pa

        kinds = {"int64": pa.int64(), "uint64": pa.uint64(), "double": pa.float64()}
        return kinds[self.numbers.kind]

    def _take_times(self, array: "pa.Array") -> None:
        import pyarrow as pa

        width = pa.int32() if array.type.bit_width == 32 else pa.int64()  # noqa: PLR2004 - bits
        self._take_finite(array.view(width).cast(pa.int64()))

    def _take_texts(self, array: "pa.Array") -> None:
        import pyarrow.compute as pc

        self.lengths.update(pc.utf8_length(array).cast("int64"))
        counted = array.value_counts()
        texts = counted.field("values")
        self.distinct.update(hash_bytes(texts))
        self._widen(texts)
        if pc.max(pc.binary_length(texts)).as_py() > LONGEST:
            counted = pc.utf8_slice_codeunits(array, 0, LONGEST).value_counts()
        self.frequent.update(counted)

    def _take_bytes(self, array: "pa.Array") -> None:
        import pyarrow.compute as pc

        self.lengths.update(pc.binary_length(array).cast("int64"))
        self.distinct.update(hash_bytes(array.unique()))

    def _take_lists(self, array: "pa.Array") -> None:
        import pyarrow.compute as pc
        from pyarrow import types

        if types.is_map(array.type):
            lengths = pc.subtract(array.offsets.slice(1), array.offsets.slice(0, len(array)))
        else:
            lengths = pc.list_value_length(array)
        self.lengths.update(lengths.cast("int64"))

    def _widen(self, array: "pa.Array") -> None:
        import pyarrow.compute as pc

        ends = pc.min_max(array).as_py()
        self._widen_to(ends["min"], ends["max"])

    def _widen_to(self, low: Any, high: Any) -> None:
        if isinstance(low, str):
            low, high = low[:LONGEST], high[:LONGEST]
        self.low = low if self.low is None else min(low, self.low)
        self.high = high if self.high is None else max(high, self.high)

    def merge(self, other: "ColumnSketch") -> "ColumnSketch":
        """Give the sketch of the rows of both.

        Raises:
            InvalidInput: The columns have different types or units of time.
        """
        if (self.type, self.ticks) != (other.type, other.ticks):
            raise InvalidInput(
                f"Column {self.name!r} is {self._told()} here and {other._told()} there",  # noqa: SLF001 - of the same class
                hint="Cast one to the type of the other before it is profiled",
            )
        both = ColumnSketch.__new__(ColumnSketch)
        both._start(self.name, self.type, self.form, self.ticks, self.numbers.kind)  # noqa: SLF001 - of the same class
        for count in ("rows", "nulls", "nan", "infinite"):
            setattr(both, count, getattr(self, count) + getattr(other, count))
        both.numbers = self.numbers.merge(other.numbers)
        both.lengths = self.lengths.merge(other.lengths)
        both.distinct = self.distinct.merge(other.distinct)
        both.frequent = self.frequent.merge(other.frequent)
        for sketch in (self, other):
            if sketch.low is not None:
                both._widen_to(sketch.low, sketch.high)  # noqa: SLF001 - of the same class
        return both

    def _told(self) -> str:
        return f"{self.type} in {self.ticks.unit}" if self.ticks else self.type

    def compressed(self) -> "ColumnSketch":
        """Give the sketch in little room, as it is kept."""
        small = ColumnSketch.__new__(ColumnSketch)
        small.__dict__.update(self.__dict__)
        small.numbers, small.lengths = self.numbers.compressed(), self.lengths.compressed()
        small.distinct = self.distinct.merge(DistinctSketch())
        small.frequent = self.frequent.merge(FrequentSketch())
        return small

    def to_json(self) -> dict[str, Any]:
        """Give the sketch as plain values, fit for a JSON document."""
        return {
            "name": self.name,
            "type": self.type,
            "form": self.form.value,
            "ticks": self.ticks.to_json() if self.ticks else None,
            "rows": self.rows,
            "nulls": self.nulls,
            "nan": self.nan,
            "infinite": self.infinite,
            "numbers": self.numbers.to_json(),
            "lengths": self.lengths.to_json(),
            "distinct": self.distinct.to_json(),
            "frequent": self.frequent.to_json(),
            "low": None if self.low is None else str(self.low),
            "high": None if self.high is None else str(self.high),
        }

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Give the sketch of what `to_json` gave.

        Raises:
            InvalidInput: It is none.
        """
        try:
            return cls._read(data)
        except (ArithmeticError, ValueError) as error:
            raise InvalidInput(f"This is no sketch of a column: {error}") from error

    @classmethod
    def _read(cls, data: Any) -> Self:
        form = shapes.required(data, "form", str)
        if form not in {known.value for known in Form}:
            raise shapes.Misshapen(f"{form[:80]!r} is no form of values")
        sketch = cls.__new__(cls)
        name, logical = (shapes.required(data, key, str) for key in ("name", "type"))
        numbers = NumberSketch.from_json(shapes.required(data, "numbers", dict))
        ticks = Ticks.from_json(data.get("ticks")) if form == Form.TIME.value else None
        sketch._start(name, logical, Form(form), ticks, numbers.kind)  # noqa: SLF001 - of the same class
        sketch.numbers = numbers
        for count in ("rows", "nulls", "nan", "infinite"):
            setattr(sketch, count, count_of(data, count))
        sketch.lengths = NumberSketch.from_json(shapes.required(data, "lengths", dict))
        if sketch.lengths.kind != "int64" or (ticks and numbers.kind != "int64"):
            raise shapes.Misshapen("The numbers of a sketch are of another type than its column")
        sketch.distinct = DistinctSketch.from_json(shapes.required(data, "distinct", str))
        truth = sketch.form is Form.TRUTH
        sketch.frequent = FrequentSketch.from_json(
            bool if truth else str, shapes.required(data, "frequent", dict)
        )
        low, high = (shapes.optional(data, key, str) for key in ("low", "high"))
        if low is not None and high is not None:
            sketch._widen_to(sketch._end(low), sketch._end(high))  # noqa: SLF001 - of the same class
        if not sketch._adds_up():  # noqa: SLF001 - of the same class
            raise shapes.Misshapen(f"The counts of column {name[:80]!r} don't add up")
        return sketch

    def _adds_up(self) -> bool:
        """Tell whether each part has as many values as the whole."""
        values = self.rows - self.nulls
        common = sum(count for _, count in self.frequent.top())
        if self.form is Form.NUMBER:
            return self.numbers.count + self.nan + self.infinite == values
        if self.form is Form.TIME:
            return self.numbers.count == values
        if self.form is Form.TEXT:
            known = (self.low is None) == (values == 0)
            return common <= values == self.lengths.count and known
        if self.form is Form.TRUTH:
            return common == values
        sized = self.form in {Form.BYTES, Form.LIST}
        return values >= 0 and (not sized or self.lengths.count == values)

    def _end(self, text: str) -> Any:
        if self.form is Form.TEXT:
            return text
        return decimal.Decimal(text) if "decimal[" in self.type else float(text)


def _numbers_of(kind: "pa.DataType", form: Form) -> str:
    from pyarrow import types

    if form is Form.TIME or types.is_integer(kind):
        return "uint64" if types.is_uint64(kind) else "int64"
    return "double"
