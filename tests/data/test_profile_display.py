"""How profiles look: what is shown, how wide it is, and that nothing leaves its place."""

import datetime as dt
import xml.etree.ElementTree as ET

import numpy as np
import pyarrow as pa
import pytest

from mlkit.data.profiles.profile import profile_batches
from mlkit.display.text import width_of


def profiled(columns):
    table = pa.table(columns)
    return profile_batches(table.schema, table.to_batches())


@pytest.fixture(scope="module")
def profile():
    random = np.random.default_rng(0)
    rows = 20_000
    return profiled(
        {
            "delay": pa.array(random.gamma(2, 10, rows), mask=random.random(rows) < 0.25),
            "carrier": random.choice(["UA", "AA", "東京"], rows, p=[0.5, 0.3, 0.2]),
            "tail": [f"N{n}" for n in random.integers(0, 10**6, rows)],
            "at": pa.array(random.integers(0, 10**15, rows)).cast(pa.timestamp("us", "UTC")),
            "late": random.random(rows) < 0.2,
            "tags": pa.array([[1, 2], [3]] * (rows // 2)),
            "nothing": pa.nulls(rows),
            "half": np.where(random.random(rows) < 0.5, np.nan, 1.0),
            "huge": random.integers(0, 2**62, rows),
        }
    )


def drawings(html):
    parts = [part.split("</svg>")[0] for part in html.split("<svg")[1:]]
    return [ET.fromstring(f"<svg{part}</svg>") for part in parts]


def test_text_fits_a_terminal(profile):
    lines = str(profile).splitlines()
    assert lines[0] == "20,000 rows"
    assert max(map(width_of, lines)) <= 100


def test_text_shows_shapes_common_values_and_lengths(profile):
    lines = {line.split()[0]: line for line in str(profile).splitlines() if line}
    assert "█" in lines["delay"]
    assert "UA 5" in lines["carrier"]
    assert "len 1-2" in lines["tags"]
    assert "1970-01-0" in lines["at"]


def test_text_tells_what_is_no_number(profile):
    nan = profile["half"].nan
    assert f"half: {nan:,} NaN" in str(profile)


def test_times_of_one_day_are_shown_by_their_hour():
    start = dt.datetime(2013, 1, 1, 8, tzinfo=dt.UTC)
    shown = str(profiled({"at": [start, start + dt.timedelta(hours=1)]}))
    assert "08:00:00" in shown
    assert "09:00:00" in shown


def test_what_is_approximate_is_marked_and_its_error_told(profile):
    assert "≈" in str(profile)
    assert "standard error of up to 2.2 %" in " ".join(str(profile).split())
    assert "standard error of up to 2.2 %" in profile._repr_html_()
    assert "≈" not in str(profiled({"x": [1.0, 2.0]}))


def test_html_draws_a_histogram_whose_bars_tell_their_counts(profile):
    chart = next(
        svg
        for svg in drawings(profile._repr_html_())
        if svg.get("aria-label") == "histogram of delay"
    )
    titles = [title.text for title in chart.iter("{http://www.w3.org/2000/svg}title")]
    counts = [int(title.rpartition(": ")[2].replace(",", "")) for title in titles]
    assert sum(counts) == profile["delay"].count


def test_html_shows_nulls_and_common_values(profile):
    shown = profile._repr_html_()
    assert f"{profile['delay'].nulls:,} of 20,000 are null" in shown
    assert any(svg.get("aria-label") == "commonest values of carrier" for svg in drawings(shown))
    assert "東京" in shown


def test_html_has_no_script_and_no_colour_that_suits_one_theme_only(profile):
    shown = profile._repr_html_()
    assert "<script" not in shown
    assert "black" not in shown
    assert "white;" not in shown


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a\x1b[31mred",
    "\u202eevil",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_and_values_stay_texts(hostile):
    profile = profiled({hostile: [hostile, hostile, None], "n": [1, 2, 3]})
    shown = profile._repr_html_()
    for svg in drawings(shown):
        assert svg.tag.endswith("svg")
    assert "<script" not in shown
    assert "<img" not in shown
    for text in (shown, str(profile)):
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_a_name_of_many_lines_takes_one():
    assert len(str(profiled({"a\nb\r\nc" * 50: ["x\ny"]})).splitlines()) == 4


def test_two_thousand_columns_are_shown_in_part():
    profile = profiled({f"column {n}": [n, n + 1] for n in range(2000)})
    assert "and 1,900 more" in str(profile)
    shown = profile._repr_html_()
    assert "and 1,800 more" in shown
    assert len(shown) < 1_000_000
    assert len(profile.cells()) == 2000


def test_nothing_is_shown_as_nothing():
    for profile in (profile_batches(pa.schema({}), []), profiled({"x": pa.array([], pa.int8())})):
        assert str(profile).startswith("0 rows")
        assert "0 rows" in profile._repr_html_()


def test_cells_stand_under_their_heads(profile):
    cells = dict(zip(profile.HEADER, profile.cells()[1], strict=True))
    assert cells["column"] == "carrier"
    assert cells["distinct"] == "3"
    assert cells["top"].startswith("UA (")
