"""Fields of documents are given in their type, or refused with what is wrong."""

import pytest

from mlkit._core import codec
from mlkit._core.codec import decode_document, encode_document
from mlkit._core.shapes import Misshapen, items, mapping, optional, required
from mlkit.errors import Corrupt


def test_a_field_of_its_type_is_given():
    fields = {"n": 1, "x": 2, "t": ["a"], "m": {"k": "v"}, "none": None, "yes": True}
    assert required(fields, "n", int) == 1
    assert isinstance(required(fields, "x", float), float)
    assert items(fields, "t", str) == ("a",)
    assert mapping(fields, "m", str) == {"k": "v"}
    assert optional(fields, "none", str) is None
    assert optional(fields, "absent", str) is None
    assert required(fields, "yes", bool) is True


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (lambda: required({}, "n", int), "'n' is missing"),
        (lambda: required([], "n", int), "is no mapping"),
        (lambda: optional([], "n", int), "is no mapping"),
        (lambda: required({"n": "1"}, "n", int), "'n' is '1', no int"),
        (lambda: required({"n": True}, "n", int), "'n' is True, no int"),
        (lambda: required({"n": 10**400}, "n", float), "beyond all floats"),
        (lambda: items({"n": "abc"}, "n", str), "no list"),
        (lambda: items({"n": [1]}, "n", str), "no str"),
        (lambda: mapping({"n": {"k": 1}}, "n", str), r"'n\.k' is 1, no str"),
    ],
)
def test_a_field_of_another_type_is_refused(read, said):
    with pytest.raises(Misshapen, match=said):
        read()


@pytest.mark.parametrize("field", ["format", "kind"])
def test_a_document_that_does_not_say_what_it_is_is_corrupt(field, monkeypatch):
    monkeypatch.setattr(codec, "FORMAT", "1" if field == "format" else 1)
    data = encode_document(7 if field == "kind" else "note", {})
    monkeypatch.undo()
    with pytest.raises(Corrupt, match="doesn't say what it is"):
        decode_document(data, "note", "here")
