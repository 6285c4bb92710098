"""Verification: every damage of blobs, packs and documents is found."""

import pytest

from mlkit._core.codec import encode_document
from mlkit._core.hashing import digest_bytes, hex_of
from mlkit._core.ids import token
from mlkit.objects.blobs import Blobs, object_path
from mlkit.objects.chunk_lists import ChunkLists
from mlkit.objects.pack_writer import PackWriter
from mlkit.objects.series import Series
from mlkit.objects.verify import Problem, verify_objects
from mlkit.testing import FaultyStorage

PARQUET = b"rows"
SEALED = f"monitors/delay/truths/018bcfe5-{hex_of(digest_bytes(PARQUET))}.parquet"


@pytest.fixture
def filled(storage, tmp_path):
    """A storage with an object of every kind."""
    storage.create("mlkit.json", encode_document("store", {"id": token()}))
    Blobs(storage).put(b"weights")
    with PackWriter(storage) as packs:
        packs.add(b"chunk")
        ChunkLists(storage, tmp_path / "cache").add(packs.new.to_arrow(packs.finish()))
    Series(storage, "datasets/flights", "dataset_version").append(lambda n: {}, token="me")
    Series(storage, "models/delay", "model_version").append(lambda n: {}, token="me")
    Series(storage, "models/delay/aliases/prod", "alias").append(lambda n: {}, token="me")
    storage.write(SEALED, PARQUET)
    return storage


def test_nothing_is_wrong_with_what_was_written(filled):
    assert list(verify_objects(filled)) == []


def test_every_flipped_bit_is_found(filled, flip):
    for entry in list(filled.list()):
        for bit in range(0, 8 * entry.size, 1 + entry.size // 500):
            flip(filled, entry.path, bit)
            assert [problem.path for problem in verify_objects(filled)] == [entry.path], bit
            flip(filled, entry.path, bit)


def test_a_cut_object_is_found(filled):
    for entry in list(filled.list()):
        whole = filled.read(entry.path)
        filled.write(entry.path, whole[:-1])
        assert [problem.path for problem in verify_objects(filled)] == [entry.path]
        filled.write(entry.path, whole)


def test_a_problem_says_what_it_hurts(filled, flip):
    pack = next(filled.list("packs")).path
    flip(filled, pack)
    [problem] = verify_objects(filled, {pack: ["flights:1", "flights:2"]})
    assert problem.hurts == ("flights:1", "flights:2")
    assert str(problem) == (
        f"{pack}: its bytes don't match its name. It hurts flights:1, flights:2."
    )


@pytest.mark.parametrize(
    ("path", "hurts"),
    [
        ("datasets/flights/1.json", ("flights:1",)),
        ("models/delay/1.json", ("delay:1",)),
        ("models/delay/aliases/prod/1.json", ()),
    ],
)
def test_a_damaged_version_hurts_itself(filled, flip, path, hurts):
    flip(filled, path, 200)
    [problem] = verify_objects(filled)
    assert problem.hurts == hurts
    assert "digest" in problem.what


def test_a_missing_object_is_found_by_what_needs_it(filled):
    path = object_path("blobs", digest_bytes(b"never"))
    problems = list(verify_objects(filled, {path: ["delay:1"]}))
    assert problems == [Problem(path, "it is missing", ("delay:1",))]


def test_an_object_that_belongs_elsewhere_is_found(filled):
    filled.write("packs/stray", b"")
    [problem] = verify_objects(filled)
    assert (problem.path, problem.what) == ("packs/stray", "nothing of this name belongs here")
    assert str(problem) == "packs/stray: nothing of this name belongs here."


def test_a_document_under_another_number_is_found(filled):
    filled.write("models/delay/2.json", filled.read("models/delay/1.json"))
    [problem] = verify_objects(filled)
    assert "moved or copied" in problem.what


@pytest.mark.parametrize("data", [b"", b"[1]", b'"text"', b"\xff\xfe{"])
def test_a_document_that_is_none_is_found(filled, data):
    filled.write("models/delay/2.json", data)
    [problem] = verify_objects(filled)
    assert problem.path == "models/delay/2.json"


def test_a_document_of_a_newer_format_is_a_problem(filled, monkeypatch):
    monkeypatch.setattr("mlkit._core.codec.FORMAT", 2)
    newer = encode_document("store", {})
    monkeypatch.undo()
    filled.write("mlkit.json", newer)
    [problem] = verify_objects(filled)
    assert "format 2" in problem.what


def test_folders_of_runs_are_left_to_their_own_check(filled):
    filled.write("runs/a/run.json", b"no document")
    assert list(verify_objects(filled)) == []


def test_an_object_that_vanishes_meanwhile_is_a_problem(filled):
    class Vanishing(FaultyStorage):
        def read(self, path, start=0, end=None):
            if path.startswith("blobs/"):
                filled.delete(path)
            return super().read(path, start, end)

    [problem] = verify_objects(Vanishing(filled))
    assert problem.what == "it vanished while the store was read"
