"""Paths and ranges: what is one, and what isn't."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.errors import InvalidInput
from mlkit.storage.paths import check, check_folder, is_path, only_paths
from mlkit.storage.ranges import check_range


@pytest.mark.parametrize("path", ["a", "a/b", "a/b/c/d/e/f", ".a", "a..b", "é/日本", "x" * 255])
def test_a_path_is_given_back(path):
    assert check(path) == path
    assert is_path(path)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "empty"),
        (None, "NoneType, not text"),
        (b"a", "bytes, not text"),
        ("a//b", "a part of it is empty"),
        ("a/../b", "'..' leads elsewhere"),
        ("a/./b", "'.' leads elsewhere"),
        ("a\\b", "backslash"),
        ("a\nb", "control character"),
        ("\udcff", "UTF-8 can't hold it"),
        ("é" * 128, "a part of it has more than 255 bytes"),
        ("/".join("é" * 100 for _ in range(6)), "more than 1024 bytes"),
        (".tmp", "reserved"),
        (".tmp-0/a", "reserved"),
    ],
)
def test_what_is_no_path_is_refused_with_the_reason(path, why):
    with pytest.raises(InvalidInput, match=why):
        check(path)
    with pytest.raises(InvalidInput):
        check_folder(path if path != "" else "//")


def test_the_root_is_a_folder_and_no_object():
    assert check_folder("") == check_folder("/") == ""
    assert check_folder("a/") == "a"
    with pytest.raises(InvalidInput):
        check_folder(None)


@given(st.text(max_size=30))
def test_no_path_leads_up_whatever_the_text(text):
    if is_path(text):
        parts = text.split("/")
        assert not text.startswith("/")
        assert not {"", ".", ".."} & set(parts)
        assert check(text) == text
    else:
        with pytest.raises(InvalidInput):
            check(text)


def test_a_range_counts_from_the_beginning():
    check_range(0, None)
    check_range(5, 3)
    with pytest.raises(InvalidInput, match="begin at -1"):
        check_range(-1, None)
    with pytest.raises(InvalidInput, match="end at -2"):
        check_range(0, -2)


@given(
    st.lists(
        st.text("ab.-_/\\\n\x00é", max_size=6) | st.sampled_from(["", "..", ".tmp", "x" * 256]),
        max_size=5,
    )
)
def test_many_names_are_told_as_each_alone_is(names):
    names = [name for name in names if "/" not in name]
    assert only_paths(names) == [name for name in names if is_path(name)]
