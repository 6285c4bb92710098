"""What a model takes and gives: the columns of its input and output, checked before it predicts."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, cast, get_args

from attrs import field, frozen

from mlkit.errors import Corrupt, InvalidInput, SchemaMismatch
from mlkit.schema.arrangement import FLAT, MATRIX, NAMED, arranged
from mlkit.schema.arrow_types import (
    fits,
    nan_as_null,
    plain,
    type_from_json,
    type_name,
    type_to_json,
)
from mlkit.schema.columns import Columns
from mlkit.schema.frames import Form, form_of, to_arrow
from mlkit.schema.mismatch import Mismatch, Retyped

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN = 8


@frozen
class Signature:
    """The columns that a model takes and gives.

    Attributes:
        inputs: Names and types of the input's columns.
        output: Those of the output; None where it is unknown, or no table.
        form: What the model takes them as, one of the forms of `frames.form_of`.

    Example:
        >>> signature = Signature.infer([{"distance": 1400.0, "carrier": "UA"}], [0.3])
        >>> print(signature)
        distance: float64, carrier: string -> float64
        >>> signature.check([{"distance": 1400.0}])
        Traceback (most recent call last):
        ...
        mlkit.errors.SchemaMismatch: The input doesn't fit the model's signature: the column \
'carrier' is missing. Add 'carrier'
    """

    inputs: "pa.Schema" = field()
    output: "pa.Schema | None" = field(default=None)
    form: Form = field(default="arrow")

    @classmethod
    def infer(cls, input_example: Any, output: Any = None) -> Self:
        """Give the signature of an example and of what the model makes of it.

        Args:
            input_example: A few rows as the model takes them, in any form that `to_arrow` reads.
            output: What the model gave for them; None where it is unknown.

        Returns:
            The signature; without an output if that is no table.

        Raises:
            InvalidInput: The example is no table, or has a column that a signature can't hold.
        """
        form = form_of(input_example)
        inputs = _schema(to_arrow(input_example))
        try:
            given = None if output is None else _schema(to_arrow(output))
        except InvalidInput:
            given = None
        return cls(inputs, given, "arrow" if form == "stream" else form)

    def __str__(self) -> str:
        sides = [self.inputs] if self.output is None else [self.inputs, self.output]
        texts = [
            ", ".join(f"{column.name}: {type_name(column.type)}" for column in side)
            for side in sides
        ]
        if self.output is not None and self.output.names == ["0"]:  # one column without a name
            texts[1] = type_name(self.output.field(0).type)
        return " -> ".join(texts)

    def check(self, data: Any) -> Any:
        """Give data in the form, the order and the types that the model took, or say why not.

        Columns of frames are put in order. Whole numbers stand for floats, floats for integers if
        all of them are whole (pandas makes such of integers with gaps), texts for categories, and
        missing values may stand anywhere; everything else must be as it was.

        Args:
            data: What is to be predicted on.

        Returns:
            The data; themselves if nothing had to change.

        Raises:
            SchemaMismatch: Columns are missing, too many, or of other types; the message has the
                code that mends it.
            InvalidInput: They are no table at all.
        """
        data = data.collect() if hasattr(data, "collect") else data
        data = data.read_all() if hasattr(data, "read_all") else data
        form = form_of(data)
        columns = Columns(data, form)
        names = columns.names
        self._check_form(data, form, names)
        if self.form in FLAT:
            retyped = self._retyped(columns, dict(zip(self.inputs.names, names, strict=True)))
            mismatch = Mismatch(form, (), (), retyped)
        else:
            common = {name: name for name in self.inputs.names if name in names}
            mismatch = Mismatch(
                form,
                [name for name in self.inputs.names if name not in common],
                [name for name in names if name not in common],
                self._retyped(columns, common),
            )
        if mismatch:
            raise mismatch.error()
        return arranged(data, form, columns, self.inputs, self.form)

    def _check_form(self, data: Any, form: Form, names: list[str]) -> None:
        """Raise where names meet positions, or the number of positions differs."""
        if self.form in NAMED and form not in NAMED:
            listed = ", ".join(repr(name) for name in self.inputs.names[:_SHOWN])
            listed += ", …" if len(self.inputs.names) > _SHOWN else ""
            raise SchemaMismatch(
                f"The model takes columns by their names, and {_kind(data)} has none",
                hint=f"If they are in this order: X = pd.DataFrame(X, columns=[{listed}])",
            )
        width = len(self.inputs.names)
        if self.form in MATRIX and form in NAMED and set(names) != set(self.inputs.names):
            raise SchemaMismatch(
                f"The model takes an array of {width} columns without names, and the input has "
                f"{len(names)} columns with names",
                hint="If they are in the order of the training data: X = X.to_numpy()",
            )
        if self.form in MATRIX and form in FLAT:
            raise SchemaMismatch(
                f"The model takes an array of {width} columns, and the input has one dimension",
                hint="For one row: X = X.reshape(1, -1); for one column: X = X.reshape(-1, 1)",
            )
        if self.form in MATRIX and form in MATRIX and len(names) != width:
            raise SchemaMismatch(
                f"The model takes an array of {width} columns, and the input has {len(names)}",
                hint="Give it the columns of the training data in their order",
            )
        if self.form in FLAT and form not in FLAT:
            raise SchemaMismatch(
                f"The model takes one column, and the input is a table of {len(names)}",
                hint="Take the column out of it: X = X[name]",
            )

    def _retyped(self, columns: Columns, names: Mapping[str, str]) -> list[Retyped]:
        """Give the columns whose types don't fit.

        Args:
            columns: The columns of the data.
            names: Names in the signature to those in the data.
        """
        found = []
        for expected, name in names.items():
            kind = self.inputs.field(expected).type
            given = columns.kind(name)
            if not fits(kind, given):
                why = _unfit(kind, columns.values(name))
                if why is not None:
                    found.append(Retyped(name, kind, given, why))
        return found

    def to_json(self) -> dict[str, Any]:
        """Give the signature as JSON.

        Example:
            >>> Signature.infer({"a": [1]}).to_json()
            {'form': 'columns', 'inputs': [{'name': 'a', 'type': 'int64'}], 'output': None}
        """
        return {
            "form": self.form,
            "inputs": _to_json(self.inputs),
            "output": None if self.output is None else _to_json(self.output),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Give the signature of what `to_json` gave.

        Raises:
            Corrupt: It is no signature.
        """
        try:
            form, inputs, output = data["form"], data["inputs"], data["output"]
            if form not in get_args(Form) or not form:
                raise Corrupt(f"{form!r} is no form of a model's input")
            given = None if output is None else _from_json(output)
            return cls(_from_json(inputs), given, cast("Form", form))
        except (KeyError, TypeError, AttributeError) as error:
            raise Corrupt("A signature is incomplete") from error


