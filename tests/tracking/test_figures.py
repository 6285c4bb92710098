"""Promise: figures, pictures and tables are kept in a form that their name tells."""

import io
import json
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mlkit.errors import InvalidInput
from mlkit.tracking.content import Content, figure, image, table

plt.switch_backend("Agg")


@pytest.fixture
def figures():
    """Makes figures as pyplot does, and closes what is open at the end."""

    def make():
        fig, axes = plt.subplots()
        axes.plot([1, 3, 2])
        return fig, axes

    yield make
    plt.close("all")


# Figures


@pytest.mark.parametrize(
    ("name", "kept", "begins"),
    [
        ("roc", "roc.png", b"\x89PNG"),
        ("roc.svg", "roc.svg", b"<?xml"),
        ("roc.PDF", "roc.PDF", b"%PDF"),
        ("roc.jpg", "roc.jpg", b"\xff\xd8\xff"),
        ("step_0.5", "step_0.5.png", b"\x89PNG"),
    ],
)
def test_a_figure_of_matplotlib_is_drawn_as_its_name_says(figures, name, kept, begins):
    fig, axes = figures()
    for given in (fig, axes, plt):
        item = figure(given, name)
        assert item.name == kept
        assert item.data.startswith(begins)


def test_a_figure_that_pyplot_does_not_know_is_drawn():
    fig = Figure()
    fig.add_subplot().plot([1, 2])
    with Image.open(io.BytesIO(figure(fig, "roc").data)) as drawn:
        assert drawn.size == (640, 480)


@pytest.mark.parametrize("name", ["roc", "roc.svg", "roc.pdf"])
def test_a_figure_stays_open_and_as_it_was(figures, name):
    fig, axes = figures()

    def looks():
        box = axes.get_position().bounds
        return (fig.dpi, fig.get_facecolor(), tuple(fig.get_size_inches()), box, fig.canvas)

    before = looks()
    figure(fig, name)
    assert looks() == before
    assert plt.get_fignums() == [fig.number]
    axes.plot([3, 2, 1])
    assert len(axes.lines) == 2


def test_a_figure_of_plotly_is_a_page_that_needs_no_network():
    fig = go.Figure(go.Scatter(y=[1, 3, 2]))
    before = fig.to_json()
    item = figure(fig, "roc")
    assert item.name == "roc.html"
    assert len(item.data) > 1_000_000
    assert b'src="http' not in item.data
    assert fig.to_json() == before


def test_a_figure_of_plotly_is_kept_as_json_when_its_name_says_so():
    item = figure(go.Figure(go.Scatter(y=[1, 3, 2])), "roc.json")
    assert json.loads(item.data)["data"][0]["type"] == "scatter"


class Chart:
    """Draws itself as Altair's charts do, or as plotly's with kaleido."""

    def __init__(self, *verbs):
        for verb in verbs:
            setattr(self, verb, getattr(self, f"_{verb}"))

    def _to_html(self):
        return "<p>drawn</p>"

    def _to_json(self):
        return "{}"

    def _to_image(self, format):  # noqa: A002 - plotly's word
        if format == "eps":
            raise ValueError("no\n  eps")
        return f"drawn as {format}".encode()


@pytest.mark.parametrize(
    ("verbs", "name", "item"),
    [
        (["to_html"], "a", Content("a.html", b"<p>drawn</p>")),
        (["to_html"], "a.htm", Content("a.htm", b"<p>drawn</p>")),
        (["to_html"], "a.png", Content("a.png.html", b"<p>drawn</p>")),
        (["to_html"], "a.json", Content("a.json.html", b"<p>drawn</p>")),
        (["to_html", "to_json"], "a.json", Content("a.json", b"{}")),
        (["to_html", "to_image"], "a.png", Content("a.png", b"drawn as png")),
    ],
)
def test_a_chart_is_kept_in_a_form_that_it_has_under_a_name_that_says_so(verbs, name, item):
    assert figure(Chart(*verbs), name) == item


