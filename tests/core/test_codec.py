import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit._core.codec import decode_document, decode_value, encode_document, encode_value
from mlkit.errors import Corrupt, InvalidInput, NewerFormat

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


@given(values)
def test_every_value_comes_back_with_its_type(value):
    assert same(decode_value(encode_value(value)), value)


@given(values)
def test_what_is_written_is_strict_json(value):
    def refuse(name):
        pytest.fail(f"{name} is no JSON")

    json.loads(encode_value(value), parse_constant=refuse)


@given(st.dictionaries(st.sampled_from(["a", "b", "$c"]), values))
def test_a_document_comes_back_whole(body):
    assert same(decode_document(encode_document("thing", body), "thing", "here"), body)


def test_text_that_utf8_cant_hold_survives_in_a_document():
    body = {"name": "caf\udce9"}
    assert decode_document(encode_document("thing", body), "thing", "here") == body


def test_every_flipped_bit_of_a_document_is_found():
    data = encode_document("thing", {"name": "flights", "rows": 3})
    for index in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[index] ^= 1 << bit
            with pytest.raises(Corrupt):
                decode_document(bytes(changed), "thing", "here")


def test_every_cut_of_a_document_is_found():
    data = encode_document("thing", {"name": "flights"})
    for size in range(len(data)):
        with pytest.raises(Corrupt):
            decode_document(data[:size], "thing", "here")


def test_a_document_of_a_newer_format_asks_for_an_upgrade(monkeypatch):
    monkeypatch.setattr("mlkit._core.codec.FORMAT", 2)
    data = encode_document("thing", {})
    monkeypatch.undo()
    with pytest.raises(NewerFormat, match="pip install -U"):
        decode_document(data, "thing", "here")


def test_a_document_of_another_kind_is_refused():
    with pytest.raises(Corrupt, match="'thing', not 'other'"):
        decode_document(encode_document("thing", {}), "other", "here")


def test_what_proves_itself_but_is_no_json_is_refused():
    import hashlib

    prefix = b"{not json"
    seal = b',\n "sha256": "' + hashlib.sha256(prefix).hexdigest().encode() + b'"}\n'
    with pytest.raises(Corrupt, match="no JSON"):
        decode_document(prefix + seal, "thing", "here")


def test_reserved_fields_are_refused():
    with pytest.raises(InvalidInput, match="'kind'"):
        encode_document("thing", {"kind": "x"})


def test_what_json_cant_hold_is_refused():
    with pytest.raises(InvalidInput, match="can't be kept as JSON"):
        encode_value({"x": object()})


def test_a_value_within_itself_is_refused():
    loop = []
    loop.append(loop)
    with pytest.raises(InvalidInput, match="refers to itself"):
        encode_value(loop)


def test_values_nested_too_deeply_are_refused_both_ways():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidInput, match="too deeply"):
        encode_value(deep)
    with pytest.raises(ValueError, match="too deeply"):
        decode_value("[" * 100_000 + "]" * 100_000)
