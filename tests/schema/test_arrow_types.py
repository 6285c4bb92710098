"""Types of columns: their plain layout, their JSON, and what fits."""

import pyarrow as pa
import pytest

from mlkit.errors import Corrupt
from mlkit.schema.arrow_types import fits, plain, type_from_json, type_name, type_to_json

TYPES = [
    pa.null(), pa.bool_(), pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(),
    pa.string(), pa.binary(), pa.date32(), pa.timestamp("us"), pa.timestamp("ns", "Europe/Rome"),
    pa.duration("ms"), pa.time32("s"), pa.time64("ns"), pa.decimal128(10, 2), pa.decimal256(50, 3),
    pa.binary(16), pa.list_(pa.int8()), pa.list_(pa.float32(), 3), pa.map_(pa.string(), pa.int8()),
    pa.struct([("a", pa.int8()), ("b", pa.list_(pa.string()))]),
    pa.dictionary(pa.int32(), pa.string(), ordered=True),
]  # fmt: skip


class Opaque(pa.ExtensionType):
    def __init__(self):
        super().__init__(pa.large_string(), "test.opaque")

    def __arrow_ext_serialize__(self):
        return b""


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_a_type_comes_back_from_its_json(kind):
    assert type_from_json(type_to_json(kind)).equals(kind)


@pytest.mark.parametrize(
    ("layout", "simple"),
    [
        (pa.large_string(), pa.string()),
        (pa.string_view(), pa.string()),
        (pa.large_binary(), pa.binary()),
        (pa.date64(), pa.date32()),
        (pa.large_list(pa.large_string()), pa.list_(pa.string())),
        (pa.list_view(pa.int8()), pa.list_(pa.int8())),
        (pa.run_end_encoded(pa.int32(), pa.int8()), pa.int8()),
        (pa.dictionary(pa.int8(), pa.large_string()), pa.dictionary(pa.int32(), pa.string())),
        (pa.decimal256(10, 2), pa.decimal128(10, 2)),
        (Opaque(), pa.string()),
    ],
    ids=str,
)
def test_layouts_of_one_thing_have_one_plain_type(layout, simple):
    assert plain(layout).equals(simple)


def test_a_type_that_no_signature_holds_is_named():
    with pytest.raises(ValueError, match="month_day_nano"):
        type_to_json(pa.month_day_nano_interval())


@pytest.mark.parametrize(
    "data",
    ["float65", {}, {"list": 3}, {"timestamp": "h"}, {"decimal": [900, 1]}, 7, None, {"os": "int8"},
     {"binary": "x"}, {"dictionary": "string"}, {"struct": [{}]}, {"map": ["string"]}, "__class__"],
)  # fmt: skip
def test_what_is_no_type_is_corrupt(data):
    with pytest.raises(Corrupt, match="is no type of a column"):
        type_from_json(data)


def test_a_type_nested_without_end_is_corrupt():
    data = "int8"
    for _ in range(100):
        data = {"list": data}
    with pytest.raises(Corrupt, match="nested too deeply"):
        type_from_json(data)


@pytest.mark.parametrize(
    ("expected", "given"),
    [
        (pa.float64(), pa.int64()),
        (pa.float64(), pa.float32()),
        (pa.float64(), pa.bool_()),
        (pa.int64(), pa.int8()),
        (pa.int64(), pa.uint32()),
        (pa.int64(), pa.bool_()),
        (pa.uint16(), pa.uint8()),
        (pa.string(), pa.large_string()),
        (pa.dictionary(pa.int32(), pa.string()), pa.string()),
        (pa.string(), pa.dictionary(pa.int8(), pa.large_string())),
        (pa.float64(), pa.null()),
        (pa.null(), pa.float64()),
        (pa.timestamp("ns"), pa.timestamp("s")),
        (pa.timestamp("us", "UTC"), pa.timestamp("us", "Europe/Rome")),
        (pa.duration("s"), pa.duration("ns")),
        (pa.time32("s"), pa.time64("ns")),
        (pa.decimal128(10, 2), pa.decimal128(8, 1)),
        (pa.list_(pa.float64()), pa.list_(pa.int8(), 2)),
        (pa.struct([("a", pa.float64())]), pa.struct([("a", pa.int8())])),
    ],
    ids=str,
)
def test_a_type_fits_where_no_value_is_lost(expected, given):
    assert fits(expected, given)


@pytest.mark.parametrize(
    ("expected", "given"),
    [
        (pa.int64(), pa.float64()),
        (pa.float32(), pa.float64()),
        (pa.float64(), pa.string()),
        (pa.string(), pa.int64()),
        (pa.int8(), pa.int64()),
        (pa.int64(), pa.uint64()),
        (pa.uint64(), pa.int8()),
        (pa.int64(), pa.string()),
        (pa.bool_(), pa.int8()),
        (pa.timestamp("us", "UTC"), pa.timestamp("us")),
        (pa.timestamp("us"), pa.date32()),
        (pa.decimal128(10, 2), pa.decimal128(10, 3)),
        (pa.decimal128(10, 2), pa.float64()),
        (pa.list_(pa.int8()), pa.list_(pa.string())),
        (pa.list_(pa.int8()), pa.int8()),
        (pa.struct([("a", pa.int8())]), pa.struct([("b", pa.int8())])),
        (pa.struct([("a", pa.int8())]), pa.int8()),
    ],
    ids=str,
)
def test_a_type_does_not_fit_where_a_value_could_be_lost(expected, given):
    assert not fits(expected, given)


def test_names_for_messages_are_those_of_numpy():
    assert [type_name(kind) for kind in (pa.float16(), pa.float32(), pa.date32(), pa.int8())] == [
        "float16",
        "float32",
        "date32",
        "int8",
    ]
