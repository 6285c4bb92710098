import json
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlkit._core.hashing import digest_bytes
from mlkit.errors import Corrupt, InvalidInput, NotFound, StorageFault
from mlkit.objects.blobs import Blobs, object_path
from mlkit.storage.local import LocalStorage
from mlkit.storage.memory import MemoryStorage
from mlkit.testing import Fault, FaultyStorage
from mlkit.tracking.artifact import Artifact
from mlkit.tracking.artifacts import Artifacts

NAMES = ["z.txt", "plots/roc.png", "plots/deep/auc.png", "plotsize"]


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


# What is read back, without a run


@pytest.fixture(params=["local", "memory"])
def blobs(request, tmp_path):
    storage = LocalStorage(tmp_path / "store")
    return Blobs(storage if request.param == "local" else MemoryStorage(str(tmp_path)))


@pytest.fixture
def artifact(blobs):
    """Makes an artifact."""

    def make(name="sub/a.txt", data=b"hello", *, kept=True):
        digest = blobs.put(data) if kept else digest_bytes(data)
        return Artifact(name=name, digest=digest, size=len(data), type="file", blobs=blobs)

    return make


@pytest.fixture
def several(artifact):
    return Artifacts((artifact(name, name.encode()) for name in NAMES), run_id="r1")


@pytest.fixture
def damage(blobs):
    """Flips a bit of an artifact's content."""

    def flip(artifact):
        path = object_path("blobs", artifact.digest)
        data = blobs.storage.read(path)
        blobs.storage.write(path, bytes([data[0] ^ 1]) + data[1:])

    return flip


GIVE = {
    "read": lambda artifact, folder: artifact.read(),
    "text": lambda artifact, folder: artifact.text(),
    "open": lambda artifact, folder: artifact.open(),
    "download": lambda artifact, folder: artifact.download(folder),
}
each_way = pytest.mark.parametrize("give", GIVE.values(), ids=GIVE)


@each_way
def test_content_that_is_missing_is_told_with_its_name_and_where_it_may_be(
    artifact, tmp_path, give
):
    with pytest.raises(NotFound, match=r"'sub/a\.txt' isn't in the store.*store\.sync\(\)"):
        give(artifact(kept=False), tmp_path / "out")


@each_way
def test_content_that_was_damaged_is_told_with_its_name_and_not_given(
    artifact, damage, tmp_path, give
):
    damaged = artifact()
    damage(damaged)
    with pytest.raises(Corrupt, match=r"Artifact 'sub/a\.txt' can't be given: blobs/"):
        give(damaged, tmp_path / "out")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_an_open_artifact_can_be_searched_in_as_readers_of_formats_do(artifact, tmp_path):
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "rows")
    with artifact(data=(tmp_path / "rows").read_bytes()).open() as file:
        assert pq.read_table(file).to_pydict() == {"a": [1, 2]}


@pytest.mark.parametrize("give", ["open", "download"])
def test_a_large_artifact_is_never_in_memory_whole(artifact, tmp_path, give):
    large = artifact(data=bytes(64 << 20))
    tracemalloc.start()
    try:
        if give == "open":
            with large.open() as file:
                assert file.read(10) == bytes(10)
        else:
            large.download(tmp_path / "out")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 33 << 20


def test_a_download_replaces_what_is_there(artifact, tmp_path):
    artifact(data=b"old").download(tmp_path / "out")
    assert artifact(data=b"new").download(tmp_path / "out").read_bytes() == b"new"
    assert [path.name for path in (tmp_path / "out/sub").iterdir()] == ["a.txt"]


def test_a_download_that_fails_leaves_what_is_there(artifact, damage, tmp_path):
    artifact(data=b"old").download(tmp_path / "out")
    damaged = artifact(data=b"new")
    damage(damaged)
    with pytest.raises(Corrupt):
        damaged.download(tmp_path / "out")
    assert [path.read_bytes() for path in (tmp_path / "out/sub").iterdir()] == [b"old"]


def test_a_download_replaces_a_link_and_not_what_it_leads_to(artifact, tmp_path):
    (tmp_path / "out/sub").mkdir(parents=True)
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "out/sub/a.txt").symlink_to(tmp_path / "mine")
    assert artifact().download(tmp_path / "out").read_bytes() == b"hello"
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_download_follows_links_that_stay_within_its_folder(artifact, tmp_path):
    (tmp_path / "out/real").mkdir(parents=True)
    (tmp_path / "out/sub").symlink_to("real")
    artifact().download(tmp_path / "out")
    assert (tmp_path / "out/real/a.txt").read_bytes() == b"hello"


