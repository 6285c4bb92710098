import json

import pyarrow.parquet as pq
import pytest

from mlkit.errors import Corrupt, InvalidInput, NotFound


class Drawing:
    """Draws itself as matplotlib's figures do."""

    def savefig(self, file, format):  # noqa: A002 - matplotlib's word
        file.write(f"drawn as {format}".encode())


class Axes:
    figure = Drawing()


class Page:
    """Draws itself as plotly's figures do."""

    def to_html(self):
        return "<p>drawn</p>"


class Picture:
    """Saves itself as PIL's images do."""

    def save(self, file, format):  # noqa: A002 - PIL's word
        file.write(f"saved as {format}".encode())


@pytest.fixture
def kept(store):
    """Logs by the given verb, and gives the artifacts of the run."""

    def keep(log):
        with store.start_run("artifacts") as run:
            log(run)
        return store.run(run.id).artifacts()

    return keep


@pytest.mark.parametrize(
    ("log", "name", "content"),
    [
        (lambda run: run.log_text("héllo", "a/b.txt"), "a/b.txt", "héllo".encode()),
        (lambda run: run.log_figure(Drawing(), "roc"), "roc.png", b"drawn as png"),
        (lambda run: run.log_figure(Drawing(), "roc.svg"), "roc.svg", b"drawn as svg"),
        (lambda run: run.log_figure(Axes(), "roc"), "roc.png", b"drawn as png"),
        (lambda run: run.log_figure(Page(), "roc"), "roc.html", b"<p>drawn</p>"),
        (lambda run: run.log_image(Picture(), "cat"), "cat.png", b"saved as png"),
        (lambda run: run.log_image(Picture(), "cat.jpg"), "cat.jpg", b"saved as jpeg"),
        (lambda run: run.log_image(b"\x89PNG", "cat"), "cat.png", b"\x89PNG"),
    ],
)
def test_each_verb_keeps_the_bytes(kept, log, name, content):
    artifacts = kept(log)
    assert list(artifacts) == [name]
    assert artifacts[name].read() == content
    assert artifacts[name].size == len(content)


def test_a_dict_is_kept_as_json(kept):
    artifact = kept(lambda run: run.log_dict({"a": [1, 2.5]}, "config"))["config.json"]
    assert json.loads(artifact.text()) == {"a": [1, 2.5]}


def test_a_table_is_kept_as_parquet(kept):
    artifact = kept(lambda run: run.log_table({"a": [1, 2], "b": ["x", None]}, "rows"))
    with artifact["rows.parquet"].open() as file:
        assert pq.read_table(file).to_pydict() == {"a": [1, 2], "b": ["x", None]}


def test_files_and_folders_are_kept(kept, tmp_path):
    (tmp_path / "plots/deep").mkdir(parents=True)
    (tmp_path / "plots/a.txt").write_text("a")
    (tmp_path / "plots/deep/ü n.txt").write_text("b")

    def log(run):
        run.log_artifact(tmp_path / "plots")
        run.log_artifact(str(tmp_path / "plots/a.txt"), name="renamed.txt")
        run.log_image(tmp_path / "plots/a.txt", "picture")

    artifacts = kept(log)
    assert list(artifacts) == ["picture.txt", "plots/a.txt", "plots/deep/ü n.txt", "renamed.txt"]
    target = artifacts["plots/deep/ü n.txt"].download(tmp_path / "out")
    assert target == tmp_path / "out/plots/deep/ü n.txt"
    assert target.read_text() == "b"
    assert len(list((tmp_path / "out").rglob("*.txt"))) == 1


def test_the_same_content_is_stored_once(kept, tmp_path):
    def log(run):
        run.log_text("same", "a.txt")
        run.log_text("same", "b.txt")

    kept(log)
    assert len([path for path in (tmp_path / "store/blobs").rglob("*") if path.is_file()]) == 1


@pytest.mark.parametrize("name", ["", "../x", "/etc/x", "a//b", "a/./b", "a\\b", "a\nb", "a/.."])
def test_names_that_lead_elsewhere_are_refused(store, name):
    with store.start_run("bad") as run, pytest.raises(InvalidInput, match="name of an artifact"):
        run.log_text("x", name)


def test_what_cant_be_kept_is_refused(store, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "links").mkdir()
    (tmp_path / "links/out").symlink_to("/etc/hostname")
    with store.start_run("bad") as run:
        for log, error in (
            (lambda: run.log_artifact(tmp_path / "nothing"), NotFound),
            (lambda: run.log_artifact(tmp_path / "empty"), InvalidInput),
            (lambda: run.log_artifact(tmp_path / "links"), InvalidInput),
            (lambda: run.log_figure(object(), "x"), InvalidInput),
            (lambda: run.log_image(object(), "x"), InvalidInput),
            (lambda: run.log_table(object(), "x"), InvalidInput),
            (lambda: run.log_dict({"x": object()}, "x"), InvalidInput),
        ):
            with pytest.raises(error):
                log()
    assert store.run(run.id).artifacts() == {}


def test_damaged_content_is_never_given(store, kept, tmp_path):
    artifacts = kept(lambda run: run.log_text("hello", "a.txt"))
    (blob,) = (path for path in (tmp_path / "store/blobs").rglob("*") if path.is_file())
    blob.chmod(0o600)
    blob.write_bytes(b"hellO")
    with pytest.raises(Corrupt):
        artifacts["a.txt"].read()
    problems = list(next(iter(store.runs)).verify())
    assert len(problems) == 1
    assert "a.txt" in problems[0].what


def test_a_download_never_leaves_its_folder(kept, tmp_path):
    artifact = kept(lambda run: run.log_text("hello", "sub/a.txt"))["sub/a.txt"]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/sub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidInput, match="leads out"):
        artifact.download(tmp_path / "out")
    assert list((tmp_path / "elsewhere").iterdir()) == []