def _schema(table: "pa.Table") -> "pa.Schema":
    """Give the plain types of a table's columns; those without a value have none (null)."""
    import pyarrow as pa

    for column in table.schema:
        try:
            type_to_json(column.type)
        except ValueError as error:
            raise InvalidInput(
                f"The column {column.name!r} can't be in a signature: {error}"
            ) from None
    return pa.schema([(column.name, plain(column.type)) for column in table.schema])


def _unfit(kind: "pa.DataType", values: Any) -> str | None:
    """Say what is wrong with values whose type doesn't fit; None when the values fit all the same.

    So it is with columns without a value, whole numbers that are stored wider than need be, and
    whole numbers that are stored as floats, as pandas does when some are missing.
    """
    from pyarrow import types

    if values.null_count == len(values):
        return None
    simple = plain(values.type)
    whole = types.is_integer(simple) and types.is_integer(kind)
    if not whole and not (types.is_floating(simple) and types.is_integer(kind)):
        return ""
    try:
        nan_as_null(values).cast(kind)
    except ValueError:
        return " with values beyond it" if whole else ""
    return None


def _to_json(schema: "pa.Schema") -> list[dict[str, Any]]:
    return [{"name": column.name, "type": type_to_json(column.type)} for column in schema]


def _from_json(columns: list[Any]) -> "pa.Schema":
    import pyarrow as pa

    return pa.schema([(str(column["name"]), type_from_json(column["type"])) for column in columns])


def _kind(data: Any) -> str:
    return "a list" if isinstance(data, list | tuple) else f"a {type(data).__name__}"
