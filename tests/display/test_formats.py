from datetime import UTC, datetime

import numpy as np
import pytest

from mlkit.display.formats import (
    NOTHING,
    is_number,
    show,
    show_bytes,
    show_column,
    show_float,
    show_share,
    show_span,
    show_time,
)
from mlkit.display.markup import Markup


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, NOTHING),
        (np.bool_(True), "yes"),
        (False, "no"),
        (np.int32(1234), "1,234"),
        (np.float32(0.5), "0.5"),
        (float("nan"), "nan"),
        (1e20, "1e+20"),
        (datetime(2013, 4, 1, 12, 30, 5, tzinfo=UTC), "2013-04-01 12:30:05+00:00"),
        (["a", 1], "a, 1"),
        ("plain", "plain"),
    ],
)
def test_each_kind_of_value_has_its_form(value, text):
    assert show(value) == text


def test_markup_is_shown_as_it_is():
    assert show(Markup("<b>")) == "<b>"


def test_truth_values_are_no_numbers():
    assert not is_number(True)
    assert not is_number(np.bool_(False))
    assert is_number(np.float64(1))


def test_numbers_of_one_size_line_up():
    assert show_column([123.4, 7.25]) == ["123.4", "7.2"]


def test_numbers_of_many_sizes_keep_their_digits():
    assert show_column([1e-7, 5.0]) == ["1e-07", "5"]


def test_tiny_numbers_keep_their_digits():
    assert show_column([1.5e-6, 2e-6]) == ["1.5e-06", "2e-06"]


def test_a_column_may_hold_nan_zero_and_texts_beside_numbers():
    assert show_column([0.5, float("nan"), 0.0, "x", 3]) == ["0.5000", "nan", "0.0000", "x", "3"]


def test_a_column_of_huge_numbers_is_written_by_its_powers():
    assert show_column([2e16]) == ["2e+16"]


def test_large_numbers_are_whole():
    assert show_float(123456.7) == "123,457"


def test_bytes_have_units_up_to_the_largest():
    assert [show_bytes(10**power) for power in (0, 3, 9, 19)] == [
        "1 B",
        "1.0 kB",
        "1.0 GB",
        "10000.0 PB",
    ]


def test_spans_have_fitting_units():
    spans = [None, 0.5, 5, 90, 5400, 200_000]
    texts = [NOTHING, "500 ms", "5.0 s", "1 min 30 s", "1 h 30 min", "2 d 7 h"]
    assert [show_span(span) for span in spans] == texts


def test_a_missing_time_or_share_is_told():
    assert show_time(None) == NOTHING
    assert show_share(None) == NOTHING
    assert show_share(float("nan")) == NOTHING


def test_shares_are_percentages():
    assert [show_share(share) for share in (0, 0.0004, 0.256, 1)] == [
        "0 %",
        "< 0.1 %",
        "25.6 %",
        "100 %",
    ]
