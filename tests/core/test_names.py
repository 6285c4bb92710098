import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit._core.names import (
    Reference,
    check_alias,
    check_name,
    near,
    parse_reference,
    unknown,
)
from mlkit.errors import InvalidName


@pytest.mark.parametrize("name", ["a", "Flights-2013", "a.b_c", "0", "x" * 128])
def test_plain_names_are_taken(name):
    assert check_name(name, "dataset") == name


@pytest.mark.parametrize(
    "name", ["", "..", ".hidden", "a/b", "a\\b", "a b", "é", "x" * 129, "a\n", "-a", None, 3]
)
def test_names_that_some_storage_cant_hold_are_refused(name):
    with pytest.raises(InvalidName, match="can't be the name of a dataset"):
        check_name(name, "dataset")


@pytest.mark.parametrize("alias", ["latest", "Latest", "LATEST", "3", "../x"])
def test_words_that_mean_a_version_are_no_aliases(alias):
    with pytest.raises(InvalidName):
        check_alias(alias)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("flights", Reference("flights")),
        ("flights@latest", Reference("flights")),
        ("flights:3", Reference("flights", version=3)),
        ("flights@prod", Reference("flights", alias="prod")),
        ("flights#1f3a9c", Reference("flights", digest="1f3a9c")),
        ("flights#sha256:1f3a9c", Reference("flights", digest="1f3a9c")),
    ],
)
def test_references_are_read(text, reference):
    assert parse_reference(text) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@prod",
        "a:0",
        "a:-1",
        "a:x",
        "a:",
        "a#xyz",
        "a#12",
        "a@3",
        "a@b@c",
        "a:1:2",
        "a:²",
        None,
    ],
)
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(InvalidName):
        parse_reference(text)


@pytest.mark.parametrize("text", ["flights@latest", "flights:3", "flights@prod", "flights#1f3a"])
def test_a_reference_is_written_as_it_was_read(text):
    assert str(parse_reference(text)) == text


@given(st.text())
def test_any_text_is_a_reference_or_refused(text):
    try:
        read = parse_reference(text)
    except InvalidName:
        return
    assert parse_reference(str(read)) == read


def test_a_near_name_is_suggested():
    assert near("flihgts", ["flights", "weather"]) == "Did you mean 'flights'?"
    assert near("zzz", ["flights"]) == ""


def test_an_unknown_name_says_what_there_is():
    assert "Did you mean 'flights'" in str(unknown("dataset", "flight", ["flights"]))
    assert "There are: a, b" in str(unknown("dataset", "zzzz", ["b", "a"]))
    assert "There is no dataset yet" in str(unknown("dataset", "x", []))
    assert "…" in str(unknown("dataset", "zzzz", [f"name{i}" for i in range(20)]))
