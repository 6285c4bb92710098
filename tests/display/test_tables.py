from mlkit.display.markup import Markup
from mlkit.display.table import definition_list, heat_table, html_table
from mlkit.display.text import text_table, width_of


def test_text_columns_line_up_with_wide_characters():
    lines = text_table(["name", "n"], [["東京", 1], ["Rome", 22]]).splitlines()
    assert [width_of(line) for line in lines] == [8, 8, 8, 8]


def test_combining_characters_take_no_place():
    assert width_of("e\u0301") == 1


def test_a_long_cell_is_cut_and_a_line_break_is_none():
    text = text_table(["a"], [["x\ny" + "z" * 100]], widest=10)
    assert text.splitlines()[2] == "x yzzzzzz…"


def test_text_says_what_it_leaves_out():
    assert text_table(["a"], [[1], [2], [3]], limit=1).splitlines()[-1] == "… and 2 more"


def test_an_empty_text_table_has_its_head():
    assert text_table(["a", "bc"], []) == "a  bc\n-  --"


def test_a_html_table_escapes_heads_cells_and_caption():
    html = html_table(["<h>"], [["<c>"]], caption="<t>")
    assert "<h>" not in html
    assert "<c>" not in html
    assert "<t>" not in html


def test_a_html_table_says_what_it_leaves_out():
    assert "… and 2 more" in html_table(["a"], [[1], [2], [3]], limit=1)


def test_numbers_stand_at_the_right_and_long_texts_may_break():
    html = html_table(["n", "t"], [[1, "word " * 20]])
    assert html.count("mlk-num") == 2
    assert "mlk-long" in html


def test_markup_in_a_cell_stays_markup():
    assert "<td><b>x</b></td>" in html_table(["a"], [[Markup("<b>x</b>")]])


def test_strong_rows_stand_out():
    html = html_table(["a"], [[1], [2]], strong=[1])
    assert html.count("mlk-strong") == 1


def test_heat_deepens_with_the_value_up_to_full():
    html = heat_table(["f"], ["a", "b", "c"], [[0.0, 0.5, 9.0]], full=1.0)
    assert [f"--heat:{depth}%" in html for depth in (0, 35, 70)] == [True] * 3


def test_only_marked_cells_are_coloured_and_bold():
    html = heat_table(["f"], ["a", "b"], [[9.0, 1.0]], full=2.0, marked=[[False, True]])
    assert '<td class="mlk-num">9.00</td>' in html
    assert "<b>1.00</b>" in html
    assert html.count("--heat") == 1


def test_heat_has_a_place_for_what_is_missing():
    html = heat_table(["f"], ["a", "b"], [[None, float("nan")]], full=1.0, caption="c")
    assert html.count("—") == 2


def test_heat_without_a_scale_has_no_colour():
    assert "--heat:0%" in heat_table(["f"], ["a"], [[3.0]], full=0.0)


def test_definitions_are_escaped():
    html = definition_list([("<n>", "<v>"), ("m", Markup("<b>x</b>"))])
    assert "&lt;n&gt;" in html
    assert "&lt;v&gt;" in html
    assert "<b>x</b>" in html
