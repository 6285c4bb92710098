import re

from mlkit.display.page import Card, Section, badge, fragment, note, page
from mlkit.display.style import style


def made():
    return page(
        "<Title>",
        [Section("one", "<One>", ("<text>",), intro="<intro>"), Section("two", "Two", ())],
        subtitle="<sub>",
        cards=[Card("<label>", "<value>", "<note>"), Card("bare", 1)],
        footer="<foot>",
    )


def test_a_page_escapes_all_that_it_shows():
    html = made()
    for word in ("Title", "One", "text", "intro", "sub", "label", "value", "note", "foot"):
        assert f"<{word}>" not in html
        assert f"&lt;{word}&gt;" in html


def test_a_page_needs_no_script_and_no_network():
    html = made()
    assert "<script" not in html
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in html
    assert not re.search(r"url\(|@import|<link|<iframe", html)
    assert "default-src 'none'" in html


def test_a_page_lists_its_sections():
    assert '<a href="#one">' in made()
    assert 'id="one"' in made()


def test_a_page_suits_light_dark_and_small_screens():
    html = made()
    assert "prefers-color-scheme:dark" in html.replace(" ", "")
    assert "width=device-width" in html


def test_an_empty_page_is_a_page():
    html = page("t", [])
    assert "<nav" not in html
    assert 'class="mlk-cards"' not in html


def test_a_piece_brings_its_style_but_not_that_of_pages():
    html = fragment(note("x"))
    assert html.startswith("<style>")
    assert "--paper" not in html


def test_the_style_holds_nothing_that_ends_it_early():
    assert style("pieces", "page").count("<") == 2


def test_a_badge_without_a_tone_has_none():
    assert badge("<x>") == '<span class="mlk-badge">&lt;x&gt;</span>'
