"""Expectations from and to the schemas of TensorFlow Data Validation.

The schema is `tensorflow_metadata/proto/v0/schema.proto`. What one side has no word for is listed,
never dropped in silence: fields that this code doesn't know are found by their presence.
"""

import math
import struct
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attrs import frozen

from mlkit._core.extras import require
from mlkit.errors import InvalidInput
from mlkit.quality.column_expectation import ColumnExpectation

if TYPE_CHECKING:
    from mlkit.quality.expectations import Expectations

_MODULE = "tensorflow_metadata.proto.v0.schema_pb2"
_TYPES = {"INT": "integer", "FLOAT": "float", "BYTES": "string or binary"}
_LOGICAL = {
    "INT": ("integer", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    "FLOAT": ("float", "float16", "float32", "float64"),
    "BYTES": ("string or binary", "string", "binary"),
}
_UNCHECKED = ("PLANNED", "ALPHA", "DEPRECATED", "DEBUG_ONLY", "DISABLED")
_DOMAINS = ("int_domain", "float_domain", "string_domain", "bool_domain")
_TAKEN = {"name", "type", "presence", "value_count", "shape", "domain", "lifecycle_stage",
          "deprecated", *_DOMAINS}  # fmt: skip
_INT64 = (-(1 << 63), (1 << 63) - 1)


@frozen
class TfdvSchema:
    """Expectations as a schema of TensorFlow Data Validation.

    Attributes:
        schema: The `tensorflow_metadata.proto.v0.schema_pb2.Schema`.
        unmapped: What was expected and the schema has no word for.
    """

    schema: Any
    unmapped: tuple[str, ...]


def from_tfdv(schema: Any) -> dict[str, Any]:
    """Give the fields of the expectations that a schema is.

    Raises:
        MissingExtra: tensorflow-metadata isn't installed.
        InvalidInput: It is no schema.
    """
    kinds = require(_MODULE, extra="tfdv")
    if not isinstance(schema, kinds.Schema):
        raise InvalidInput(
            f"A {type(schema).__name__} is no schema of TFDV",
            hint="Parse it first, for example with google.protobuf.text_format.Parse",
        )
    unmapped: list[str] = []
    columns = []
    for feature in schema.feature:
        reading = _Feature(feature, schema, kinds)
        columns.append(reading.column())
        unmapped += reading.unmapped
    limits = schema.dataset_constraints
    domains = {"feature", "string_domain", "int_domain", "float_domain", "dataset_constraints"}
    unmapped += _left(schema, domains, "the schema")
    unmapped += _left(limits, {"min_examples_count", "max_examples_count"}, "dataset_constraints")
    return {
        "columns": columns,
        "min_rows": _end(limits, "min_examples_count"),
        "max_rows": _end(limits, "max_examples_count"),
        "others_allowed": False,  # TFDV takes a column that its schema lacks for an anomaly
        "unmapped": unmapped,
    }


class _Feature:
    """One feature of a schema, on its way to what is expected of a column."""

    def __init__(self, feature: Any, schema: Any, kinds: Any) -> None:
        self._feature, self._schema, self._kinds = feature, schema, kinds
        self._where = f"feature {feature.name!r}"
        self.unmapped: list[str] = []

    def column(self) -> ColumnExpectation:
        feature = self._feature
        stage = self._kinds.LifecycleStage.Name(feature.lifecycle_stage)
        if feature.deprecated or stage in _UNCHECKED:
            self._tell(
                f"nothing is expected, as it is {stage if stage in _UNCHECKED else 'DEPRECATED'}"
            )
            return ColumnExpectation(name=feature.name, required=False)
        self.unmapped += _left(feature, _TAKEN, self._where)
        found: dict[str, Any] = {"name": feature.name} | self._presence()
        kind = self._kinds.FeatureType.Name(feature.type)
        lengths = self._lengths()
        if lengths is not None:
            found |= lengths
            if kind in _TYPES:
                self._tell(f"type {kind} of the values in its lists")
            for name in (*_DOMAINS, "domain"):
                if feature.HasField(name):
                    self._tell(f"{name} of the values in its lists")
            return ColumnExpectation(**found)
        if kind in _TYPES:
            found["type"] = _TYPES[kind]
        elif kind != "TYPE_UNKNOWN":
            self._tell(f"type {kind}")
        return ColumnExpectation(**found | self._domain(kind))

    def _tell(self, what: str) -> None:
        self.unmapped.append(f"{self._where}: {what}")

    def _presence(self) -> dict[str, Any]:
        presence = self._feature.presence
        self.unmapped += _left(presence, {"min_fraction", "min_count"}, f"{self._where}: presence")
        if presence.min_count > 1:
            self._tell(f"presence.min_count {presence.min_count}")
        found: dict[str, Any] = {"required": presence.min_count > 0 or presence.min_fraction > 0}
        if presence.min_fraction > 0:
            found["nulls"] = min(max(1 - presence.min_fraction, 0.0), 1.0)
        return found

    def _lengths(self) -> dict[str, Any] | None:
        """Give the lengths of lists; None where there is one value a row."""
        feature = self._feature
        if feature.HasField("value_count"):
            count = feature.value_count
            if count.max == 1 and count.min <= 1:
                return None
            ends = {"min_length": _end(count, "min"), "max_length": _end(count, "max")}
            if ends["max_length"] == 0:  # TFDV takes it for no bound
                ends["max_length"] = None
            return ends
        sizes = [dim.size for dim in feature.shape.dim]
        if not sizes:
            return None
        if len(sizes) > 1 or sizes[0] <= 0:
            self._tell(f"shape {sizes}")
            return {}
        return {"min_length": sizes[0], "max_length": sizes[0]}

    def _domain(self, kind: str) -> dict[str, Any]:
        feature = self._feature
        name = next((name for name in _DOMAINS if feature.HasField(name)), None)
        domain = getattr(feature, name) if name else None
        if feature.HasField("domain"):
            name, domain = self._named(feature.domain)
        if name is None or domain is None:
            return {}
        self.unmapped += _left(
            domain, {"name", "min", "max", "value", "true_value", "false_value"},
            f"{self._where}: {name}",
        )  # fmt: skip
        mass = feature.distribution_constraints
        if name in {"string_domain", "bool_domain"} and mass.min_domain_mass < 1:
            self._tell(f"{name}, of which a share may be outside")
            return {}
        if name == "bool_domain":
            return self._truths(domain, kind)
        if name == "string_domain":
            values = tuple(domain.value)
            return {"values": values, "type": "string"} if values else {}
        ends = {key: _end(domain, key) for key in ("min", "max")}
        for key, end in ends.items():
            if isinstance(end, float) and math.isnan(end):
                self._tell(f"{name}.{key} nan")
                ends[key] = None
        return ends

    def _named(self, wanted: str) -> tuple[str | None, Any]:
        for name in ("string_domain", "int_domain", "float_domain"):
            for domain in getattr(self._schema, name):
                if domain.name == wanted:
                    return name, domain
        self._tell(f"domain {wanted!r}, which the schema doesn't have")
        return None, None

    def _truths(self, domain: Any, kind: str) -> dict[str, Any]:
        if kind == "BYTES" and domain.true_value and domain.false_value:
            return {"values": (domain.true_value, domain.false_value), "type": "string"}
        if kind == "INT":
            return {"values": (0, 1)}
        self._tell("bool_domain")
        return {}


def _left(message: Any, known: set[str], where: str) -> Iterator[str]:
    """Tell the fields that are set and that nothing was made of."""
    for descriptor, _ in message.ListFields():
        if descriptor.name not in known:
            yield f"{where}: {descriptor.name}"


def _end(message: Any, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


def to_tfdv(expectations: "Expectations") -> TfdvSchema:
    """Give expectations as a schema.

    Raises:
        MissingExtra: tensorflow-metadata isn't installed.
    """
    kinds = require(_MODULE, extra="tfdv")
    schema = kinds.Schema()
    unmapped = list(expectations.unmapped)
    for column in expectations.columns:
        unmapped += _add_feature(schema.feature.add(), column, kinds)
    limits = (
        ("min_examples_count", expectations.min_rows),
        ("max_examples_count", expectations.max_rows),
    )
    for name, end in limits:
        if end is not None:
            setattr(schema.dataset_constraints, name, end)
    unmapped += [f"{', '.join(key)} are together unique" for key in expectations.keys]
    unmapped += [one.sentence for one in expectations.baselines]
    if expectations.others_allowed:
        unmapped.append("other columns are allowed")
    return TfdvSchema(schema, tuple(unmapped))


def _add_feature(feature: Any, column: ColumnExpectation, kinds: Any) -> Iterator[str]:
    feature.name = column.name
    known = next((kind for kind, names in _LOGICAL.items() if column.type in names), None)
    if known is not None:
        feature.type = kinds.FeatureType.Value(known)
    if column.required:
        feature.presence.min_count = 1
    if column.nulls is not None:
        feature.presence.min_fraction = 1 - column.nulls
    left = set(column.kinds()) - {"nulls"}
    if column.type in _TYPES.values():
        left.discard("type")
    lists = (column.type or "").startswith(("list", "map"))
    if lists or column.type is None:
        left -= _write_lengths(feature, column, lists=lists)
    left -= _write_domain(feature, column, known)
    for kind in column.kinds():
        if kind in left:
            yield column.sentence(kind)


def _write_lengths(feature: Any, column: ColumnExpectation, *, lists: bool) -> set[str]:
    # Without a type, a length is that of a text as well: only both ends came from a schema's lists.
    if not lists and column.min_length is None:
        return set()
    written = set()
    for kind, end in (("min_length", column.min_length), ("max_length", column.max_length)):
        if end:
            setattr(feature.value_count, kind[:3], end)
            written.add(kind)
    return written


def _write_domain(feature: Any, column: ColumnExpectation, known: str | None) -> set[str]:
    """Write what a domain can say, and tell what that was."""
    values = column.values
    if values is not None:
        if known in {"BYTES", None} and all(isinstance(value, str) for value in values):
            feature.string_domain.value.extend(values)
            return {"values"}
        return set()
    ends = {"min": column.min, "max": column.max}
    written = set()
    for kind, end in ends.items():
        if not isinstance(end, int | float | Decimal):
            continue
        if known == "INT" and math.isfinite(end):
            whole = math.ceil(end) if kind == "min" else math.floor(end)
            if _INT64[0] <= whole <= _INT64[1]:
                setattr(feature.int_domain, kind, whole)
                written.add(kind)
        elif known == "FLOAT" and abs(float(end)) <= _FLOAT32:
            rounded = _outward(float(end), up=kind == "max")
            setattr(feature.float_domain, kind, rounded)
            if rounded == end:
                written.add(kind)
    return written


_FLOAT32 = 3.4028234663852886e38


def _outward(end: float, *, up: bool) -> float:
    """Give the nearest float of 32 bits, as bounds there have, that lets no less by."""
    near: float = struct.unpack("<f", struct.pack("<f", end))[0]
    if (near >= end) if up else (near <= end):
        return near
    bits: int = struct.unpack("<I", struct.pack("<f", near))[0]
    if near == 0:
        return math.copysign(2.0**-149, 1 if up else -1)
    away: float = struct.unpack("<f", struct.pack("<I", bits + (1 if (near > 0) == up else -1)))[0]
    return away