def test_a_download_makes_no_folders_behind_a_link(artifact, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/sub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidInput, match="leads out"):
        artifact("sub/deeper/a.txt").download(tmp_path / "out")
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("name", ["../a.txt", "/tmp/a.txt", "a/../../b"])
def test_a_name_of_a_store_that_leads_elsewhere_is_not_written(artifact, tmp_path, name):
    with pytest.raises(InvalidInput, match="name of an artifact"):
        artifact(name).download(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_in_the_place_of_a_file_is_named(artifact, tmp_path):
    (tmp_path / "out/sub/a.txt").mkdir(parents=True)
    with pytest.raises(InvalidInput, match=r"a\.txt' is a folder, and must become a file"):
        artifact().download(tmp_path / "out")


@pytest.mark.parametrize("place", ["out", "out/sub"])
def test_a_file_in_the_place_of_a_folder_is_named(artifact, tmp_path, place):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("a file")
    with pytest.raises(InvalidInput, match=rf"{place}' is a file, and must be a folder"):
        artifact().download(tmp_path / "out")


def test_a_disk_that_does_not_take_a_download_is_a_fault_with_the_name(artifact, tmp_path):
    with pytest.raises(StorageFault, match=r"long.* can't be written: File name too long"):
        artifact("long" * 100).download(tmp_path / "out")


def test_a_fault_of_the_store_is_told_as_one(tmp_path):
    storage = LocalStorage(tmp_path / "store")
    broken = Blobs(FaultyStorage(storage, Fault(1, "down")))
    artifact = Artifact("a", Blobs(storage).put(b"x"), 1, "file", broken)
    with pytest.raises(StorageFault, match="Ordered fault"):
        artifact.download(tmp_path / "out")


# All of them


def test_artifacts_are_a_mapping_sorted_by_name_that_cannot_be_changed(several):
    assert list(several) == sorted(NAMES)
    assert len(several) == len(NAMES)
    assert several == dict(several.items())
    assert several["z.txt"].read() == b"z.txt"
    assert "z.txt" in several
    assert ("z" in several, several.get("z")) == (False, None)
    with pytest.raises(TypeError):
        several["new"] = several["z.txt"]


def test_an_unknown_name_is_told_with_a_near_one(several):
    with pytest.raises(KeyError, match=r"artifact of run r1 'plots/rok\.png'.*'plots/roc\.png'"):
        several["plots/rok.png"]
    with pytest.raises(NotFound, match="There is no artifact yet"):
        Artifacts([])["x"]


def test_all_are_downloaded_under_their_names(several, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("stays")
    files = several.download(str(tmp_path / "out"))
    assert files == [tmp_path / "out" / name for name in sorted(NAMES)]
    assert [file.read_text() for file in files] == sorted(NAMES)
    assert (tmp_path / "out/mine").read_text() == "stays"


@pytest.mark.parametrize("under", ["plots", "plots/"])
def test_those_below_a_folder_of_names_are_downloaded_alone(several, tmp_path, under):
    files = several.download(tmp_path, under=under)
    assert files == [tmp_path / "plots/deep/auc.png", tmp_path / "plots/roc.png"]
    assert not (tmp_path / "z.txt").exists()


@pytest.mark.parametrize("under", ["plot", "z.txt", "../plots"])
def test_a_folder_of_names_that_is_not_there_is_told_with_those_that_are(several, tmp_path, under):
    with pytest.raises(
        NotFound, match=r"folder of artifacts of run r1 .*'plots'|plots, plots/deep"
    ):
        several.download(tmp_path / "out", under=under)
    assert not (tmp_path / "out").exists()


def test_names_that_no_disk_can_hold_together_are_told_before_anything_is_written(
    artifact, tmp_path
):
    both = Artifacts([artifact("a/b"), artifact("a"), artifact("0")])
    with pytest.raises(InvalidInput, match="'a' is an artifact, and the folder of 'a/b'"):
        both.download(tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert both.download(tmp_path / "out", under="a") == [tmp_path / "out/a/b"]


def test_no_artifacts_are_downloaded_as_nothing(tmp_path):
    assert Artifacts([]).download(tmp_path / "out") == []


def test_artifacts_are_shown_with_what_they_are(several):
    assert repr(several).splitlines()[0].split() == ["name", "type", "size"]
    assert repr(several).splitlines()[2].split() == ["plots/deep/auc.png", "file", "18", "B"]
    assert repr(several).endswith("4 artifacts, 44 B")
    assert repr(Artifacts([])) == "No artifacts"


def test_artifacts_are_shown_in_notebooks_with_names_that_stay_text(artifact):
    shown = Artifacts([artifact("<script>")])._repr_html_()
    assert "&lt;script&gt;" in shown
    assert "<script>" not in shown
    assert "1 artifact, 5 B" in shown
