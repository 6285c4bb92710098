import html.parser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.display.markup import Markup, element, escape, join, plain


class Reader(html.parser.HTMLParser):
    """Reads HTML back into tags and text."""

    def __init__(self):
        super().__init__()
        self.tags, self.data, self.attributes = [], "", []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.extend(attrs)

    def handle_data(self, data):
        self.data += data


@given(st.text())
def test_no_text_becomes_a_tag_or_leaves_its_attribute(text):
    reader = Reader()
    reader.feed(element("p", text, title=text))
    reader.close()
    assert reader.tags == ["p"]
    assert reader.data == plain(text)
    assert reader.attributes == [("title", plain(text))]


def test_markup_is_not_escaped_twice():
    assert element("div", element("b", "<")) == "<div><b>&lt;</b></div>"


def test_markup_says_so_to_other_template_libraries():
    assert Markup("<b>").__html__() == "<b>"


def test_joined_parts_are_escaped_unless_they_are_markup():
    assert join("<", Markup("<br>"), 3) == "&lt;<br>3"


def test_escaped_markup_stays_the_same_object():
    markup = Markup("<i>")
    assert escape(markup) is markup


@pytest.mark.parametrize("text", ["\x1b[31m", "\x00", "\u202eexe", "\x85", "\ud800"])
def test_characters_that_act_are_replaced(text):
    assert "\ufffd" in plain(text)


def test_attributes_without_a_value_are_left_out():
    assert element("p", class_=None, hidden=False) == "<p></p>"


@pytest.mark.parametrize("name", ["a b", "", "p>", "1"])
def test_what_is_no_name_of_an_element_is_refused(name):
    with pytest.raises(ValueError, match="no name"):
        element(name)


def test_what_is_no_name_of_an_attribute_is_refused():
    with pytest.raises(ValueError, match="no name"):
        element("p", **{"on click": "x"})
