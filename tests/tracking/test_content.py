"""Promise: files and folders are kept as they are, or refused before anything of them is kept."""

import io
import os
import socket
from pathlib import Path

import pytest

from mlkit.errors import InvalidInput, NotFound
from mlkit.tracking.content import Content, contents


@pytest.fixture
def folder(tmp_path):
    """A folder with two files, and one beside it."""
    (tmp_path / "plots/deep").mkdir(parents=True)
    (tmp_path / "plots/a.txt").write_text("a")
    (tmp_path / "plots/deep/b.txt").write_text("b")
    (tmp_path / "plots-beside").write_text("beside")
    return tmp_path / "plots"


def read(items):
    return {
        item.name: item.data if isinstance(item.data, bytes) else item.data.read_bytes()
        for item in items
    }


# Bytes, files and folders


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_are_taken_under_the_name_they_are_given(kind):
    assert list(contents(kind(b"abc"), "a/b.bin")) == [Content("a/b.bin", b"abc")]


def test_bytes_without_a_name_are_told_what_to_write():
    with pytest.raises(InvalidInput, match=r"Write log_artifact\(data, 'name.bin'\)"):
        contents(b"abc")


@pytest.mark.parametrize("thing", [7, None, {"a": 1}, io.BytesIO(b"x")])
def test_what_is_neither_path_nor_bytes_is_told_the_other_verbs(thing):
    with pytest.raises(InvalidInput, match=r"neither a path nor bytes.*log_dict"):
        contents(thing, "x")


@pytest.mark.parametrize("name", ["", "../x", "/x", "a//b"])
@pytest.mark.parametrize("data", [b"abc", "here.txt"])
def test_a_name_that_leads_elsewhere_is_refused(data, name):
    Path("here.txt").write_text("x")
    with pytest.raises(InvalidInput, match="name of an artifact"):
        contents(data, name)


def test_a_file_has_the_name_that_was_written(tmp_path):
    (tmp_path / "run-17.log").write_text("log")
    (tmp_path / "latest.log").symlink_to("run-17.log")
    assert read(contents(tmp_path / "latest.log")) == {"latest.log": b"log"}


def test_a_folder_gives_all_files_below_it_under_its_name(folder, monkeypatch):
    monkeypatch.chdir(folder)
    expected = {"plots/a.txt": b"a", "plots/deep/b.txt": b"b"}
    assert read(contents(folder)) == read(contents(".")) == read(contents(f"{folder}/")) == expected
    assert sorted(read(contents(folder, "x/y"))) == ["x/y/a.txt", "x/y/deep/b.txt"]


def test_a_folder_is_walked_through_while_it_is_kept_not_gathered(folder):
    items = contents(folder)
    assert iter(items) is items
    (folder / "late.txt").write_text("added after the look at all of it")
    assert "plots/late.txt" in read(items)


def test_links_within_a_folder_are_followed(folder):
    (folder / "link.txt").symlink_to("deep/b.txt")
    (folder / "again").symlink_to("deep")
    found = read(contents(folder))
    assert found["plots/link.txt"] == found["plots/again/b.txt"] == b"b"


def pipe(place):
    os.mkfifo(place)


def unix_socket(place):
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(place.parent)  # a socket's path is short
        server.bind(place.name)
        os.chdir(here)


ODD = {
    "pipe": (pipe, "neither a file nor a folder"),
    "socket": (unix_socket, "neither a file nor a folder"),
    "device": (lambda place: place.symlink_to("/dev/zero"), "leads out of"),
    "leads out": (lambda place: place.symlink_to("../../plots-beside"), "leads out of"),
    "leads nowhere": (lambda place: place.symlink_to("nothing"), "leads nowhere"),
    "leads to itself": (lambda place: place.symlink_to(place.name), "leads nowhere"),
    "leads to its holder": (lambda place: place.symlink_to("."), "a folder that holds it"),
    "leads to the top": (lambda place: place.symlink_to(".."), "a folder that holds it"),
}


@pytest.mark.parametrize(("make", "why"), ODD.values(), ids=ODD)
def test_what_is_odd_in_a_folder_is_named_before_anything_is_kept(folder, make, why):
    make(folder / "deep/odd")
    with pytest.raises(InvalidInput, match=rf"plots/deep/odd' is .*{why}"):
        contents(folder)


def test_links_that_lead_in_a_circle_are_refused(folder):
    (folder / "other").mkdir()
    (folder / "deep/other").symlink_to("../other")
    (folder / "other/deep").symlink_to("../deep")
    with pytest.raises(InvalidInput, match="a folder that holds it"):
        contents(folder)


@pytest.mark.parametrize("give", [lambda place: place, lambda place: place.parent])
def test_a_pipe_does_not_block(tmp_path, give):
    (tmp_path / "pipes").mkdir()
    os.mkfifo(tmp_path / "pipes/odd")
    with pytest.raises(InvalidInput, match="odd' is neither a file nor a folder"):
        contents(give(tmp_path / "pipes/odd"))


@pytest.mark.parametrize("path", ["nothing", "a\0b", "file.txt/below"])
def test_nothing_at_the_path_is_not_found(path):
    Path("file.txt").write_text("x")
    with pytest.raises(NotFound, match=r"no file or folder.*working directory"):
        contents(path, "name")


def test_a_link_at_the_path_that_leads_to_itself_is_named(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InvalidInput, match="loop' can't be read"):
        contents(tmp_path / "loop")


def test_a_folder_without_files_is_refused(tmp_path):
    (tmp_path / "empty/deep").mkdir(parents=True)
    with pytest.raises(InvalidInput, match="holds no files"):
        contents(tmp_path / "empty")


@pytest.mark.parametrize("give", [lambda folder: folder, lambda folder: folder / "deep/b.txt"])
def test_a_file_that_cannot_be_read_is_named_before_anything_is_kept(folder, give, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, _mode: not str(path).endswith("b.txt"))
    with pytest.raises(InvalidInput, match=r"deep/b\.txt' can't be read"):
        contents(give(folder))


def test_a_folder_that_cannot_be_read_is_named(folder, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InvalidInput, match="plots/deep' can't be read: Permission denied"):
        contents(folder)


def test_a_name_in_a_folder_that_cannot_be_kept_is_refused(folder):
    (folder / "a\nb").write_text("x")
    with pytest.raises(InvalidInput, match=r"'plots/a\\nb' can't be the name"):
        contents(folder)


def test_a_folder_may_be_deeper_than_functions_nest(tmp_path):
    depth = 1100  # functions nest 1,000 times
    places = [tmp_path / "deep"]
    places[0].mkdir()
    for _ in range(depth):
        places.append(Path(f"{places[-1]}/d"))
        places[-1].mkdir()
    file = Path(f"{places[-1]}/f")
    file.write_text("down here")
    (item,) = contents(tmp_path / "deep")
    assert item.name == f"deep/{'d/' * depth}f"
    file.unlink()
    for place in reversed(places):
        place.rmdir()
