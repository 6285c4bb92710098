"""Promises of names of columns: any key has one, no two share one, and it says which key it is."""

import re

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlkit.index.naming import HOMES, KINDS, Key, Naming, escaped, unescaped
from mlkit.index.runs_schema import fixed_fields, kind_type
from mlkit.tables.delta_types import REFUSED, schema_from_json, schema_to_json

ANY = st.characters(codec=None)
HARD = st.sampled_from(
    [*REFUSED, "%", ".", "/", "\x00", "\x1f", "\x7f", "\ud83d", "\ude00", "\udc80"]
)
TWINS = st.sampled_from(["a", "A", "ß", "ss", "SS", "s", "K", "k", "\u212a", "é", "É", "e\u0301"])
ENDS = st.sampled_from(["%int", "%text", "%json", "%41", "%61", "%", "%%", "%2", "%ED%B2%80"])
NAMES = st.one_of(
    st.text(ANY, min_size=1, max_size=8),
    st.lists(HARD | TWINS | ENDS | ANY, min_size=1, max_size=5).map("".join),
)
KEYS = st.builds(
    lambda home, name, kind: Key(home, name, "float" if home == "metrics" else kind),
    st.sampled_from(HOMES),
    NAMES,
    st.sampled_from(KINDS),
)


def schema_of(naming):
    fields = [pa.field(column, kind_type(key.kind)) for key, column in naming.columns.items()]
    return pa.schema([*fixed_fields(), *fields])


@given(st.lists(st.lists(KEYS, max_size=12), max_size=4))
@example([[Key("params", "a", "int"), Key("params", "A", "int"), Key("params", "a", "text")]])
@example(
    [[Key("params", "a%int", "text")], [Key("params", "a", "int"), Key("params", "a", "text")]]
)
@example([[Key("params", "%41", "int"), Key("params", "A", "int"), Key("params", "a", "int")]])
@example([[Key("tags", "\ud83d\ude00", "text"), Key("tags", "\U0001f600", "text")]])
@example([[Key("params", "ß", "json"), Key("params", "SS", "json"), Key("params", "ss", "json")]])
def test_columns_say_which_key_they_hold_and_what_is_added_changes_none(batches):
    naming = Naming()
    for batch in batches:
        before = naming
        naming = naming.extended(dict.fromkeys(batch, 1), 1000)
        assert naming.columns.items() >= before.columns.items()
        assert set(batch) <= set(naming.columns)
    schema = schema_of(naming)
    again = schema_from_json(schema_to_json(schema))
    assert again == schema
    assert Naming.of(again) == naming
    assert all(char < "\ud800" or char > "\udfff" for name in schema.names for char in name)
    assert not any(re.search(r"[\x00-\x1f\x7f]", name) for name in schema.names)


@given(st.lists(KEYS, max_size=15))
def test_no_two_columns_differ_only_by_case(keys):
    columns = Naming().extended(dict.fromkeys(keys, 1), 1000).columns.values()
    for fold in (str.lower, str.casefold):
        assert len({fold(name) for name in columns}) == len(columns), fold


@given(st.sampled_from(HOMES), NAMES)
def test_a_name_that_was_escaped_is_the_same_again(home, name):
    text = escaped(home, name)
    assert text.encode()
    assert unescaped(text.removeprefix(f"{home}.")) == name


def test_a_key_of_plain_characters_is_called_as_its_user_calls_it():
    keys = [
        Key("params", "lr", "float"),
        Key("metrics", "train/loss", "float"),
        Key("paths", "model.tree.depth", "int"),
        Key("tags", "größe-1_2", "text"),
    ]
    naming = Naming().extended(dict.fromkeys(keys, 1), 10)
    assert list(naming.columns.values()) != []
    assert {naming.columns[key] for key in keys} == {
        "params.lr",
        "metrics.train/loss",
        "paths.model.tree.depth",
        "tags.größe-1_2",
    }


def test_of_several_types_the_most_frequent_has_the_plain_name_and_json_never():
    counts = {
        Key("params", "a", "text"): 5,
        Key("params", "a", "int"): 7,
        Key("params", "a", "json"): 9,
    }
    naming = Naming().extended(counts, 10)
    assert naming.kinds("params", "a") == {
        "int": "params.a",
        "text": "params.a%text",
        "json": "params.a%json",
    }


def test_the_most_frequent_keys_have_the_columns():
    counts = {Key("params", f"p{number}", "int"): number for number in range(100)}
    naming = Naming().extended(counts, 10)
    assert naming.names("params") == sorted(f"p{number}" for number in range(90, 100))
    assert naming.extended({Key("params", "new", "int"): 10**6}, 10) == naming


@pytest.mark.parametrize(("length", "has"), [(200, True), (201, False)])
def test_very_long_names_have_no_column(length, has):
    key = Key("params", "é" * length, "int")
    assert (key in Naming().extended({key: 1}, 10).columns) is has


def test_columns_that_every_run_has_are_no_keys():
    assert Naming.of(pa.schema(fixed_fields())) == Naming()
    assert Naming.of(pa.schema([("other.a", pa.int64()), ("params", pa.int64())])) == Naming()
