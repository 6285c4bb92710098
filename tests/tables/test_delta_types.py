"""Promises of schemas in logs: they come back as they were, and no other is believed."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.errors import Corrupt, InvalidInput
from mlkit.tables.delta_types import REFUSED, schema_from_json, schema_to_json

NAMES = st.text(st.characters(codec="utf-8", exclude_characters=REFUSED), min_size=1, max_size=10)
PLAIN = st.sampled_from(
    [
        pa.string(),
        pa.int64(),
        pa.int16(),
        pa.float64(),
        pa.bool_(),
        pa.timestamp("us", tz="UTC"),
    ]
)


def structs(inner):
    fields = st.lists(st.tuples(NAMES, inner), min_size=1, max_size=3, unique_by=lambda one: one[0])
    return fields.map(pa.struct)


TYPES = st.recursive(
    PLAIN,
    lambda inner: (
        inner.map(lambda kind: pa.list_(pa.field("element", kind)))
        | st.tuples(PLAIN, inner).map(lambda pair: pa.map_(*pair))
        | structs(inner)
    ),
    max_leaves=5,
)


@given(st.dictionaries(NAMES, st.tuples(TYPES, st.booleans()), max_size=5))
def test_a_schema_comes_back_as_it_was(columns):
    schema = pa.schema([pa.field(name, *kind) for name, kind in columns.items()])
    text = schema_to_json(schema)
    assert schema_from_json(text) == schema
    assert json.loads(text)["type"] == "struct"


@pytest.mark.parametrize("name", ["", *(f"a{char}b" for char in REFUSED)])
def test_a_name_that_spark_refuses_is_refused(name):
    with pytest.raises(InvalidInput, match="can't be the name of a column"):
        schema_to_json(pa.schema([(name, pa.string())]))


@pytest.mark.parametrize("kind", [pa.int8(), pa.large_string(), pa.timestamp("ns"), pa.null()])
def test_a_type_that_tables_do_not_use_is_refused(kind):
    with pytest.raises(InvalidInput, match="can't hold the type"):
        schema_to_json(pa.schema([("a", kind)]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "{}",
        '{"fields": 7}',
        '{"fields": [7]}',
        '{"fields": [{"name": "a", "type": "binary", "nullable": true}]}',
        '{"fields": [{"name": "a", "type": {"type": "variant"}, "nullable": true}]}',
        '{"fields": [{"name": "a", "type": {"type": "array"}, "nullable": true}]}',
        '{"fields": [{"name": "a", "type": 7, "nullable": true}]}',
        '{"fields": [{"name": "a", "type": "long"}]}',
        '{"fields": [{"name": 7, "type": "long", "nullable": true}]}',
        "[" * 100_000,
    ],
    ids=range(12),
)
def test_what_is_no_schema_is_damage(text):
    with pytest.raises(Corrupt):
        schema_from_json(text)