def test_a_form_that_a_figure_cannot_take_is_told_with_another():
    with pytest.raises(InvalidInput, match=r"as eps: ValueError: no eps\. .*such as \.html"):
        figure(Chart("to_html", "to_image"), "a.eps")


@pytest.mark.parametrize("thing", [object(), np.zeros(3), None, Chart()])
def test_what_is_no_figure_is_refused(thing):
    with pytest.raises(InvalidInput, match="is no figure"):
        figure(thing, "x")


# Pictures


@pytest.mark.parametrize("ending", ["png", "jpg", "jpeg", "tif", "webp", "gif", "bmp", "ppm"])
def test_a_picture_of_pillow_is_saved_as_its_name_says(ending):
    item = image(Image.new("RGB", (4, 3), "red"), f"cat.{ending}")
    assert item.name == f"cat.{ending}"
    with Image.open(io.BytesIO(item.data)) as saved:
        assert saved.size == (4, 3)
        assert saved.format.lower() == {"jpg": "jpeg", "tif": "tiff"}.get(ending, ending)


@pytest.mark.parametrize("name", ["cat", "v1.2/cat", "cat.v2"])
def test_a_picture_is_a_png_where_its_name_has_no_such_ending(name):
    item = image(Image.new("L", (4, 3)), name)
    assert item.name == f"{name}.png"
    assert item.data.startswith(b"\x89PNG")


def test_a_picture_stays_as_it_was():
    img = Image.new("RGB", (4, 3), "red")
    image(img, "cat")
    assert img.getpixel((0, 0)) == (255, 0, 0)


def test_a_form_that_a_picture_cannot_take_is_told_with_another():
    with pytest.raises(InvalidInput, match=r"RGBA as JPEG\. Give .* such as \.png"):
        image(Image.new("RGBA", (4, 3)), "cat.jpg")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\x89PNG\r\n", "cat.png"),
        (b"\xff\xd8\xff\xe0", "cat.jpg"),
        (b"GIF89a", "cat.gif"),
        (b"RIFF\n\0\0\0WEBP", "cat.webp"),
        (b'<?xml version="1.0"?>\n<svg>', "cat.svg"),
        (b"whatever", "cat.png"),
    ],
)
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_encoded_bytes_are_kept_under_the_ending_of_their_format(kind, data, name):
    assert image(kind(data), "cat") == Content(name, data)


def test_the_file_of_a_picture_keeps_its_ending(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"jpeg")
    assert image(tmp_path / "x.jpg", "v1.2/cat") == Content("v1.2/cat.jpg", tmp_path / "x.jpg")
    assert image(str(tmp_path / "x.jpg"), "cat.jpeg").name == "cat.jpeg"


def test_a_folder_is_no_picture(tmp_path):
    with pytest.raises(InvalidInput, match="log_artifact keeps folders"):
        image(tmp_path, "cat")


def test_an_array_is_told_how_it_becomes_a_picture():
    with pytest.raises(InvalidInput, match=r"ndarray is no picture.*PIL\.Image\.fromarray"):
        image(np.zeros((3, 4)), "cat")


# Tables


@pytest.mark.parametrize(
    ("name", "kept"), [("rows", "rows.parquet"), ("r.parquet",) * 2, ("r.csv", "r.csv.parquet")]
)
def test_a_table_is_parquet_and_its_name_says_so(name, kept):
    item = table({"a": [1, 2]}, name)
    assert item.name == kept
    assert pq.read_table(io.BytesIO(item.data)).to_pydict() == {"a": [1, 2]}


def test_logging_loads_no_library_that_the_user_has_not_loaded():
    code = """
import sys, mlkit
class Drawing:
    def savefig(self, file, format): file.write(b"drawn")
class Picture:
    def save(self, file, format): file.write(b"saved")
open("a.txt", "w").close()
with mlkit.start_run("light"):
    mlkit.log_artifact("a.txt")
    mlkit.log_text("x", "x.txt")
    mlkit.log_figure(Drawing(), "figure")
    mlkit.log_image(Picture(), "image")
    mlkit.log_image(b"GIF8", "picture")
print(sorted({"matplotlib", "PIL", "plotly", "altair", "numpy", "pandas"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
