"""Folders: exactly the files that are there, and a clear error for what can't be kept."""

import os
import socket
from pathlib import Path

import pytest

from mlkit.data.storing.folder import files_of
from mlkit.errors import InvalidInput


def paths(folder):
    return files_of(folder).paths


def test_files_at_any_depth_are_found_sorted(folder):
    assert paths(folder) == ["a.txt", "cats/old/felix.png", "cats/tom.png", "empty"]


def test_a_folder_may_be_reached_by_a_link(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    assert paths(tmp_path / "link") == paths(folder)


def test_a_link_within_the_folder_is_what_it_leads_to(folder):
    (folder / "b.txt").symlink_to("a.txt")
    (folder / "kittens").symlink_to("cats/old")
    assert paths(folder)[1] == "b.txt"
    assert paths(folder)[-1] == "kittens/felix.png"


@pytest.mark.parametrize("target", ["/etc/hostname", "..", "../beside"])
def test_a_link_that_leaves_the_folder_is_refused(folder, target):
    (folder.parent / "beside").mkdir()
    (folder / "out").symlink_to(target)
    with pytest.raises(InvalidInput, match="The link 'out' leads out of"):
        files_of(folder)


def test_a_link_to_a_neighbour_whose_name_begins_alike_leaves_the_folder(folder):
    (folder.parent / "images2").mkdir()
    (folder / "out").symlink_to("../images2")
    with pytest.raises(InvalidInput, match="leads out of"):
        files_of(folder)


@pytest.mark.parametrize("target", [".", "cats", "../cats"])
def test_a_link_to_a_folder_that_holds_it_is_refused(folder, target):
    place = folder / "cats" / "loop"
    place.symlink_to({".": folder, "cats": folder / "cats", "../cats": "../cats"}[target])
    with pytest.raises(InvalidInput, match="a folder that holds it"):
        files_of(folder)


@pytest.mark.parametrize("target", ["nowhere", "self"])
def test_a_link_that_leads_nowhere_is_refused(folder, target):
    (folder / "self").symlink_to(target)
    with pytest.raises(InvalidInput, match=r"The link 'self' .* leads nowhere"):
        files_of(folder)


def test_a_pipe_is_refused(folder):
    os.mkfifo(folder / "pipe")
    with pytest.raises(InvalidInput, match=r"'pipe' .* is neither a file nor a folder"):
        files_of(folder)


def test_a_socket_is_refused(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sock")
        with pytest.raises(InvalidInput, match=r"'sock' .* is neither a file nor a folder"):
            files_of(folder)


@pytest.mark.parametrize("name", [b"a\nb", b"tab\there", b"back\\slash", b"caf\xe9"])
def test_a_name_that_cannot_be_kept_is_refused(folder, name):
    Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"")
    with pytest.raises(InvalidInput, match="can't be kept"):
        files_of(folder)


@pytest.mark.parametrize("other", ["A.TXT", "CATS/tom.PNG"])
def test_names_that_differ_by_case_only_are_refused(folder, other):
    (folder / other).parent.mkdir(exist_ok=True)
    (folder / other).write_bytes(b"")
    with pytest.raises(InvalidInput, match="differ by case or Unicode form only"):
        files_of(folder)


def test_names_that_differ_by_unicode_form_only_are_refused(folder):
    for name in ("caf\u00e9", "cafe\u0301"):
        (folder / name).write_bytes(b"")
    with pytest.raises(InvalidInput, match="differ by case or Unicode form only"):
        files_of(folder)


def test_names_in_any_language_are_fine(folder):
    for name in ("日本語.txt", "ünï cödé", "'quotes\"", "a:b", "-rf"):
        (folder / name).write_bytes(b"")
    assert len(paths(folder)) == 9


def test_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    with pytest.raises(InvalidInput, match="holds no file"):
        files_of(tmp_path / "empty")


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="There is no folder"):
        files_of(tmp_path / "missing")


def test_a_folder_that_cannot_be_read_is_named(folder, monkeypatch):
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("cats"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InvalidInput, match=r"cats' can't be read: Permission denied"):
        files_of(folder)
